//! A listening port of our own.

use std::io;
use std::os::windows::io::{AsRawSocket, AsSocket};
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOCKET_ERROR, SOL_SOCKET, WSAGetLastError, setsockopt,
};

/// Keeps every other program, of whatever user, from listening on the port beside this one and taking its connections, as
/// SO_REUSEADDR lets it ("Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE" in the Winsock reference). Call before the socket is
/// bound.
///
/// # Errors
/// The call's own.
pub fn hold_port_alone(socket: &impl AsSocket) -> io::Result<()> {
    let on: i32 = 1;
    let socket = socket.as_socket().as_raw_socket() as SOCKET;
    // SAFETY: the socket is borrowed, so it is open during the call, which reads the four bytes of `on`.
    let result =
        unsafe { setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (&raw const on).cast(), size_of::<i32>() as i32) };
    if result == SOCKET_ERROR {
        // SAFETY: takes nothing and reads what the last call of this thread left.
        return Err(io::Error::from_raw_os_error(unsafe { WSAGetLastError() }));
    }
    Ok(())
}

/// Nothing: Windows gives a peer up by itself that has taken nothing for some 20 s (TcpMaxDataRetransmissions).
///
/// # Errors
/// None.
pub fn give_up_after(_socket: &impl AsSocket, _patience: Duration) -> io::Result<()> {
    Ok(())
}
