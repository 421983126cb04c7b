//! The port: held alone, and waited for where somebody else has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Between two tries to get the port.
const RETRY: Duration = Duration::from_secs(10);

/// The port between two servers: one that ends for another at the same address leaves its listener here, so that nobody who
/// connects meanwhile is refused.
#[derive(Default)]
pub struct Port(Mutex<Handover>);

#[derive(Default)]
struct Handover {
    /// Where the server listens that follows. `None`: none does.
    follows: Option<String>,
    left: Option<TcpListener>,
}

impl Port {
    /// From now on what is left for any other address is closed: nobody would take it, and its clients would wait for ever.
    pub fn follows(&self, listen: Option<&str>) {
        *self.lock() = Handover { follows: listen.map(str::to_owned), left: None };
    }

    pub(super) fn leave(&self, listen: &str, listener: TcpListener) {
        let mut handover = self.lock();
        if handover.follows.as_deref() == Some(listen) {
            handover.left = Some(listener);
        }
    }

    fn take(&self, listen: &str) -> Option<TcpListener> {
        let mut handover = self.lock();
        let wanted = handover.follows.as_deref() == Some(listen);
        handover.left.take_if(|_| wanted)
    }

    fn lock(&self) -> MutexGuard<'_, Handover> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this address can be listened on; of the port that this process `held` already, only the host is tried.
///
/// # Errors
/// The system's.
pub async fn try_bind(listen: &str, held: &str) -> std::io::Result<()> {
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
    match listen.rsplit_once(':') {
        Some((host, own)) if Some(own) == port(held).as_deref() => bind(&format!("{host}:0")).await.map(drop),
        _ => bind(listen).await.map(drop),
    }
}

/// `None`: the agent stops.
pub(super) async fn bind_patiently(listen: &str, port: &Port, stop: &mut watch::Receiver<bool>) -> Option<TcpListener> {
    let mut told = false;
    loop {
        let bound = match port.take(listen) {
            Some(listener) => Ok(listener),
            None => bind(listen).await,
        };
        match bound {
            Ok(listener) => {
                if told {
                    crate::log::say!(Info, "H001", "http: {listen} is free now; listening");
                }
                return Some(listener);
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    crate::log::say!(
                        Warn,
                        "H002",
                        "http: cannot listen on {listen}: {error}; no pushes and no page until it is free (tried every {} s)",
                        RETRY.as_secs()
                    );
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stop.wait_for(|stop| *stop) => return None,
        }
    }
}

/// Go's forms: `:1988` is every address of both families, a name or an address is itself.
pub(super) async fn bind(listen: &str) -> std::io::Result<TcpListener> {
    if let Some(port) = listen.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|_| std::io::Error::other(format!("{port} is not a port")))?;
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        // A host without IPv6 has no such sockets.
        return bind_to(v6).or_else(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Err(error),
            _ => bind_to(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)),
        });
    }
    let mut last = std::io::Error::other("the name has no address");
    // As Go does: Windows answers ::1 first for `localhost`, and scripts push to 127.0.0.1.
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen).await?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in addresses {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if address.is_ipv6() && address.ip().is_unspecified() {
        SockRef::from(&socket).set_only_v6(false)?;
    }
    falcon_sys::hold_port_alone(&socket)?;
    socket.bind(address)?;
    socket.listen(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[tokio::test]
    async fn localhost_is_the_address_that_scripts_push_to() {
        let listener = bind("localhost:0").await.expect("a port");
        assert_eq!(listener.local_addr().expect("an address").ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[tokio::test]
    async fn a_taken_port_is_waited_for() {
        let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = holder.local_addr().expect("an address");
        assert!(bind(&addr.to_string()).await.is_err());
        drop(holder);
        assert!(bind(&addr.to_string()).await.is_ok());
        assert!(bind(":99999").await.is_err());
    }

    /// A server that was switched off left its listener to nobody: clients connected and waited, and it could not be switched on
    /// again.
    #[tokio::test]
    async fn a_listener_is_handed_over_to_who_follows_at_the_same_address_and_closed_for_others() {
        let (port, (_stop, mut stopped)) = (Port::default(), watch::channel(false));
        let listener = bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        port.follows(Some(&addr.to_string()));
        port.leave(&addr.to_string(), listener);
        let taken = bind_patiently(&addr.to_string(), &port, &mut stopped).await.expect("handed over");
        assert_eq!(taken.local_addr().expect("an address"), addr);
        for follower in [Some("127.0.0.1:1"), None] {
            port.follows(follower);
            let listener = bind("127.0.0.1:0").await.expect("a port");
            let left = listener.local_addr().expect("an address").to_string();
            port.leave(&left, listener);
            assert!(bind(&left).await.is_ok(), "it is closed");
        }
    }

    #[tokio::test]
    async fn a_port_that_somebody_else_has_is_found_out_before_it_is_needed() {
        let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = holder.local_addr().expect("an address").to_string();
        assert!(try_bind(&addr, ":1").await.is_err());
        let own = holder.local_addr().expect("an address").port();
        assert!(try_bind(&format!("192.0.2.1:{own}"), &format!(":{own}")).await.is_err(), "no address of this host");
        // From one host to all, on a port that is held already.
        assert!(try_bind(&addr, &format!(":{}", holder.local_addr().expect("an address").port())).await.is_ok());
        drop(holder);
        assert!(try_bind(&addr, ":1").await.is_ok());
    }

    /// On Windows any program could listen beside the agent and be given its pushes, if only it asked to share the port.
    #[tokio::test]
    async fn nobody_else_gets_the_port_by_asking_to_share_it() {
        let holder = bind("127.0.0.1:0").await.expect("a port");
        let addr = holder.local_addr().expect("an address");
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        other.set_reuse_address(true).expect("asked");
        assert!(other.bind(&addr.into()).and_then(|()| other.listen(1)).is_err());
    }
}
