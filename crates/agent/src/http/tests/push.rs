//! What a push is told.

use super::*;
use crate::clock;
use serde_json::json;

fn item(change: &[(&str, serde_json::Value)]) -> serde_json::Value {
    let mut item: serde_json::Value = serde_json::from_str(ITEM).expect("an item");
    for (member, value) in change {
        item[member] = value.clone();
    }
    item
}

#[tokio::test]
async fn each_refused_item_is_named_with_its_reason() {
    let server = server().await;
    let items = json!([item(&[]), item(&[("step", json!(0))]), null, item(&[("value", json!("x"))]), item(&[])]);
    let told = server.push_json(&items.to_string()).await;
    let expected = json!({
        "msg": "success",
        "accepted": 2,
        "refused": [
            { "index": 1, "reason": "step is not positive" },
            { "index": 2, "reason": "the item is null" },
            { "index": 3, "reason": "value is not a finite number" },
        ],
        "refused_total": 3,
        "warnings": [],
    });
    assert_eq!(told, expected);
    assert_eq!((server.queue.items(), server.stats.push_accepted.get(), server.stats.push_invalid.get()), (2, 2, 3));
    assert_eq!(body(&server.push(&items.to_string()).await), "success", "to the Go agent's scripts");
}

#[tokio::test]
async fn the_list_of_refused_items_is_bounded_and_their_number_is_not() {
    let server = server().await;
    let told = server.push_json(&format!("[{}null]", "null,".repeat(1499))).await;
    assert_eq!((told["refused"].as_array().map(Vec::len), &told["refused_total"]), (Some(1000), &json!(1500)));
}

/// A clock an hour ahead: the servers then drop every true point of the series for an hour, and nobody was told.
#[tokio::test]
async fn what_servers_will_lose_is_told() {
    let server = server().await;
    let ahead = clock::unix_s() + 3600;
    let items = json!([
        item(&[("step", json!(10))]),
        item(&[("step", json!(29))]),
        item(&[("step", json!(30)), ("timestamp", json!(ahead))]),
        item(&[("timestamp", json!(clock::unix_s() + 30))]),
    ]);
    let told = server.push_json(&items.to_string()).await;
    let counts: Vec<_> = told["warnings"].as_array().expect("a list").iter().map(|w| w["count"].as_u64()).collect();
    assert_eq!((&told["accepted"], counts), (&json!(4), vec![Some(2), Some(1)]), "{told}");
    let reason = |n: usize| told["warnings"][n]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason(0).contains("below 30 s") && reason(1).contains("ahead"), "{told}");
    assert_eq!((server.stats.push_future.get(), server.queue.items()), (1, 4));
}

/// `default_tags` made the names of pushed points too long, and they were left out without a word.
#[tokio::test]
async fn default_tags_count() {
    let server = server_with(|config| config.default_tags = [("idc".to_owned(), "bj".to_owned())].into()).await;
    let tags = |bytes: usize| item(&[("tags", json!("t".repeat(bytes)))]);
    // The metric has one byte, ",idc=bj" seven.
    let told = server.push_json(&json!([tags(502), tags(503), tags(0), tags(510)]).to_string()).await;
    let reasons: Vec<_> =
        told["refused"].as_array().expect("a list").iter().map(|item| item["reason"].clone()).collect();
    let limit = "metric and tags are longer than 510 bytes";
    assert_eq!(reasons, [json!(format!("{limit} with default_tags")), json!(limit)]);
    assert_eq!((server.queue.items(), server.stats.too_long.get()), (2, 0), "the hub has nothing left to drop");
}

#[tokio::test]
async fn errors_are_json_for_those_who_asked_for_it() {
    let server = server().await;
    let refused = server.push_with(JSON, &format!("[{ITEM},{{\"step\":60.0}}]")).await;
    let told = parsed(&refused);
    assert_eq!(
        (status(&refused), &told["msg"], &told["offset"]),
        (400, &json!("connot decode body"), &json!(ITEM.len() + 10))
    );
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("60.0")), "{told}");
    assert_eq!((server.queue.items(), server.stats.push_refused.get()), (0, 1), "nothing of it is taken");
    assert_eq!(server.push_json("").await, json!({ "msg": "body is blank" }));
    let missing = server.get_with("/none", JSON).await;
    assert_eq!((status(&missing), parsed(&missing)), (404, json!({ "msg": "404 page not found" })));
    let declared =
        format!("POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{JSON}Content-Length: 1073741824\r\n\r\n[");
    let large = server.raw(&declared).await;
    assert!(
        status(&large) == 413 && parsed(&large)["msg"].as_str().is_some_and(|msg| msg.contains("http.limits.body"))
    );
}

