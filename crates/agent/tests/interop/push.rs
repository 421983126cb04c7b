//! What local programs push, as it arrives at Go's transfer.

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::now;

fn point(endpoint: &str, metric: &str) -> Value {
    json!({
        "endpoint": endpoint, "metric": metric, "value": 1, "step": 60, "counterType": "GAUGE", "tags": "",
        "timestamp": now() - 7,
    })
}

fn with(mut point: Value, member: &str, value: Value) -> Value {
    point[member] = value;
    point
}

/// An agent whose own cycles do not get in the way.
fn start(peer: &Peer) -> Agent {
    let mut config = peer.config("pushed-to");
    config["transfer"]["interval"] = json!(3600);
    Agent::start(&config)
}

fn arrived(peer: &Peer, agent: &Agent, endpoint: &str, count: usize) -> Vec<Item> {
    let what = format!("{count} points of {endpoint}");
    let items = peer.wait(&what, agent, || Some(peer.items_of(endpoint)).filter(|items| items.len() >= count));
    assert_eq!(items.len(), count, "{items:?}");
    items
}

#[test]
fn a_push_arrives_as_it_was_said() {
    let peer = Peer::start();
    let mut config = peer.config("pushed-to");
    config["ignore"] = json!({ "app.qps": true });
    config["default_tags"] = json!({ "idc": "bj" });
    let agent = Agent::start(&config);
    let stamp = now() - 100;
    agent.push(&json!([
        { "endpoint": "app", "metric": "app.qps", "value": -12.5, "step": 30, "counterType": "COUNTER", "tags": "p=1",
          "timestamp": stamp, "unknown": { "a": [1, 2] } },
        { "endpoint": "app", "metric": "text", "value": "1.5", "step": 60, "counterType": "DERIVE", "tags": "",
          "timestamp": stamp },
        { "Endpoint": "app", "METRIC": "case", "Value": 3, "Step": 60, "CounterType": "GAUGE", "TimeStamp": stamp },
    ]));
    let items = arrived(&peer, &agent, "app", 3);
    let expected = |metric: &str, value: f64, step: i64, counter_type: &str, tags: &str| Item {
        endpoint: "app".to_owned(),
        metric: metric.to_owned(),
        value,
        step,
        counter_type: counter_type.to_owned(),
        tags: tags.to_owned(),
        timestamp: stamp,
    };
    assert_eq!(items[0], expected("app.qps", -12.5, 30, "COUNTER", "p=1,idc=bj"), "`ignore` is for collected points");
    assert_eq!(items[1], expected("text", 1.5, 60, "DERIVE", "idc=bj"));
    assert_eq!(items[2], expected("case", 3.0, 60, "GAUGE", "idc=bj"));
    assert!(agent.get("/ui/series").text().contains("\"push app\""));
}

#[test]
fn points_that_no_transfer_would_take_are_left_out_and_counted() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("pushed-to"));
    let good = || point("app", "good");
    agent.push(&json!([
        good(),
        null,
        with(good(), "metric", json!("")),
        with(good(), "metric", json!("kernel.hostname")),
        with(good(), "endpoint", json!("")),
        with(good(), "counterType", json!("gauge")),
        with(good(), "step", json!(0)),
        with(good(), "value", json!(true)),
        with(good(), "value", json!("NaN")),
        with(good(), "value", json!(null)),
        with(good(), "tags", json!("t".repeat(507))),
        with(good(), "tags", json!("t".repeat(506))),
    ]));
    let items = arrived(&peer, &agent, "app", 2);
    assert_eq!((items[0].tags.len(), items[1].tags.len()), (0, 506));
    // The log is written by a thread of its own.
    agent.wait_for_lines("points left out", 8);
    assert_eq!(agent.lines("points left out").len(), 8, "one line a reason: {}", agent.state());
    let sample = "push: 1 points left out: step is not positive, the first of them item 6, app/good (told once)";
    assert_eq!(agent.lines(sample).len(), 1, "{}", agent.state());
    peer.wait("its count", &agent, || {
        peer.items().iter().any(|item| item.metric == "agent.push.invalid" && item.value == 10.0).then_some(())
    });
    assert!(peer.updates().iter().all(|update| update.invalid == 0), "the transfer never sees them");
}

