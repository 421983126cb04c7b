//! `iis.app_pool.*`: what an application pool does and what its workers use; and of a site that has its pools alone, what
//! these use.
//!
//! Three sources that fail apart. The counters `APP_POOL_WAS` and `W3SVC_W3WP` in one group and `HTTP Service Request Queues`
//! in another: where the system has none of them, their metrics are absent and the rest goes on. The processes: each w3wp.exe
//! belongs to a pool ([`workers`](super::workers)), of which a pool may have any number: a web garden, the old and the new one
//! of a recycle. And applicationHost.config ([`host_config`](super::host_config)), which names the pools that do nothing now,
//! and whose they are.
//!
//! No series is of a process. Pools are those that any source names; what a pool without a worker uses is 0, unless there is a
//! w3wp.exe whose pool is not known. `_Total` is of all pools, also of those that are left out; it has no state and no uptime.

mod answers;
mod map;
mod metrics;
mod sums;
mod usage;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use falcon_sys::Host;
use falcon_sys::types::Proc;

use super::super::budget::Budget;
use super::host_config::key;
use super::workers::{Facts, Workers, is_worker};
use crate::collect::pattern::Choice;
use crate::collect::process::gains::Seen;
use crate::collect::{Class, Collector, Context, Cx, Guard, Guarded, Lane, Spec};
use crate::config::{Config, Switch};
use crate::model::{Metric, Platform, Tags};
use crate::perf::client::Counters;
use crate::perf::rows::Row;
use crate::stats::Stats;
use answers::{Chosen, ask_all, known, one_of_each, parts, worker_part, worker_rows};
use map::Map;
use metrics::{ALL_QUEUES, QUEUE_LINES, WAS_LINES, WORKER_LINES};
use sums::{Kind, Line, Part, Summed, Sums};
use usage::Used;

pub(in crate::collect) const SPEC: Spec = Spec {
    name: "iis_pools",
    check: "",
    lane: Lane::Iis,
    rates: true,
    metrics: &metrics::ALL,
    options: &[ALL_QUEUES],
    open: |cx: &Context| match Platform::CURRENT {
        Platform::Linux => Ok(None),
        Platform::Windows => Ok(open(cx)),
    },
};

fn open(cx: &Context) -> Option<Box<dyn Collector>> {
    let is_meant = match cx.config.iis.enabled {
        Switch::Off => false,
        Switch::On => true,
        Switch::Auto => super::is_installed(),
    };
    let machine = || Box::new(System(cx.host.clone()));
    if is_meant { Some(Box::new(Pools::new(cx, machine(), Facts::of_system(), map::directory()))) } else { None }
}

const TOTAL: &str = "_Total";

/// The host's part; a test answers itself.
trait Machine: Send {
    fn workers(&mut self, into: &mut Vec<Proc>) -> io::Result<()>;
    fn processors(&mut self) -> io::Result<u32>;
}

struct System(Host);

impl Machine for System {
    fn workers(&mut self, into: &mut Vec<Proc>) -> io::Result<()> {
        self.0.processes(&mut is_worker, into)
    }

    fn processors(&mut self) -> io::Result<u32> {
        Ok(self.0.cpu_stat()?.count)
    }
}

struct Pools {
    machine: Box<dyn Machine>,
    was_and_workers: Counters,
    queues: Counters,
    budget: Budget,
    map: Map,
    guard: Guard,
    pools: Choice,
    sites: Choice,
    wants_all_queues: bool,
    stats: Arc<Stats>,
    /// Read into again and again.
    table: Vec<Proc>,
    seen: Seen,
    workers: Workers,
    /// Of the rows of pools and of queues that share a name.
    chosen: [Chosen; 2],
    sums: Books,
}

/// Of each object, and of the queues of others.
struct Books {
    was: Sums,
    worker: Sums,
    queue: Sums,
    others: Sums,
}

impl Books {
    fn pass(&mut self, elapsed: Option<Duration>) {
        for sums in [&mut self.was, &mut self.worker, &mut self.queue, &mut self.others] {
            sums.pass(elapsed);
        }
    }

