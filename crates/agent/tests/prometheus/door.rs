//! A way to the agent that notes what it answers with, and that can keep from it which formats Prometheus understands.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::harness::http;

pub struct Door {
    pub address: SocketAddr,
    types: Arc<Mutex<Vec<String>>>,
}

impl Door {
    /// `accept`: whether that header passes.
    pub fn to(agent: SocketAddr, accept: bool) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let types = Arc::<Mutex<Vec<String>>>::default();
        let noted = types.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = pass(&stream, agent, accept, &noted);
            }
        });
        Door { address, types }
    }

    /// The content types of the answers so far.
    pub fn types(&self) -> Vec<String> {
        self.types.lock().unwrap().clone()
    }
}

/// One request, after which the connection ends.
fn pass(stream: &TcpStream, agent: SocketAddr, accept: bool, types: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if name != "connection" && (accept || name != "accept") {
            head += &format!("{line}\r\n");
        }
    }
    let bytes = http::raw(agent, format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    if let Some(answer) = http::Answer::parse(&bytes) {
        types.lock().unwrap().push(answer.header("content-type").unwrap_or_default().to_owned());
    }
    (&*stream).write_all(&bytes)
}
