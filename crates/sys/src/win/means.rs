//! Which errors of sockets tell of this host alone (Windows Sockets Error Codes, System Error Codes).

use std::io;
use windows_sys::Win32::Foundation::{
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_TOO_MANY_OPEN_FILES,
};
use windows_sys::Win32::Networking::WinSock::{
    WSAEADDRINUSE, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEMFILE, WSAENOBUFS, WSAEWOULDBLOCK,
};

/// Whether a call failed for what this process or this host has no more of, or has not at all: handles, memory, ports, a family
/// of addresses. Of errors without a kind of their own; it tells nothing of the network.
pub fn lacks_means(error: &io::Error) -> bool {
    let system = [ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_NO_SYSTEM_RESOURCES];
    let sockets = [WSAEMFILE, WSAENOBUFS, WSAEWOULDBLOCK, WSAEADDRINUSE, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT];
    error.raw_os_error().is_some_and(|code| system.map(u32::cast_signed).contains(&code) || sockets.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_out_is_of_this_host_and_what_a_far_one_says_is_not() {
        let lacks = |code| lacks_means(&io::Error::from_raw_os_error(code));
        // WSAEMFILE, WSAENOBUFS, WSAEAFNOSUPPORT, ERROR_NOT_ENOUGH_MEMORY.
        assert!([10024, 10055, 10047, 8].into_iter().all(lacks));
        // WSAECONNREFUSED, WSAETIMEDOUT, WSAENETUNREACH, WSAEACCES, IP_REQ_TIMED_OUT.
        assert!(![10061, 10060, 10051, 10013, 11010].into_iter().any(lacks));
        assert!(!lacks_means(&io::Error::other("x")));
    }
}
