//! `-check`: the Go agent's self-check, a line for each collector that this host has something for. It reads no
//! configuration file.

use crate::app::{self, Collecting};
use crate::assigned::check::{Checks, DirectoryCheck, PortCheck, ProcessCheck};
use crate::collect::{self, Spec};
use crate::config::checks::Protocol;
use crate::config::{Config, NameSet};
use crate::model::{Platform, Tags};
use crate::schedule;

pub fn run() -> anyhow::Result<()> {
    let runtime = app::runtime()?;
    let mut config = Config::standalone();
    config.collector.names = vec![NameSet::Falcon, NameSet::Extended];
    let collecting = Collecting::new(config, None);
    collecting.shared.context.assigned.assume(samples());
    let shown = runtime.block_on(async {
        let checked = |spec: &&Spec| !spec.check.is_empty() && spec.exists_on(Platform::CURRENT);
        for spec in collect::ALL.iter().filter(checked) {
            if matches!((spec.open)(&collecting.shared.context), Ok(None)) {
                continue;
            }
            let verdict = if works(spec, &collecting).await { "ok" } else { "fail" };
            super::show(&format!("{:<8} ... {verdict}\n", spec.check))?;
        }
        anyhow::Ok(())
    });
    // A collector that hangs is not waited for.
    runtime.shutdown_background();
    shown
}

/// Something for the checks that hbs assigns: any port, all processes, and a single file.
fn samples() -> Checks {
    let path = std::env::current_exe().unwrap_or_default().display().to_string();
    Checks {
        ports: vec![PortCheck { port: Some(1988), protocol: Protocol::Any, tags: Tags::NONE }],
        processes: vec![ProcessCheck { name: None, cmdline: None, tags: Tags::NONE }],
        directories: vec![DirectoryCheck { path, tags: Tags::NONE }],
        urls: Vec::new(),
    }
}

async fn works(spec: &'static Spec, collecting: &Collecting) -> bool {
    let mut said = 0;
    for mut lane in schedule::lanes([spec], &collecting.shared) {
        lane.prime().await;
        lane.run_once(&mut |samples| said += samples.len()).await;
    }
    said > 0
}
