use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::collect::Collected;
use crate::collect::tests::{with_all, with_cx};
use crate::config::parse;
use crate::model::{Platform, Sample, Sets};
use crate::perf::fake::{Fake, table};

mod aspnet;
mod bytes;
mod clr;
mod sites;

const NUMBER: u32 = 0x0001_0000;
const COUNTER: u32 = 0x1041_0400;
const BULK: u32 = 0x1041_0500;

fn context(fake: &Fake, file: &str) -> Context {
    let (config, _) = parse(file.as_bytes(), "cfg.json", &crate::collect::known()).unwrap();
    Context { perf: fake.perf(), ..crate::collect::tests::context(config) }
}

/// A host with IIS and a configuration.
fn iis(fake: &Fake, file: &str) -> Box<dyn Collector> {
    open(&context(fake, file), || true).unwrap()
}

fn cycle(collector: &mut Box<dyn Collector>, sets: Sets) -> Collected {
    let (result, said) = with_cx(sets, Platform::Windows, |cx| collector.collect(cx));
    result.unwrap();
    said
}

/// With every option.
fn cycle_of_all(collector: &mut Box<dyn Collector>, sets: Sets) -> Collected {
    let (result, said) = with_all(sets, Platform::Windows, None, |cx| collector.collect(cx));
    result.unwrap();
    said
}

fn find<'a>(said: &'a Collected, metric: &str, tags: &str) -> Vec<&'a Sample> {
    said.samples.iter().filter(|sample| sample.metric == metric && sample.tags.as_str() == tags).collect()
}

/// The one value of a series; nothing where there is none.
fn value(said: &Collected, metric: &str, tags: &str) -> Option<f64> {
    let found = find(said, metric, tags);
    assert!(found.len() <= 1, "{metric} {tags}: {found:?}");
    found.first().map(|sample| sample.value.get())
}

/// Tag values of a metric.
fn tags(said: &Collected, metric: &str) -> Vec<String> {
    said.samples.iter().filter(|sample| sample.metric == metric).map(|sample| sample.tags.as_str().to_owned()).collect()
}

fn remarks(said: &Collected) -> Vec<(&str, &str)> {
    said.remarks.iter().map(|(what, why)| (what.as_str(), why.as_str())).collect()
}

fn problems(said: &Collected) -> Vec<(&str, &str)> {
    said.problems.iter().map(|(what, why)| (what.as_str(), why.as_str())).collect()
}

fn one_site(second: u64) -> Table {
    let columns = [("Total Get Requests", NUMBER), ("Current Connections", NUMBER), ("Service Uptime", NUMBER)];
    table(second, &columns, &[("_Total", &[10, 2, 100]), ("Default Web Site", &[7, 1, 90])])
}

