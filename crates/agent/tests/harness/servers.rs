//! Servers that do as they are told: a transfer (or an hbs) that takes everything, or one with a fault that servers, their
//! machines or the network between have. What came is kept in order, with what became of it.
//!
//! A call is *taken* when its points count as arrived, and *answered* when the whole good answer went out on a connection
//! that lived. A call under a [`Fault`] other than [`Fault::LosesReply`] is neither: a server that says nonsense has not
//! taken it.

pub mod hbs;
mod script;
mod serve;
mod unreachable;

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use socket2::Socket;

pub use hbs::Hbs;
pub use script::{Does, Fault, GOOD, Manner};
pub use unreachable::{BlackHole, Dead};

use super::items::Item;
use super::model::Model;
use super::until;
use unreachable::bound;

/// One call, as it came.
#[derive(Clone, Debug)]
pub struct Call {
    /// Since the first use of any server: comparable among all of them.
    pub at: Duration,
    pub connection: usize,
    pub text: String,
    /// None for a call that is no `Transfer.Update`.
    pub items: Vec<Item>,
    pub taken: bool,
    pub answered: bool,
}

pub struct Server {
    pub addr: String,
    socket: Arc<Socket>,
    shared: Arc<Shared>,
    /// Bound as well, never listening: nobody else gets the port while the server is down.
    _held: Socket,
}

struct Shared {
    does: Mutex<Does>,
    record: Mutex<Record>,
    connections: Mutex<Connections>,
    /// Of a server that plays hbs.
    hbs: Mutex<Option<hbs::Script>>,
}

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    /// Calls, or what was to become one, that met a fault.
    faulty: usize,
    points: usize,
    /// Gets the points instead of `calls`.
    model: Option<Model>,
    /// Why a call was not one that this program knows.
    unreadable: Vec<String>,
}

#[derive(Default)]
struct Connections {
    opened: usize,
    open: BTreeMap<usize, TcpStream>,
    /// Those that a script has cut, so that nothing said on them counts as arrived.
    down: bool,
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Server {
    /// A server that takes everything.
    pub fn good() -> Server {
        Server::start(GOOD)
    }

    pub fn start(does: Does) -> Server {
        Server::with(does, None)
    }

    /// A good transfer with a model of what stands behind it, to which points go instead of the list of calls.
    pub fn modelled(model: Model) -> Server {
        Server::with(GOOD, Some(model))
    }

    fn with(does: Does, model: Option<Model>) -> Server {
        LazyLock::force(&START);
        let held = bound(0);
        let address = held.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let socket = Arc::new(bound(address.port()));
        let record = Record { model, ..Record::default() };
        let (does, record, connections) = (Mutex::new(does), Mutex::new(record), Mutex::default());
        let server = Server {
            addr: address.to_string(),
            socket,
            shared: Arc::new(Shared { does, record, connections, hbs: Mutex::default() }),
            _held: held,
        };
        server.up();
        server
    }

    /// From the next call on.
    pub fn does(&self, does: Does) {
        *self.shared.does.lock().unwrap() = does;
    }

    pub fn turn_good(&self) {
        self.does(GOOD);
    }

    /// Refuses connections, and ends those that there are.
    pub fn down(&self) {
        let mut connections = self.shared.connections.lock().unwrap();
        connections.down = true;
        // On Linux a listener that is shut down listens no more, and may listen again.
        let _ = self.socket.shutdown(Shutdown::Both);
        for stream in connections.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn up(&self) {
        self.shared.connections.lock().unwrap().down = false;
        // A client that is on its way out may have been given this very port for its own end, until it gives up.
        let begun = Instant::now();
        while let Err(error) = self.socket.listen(1024) {
            assert!(begun.elapsed() < Duration::from_secs(30), "a port of its own: {error}");
            sleep(Duration::from_millis(20));
        }
        let (socket, shared) = (self.socket.clone(), self.shared.clone());
        spawn(move || {
            while let Ok((stream, _)) = socket.accept() {
                let stream = TcpStream::from(stream);
                let Some(number) = shared.open(&stream) else { continue };
                let shared = shared.clone();
                spawn(move || {
                    // An agent that hangs up is what bad servers see.
                    let _ = shared.serve(stream, number);
                    shared.connections.lock().unwrap().open.remove(&number);
                });
            }
        });
    }

    /// Waits until no connection is left and all that came on them is read.
    pub fn settle(&self) {
        let open = || self.shared.connections.lock().unwrap().open.len();
        until("connections to end", || format!("{} are open", open()), || (open() == 0).then_some(()));
    }

    /// The present, as calls have it.
    pub fn now(&self) -> Duration {
        START.elapsed()
    }

    pub fn faulty_calls(&self) -> usize {
        self.record(|record| record.faulty)
    }

    /// Every call that could be read, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.record(|record| record.calls.clone())
    }

    /// Those after a moment that [`Server::now`] told.
    pub fn calls_since(&self, at: Duration) -> Vec<Call> {
        self.record(|record| {
            let later = record.calls.iter().rev().take_while(|call| call.at > at);
            let mut calls: Vec<Call> = later.cloned().collect();
            calls.reverse();
            calls
        })
    }

    /// Every point that was taken, in order.
    pub fn items(&self) -> Vec<Item> {
        self.record(|record| {
            record.calls.iter().filter(|call| call.taken).flat_map(|call| call.items.clone()).collect()
        })
    }

    /// How many that is.
    pub fn points(&self) -> usize {
        self.record(|record| record.points)
    }

    pub fn model<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        self.record(|record| look(record.model.as_mut().expect("a server that was started with one")))
    }

    fn record<T>(&self, look: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.shared.record.lock().unwrap();
        assert!(record.unreadable.is_empty(), "{:?}", record.unreadable);
        look(&mut record)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}
