//! Connections to servers of which several addresses are known: dialling, fail-over, back-off, and the deadline of a call.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

use super::rpc::{Client, Error};

/// A call that takes longer has failed.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// First and longest pause after every address failed.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

pub type TcpClient = Client<TcpStream>;

/// One kind of server (transfer, hbs) and the connection to the address in use.
pub struct Servers {
    addrs: Vec<String>,
    /// Of the address in use, or to be tried next.
    current: usize,
    open: Option<TcpClient>,
    dial_timeout: Duration,
    pause: Duration,
}

impl Servers {
    /// Starts at a random address, so that a fleet spreads over the transfers. `dial_timeout_ms` 0: none of its own.
    pub fn new(addrs: Vec<String>, dial_timeout_ms: u64) -> Servers {
        let current = if addrs.is_empty() { 0 } else { usize::try_from(random() % 1024).unwrap_or(0) % addrs.len() };
        let dial_timeout = match dial_timeout_ms {
            0 => CALL_DEADLINE,
            ms => Duration::from_millis(ms).min(CALL_DEADLINE),
        };
        Servers { addrs, current, open: None, dial_timeout, pause: BACK_OFF.0 }
    }

    /// The address in use, or tried next.
    pub fn addr(&self) -> &str {
        self.addrs.get(self.current).map_or("", String::as_str)
    }

    /// Makes one call, on the open connection or a new one; tries each address once before it fails. A refusal is an
    /// answer and does not change the address, but a server that does not know the call is passed over like a dead one.
    /// `call` may be made several times.
    pub async fn call<T, F>(&mut self, mut call: impl FnMut(TcpClient) -> F) -> Result<T, (String, Error)>
    where
        F: Future<Output = (TcpClient, Result<T, Error>)>,
    {
        let mut last = (self.addr().to_owned(), Error::Protocol("no address is configured".to_owned()));
        let mut tried = 0;
        while tried < self.addrs.len() {
            let (client, reused) = match self.open.take() {
                Some(client) => (client, true),
                None => match dial(self.addr(), self.dial_timeout).await {
                    Ok(stream) => (Client::new(stream), false),
                    Err(error) => {
                        last = (self.addr().to_owned(), error);
                        self.rotate();
                        tried += 1;
                        continue;
                    }
                },
            };
            let result = match tokio::time::timeout(CALL_DEADLINE, call(client)).await {
                Ok((client, result @ (Ok(_) | Err(Error::Refused(_))))) => {
                    self.open = Some(client);
                    self.pause = BACK_OFF.0;
                    return result.map_err(|error| (self.addr().to_owned(), error));
                }
                Ok((_, Err(error))) => error,
                Err(_) => Error::Timeout(CALL_DEADLINE.as_secs()),
            };
            // A server that restarted since the last call shows it only now: its address deserves a fresh connection.
            let stale = reused && !matches!(result, Error::Timeout(_) | Error::NoMethod(_));
            last = (self.addr().to_owned(), result);
            if !stale {
                self.rotate();
                tried += 1;
            }
        }
        Err(last)
    }

    /// How long to wait after every address failed: doubling, with jitter so that a fleet does not come back at once.
    pub fn back_off(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(BACK_OFF.1);
        let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(2);
        Duration::from_millis(ms / 2 + random() % (ms / 2 + 1))
    }

    fn rotate(&mut self) {
        self.current = (self.current + 1) % self.addrs.len().max(1);
    }
}

/// Tries every address that the name stands for; keepalive finds a peer that vanished without a word.
async fn dial(addr: &str, timeout: Duration) -> Result<TcpStream, Error> {
    let dialled = tokio::time::timeout(CALL_DEADLINE, async {
        let candidates: Vec<SocketAddr> = match addr.parse() {
            Ok(address) => vec![address],
            Err(_) => lookup_host(addr).await?.take(8).collect(),
        };
        let mut last = std::io::Error::other("the name has no address");
        for address in candidates {
            match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    let keepalive =
                        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => {
                    let text = format!("no connection within {} ms", timeout.as_millis());
                    last = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
                }
            }
        }
        Err(Error::Io(last))
    });
    dialled.await.unwrap_or(Err(Error::Timeout(CALL_DEADLINE.as_secs())))
}

/// A number that differs from process to process and from call to call; for jitter, not for secrets.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Whether a server answers: tells changes apart from what was known, so that each is logged once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Health(Option<bool>);

impl Health {
    /// `true` when this is news.
    pub fn up(&mut self) -> bool {
        self.0.replace(true) != Some(true)
    }

    /// `true` when this is news.
    pub fn down(&mut self) -> bool {
        self.0.replace(false) != Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::falcon::rpc::simple_response;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn ping(mut client: TcpClient) -> (TcpClient, Result<i64, Error>) {
        let result = client.call("Agent.ReportStatus", &[b"{}"], simple_response).await;
        (client, result)
    }

    /// Answers `calls` calls on each connection, then closes it.
    async fn server(calls: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                for id in 0..calls {
                    let mut request = [0; 256];
                    let _ = stream.read(&mut request).await;
                    let answer = format!("{{\"id\":{id},\"result\":{{\"code\":0}},\"error\":null}}\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        addr
    }

    async fn closed_port() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").to_string()
    }

    #[tokio::test]
    async fn a_dead_address_is_passed_over_and_a_living_one_kept() {
        let alive = server(usize::MAX).await;
        let mut servers = Servers::new(vec![closed_port().await, alive.clone(), closed_port().await], 1000);
        for _ in 0..5 {
            assert_eq!(servers.call(ping).await.expect("answered"), 0);
            assert_eq!(servers.addr(), alive);
        }
    }

    /// A transfer that was restarted closes the kept connection; the next call must not be lost over it.
    #[tokio::test]
    async fn a_connection_that_went_stale_is_opened_anew_at_the_same_address() {
        let mut servers = Servers::new(vec![server(1).await], 1000);
        for _ in 0..4 {
            assert_eq!(servers.call(ping).await.expect("answered"), 0);
        }
    }

    #[tokio::test]
    async fn when_all_are_dead_the_last_error_is_told_and_the_pause_grows() {
        let mut servers = Servers::new(vec![closed_port().await, closed_port().await], 1000);
        let (addr, error) = servers.call(ping).await.expect_err("all dead");
        assert!(addr.starts_with("127.0.0.1:") && matches!(error, Error::Io(_)), "{addr}: {error}");
        let pauses: Vec<_> = (0..8).map(|_| servers.back_off()).collect();
        assert!(pauses[0] <= Duration::from_secs(1), "{pauses:?}");
        assert!(pauses[7] >= Duration::from_secs(15) && pauses[7] <= Duration::from_secs(30), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_costs_ten_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address").to_string();
        let mut servers = Servers::new(vec![addr], 0);
        let held = tokio::spawn(async move {
            let stream = listener.accept().await;
            std::future::pending::<()>().await;
            drop(stream);
        });
        let start = tokio::time::Instant::now();
        let (_, error) = servers.call(ping).await.expect_err("no answer");
        assert!(matches!(error, Error::Timeout(10)), "{error}");
        assert_eq!(start.elapsed().as_secs(), 10);
        held.abort();
    }

    #[test]
    fn a_change_of_state_is_news_once() {
        let mut health = Health::default();
        assert!(health.up() && !health.up() && health.down() && !health.down() && health.up());
    }
}
