//! Against a system that answers as it is told to, with the writer's bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use falcon_perf_fixture::layout::{self, Counter, Instance, Instances, Object, Times};

use super::super::rows::{Missing, Table};
use super::book::PATIENCE;
use super::*;

const NUMBER: u32 = 0x0001_0000;
const FRACTION: u32 = 0x2002_0400;
const BASE: u32 = 0x4003_0403;

/// What a host has; shared with the reader, so that a test changes it in between.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    names: BTreeMap<&'static str, &'static str>,
    last_counter: Option<u32>,
    objects: Vec<Object>,
    /// Instead of the objects.
    bytes: Option<Vec<u8>>,
    fails: bool,
    now: Duration,
    /// Queries and tables that were read, in their order.
    log: Vec<String>,
    closed: usize,
}

/// The system of one reader: an answer lives as long as the next query.
struct Fake(Host, Vec<u8>);

fn source_name(source: PerfNames) -> &'static str {
    match source {
        PerfNames::Text => "text",
        PerfNames::Data => "data",
        PerfNames::Registry => "registry",
        PerfNames::CurrentLanguage => "local",
    }
}

impl System for Fake {
    fn query(&mut self, indexes: &str) -> io::Result<&[u8]> {
        let mut state = self.0.0.lock().unwrap();
        state.log.push(indexes.to_owned());
        if state.fails {
            return Err(io::Error::other("access is denied"));
        }
        let objects: Vec<Vec<u8>> = state.objects.iter().map(Object::bytes).collect();
        let times = Times { ticks: 5, ticks_per_s: 1, ns100: 7 };
        self.1 = state.bytes.clone().unwrap_or_else(|| layout::answer(times, &objects));
        Ok(&self.1)
    }

    fn close(&mut self) {
        self.0.0.lock().unwrap().closed += 1;
    }

    fn names(&mut self, source: PerfNames) -> io::Result<Vec<u16>> {
        let mut state = self.0.0.lock().unwrap();
        state.log.push(source_name(source).to_owned());
        let names = state.names.get(source_name(source)).ok_or(io::ErrorKind::NotFound)?;
        let strings = names.split_terminator('|').map(|string| format!("{string}\0"));
        Ok(strings.collect::<String>().encode_utf16().collect())
    }

    fn last_counter(&mut self) -> io::Result<Option<u32>> {
        Ok(self.0.0.lock().unwrap().last_counter)
    }

    fn disabled(&mut self) -> io::Result<Vec<String>> {
        Ok(vec!["W3SVC".to_owned()])
    }
}

