//! `mssql.*`: every instance of SQL Server, by its performance counters, its service and its process; no login is needed.
//!
//! An instance that does not run is down and nothing else: its counters may still be there, and stand; one of a failover
//! cluster is not even down, as another host runs it. Each instance is a
//! group of counters of its own, which fails alone; what a version does not have is absent. Which instances there are is looked
//! at every ten minutes ([`discovery`]). The metrics stand in tables: [`engine`], [`locks`], [`access`], [`transactions`],
//! [`databases`], [`waits`], [`availability`], [`pools`], [`process`], and those of older agents in [`legacy`].
//!
//! Source of the names: Microsoft's pages "SQL Server, ... object" of each object.

mod access;
mod availability;
mod bound;
mod databases;
mod discovery;
mod engine;
mod instance;
mod known;
mod legacy;
mod locks;
mod part;
mod pools;
mod process;
mod table;
mod transactions;
mod waits;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use falcon_sys::types::{Proc, Service, SqlInstance};

use super::budget::{Budget, SPENT};
use super::pattern::{Choice, Pattern};
use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec};
use crate::config::{Config, Switch};
use crate::model::{Metric, Platform, Sets};
use crate::perf::client::{Perf, Tables};
use crate::stats::Stats;
use discovery::{System, Windows};
use instance::{Instance, Wishes};
use table::{Object, POOLS};

const OBJECTS: &[&[Object]] = &[
    engine::OBJECTS,
    locks::OBJECTS,
    access::OBJECTS,
    transactions::OBJECTS,
    databases::OBJECTS,
    waits::OBJECTS,
    availability::OBJECTS,
    pools::OBJECTS,
    legacy::OBJECTS,
];

/// What is declared beside processes and in the tables, and how many metrics these are.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn declared<const N: usize>() -> ([Metric; N], usize) {
    let mut all = [Metric::gauge("", "", Sets::NONE, ""); N];
    let mut filled = 0;
    while filled < process::METRICS.len() {
        if filled < N {
            all[filled] = process::METRICS[filled];
        }
        filled += 1;
    }
    let mut list = 0;
    while list < OBJECTS.len() {
        let mut object = 0;
        while object < OBJECTS[list].len() {
            let lines = OBJECTS[list][object].lines;
            let mut line = 0;
            while line < lines.len() {
                if filled < N {
                    all[filled] = lines[line].metric;
                }
                filled += 1;
                line += 1;
            }
            object += 1;
        }
        list += 1;
    }
    (all, filled)
}

static METRICS: [Metric; declared::<0>().1] = declared().0;

/// How often instances are looked for.
const LOOK: Duration = Duration::from_secs(600);
/// Seconds after its start in which an instance need not have any counters: it says that it runs before it has them.
const YOUNG_S: f64 = 180.0;

pub(super) const SPEC: Spec = Spec {
    name: "mssql",
    check: "",
    lane: Lane::Mssql,
    rates: true,
    metrics: &METRICS,
    options: &[POOLS],
    open: |cx: &Context| {
        Ok(match cx.config.mssql.enabled {
            _ if Platform::CURRENT == Platform::Linux => None,
            Switch::Off => None,
            Switch::Auto if !discovery::is_there() => None,
            Switch::Auto | Switch::On => {
                let system = Windows::new(cx.host.clone(), cx.stats.clone());
                let budget = Budget::new(&cx.config);
                Some(Box::new(Mssql::new(&cx.config, &cx.stats, cx.perf.clone(), Box::new(system), budget)))
            }
        })
    },
};

struct Mssql {
    budget: Budget,
    system: Box<dyn System>,
    perf: Perf,
    wishes: Wishes,
    /// Each of `mssql.instance`, to tell which of them fit nothing.
    named: Vec<(String, Pattern)>,
    is_meant: bool,
    /// Of instances, and of the databases of all of them.
    instances_guard: Guard,
    guard: Guard,
    stats: Arc<Stats>,
    /// Of all instances that there are.
    names: Vec<String>,
    registered: Vec<SqlInstance>,
    /// Those that are told of.
    instances: Vec<Instance>,
    /// That there was no time left for: it is asked first.
    first: Option<String>,
    /// Since instances were looked for.
    looked: Option<Duration>,
    unread: Vec<(String, String)>,
    /// As they were last listed.
    services: Option<Vec<Service>>,
    processes: Vec<Proc>,
}

/// What an instance answered.
struct Answer {
    /// In the list of instances.
    place: usize,
    tables: Tables,
    /// Whether the engine has any counters.
    is_there: bool,
    /// Its databases beyond the bound.
    left_out: HashSet<String>,
}

