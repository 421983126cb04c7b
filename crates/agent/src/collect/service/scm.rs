//! Windows: the list of the service control manager, and what is said of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use falcon_sys::types::{Extent, Service, ServiceStart};

use super::alive::Legacy;
use super::wanted::Wanted;
use super::{AUTO_STOPPED, Row, START_MODE, remark_missing, report};
use crate::collect::{Collector, Cx, Guard, float};
use crate::config::Config;
use crate::isolate::{Isolated, LEFT_ALONE};
use crate::model::{Platform, Tags};
use crate::stats::Stats;

/// The manager answers in milliseconds; while a service is being started that does not come back, it may not.
const DEADLINE: Duration = Duration::from_secs(10);
/// So long after boot what starts delayed may still be on its way (two minutes, and as long as those before it take).
const BOOT: Duration = Duration::from_secs(300);

const STOPPED: u32 = 1;
const AUTOMATIC: u32 = 2;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;
const ERROR_SERVICE_NEVER_STARTED: u32 = 1077;

type Answer = io::Result<(Vec<Service>, Extent)>;

/// How the manager is asked, and for the start of which services; a test answers itself.
type Ask = Arc<dyn Fn(&dyn Fn(&Service) -> bool) -> Answer + Send + Sync>;

pub(super) struct Scm {
    ask: Ask,
    since_boot: fn() -> Duration,
    wanted: Arc<Vec<Wanted>>,
    legacy: Legacy,
    guard: Guard,
    stats: Arc<Stats>,
    probes: Isolated<Answer>,
}

impl Scm {
    pub fn new(config: &Config, guard: Guard, stats: Arc<Stats>) -> Scm {
        Scm::asking(Arc::new(|wants_start| falcon_sys::services(wants_start)), config, guard, stats)
    }

    fn asking(ask: Ask, config: &Config, guard: Guard, stats: Arc<Stats>) -> Scm {
        Scm {
            ask,
            since_boot: falcon_sys::since_boot,
            wanted: Arc::new(Wanted::list(&config.service.names, Platform::Windows)),
            legacy: Legacy::new(config),
            guard,
            stats,
            probes: Isolated::new("service"),
        }
    }

    fn list(&mut self, cx: &Cx<'_>) -> Answer {
        let (ask, wanted) = (self.ask.clone(), self.wanted.clone());
        let (counts, modes) = (cx.wants(&AUTO_STOPPED), cx.wants(&START_MODE));
        // How each of some hundred services is started is asked only where it is said.
        let job = move || {
            ask(&|service| {
                counts && may_count(service) || modes && wanted.iter().any(|wanted| wanted.fits(&service.name))
            })
        };
        let answers = self.probes.run_all(vec![("services".to_owned(), job)], DEADLINE, DEADLINE);
        match answers.into_iter().next() {
            Some((_, outcome)) => outcome.answer(LEFT_ALONE, &self.stats.collect_hung),
            None => Err(io::Error::other("not asked")),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, services: &[Service]) {
        let fits = |service: &&Service| self.wanted.iter().any(|wanted| wanted.fits(&service.name));
        let row = |service: &Service| Row {
            name: service.name.clone(),
            state: service.state,
            start_mode: service.start.as_ref().and_then(|start| Some(start.as_ref().ok()?.mode)),
        };
        let rows = services.iter().filter(fits).map(row).collect();
        for wanted in &*self.wanted {
            if !services.iter().any(|service| wanted.fits(&service.name)) {
                remark_missing(cx, &wanted.written, wanted.is_pattern());
            }
        }
        report(cx, &mut self.guard, rows);
        for (metric, value) in self.legacy.values(services) {
            cx.emit(metric, &Tags::NONE, value);
        }
        if cx.wants(&AUTO_STOPPED) {
            let count = auto_stopped(services, (self.since_boot)());
            cx.emit(&AUTO_STOPPED, &Tags::NONE, float(count));
        }
        for service in services {
            let Some(Err(error)) = &service.start else { continue };
            let what = format!("start of service {}", service.name);
            match error.raw_os_error() {
                // Its own rights, not a fault; and one that was removed since the list was made.
                Some(ERROR_ACCESS_DENIED) => cx.remark(what, "may not be read by this account; it is not counted"),
                Some(ERROR_SERVICE_DOES_NOT_EXIST) => {}
                _ => cx.problem(what, error),
            }
        }
    }
}

impl Collector for Scm {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !super::SPEC.metrics.iter().any(|metric| cx.wants(metric)) {
            return Ok(());
        }
        let (services, extent) = self.list(cx)?;
        if extent == Extent::Cut {
            cx.problem("services", format!("only the first {} are read", services.len()));
        }
        self.say(cx, &services);
        Ok(())
    }
}

/// One that ended with 0 has done its work.
fn may_count(service: &Service) -> bool {
    service.state == STOPPED && service.exit_code != 0 && !service.is_template
}

fn auto_stopped(services: &[Service], since_boot: Duration) -> u64 {
    let counts = |service: &&Service| {
        let Some(Ok(ServiceStart { mode: AUTOMATIC, delayed, triggered: false })) = service.start else { return false };
        let is_early = since_boot < BOOT && (delayed || service.exit_code == ERROR_SERVICE_NEVER_STARTED);
        may_count(service) && !is_early
    };
    services.iter().filter(counts).count() as u64
}

#[cfg(test)]
mod tests;
