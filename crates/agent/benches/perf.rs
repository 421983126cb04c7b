//! What performance counters of a large host cost in one cycle: 200 sites of IIS, and three instances of SQL Server with 300
//! databases between them, of which every counter is asked for, read, computed and said.
//!
//! `cargo xtask bench perf` runs it. The answers are written anew before each cycle, which is not measured, as is not what
//! Windows and its libraries need for theirs.
#![allow(clippy::unwrap_used, reason = "a figure that cannot be obtained ends the program")]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use falcon_agent::collect::{Cx, Plan};
use falcon_agent::config::Config;
use falcon_agent::model::{Metric, Platform, Sets, Tags, Tick};
use falcon_agent::perf::client::ObjectQuery;
use falcon_agent::perf::formula::{Formula, is_base};
use falcon_agent::perf::meter::{How, Line, Sheet};
use falcon_agent::perf::reader::{Reader, System};
use falcon_perf_fixture::layout::{Counter, Instance, Instances, Object, Times, answer};
use falcon_sys::types::PerfNames;

const CYCLES: usize = 200;
/// Of cycles in which memory is taken and names are read.
const WARM_UP: usize = 3;
const SITES: usize = 200;
/// Of each.
const DATABASES: usize = 100;
const SQL_SERVERS: usize = 3;
/// What other products leave in the table of names.
const OTHER_NAMES: u32 = 10_000;

const TICKS_PER_S: u64 = 10_000_000;
const NUMBER: (u32, u32) = (0x0001_0000, 4);
const LARGE: (u32, u32) = (0x0001_0100, 8);
const COUNTER: (u32, u32) = (0x1041_0400, 4);
const BULK: (u32, u32) = (0x1041_0500, 8);
const FRACTION: (u32, u32) = (0x2002_0500, 8);
const AVERAGE: (u32, u32) = (0x4002_0500, 8);
const BASE: (u32, u32) = (0x4003_0500, 8);

/// As IIS writes them, and as SQL Server does.
const OF_IIS: [(u32, u32); 6] = [COUNTER, COUNTER, NUMBER, NUMBER, COUNTER, BULK];
const OF_SQL: [(u32, u32); 8] = [BULK, LARGE, BULK, LARGE, FRACTION, BASE, AVERAGE, BASE];

/// An answer of the system, and the names that go with it.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<(Vec<u8>, String)>>);

struct Answers(Host, Vec<u8>);

impl System for Answers {
    fn query(&mut self, _: &str) -> io::Result<&[u8]> {
        self.1 = std::mem::take(&mut self.0.0.lock().unwrap().0);
        Ok(&self.1)
    }

    fn close(&mut self) {}

    fn names(&mut self, _: PerfNames) -> io::Result<Vec<u16>> {
        Ok(self.0.0.lock().unwrap().1.encode_utf16().collect())
    }

    fn last_counter(&mut self) -> io::Result<Option<u32>> {
        Ok(Some(1))
    }

    fn disabled(&mut self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// What one worker is asked for.
struct Group {
    host: Host,
    reader: Reader<Answers>,
    queries: Vec<ObjectQuery>,
    objects: Vec<Object>,
    sheets: Vec<Sheet>,
}

#[derive(Default)]
struct Makes {
    next: u32,
    names: String,
}

impl Makes {
    fn name(&mut self, name: &str) -> u32 {
        self.next += 2;
        self.names += &format!("{}\0{name}\0", self.next);
        self.next
    }

    fn object(&mut self, name: &str, kinds: &[(u32, u32)], count: usize, rows: &[String]) -> (String, Object) {
        let index = self.name(name);
        let counter = |(n, &(kind, size)): (usize, &(u32, u32))| {
            let name = format!("{name} Counter with a Long Name {n}");
            Counter { index: self.name(&name), kind, size }
        };
        let counters: Vec<Counter> = kinds.iter().cycle().take(count).enumerate().map(counter).collect();
        let values = vec![0; counters.len()];
        let instances = match rows {
            [] => Instances::None(values),
            rows => Instances::Many(rows.iter().map(|row| Instance::new(row, &values)).collect()),
        };
        (name.to_owned(), Object { index, counters, instances, ticks_per_s: TICKS_PER_S, ..Object::default() })
    }

    fn iis(&mut self) -> Vec<(String, Object)> {
        vec![self.object("Web Service", &OF_IIS, 90, &rows("站点 www.example.com", SITES))]
    }

    fn sql(&mut self, server: usize) -> Vec<(String, Object)> {
        let name = |object: &str| format!("MSSQL$INSTANCE{server}:{object}");
        let singles = (0..16).map(|n| (name(&format!("Manager {n}")), 20, Vec::new()));
        let many = [
            ("Databases", 50, rows("database", DATABASES)),
            ("Catalog Metadata", 4, rows("database", DATABASES)),
            ("Deprecated Features", 1, rows("feature", 250)),
            ("Locks", 8, rows("resource", 12)),
            ("Wait Statistics", 12, rows("kind of wait", 4)),
            ("Plan Cache", 5, rows("cache", 5)),
            ("SQL Errors", 1, rows("error", 4)),
            ("Workload Group Stats", 13, rows("group", 2)),
            ("Resource Pool Stats", 17, rows("pool", 2)),
        ];
        let many = many.map(|(object, counters, rows)| (name(object), counters, rows));
        singles.chain(many).map(|(name, counters, rows)| self.object(&name, &OF_SQL, counters, &rows)).collect()
    }
}

fn rows(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{of} {n}")).chain(["_Total".to_owned()]).collect()
}

/// A metric for every counter but the bases.
fn lines(name: &str, object: &Object) -> &'static [Line] {
    let line = |(n, counter): (usize, &Counter)| {
        if is_base(counter.kind) {
            return None;
        }
        let metric: &'static str = format!("{name}.{n}").leak();
        let counters: &'static [&'static str] = vec![&*format!("{name} Counter with a Long Name {n}").leak()].leak();
        let how = match Formula::of(counter.kind)? {
            Formula::PerSecond if n % 2 == 0 => How::Total,
            Formula::PerSecond => How::Rate,
            _ => How::Shown,
        };
        Some(Line::new(Metric::gauge(metric, "1", Sets::EXTENDED, "a bench"), how, counters))
    };
    object.counters.iter().enumerate().filter_map(line).collect::<Vec<_>>().leak()
}