#[test]
fn twelve_hundred_points_arrive_in_order_and_in_calls_of_at_most_five_hundred() {
    let peer = Peer::start();
    let agent = start(&peer);
    let points: Vec<Value> = (0..1200).map(|n| with(point("bulk", &format!("m{n}")), "value", json!(n))).collect();
    let stamp = json!(now());
    agent.push(&points.into_iter().map(|point| with(point, "timestamp", stamp.clone())).collect());
    let items = arrived(&peer, &agent, "bulk", 1200);
    for (n, item) in items.iter().enumerate() {
        assert_eq!(item.metric, format!("m{n}"));
    }
    let sizes: Vec<usize> = peer.updates().iter().map(|update| update.items.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 500), "{sizes:?}");
}

#[test]
fn text_arrives_byte_for_byte() {
    let peer = Peer::start();
    let agent = start(&peer);
    let tags = [
        "机房=北京,磁盘=D盘 数据",
        "emoji=🙂,html=<a&b>",
        "separators=\u{2028}\u{2029}",
        "quoted=\"x\\y\"",
        "control=\t\r\n\u{0}",
        "k=v,,=,novalue, x = y ",
    ];
    agent.push(&tags.iter().map(|tags| with(point("文字", "m"), "tags", json!(tags))).collect());
    let items = arrived(&peer, &agent, "文字", tags.len());
    assert_eq!(items.iter().map(|item| item.tags.as_str()).collect::<Vec<_>>(), tags);
}

#[test]
fn timestamps_that_a_transfer_would_replace_are_replaced() {
    let peer = Peer::start();
    let agent = start(&peer);
    let start = now();
    let stamps = [json!(0), json!(-1), json!(start * 1000), json!(null), json!(start - 86_400), json!(start + 86_400)];
    agent.push(&stamps.iter().map(|stamp| with(point("clock", "m"), "timestamp", stamp.clone())).collect());
    let items = arrived(&peer, &agent, "clock", stamps.len());
    let seen: Vec<i64> = items.iter().map(|item| item.timestamp).collect();
    let [late, received @ .., early] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((*late, *early), (start - 86_400, start + 86_400), "late and early ones are kept, the oldest first");
    assert!(received.iter().all(|stamp| (start..=now()).contains(stamp)), "{seen:?}");
}

#[test]
fn bad_bodies_get_the_go_agents_answers() {
    let peer = Peer::start();
    let agent = start(&peer);
    let good = point("good", "m").to_string();
    let typed = |member: &str, value: Value| json!([with(point("bad", "m"), member, value)]).to_string();
    let refused = [
        "{}".to_owned(),
        "[".to_owned(),
        "x".to_owned(),
        " ".to_owned(),
        good.clone(),
        format!("[{good},1]"),
        typed("step", json!(60.0)),
        typed("step", json!("60")),
        typed("timestamp", json!("1")),
        typed("tags", json!({ "a": 1 })),
        typed("metric", json!(1)),
        typed("value", json!(1)).replace(r#""value":1"#, r#""value":1e400"#),
        typed("step", json!(1)).replace(r#""step":1"#, r#""step":9223372036854775808"#),
    ];
    for body in refused {
        let answer = agent.post(body.as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (400, "connot decode body\n"), "{body}");
        assert!(
            answer.head.to_ascii_lowercase().contains("content-type: text/plain; charset=utf-8"),
            "{}",
            answer.head
        );
    }
    let blank = agent.post(b"");
    assert_eq!((blank.status, blank.text().as_str()), (400, "body is blank\n"));
    assert_eq!(agent.get("/v1/push").text(), "body is blank\n");
    for body in ["[]", "null", "[null]", &format!("[{good}] and more")] {
        let answer = agent.post(body.as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{body}");
    }
    arrived(&peer, &agent, "good", 1);
    assert_eq!(peer.items_of("bad"), []);
}
