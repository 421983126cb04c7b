//! Just enough of an HTTP client, so that a test can also send what no client would.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A header that asks for JSON.
pub const AS_JSON: &str = "Accept: application/json\r\n";

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// With the status line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(this, _)| this.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn parse(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        Some(Answer { status, head, body: bytes[end + 4..].to_vec() })
    }
}

pub fn get(to: SocketAddr, path: &str) -> io::Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    one(to, request.as_bytes())
}

pub fn post(to: SocketAddr, path: &str, body: &[u8]) -> io::Result<Answer> {
    post_with(to, path, "", body)
}

/// With these headers, each with its end of line, besides the necessary ones.
pub fn post_with(to: SocketAddr, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    one(to, &[head.as_bytes(), body].concat())
}

/// Sends bytes and reads one answer up to the end of the connection.
pub fn one(to: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let bytes = raw(to, request)?;
    Answer::parse(&bytes).ok_or_else(|| io::Error::other(format!("no answer: {}", String::from_utf8_lossy(&bytes))))
}

/// Sends bytes and reads whatever comes until the server closes.
pub fn raw(to: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(to)?;
    // A server that refuses a request need not read all of it.
    let sent = stream.write_all(request);
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if bytes.is_empty() => Err(sent.err().unwrap_or(error)),
        _ => Ok(bytes),
    }
}

/// A connection that fails rather than hangs.
pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