impl Host {
    fn new(names: &[(&'static str, &'static str)], objects: Vec<Object>) -> Host {
        let host = Host::default();
        host.set(|state| (state.names, state.objects) = (names.iter().copied().collect(), objects));
        host
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn reader(&self) -> Reader<Fake> {
        let clock = self.clone();
        Reader::with_clock(Fake(self.clone(), vec![]), Box::new(move || clock.0.lock().unwrap().now))
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }
}

const TEXT: &str =
    "1|99|2|System|4|Uptime|10|Web Service|12|Gets/sec|14|Posts/sec|30|web service|20|Cache|22|Hit Ratio|24|Gets/sec";

fn object(index: u32, counters: &[(u32, u32)], rows: &[(&str, &[u64])]) -> Object {
    let counters = counters.iter().map(|&(index, kind)| Counter { index, kind, size: 4 }).collect();
    let rows = rows.iter().map(|(name, values)| Instance::new(name, values)).collect();
    Object { index, counters, instances: Instances::Many(rows), ..Object::default() }
}

fn sites() -> Object {
    object(10, &[(12, NUMBER), (14, NUMBER)], &[("_Total", &[3, 4]), ("网站 é", &[1, 2])])
}

fn cache() -> Object {
    object(20, &[(22, FRACTION), (23, BASE), (24, NUMBER)], &[("", &[])])
}

fn query(object: &str, counters: &[&str]) -> ObjectQuery {
    ObjectQuery::new(object, counters.iter().map(|counter| (*counter).to_owned()).collect())
}

/// Columns, and rows with their numbers.
fn shown(table: &Result<Table, Missing>) -> String {
    let Ok(table) = table else { return format!("{:?}", table.as_ref().unwrap_err()) };
    let names: Vec<&str> = table.columns.iter().map(|column| column.counter.as_str()).collect();
    let value = |raw: &Option<super::super::rows::Raw>| raw.map_or("-".to_owned(), |raw| raw.value.to_string());
    let row = |row: &super::super::rows::Row| {
        format!(" {}={}", row.instance, row.values.iter().map(value).collect::<Vec<_>>().join(","))
    };
    format!("[{}]{}", names.join(","), table.rows.iter().map(row).collect::<String>())
}

fn ask(reader: &mut Reader<Fake>, objects: &[ObjectQuery]) -> Vec<String> {
    reader.ask(objects).unwrap().iter().map(shown).collect()
}

#[test]
fn one_query_answers_all_objects_in_the_order_in_which_they_are_asked_for() {
    // The answer has them in another order, and one that nobody asked for.
    let single = Object { instances: Instances::None(vec![77]), ..object(2, &[(4, NUMBER)], &[]) };
    let host = Host::new(&[("text", TEXT)], vec![sites(), cache(), single]);
    let mut reader = host.reader();
    let asked = [query("system", &[]), query("WEB SERVICE", &["posts/SEC", "None/sec"]), query("Gopher", &[])];
    let said = ask(&mut reader, &asked);
    assert_eq!(said, ["[Uptime] =77", "[posts/SEC] _Total=4 网站 é=2", "Unnamed"]);
    assert_eq!(host.log(), ["text", "local", "2 10 30"]);
    // The same object twice, each with its own counters; all of them where none is named.
    let asked = [query("Web Service", &["Gets/sec"]), query("Web Service", &[]), query("Web Service", &["x"])];
    let said = ask(&mut reader, &asked);
    let all = "[Gets/sec,Posts/sec] _Total=3,4 网站 é=1,2";
    assert_eq!(said, ["[Gets/sec] _Total=3 网站 é=1", all, "[] _Total= 网站 é="]);
    assert_eq!(host.log(), ["10"]);
}

// On one host `Web Service` was registered twice, and the agent of others asked for the index that nobody served.
#[test]
fn of_the_indexes_of_a_name_the_one_that_is_answered_counts() {
    let served = object(30, &[(24, NUMBER)], &[("a", &[9])]);
    let host = Host::new(&[("text", TEXT)], vec![served]);
    let mut reader = host.reader();
    let asked = [query("Web Service", &["gets/sec"]), query("Cache", &["Hit Ratio"])];
    // The counter has a second index too.
    assert_eq!(ask(&mut reader, &asked), ["[gets/sec] a=9", "Unserved"]);
    // From then on nobody else is asked for, until it is not there.
    assert_eq!(ask(&mut reader, &asked), ["[gets/sec] a=9", "Unserved"]);
    host.set(|state| state.objects = vec![sites()]);
    assert_eq!(ask(&mut reader, &asked), ["Unserved", "Unserved"]);
    assert_eq!(ask(&mut reader, &asked), ["[gets/sec] _Total=3 网站 é=1", "Unserved"]);
    assert_eq!(host.log(), ["text", "10 20 30", "20 30", "20 30", "10 20 30"]);
}

// Two products had an object of one name; the one that others asked for was taken, and the counters were missing for good.
#[test]
fn of_two_objects_of_a_name_the_one_with_the_wanted_counters_counts() {
    let other = object(30, &[(22, NUMBER), (24, NUMBER)], &[("a", &[8, 9])]);
    let host = Host::new(&[("text", TEXT)], vec![other, sites()]);
    let mut reader = host.reader();
    // One counter of each: the first one that is served, and both are asked for again.
    assert_eq!(ask(&mut reader, &[query("Web Service", &["None/sec"])]), ["[] a="]);
    assert_eq!(ask(&mut reader, &[query("Web Service", &["Posts/sec"])]), ["[Posts/sec] _Total=4 网站 é=2"]);
    assert_eq!(ask(&mut reader, &[query("Web Service", &["Posts/sec"])]), ["[Posts/sec] _Total=4 网站 é=2"]);
    assert_eq!(host.log(), ["text", "10 30", "10 30", "10"]);
}

#[test]
fn a_name_without_bounds_makes_no_query_without_bounds() {
    let names: &str = (10..500).map(|n| format!("{n}|Web Service|")).collect::<String>().leak();
    let host = Host::new(&[("text", names)], vec![sites()]);
    assert_eq!(ask(&mut host.reader(), &[query("Web Service", &["x"])]), ["[] _Total= 网站 é="]);
    assert_eq!(host.log()[1].split(' ').count(), 32);
}

#[test]
fn where_nothing_has_a_name_nothing_is_asked() {
    let host = Host::new(&[("text", TEXT)], vec![sites()]);
    let mut reader = host.reader();
    assert_eq!(ask(&mut reader, &[]), Vec::<String>::new());
    assert_eq!(host.log(), Vec::<String>::new());
    assert_eq!(ask(&mut reader, &[query("Gopher", &[]), query("", &[]), query("Global", &[])]), ["Unnamed"; 3]);
    assert_eq!(host.log(), ["text", "local"]);
}

#[test]
fn tables_of_names_are_tried_one_after_another() {
    for (names, read) in [
        (vec![("text", TEXT), ("data", TEXT)], vec!["text", "10 30"]),
        (vec![("text", "1|99|"), ("data", TEXT), ("registry", TEXT)], vec!["text", "data", "10 30"]),
        (vec![("registry", TEXT)], vec!["text", "data", "registry", "10 30"]),
    ] {
        let host = Host::new(&names, vec![sites()]);
        assert_eq!(ask(&mut host.reader(), &[query("Web Service", &["Gets/sec"])]), ["[Gets/sec] _Total=3 网站 é=1"]);
        assert_eq!(host.log(), read);
    }
}

#[test]
fn the_language_of_the_host_counts_where_nothing_else_has_the_name_and_says_the_same() {
    let local = "2|Система|40|Lab Service|42|Lab Gets|12|Получено|14|Posts/sec";
    let lab = object(40, &[(42, NUMBER), (4, NUMBER)], &[("a", &[1, 2])]);
    let host = Host::new(&[("text", "2|System|4|Uptime|10|Web Service"), ("local", local)], vec![lab, sites()]);
    let mut reader = host.reader();
    let asked = [query("Lab Service", &[]), query("Web Service", &[]), query("Система", &[])];
    // What is English has no names of another language, and what is asked for by its name is found.
    assert_eq!(ask(&mut reader, &asked), ["[Lab Gets,Uptime] a=1,2", "[] _Total= 网站 é=", "Unserved"]);
    assert_eq!(ask(&mut reader, &[query("Web Service", &["Posts/sec"])]), ["[Posts/sec] _Total=4 网站 é=2"]);
    assert_eq!(reader.names("lab").unwrap(), ["Lab Gets", "Lab Service"]);
    assert_eq!(reader.names("Sys").unwrap(), ["System"]);
    assert_eq!(host.log(), ["text", "local", "2 10 40", "10"]);
}

// Words of another language that are English names of something else had counters told under each other's names.
#[test]
fn what_has_an_english_name_has_no_other() {
    let local = "12|Posts/sec|14|Gets/sec|20|Web Service|40|Lab Service";
    let host =
        Host::new(&[("text", "10|Web Service|12|Gets/sec|14|Posts/sec|20|Cache"), ("local", local)], vec![sites()]);
    let mut reader = host.reader();
    let asked = ["Posts/sec", "Gets/sec"].map(|counter| query("Web Service", &[counter]));
    let asked = [&asked[..], &[query("Lab Service", &[])]].concat();
    let said = ["[Posts/sec] _Total=4 网站 é=2", "[Gets/sec] _Total=3 网站 é=1", "Unserved"];
    assert_eq!(ask(&mut reader, &asked), said);
    assert_eq!(host.log(), ["text", "local", "10 40"]);
}

#[test]
fn without_a_table_of_names_there_is_what_windows_itself_has() {
    let host = Host::new(&[], vec![object(238, &[(6, NUMBER)], &[("0", &[5])])]);
    let mut reader = host.reader();
    assert_eq!(
        ask(&mut reader, &[query("processor", &[]), query("Cache", &[])]),
        ["[% Processor Time] 0=5", "Unnamed"]
    );
    // It is not said of an object that it is not installed where nobody can tell.
    let why = Unanswered::NoNames("entity not found".to_owned());
    assert_eq!(reader.ask(&[query("Cache", &[])]).unwrap_err(), why);
    assert_eq!(reader.names("").unwrap_err(), why);
    host.set(|state| (state.now, state.names) = (PATIENCE, BTreeMap::from([("data", TEXT)])));
    assert_eq!(reader.names("Ca").unwrap(), ["Cache"]);
    // Tables that cannot be read for once leave those that were.
    host.set(|state| (state.now, state.names) = (9 * PATIENCE, BTreeMap::new()));
    assert_eq!(ask(&mut reader, &[query("Cache", &[]), query("Gopher", &[])]), ["Unserved", "Unnamed"]);
    assert_eq!(reader.names("Ca").unwrap(), ["Cache"]);
}

#[test]
fn names_are_read_again_when_counters_were_installed() {
    let host = Host::new(&[("text", "2|System"), ("local", "2|System")], vec![sites()]);
    host.set(|state| state.last_counter = Some(4));
    let mut reader = host.reader();
    let asked = [query("Web Service", &["Gets/sec"])];
    assert_eq!(ask(&mut reader, &asked), ["Unnamed"]);
    assert_eq!(ask(&mut reader, &asked), ["Unnamed"]);
    assert_eq!(host.log(), ["text", "local"]);
    host.set(|state| state.names = BTreeMap::from([("text", TEXT)]));
    assert_eq!(ask(&mut reader, &asked), ["Unnamed"]);
    host.set(|state| state.last_counter = Some(30));
    assert_eq!(ask(&mut reader, &asked), ["[Gets/sec] _Total=3 网站 é=1"]);
    assert_eq!(ask(&mut reader, &asked), ["[Gets/sec] _Total=3 网站 é=1"]);
    assert_eq!(host.log(), ["text", "10 30", "10"]);
}

// Libraries that were loaded before `lodctr /R` went on to serve their old indexes, which were other objects by then.
#[test]
fn what_is_loaded_is_let_go_when_counters_were_installed() {
    let host = Host::new(&[("text", TEXT)], vec![sites()]);
    host.set(|state| state.last_counter = Some(30));
    let mut reader = host.reader();
    let mut closed_after = |last| {
        host.set(|state| state.last_counter = last);
        ask(&mut reader, &[query("Web Service", &["Gets/sec"])]);
        host.0.lock().unwrap().closed
    };
    assert_eq!([Some(30), Some(30), None, Some(30)].map(&mut closed_after), [0; 4]);
    assert_eq!([Some(34), Some(34), Some(12)].map(closed_after), [1, 1, 2]);
}

// `lodctr /R` gave the same names other indexes and ended at the same last one: an agent told of one object as of another.
#[test]
fn what_is_opened_anew_has_its_names_read_anew() {
    for last in [Some(30), None] {
        let host = Host::new(&[("text", "10|Web Service|12|Gets/sec|14|Posts/sec")], vec![sites()]);
        host.set(|state| state.last_counter = last);
        let mut reader = host.reader();
        let asked = [query("Web Service", &["Gets/sec"])];
        assert_eq!(ask(&mut reader, &asked), ["[Gets/sec] _Total=3 网站 é=1"]);
        host.set(|state| state.names = BTreeMap::from([("text", "10|Web Service|12|Posts/sec|14|Gets/sec")]));
        reader.close();
        assert_eq!(ask(&mut reader, &asked), ["[Gets/sec] _Total=4 网站 é=2"]);
        assert_eq!(ask(&mut reader, &asked), ["[Gets/sec] _Total=4 网站 é=2"]);
        assert_eq!(host.log(), ["text", "10", "text", "10", "10"]);
    }
}

// A host without IIS read 300 KB of names in every cycle.
#[test]
fn a_name_that_stays_unknown_has_the_tables_read_again_ever_more_rarely() {
    let host = Host::new(&[("text", "2|System"), ("local", "2|System")], vec![]);
    host.set(|state| state.last_counter = Some(4));
    let mut reader = host.reader();
    let reads = |reader: &mut Reader<Fake>, seconds: u64| {
        let begin = host.0.lock().unwrap().now.as_secs();
        for second in (begin..begin + seconds).step_by(60) {
            host.set(|state| state.now = Duration::from_secs(second));
            assert_eq!(ask(reader, &[query("Web Service", &[])]), ["Unnamed"]);
        }
        host.set(|state| state.now = Duration::from_secs(begin + seconds));
        host.log().iter().filter(|entry| *entry == "text").count()
    };
    assert_eq!(reads(&mut reader, 3600), 7);
    assert!(reads(&mut reader, 86_400) <= 24 * 4);
    // What the tables have costs nothing.
    let known = reader.ask(&[query("System", &[])]).unwrap();
    assert_eq!((known[0].clone().unwrap_err(), host.log()), (Missing::Unserved, vec!["2".to_owned()]));
}

#[test]
fn an_index_of_the_answer_that_is_unknown_has_them_read_again_after_a_while() {
    let host = Host::new(&[("text", "10|Web Service|12|Gets/sec")], vec![sites(), cache()]);
    let mut reader = host.reader();
    let mut at = |seconds: u64| {
        host.set(|state| state.now = Duration::from_secs(seconds));
        ask(&mut reader, &[query("Web Service", &[])]);
        host.log().join(" ")
    };
    // The first answer told of it.
    assert_eq!((at(0), at(59)), ("text 10".to_owned(), "10".to_owned()));
    assert_eq!((at(60), at(120)), ("text 10".to_owned(), "10".to_owned()));
    host.set(|state| state.names = BTreeMap::from([("text", TEXT)]));
    assert_eq!((at(180), at(9999)), ("text 10 30".to_owned(), "10".to_owned()));
    // A base without a name is nothing unknown.
    let mut reader = host.reader();
    for seconds in [0, 500, 1000] {
        host.set(|state| state.now = Duration::from_secs(seconds));
        assert_eq!(ask(&mut reader, &[query("Cache", &["Hit Ratio"])]), ["[Hit Ratio]"]);
    }
    assert_eq!(host.log(), ["text", "20", "20", "20"]);
}

#[test]
fn what_fails_as_a_whole_says_what_was_asked_for() {
    let host = Host::new(&[("text", TEXT)], vec![sites(), cache()]);
    let mut reader = host.reader();
    let asked = [query("Web Service", &[]), query("Cache", &[])];
    host.set(|state| state.fails = true);
    assert_eq!(reader.ask(&asked).unwrap_err().to_string(), "Web Service, Cache: access is denied");
    host.set(|state| (state.fails, state.bytes) = (false, Some(vec![0; 300])));
    assert_eq!(
        reader.ask(&asked).unwrap_err().to_string(),
        "Web Service, Cache: the answer does not begin as one does"
    );
    host.set(|state| state.bytes = Some(Vec::new()));
    assert_eq!(
        reader.ask(&asked).unwrap_err().to_string(),
        "Web Service, Cache: the answer is shorter than its header"
    );
}

#[test]
fn a_damaged_object_costs_itself() {
    let whole = layout::answer(Times::default(), &[sites().bytes(), cache().bytes()]);
    let host = Host::new(&[("text", TEXT)], vec![]);
    let mut reader = host.reader();
    host.set(|state| state.bytes = Some(whole[..whole.len() - 9].to_vec()));
    let asked = [query("Cache", &[]), query("Web Service", &["Gets/sec"])];
    assert_eq!(ask(&mut reader, &asked), ["Damaged", "[Gets/sec] _Total=3 网站 é=1"]);
}

#[test]
fn closing_and_what_is_switched_off_go_to_the_system() {
    let host = Host::new(&[("text", TEXT)], vec![]);
    let mut reader = host.reader();
    reader.close();
    assert_eq!((reader.disabled().unwrap(), host.0.lock().unwrap().closed), (vec!["W3SVC".to_owned()], 1));
}

/// The inputs from which the fuzz target begins: an answer, and behind it the table of names.
#[test]
fn the_seeds_of_the_fuzz_target_are_answers_that_can_be_asked_for() {
    let names = format!("{}\0", TEXT.replace('|', "\0"));
    let names: Vec<u8> = names.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let times = Times { ticks: 10_000_000, ticks_per_s: 1_000_000, ns100: 132_000_000_000_000_000 };
    let many = Object { ticks: 9_000, ticks_per_s: 1000, ..sites() };
    let single = Object { instances: Instances::None(vec![3, 4, 5]), ..cache() };
    let kinds =
        [0x1041_0500, 0x2051_0500, 0x3002_0400, 0x4003_0402, 0x2241_0500, 0x4203_0500, 0x0001_2000, 0x3024_0500];
    let every: Vec<Counter> = (1..).zip(kinds).map(|(n, kind)| Counter { index: 2 * n, kind, size: 8 }).collect();
    let row = |name, from| Instance::new(name, &(from..from + 8).collect::<Vec<u64>>());
    let every = Object { counters: every, instances: Instances::Many(vec![row("a", 1), row("b", 9)]), ..many.clone() };
    let pages = |object: Object| Object { code_page: 936, ..object }.bytes();
    for (seed, objects) in [
        (&include_bytes!("../../../../../fuzz/seeds/perf/sites")[..], vec![many.bytes(), single.bytes()]),
        (&include_bytes!("../../../../../fuzz/seeds/perf/every")[..], vec![single.bytes(), every.bytes()]),
        (&include_bytes!("../../../../../fuzz/seeds/perf/pages")[..], vec![pages(every.clone()), pages(many.clone())]),
    ] {
        let written = [layout::answer(times, &objects), names.clone()].concat();
        assert_eq!(seed, written);
    }
}
