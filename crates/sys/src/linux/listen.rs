//! A listening port of our own.

use std::io;
use std::os::fd::AsFd;

/// Lets a listener have its port though connections of an earlier process linger there (SO_REUSEADDR in socket(7)). On
/// Linux that does not let two listeners share it. Call before the socket is bound.
///
/// # Errors
/// The call's own.
pub fn hold_port_alone(socket: &impl AsFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseaddr(socket, true)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    use std::net::{Ipv4Addr, SocketAddrV4};

    #[test]
    fn a_port_is_held_by_one_listener() {
        let open = || {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            hold_port_alone(&socket).unwrap();
            socket
        };
        let (first, second) = (open(), open());
        bind(&first, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        listen(&first, 1).unwrap();
        let taken = SocketAddrV4::try_from(getsockname(&first).unwrap()).unwrap();
        assert!(bind(&second, &taken).is_err());
        drop(first);
        bind(&second, &taken).unwrap();
    }
}