    /// What is no pool any more is forgotten, and what is no other queue.
    fn keep(&mut self, pools: &HashSet<String>, others: &[&Row]) {
        for sums in [&mut self.was, &mut self.worker, &mut self.queue] {
            sums.keep(pools);
        }
        self.others.keep(&others.iter().map(|row| key(&row.instance)).collect());
    }
}

impl Pools {
    fn new(cx: &Context, machine: Box<dyn Machine>, facts: Facts, directory: PathBuf) -> Pools {
        let Config { iis, collector, .. } = &*cx.config;
        Pools {
            machine,
            was_and_workers: cx.perf.open("iis.pools"),
            queues: cx.perf.open("iis.queues"),
            budget: Budget::new(&cx.config),
            map: Map::new(directory, cx.stats.clone()),
            guard: Guard::new(Guarded::Pools, &cx.config, &cx.stats),
            pools: Choice::new(&[], &iis.exclude),
            sites: Choice::new(&iis.websites, &iis.exclude),
            wants_all_queues: collector.is_on(ALL_QUEUES, false),
            stats: cx.stats.clone(),
            table: Vec::new(),
            seen: Seen::default(),
            workers: Workers::new(facts),
            chosen: Default::default(),
            sums: Books {
                was: Sums::new(Kind::Pools, &WAS_LINES),
                worker: Sums::new(Kind::Workers, &WORKER_LINES),
                queue: Sums::new(Kind::Pools, &QUEUE_LINES),
                others: Sums::new(Kind::Pools, &QUEUE_LINES),
            },
        }
    }
}

impl Collector for Pools {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        self.budget.begin();
        let Pools { machine, table, seen, workers, sums, guard, .. } = self;
        // First of all: the shares are of the time between two ticks, and providers take theirs.
        seen.pass(cx.tick.elapsed);
        let listed = machine.workers(table);
        if listed.is_err() {
            table.clear();
        }
        sums.pass(cx.tick.elapsed);
        let tables = ask_all(cx, &self.budget, &self.was_and_workers, &self.queues);
        let [was, worker, queue] = tables.each_ref().map(Option::as_ref);
        let config = self.map.look(cx);

        let [chosen_pools, chosen_queues] = &mut self.chosen;
        let was_rows = was.map(|table| one_of_each(table, chosen_pools)).unwrap_or_default();
        let worker_rows = worker_rows(worker);
        let counted = worker_rows.iter().map(|(_, pid, pool)| (*pid, (*pool).to_owned())).collect();
        let found = workers.of(table, &counted);
        let known = known(&was_rows, &config, &found, &worker_rows);
        let keys: HashSet<String> = known.iter().map(|(key, _)| key.clone()).collect();
        let used = match listed {
            Ok(()) => Some(Used::new(table, &found, seen.advance(table), machine.processors().ok())),
            Err(error) if was.is_none() && worker.is_none() && queue.is_none() => return Err(error.into()),
            Err(error) => {
                cx.problem("processes", error);
                None
            }
        };
        if let Some(why) = used.as_ref().and_then(|used| used.why_unknown.as_ref()) {
            cx.problem("the pool of a w3wp.exe", why);
        }

        let queue_rows = queue.map(|table| one_of_each(table, chosen_queues)).unwrap_or_default();
        let (mine, foreign): (Vec<&Row>, Vec<&Row>) =
            queue_rows.into_iter().partition(|row| keys.contains(&key(&row.instance)));
        let watched = parts(&foreign);
        let foreign = if self.wants_all_queues { foreign } else { Vec::new() };
        let worker_parts: Vec<Part<'_>> = worker_rows.iter().map(|row| worker_part(*row, table)).collect();
        let said = Said {
            summed: [
                (was.map(|table| sums.was.advance(table, &parts(&was_rows))), &WAS_LINES),
                (worker.map(|table| sums.worker.advance(table, &worker_parts)), &WORKER_LINES),
                (queue.map(|table| sums.queue.advance(table, &parts(&mine))), &QUEUE_LINES),
            ],
            others: queue.map(|table| sums.others.advance(table, &parts(&foreign))),
            used,
        };
        if let Some(table) = queue {
            sums.queue.watch(table, &watched);
        }
        sums.keep(&keys, &foreign);

