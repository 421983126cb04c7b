//! `clr.*`: the .NET Framework's common language runtime, by the image of the process.
//!
//! Rows are called `w3wp`, `w3wp#1`, or `w3wp_p<pid>_r<runtime>` where the host is set so, and a process changes its number
//! when another ends. So processes are told apart by `Process ID`, which `.NET CLR Memory` alone has; the rows of the other
//! objects in the same answer stand in the same order. A sum is what was counted since the agent first saw each process; so
//! one that ends takes nothing away. `_Global_` is left out, as it does not outlive the processes either.

use std::collections::{BTreeMap, HashMap};

use super::{Asked, Part, present};
use crate::collect::{Class, Context, Cx, Guard, Guarded, float};
use crate::model::{Metric, On, Sets, Tags, metrics_of};
use crate::perf::client::{Counters, ObjectQuery, Refused};
use crate::perf::formula::{Formula, Reading, displayed};
use crate::perf::meter::reading;
use crate::perf::rows::{Row, Table};

pub(super) const OPTION: &str = "clr";

const MEMORY: &str = ".NET CLR Memory";
const PROCESS: &str = "Process ID";
const GLOBAL: &str = "_Global_";

/// What becomes of the numbers of an image's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Sum,
    /// The greatest of what each shows.
    Most,
    /// What they counted together.
    Gain,
}

struct Item {
    metric: Metric,
    object: &'static str,
    counter: &'static str,
    fold: Fold,
}

const fn of(metric: Metric, object: &'static str, counter: &'static str, fold: Fold) -> Item {
    let metric = metric.tags(&["image"]).on(On::Windows).option(OPTION);
    Item { metric, object, counter, fold }
}
const fn gains(
    name: &'static str,
    unit: &'static str,
    source: &'static str,
    object: &'static str,
    counter: &'static str,
) -> Item {
    of(Metric::counter(name, unit, Sets::EXTENDED, source), object, counter, Fold::Gain)
}

const COUNT: usize = 9;

static ITEMS: [Item; COUNT] = [
    of(
        Metric::gauge("clr.gc.heap.bytes", "B", Sets::EXTENDED, ".NET CLR Memory: # Bytes in all Heaps")
            .help("as of each process's last collection"),
        MEMORY,
        "# Bytes in all Heaps",
        Fold::Sum,
    ),
    gains(
        "clr.gc.gen0.collections",
        "collections",
        ".NET CLR Memory: # Gen 0 Collections",
        MEMORY,
        "# Gen 0 Collections",
    ),
    gains(
        "clr.gc.gen1.collections",
        "collections",
        ".NET CLR Memory: # Gen 1 Collections",
        MEMORY,
        "# Gen 1 Collections",
    ),
    gains(
        "clr.gc.gen2.collections",
        "collections",
        ".NET CLR Memory: # Gen 2 Collections",
        MEMORY,
        "# Gen 2 Collections",
    ),
    of(
        Metric::gauge("clr.gc.time.percent", "%", Sets::EXTENDED, ".NET CLR Memory: % Time in GC")
            .help("of the image's busiest process, as of its last collection: it stays while there is none"),
        MEMORY,
        "% Time in GC",
        Fold::Most,
    ),
    gains(
        "clr.exceptions",
        "exceptions",
        ".NET CLR Exceptions: # of Exceps Thrown",
        ".NET CLR Exceptions",
        "# of Exceps Thrown",
    ),
    gains(
        "clr.contentions",
        "contentions",
        ".NET CLR LocksAndThreads: Total # of Contentions",
        ".NET CLR LocksAndThreads",
        "Total # of Contentions",
    ),
    of(
        Metric::gauge(
            "clr.threads.logical",
            "threads",
            Sets::EXTENDED,
            ".NET CLR LocksAndThreads: # of current logical Threads",
        ),
        ".NET CLR LocksAndThreads",
        "# of current logical Threads",
        Fold::Sum,
    ),
    gains("clr.jit.methods", "methods", ".NET CLR Jit: # of Methods Jitted", ".NET CLR Jit", "# of Methods Jitted"),
];

pub(super) static METRICS: [Metric; COUNT] = metrics();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn metrics() -> [Metric; COUNT] {
    metrics_of!(ITEMS, COUNT)
}

/// What an image's processes counted together, by the place in [`ITEMS`].
type Sums = [u64; COUNT];

pub(super) struct Clr {
    counters: Counters,
    guard: Guard,
    /// By runtime and place in [`ITEMS`].
    before: HashMap<(Runtime, usize), Reading>,
    images: BTreeMap<String, Sums>,
}

