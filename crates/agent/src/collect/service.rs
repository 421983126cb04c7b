//! `service.*`: whether configured services run, how many automatic ones do not, and what the Python agent said of six.
//!
//! Windows: the service control manager's list, with how a service is started where that counts ([`scm`]). Linux: units of
//! systemd, of which `systemctl` tells ([`systemd`]); without systemd, or where no unit is named, there is nothing to say.
//! Either is asked on a thread that may be lost. Which services are meant says [`wanted`]; of one that is not installed
//! nothing is said but one line in the log.

mod alive;
mod scm;
mod systemd;
mod wanted;

use super::{Context, Cx, Guard, Guarded, Lane, Spec};
use crate::model::{Metric, On, Platform, Sets, Tags};
use scm::Scm;
use systemd::{Systemctl, Units};

const NAME: &[&str] = &["name"];
const LIST: &str = "systemctl show; EnumServicesStatusExW";
const START: &str = "QueryServiceConfigW";

/// In every name set: who lists a service in the configuration wants to hear of it.
const fn of_name(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "1", Sets::ALL, LIST).tags(NAME).help(help)
}

const RUNNING: Metric = of_name("service.running", "1 while the state is 4, else 0; absent: not installed");
const STATE: Metric = of_name(
    "service.state",
    "1 stopped, 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending, 7 paused; Linux: 1 \
     inactive or failed, 2 activating, 3 deactivating, 4 active or reloading",
);
const START_MODE: Metric = Metric::gauge("service.start_mode", "1", Sets::ALL, START)
    .tags(NAME)
    .on(On::Windows)
    .option("serviceStartMode")
    .help("0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled");
const AUTO_STOPPED: Metric = Metric::gauge("service.auto_stopped.count", "services", Sets::EXTENDED, START)
    .on(On::Windows)
    .help(
        "automatic services that are stopped with an exit code that is not 0; without those that events start, and for 5 \
         minutes after boot without those that start delayed or were not started yet",
    );

pub(super) const SPEC: Spec = Spec {
    name: "service",
    check: "",
    lane: Lane::Service,
    rates: false,
    metrics: &[
        RUNNING,
        STATE,
        START_MODE,
        AUTO_STOPPED,
        alive::W3SVC,
        alive::MSSQLSERVER,
        alive::SQL_SERVER_AGENT,
        alive::SQL_BROWSER,
        alive::REPORT_SERVER,
        alive::MS_DTS_SERVER,
    ],
    options: &[],
    open: |cx: &Context| {
        let guard = Guard::new(Guarded::Services, &cx.config, &cx.stats);
        Ok(match Platform::CURRENT {
            Platform::Windows => Some(Box::new(Scm::new(&cx.config, guard, cx.stats.clone()))),
            Platform::Linux if cx.config.service.names.is_empty() => None,
            Platform::Linux => match Systemctl::find() {
                Some(systemctl) => {
                    Some(Box::new(Units::new(systemctl, &cx.config.service.names, guard, cx.stats.clone())))
                }
                None => None,
            },
        })
    },
};

/// What the system calls running, in the numbers of Windows.
const IS_RUNNING: u32 = 4;

/// What is said of one configured service.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    state: u32,
    start_mode: Option<u32>,
}

fn report(cx: &mut Cx<'_>, guard: &mut Guard, mut rows: Vec<Row>) {
    guard.apply(cx, &mut rows, |row| row.name.clone(), |_| 0);
    for Row { name, state, start_mode } in rows {
        let tags = Tags::of(&[("name", &name)]);
        cx.emit(&RUNNING, &tags, f64::from(u8::from(state == IS_RUNNING)));
        cx.emit(&STATE, &tags, state.into());
        if let Some(mode) = start_mode {
            cx.emit(&START_MODE, &tags, mode.into());
        }
    }
}

/// One line in the log for a name that is not there, as one that is misspelt would never be missed.
fn remark_missing(cx: &mut Cx<'_>, written: &str, is_pattern: bool) {
    let why = if is_pattern { "fits no service of this host" } else { "is not installed on this host" };
    cx.remark(format!("service {written}"), why);
}