        let mut tags = Given::default();
        // A host without a pool and without a worker has no IIS that runs: it uses nothing, which is not 0.
        said.totals(cx, &mut tags, keys.is_empty());
        let mut told: Vec<(String, &str)> = known;
        told.extend(foreign.iter().map(|row| (key(&row.instance), row.instance.as_str())));
        told.retain(|(_, name)| self.pools.fits(name));
        // Pools before the queues of others.
        guard.apply(cx, &mut told, |(key, _)| key.clone(), |(key, _)| u8::from(!keys.contains(key)));
        for (pool, name) in &told {
            let is_pool = keys.contains(pool);
            let values = if is_pool { said.pool(pool) } else { said.queue_of_another(pool) };
            match tags.of(cx, name) {
                Some(tags) => emit(cx, if is_pool { Class::Pools } else { Class::Detail }, values, &tags),
                None => self.stats.collided.add(values.iter().filter(|(metric, _)| cx.wants(metric)).count()),
            }
        }
        if let Some(used) = &said.used {
            let told: HashSet<&String> = told.iter().map(|(pool, _)| pool).collect();
            let is_told = |pool: &String| told.contains(pool);
            let sites = config.alone().filter(|site| self.sites.fits(&site.name) && site.pools.iter().all(is_told));
            usage::emit_sites(cx, used, sites);
        }
        Ok(())
    }
}

/// What one cycle came to.
struct Said<'a> {
    summed: [(Option<Summed>, &'static [Line]); 3],
    /// Queues that are no pool's.
    others: Option<Summed>,
    used: Option<Used<'a>>,
}

type Values = Vec<(&'static Metric, f64)>;

impl Said<'_> {
    fn totals(&self, cx: &mut Cx<'_>, tags: &mut Given, is_without_pools: bool) {
        let Some(tags) = tags.of(cx, TOTAL) else { return };
        let summed = self.summed.iter().filter_map(|(summed, lines)| Some((&summed.as_ref()?.all, lines)));
        let mut values: Values = summed.flat_map(|(numbers, lines)| valued(lines, numbers)).collect();
        if let Some(used) = self.used.as_ref().filter(|used| !is_without_pools || used.all.is_any()) {
            values.extend(usage::values(used, &used.all));
        }
        emit(cx, Class::Totals, values, &tags);
    }

    fn pool(&self, pool: &str) -> Values {
        let summed = self.summed.iter().filter_map(|(summed, lines)| Some((summed.as_ref()?.of(pool), lines)));
        let mut values: Values = summed.flat_map(|(numbers, lines)| valued(lines, numbers)).collect();
        if let Some((used, usage)) = self.used.as_ref().and_then(|used| Some((used, used.of(pool)?))) {
            values.extend(usage::values(used, &usage));
        }
        values
    }

    fn queue_of_another(&self, pool: &str) -> Values {
        self.others.as_ref().map(|others| valued(&QUEUE_LINES, others.of(pool)).collect()).unwrap_or_default()
    }
}

/// What lines come to.
fn valued<'n>(
    lines: &'static [Line],
    numbers: &'n [Option<f64>],
) -> impl Iterator<Item = (&'static Metric, f64)> + use<'n> {
    lines.iter().zip(numbers).filter_map(|(line, number)| Some((&line.metric, (*number)?)))
}

fn emit(cx: &mut Cx<'_>, class: Class, values: Values, tags: &Tags) {
    for (metric, value) in values {
        if cx.wants(metric) {
            cx.class(if metric.option.is_empty() { class } else { Class::Detail });
            cx.emit(metric, tags, value);
        }
    }
}

/// Tags that were given in this cycle.
#[derive(Default)]
struct Given(HashSet<String>);

impl Given {
    /// `None`: another pool has the same tag, once cleaned; two series of one name would be one.
    fn of(&mut self, cx: &mut Cx<'_>, name: &str) -> Option<Tags> {
        let tags = tagged("app_pool", name);
        if self.0.insert(tags.canonical()) {
            return Some(tags);
        }
        cx.remark(format!("application pool {name}"), "has the name of another one once it is a tag, and is left out");
        None
    }
}

/// A blank would be taken out by the transfer, and names that differ by blanks alone would be one.
fn tagged(key: &str, name: &str) -> Tags {
    Tags::of(&[(key, &name.replace(' ', "_"))])
}

#[cfg(test)]
mod tests;
