//! What hbs assigns, from its first answer to the series at the transfer, with an hbs that says what it is told
//! ([`Hbs`](crate::harness::servers::Hbs)).

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::harness::agent::{Agent, Home};
use crate::harness::is_windows;
use crate::harness::items::Item;
use crate::harness::servers::hbs::{BUILTIN, PLUGINS, REPORT, TRUSTABLE};
use crate::harness::servers::{BlackHole, Dead, Does, Fault, Hbs, Server};

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
fn said(transfer: &Server) -> Option<BTreeSet<(String, i64)>> {
    let items = transfer.items();
    let stamps: BTreeSet<i64> = alive(&items).collect();
    let whole = *stamps.iter().rev().nth(1)?;
    Some(of_cycle(&items, whole))
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

/// With one answer more, and with the cycles that came after it: an answer that does not count changes nothing.
fn still_says(agent: &Agent, transfer: &Server, hbs: &Hbs, expected: &[(&str, i64)]) {
    asked_again(agent, hbs, 2);
    let asked = alive(&transfer.items()).max().unwrap_or_default();
    agent.wait("three cycles", || (alive(&transfer.items()).max()? >= asked + 3).then_some(()));
    let items = transfer.items();
    for stamp in alive(&items).filter(|stamp| (asked..asked + 3).contains(stamp)) {
        assert_eq!(of_cycle(&items, stamp), set(expected), "{stamp}\n{}", agent.state());
    }
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

/// An hbs of an older version, or a port that is not its: what it does not know costs nothing else.
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

#[test]
fn an_hbs_that_is_dead_or_a_black_hole_is_passed_over() {
    let (dead, hole) = (Dead::start(), BlackHole::start());
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1")]);
    let agent = Agent::start(&config(&transfer, &[&dead.addr, &hole.addr, hbs.addr()]));
    says(&agent, &transfer, &[("net.port.listen/port=1", 0)]);
    // Passed over, not dialled anew with each call.
    let reports = hbs.calls(REPORT).len();
    agent.wait("further reports", || (hbs.calls(REPORT).len() >= reports + 3).then_some(()));
    assert_eq!(agent.lines("R004 ").len(), 0, "one of them answers\n{}", agent.state());
    assert_eq!(agent.lines("this host is reported as").len(), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

/// In each of the ways in which an hbs goes away: refused, and silent on a connection that stays open.
#[test]
fn of_two_hbs_the_other_is_asked_and_the_first_again_when_that_one_goes() {
    let transfer = Server::good();
    let both = [Hbs::start(), Hbs::start()];
    both[0].assigns(&[("net.port.listen", "port=1")]);
    both[1].assigns(&[("net.port.listen", "port=2")]);
    let series: [[(&str, i64); 1]; 2] = [[("net.port.listen/port=1", 0)], [("net.port.listen/port=2", 0)]];
    let agent = Agent::start(&config(&transfer, &both.each_ref().map(Hbs::addr)));
    let used = || both.iter().position(|hbs| !hbs.calls(BUILTIN).is_empty());
    let first = agent.wait("a call", used);
    let other = 1 - first;
    says(&agent, &transfer, &series[first]);
    both[first].server().down();
    says(&agent, &transfer, &series[other]);
    both[first].server().up();
    let before = both[first].calls(REPORT).len();
    // It answers and is not left for one that was away a moment ago.
    still_says(&agent, &transfer, &both[other], &series[other]);
    assert_eq!(both[first].calls(REPORT).len(), before);
    both[other].server().does(Does::Fails(Fault::Silent));
    says(&agent, &transfer, &series[first]);
    assert!(both[first].calls(REPORT).len() > before);
    // Both away: what was assigned stays assigned, and reports go on when one is back.
    both[first].server().down();
    agent.wait_for_lines("WARN R004 hbs: ", 1);
    says(&agent, &transfer, &series[first]);
    let before = both[first].calls(REPORT).len();
    both[first].server().up();
    agent.wait("reports", || (both[first].calls(REPORT).len() > before).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// The first address is returned to by itself, half a minute and more after it was left.
#[test]
fn the_first_hbs_is_asked_again_when_it_is_back() {
    let transfer = Server::good();
    let both = [Hbs::start(), Hbs::start()];
    let agent = Agent::start(&config(&transfer, &both.each_ref().map(Hbs::addr)));
    let first = agent.wait("a report", || both.iter().position(|hbs| !hbs.calls(REPORT).is_empty()));
    both[first].server().down();
    agent.wait("the other", || (!both[1 - first].calls(REPORT).is_empty()).then_some(()));
    both[first].server().up();
    let before = both[first].calls(REPORT).len();
    agent.wait("the first", || (both[first].calls(REPORT).len() > before + 1).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn what_was_assigned_is_at_work_at_a_start_without_hbs_and_not_under_another_name() {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    hbs.assigns(&[("net.port.listen", "port=1"), ("net.port.listen", "port=2")]);
    hbs.trusts("10.0.0.5");
    let config = config(&transfer, &[hbs.addr()]);
    let agent = Agent::start(&config);
    let both = [("net.port.listen/port=1", 0), ("net.port.listen/port=2", 0)];
    says(&agent, &transfer, &both);
    let kept = || {
        fs::read_to_string(agent.dir().join("var/hbs.json"))
            .or_else(|_| fs::read_to_string(agent.dir().join("var/run/hbs.json")))
    };
    agent.wait("its notes", || kept().ok().filter(|notes| notes.contains("port=2") && notes.contains("10.0.0.5")));
    hbs.server().down();
    let (home, ended) = agent.stop_and_keep();
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    let restarted = |home: &Home, config: &Value, expected: &[(&str, i64)], ips: Value| -> Home {
        let before = transfer.items().len();
        let agent = Agent::start_in(home, config);
        agent.wait_for_lines("R004 ", 1);
        // Its first cycles are of the time before anybody answered.
        let cycles = || -> BTreeSet<i64> { alive(&transfer.items()[before..]).collect() };
        agent.wait("four cycles", || (cycles().len() >= 4).then_some(()));
        says(&agent, &transfer, expected);
        assert_eq!(agent.get("/ips").json()["data"], ips);
        agent.stop_and_keep().0
    };
    let home = restarted(&home, &config, &both, json!(["10.0.0.5"]));
    let mut renamed = config.clone();
    renamed["hostname"] = json!("renamed");
    let home = restarted(&home, &renamed, &[], Value::Null);
    // A file that somebody damaged is one without answers.
    let notes = ["var/hbs.json", "var/run/hbs.json"].map(|name| home.path().join(name));
    let notes = notes.iter().find(|path| path.exists()).expect("kept");
    fs::write(notes, "{").unwrap();
    let home = restarted(&home, &config, &[], Value::Null);
    // With an hbs again, it counts.
    hbs.server().up();
    hbs.assigns(&[("net.port.listen", "port=2")]);
    let agent = Agent::start_in(&home, &config);
    says(&agent, &transfer, &both[1..]);
    assert_eq!(agent.terminate().code, Some(0));
}
