use super::*;
use crate::model::Kind;

const GLOBAL: [(&str, u64); 9] = [
    ("Application Restarts", 4),
    ("Applications Running", 5),
    ("Requests Current", 6),
    ("Request Execution Time", 2_500_000_000),
    ("Requests Queued", 8),
    ("Requests Rejected", 9),
    ("Request Wait Time", 10),
    ("Worker Process Restarts", 11),
    ("Worker Processes Running", 12),
];

const APPS: [(&str, u64); 20] = [
    ("Requests Total", 1001),
    ("Requests Failed", 1002),
    ("Requests Timed Out", 1003),
    ("Requests Not Authorized", 1004),
    ("Requests Not Found", 1005),
    ("Requests Succeeded", 1006),
    ("Requests Executing", 7),
    ("Errors Total", 3_000_000_008),
    ("Errors Unhandled During Execution", 1009),
    ("Sessions Active", 10),
    ("Sessions Abandoned", 1011),
    ("Sessions Timed Out", 1012),
    ("Sessions Total", 1013),
    ("Pipeline Instance Count", 14),
    ("Cache Total Hits", 1015),
    ("Cache Total Misses", 1016),
    ("Anonymous Requests", 1017),
    ("Request Bytes In Total", 1018),
    ("Request Bytes Out Total", 1019),
    ("Requests/Sec", 1001),
];

fn set(fake: &Fake, second: u64, more: u64) {
    let kind = |name: &str| if name == "Requests/Sec" { COUNTER } else { NUMBER };
    let columns: Vec<(&str, u32)> = GLOBAL.iter().map(|(name, _)| (*name, NUMBER)).collect();
    let values: Vec<u64> = GLOBAL.iter().map(|(_, value)| *value).collect();
    fake.set("ASP.NET", Ok(table(second, &columns, &[("", &values)])));
    let columns: Vec<(&str, u32)> = APPS.iter().map(|(name, _)| (*name, kind(name))).collect();
    let total: Vec<u64> = APPS.iter().map(|(_, value)| value + more).collect();
    let one: Vec<u64> = APPS.iter().map(|(_, value)| value / 2).collect();
    let rows: [(&str, &[u64]); 3] =
        [("__Total__", &total), ("_LM_W3SVC_1_ROOT", &one), ("_LM_W3SVC_2_ROOT_my shop", &one)];
    fake.set("ASP.NET Applications", Ok(table(second, &columns, &rows)));
}

#[test]
fn every_default_metric_of_all_applications() {
    let fake = Fake::default();
    set(&fake, 0, 0);
    let said = cycle(&mut iis(&fake, "{}"), Sets::EXTENDED);
    let expected = [
        ("iis.asp.apps.running", Kind::Gauge, 5.0),
        ("iis.asp.workers.running", Kind::Gauge, 12.0),
        ("iis.asp.requests.rejected", Kind::Counter, 9.0),
        ("iis.asp.requests", Kind::Counter, 1001.0),
        ("iis.asp.requests.failed", Kind::Counter, 1002.0),
        ("iis.asp.requests.timed_out", Kind::Counter, 1003.0),
        ("iis.asp.requests.not_authorized", Kind::Counter, 1004.0),
        ("iis.asp.requests.not_found", Kind::Counter, 1005.0),
        ("iis.asp.requests.succeeded", Kind::Counter, 1006.0),
        ("iis.asp.requests.executing", Kind::Gauge, 7.0),
        ("iis.asp.errors", Kind::Counter, 3_000_000_008.0),
        ("iis.asp.errors.unhandled", Kind::Counter, 1009.0),
        ("iis.asp.sessions.active", Kind::Gauge, 10.0),
        ("iis.asp.sessions.abandoned", Kind::Counter, 1011.0),
        ("iis.asp.sessions.timed_out", Kind::Counter, 1012.0),
        ("iis.asp.sessions.total", Kind::Counter, 1013.0),
        ("iis.asp.pipelines", Kind::Gauge, 14.0),
        ("iis.asp.cache.hits", Kind::Counter, 1015.0),
        ("iis.asp.cache.misses", Kind::Counter, 1016.0),
    ];
    for (metric, kind, number) in expected {
        let found = find(&said, metric, "");
        assert_eq!(found.len(), 1, "{metric}");
        assert_eq!((found[0].value.get(), found[0].kind), (number, kind), "{metric}");
    }
    assert_eq!(said.samples.len(), expected.len());
}

