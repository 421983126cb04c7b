//! Servers that do as they are told: a transfer (or an hbs) that takes everything, or one with a fault that servers, their
//! machines or the network between have. What came is kept in order, with what became of it.
//!
//! A call is *taken* when its points count as arrived, and *answered* when the whole good answer went out on a connection
//! that lived. A call under a [`Fault`] other than [`Fault::LosesReply`] is neither: a server that says nonsense has not
//! taken it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde::Deserialize;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::items::Item;
use super::model::Model;
use super::{GLANCE, until};

/// What a server does with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    Answers(Manner),
    Fails(Fault),
}

/// How a good answer is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Manner {
    AtOnce,
    /// As slow a line as there is: packets of one byte.
    Bytewise,
    /// In one packet with a second one that nobody asked for.
    Twice,
    /// With a `Message` of so many bytes.
    Padded(usize),
    Late(Duration),
    /// So many of the items were `Invalid`.
    Invalid(usize),
    /// Calls with an item of this metric get an error instead, as from a server that cannot decode them.
    Refusing(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Takes points and closes without an answer, and answers whatever else is asked: only here may a point come twice.
    LosesReply,
    /// Writes this, in which `$ID` is the call's id, and closes.
    Says(Vec<u8>),
    /// Reads on and never writes nor closes.
    Silent,
    /// Neither reads, nor writes, nor closes: half of a connection whose other half is gone.
    Deaf,
    /// Reads the beginning of a call and resets the connection.
    Resets,
    /// Accepts and closes.
    Closes,
    /// Knows no such method.
    NoMethod,
}

pub const GOOD: Does = Does::Answers(Manner::AtOnce);

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    #[serde(rename = "method")]
    _method: String,
    params: [Vec<Item>; 1],
    id: u64,
}

#[derive(Deserialize)]
struct Other {
    id: u64,
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
            shared: Arc::new(Shared { does, record, connections }),
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
        self.socket.listen(1024).expect("a port of its own");
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

impl Shared {
    fn open(&self, stream: &TcpStream) -> Option<usize> {
        let mut connections = self.connections.lock().unwrap();
        if connections.down {
            return None;
        }
        let number = connections.opened;
        connections.opened += 1;
        connections.open.insert(number, stream.try_clone().ok()?);
        Some(number)
    }

    fn is_open(&self, number: usize) -> bool {
        let connections = self.connections.lock().unwrap();
        !connections.down && connections.open.contains_key(&number)
    }

    fn does(&self) -> Does {
        self.does.lock().unwrap().clone()
    }

    fn fault(&self) -> Option<Fault> {
        match self.does() {
            Does::Fails(fault) => Some(fault),
            Does::Answers(_) => None,
        }
    }

