//! Which local ports are in use: TCP sockets that listen, and UDP sockets. Those of TCP by netlink where the kernel has it
//! (`diag`), for its table in `/proc` has a line for every connection; else from that table, in which they come first.
//! Source: proc(5), and the kernel's net/ipv4/tcp_ipv4.c and udp.c for the columns of the tables.

use super::Host;
use super::text::lines;
use crate::types::{Extent, Ports};
use std::io;

/// TCP_LISTEN of tcp_states.h, as the tables write it.
const LISTEN: &str = "0A";

impl Host {
    /// Adds the local ports on which TCP listens, of both families and any address. Below a root prefix they are those of
    /// process 1.
    ///
    /// # Errors
    /// The kernel's, where neither netlink nor the tables answer.
    pub fn tcp_listening(&mut self, ports: &mut Ports) -> io::Result<Extent> {
        match self.listening(&mut |port| ports.insert(port)) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => self.tables("tcp", "tcp6", Some(LISTEN), ports),
            told => told.map(|()| Extent::Whole),
        }
    }

    /// Adds the local ports of all UDP sockets, likewise.
    ///
    /// # Errors
    /// A table cannot be read.
    pub fn udp_bound(&mut self, ports: &mut Ports) -> io::Result<Extent> {
        self.tables("udp", "udp6", None, ports)
    }

    fn tables(&mut self, v4: &str, v6: &str, state: Option<&str>, ports: &mut Ports) -> io::Result<Extent> {
        let mut extent = Extent::Whole;
        for (table, is_v6) in [(v4, false), (v6, true)] {
            match self.read_net(table) {
                Ok(()) => {
                    local_ports(&self.file, state, ports);
                    extent = extent.and(self.extent);
                    self.release();
                }
                // A kernel without IPv6.
                Err(e) if is_v6 && e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(self.root.name(&self.path, &e)),
            }
        }
        Ok(extent)
    }
}

/// `sl local_address rem_address st`: addresses are `ADDRESS:PORT` in hexadecimal digits. The head of the table has no colon.
fn local_ports(table: &[u8], state: Option<&str>, ports: &mut Ports) {
    for line in lines(table) {
        let mut words = line.split_ascii_whitespace();
        let (Some(local), Some(st)) = (words.nth(1), words.nth(1)) else { continue };
        let port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        if let Some(port) = port.filter(|_| state.is_none_or(|state| state == st)) {
            ports.insert(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str) -> String {
        format!("   0: {local} 00000000:0050 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1\n")
    }

    fn whole(told: io::Result<Extent>) {
        assert_eq!(told.unwrap(), Extent::Whole);
    }

    #[test]
    fn sockets_of_this_process_are_found_in_both_families() {
        let mut host = Host::new("/");
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut tcp_ports, mut udp_ports) = (Ports::default(), Ports::default());
        whole(host.tcp_listening(&mut tcp_ports));
        whole(host.udp_bound(&mut udp_ports));
        assert!(tcp_ports.contains(v4.local_addr().unwrap().port()));
        assert!(!tcp_ports.contains(connected.local_addr().unwrap().port()), "connected is not listening");
        assert!(udp_ports.contains(udp.local_addr().unwrap().port()));
        // A host of the tests may have no IPv6.
        if let (Ok(tcp), Ok(udp)) = (TcpListener::bind("[::1]:0"), UdpSocket::bind("[::1]:0")) {
            let (mut tcp_ports, mut udp_ports) = (Ports::default(), Ports::default());
            whole(host.tcp_listening(&mut tcp_ports));
            whole(host.udp_bound(&mut udp_ports));
            assert!(tcp_ports.contains(tcp.local_addr().unwrap().port()));
            assert!(udp_ports.contains(udp.local_addr().unwrap().port()));
        }
    }

    #[test]
    fn the_tables_tell_the_same_as_netlink() {
        let mut host = Host::new("/");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut asked, mut read) = (Ports::default(), Ports::default());
        whole(host.tcp_listening(&mut asked));
        whole(host.tables("tcp", "tcp6", Some(LISTEN), &mut read));
        let port = listener.local_addr().unwrap().port();
        assert!(asked.contains(port) && read.contains(port));
    }

    #[test]
    fn below_a_prefix_the_tables_of_process_1_are_read() {
        let tcp = [HEAD, &line("00000000:1F90", "0A"), &line("0100007F:C350", "01")].concat();
        let tcp6 = [HEAD, &line("00000000000000000000000000000000:0016", "0A")].concat();
        let udp = [HEAD, &line("00000000:0035", "07"), &line("0100007F:FFFF", "01"), "cut 1: 000"].concat();
        let (dir, mut host) =
            fixture::host(&[("proc/1/net/tcp", &tcp), ("proc/1/net/tcp6", &tcp6), ("proc/1/net/udp", &udp)]);
        let mut ports = Ports::default();
        whole(host.tcp_listening(&mut ports));
        assert_eq!(format!("{ports:?}"), "{22, 8080}");
        ports.clear();
        whole(host.udp_bound(&mut ports));
        assert_eq!(format!("{ports:?}"), "{53, 65535}", "there is no udp6: no IPv6");
        std::fs::remove_file(dir.path().join("proc/1/net/udp")).unwrap();
        assert!(host.udp_bound(&mut ports).unwrap_err().to_string().contains("net/udp"));
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let mut ports = Ports::default();
        let whole = line("00000000:1F90", "0A");
        for end in 0..whole.len() {
            local_ports(&whole.as_bytes()[..end], Some(LISTEN), &mut Ports::default());
        }
        let odd = ["0: 1F90 0 0A\n", "0: x:1F9000 0 0A\n", "0: x:-1 0 0A\n", "\n", ": : : :\n", "\u{FFFD}\n"].concat();
        local_ports(odd.as_bytes(), Some(LISTEN), &mut ports);
        assert_eq!(format!("{ports:?}"), "{}");
    }
}
