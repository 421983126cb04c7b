//! The server over real sockets: answers, limits, and what slow or hostile clients cost.

mod access;
mod admin;
mod api;
mod assets;
mod connections;
mod live;
mod metrics;
mod openapi;
mod paths;
mod plugins;
mod push;
mod state;
mod tls;
mod ui;

use std::net::SocketAddr;

use super::*;
use crate::queue::{MAX_BYTES, Queue};
use falcon_sys::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    queue: Arc<Queue>,
    stats: Arc<Stats>,
    site: Arc<Site>,
    /// What it answers with.
    asked: watch::Sender<Arc<Site>>,
    commands: mpsc::Receiver<Command>,
}

async fn server() -> Server {
    server_with(|_| {}).await
}

async fn server_with(change: impl FnOnce(&mut Config)) -> Server {
    server_on(Host::new("/"), change).await
}

fn behind(config: &Arc<Config>, queue: Option<(Arc<Queue>, Arc<Stats>)>, host: Host, commands: Commands) -> Behind {
    let (queue, stats) = queue.unzip();
    let (stats, identity) = (stats.unwrap_or_default(), Arc::new(Identity::new(config)));
    let hub = Arc::new(Hub::new(config.clone(), identity.clone(), stats.clone(), queue));
    let (transfers, facts, trusted) = (Arc::default(), Arc::new(Facts::new(host)), Arc::default());
    Behind { hub, stats, identity, transfers, facts, trusted, plugins: None, commands }
}

async fn server_on(host: Host, change: impl FnOnce(&mut Config)) -> Server {
    let addr = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    config.http.listen = addr.to_string();
    change(&mut config);
    let config = Arc::new(config);
    let stats = Arc::new(Stats::default());
    let queue = Arc::new(Queue::new(stats.clone(), MAX_BYTES, i64::MAX / 2, None));
    let (to_command, commands) = mpsc::channel(COMMANDS);
    let behind = behind(&config, Some((queue.clone(), stats.clone())), host, to_command);
    let site = Arc::new(Site::new(&config, Path::new(env!("CARGO_MANIFEST_DIR")), behind, Instant::now()));
    let (stop, stopped) = watch::channel(false);
    let (asked, asks) = watch::channel(site.clone());
    tokio::spawn(serve(site.entrance(), Arc::default(), asks, stopped));
    Server { addr, stop, queue, stats, site, asked, commands }
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

    /// `headers` are whole lines.
    async fn push_with(&self, headers: &str, body: &str) -> String {
        let request = format!(
            "POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(&request).await
    }

    async fn push(&self, body: &str) -> String {
        self.push_with("", body).await
    }

    async fn push_json(&self, body: &str) -> serde_json::Value {
        parsed(&self.push_with(JSON, body).await)
    }

    async fn get_with(&self, path: &str, headers: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")).await
    }

    async fn get(&self, path: &str) -> String {
        self.get_with(path, "Host: h\r\n").await
    }
}

const JSON: &str = "Accept: application/json\r\n";
const ITEM: &str = r#"{"endpoint":"h","metric":"m","value":1,"step":60,"counterType":"GAUGE","tags":"","timestamp":0}"#;

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

fn parsed(answer: &str) -> serde_json::Value {
    assert_eq!(header(answer, "content-type"), Some("application/json"), "{answer}");
    serde_json::from_str(body(answer)).expect(answer)
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
    assert!(page.contains("text/html") && page.contains("<h1 id=\"endpoint\">"), "{page}");
}

#[tokio::test]
async fn health_tells_more_to_those_who_ask_for_json() {
    let server = server().await;
    server.push(&format!("[{ITEM},{ITEM}]")).await;
    let health = parsed(&server.get_with("/health", JSON).await);
    assert_eq!((health["status"].as_str(), health["endpoint"].as_str()), (Some("ok"), Some("h")));
    assert!(health["version"].as_str().is_some_and(|version| version.contains('@')) && health["uptime"].is_u64());
    let queue = &health["queue"];
    assert_eq!(
        (queue["points"].as_u64(), queue["disk_bytes"].as_u64(), queue["trouble"].as_str()),
        (Some(2), Some(0), None)
    );
    assert!(queue["memory_bytes"].as_u64() > Some(200), "{queue}");
    assert_eq!(queue["lost"].as_object().map(|lost| lost.values().filter(|n| n.as_u64() == Some(0)).count()), Some(8));
    assert_eq!((&health["transfer"]["addrs"], &health["transfer"]["enabled"]), (&serde_json::json!([]), &true.into()));
    let silent = server_with(|config| config.transfer.enabled = false).await;
    assert_eq!(parsed(&silent.get_with("/health", JSON).await)["transfer"]["enabled"], false);
    assert_eq!((&health["replay"], &health["clock"]["in_doubt"]), (&serde_json::Value::Null, &false.into()));
    let config = serde_json::json!({ "crc": 0, "overlays": [], "skipped": [], "refused": false });
    assert_eq!(health["config"], config);
    server.stats.replay_left.set(7);
    server.stats.replay_to_go_s.set(90);
    let health = parsed(&server.get_with("/health", JSON).await);
    assert_eq!(health["replay"], serde_json::json!({ "left": 7, "to_go": 90 }));
}

/// Anybody who could see the page could have the disk read all day, while points waited for it.
#[tokio::test]
async fn one_verification_runs_at_a_time() {
    let server = server().await;
    let running = server.site.verifying.clone().try_acquire_owned().expect("none runs");
    let refused = server.get("/queue/verify").await;
    assert_eq!((status(&refused), header(&refused, "retry-after")), (503, Some("10")), "{refused}");
    assert_eq!(status(&server.get("/queue").await), 200);
    drop(running);
    for _ in 0..2 {
        assert_eq!(status(&server.get("/queue/verify").await), 200);
    }
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
