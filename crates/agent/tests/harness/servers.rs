//! Servers that no transfer should be, each behind an address that can be turned into a good one.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};

use super::items::Item;

/// What a bad server does with a call: writes this, then closes; `None`: neither writes nor closes.
pub type Fault = Option<Vec<u8>>;

pub struct Server {
    pub addr: String,
    state: Arc<State>,
}

struct State {
    fault: Fault,
    good: AtomicBool,
    faulty_calls: AtomicUsize,
    /// Each call that was answered well, as it came.
    calls: Mutex<Vec<String>>,
}

impl Server {
    /// A transfer that takes everything.
    pub fn good() -> Server {
        let server = Server::start(None);
        server.turn_good();
        server
    }

    /// Starts out bad.
    pub fn start(fault: Fault) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address").to_string();
        let (good, faulty_calls, calls) = Default::default();
        let state = Arc::new(State { fault, good, faulty_calls, calls });
        let shared = state.clone();
        spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let state = shared.clone();
                // An agent that hangs up is what bad servers see.
                spawn(move || drop(state.serve(stream)));
            }
        });
        Server { addr, state }
    }

    pub fn turn_good(&self) {
        self.state.good.store(true, SeqCst);
    }

    pub fn faulty_calls(&self) -> usize {
        self.state.faulty_calls.load(SeqCst)
    }

    pub fn calls(&self) -> Vec<String> {
        self.state.calls.lock().unwrap().clone()
    }

    /// Every point of the calls that were answered well.
    pub fn items(&self) -> Vec<Item> {
        let items = |call: &String| -> Vec<Item> {
            let call: Value = serde_json::from_str(call).expect("it was read once");
            Item::parse_all(&call["params"][0])
        };
        self.calls().iter().flat_map(items).collect()
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut lines, mut stream) = (BufReader::new(stream.try_clone()?).lines(), stream);
        while let Some(line) = lines.next().transpose()? {
            if !self.good.load(SeqCst) {
                self.faulty_calls.fetch_add(1, SeqCst);
                match &self.fault {
                    Some(bytes) => return stream.write_all(bytes),
                    None => continue,
                }
            }
            let call: Value = serde_json::from_str(&line)?;
            self.calls.lock().unwrap().push(line);
            // As slow a line as there is: an answer in packets of one byte.
            for byte in good_answer(&call).as_bytes() {
                stream.write_all(&[*byte])?;
            }
        }
        Ok(())
    }
}

fn good_answer(call: &Value) -> String {
    let id = &call["id"];
    match call["params"][0].as_array() {
        Some(items) => {
            let total = items.len();
            format!(
                "{{\"id\":{id},\"result\":{{\"Message\":\"ok\",\"Total\":{total},\"Invalid\":0,\"Latency\":0}},\"error\":null}}\n"
            )
        }
        None => format!("{{\"id\":{id},\"result\":{{\"code\":0}},\"error\":null}}\n"),
    }
}

/// An address that refuses connections for as long as this lives: bound, so that nobody else gets it, and not listening.
pub struct Dead {
    pub addr: String,
    _socket: Socket,
}

impl Dead {
    pub fn start() -> Dead {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a port");
        let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("an address").to_string();
        Dead { addr, _socket: socket }
    }
}
