//! `load.*`: the kernel's load averages (`/proc/loadavg`). Linux only; Windows has none, and of the agents that ran there
//! one sent constant zeros, which its name set brings back.

use falcon_sys::Host;

use super::{Collector, Context, Cx, Lane, Spec};
use crate::model::{Metric, On, Platform, Sets, Tags};

const SOURCE: &str = "/proc/loadavg";
const ZERO: &str = "constant 0, as that agent sent it";

const ONE: Metric = Metric::gauge("load.1min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 1 minute");
const FIVE: Metric =
    Metric::gauge("load.5min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 5 minutes");
const FIFTEEN: Metric =
    Metric::gauge("load.15min", "tasks", Sets::FALCON, SOURCE).on(On::Linux).help("mean over 15 minutes");
const ZERO_1: Metric = Metric::counter("load.load1", "tasks", Sets::LEONZYANG, ZERO).on(On::Windows).help("always 0");
const ZERO_5: Metric = Metric { name: "load.load5", ..ZERO_1 };
const ZERO_15: Metric = Metric { name: "load.load15", ..ZERO_1 };

pub(super) const SPEC: Spec = Spec {
    name: "load",
    check: "loadavg",
    lane: Lane::Host,
    rates: false,
    metrics: &[ONE, FIVE, FIFTEEN, ZERO_1, ZERO_5, ZERO_15],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Load { host: cx.host.clone() }))),
};

struct Load {
    host: Host,
}

impl Collector for Load {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if Platform::CURRENT == Platform::Linux {
            let load = self.host.load_avg()?;
            cx.emit(&ONE, &Tags::NONE, load.one);
            cx.emit(&FIVE, &Tags::NONE, load.five);
            cx.emit(&FIFTEEN, &Tags::NONE, load.fifteen);
        }
        for metric in [&ZERO_1, &ZERO_5, &ZERO_15] {
            cx.emit(metric, &Tags::NONE, 0.0);
        }
        Ok(())
    }
}