#[test]
fn the_python_agents_names_with_a_rate_over_the_cycle() {
    let fake = Fake::default();
    set(&fake, 0, 0);
    let mut collector = iis(&fake, "{}");
    assert_eq!(value(&cycle(&mut collector, Sets::WINDOWS_AGENT), "iis.asp.net.applications.total.rps", ""), None);
    set(&fake, 60, 90);
    let said = cycle(&mut collector, Sets::WINDOWS_AGENT);
    let expected = [
        ("iis.asp.net.application.restarts", 4.0),
        ("iis.asp.net.requests.current", 6.0),
        ("iis.asp.net.request_execution_time", 2_500_000_000.0),
        ("iis.asp.net.request_queued", 8.0),
        ("iis.asp.net.request_wait_time", 10.0),
        ("iis.asp.net.worker_process_restarts", 11.0),
        ("iis.asp.net.applications.total.rps", 1.5),
        ("iis.asp.net.applications.total.errors", 3_000_000_098.0),
    ];
    for (metric, number) in expected {
        let found = find(&said, metric, "");
        assert_eq!(found.len(), 1, "{metric}");
        assert_eq!((found[0].value.get(), found[0].kind), (number, Kind::Gauge), "{metric}");
    }
    assert_eq!(said.samples.len(), expected.len());
}

#[test]
fn each_application_has_names_of_its_own_where_that_is_switched_on() {
    let fake = Fake::default();
    set(&fake, 0, 0);
    let said = cycle_of_all(&mut iis(&fake, "{}"), Sets::EXTENDED);
    let of_both = ["app=1".to_owned(), "app=2/my_shop".to_owned()];
    let metrics = [
        ("iis.asp.app.requests", 500.0),
        ("iis.asp.app.requests.failed", 501.0),
        ("iis.asp.app.requests.timed_out", 501.0),
        ("iis.asp.app.requests.not_authorized", 502.0),
        ("iis.asp.app.requests.not_found", 502.0),
        ("iis.asp.app.requests.succeeded", 503.0),
        ("iis.asp.app.requests.executing", 3.0),
        ("iis.asp.app.errors", 1_500_000_004.0),
        ("iis.asp.app.errors.unhandled", 504.0),
        ("iis.asp.app.sessions.active", 5.0),
        ("iis.asp.app.sessions.abandoned", 505.0),
        ("iis.asp.app.sessions.timed_out", 506.0),
        ("iis.asp.app.sessions.total", 506.0),
        ("iis.asp.app.pipelines", 7.0),
        ("iis.asp.app.cache.hits", 507.0),
        ("iis.asp.app.cache.misses", 508.0),
    ];
    for (metric, number) in metrics {
        assert_eq!(tags(&said, metric), of_both, "{metric}");
        assert_eq!(value(&said, metric, "app=1"), Some(number), "{metric}");
    }
    let details = [
        ("iis.asp.anonymous_requests", 1017.0),
        ("iis.asp.request.bytes.in", 1018.0),
        ("iis.asp.request.bytes.out", 1019.0),
    ];
    for (metric, number) in details {
        assert_eq!(value(&said, metric, ""), Some(number), "{metric}");
    }
    assert_eq!(value(&said, "iis.asp.requests", ""), Some(1001.0), "the total is no application");
}

#[test]
fn the_copies_with_a_version_are_not_asked_for() {
    let fake = Fake::default();
    set(&fake, 0, 0);
    cycle_of_all(&mut iis(&fake, "{}"), Sets::ALL);
    let objects: Vec<String> = fake
        .asked()
        .into_iter()
        .filter(|(group, _)| group == "aspnet")
        .flat_map(|(_, queries)| queries.into_iter().map(|query| query.object))
        .collect();
    assert_eq!(objects, ["ASP.NET", "ASP.NET Applications"]);
}

#[test]
fn more_applications_than_the_limit_are_left_out() {
    let fake = Fake::default();
    set(&fake, 0, 0);
    let said = cycle_of_all(&mut iis(&fake, r#"{"collector": {"limits": {"apps": 1}}}"#), Sets::EXTENDED);
    assert_eq!(tags(&said, "iis.asp.app.requests"), ["app=1"]);
    assert!(said.remarks.iter().any(|(what, _)| what == "too many apps"));
}