impl Clr {
    pub(super) fn new(cx: &Context) -> Clr {
        Clr {
            counters: cx.perf.open("clr"),
            guard: Guard::new(Guarded::Images, &cx.config, &cx.stats),
            before: HashMap::new(),
            images: BTreeMap::new(),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, tables: &[(&'static str, Table)]) {
        let memory = tables.iter().find(|(object, _)| *object == MEMORY);
        let runtimes = memory.map(|(_, table)| runtimes(table)).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for row in tables.iter().flat_map(|(_, table)| &table.rows) {
            let image = image(&row.instance);
            if !image.is_empty() && image != GLOBAL && !names.iter().any(|known| known == image) {
                names.push(image.to_owned());
            }
        }
        self.guard.apply(cx, &mut names, String::clone, |_| 0);
        self.images.retain(|image, _| names.contains(image));
        let mut now = HashMap::new();
        let mut shown: BTreeMap<(&str, usize), f64> = BTreeMap::new();
        for (object, table) in tables {
            for (at, item) in ITEMS.iter().enumerate().filter(|(_, item)| item.object == *object) {
                let Some(column) = table.column(item.counter) else { continue };
                for (place, row) in table.rows.iter().enumerate() {
                    let Some(image) = names.iter().find(|name| *name == image(&row.instance)) else { continue };
                    let Some((kind, number)) = reading(table, row, column) else { continue };
                    let value = match item.fold {
                        Fold::Gain => {
                            let known = runtimes.get(place).filter(|(name, _)| *name == row.instance);
                            let Some(runtime) = known.and_then(|(_, runtime)| *runtime) else { continue };
                            let before = self.before.get(&(runtime, at));
                            let gain = before.and_then(|before| number.grown_since(before)).unwrap_or(0);
                            now.insert((runtime, at), number);
                            let sums = self.images.entry(image.clone()).or_default();
                            let Some(sum) = sums.get_mut(at) else { continue };
                            *sum = sum.saturating_add(gain);
                            float(*sum)
                        }
                        Fold::Sum => shown.get(&(image.as_str(), at)).unwrap_or(&0.0) + float(number.raw.value),
                        Fold::Most => {
                            let Some(value) = Formula::of(kind).and_then(|by| displayed(by, None, &number)) else {
                                continue;
                            };
                            shown.get(&(image.as_str(), at)).map_or(value, |most| most.max(value))
                        }
                    };
                    shown.insert((image, at), value);
                }
            }
        }
        self.before = now;
        for ((image, at), value) in shown {
            if let Some(item) = ITEMS.get(at) {
                cx.emit(&item.metric, &Tags::of(&[("image", image)]), value);
            }
        }
    }
}

impl Part for Clr {
    fn what(&self) -> &'static str {
        "counters of the CLR"
    }

    fn collect(&mut self, cx: &mut Cx<'_>) -> Result<Asked, Refused> {
        let mut objects: Vec<&'static str> = Vec::new();
        for item in ITEMS.iter().filter(|item| cx.wants(&item.metric)) {
            if !objects.contains(&item.object) {
                objects.push(item.object);
            }
        }
        if objects.is_empty() {
            return Ok(Asked::Nothing);
        }
        let query = |object: &&'static str| {
            let own = ITEMS.iter().filter(|item| item.object == *object).map(|item| item.counter);
            let process = (*object == MEMORY).then_some(PROCESS);
            ObjectQuery::new(*object, own.chain(process).map(str::to_owned).collect())
        };
        let queries: Vec<ObjectQuery> = objects.iter().map(query).collect();
        let answers = self.counters.ask(&queries)?;
        let mut tables = Vec::new();
        for (object, answer) in objects.into_iter().zip(answers) {
            tables.extend(present(cx, object, answer).map(|table| (object, table)));
        }
        cx.class(Class::Detail);
        self.say(cx, &tables);
        Ok(Asked::Something)
    }
}

/// A runtime of a process: its pid, and which one of how many rows of this pid it is, as two versions of the runtime may be
/// loaded. While that changes nothing is known of what each has gained.
type Runtime = (u64, usize, usize);

/// Names and runtimes of the rows of `.NET CLR Memory`; none of a row that tells no process.
fn runtimes(memory: &Table) -> Vec<(&str, Option<Runtime>)> {
    let column = memory.column(PROCESS);
    let pid = |row: &Row| Some((*row.values.get(column?)?)?.value).filter(|pid| *pid > 0);
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for pid in memory.rows.iter().filter_map(pid) {
        *counts.entry(pid).or_default() += 1;
    }
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let runtime = |row| {
        let pid = pid(row)?;
        let nth = seen.entry(pid).or_default();
        *nth += 1;
        Some((pid, *nth, counts.get(&pid).copied()?))
    };
    let names = memory.rows.iter().map(|row| row.instance.as_str());
    names.zip(memory.rows.iter().map(runtime)).collect()
}

/// The image in a row's name.
fn image(instance: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((image, number)) = instance.rsplit_once('#')
        && is_number(number)
    {
        return image;
    }
    if let Some((rest, runtime)) = instance.rsplit_once("_r")
        && let Some((image, pid)) = rest.rsplit_once("_p")
        && is_number(runtime)
        && is_number(pid)
    {
        return image;
    }
    instance
}
