//! Addresses at which there is no server.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// A socket on loopback that is bound and does not listen; with 0 to a port of its own.
pub(super) fn bound(port: u16) -> Socket {
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
