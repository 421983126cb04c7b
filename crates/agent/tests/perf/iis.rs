//! Web sites and ASP.NET.

use falcon_perf_fixture::product::{ASP_NET, ASP_NET_APPLICATIONS, Shape, WEB_SERVICE};
use falcon_perf_fixture::registration::RegFile;
use falcon_perf_fixture::script::{Row, Value};

use crate::harness::peer::Peer;
use crate::seen::{Number, arrive, config, deaths, is, series};
use crate::windows::{Provider, Windows};

const G: u64 = 1_000_000_000;

/// What setup of IIS 10 writes of itself.
pub fn installed(file: RegFile) -> RegFile {
    let key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\InetStp";
    file.key(key).number("MajorVersion", 10).number("MinorVersion", 0)
}

/// A site: bytes, requests, connections and the time that it runs.
fn site(shape: &Shape, name: &str, sent: u64, gets: u64, connections: u64, uptime: u64) -> Row {
    let (sent, gets) = (Value::Is(sent), Value::Is(gets));
    let values = [
        ("Total Bytes Sent", sent),
        ("Bytes Sent/sec", sent),
        ("Total Get Requests", gets),
        ("Get Requests/sec", gets),
        ("Current Connections", Value::Is(connections)),
        ("Maximum Connections", Value::Is(connections + 100)),
        ("Service Uptime", Value::Is(uptime)),
    ];
    shape.row(name, &values)
}

/// Names with blanks, commas and signs of other languages; a site twice, stopped and started anew; a total beyond 32 bits,
/// and one of 32 bits that wraps between two queries.
#[test]
fn sites_and_their_total_arrive() {
    let mut providers = [Provider::new(0, "W3SVC")];
    let web = providers[0].object("Web Service", WEB_SERVICE);
    let windows = Windows::new(&providers, installed);
    let scripted = |gets: u64| {
        vec![web.many(vec![
            site(&web, "_Total", 7 * G, gets, 55, 9000),
            site(&web, "Default Web Site", 5 * G, 1, 1, 0),
            site(&web, "Default Web Site", 6 * G, gets, 40, 500),
            site(&web, "生产, A", G, 17, 15, 400),
        ])]
    };
    windows.script("W3SVC", scripted(4_294_967_290));
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    arrive(
        &peer,
        &agent,
        &[
            ("iis.bytes.sent/site=_Total COUNTER", Number::Is(7e9)),
            ("iis.bytes.sent/site=Default_Web_Site COUNTER", Number::Is(6e9)),
            ("iis.bytes.sent/site=生产__A COUNTER", Number::Is(1e9)),
            ("iis.requests.get/site=_Total COUNTER", Number::Is(4_294_967_290.0)),
            ("iis.requests.get/site=Default_Web_Site COUNTER", Number::Is(4_294_967_290.0)),
            ("iis.requests.get/site=生产__A COUNTER", is(17)),
            ("iis.requests.head/site=Default_Web_Site COUNTER", is(0)),
            ("iis.connections/site=_Total GAUGE", is(55)),
            ("iis.connections/site=Default_Web_Site GAUGE", is(40)),
            ("iis.connections.max/site=生产__A GAUGE", is(115)),
            ("iis.service.uptime/site=Default_Web_Site GAUGE", is(500)),
            ("iis.web_service.current_connections GAUGE", is(55)),
            ("iis.web_service.total_get_reqeusts GAUGE", Number::Is(4_294_967_290.0)),
            ("iis.web_service.total.total_head_requests GAUGE", is(0)),
        ],
    );
    // 2^32 + 10.
    windows.script("W3SVC", scripted(10));
    arrive(
        &peer,
        &agent,
        &[
            ("iis.requests.get/site=_Total COUNTER", Number::Is(4_294_967_306.0)),
            ("iis.requests.get/site=Default_Web_Site COUNTER", Number::Is(4_294_967_306.0)),
            ("iis.requests.get/site=生产__A COUNTER", is(17)),
        ],
    );
    // A site that is removed is said no more, and the others go on.
    windows.script("W3SVC", vec![web.many(vec![site(&web, "_Total", 8 * G, 20, 3, 9001)])]);
    let stamp = arrive(&peer, &agent, &[("iis.bytes.sent/site=_Total COUNTER", Number::Is(8e9))]);
    let later = peer.items().into_iter().filter(|item| item.timestamp >= stamp && item.tags.starts_with("site="));
    let tags: Vec<String> = later.map(|item| item.tags).collect();
    assert!(tags.iter().all(|tags| tags == "site=_Total"), "{tags:?}");
    let verbs = series(&peer, "iis.requests.propfind/");
    assert_eq!(verbs.into_iter().collect::<Vec<_>>(), ["iis.requests.propfind/site=_Total COUNTER"]);
    assert_eq!(agent.terminate().code, Some(0));
}

/// Applications are asked for beside the object that has one row; a rate is a number of its own under the old name.
#[test]
fn asp_net_arrives_under_old_and_new_names() {
    let mut providers = [Provider::new(0, "ASP.NET_4.0.30319")];
    let asp = providers[0].object("ASP.NET", ASP_NET);
    let apps = providers[0].object("ASP.NET Applications", ASP_NET_APPLICATIONS);
    let windows = Windows::new(&providers, installed);
    let global = asp.one(&[
        ("Application Restarts", Value::Is(3)),
        ("Applications Running", Value::Is(2)),
        ("Requests Current", Value::Is(12)),
        ("Requests Queued", Value::Is(4)),
        ("Requests Rejected", Value::Is(9)),
        ("Request Wait Time", Value::Is(15)),
        ("Request Execution Time", Value::Is(250)),
        ("Worker Process Restarts", Value::Is(1)),
    ]);
    let app = |name: &str, requests: u64| {
        apps.row(
            name,
            &[
                ("Requests/Sec", Value::Grows(requests, 200)),
                ("Requests Total", Value::Is(requests)),
                ("Errors Total", Value::Is(33)),
                ("Sessions Active", Value::Is(8)),
            ],
        )
    };
    let rows = vec![app("__Total__", 5000), app("_LM_W3SVC_1_ROOT_shop", 4000)];
    windows.script("ASP.NET_4.0.30319", vec![global, apps.many(rows)]);
    let peer = Peer::start();
    let agent = windows.start(&config(&peer));
    arrive(
        &peer,
        &agent,
        &[
            ("iis.asp.net.application.restarts GAUGE", is(3)),
            ("iis.asp.net.requests.current GAUGE", is(12)),
            ("iis.asp.net.request_queued GAUGE", is(4)),
            ("iis.asp.net.request_wait_time GAUGE", is(15)),
            ("iis.asp.net.request_execution_time GAUGE", is(250)),
            ("iis.asp.net.worker_process_restarts GAUGE", is(1)),
            ("iis.asp.net.applications.total.rps GAUGE", Number::About(200.0)),
            ("iis.asp.net.applications.total.errors GAUGE", is(33)),
            ("iis.asp.apps.running GAUGE", is(2)),
            ("iis.asp.requests.rejected COUNTER", is(9)),
            ("iis.asp.requests COUNTER", is(5000)),
            ("iis.asp.errors COUNTER", is(33)),
            ("iis.asp.sessions.active GAUGE", is(8)),
        ],
    );
    assert!(series(&peer, "iis.asp.app.").is_empty(), "applications are off");
    assert_eq!(deaths(&peer, &agent), 0.0);
    assert_eq!(agent.terminate().code, Some(0));
}
