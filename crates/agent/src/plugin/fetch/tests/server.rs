//! A web server that has what it is told to have.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(super) fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) struct Server {
    pub address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    /// What is answered, head and all, by path.
    answers: Mutex<HashMap<String, Vec<u8>>>,
    heads: Mutex<Vec<String>>,
    /// Connections stay open after the answer until they are closed by the other side.
    stays: AtomicBool,
    is_over: AtomicBool,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<State>::default());
        let own = state.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.is_over.load(SeqCst) {
                    return;
                }
                own.serve(stream.unwrap());
            }
        });
        Server { address, state, thread: Some(thread) }
    }

    pub fn has(&self, path: &str, answer: Vec<u8>) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub fn stays(&self) {
        self.state.stays.store(true, SeqCst);
    }

    pub fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// What was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.extend_from_slice(&byte),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.heads.lock().unwrap().push(head);
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
        let answer = self.answers.lock().unwrap().get(&path).cloned().unwrap_or(missing);
        // Whoever has enough closes early.
        let _ = stream.write_all(&answer);
        if self.stays.load(SeqCst) {
            while matches!(stream.read(&mut byte), Ok(1)) {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}