    fn serve(&self, mut stream: TcpStream, number: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream.try_clone()?);
        // After an answer that nobody asked for, none is read as what it is: what comes then does not count.
        let mut spoilt = false;
        loop {
            if self.fault() == Some(Fault::Closes) {
                self.faulty();
                return Ok(());
            }
            let mut text = String::new();
            // The first bytes are waited for: the fault is the one of the time when a call comes.
            if lines.fill_buf()?.is_empty() {
                return Ok(());
            }
            match self.fault() {
                Some(Fault::Deaf) => {
                    self.faulty();
                    return self.be_deaf(number);
                }
                Some(Fault::Resets) => {
                    self.faulty();
                    return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                }
                _ => {}
            }
            if lines.read_line(&mut text)? == 0 || !text.ends_with('\n') {
                return Ok(());
            }
            let (id, items) = match read(&text) {
                Ok(read) => read,
                Err(error) => {
                    self.record.lock().unwrap().unreadable.push(format!("{error}: {text}"));
                    return Ok(());
                }
            };
            let does = match self.does() {
                Does::Fails(Fault::LosesReply) if items.is_empty() => GOOD,
                does => does,
            };
            match does {
                Does::Answers(manner) => {
                    if let Manner::Refusing(metric) = manner
                        && items.iter().any(|item| item.metric == metric)
                    {
                        self.keep(number, text, items, false, false);
                        let refusal = format!("{{\"id\":{id},\"result\":null,\"error\":\"json: cannot unmarshal\"}}\n");
                        stream.write_all(refusal.as_bytes())?;
                        continue;
                    }
                    let answer = answer(id, &items, &manner);
                    // Kept first: who has read the answer finds the call.
                    let place = self.keep(number, text, items, !spoilt, !spoilt);
                    spoilt |= manner == Manner::Twice;
                    if let Err(error) = say(&mut stream, &answer, &manner) {
                        self.unanswered(place);
                        return Err(error);
                    }
                }
                Does::Fails(fault) => {
                    self.faulty();
                    match fault {
                        Fault::LosesReply => {
                            self.keep(number, text, items, true, false);
                            return Ok(());
                        }
                        Fault::Says(bytes) => {
                            stream.write_all(&with_id(&bytes, id))?;
                            stream.shutdown(Shutdown::Write)?;
                            // What is still to be read would turn the close into a reset that takes the words away.
                            return io::copy(&mut lines, &mut io::sink()).map(drop);
                        }
                        Fault::NoMethod => {
                            let words = "rpc: can't find service Transfer.Update";
                            stream.write_all(
                                format!("{{\"id\":{id},\"result\":null,\"error\":\"{words}\"}}\n").as_bytes(),
                            )?;
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// Holds a connection for as long as the fault lasts.
    fn be_deaf(&self, number: usize) -> io::Result<()> {
        while self.fault() == Some(Fault::Deaf) && self.is_open(number) {
            sleep(GLANCE);
        }
        Ok(())
    }

    fn faulty(&self) {
        self.record.lock().unwrap().faulty += 1;
    }

    /// Answers where it is kept.
    fn keep(&self, connection: usize, text: String, items: Vec<Item>, taken: bool, answered: bool) -> Option<usize> {
        let mut record = self.record.lock().unwrap();
        let at = START.elapsed();
        record.points += if taken { items.len() } else { 0 };
        if let Some(model) = &mut record.model {
            if taken {
                model.accept(at, &items);
            }
            return None;
        }
        record.calls.push(Call { at, connection, text, items, taken, answered });
        Some(record.calls.len() - 1)
    }

    fn unanswered(&self, place: Option<usize>) {
        if let Some(place) = place {
            self.record.lock().unwrap().calls[place].answered = false;
        }
    }
}

fn read(text: &str) -> serde_json::Result<(u64, Vec<Item>)> {
    if text.starts_with(r#"{"method":"Transfer.Update","#) {
        let Update { params: [items], id, .. } = serde_json::from_str(text)?;
        return Ok((id, items));
    }
    let Other { id } = serde_json::from_str(text)?;
    Ok((id, Vec::new()))
}

fn answer(id: u64, items: &[Item], manner: &Manner) -> Vec<u8> {
    if items.is_empty() {
        return format!("{{\"id\":{id},\"result\":{{\"code\":0}},\"error\":null}}\n").into_bytes();
    }
    let (message, invalid) = match manner {
        Manner::Padded(bytes) => ("o".repeat(*bytes), 0),
        Manner::Invalid(count) => ("ok".to_owned(), *count),
        _ => ("ok".to_owned(), 0),
    };
    let total = items.len();
    let result = format!("{{\"Message\":\"{message}\",\"Total\":{total},\"Invalid\":{invalid},\"Latency\":0}}");
    format!("{{\"id\":{id},\"result\":{result},\"error\":null}}\n").into_bytes()
}

fn say(stream: &mut TcpStream, answer: &[u8], manner: &Manner) -> io::Result<()> {
    match manner {
        Manner::Bytewise => answer.iter().try_for_each(|byte| stream.write_all(&[*byte])),
        Manner::Twice => stream.write_all(&answer.repeat(2)),
        Manner::Late(pause) => {
            sleep(*pause);
            stream.write_all(answer)
        }
        _ => stream.write_all(answer),
    }
}

fn with_id(bytes: &[u8], id: u64) -> Vec<u8> {
    const MARK: &[u8] = b"$ID";
    match bytes.windows(MARK.len()).position(|window| window == MARK) {
        Some(place) => [&bytes[..place], id.to_string().as_bytes(), &bytes[place + MARK.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// A socket on loopback that is bound and does not listen; with 0 to a port of its own.
fn bound(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], port)))).expect("a port");
    socket
}

/// An address that refuses connections for as long as this lives: bound, so that nobody else gets it, and not listening.
pub struct Dead {
    pub addr: String,
    _socket: Socket,
}

impl Dead {
    pub fn start() -> Dead {
        let socket = bound(0);
        let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("an address").to_string();
        Dead { addr, _socket: socket }
    }
}

/// An address at which nobody says anything to whoever connects: its queue of connections is full, and Linux drops what
/// asks for one more.
pub struct BlackHole {
    pub addr: String,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    pub fn start() -> BlackHole {
        let listener = bound(0);
        listener.listen(0).expect("a port of its own");
        let address = listener.local_addr().ok().and_then(|addr| addr.as_socket()).expect("an address");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
        }
        BlackHole { addr: address.to_string(), _listener: listener, _queued: queued }
    }
}
