use super::*;
use crate::model::Kind;
use crate::perf::rows::Table;

/// Metric, its two counters, the type of the second, and the numbers of the total and of a site. The first is read where the
/// object has both.
type Case = (&'static str, Kind, &'static str, &'static str, u32, u64, u64);

const CASES: [Case; 26] = [
    (
        "iis.bytes.received",
        Kind::Counter,
        "Total Bytes Received",
        "Bytes Received/sec",
        BULK,
        5_000_000_000,
        4_900_000_000,
    ),
    ("iis.bytes.sent", Kind::Counter, "Total Bytes Sent", "Bytes Sent/sec", BULK, 9_000_000_000, 8_900_000_000),
    (
        "iis.bytes.total",
        Kind::Counter,
        "Total Bytes Transferred",
        "Bytes Total/sec",
        BULK,
        14_000_000_000,
        13_800_000_000,
    ),
    ("iis.requests.get", Kind::Counter, "Total Get Requests", "Get Requests/sec", COUNTER, 1001, 101),
    ("iis.requests.head", Kind::Counter, "Total Head Requests", "Head Requests/sec", COUNTER, 1002, 102),
    ("iis.requests.post", Kind::Counter, "Total Post Requests", "Post Requests/sec", COUNTER, 1003, 103),
    ("iis.requests.put", Kind::Counter, "Total Put Requests", "Put Requests/sec", COUNTER, 1004, 104),
    ("iis.requests.delete", Kind::Counter, "Total Delete Requests", "Delete Requests/sec", COUNTER, 1005, 105),
    ("iis.requests.options", Kind::Counter, "Total Options Requests", "Options Requests/sec", COUNTER, 1006, 106),
    ("iis.requests.trace", Kind::Counter, "Total Trace Requests", "Trace Requests/sec", COUNTER, 1007, 107),
    ("iis.requests.patch", Kind::Counter, "Total Patch Requests", "Patch Requests/sec", COUNTER, 1008, 108),
    (
        "iis.requests.other",
        Kind::Counter,
        "Total Other Request Methods",
        "Other Request Methods/sec",
        COUNTER,
        1009,
        109,
    ),
    ("iis.requests.total", Kind::Counter, "Total Method Requests", "Total Method Requests/sec", COUNTER, 1010, 110),
    ("iis.requests.cgi", Kind::Counter, "Total CGI Requests", "CGI Requests/sec", COUNTER, 1011, 111),
    (
        "iis.requests.isapi",
        Kind::Counter,
        "Total ISAPI Extension Requests",
        "ISAPI Extension Requests/sec",
        COUNTER,
        1012,
        112,
    ),
    (
        "iis.connection.attempts",
        Kind::Counter,
        "Total Connection Attempts (all instances)",
        "Connection Attempts/sec",
        COUNTER,
        1013,
        113,
    ),
    ("iis.connections", Kind::Gauge, "Current Connections", "", NUMBER, 14, 4),
    ("iis.connections.max", Kind::Gauge, "Maximum Connections", "", NUMBER, 1015, 115),
    ("iis.errors.locked", Kind::Counter, "Total Locked Errors", "Locked Errors/sec", COUNTER, 1016, 116),
    ("iis.errors.notfound", Kind::Counter, "Total Not Found Errors", "Not Found Errors/sec", COUNTER, 1017, 117),
    ("iis.files.sent", Kind::Counter, "Total Files Sent", "Files Sent/sec", COUNTER, 1018, 118),
    ("iis.files.received", Kind::Counter, "Total Files Received", "Files Received/sec", COUNTER, 1019, 119),
    ("iis.users.anonymous", Kind::Gauge, "Current Anonymous Users", "", NUMBER, 1020, 120),
    ("iis.users.nonanonymous", Kind::Gauge, "Current NonAnonymous Users", "", NUMBER, 1021, 121),
    ("iis.logons", Kind::Counter, "Total Logon Attempts", "Logon Attempts/sec", COUNTER, 1022, 122),
    ("iis.service.uptime", Kind::Gauge, "Service Uptime", "", NUMBER, 3_000_000_000, 2_900_000_000),
];

const WEB_DAV: [(&str, &str, &str); 8] = [
    ("iis.requests.copy", "Total Copy Requests", "Copy Requests/sec"),
    ("iis.requests.lock", "Total Lock Requests", "Lock Requests/sec"),
    ("iis.requests.mkcol", "Total Mkcol Requests", "Mkcol Requests/sec"),
    ("iis.requests.move", "Total Move Requests", "Move Requests/sec"),
    ("iis.requests.propfind", "Total Propfind Requests", "Propfind Requests/sec"),
    ("iis.requests.proppatch", "Total Proppatch Requests", "Proppatch Requests/sec"),
    ("iis.requests.search", "Total Search Requests", "Search Requests/sec"),
    ("iis.requests.unlock", "Total Unlock Requests", "Unlock Requests/sec"),
];

/// Everything above, under the first or the second name of each counter; of WebDAV nothing happened.
fn whole(second: u64, by_rate: bool) -> Table {
    let mut columns: Vec<(&str, u32)> = Vec::new();
    let (mut total, mut site) = (Vec::new(), Vec::new());
    for (_, _, sum, rate, kind, of_all, of_one) in CASES {
        let of_sum = if kind == BULK { NUMBER | 0x100 } else { NUMBER };
        columns.push(if by_rate && !rate.is_empty() { (rate, kind) } else { (sum, of_sum) });
        total.push(of_all);
        site.push(of_one);
    }
    for (_, sum, rate) in WEB_DAV {
        columns.push(if by_rate { (rate, COUNTER) } else { (sum, NUMBER) });
        total.push(0);
        site.push(0);
    }
    table(second, &columns, &[("_Total", &total), ("Default Web Site", &site)])
}

#[test]
fn every_default_metric_of_a_site_and_of_all_of_them() {
    for by_rate in [false, true] {
        let fake = Fake::default();
        fake.set("Web Service", Ok(whole(0, by_rate)));
        let said = cycle(&mut iis(&fake, "{}"), Sets::EXTENDED);
        for (metric, kind, _, _, _, of_all, of_one) in CASES {
            for (tags, expected) in [("site=_Total", of_all), ("site=Default_Web_Site", of_one)] {
                let found = find(&said, metric, tags);
                assert_eq!(found.len(), 1, "{metric} {tags}");
                assert_eq!(
                    (found[0].value.get(), found[0].kind),
                    (crate::collect::float(expected), kind),
                    "{metric} {tags}"
                );
            }
        }
        for (metric, _, _) in WEB_DAV {
            assert_eq!(value(&said, metric, "site=_Total"), Some(0.0), "{metric}");
            assert_eq!(value(&said, metric, "site=Default_Web_Site"), None, "{metric}");
        }
        assert_eq!(said.samples.len(), 2 * CASES.len() + WEB_DAV.len());
        assert!(said.problems.is_empty());
    }
}

#[test]
fn freedomkks_names_are_in_its_set_with_its_zeros() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(whole(0, true)));
    let said = cycle(&mut iis(&fake, r#"{"collector": {"names": ["freedomkk"]}}"#), Sets::FREEDOMKK);
    let own = [
        "iis.bytes.total",
        "iis.requests.patch",
        "iis.requests.other",
        "iis.requests.total",
        "iis.connections.max",
        "iis.files.sent",
        "iis.files.received",
        "iis.users.anonymous",
        "iis.users.nonanonymous",
        "iis.logons",
    ];
    assert!(said.samples.iter().all(|sample| !own.contains(&&*sample.metric)));
    assert_eq!(said.samples.len(), 2 * (CASES.len() - own.len() + WEB_DAV.len()));
    assert_eq!(value(&said, "iis.requests.lock", "site=Default_Web_Site"), Some(0.0));
}

#[test]
fn the_python_agents_names_are_unsigned_and_of_all_sites() {
    let fake = Fake::default();
    let columns = [
        ("Current Anonymous Users", NUMBER),
        ("Current Connections", NUMBER),
        ("Current NonAnonymous Users", NUMBER),
        ("Total Get Requests", NUMBER),
        ("Total Head Requests", NUMBER),
        ("Total Post Requests", NUMBER),
        ("Service Uptime", NUMBER),
    ];
    let set = |second, gets: u64| {
        let rows: [(&str, &[u64]); 2] =
            [("_Total", &[3, 4, 5, gets, 2_147_483_649, 4_294_967_295, 9]), ("a", &[1, 1, 1, 1, 1, 1, 9])];
        fake.set("Web Service", Ok(table(second, &columns, &rows)));
    };
    set(0, 3_000_000_000);
    let mut collector = iis(&fake, "{}");
    let said = cycle(&mut collector, Sets::WINDOWS_AGENT);
    let expected = [
        ("iis.web_service.current_anonymous_users", 3.0),
        ("iis.web_service.current_connections", 4.0),
        ("iis.web_service.total.current_nonanonymous_users", 5.0),
        ("iis.web_service.total_get_reqeusts", 3_000_000_000.0),
        ("iis.web_service.total.total_head_requests", 2_147_483_649.0),
        ("iis.web_service.total_post_requests", 4_294_967_295.0),
    ];
    for (metric, number) in expected {
        let found = find(&said, metric, "");
        assert_eq!(found.len(), 1, "{metric}");
        assert_eq!((found[0].value.get(), found[0].kind), (number, Kind::Gauge), "{metric}");
    }
    assert_eq!(said.samples.len(), expected.len(), "and nothing of a site");
    // The counter's own wrap shows there, and the COUNTER beside it goes on.
    set(60, 3_000_000_100);
    let said = cycle(&mut collector, Sets::ALL);
    assert_eq!(value(&said, "iis.requests.get", "site=_Total"), Some(3_000_000_100.0));
    set(120, 4_000_000_000);
    cycle(&mut collector, Sets::ALL);
    set(180, 5);
    let said = cycle(&mut collector, Sets::ALL);
    assert_eq!(value(&said, "iis.web_service.total_get_reqeusts", ""), Some(5.0));
    assert_eq!(value(&said, "iis.requests.get", "site=_Total"), Some(4_294_967_301.0));
}

fn gets(second: u64, rows: &[(&str, &[u64])]) -> Table {
    table(second, &[("Total Get Requests", NUMBER), ("Service Uptime", NUMBER), ("Total Copy Requests", NUMBER)], rows)
}

fn sites(said: &Collected) -> Vec<(String, f64)> {
    said.samples
        .iter()
        .filter(|sample| sample.metric == "iis.requests.get")
        .map(|sample| (sample.tags.as_str().replacen("site=", "", 1), sample.value.get()))
        .collect()
}

fn pairs(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// With two rows of one name another agent failed as a whole, and their sum counts twice what was never asked.
#[test]
fn of_equal_names_the_one_with_the_longest_uptime_is_told() {
    let fake = Fake::default();
    let rows: [(&str, &[u64]); 6] = [
        ("_Total", &[100, 50, 0]),
        ("shop", &[30, 0, 0]),
        ("shop", &[20, 40, 0]),
        ("shop", &[25, 10, 0]),
        ("old", &[8, 0, 0]),
        ("old", &[9, 0, 0]),
    ];
    fake.set("Web Service", Ok(gets(0, &rows)));
    let mut collector = iis(&fake, "{}");
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!(sites(&said), pairs(&[("_Total", 100.0), ("shop", 20.0), ("old", 8.0)]));
    let rows: [(&str, &[u64]); 3] = [("_Total", &[100, 50, 0]), ("shop", &[21, 100, 0]), ("old", &[8, 0, 0])];
    fake.set("Web Service", Ok(gets(60, &rows)));
    assert_eq!(
        sites(&cycle(&mut collector, Sets::EXTENDED)),
        pairs(&[("_Total", 100.0), ("shop", 21.0), ("old", 8.0)])
    );
}

/// A site that was made anew and then stopped was told of by what is left of the one before it, which had counted far more.
#[test]
fn of_equal_names_that_are_all_stopped_the_one_before_goes_on() {
    let fake = Fake::default();
    let mut collector = iis(&fake, "{}");
    let mut shop = |second: u64, rows: &[(&str, &[u64])]| {
        fake.set("Web Service", Ok(gets(second, rows)));
        sites(&cycle(&mut collector, Sets::EXTENDED))
    };
    assert_eq!(shop(0, &[("shop", &[5000, 0, 0]), ("shop", &[20, 40, 0])]), pairs(&[("shop", 20.0)]));
    assert_eq!(shop(60, &[("shop", &[5000, 0, 0]), ("shop", &[22, 0, 0])]), pairs(&[("shop", 22.0)]));
    assert_eq!(shop(120, &[("shop", &[22, 0, 0])]), pairs(&[("shop", 22.0)]));
    assert_eq!(shop(180, &[("shop", &[22, 0, 0]), ("shop", &[7, 0, 0])]), pairs(&[("shop", 22.0)]));
}

#[test]
fn names_of_any_script_and_those_like_the_total_or_like_a_number_of_it() {
    let fake = Fake::default();
    let rows: [(&str, &[u64]); 8] = [
        ("_Total", &[100, 50, 0]),
        ("商城 首页", &[1, 1, 0]),
        ("a,b='c'", &[2, 1, 0]),
        ("shop#2", &[3, 1, 0]),
        ("_Total", &[4, 1, 0]),
        ("__Total__", &[5, 1, 0]),
        ("Größe", &[6, 1, 0]),
        ("", &[7, 1, 0]),
    ];
    fake.set("Web Service", Ok(gets(0, &rows)));
    let said = cycle(&mut iis(&fake, "{}"), Sets::EXTENDED);
    let expected =
        [("_Total", 100.0), ("商城_首页", 1.0), ("a_b__c_", 2.0), ("shop#2", 3.0), ("__Total__", 5.0), ("Größe", 6.0)];
    assert_eq!(sites(&said), pairs(&expected));
}

#[test]
fn a_choice_of_sites_leaves_the_totals_alone() {
    let fake = Fake::default();
    let rows: [(&str, &[u64]); 5] = [
        ("_Total", &[100, 50, 0]),
        ("Default Web Site", &[1, 1, 0]),
        ("shop-eu", &[2, 1, 0]),
        ("shop-test", &[3, 1, 0]),
        ("other", &[4, 1, 0]),
    ];
    fake.set("Web Service", Ok(gets(0, &rows)));
    let file = r#"{"iis": {"websites": ["default web site", "shop-*", "gone"], "exclude": ["*-test", "other"]}}"#;
    let said = cycle(&mut iis(&fake, file), Sets::EXTENDED.and(Sets::WINDOWS_AGENT));
    assert_eq!(sites(&said), pairs(&[("_Total", 100.0), ("Default_Web_Site", 1.0), ("shop-eu", 2.0)]));
    assert_eq!(value(&said, "iis.web_service.total_get_reqeusts", ""), Some(100.0));
    let missed: Vec<_> = remarks(&said).into_iter().filter(|(what, _)| what.starts_with("site ")).collect();
    assert_eq!(missed, [("site gone", "fits no site of this host")]);
    let said = cycle(&mut iis(&fake, r#"{"iis": {"exclude": ["shop-*", "_Total"]}}"#), Sets::EXTENDED);
    assert_eq!(sites(&said), pairs(&[("_Total", 100.0), ("Default_Web_Site", 1.0), ("other", 4.0)]));
}

#[test]
fn more_sites_than_the_limit_are_left_out_and_the_total_is_not_one_of_them() {
    let fake = Fake::default();
    let rows: [(&str, &[u64]); 4] =
        [("_Total", &[100, 50, 0]), ("a", &[1, 1, 0]), ("b", &[2, 1, 0]), ("c", &[3, 1, 0])];
    fake.set("Web Service", Ok(gets(0, &rows)));
    let context = context(&fake, r#"{"collector": {"limits": {"sites": 2}}}"#);
    let mut collector = open(&context, || true).unwrap();
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!(sites(&said), pairs(&[("_Total", 100.0), ("a", 1.0), ("b", 2.0)]));
    assert_eq!(context.stats.series_dropped[crate::collect::Guarded::Sites as usize].get(), 1);
    assert!(said.remarks.iter().any(|(what, _)| what == "too many sites"));
}

#[test]
fn a_verb_of_webdav_loses_nothing_at_its_first_use() {
    let fake = Fake::default();
    let mut collector = iis(&fake, "{}");
    let set = |second, copies: u64| {
        let rows: [(&str, &[u64]); 2] = [("_Total", &[9, 9, copies]), ("a", &[9, 9, copies])];
        fake.set("Web Service", Ok(gets(second, &rows)));
    };
    let copies = |said: &Collected, tags: &str| -> Vec<(f64, i64)> {
        find(said, "iis.requests.copy", tags).iter().map(|sample| (sample.value.get(), sample.at)).collect()
    };
    for second in [0, 60] {
        set(second, 0);
        let said = cycle(&mut collector, Sets::EXTENDED);
        assert_eq!((copies(&said, "site=_Total"), copies(&said, "site=a")), (vec![(0.0, 0)], vec![]));
    }
    set(120, 5);
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert_eq!((copies(&said, "site=_Total"), copies(&said, "site=a")), (vec![(5.0, 0)], vec![(0.0, -60), (5.0, 0)]));
    set(180, 5);
    assert_eq!(copies(&cycle(&mut collector, Sets::EXTENDED), "site=a"), [(5.0, 0)]);
}

#[test]
fn what_few_look_at_is_said_where_it_is_switched_on() {
    let fake = Fake::default();
    let columns = [
        ("Current ISAPI Extension Requests", NUMBER),
        ("Current CGI Requests", NUMBER),
        ("Current Blocked Async I/O Requests", NUMBER),
        ("Service Uptime", NUMBER),
    ];
    let rows: [(&str, &[u64]); 3] = [("_Total", &[6, 7, 8, 60]), ("up", &[1, 2, 3, 60]), ("down", &[0, 0, 0, 0])];
    fake.set("Web Service", Ok(table(0, &columns, &rows)));
    let mut collector = iis(&fake, "{}");
    let names = ["iis.isapi.current", "iis.cgi.current", "iis.async_io.blocked", "iis.site.state"];
    let said = cycle(&mut collector, Sets::EXTENDED);
    assert!(said.samples.iter().all(|sample| !names.contains(&&*sample.metric)));
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    let values = |tags: &str| names.map(|metric| value(&said, metric, tags));
    assert_eq!(values("site=_Total"), [Some(6.0), Some(7.0), Some(8.0), None]);
    assert_eq!(values("site=up"), [Some(1.0), Some(2.0), Some(3.0), Some(1.0)]);
    assert_eq!(values("site=down"), [Some(0.0), Some(0.0), Some(0.0), Some(0.0)]);
}

#[test]
fn a_service_without_a_site_says_nothing() {
    let fake = Fake::default();
    fake.set("Web Service", Ok(gets(0, &[])));
    let said = cycle(&mut iis(&fake, r#"{"iis": {"websites": ["shop"]}}"#), Sets::EXTENDED);
    assert!(said.samples.is_empty() && said.problems.is_empty());
    assert!(tags(&said, "iis.requests.get").is_empty());
    let told = ["object Web Service Cache", "object ASP.NET", "object ASP.NET Applications"];
    assert_eq!(remarks(&said).iter().map(|(what, _)| *what).collect::<Vec<_>>(), told);
}
