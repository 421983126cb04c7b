//! Configured counters on answers of a fake source.

use super::*;
use crate::collect::Collected;
use crate::collect::budget::tests::Hand;
use crate::collect::tests::with_cx;
use crate::config::Config;
use crate::perf::client::Refused;
use crate::perf::fake::{Fake, table};

const RATE: u32 = 0x1041_0400;
const BULK: u32 = 0x1041_0500;
const NUMBER: u32 = 0x0001_0000;
const DELTA: u32 = 0x0040_0400;
const TEXT: u32 = 0x0B00;

struct Case {
    fake: Fake,
    stats: Arc<Stats>,
    hand: Hand,
    collector: Custom,
}

impl Case {
    /// `entries`: of `collector.counters`, as they are written.
    fn new(entries: &str, limit: Option<u32>) -> Case {
        let (fake, stats, hand) = (Fake::default(), Arc::new(Stats::default()), Hand::default());
        let context = Context { perf: hand.slow(&fake), ..context(entries, limit, &fake, &stats) };
        let budget = Budget::on(&context.config, hand.clock());
        let collector = new(&context, Platform::Windows, budget).expect("counters are configured");
        Case { fake, stats, hand, collector }
    }

    fn cycle(&mut self) -> Collected {
        let (result, said) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| self.collector.collect(cx));
        result.unwrap();
        said
    }

    /// What is said, each as `name{tags} value TYPE`.
    fn said(&mut self) -> Vec<String> {
        let said = self.cycle();
        let line = |s: &crate::model::Sample| {
            format!("{}{{{}}} {} {}", s.metric, s.tags.as_str(), s.value.get(), s.kind.as_str())
        };
        said.samples.iter().map(line).collect()
    }
}

fn context(entries: &str, limit: Option<u32>, fake: &Fake, stats: &Arc<Stats>) -> Context {
    let text = format!("{{\"collector\": {{\"counters\": [{entries}]}}}}");
    let (mut config, warnings) = crate::config::parse(text.as_bytes(), "cfg.json", &crate::collect::known()).unwrap();
    assert_eq!(warnings, []);
    if let Some(limit) = limit {
        config.collector.limits.insert("counters".to_owned(), limit);
    }
    Context { stats: stats.clone(), perf: fake.perf(), ..crate::collect::tests::context(config) }
}

fn remarks(said: &Collected) -> Vec<&str> {
    said.remarks.iter().map(|(what, _)| what.as_str()).collect()
}

