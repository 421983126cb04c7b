//! Transfers and hbs that answer, but not as they should.

use serde_json::json;

use crate::harness::agent::{Agent, RSS_LIMIT_KB};
use crate::harness::items::Item;
use crate::harness::servers::{Call, Does, Fault, Manner, Server};

const SILENT: Does = Does::Fails(Fault::Silent);

/// What a server may say to the first call on a connection, none of it an answer.
fn faults() -> Vec<Does> {
    let endless = [br#"{"id":0,"result":{"Message":""#.as_slice(), &vec![b'x'; 6 << 20]].concat();
    let deep = [br#"{"id":0,"result":"#.as_slice(), &vec![b'['; 1 << 20]].concat();
    let said = [
        b"".to_vec(),
        b"hello\n".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\xff\xfe\x00".to_vec(),
        br#"{"id":0,"result":{"Mess"#.to_vec(),
        br#"{"id":7,"result":{"Message":"ok","Total":1,"Invalid":0,"Latency":0},"error":null}"#.to_vec(),
        br#"{"id":null,"result":{"Message":"ok","Total":1,"Invalid":0,"Latency":0},"error":null}"#.to_vec(),
        br#"{"id":0,"result":null,"error":null}"#.to_vec(),
        br#"{"id":0,"result":[7],"error":null}"#.to_vec(),
        b"[1,2,3]\n".to_vec(),
        b"null\n".to_vec(),
        endless,
        deep,
    ];
    said.map(|bytes| Does::Fails(Fault::Says(bytes))).into()
}

/// One address for each fault, all tried in one round; then all of them are taken over by good servers.
#[test]
fn faulty_transfers_are_told_once_and_cost_no_point() {
    let servers: Vec<Server> = faults().into_iter().map(Server::start).collect();
    let addrs: Vec<&str> = servers.iter().map(|server| server.addr.as_str()).collect();
    let agent = Agent::start(&json!({ "hostname": "h", "transfer": { "addrs": addrs, "interval": 1 } }));
    agent.wait("a call to every server", || {
        agent.assert_healthy();
        servers.iter().all(|server| server.faulty_calls() > 0).then_some(())
    });
    agent.push(&json!([{ "endpoint": "app", "metric": "pushed", "value": 1, "step": 60, "counterType": "GAUGE" }]));
    agent.wait_for_lines("points wait until a transfer answers", 1);
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
    turn_good(&servers);
    let items = agent.wait("the points that waited", || {
        let items: Vec<Item> = servers.iter().flat_map(updates).flat_map(items).collect();
        let has = |metric: &str| items.iter().any(|item| item.metric == metric);
        (has("pushed") && has("agent.alive")).then_some(items)
    });
    assert_eq!(items.iter().filter(|item| item.metric == "pushed").count(), 1);
    // The answer comes after the points, and the line after the answer.
    agent.wait_for_lines("points are being sent", 1);
    assert_eq!(agent.warnings("transfer").len(), 1, "{}", agent.state());
    assert_eq!(agent.lines("points are being sent").len(), 1, "{}", agent.state());
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
    assert_eq!(agent.terminate().code, Some(0));
}

/// As slow ones as there are.
fn turn_good(servers: &[Server]) {
    servers.iter().for_each(|server| server.does(Does::Answers(Manner::Bytewise)));
}

/// Its calls that were answered, but those that only ask whether it is there.
fn updates(server: &Server) -> Vec<Call> {
    server.calls().into_iter().filter(|call| call.answered && !call.text.contains("Transfer.Ping")).collect()
}

/// The items of one call, as the agent wrote it: one line, the Go client's members in their order.
fn items(call: Call) -> Vec<Item> {
    let text = &call.text;
    assert!(text.starts_with(r#"{"method":"Transfer.Update","params":[[{"endpoint":"#), "{text}");
    call.items
}

#[test]
fn a_faulty_hbs_is_told_once_and_holds_nothing_else_up() {
    let servers: Vec<Server> = faults().into_iter().map(Server::start).collect();
    let addrs: Vec<&str> = servers.iter().map(|server| server.addr.as_str()).collect();
    let agent = Agent::start(&json!({
        "hostname": "h", "heartbeat": { "addr": addrs, "interval": 1 }, "transfer": { "interval": 1 },
    }));
    agent.wait("a call to every server", || {
        agent.assert_healthy();
        servers.iter().all(|server| server.faulty_calls() > 0).then_some(())
    });
    agent.wait("a warning", || (!agent.warnings("hbs").is_empty()).then_some(()));
    turn_good(&servers);
    agent.wait_for_lines("this host is reported as h", 1);
    assert_eq!(agent.warnings("hbs").len(), 1, "{}", agent.state());
    let calls = servers.iter().flat_map(|server| server.calls()).filter(|call| call.answered);
    let reports: Vec<String> = calls.map(|call| call.text).collect();
    let is_call = |call: &String, method| call.starts_with(&format!("{{\"method\":\"Agent.{method}\",\"params\":[{{"));
    assert!(reports.iter().any(|call| is_call(call, "ReportStatus")), "{reports:?}");
    let known = ["ReportStatus", "BuiltinMetrics", "TrustableIps"];
    assert!(reports.iter().all(|call| known.iter().any(|method| is_call(call, method))), "{reports:?}");
    assert!(agent.rss_kb() < RSS_LIMIT_KB, "{} kB", agent.rss_kb());
}

/// A server that takes calls and never answers costs ten seconds and one line, and nobody else notices.
#[test]
fn a_silent_transfer_and_hbs_are_given_up_after_ten_seconds() {
    let (transfer, hbs) = (Server::start(SILENT), Server::start(SILENT));
    let agent = Agent::start(&json!({
        "hostname": "h",
        "heartbeat": { "addr": hbs.addr, "interval": 1 },
        "transfer": { "addrs": [transfer.addr], "interval": 1 },
    }));
    agent.wait("the end of their patience", || {
        agent.assert_healthy();
        let told = agent.lines("did not answer within 10 s").len();
        assert!(told <= 2, "{}", agent.state());
        (told == 2).then_some(())
    });
    transfer.turn_good();
    hbs.turn_good();
    agent.wait_for_lines("points are being sent", 1);
    agent.wait_for_lines("this host is reported as h", 1);
    let items = agent.wait("a call", || updates(&transfer).into_iter().next().map(items));
    assert!(!items.is_empty() && items.iter().all(|item| item.endpoint == "h"), "{items:?}");
    assert_eq!(agent.lines("did not answer").len(), 2, "{}", agent.state());
}