impl Group {
    fn new(objects: Vec<(String, Object)>) -> Group {
        let lines: Vec<&'static [Line]> = objects.iter().map(|(name, object)| lines(name, object)).collect();
        let counters = |lines: &&'static [Line]| falcon_agent::perf::meter::counters(*lines);
        let query = |((name, _), lines): (&(String, Object), _)| ObjectQuery::new(name.as_str(), counters(lines));
        let queries = objects.iter().zip(&lines).map(query).collect();
        let (host, objects) = (Host::default(), objects.into_iter().map(|(_, object)| object).collect());
        let reader = Reader::new(Answers(host.clone(), Vec::new()));
        Group { host, reader, queries, objects, sheets: lines.into_iter().map(Sheet::new).collect() }
    }

    /// The answer of a cycle, in which every counter has gone on.
    fn write(&mut self, cycle: usize) -> usize {
        let ticks = (cycle as u64 + 1) * 60 * TICKS_PER_S;
        for object in &mut self.objects {
            object.ticks = ticks;
            let blocks: Vec<&mut Vec<u64>> = match &mut object.instances {
                Instances::None(values) => vec![values],
                Instances::Many(instances) => instances.iter_mut().map(|instance| &mut instance.values).collect(),
                Instances::Metadata(_) => vec![],
            };
            for (n, block) in blocks.into_iter().enumerate() {
                block.iter_mut().enumerate().for_each(|(at, value)| *value += 1 + (n * at) as u64 % 1000);
            }
        }
        let times = Times { ticks, ticks_per_s: TICKS_PER_S, ns100: ticks };
        let bytes = answer(times, &self.objects.iter().map(Object::bytes).collect::<Vec<_>>());
        let length = bytes.len();
        self.host.0.lock().unwrap().0 = bytes;
        length
    }

    /// What is measured: rows, values and series.
    fn cycle(&mut self, plan: &Plan) -> [usize; 3] {
        let tables = self.reader.ask(&self.queries).unwrap();
        let mut cx = Cx::new(Tick { at: 0, step: 60, elapsed: None }, plan, 0);
        let (mut rows, mut values) = (0, 0);
        for (table, sheet) in tables.iter().zip(&mut self.sheets) {
            let table = table.as_ref().unwrap();
            let mut page = sheet.open(table);
            for row in &table.rows {
                page.emit(&mut cx, row, &row.instance, &Tags::of(&[("instance", &row.instance)]));
            }
            rows += table.rows.len();
            values += table.rows.len() * table.columns.len();
        }
        [rows, values, cx.finish().samples.len()]
    }
}

fn main() {
    let mut makes = Makes { next: 10_000, names: "1\09999\0".to_owned() };
    let mut groups = vec![("IIS", Group::new(makes.iis()))];
    for server in 0..SQL_SERVERS {
        groups.push(("SQL Server", Group::new(makes.sql(server))));
    }
    for n in 0..OTHER_NAMES {
        makes.name(&format!("Name of Something Else {}", n / 3));
    }
    for (_, group) in &groups {
        group.host.0.lock().unwrap().1 = makes.names.clone();
    }
    let plan = Plan::new(&[], Sets::EXTENDED, Platform::Windows, &Config::standalone());
    println!(
        "{:<12} {:>9} {:>8} {:>7} {:>8} {:>8} {:>10} {:>9}",
        "", "bytes", "objects", "rows", "values", "series", "median ms", "worst ms"
    );
    let mut all = vec![Duration::ZERO; CYCLES];
    let mut sums = [0; 5];
    for (name, group) in &mut groups {
        let (mut times, mut figures) = (Vec::with_capacity(CYCLES), [0; 5]);
        for cycle in 0..WARM_UP + CYCLES {
            let bytes = group.write(cycle);
            let start = Instant::now();
            let [rows, values, series] = group.cycle(&plan);
            times.push(start.elapsed());
            figures = [bytes, group.objects.len(), rows, values, series];
        }
        times.drain(..WARM_UP);
        all.iter_mut().zip(&times).for_each(|(all, time)| *all += *time);
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        print(name, figures, times);
    }
    print("all of it", sums, all);
}

fn print(name: &str, [bytes, objects, rows, values, series]: [usize; 5], mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    let (median, worst) = (ms(times.len() / 2), ms(times.len() - 1));
    println!("{name:<12} {bytes:>9} {objects:>8} {rows:>7} {values:>8} {series:>8} {median:>10.2} {worst:>9.2}");
}
