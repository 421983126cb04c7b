//! A listening port of our own.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Lets a listener have its port though connections of an earlier process linger there (SO_REUSEADDR in socket(7)). On
/// Linux that does not let two listeners share it. Call before the socket is bound.
///
/// # Errors
/// The call's own.
pub fn hold_port_alone(socket: &impl AsFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseaddr(socket, true)?)
}

/// Has a connection end whose peer takes nothing that is sent for so long (TCP_USER_TIMEOUT in tcp(7)): by itself Linux goes on
/// for a quarter of an hour after a peer that vanished without a word.
///
/// # Errors
/// The call's own.
pub fn give_up_after(socket: &impl AsFd, patience: Duration) -> io::Result<()> {
    let ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(socket, ms)?)
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

    #[test]
    fn a_connection_has_the_time_that_it_is_given() {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        give_up_after(&socket, Duration::from_secs(30)).unwrap();
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&socket).unwrap(), 30_000);
    }
}
