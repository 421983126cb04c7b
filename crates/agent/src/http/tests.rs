//! The server over real sockets: answers, limits, and what slow or hostile clients cost.

use super::*;
use crate::config::Config;
use crate::queue::{MAX_BYTES, Queue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    queue: Arc<Queue>,
    stats: Arc<Stats>,
}

async fn server() -> Server {
    let addr = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    let config = Arc::new(config);
    let stats = Arc::new(Stats::default());
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let identity = Arc::new(Identity::new(&config));
    let hub = Arc::new(Hub::new(config, identity.clone(), stats.clone(), Some(queue.clone())));
    let site = Site {
        hub,
        stats: stats.clone(),
        identity,
        transfers: Vec::new(),
        bodies: push::Budget::default(),
        told_invalid: Mutex::default(),
        page: status::Cache::default(),
    };
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(addr.to_string(), Arc::new(site), stopped));
    Server { addr, stop, queue, stats }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        loop {
            if let Ok(stream) = TcpStream::connect(self.addr).await {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn push(&self, body: &str) -> String {
        let request = format!(
            "POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(&request).await
    }

    async fn get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }
}

const ITEM: &str = r#"{"endpoint":"h","metric":"m","value":1,"step":60,"counterType":"GAUGE","tags":"","timestamp":0}"#;

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn the_go_agents_answers() {
    let server = server().await;
    assert_eq!(body(&server.get("/health").await), "ok");
    assert!(body(&server.get("/version").await).contains('@'));
    let missing = server.get("/v1/push/").await;
    assert!(missing.starts_with("HTTP/1.1 404") && missing.ends_with("404 page not found\n"), "{missing}");
    assert!(missing.to_ascii_lowercase().contains("x-content-type-options: nosniff"));
    let accepted = server.push(&format!("[{ITEM}]")).await;
    assert!(accepted.starts_with("HTTP/1.1 200") && accepted.ends_with("\r\n\r\nsuccess"), "{accepted}");
    assert!(accepted.to_ascii_lowercase().contains("content-type: text/plain; charset=utf-8"));
    assert_eq!(body(&server.push("null").await), "success");
    assert_eq!(body(&server.push("[null]").await), "success");
    for (bad, text) in [("", "body is blank\n"), ("{}", "connot decode body\n"), ("[", "connot decode body\n")] {
        let refused = server.push(bad).await;
        assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
        assert_eq!(body(&refused), text);
    }
    let blank = server.get("/v1/push").await;
    assert!(blank.starts_with("HTTP/1.1 400") && blank.ends_with("body is blank\n"), "{blank}");
    assert_eq!((server.queue.items(), server.stats.push_accepted.get(), server.stats.push_invalid.get()), (1, 1, 1));
    let page = server.get("/").await;
    assert!(page.contains("text/html") && page.contains("<h1>h</h1>") && page.contains("<td>m</td>"), "{page}");
}

#[tokio::test]
async fn a_body_too_large_is_refused_before_it_is_read() {
    let server = server().await;
    let declared = "POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1073741824\r\n\r\n[";
    assert!(server.raw(declared).await.starts_with("HTTP/1.1 413"));
    let mut stream = server.connect().await;
    stream.write_all(b"POST /v1/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await.expect("sent");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while sent < 2 * push::MAX_BODY && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += chunk.len();
        tokio::task::yield_now().await;
    }
    let mut answer = vec![0; 12];
    // The server answers and closes while we still write: the answer can be lost to the reset, the end cannot.
    match stream.read_exact(&mut answer).await {
        Ok(_) => assert_eq!(answer, b"HTTP/1.1 413"),
        Err(_) => assert!(sent < 2 * push::MAX_BODY, "all of it was taken"),
    }
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

/// 256 clients that asked for the page and never read it kept everybody else out, for as long as they liked.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_its_answer_is_cut_off() {
    let server = server().await;
    let items: Vec<String> = (0..9000).map(|n| ITEM.replace("\"m\"", &format!("\"m{n}\""))).collect();
    assert!(server.push(&format!("[{}]", items.join(","))).await.ends_with("success"));
    let mut asked = Vec::new();
    for _ in 0..8 {
        // Requests in a row: their answers together fit no socket buffer.
        let mut stream = server.connect().await;
        stream.write_all("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(16).as_bytes()).await.expect("sent");
        asked.push(stream);
    }
    tokio::time::sleep(REQUEST_TIMEOUT + HEADER_TIMEOUT).await;
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
    for _ in 0..MAX_CONNECTIONS {
        idle.push(server.connect().await);
    }
    for mut stream in idle {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    assert_eq!(body(&server.get("/health").await), "ok");
}

#[tokio::test]
async fn localhost_is_the_address_that_scripts_push_to() {
    let listener = bind("localhost:0").await.expect("a port");
    assert_eq!(listener.local_addr().expect("an address").ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[tokio::test]
async fn a_taken_port_is_waited_for() {
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = holder.local_addr().expect("an address");
    assert!(bind(&addr.to_string()).await.is_err());
    drop(holder);
    assert!(bind(&addr.to_string()).await.is_ok());
    assert!(bind(":99999").await.is_err());
}

#[tokio::test]
async fn a_stop_ends_the_server() {
    let server = server().await;
    let mut open = server.connect().await;
    open.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = [0; 15];
    open.read_exact(&mut answer).await.expect("answered");
    server.stop.send(true).expect("heard");
    let mut rest = Vec::new();
    let _ = open.read_to_end(&mut rest).await;
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
