//! `-check`: the Go agent's self-check, a line for each collector that this host has something for. It reads no
//! configuration file.

use crate::app::{self, Collecting};
use crate::collect::{self, Spec};
use crate::config::{Config, NameSet};
use crate::model::Platform;
use crate::schedule;

pub fn run() -> anyhow::Result<()> {
    let runtime = app::runtime()?;
    let mut config = Config::standalone();
    config.collector.names = vec![NameSet::Falcon, NameSet::Extended];
    let collecting = Collecting::new(config, None);
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

async fn works(spec: &'static Spec, collecting: &Collecting) -> bool {
    let mut said = 0;
    for mut lane in schedule::lanes([spec], &collecting.shared) {
        lane.prime().await;
        lane.run_once(&mut |samples| said += samples.len()).await;
    }
    said > 0
}
