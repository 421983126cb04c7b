//! Which name sets and options are on, and what that means for a name that several of them have.

use std::collections::{BTreeSet, HashMap};

use super::Spec;
use crate::config::Config;
use crate::model::{Metric, Platform, Sets};

/// Which of the declared metrics are said, by the active name sets.
///
/// A name that several active sets share is said once: by the declaration of the oldest of these sets, that is of the
/// agent that wrote the series before this one came (see [`Plan::AGE`]). Declarations of one name differ in tags or source.
#[derive(Clone, Debug)]
pub struct Plan {
    active: Sets,
    platform: Platform,
    /// Options that are on.
    options: BTreeSet<&'static str>,
    /// Which declaration of a name is said, for the names that are declared more than once.
    chosen: HashMap<&'static str, &'static Metric>,
}

impl Plan {
    /// Name sets from the oldest to the newest as a host sees them: an agent that ran there before, then the Linux
    /// agent's names, then this program's own.
    const AGE: [Sets; 5] = [Sets::WINDOWS_AGENT, Sets::LEONZYANG, Sets::FREEDOMKK, Sets::FALCON, Sets::EXTENDED];

    pub fn new(specs: &'static [Spec], active: Sets, platform: Platform, config: &Config) -> Plan {
        let metrics = || specs.iter().flat_map(|spec| spec.metrics).filter(|metric| metric.on.includes(platform));
        let options: BTreeSet<&str> =
            metrics().map(|metric| metric.option).filter(|option| config.collector.is_on(option, false)).collect();
        let plan = Plan { active, platform, options, chosen: HashMap::new() };
        let mut chosen = HashMap::new();
        for set in Plan::AGE.into_iter().filter(|set| set.intersects(active)) {
            for metric in metrics().filter(|metric| metric.sets.intersects(set) && plan.is_switched_on(metric)) {
                chosen.entry(metric.name).or_insert(metric);
            }
        }
        chosen.retain(|name, _| metrics().filter(|metric| metric.name == *name).count() > 1);
        Plan { chosen, ..plan }
    }

    pub fn says(&self, metric: &Metric) -> bool {
        metric.on.includes(self.platform)
            && metric.sets.intersects(self.active)
            && self.is_switched_on(metric)
            && self.chosen.get(metric.name).is_none_or(|chosen| *chosen == metric)
    }

    fn is_switched_on(&self, metric: &Metric) -> bool {
        metric.option.is_empty() || self.options.contains(metric.option)
    }
}