#[tokio::test]
async fn a_body_too_large_is_refused_before_it_is_read() {
    let server = server().await;
    let declared = "POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1073741824\r\n\r\n[";
    assert!(server.raw(declared).await.starts_with("HTTP/1.1 413"));
    let most = 2 * Config::standalone().http.limits.body;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await.expect("sent");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while sent < most && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += chunk.len();
        tokio::task::yield_now().await;
    }
    let mut answer = vec![0; 12];
    // The server answers and closes while we still write: the answer can be lost to the reset, the end cannot.
    match stream.read_exact(&mut answer).await {
        Ok(_) => assert_eq!(answer, b"HTTP/1.1 413"),
        Err(_) => assert!(sent < most, "all of it was taken"),
    }
}

#[tokio::test]
async fn a_push_of_too_many_items_takes_nothing() {
    let server = server_with(|config| config.http.limits.items = 3).await;
    let refused = server.push(&format!("[{ITEM},null,{ITEM},{ITEM}]")).await;
    assert_eq!((status(&refused), server.queue.items(), server.stats.push_invalid.get()), (413, 0, 0), "{refused}");
    assert_eq!(status(&server.push(&format!("[{ITEM},{ITEM},{ITEM}]")).await), 200);
    // A wrong type stands behind the limit: it is not read so far.
    assert_eq!(status(&server.push("[null,null,null,null,7]").await), 413);
}

#[tokio::test]
async fn long_and_short_pushes_arrive_alike() {
    let server = server().await;
    let items = vec![ITEM; 2000].join(",");
    assert_eq!(body(&server.push(&format!("[{items}]")).await), "success");
    assert_eq!(server.queue.items(), 2000);
    assert_eq!(status(&server.push(&format!("[{items},1]")).await), 400);
    assert_eq!(server.queue.items(), 2000);
}

#[tokio::test]
async fn bodies_in_flight_are_bounded_over_all_connections() {
    let server = server_with(|config| config.http.limits.in_flight = 4096).await;
    let mut holder = server.connect().await;
    let head = "POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4096\r\n\r\n";
    holder.write_all(format!("{head}[{}", " ".repeat(4000)).as_bytes()).await.expect("sent");
    let push = format!("[{ITEM}]");
    let refused = loop {
        let answer = server.push_with(JSON, &push).await;
        if status(&answer) != 200 {
            break answer;
        }
    };
    assert_eq!((status(&refused), header(&refused, "retry-after")), (503, Some("1")), "{refused}");
    assert_eq!(parsed(&refused)["retry_after"], json!(1));
    assert!(server.stats.push_busy.get() > 0);
    // What was held is free as soon as the points are in the queue.
    holder.write_all(format!("{}]", " ".repeat(94)).as_bytes()).await.expect("sent");
    let mut answer = String::new();
    holder.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.ends_with("success"), "{answer}");
    assert_eq!(status(&server.push(&push).await), 200);
}

/// A client that was cut off in the middle of its body saw a broken pipe, and not that it should come again.
#[tokio::test]
async fn a_long_push_that_finds_no_room_is_told_so() {
    let server = server_with(|config| config.http.limits.in_flight = 1 << 20).await;
    let refused = server.push(&format!("[{ITEM}{}]", " ".repeat(7 << 20))).await;
    assert_eq!((status(&refused), header(&refused, "retry-after")), (503, Some("1")), "{refused}");
    assert_eq!(status(&server.push(&format!("[{ITEM}]")).await), 200, "and holds nothing any more");
}

#[tokio::test]
async fn a_client_that_pushes_too_fast_is_told_when_to_come_back() {
    let server = server_with(|config| config.http.limits.rate = 1).await;
    let push = format!("[{ITEM}]");
    assert_eq!(status(&server.push(&push).await), 200);
    let refused = server.push_with(JSON, &push).await;
    assert_eq!((status(&refused), header(&refused, "retry-after")), (429, Some("1")), "{refused}");
    assert_eq!((parsed(&refused)["retry_after"].as_u64(), server.queue.items()), (Some(1), 1));
    assert_eq!(body(&server.get("/health").await), "ok", "pushes are meant, and nothing else");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = server().await;
    let mut stream = server.connect().await;
    let head = format!("POST /v1/push HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 100\r\n\r\n[");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert_eq!((status(&answer), &parsed(&answer)["msg"]), (408, &json!("the body did not come within 30 s")));
}

#[tokio::test]
async fn chunked_and_split_pushes_arrive() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /v1/push HTTP/1.0\r\nContent-Length: ").await.expect("sent");
    stream.write_all(format!("{}\r\n\r\n[", ITEM.len() + 2).as_bytes()).await.expect("sent");
    for byte in ITEM.bytes() {
        stream.write_all(&[byte]).await.expect("sent");
    }
    stream.write_all(b"]").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.ends_with("success"), "{answer}");
}