#[test]
fn it_is_opened_where_iis_is_or_where_it_is_meant_to_be() {
    let fake = Fake::default();
    let opens = |file: &str, there: fn() -> bool| open(&context(&fake, file), there).is_some();
    assert!(!opens("{}", || false) && opens("{}", || true));
    assert!(!opens(r#"{"iis": {"enabled": "auto"}}"#, || false) && opens(r#"{"iis": {"enabled": "auto"}}"#, || true));
    assert!(opens(r#"{"iis": {"enabled": true}}"#, || false));
    assert!(!opens(r#"{"iis": {"enabled": false}}"#, || true));
    assert_eq!(fake.open_groups(), 0, "nothing is held for what is not open");
}

#[test]
fn a_group_is_held_for_each_product_and_for_options_only_where_they_are_on() {
    let fake = Fake::default();
    let plain = iis(&fake, "{}");
    assert_eq!(fake.open_groups(), 2);
    drop(plain);
    let all = iis(&fake, r#"{"collector": {"iisHttp": true, "clr": true}}"#);
    assert_eq!(fake.open_groups(), 4);
    drop(all);
    assert_eq!(fake.open_groups(), 0);
}

#[test]
fn what_nobody_wants_is_not_asked() {
    let fake = Fake::default();
    let mut collector = iis(&fake, "{}");
    cycle(&mut collector, Sets::FALCON);
    assert_eq!(fake.asked(), []);
    cycle(&mut collector, Sets::FREEDOMKK);
    let asked = fake.asked();
    assert_eq!(asked.len(), 1, "that agent knew no ASP.NET");
    assert_eq!(asked[0].0, "iis");
    assert!(asked[0].1.iter().all(|query| query.object == "Web Service" && !query.counters.is_empty()));
    cycle(&mut collector, Sets::WINDOWS_AGENT);
    let groups: Vec<String> = fake.asked().into_iter().map(|(group, _)| group).collect();
    assert_eq!(groups, ["iis", "aspnet"]);
}

#[test]
fn iis_may_be_removed_and_come_back() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(one_site(0)));
    let mut collector = iis(&fake, "{}");
    assert_eq!(value(&cycle(&mut collector, Sets::EXTENDED), "iis.requests.get", "site=_Total"), Some(10.0));
    fake.remove("Web Service");
    for _ in 0..2 {
        let said = cycle(&mut collector, Sets::EXTENDED);
        assert!(said.samples.is_empty() && said.problems.is_empty(), "{said:?}");
        assert!(remarks(&said).contains(&("object Web Service", "is not installed")), "{said:?}");
        assert!(!remarks(&said).iter().any(|(what, _)| *what == "object Web Service Cache"), "one line is enough");
    }
    fake.set("Web Service", Err(Missing::Unserved));
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert!(said.problems.is_empty() && said.remarks.iter().any(|(what, _)| what == "object Web Service"));
    fake.set("Web Service", Ok(one_site(300)));
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!(value(&said, "iis.requests.get", "site=_Total"), Some(10.0));
}

#[test]
fn a_host_without_aspnet_is_told_once_and_has_its_sites() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(one_site(0)));
    fake.set("Web Service Cache", Ok(table(0, &[], &[("", &[])])));
    let mut collector = iis(&fake, "{}");
    let said = cycle(&mut collector, Sets::ALL);
    assert_eq!(
        remarks(&said),
        [("object ASP.NET", "is not installed"), ("object ASP.NET Applications", "is not installed")]
    );
    assert!(said.problems.is_empty());
    assert_eq!(value(&said, "iis.connections", "site=Default_Web_Site"), Some(1.0));
}

#[test]
fn a_group_that_is_refused_costs_itself_and_all_of_them_the_cycle() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(one_site(0)));
    fake.set("ASP.NET", Ok(table(0, &[("Applications Running", NUMBER)], &[("", &[3])])));
    let mut collector = iis(&fake, "{}");
    fake.refuse("aspnet", Some(Refused::Paused));
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!(problems(&said), [("counters of ASP.NET", Refused::Paused.to_string().as_str())]);
    assert_eq!(value(&said, "iis.connections", "site=_Total"), Some(2.0));
    fake.refuse("aspnet", None);
    fake.refuse("iis", Some(Refused::Late(10)));
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!(problems(&said), [("counters of sites", Refused::Late(10).to_string().as_str())]);
    assert_eq!(value(&said, "iis.asp.apps.running", ""), Some(3.0));
    fake.refuse("aspnet", Some(Refused::Late(10)));
    let (result, said) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| collector.collect(cx));
    let error = result.unwrap_err().to_string();
    assert!(error.starts_with("counters of sites: no answer within 10 s"), "{error}");
    assert!(said.samples.is_empty() && said.problems.is_empty());
}

/// At every look it is one of these seconds, and in the end the last one.
fn clock(seconds: &[u64]) -> Box<dyn Fn() -> Duration + Send> {
    let seconds = Mutex::new(seconds.to_vec());
    Box::new(move || {
        let mut seconds = seconds.lock().unwrap();
        Duration::from_secs(if seconds.len() > 1 { seconds.remove(0) } else { seconds[0] })
    })
}

/// With all four parts.
fn timed(fake: &Fake, seconds: &[u64]) -> Iis {
    let context = context(fake, r#"{"collector": {"iisHttp": true, "clr": true}}"#);
    Iis { parts: parts(&context), budget: Budget::on(&context.config, clock(seconds)) }
}

fn asked(fake: &Fake) -> Vec<String> {
    fake.asked().into_iter().map(|(group, _)| group).collect()
}

/// Four queries that each took their whole time, or first waited for a turn, were longer than the lane waits for a collector.
#[test]
fn what_has_no_time_left_waits_for_the_next_cycle_and_is_first_in_it() {
    let fake = Fake::default();
    // A look at the clock in the beginning and one before each query; all of it at once in the next cycle.
    let mut iis = timed(&fake, &[50, 50, 61, 72, 72, 110]);
    for (groups, told) in [
        (["iis", "aspnet"].as_slice(), ["counters of HTTP.sys", "counters of the CLR"].as_slice()),
        (&["http", "clr", "iis", "aspnet"], &[]),
    ] {
        let (result, said) = with_all(Sets::ALL, Platform::Windows, None, |cx| iis.collect(cx));
        result.unwrap();
        assert_eq!(asked(&fake), groups);
        assert_eq!(problems(&said), told.iter().map(|what| (*what, SPENT)).collect::<Vec<_>>());
    }
}

#[test]
fn a_slow_answer_takes_its_time_as_none_at_all_does() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(one_site(0)));
    let mut iis = timed(&fake, &[0, 0, 12]);
    let (result, said) = with_all(Sets::EXTENDED, Platform::Windows, None, |cx| iis.collect(cx));
    result.unwrap();
    assert_eq!(asked(&fake), ["iis"]);
    assert_eq!(said.problems.len(), 3);
    assert_eq!(value(&said, "iis.connections", "site=_Total"), Some(2.0));
}

#[test]
fn an_object_that_is_damaged_is_a_problem_and_of_one_that_is_cut_the_rest_is_said() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(Table { left_out: 3, ..one_site(0) }));
    fake.set("ASP.NET", Err(Missing::Damaged));
    let mut collector = iis(&fake, "{}");
    let said = cycle(&mut collector, Sets::EXTENDED);
    let what: Vec<&str> = said.problems.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(what, ["object Web Service", "object ASP.NET"]);
    assert_eq!(value(&said, "iis.connections", "site=_Total"), Some(2.0));
}

