//! What hbs assigns, from its first answer to the series at the transfer, with Go's own `net/rpc` and with an hbs that also
//! says what none should ([`Hbs`]).

mod away;

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::is_windows;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::harness::servers::hbs::{BUILTIN, PLUGINS, REPORT, TRUSTABLE};
use crate::harness::servers::{Hbs, Server};

/// Several cycles.
const RECENT: Duration = Duration::from_secs(5);
/// What hbs assigns.
const ASSIGNED: [&str; 3] = ["net.port.listen", "proc.num", "du.bs"];

/// Asked every second, by an agent whose cycle is one as well.
fn config(transfer: &Server, hbs: &[&str]) -> Value {
    json!({
        "hostname": "assigned",
        "heartbeat": { "enabled": true, "addr": hbs, "interval": 1, "timeout": 500 },
        "transfer": { "enabled": true, "addrs": [transfer.addr], "interval": 1, "replay_delay": 0 },
    })
}

/// `METRIC/TAGS` and value of what is assigned, of the newest cycle that has arrived as a whole: the one before the newest.
fn newest(items: &[Item]) -> Option<BTreeSet<(String, i64)>> {
    let stamps: BTreeSet<i64> = alive(items).collect();
    let whole = *stamps.iter().rev().nth(1)?;
    Some(of_cycle(items, whole))
}

fn said(transfer: &Server) -> Option<BTreeSet<(String, i64)>> {
    newest(&since(transfer, transfer.now().saturating_sub(RECENT)))
}

/// What has arrived after a moment of the server's.
fn since(transfer: &Server, at: Duration) -> Vec<Item> {
    transfer.calls_since(at).into_iter().flat_map(|call| call.items).collect()
}

fn alive(items: &[Item]) -> impl Iterator<Item = i64> {
    items.iter().filter(|item| item.metric == "agent.alive").map(|item| item.timestamp)
}

fn of_cycle(items: &[Item], stamp: i64) -> BTreeSet<(String, i64)> {
    let of = items.iter().filter(|item| item.timestamp == stamp && ASSIGNED.contains(&item.metric.as_str()));
    of.map(|item| {
        assert_eq!((item.counter_type.as_str(), item.step), ("GAUGE", 1), "{item:?}");
        (format!("{}/{}", item.metric, item.tags), item.value as i64)
    })
    .collect()
}

