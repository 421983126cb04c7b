use super::dial::Connecting;
use super::names::Names;
use super::*;
use crate::falcon::rpc::simple_response;
use crate::stats::Stats;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::advance;

mod faults;
mod sockets;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Answers,
    /// After so many seconds.
    After(u64),
    /// Takes connections and calls, and says nothing.
    Silent,
    Refuses,
    /// Drops every packet.
    Hole,
    /// Ends each connection during the call.
    Ends,
}

/// Servers whose faults take virtual time only: connections are real, but no byte is sent on them.
struct World {
    modes: Mutex<BTreeMap<SocketAddr, Mode>>,
    dialled: Mutex<Vec<(char, Instant)>>,
    addrs: Vec<SocketAddr>,
    /// Never accepted from: the system completes connections by itself.
    _listeners: Vec<std::net::TcpListener>,
    lines: Arc<Mutex<Vec<String>>>,
    stats: Arc<Stats>,
}

struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
    transfers: Transfers,
}

impl Watch for Notes {
    fn name(&self) -> &'static str {
        "test"
    }
    fn up(&self, up: bool) {
        self.transfers.up(up);
    }
    fn switched(&self) {
        self.transfers.switched();
    }
    fn took(&self, time: Duration) {
        self.transfers.took(time);
    }
    fn changed(&self, good: bool, what: &str) {
        self.lines.lock().unwrap().push(format!("{} {what}", if good { "info" } else { "warn" }));
    }
}

impl World {
    /// As many addresses as modes, called A, B and so on; A is the home.
    fn new(modes: &[Mode]) -> (Arc<World>, Servers) {
        let listeners: Vec<_> =
            modes.iter().map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let addrs: Vec<_> = listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect();
        let (lines, stats) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Stats>::default());
        let world = Arc::new(World {
            modes: Mutex::new(addrs.iter().copied().zip(modes.iter().copied()).collect()),
            dialled: Mutex::default(),
            addrs: addrs.clone(),
            _listeners: listeners,
            lines: lines.clone(),
            stats: stats.clone(),
        });
        let names = Names::asking(Arc::new(|name: &str| Err(io::Error::other(name.to_owned()))));
        let dialler = Dialler::with(names, world.connect(), 1000);
        let watch = Notes { lines, transfers: Transfers(stats) };
        let addrs = addrs.iter().map(ToString::to_string).collect();
        (world, Servers::in_order(addrs, dialler, Box::new(watch)))
    }

    fn connect(self: &Arc<World>) -> super::dial::Connect {
        let world = self.clone();
        Arc::new(move |address: SocketAddr| -> Connecting {
            world.dialled.lock().unwrap().push((world.letter(&address.to_string()), Instant::now()));
            match world.mode(address) {
                Mode::Hole => Box::pin(std::future::pending()),
                Mode::Refuses => Box::pin(std::future::ready(Err(io::Error::other("refused")))),
                _ => Box::pin(std::future::ready(std::net::TcpStream::connect(address).and_then(|stream| {
                    stream.set_nonblocking(true)?;
                    Ok(Box::new(tokio::net::TcpStream::from_std(stream)?) as Stream)
                }))),
            }
        })
    }

    fn mode(&self, address: SocketAddr) -> Mode {
        self.modes.lock().unwrap()[&address]
    }

    fn set(&self, letter: char, mode: Mode) {
        let address = self.addrs[usize::from(letter as u8 - b'A')];
        self.modes.lock().unwrap().insert(address, mode);
    }

    fn letter(&self, address: &str) -> char {
        let place = self.addrs.iter().position(|known| known.to_string() == address);
        char::from(b'A' + u8::try_from(place.expect("one of these")).expect("few"))
    }

    /// One call: who answered (or failed last), the error, and the virtual time that it took.
    async fn call(self: &Arc<World>, servers: &mut Servers) -> (char, Option<String>, Duration) {
        let start = Instant::now();
        let result = servers
            .call(|client: Connection| {
                let mode = self.mode(client.stream().ends().expect("two").1);
                async move {
                    tokio::task::yield_now().await;
                    let result = match mode {
                        Mode::Silent => std::future::pending().await,
                        Mode::After(seconds) => {
                            tokio::time::sleep(Duration::from_secs(seconds)).await;
                            Ok(0)
                        }
                        Mode::Answers => Ok(0),
                        _ => Err(Error::Closed),
                    };
                    (client, result)
                }
            })
            .await;
        match result {
            Ok(_) => (self.letter(servers.addr()), None, start.elapsed()),
            Err((addr, error)) => (self.letter(&addr), Some(error.to_string()), start.elapsed()),
        }
    }

    async fn answers(self: &Arc<World>, servers: &mut Servers, letter: char) -> Duration {
        let (answered, error, took) = self.call(servers).await;
        assert_eq!((answered, error), (letter, None));
        took
    }

    fn dialled(&self) -> String {
        std::mem::take(&mut *self.dialled.lock().unwrap()).iter().map(|(letter, _)| *letter).collect()
    }

    /// The lines since the last look, with letters for addresses.
    fn lines(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let named = |line: String| {
            self.addrs
                .iter()
                .fold(line, |line, addr| line.replace(&addr.to_string(), &self.letter(&addr.to_string()).to_string()))
        };
        lines.into_iter().map(named).collect()
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