#[test]
fn a_running_total_is_a_counter_and_everything_else_what_perfmon_shows() {
    let mut case = Case::new(r#"{"object": "Widget", "tags": {"team": "a b"}}"#, None);
    let columns = [("Made/sec", RATE), ("% Full", NUMBER), ("Change", DELTA), ("Bytes/sec", BULK), ("Name", TEXT)];
    let answer = |second, values: [u64; 5]| Ok(table(second, &columns, &[("", &values)]));
    case.fake.set("Widget", answer(0, [u64::from(u32::MAX), 7, 100, 5, 0]));
    let tags = "{team=a b}";
    assert_eq!(
        case.said(),
        [
            format!("perf.widget.made_per_sec{tags} 4294967295 COUNTER"),
            format!("perf.widget.percent_full{tags} 7 GAUGE"),
            format!("perf.widget.bytes_per_sec{tags} 5 COUNTER"),
        ]
    );
    case.fake.set("Widget", answer(60, [3, 8, 104, 6, 0]));
    assert_eq!(
        case.said(),
        [
            format!("perf.widget.made_per_sec{tags} 4294967299 COUNTER"),
            format!("perf.widget.percent_full{tags} 8 GAUGE"),
            format!("perf.widget.change{tags} 4 GAUGE"),
            format!("perf.widget.bytes_per_sec{tags} 6 COUNTER"),
        ]
    );
}

#[test]
fn sums_are_told_only_where_they_are_named() {
    let of = |instances: &str| {
        let mut case = Case::new(&format!(r#"{{"object": "P", "counters": "N", {instances} "metric": "m"}}"#), None);
        let rows: [(&str, &[u64]); 6] =
            [("0,0", &[1]), ("0,_Total", &[2]), ("1,0", &[3]), ("_Total", &[4]), ("x_total", &[5]), ("_Global_", &[6])];
        case.fake.set("P", Ok(table(0, &[("N", NUMBER)], &rows)));
        let values: Vec<String> = case.cycle().samples.iter().map(|sample| sample.value.get().to_string()).collect();
        values.concat()
    };
    assert_eq!(of(""), "135");
    assert_eq!(of(r#""instances": "*","#), "135");
    assert_eq!(of(r#""instances": ["*", "_total"],"#), "1345");
    assert_eq!(of(r#""instances": "0,*","#), "12");
    assert_eq!(of(r#""instances": "*_Total","#), "245");
    assert_eq!(of(r#""exclude": ["x*", "1,?"],"#), "1");
    assert_eq!(of(r#""instances": ["_Total", "1*"], "exclude": "_Total","#), "3");
}

#[test]
fn of_instances_of_one_name_the_first_counts_and_the_others_are_counted() {
    let mut case = Case::new(r#"{"object": "P", "metric": "m"}"#, None);
    let columns = [("A", NUMBER), ("B", NUMBER)];
    let rows: [(&str, &[u64]); 4] = [("w3wp", &[1, 2]), ("w3wp", &[3, 4]), ("a b", &[5, 6]), ("ab", &[7, 8])];
    case.fake.set("P", Ok(table(0, &columns, &rows)));
    let said = case.cycle();
    let tags: Vec<&str> = said.samples.iter().map(|sample| sample.tags.as_str()).collect();
    assert_eq!(tags, ["instance=w3wp", "instance=w3wp", "instance=a b", "instance=a b"]);
    assert_eq!((remarks(&said), case.stats.collided.get()), (vec!["instances of P"], 4));
}

#[test]
fn what_the_host_has_nothing_for_is_told_and_no_error() {
    let entries = r#"{"object": "Gone"}, {"object": "P", "counters": ["N", "Nn*", "T"], "instances": ["a", "b*"]}"#;
    let mut case = Case::new(entries, None);
    case.fake.set("P", Ok(table(0, &[("N", NUMBER), ("T", TEXT)], &[("a", &[1, 0])])));
    let said = case.cycle();
    assert_eq!((said.samples.len(), said.problems.len()), (1, 0));
    assert_eq!(remarks(&said), ["object Gone", "counter Nn* of P", "counter T of P", "instance b* of P"]);
    // An object without instances has none to miss.
    case.fake.set("P", Ok(table(0, &[("N", NUMBER), ("Nna", NUMBER)], &[("", &[1, 2])])));
    assert_eq!(remarks(&case.cycle()), ["object Gone", "counter T of P"]);
    case.fake.set("Gone", Ok(table(0, &[("N", NUMBER)], &[("", &[1])])));
    case.fake.set("P", Err(Missing::Unserved));
    let said = case.cycle();
    assert_eq!((remarks(&said), said.samples.len()), (vec!["object P"], 1));
}

#[test]
fn an_object_that_fails_spoils_only_itself() {
    let mut case = Case::new(r#"{"object": "A"}, {"object": "B"}, {"object": "C"}"#, None);
    for object in ["A", "B", "C"] {
        case.fake.set(object, Ok(table(0, &[("N", NUMBER)], &[("", &[1])])));
    }
    case.fake.set("C", Err(Missing::Damaged));
    case.fake.refuse("custom:A", Some(Refused::Died("ended with code 5".to_owned())));
    assert_eq!(case.said(), ["perf.b.n{} 1 GAUGE"]);
    let problems: Vec<String> = case.cycle().problems.into_iter().map(|(what, _)| what).collect();
    assert_eq!(problems, ["object A", "object C"]);
    case.fake.refuse("custom:A", None);
    assert_eq!(case.said(), ["perf.a.n{} 1 GAUGE", "perf.b.n{} 1 GAUGE"]);
    assert_eq!(case.fake.open_groups(), 3);
    drop(case.collector);
    assert_eq!(case.fake.open_groups(), 0);
}

/// The lane's time was up before the third, and what the others had said was lost with it.
#[test]
fn after_two_that_are_late_the_rest_waits_and_comes_first_in_the_next_cycle() {
    let mut case = Case::new(r#"{"object": "A"}, {"object": "B"}, {"object": "C"}, {"object": "D"}"#, None);
    case.fake.set("C", Ok(table(0, &[("N", NUMBER)], &[("", &[1])])));
    case.fake.set("D", Ok(table(0, &[("N", NUMBER)], &[("", &[2])])));
    for group in ["custom:A", "custom:B"] {
        case.fake.refuse(group, Some(Refused::Late(10)));
    }
    let said = case.cycle();
    assert_eq!((said.samples.len(), said.problems.len()), (0, 3), "{:?}", said.problems);
    let asked =
        |case: &Case| case.fake.asked().into_iter().map(|(group, _)| group.replace("custom:", "")).collect::<String>();
    assert_eq!(asked(&case), "AB");
    assert_eq!(case.said(), ["perf.c.n{} 1 GAUGE", "perf.d.n{} 2 GAUGE"]);
    assert_eq!(asked(&case), "CDAB");
}

/// Two queries that waited for their turn and answered counted for nothing, and the lane's time was up all the same.
#[test]
fn time_that_goes_by_without_a_verdict_counts_too() {
    let mut case = Case::new(r#"{"object": "A"}, {"object": "B"}"#, None);
    for object in ["A", "B"] {
        case.fake.set(object, Ok(table(0, &[("N", NUMBER)], &[("", &[1])])));
    }
    case.hand.each_takes(12);
    let said = case.cycle();
    let what: Vec<&str> = said.problems.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!((said.samples.len(), what), (1, vec!["the other objects"]));
    assert_eq!(case.said(), ["perf.b.n{} 1 GAUGE"]);
}

#[test]
fn entries_of_one_object_share_a_query_and_patterns_ask_for_all() {
    let entries = r#"{"object": "A", "counters": ["X", "Y"]}, {"object": "a", "counters": ["y", "Z"], "metric": "z"},
        {"object": "B", "counters": "X"}, {"object": "B", "counters": "Y*"}, {"object": "B", "counters": "Z"}"#;
    let mut case = Case::new(entries, None);
    case.cycle();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        case.fake.asked(),
        [
            ("custom:A".to_owned(), vec![ObjectQuery::new("A", texts(&["X", "Y", "Z"]))]),
            ("custom:B".to_owned(), vec![ObjectQuery::new("B", Vec::new())]),
        ]
    );
}

#[test]
fn a_name_has_one_type_and_one_counter_of_an_object() {
    let entries = r#"{"object": "A", "metric": "m"}, {"object": "B", "metric": "M"}, {"object": "C", "metric": "cpu"}"#;
    let mut case = Case::new(entries, None);
    case.fake
        .set("A", Ok(table(0, &[("Hits/sec", RATE), ("Hits Per Sec", RATE), ("Size", NUMBER)], &[("", &[1, 2, 3])])));
    case.fake.set("B", Ok(table(0, &[("Hits/sec", NUMBER), ("Size", NUMBER)], &[("", &[4, 5])])));
    case.fake.set("C", Ok(table(0, &[("Idle", NUMBER), ("Hot", NUMBER)], &[("", &[6, 7])])));
    let expected = ["m.hits_per_sec{} 1 COUNTER", "m.size{} 3 GAUGE", "cpu.hot{} 7 GAUGE"];
    assert_eq!(case.said(), expected);
    let left_out = ["counter Hits Per Sec of A", "counter Hits/sec of B", "counter Size of B", "counter Idle of C"];
    assert_eq!(remarks(&case.cycle()), left_out);
    // Also after an update of the program that made a number of a total.
    case.fake.set("A", Ok(table(0, &[("Hits/sec", NUMBER)], &[("", &[1])])));
    assert_eq!(case.said(), ["cpu.hot{} 7 GAUGE"]);
}

#[test]
fn two_objects_may_share_a_name_of_one_type() {
    let entries = r#"{"object": "A", "metric": "m", "tags": {"of": "a"}}, {"object": "B", "metric": "m"}"#;
    let mut case = Case::new(entries, None);
    case.fake.set("A", Ok(table(0, &[("Size", NUMBER)], &[("", &[1])])));
    case.fake.set("B", Ok(table(0, &[("Size", NUMBER)], &[("", &[2])])));
    assert_eq!(case.said(), ["m.size{of=a} 1 GAUGE", "m.size{} 2 GAUGE"]);
}

#[test]
fn series_are_bounded_and_which_stay_is_stable() {
    let mut case = Case::new(r#"{"object": "A", "metric": "m"}, {"object": "B", "metric": "n"}"#, Some(3));
    let a = |rows: &[(&str, &[u64])]| Ok(table(0, &[("X", NUMBER), ("Y", NUMBER)], rows));
    case.fake.set("A", a(&[("b", &[1, 2])]));
    case.fake.set("B", Ok(table(0, &[("X", NUMBER)], &[("", &[3]), ("i", &[4])])));
    let first = ["m.x{instance=b} 1 GAUGE", "m.y{instance=b} 2 GAUGE", "n.x{} 3 GAUGE"];
    assert_eq!(case.said(), first);
    case.fake.set("A", a(&[("a", &[5, 6]), ("b", &[1, 2])]));
    assert_eq!(case.said(), first);
    assert_eq!(case.stats.series_dropped[Guarded::Counters as usize].get(), 3);
    assert_eq!(remarks(&case.cycle()), ["too many counters"]);
}

#[test]
fn a_row_that_is_away_for_a_while_goes_on_and_is_forgotten_after_an_hour() {
    let mut case = Case::new(r#"{"object": "A", "metric": "m"}"#, None);
    let seen = |second, value| Ok(table(second, &[("X", RATE)], &[("a", &[value])]));
    let none = Ok(table(0, &[("X", RATE)], &[]));
    let wrap = u64::from(u32::MAX);
    case.fake.set("A", seen(0, wrap));
    case.cycle();
    case.fake.set("A", none.clone());
    for _ in 0..59 {
        case.cycle();
    }
    case.fake.set("A", seen(3600, 0));
    assert_eq!(case.said(), [format!("m.x{{instance=a}} {} COUNTER", wrap + 1)]);
    case.fake.set("A", none);
    for _ in 0..60 {
        case.cycle();
    }
    case.fake.set("A", seen(7200, 7));
    assert_eq!(case.said(), ["m.x{instance=a} 7 COUNTER"]);
}

#[test]
fn it_is_there_where_counters_are_configured_and_only_on_windows() {
    let (fake, stats) = (Fake::default(), Arc::new(Stats::default()));
    let is_open = |entries: &str, platform| open(&context(entries, None, &fake, &stats), platform).unwrap().is_some();
    assert!(is_open(r#"{"object": "A"}"#, Platform::Windows));
    assert!(!is_open(r#"{"object": "A"}"#, Platform::Linux) && !is_open("", Platform::Windows));
    assert_eq!(Config::standalone().collector.counters, []);
}

#[test]
fn what_is_said_is_of_its_class() {
    let mut case = Case::new(r#"{"object": "A"}"#, None);
    case.fake.set("A", Ok(table(0, &[("N", NUMBER), ("M", NUMBER)], &[("", &[1, 2])])));
    let mut said = case.cycle();
    let mut config = Config::standalone();
    config.collector.limits.insert("series".to_owned(), 1);
    crate::collect::Ceiling::new(&config, &case.stats).apply(&mut said, true);
    assert_eq!(said.samples.len(), 1);
}