#[test]
fn caches_of_the_machine_are_said_where_they_are_asked_for() {
    let fake = Fake::default();
    let cache = [
        ("Current Files Cached", 1),
        ("File Cache Hits", 2),
        ("File Cache Misses", 3),
        ("Current File Cache Memory Usage", 4),
        ("Current URIs Cached", 5),
        ("URI Cache Hits", 6),
        ("URI Cache Misses", 7),
        ("Current Metadata Cached", 8),
        ("Metadata Cache Hits", 9),
        ("Metadata Cache Misses", 10),
        ("Kernel: URI Cache Hits", 11),
        ("Kernel: URI Cache Misses", 12),
        ("Output Cache Total Hits", 13),
        ("Output Cache Total Misses", 14),
    ];
    let http = [
        ("CurrentUrisCached", 21),
        ("TotalFlushedUris", 22),
        ("UriCacheFlushes", 23),
        ("UriCacheHits", 24),
        ("UriCacheMisses", 25),
    ];
    for (object, counters) in [("Web Service Cache", cache.as_slice()), ("HTTP Service", http.as_slice())] {
        let columns: Vec<(&str, u32)> = counters.iter().map(|(name, _)| (*name, NUMBER)).collect();
        let values: Vec<u64> = counters.iter().map(|(_, value)| *value).collect();
        fake.set(object, Ok(table(0, &columns, &[("", &values)])));
    }
    let mut collector = iis(&fake, r#"{"collector": {"iisCache": true, "iisHttp": true}}"#);
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert!(said.samples.is_empty(), "off by default, and shares need a second reading");
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    let expected = [
        ("iis.cache.files.current", 1.0),
        ("iis.cache.file.hits", 2.0),
        ("iis.cache.file.misses", 3.0),
        ("iis.cache.file.bytes", 4.0),
        ("iis.cache.uris.current", 5.0),
        ("iis.cache.uri.hits", 6.0),
        ("iis.cache.uri.misses", 7.0),
        ("iis.cache.metadata.current", 8.0),
        ("iis.cache.metadata.hits", 9.0),
        ("iis.cache.metadata.misses", 10.0),
        ("iis.cache.kernel_uri.hits", 11.0),
        ("iis.cache.kernel_uri.misses", 12.0),
        ("iis.cache.output.hits", 13.0),
        ("iis.cache.output.misses", 14.0),
        ("iis.http.uri_cache.current", 21.0),
        ("iis.http.uri_cache.flushed", 22.0),
        ("iis.http.uri_cache.flushes", 23.0),
        ("iis.http.uri_cache.hits", 24.0),
        ("iis.http.uri_cache.misses", 25.0),
    ];
    for (metric, number) in expected {
        assert_eq!(value(&said, metric, ""), Some(number), "{metric}");
    }
    assert_eq!(said.samples.len(), expected.len());
}

/// The object's own ratios are of all the time since the service started, and nothing that happens now moves them.
#[test]
fn hit_ratios_are_of_the_lookups_in_the_interval() {
    let fake = Fake::default();
    let columns = [
        ("File Cache Hits", NUMBER),
        ("File Cache Misses", NUMBER),
        ("Kernel: URI Cache Hits", NUMBER),
        ("Kernel: URI Cache Misses", NUMBER),
        ("Metadata Cache Hits", NUMBER),
    ];
    let mut collector = iis(&fake, "{}");
    let mut cycle = |second, values: [u64; 5]| {
        fake.set("Web Service Cache", Ok(table(second, &columns, &[("", &values)])));
        let said = cycle(&mut collector, Sets::EXTENDED);
        let ratios = said.samples.iter().filter(|sample| sample.metric.starts_with("iis.cache."));
        ratios.map(|sample| format!("{} {}", sample.metric, sample.value.get())).collect::<Vec<_>>()
    };
    assert!(cycle(0, [9000, 1000, 7, 7, 1]).is_empty(), "nothing is known of an interval yet");
    let both = ["iis.cache.file.hit_ratio 25", "iis.cache.kernel_uri.hit_ratio 100"];
    assert_eq!(cycle(60, [9001, 1003, 12, 7, 5]), both, "and of no cache without its misses");
    assert_eq!(cycle(120, [9001, 1004, 12, 7, 5]), ["iis.cache.file.hit_ratio 0"], "where nothing grew there is none");
    assert_eq!(cycle(180, [1, 0, 13, 7, 5]), ["iis.cache.kernel_uri.hit_ratio 100"], "the file cache began anew");
    assert_eq!(cycle(240, [4, 1, 13, 7, 5]), ["iis.cache.file.hit_ratio 75"]);
    let groups: Vec<String> = asked(&fake);
    assert!(groups.iter().all(|group| group == "iis" || group == "aspnet"), "{groups:?}");
}
