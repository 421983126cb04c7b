//! Who watches the host, and what that costs where nobody does.

use super::*;

/// One who watches, over a real socket.
struct Watching {
    stream: TcpStream,
    /// What came and was not looked at.
    text: String,
}

impl Server {
    async fn watch(&self) -> Watching {
        let mut stream = self.connect().await;
        stream.write_all(b"GET /ui/live HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("sent");
        let mut watching = Watching { stream, text: String::new() };
        watching.until("\r\n\r\n").await;
        watching
    }

    async fn watched_by(&self, watchers: usize) {
        while self.site.facts.live.watching() != watchers {
            tokio::task::yield_now().await;
        }
    }

    fn readings(&self) -> u64 {
        self.site.facts.live.readings()
    }
}

impl Watching {
    /// Reads up to and with `mark`; `None`: the stream ended before.
    async fn read(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some(at) = self.text.find(mark) {
                let rest = self.text.split_off(at + mark.len());
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let mut part = [0; 4096];
            match self.stream.read(&mut part).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.text.push_str(&String::from_utf8_lossy(&part[..n])),
            }
        }
    }

    async fn until(&mut self, mark: &str) -> String {
        self.read(mark).await.unwrap_or_else(|| panic!("ended before {mark:?}: {}", self.text))
    }

    async fn event(&mut self) -> serde_json::Value {
        self.until("data: ").await;
        let event = self.until("\n\n").await;
        serde_json::from_str(&event).unwrap_or_else(|error| panic!("{error}: {event}"))
    }
}

#[tokio::test]
async fn one_who_watches_is_told_each_second_what_the_host_does() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /ui/live HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("sent");
    let mut watching = Watching { stream, text: String::new() };
    let head = watching.until("\r\n\r\n").await;
    assert_eq!((status(&head), header(&head, "content-type")), (200, Some("text/event-stream")), "{head}");
    assert_eq!((header(&head, "cache-control"), header(&head, "x-accel-buffering")), (Some("no-store"), Some("no")));
    assert_eq!((header(&head, "x-content-type-options"), header(&head, "content-length")), (Some("nosniff"), None));
    assert!(watching.until("\n\n").await.contains("retry: 3000"));
    let (first, second) = (watching.event().await, watching.event().await);
    let total = first["mem"]["total"].as_u64().expect("memory");
    assert!(total > 0 && first["cpu"].is_null() && first["net"].is_null() && first["top"].is_null(), "{first}");
    assert!(second["cpu"]["busy"].as_f64().is_some_and(|busy| (0.0..=100.0).contains(&busy)), "{second}");
    assert!(second["net"]["in"].is_number() && second["top"][0]["name"].is_string(), "{second}");
    assert!(second["t"].as_i64() > first["t"].as_i64() && first["sent"] == 0 && first["up"].is_null());
}

/// A sampler that read on while nobody looked would cost each host a second's work each second, for ever.
#[tokio::test(start_paused = true)]
async fn nothing_is_read_before_somebody_watches_nor_after_the_last_has_left() {
    let server = server().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((status(&server.get("/ui/state").await), server.readings()), (200, 0));
    let (mut one, mut other) = (server.watch().await, server.watch().await);
    one.event().await;
    other.event().await;
    server.watched_by(2).await;
    drop(one);
    server.watched_by(1).await;
    other.event().await;
    drop(other);
    server.watched_by(0).await;
    // A reading that is out comes to its end.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let readings = server.readings();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(server.readings(), readings);
    let mut again = server.watch().await;
    while server.readings() == readings {
        again.event().await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_watch_share_the_readings() {
    let server = server().await;
    let mut watching = Vec::new();
    for _ in 0..16 {
        watching.push(server.watch().await);
    }
    server.watched_by(16).await;
    let before = server.readings();
    for _ in 0..3 {
        for one in &mut watching {
            one.event().await;
        }
    }
    let readings = server.readings() - before;
    assert!(readings <= 8, "{readings} for three events");
}

/// A script that opens the stream again and again had the host read each time.
#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_does_not_have_it_read_more_often() {
    let server = server().await;
    let begun = tokio::time::Instant::now();
    for _ in 0..50 {
        drop(server.watch().await);
        server.watched_by(0).await;
    }
    let seconds = begun.elapsed().as_secs();
    assert!(server.readings() <= seconds + 1, "{} in {seconds} s", server.readings());
}

#[tokio::test]
async fn the_seventeenth_is_told_to_come_later_and_a_place_that_was_left_is_free() {
    let server = server().await;
    let mut watching = Vec::new();
    for _ in 0..16 {
        watching.push(server.watch().await);
    }
    server.watched_by(16).await;
    let refused = server.get("/ui/live").await;
    assert_eq!((status(&refused), header(&refused, "retry-after")), (503, Some("10")), "{refused}");
    watching.pop();
    server.watched_by(15).await;
    server.watch().await.event().await;
}

/// An image on another page had every host of a site read each second, and held its places, for as long as that was open.
#[tokio::test]
async fn a_page_of_another_site_begins_no_stream() {
    let server = server().await;
    let browser = "User-Agent: Mozilla/5.0 (X11)\r\n";
    for headers in [
        "Sec-Fetch-Site: cross-site\r\nAccept: text/event-stream\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Accept: image/avif,image/webp,*/*\r\nReferer: http://evil.example/\r\n",
        "Accept: text/html\r\n",
        "Accept: text/event-stream\r\nOrigin: http://evil.example\r\n",
    ] {
        let refused = server.get_with("/ui/live", &format!("Host: h\r\n{browser}{headers}")).await;
        assert_eq!(status(&refused), 403, "{headers}: {refused}");
    }
    for headers in [
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: empty\r\n",
        "Sec-Fetch-Site: none\r\n",
        // Behind a proxy that asks under a name of its own.
        "Accept: text/event-stream\r\nReferer: http://monitor.example/web1/\r\n",
    ] {
        let asked = format!("HEAD /ui/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{browser}{headers}\r\n");
        assert_eq!(status(&server.raw(&asked).await), 200, "{headers}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_head_begins_nothing() {
    let server = server().await;
    let head = server.raw("HEAD /ui/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&head), header(&head, "content-type"), body(&head)), (200, Some("text/event-stream"), ""));
    server.watched_by(0).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.readings(), 0);
}

/// A page that stayed open kept the agent from ending for as long as it is given.
#[tokio::test]
async fn a_server_that_stops_waits_for_nobody_who_watches() {
    let server = server().await;
    let mut watching = server.watch().await;
    watching.event().await;
    server.stop.send(true).expect("it runs");
    while watching.read("\n\n").await.is_some() {}
    // The last chunk: it ended, and was not cut off.
    assert!(watching.text.ends_with("0\r\n\r\n"), "{:?}", watching.text);
}

#[tokio::test]
async fn a_stream_ends_when_another_configuration_takes_the_place() {
    let mut server = server().await;
    let mut watching = server.watch().await;
    watching.event().await;
    let config = Arc::new(Config::standalone());
    let behind = behind(&config, None, Host::new("/"), mpsc::channel(1).0);
    let site = Arc::new(Site::new(&config, Path::new(""), behind, Instant::now()));
    drop((std::mem::replace(&mut server.site, site.clone()), server.asked.send_replace(site)));
    // The last chunk: it ended, and its connection is good for other questions.
    watching.until("\r\n0\r\n\r\n").await;
}
