//! Which errors of sockets tell of this host alone (errno(3)).

use rustix::io::Errno;
use std::io;

/// Whether a call failed for what this process or this host has no more of, or has not at all: descriptors, memory, ports, a
/// family of addresses. Of errors without a kind of their own; it tells nothing of the network.
pub fn lacks_means(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                | Errno::AGAIN
                | Errno::ADDRINUSE
                | Errno::ADDRNOTAVAIL
                | Errno::AFNOSUPPORT
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_out_is_of_this_host_and_what_a_far_one_says_is_not() {
        let lacks = |errno: Errno| lacks_means(&errno.into());
        assert!([Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::AFNOSUPPORT].into_iter().all(lacks));
        let told = [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::NETUNREACH, Errno::ACCESS, Errno::PERM, Errno::PROTO];
        assert!(!told.into_iter().any(lacks));
        assert!(!lacks_means(&io::Error::other("x")));
    }
}
