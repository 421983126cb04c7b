//! What clients that do not go on cost others.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_cut_off_and_costs_nobody_else() {
    let server = server().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /health HTTP/1.1\r\nX-Slow").await.expect("sent");
        slow.push(stream);
    }
    assert_eq!(body(&server.get("/health").await), "ok");
    for mut stream in slow {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

/// 256 clients that asked for every series and never read it kept everybody else out, for as long as they liked.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_its_answer_is_cut_off() {
    let server = server().await;
    let items: Vec<String> = (0..9000).map(|n| ITEM.replace("\"m\"", &format!("\"m{n}\""))).collect();
    assert!(server.push(&format!("[{}]", items.join(","))).await.ends_with("success"));
    let mut asked = Vec::new();
    for _ in 0..8 {
        // Requests in a row: their answers together fit no socket buffer.
        let mut stream = server.connect().await;
        stream.write_all("GET /ui/series HTTP/1.1\r\nHost: x\r\n\r\n".repeat(16).as_bytes()).await.expect("sent");
        asked.push(stream);
    }
    let limits = Config::standalone().http.limits;
    tokio::time::sleep(Duration::from_millis(limits.body_timeout + limits.header_timeout)).await;
    for mut stream in asked {
        let mut taken = Vec::new();
        let _ = stream.read_to_end(&mut taken).await;
        let answers = taken.windows(15).filter(|part| part == b"HTTP/1.1 200 OK").count();
        assert!(answers < 16, "{answers} answers were kept");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_its_place_is_free_again() {
    let server = server().await;
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.push(server.connect().await);
    }
    for mut stream in idle {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    assert_eq!((body(&server.get("/health").await), server.stats.http_refused.get()), ("ok", 0));
}

/// 256 connections that idled kept everybody else out for 15 s, and again after that.
#[tokio::test]
async fn any_number_of_idle_connections_keeps_nobody_out() {
    let server = server_with(|config| config.http.limits.connections = 16).await;
    let mut idle = Vec::new();
    for n in 0..200 {
        let mut stream = server.connect().await;
        // Slow heads and slow bodies too.
        let begun = ["", "GET /hea", "POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n["][n % 3];
        // It may have been closed by then.
        let _ = stream.write_all(begun.as_bytes()).await;
        idle.push(stream);
        if n % 20 == 19 {
            assert_eq!(body(&server.get("/health").await), "ok");
            assert_eq!(body(&server.push(&format!("[{ITEM}]")).await), "success");
        }
    }
    assert_eq!(server.queue.items(), 10);
    assert!(server.stats.http_refused.get() >= 180);
    // The first was closed, the last was not.
    let mut end = [0];
    assert!(!matches!(idle[0].read(&mut end).await, Ok(1..)));
    let mut last = idle.pop().expect("the last");
    last.write_all(b"lth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("open");
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.expect("answered");
    assert_eq!(body(&answer), "ok");
}
