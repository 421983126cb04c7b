//! `iis.*`: web sites and their total, the hit ratios of caches, ASP.NET, and on request more of caches and the CLR (`clr.*`).
//! Application pools are a collector of their own, [`pools`].
//!
//! IIS is there where its version stands in the registry or W3SVC is registered; where it is not, the schedule asks again.
//! What it counts is served by libraries of several products, each asked in a group of its own ([`Part`]), so that one that
//! hangs, dies or is not installed costs its own series alone. An object that is not there is no fault: ASP.NET is a feature,
//! and IIS may be removed while the agent runs.
//!
//! Source: the objects `Web Service`, `Web Service Cache`, `ASP.NET`, `ASP.NET Applications`, `HTTP Service` and `.NET CLR *`
//! with their English names. The copies of ASP.NET's objects that bear a version say the same once more and are not read.

mod apps;
mod aspnet;
mod cache;
mod clr;
pub(super) mod host_config;
mod http;
mod legacy;
mod lines;
pub(super) mod pools;
mod sites;
mod workers;

use super::budget::{Budget, SPENT};
use super::{Collector, Context, Cx, Lane, Spec};
use crate::config::Switch;
use crate::model::{Metric, Platform, concat};
use crate::perf::client::Refused;
use crate::perf::meter::{Line, counters, metrics};
use crate::perf::rows::{Missing, Table};

static METRICS: [Metric; 123] = concat(&[
    &metrics(&lines::SITES),
    &metrics(&lines::MORE),
    &[lines::STATE],
    &metrics(&legacy::WEB),
    &cache::RATIO_METRICS,
    &metrics(&cache::LINES),
    &metrics(&http::LINES),
    &metrics(&aspnet::GLOBAL),
    &metrics(&apps::TOTAL),
    &metrics(&apps::DETAILS),
    &metrics(&apps::APPS),
    &metrics(&legacy::ASP),
    &metrics(&legacy::APPS),
    &clr::METRICS,
]);

pub(super) const SPEC: Spec = Spec {
    name: "iis",
    check: "",
    lane: Lane::Iis,
    // One rate of ASP.NET, and the share of hits of caches.
    rates: true,
    metrics: &METRICS,
    options: &[],
    open: |cx: &Context| match Platform::CURRENT {
        Platform::Linux => Ok(None),
        Platform::Windows => Ok(open(cx, is_installed)),
    },
};

/// The service that IIS serves sites with.
const W3SVC: &str = r"SYSTEM\CurrentControlSet\Services\W3SVC";

fn is_installed() -> bool {
    // Read in the registry, as the manager of services may be busy and the caller may not wait.
    let has_version = matches!(falcon_sys::iis_version(), Ok(Some(_)));
    has_version || matches!(falcon_sys::registry_text(W3SVC, "ObjectName"), Ok(Some(_)))
}

fn open(cx: &Context, is_installed: fn() -> bool) -> Option<Box<dyn Collector>> {
    match cx.config.iis.enabled {
        Switch::Off => return None,
        Switch::Auto if !is_installed() => return None,
        Switch::Auto | Switch::On => {}
    }
    Some(Box::new(Iis { parts: parts(cx), budget: Budget::new(&cx.config) }))
}

fn parts(cx: &Context) -> Vec<Box<dyn Part>> {
    let is_on = |option| cx.config.collector.is_on(option, false);
    let mut parts: Vec<Box<dyn Part>> = vec![Box::new(sites::Sites::new(cx)), Box::new(aspnet::AspNet::new(cx))];
    if is_on(http::OPTION) {
        parts.push(Box::new(http::Http::new(cx)));
    }
    if is_on(clr::OPTION) {
        parts.push(Box::new(clr::Clr::new(cx)));
    }
    parts
}

/// What is asked in one group of counters.
trait Part: Send {
    /// How problems name it.
    fn what(&self) -> &'static str;

    /// Says what its objects tell; an error where nothing was answered.
    fn collect(&mut self, cx: &mut Cx<'_>) -> Result<Asked, Refused>;
}

/// Whether there was anything that somebody wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Something,
    Nothing,
}

struct Iis {
    /// In the order in which they are asked.
    parts: Vec<Box<dyn Part>>,
    budget: Budget,
}

impl Collector for Iis {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        self.budget.begin();
        let mut refused: Vec<(&'static str, Refused)> = Vec::new();
        let (mut answered, mut left) = (false, None);
        for (n, part) in self.parts.iter_mut().enumerate() {
            if !self.budget.has_room() {
                cx.problem(part.what(), SPENT);
                left = left.or(Some(n));
                continue;
            }
            match part.collect(cx) {
                Ok(asked) => answered |= asked == Asked::Something,
                Err(why) => refused.push((part.what(), why)),
            }
        }
        // What had no time now is asked first in the next cycle.
        self.parts.rotate_left(left.unwrap_or(0));
        match refused.first() {
            Some((what, why)) if !answered => anyhow::bail!("{what}: {why}"),
            _ => {}
        }
        for (what, why) in refused {
            cx.problem(what, why);
        }
        Ok(())
    }
}

/// Names of the counters behind what is switched on.
fn wanted(cx: &Cx<'_>, lines: impl Iterator<Item = &'static Line>) -> Vec<String> {
    counters(lines.filter(|line| cx.wants(&line.metric)))
}

/// An object's table; of one that is not there or damaged, that is told.
fn present(cx: &mut Cx<'_>, object: &str, answer: Result<Table, Missing>) -> Option<Table> {
    let what = format!("object {object}");
    match answer {
        Ok(table) => {
            if table.left_out > 0 {
                cx.problem(what, "is damaged in part, or too large: not all of it is read");
            }
            Some(table)
        }
        Err(why @ Missing::Damaged) => {
            cx.problem(what, why);
            None
        }
        Err(why @ (Missing::Unnamed | Missing::Unserved)) => {
            cx.remark(what, why);
            None
        }
    }
}

#[cfg(test)]
mod tests;