impl Mssql {
    fn new(config: &Config, stats: &Arc<Stats>, perf: Perf, system: Box<dyn System>, budget: Budget) -> Mssql {
        Mssql {
            budget,
            system,
            perf,
            wishes: Wishes {
                choice: Choice::new(&config.mssql.instance, &config.mssql.exclude),
                all_pools: config.collector.is_on(POOLS, false),
            },
            named: config.mssql.instance.iter().map(|name| (name.clone(), Pattern::caseless(name))).collect(),
            is_meant: config.mssql.enabled == Switch::On,
            instances_guard: Guard::new(Guarded::Instances, config, stats),
            guard: Guard::new(Guarded::Databases, config, stats),
            stats: stats.clone(),
            names: Vec::new(),
            registered: Vec::new(),
            instances: Vec::new(),
            first: None,
            looked: None,
            unread: Vec::new(),
            services: None,
            processes: Vec::new(),
        }
    }

    /// Services and processes, as far as these could be read.
    fn emit_states(&mut self, cx: &mut Cx<'_>, is_new: bool, processes: io::Result<()>) {
        for instance in &mut self.instances {
            instance.is_young = false;
            if is_new {
                instance.look_up(self.services.as_deref().unwrap_or_default());
                // Another host of its cluster runs it, or none: nobody knows here.
                if instance.is_running || !instance.is_clustered {
                    cx.emit(&process::UP, &instance.tags, f64::from(u8::from(instance.is_running)));
                }
            }
        }
        if !self.instances.iter().any(|instance| instance.is_running) {
            return;
        }
        if let Err(error) = processes {
            cx.problem("processes of SQL Server", error);
            return;
        }
        for instance in self.instances.iter_mut().filter(|instance| instance.is_running) {
            let is_default = instance.is_default();
            let own = self.processes.iter().find(|process| Some(process.pid) == instance.pid);
            if let Some(process) = own {
                instance.is_young = process.age_s < YOUNG_S;
                instance.engine.emit(cx, process, &instance.tags, is_default);
            }
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>) -> Vec<Answer> {
        let mut answers = Vec::new();
        let first = self.first.take();
        let count = self.instances.len();
        let begin = self.instances.iter().position(|instance| first.as_ref() == Some(&instance.name)).unwrap_or(0);
        for place in (0..count).cycle().skip(begin).take(count) {
            let Some(instance) = self.instances.get_mut(place).filter(|instance| instance.is_running) else { continue };
            let what = format!("counters of SQL Server instance {}", instance.name);
            if !self.budget.has_room() {
                self.first.get_or_insert_with(|| instance.name.clone());
                cx.problem(what, SPENT);
                continue;
            }
            let answer = instance.ask(cx, &self.perf);
            let is_there = answer.as_ref().is_ok_and(|tables| instance.is_there(tables));
            let is_awaited = answer.is_ok() && !is_there && instance.is_young;
            match answer {
                // Nothing that counters tell is asked for.
                Ok(tables) if tables.is_empty() => continue,
                Ok(tables) => {
                    if !is_there && !is_awaited {
                        cx.problem(
                            what,
                            "none of its objects answers; `lodctr` with the perf-*sqlctr.ini of its directory Binn \
                             registers them, and an instance of 32 bits has none for a program of 64",
                        );
                    }
                    answers.push(Answer { place, tables, is_there, left_out: HashSet::new() });
                }
                Err(why) => cx.problem(what, why),
            }
            if !is_awaited {
                cx.emit(&process::AVAILABLE, &instance.tags, f64::from(u8::from(is_there)));
            }
        }
        answers.sort_unstable_by_key(|answer| answer.place);
        answers
    }
}

impl Collector for Mssql {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        self.budget.begin();
        // First of all, for the interval is that between the beginnings of cycles.
        let processes = self.system.processes(&mut self.processes);
        self.instances.iter_mut().for_each(|instance| instance.engine.pass(cx.tick.elapsed));
        let is_new = self.list(cx)?;
        let looked_with = self.look(cx.tick.elapsed);
        self.choose(cx);
        if looked_with.is_some() {
            self.introduce();
        }
        for (what, why) in &self.unread {
            cx.problem(what, why);
        }
        if self.instances.is_empty() && self.is_meant {
            cx.remark("SQL Server", "mssql.enabled is true, and no instance is installed on this host");
        }
        self.emit_states(cx, is_new, processes);
        let mut answers = self.ask(cx);
        drop(looked_with);
        self.bound(cx, &mut answers);
        for Answer { place, tables, is_there, left_out } in &answers {
            if let Some(instance) = self.instances.get_mut(*place) {
                if *is_there && !instance.is_young {
                    instance.tell_missing(cx, tables);
                }
                instance.say(cx, tables, &self.wishes, left_out, &self.stats);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
