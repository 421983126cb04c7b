//! A server for pages, and a way to the agent behind it: what it does not have itself it passes on as it came, and keeps.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use crate::harness::http::{self, Answer};

/// A request that the agent got, and its answer.
#[derive(Clone, Debug)]
pub struct Seen {
    /// With the request line.
    pub head: String,
    /// With its query.
    pub path: String,
    pub answer: Answer,
}

impl Seen {
    pub fn is_refused(&self) -> bool {
        (self.answer.status, self.answer.text().as_str()) == (403, "no privilege")
    }

    /// The path without what tells one request from the other.
    pub fn asks_for(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }
}

/// What the door has itself: a whole answer by path, the query aside.
pub type Pages = BTreeMap<&'static str, String>;

/// A page, as an answer.
pub fn page(html: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length";
    format!("{head}: {}\r\n\r\n{html}", html.len())
}

/// The way to another address, as an answer: 302 makes a GET of any request, 307 leaves it what it is.
pub fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

pub struct Door {
    listener: TcpListener,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Door {
    /// A door with a port and nobody in it yet: pages name each other's ports.
    pub fn new() -> Door {
        Door { listener: TcpListener::bind("127.0.0.1:0").expect("a port"), seen: Arc::default() }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("bound").port()
    }

    /// Opens it, to the agent if there is one.
    pub fn open(&self, pages: Pages, agent: Option<SocketAddr>) {
        let (listener, seen) = (self.listener.try_clone().expect("a descriptor"), self.seen.clone());
        let pages = Arc::new(pages);
        spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (pages, seen) = (pages.clone(), seen.clone());
                // A browser that goes away in the middle of a request is no fault.
                spawn(move || talk(stream, &pages, agent, &seen));
            }
        });
    }

    /// What came to the agent so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn talk(stream: TcpStream, pages: &Pages, agent: Option<SocketAddr>, seen: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let own = pages.get(path.split('?').next()?);
    if let Some(page) = own {
        return (&stream).write_all(page.as_bytes()).ok();
    }
    let agent = agent?;
    // One request on each connection, so that the end of an answer is that of its bytes.
    let once = head.lines().map(|line| match line.split_once(": ") {
        Some((name, _)) if name.eq_ignore_ascii_case("connection") => "Connection: close",
        _ => line,
    });
    let request = once.collect::<Vec<_>>().join("\r\n") + "\r\n";
    let bytes = http::raw(agent, &[request.as_bytes(), &body].concat()).ok()?;
    let answer = Answer::parse(&bytes)?;
    seen.lock().unwrap().push(Seen { head, path, answer });
    (&stream).write_all(&bytes).ok()
}
