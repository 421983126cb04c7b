//! TCP sockets, as the rows of `/proc/net/tcp` and `tcp6` show them (proc(5); states: include/net/tcp_states.h).

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};

use crate::harness::until;
use crate::{COUNTS_SOCKETS, Facts, collect, compare, exactly, text};

/// How many sockets of this network are in each state.
fn states() -> BTreeMap<u8, f64> {
    let mut states = BTreeMap::new();
    // A kernel without IPv6 has no second file.
    let tables = [text("/proc/net/tcp"), fs::read_to_string("/proc/net/tcp6").unwrap_or_default()];
    for row in tables.iter().flat_map(|table| table.lines().skip(1)) {
        let state = row.split_ascii_whitespace().nth(3).expect("proc(5)");
        *states.entry(u8::from_str_radix(state, 16).expect("proc(5)")).or_default() += 1.0;
    }
    states
}

#[test]
fn sockets_are_in_the_states_that_the_tables_show() {
    let _alone = COUNTS_SOCKETS.lock();
    compare("ss", || {
        let states = states();
        let of = |state: u8| states.get(&state).copied().unwrap_or(0.0);
        let mut facts: Facts = [
            ("listen", 10),
            ("synsent", 2),
            ("synrecv", 3),
            ("finwait1", 4),
            ("finwait2", 5),
            ("closewait", 8),
            ("lastack", 9),
            ("closing", 11),
        ]
        .into_iter()
        .map(|(name, state)| (format!("ss.{name}"), exactly(of(state))))
        .collect();
        // The kernel counts one that only the peer has closed as established.
        facts.insert("ss.estab".to_owned(), exactly(of(1) + of(8)));
        // And those in fin-wait-2 as in time-wait once no process holds them.
        facts.insert("ss.timewait".to_owned(), (of(6), of(6) + of(5)));
        facts
    });
}

/// The counts follow what this process opens and closes. Others open and close too: so many are opened that they are seen
/// among them.
#[test]
fn sockets_that_are_opened_and_half_closed_are_counted() {
    let _alone = COUNTS_SOCKETS.lock();
    const LISTENERS: usize = 150;
    const PAIRS: usize = 200;
    const HALF_CLOSED: usize = 100;
    let of = |metric: &str| -> f64 {
        let items = collect(&["--only", "ss"]);
        items.iter().find(|item| item.metric == metric).unwrap_or_else(|| panic!("no {metric}")).value
    };
    let is_v6 = |n: &usize| n % 2 == 1 && fs::exists("/proc/net/tcp6").expect("it can be asked");
    let listen = |n: usize| match is_v6(&n) {
        true => TcpListener::bind((Ipv6Addr::LOCALHOST, 0)),
        false => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
    };
    let listeners: Vec<TcpListener> = (0..LISTENERS).map(|n| listen(n).expect("a port")).collect();
    let pair = |n: usize| {
        let listener = &listeners[n % 2];
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        (client, listener.accept().expect("accepted").0)
    };
    let mut pairs: Vec<(TcpStream, TcpStream)> = (0..PAIRS).map(pair).collect();
    assert!(of("ss.listen") >= LISTENERS as f64);
    assert!(of("ss.estab") >= 2.0 * PAIRS as f64);
    for (client, _) in pairs.iter().take(HALF_CLOSED) {
        client.shutdown(Shutdown::Write).expect("connected");
    }
    // Loopback acknowledges at once, though not before shutdown() returns.
    for (metric, state) in [("ss.finwait2", 5), ("ss.closewait", 8)] {
        until(metric, || format!("{:?}", states()), || (states().get(&state)? >= &(HALF_CLOSED as f64)).then_some(()));
        assert!(of(metric) >= HALF_CLOSED as f64, "{metric}");
    }
    pairs.clear();
    drop(listeners);
    for (metric, less) in [("ss.listen", LISTENERS), ("ss.estab", 2 * PAIRS), ("ss.closewait", HALF_CLOSED)] {
        until(metric, String::new, || (of(metric) < less as f64).then_some(()));
    }
}