fn set(series: &[(&str, i64)]) -> BTreeSet<(String, i64)> {
    series.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// Waits for a cycle that says this and nothing else of what is assigned.
fn says(agent: &Agent, transfer: &Server, expected: &[(&str, i64)]) {
    let what = format!("a cycle with {expected:?} after {:?}", said(transfer));
    agent.wait(&what, || (said(transfer)? == set(expected)).then_some(()));
}

/// Waits until hbs was asked so often once more.
fn asked_again(agent: &Agent, hbs: &Hbs, times: usize) {
    let before = hbs.calls(BUILTIN).len();
    agent.wait("further calls", || (hbs.calls(BUILTIN).len() >= before + times).then_some(()));
}

/// With further answers, and in the cycles after them: an answer that does not count changes nothing.
fn still_says(agent: &Agent, transfer: &Server, hbs: &Hbs, expected: &[(&str, i64)]) {
    asked_again(agent, hbs, 2);
    let (at, from) = (transfer.now(), crate::now());
    let later = || since(transfer, at);
    agent.wait("three cycles", || (alive(&later()).filter(|stamp| *stamp > from).count() >= 3).then_some(()));
    let items = later();
    let said: BTreeSet<_> =
        alive(&items).filter(|stamp| *stamp > from).flat_map(|stamp| of_cycle(&items, stamp)).collect();
    assert_eq!(said, set(expected), "{}", agent.state());
}

#[test]
fn checks_appear_change_and_vanish() {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (listener.local_addr().unwrap().port(), socket.local_addr().unwrap().port());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("data"), [0; 1234]).unwrap();
    // A directory of Linux has a length.
    let bytes = 1234 + if is_windows() { 0 } else { fs::metadata(dir.path()).unwrap().len() };
    let bytes = i64::try_from(bytes).unwrap();
    let path = dir.path().display().to_string();

    let agent = Agent::start(&config(&transfer, &[hbs.addr()]));
    agent.wait("a cycle without any", || said(&transfer));
    says(&agent, &transfer, &[]);

    let (web, gone) = (format!("web={tcp}"), "port=1".to_owned());
    let du = format!("path={path}");
    // Of a name that no process has: the count of others differs from machine to machine.
    hbs.assigns(&[
        ("net.port.listen", &web),
        ("net.port.listen", &gone),
        ("proc.num", "name=no such program,cmdline=x"),
        ("du.bs", &du),
        ("net.port.listen", "port=http"),
        ("cpu.idle", ""),
    ]);
    let (tcp_series, du_series) = (format!("net.port.listen/port={tcp}"), format!("du.bs/path={path}"));
    let first: [(&str, i64); 4] = [
        (&tcp_series, 1),
        ("net.port.listen/port=1", 0),
        ("proc.num/name=no such program,cmdline=x", 0),
        (&du_series, bytes),
    ];
    says(&agent, &transfer, &first);
    agent.wait_for_lines("R006 hbs: the check net.port.listen/port=http is left out", 1);
    // Known by its checksum from now on, so that the answer is short.
    agent.wait("its checksum", || (hbs.calls(BUILTIN).last()?["Checksum"] == json!(hbs.checksum())).then_some(()));
    assert_eq!(hbs.calls(BUILTIN)[0], json!({ "Hostname": "assigned", "Checksum": "nil" }));
    still_says(&agent, &transfer, &hbs, &first);

    let udp_tags = format!("port={udp}");
    hbs.assigns(&[
        ("net.port.listen", &udp_tags),
        ("proc.num", "name=falcon-agent,cmdline=run"),
        ("du.bs", "path=/no/such"),
    ]);
    let series = format!("net.port.listen/port={udp}");
    let found = |at_least: i64| {
        let said = said(&transfer)?;
        let count = said.iter().find(|(name, _)| name == "proc.num/name=falcon-agent,cmdline=run")?.1;
        let rest: [(&str, i64); 3] =
            [(&series, 1), ("du.bs/path=/no/such", -1), ("proc.num/name=falcon-agent,cmdline=run", count)];
        (count >= at_least && said == set(&rest)).then_some(())
    };
    // Itself, and those of other tests.
    agent.wait("the new ones alone", || found(1));

    hbs.assigns(&[]);
    says(&agent, &transfer, &[]);
    assert_eq!(agent.lines("R006 ").len(), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

/// The Go agent's rule, by which two hbs with clocks that differ do not take turns in what they assign.
#[test]
fn an_answer_that_is_not_newer_or_has_no_time_changes_nothing() {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1")]);
    let agent = Agent::start(&config(&transfer, &[hbs.addr()]));
    let (one, two): ([_; 1], [_; 1]) = ([("net.port.listen/port=1", 0)], [("net.port.listen/port=2", 0)]);
    says(&agent, &transfer, &one);
    let first = hbs.checksum();
    // Its clock steps back while another strategy is made.
    hbs.is_ahead(-40);
    hbs.assigns(&[("net.port.listen", "port=2")]);
    still_says(&agent, &transfer, &hbs, &one);
    assert_eq!(hbs.calls(BUILTIN).last().unwrap()["Checksum"], json!(first));
    // Its database fails: an answer without a time.
    hbs.says(BUILTIN, json!({ "Metrics": null, "Checksum": "", "Timestamp": 0 }));
    still_says(&agent, &transfer, &hbs, &one);
    // The checksum that is known says that nothing is new, whatever the list says.
    let other = json!([{ "Metric": "net.port.listen", "Tags": "port=2" }]);
    hbs.says(BUILTIN, json!({ "Metrics": other, "Checksum": first, "Timestamp": crate::now() + 10 }));
    still_says(&agent, &transfer, &hbs, &one);
    hbs.speaks_freely();
    still_says(&agent, &transfer, &hbs, &one);
    hbs.is_ahead(0);
    says(&agent, &transfer, &two);
    assert_eq!(agent.terminate().code, Some(0));
}

/// What it says amiss costs neither what was known before nor the reports.
#[test]
fn trusted_addresses_and_plugins_are_asked_for_and_an_odd_answer_costs_itself() {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1")]);
    hbs.trusts("10.0.0.5,no address");
    hbs.runs(&["sys/ntp"]);
    let mut config = config(&transfer, &[hbs.addr()]);
    config["plugin"] = json!({ "enabled": true });
    let agent = Agent::start(&config);
    says(&agent, &transfer, &[("net.port.listen/port=1", 0)]);
    agent.wait("its addresses", || (agent.get("/ips").json()["data"] == json!(["10.0.0.5"])).then_some(()));
    agent.wait("plugins", || (!hbs.calls(PLUGINS).is_empty()).then_some(()));
    assert_eq!(hbs.calls(PLUGINS)[0], json!({ "Hostname": "assigned", "Checksum": "" }));
    assert_eq!(hbs.calls(TRUSTABLE)[0], json!({}));
    hbs.says(TRUSTABLE, json!(7));
    hbs.says(PLUGINS, json!({ "Plugins": null, "Timestamp": 0 }));
    hbs.says(BUILTIN, json!({ "Metrics": [null], "Checksum": [] }));
    let reports = hbs.calls(REPORT).len();
    agent.wait("further reports", || (hbs.calls(REPORT).len() >= reports + 3).then_some(()));
    assert_eq!(agent.get("/ips").json()["data"], json!(["10.0.0.5"]));
    hbs.speaks_freely();
    hbs.assigns(&[]);
    hbs.trusts("");
    says(&agent, &transfer, &[]);
    agent.wait("no addresses", || (agent.get("/ips").json()["data"] == json!([""])).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// With the checksum and the encoding of hbs itself.
#[test]
fn what_go_assigns_is_checked_until_it_takes_that_back() {
    let mut peer = Peer::start();
    let agent = Agent::start(&peer.config("assigned"));
    let checks = |tags: &[(&str, &str)]| -> Vec<Value> {
        tags.iter().map(|(metric, tags)| json!({ "Metric": metric, "Tags": tags })).collect()
    };
    let says = |peer: &Peer, expected: &[(&str, i64)]| {
        peer.wait(&format!("{expected:?}"), &agent, || (newest(&peer.items())? == set(expected)).then_some(()));
    };
    says(&peer, &[]);
    let both = checks(&[("du.bs", "path=/no/such"), ("net.port.listen", "port=1")]);
    peer.hbs_says(&json!({ "Metrics": both, "Trustable": "10.0.0.5,10.0.0.6" }));
    let first = [("du.bs/path=/no/such", -1), ("net.port.listen/port=1", 0)];
    says(&peer, &first);
    agent.wait("its addresses", || (agent.get("/ips").json()["data"] == json!(["10.0.0.5", "10.0.0.6"])).then_some(()));
    // Its clock steps back with another list; then it is right again.
    let other = checks(&[("proc.num", "name=no <such> & name")]);
    let asked = |peer: &Peer| peer.lines().iter().filter(|line| line["call"] == BUILTIN).count();
    peer.hbs_says(&json!({ "Metrics": other, "Ahead": -40 }));
    let before = asked(&peer);
    peer.wait("further calls", &agent, || (asked(&peer) >= before + 3).then_some(()));
    says(&peer, &first);
    peer.hbs_says(&json!({ "Metrics": other }));
    says(&peer, &[("proc.num/name=no <such> & name", 0)]);
    peer.hbs_says(&json!({}));
    says(&peer, &[]);
    assert_eq!(agent.terminate().code, Some(0));
}
