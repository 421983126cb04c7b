//! TCP sockets of one address family: MIB_TCPTABLE and MIB_TCP6TABLE (tcpmib.h); and the local ports of the tables with
//! owners, MIB_TCPTABLE_OWNER_PID and the others (tcpmib.h, udpmib.h).

use super::u32_at;
use crate::types::{Ports, TcpStates};

/// The ports that Windows gives to those who ask for none, unless its administrator chose others (RFC 6335).
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

const DYNAMIC_COUNT: usize = 16_384;

const LISTEN: usize = 2;

/// Where a row has what is read of it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    bytes: usize,
    state: usize,
    local_port: usize,
}

/// MIB_TCPROW: state, local address, local port, remote address, remote port.
pub(crate) const V4: Row = Row { bytes: 20, state: 0, local_port: 8 };

/// MIB_TCP6ROW: state, local address of 16 bytes, scope, port, the same of the remote.
pub(crate) const V6: Row = Row { bytes: 52, state: 0, local_port: 24 };

/// Adds the sockets of one family to `states`. A row in a state that is not known counts nowhere.
pub(crate) fn add_states(table: &[u8], row: Row, states: &mut TcpStates) {
    let mut used = [0_u64; DYNAMIC_COUNT / 64];
    let count = u32_at(table, 0).unwrap_or(0) as usize;
    for bytes in table.get(4..).unwrap_or_default().chunks_exact(row.bytes).take(count) {
        let (Some(state), Some(port)) = (u32_at(bytes, row.state), u32_at(bytes, row.local_port)) else { continue };
        let state = state as usize;
        if let Some(count) = states.count.get_mut(state).filter(|_| state > 0) {
            *count += 1;
        }
        // The low half, as on the wire; the high half may hold anything.
        let port = u16::from_be(port as u16);
        if state != LISTEN && DYNAMIC_PORTS.contains(&port) {
            let place = usize::from(port - DYNAMIC_PORTS.start());
            if let Some(word) = used.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }
    let used: u32 = used.iter().map(|word| word.count_ones()).sum();
    let percent = 100.0 * f64::from(used) / DYNAMIC_COUNT as f64;
    states.ephemeral_used_percent = Some(states.ephemeral_used_percent.map_or(percent, |other| other.max(percent)));
}

/// A table with the owners of its sockets, of which none is read: where its rows have the local port.
#[derive(Clone, Copy)]
pub(crate) struct Owned {
    bytes: usize,
    local_port: usize,
}

/// MIB_TCPROW_OWNER_PID: state, local address and port, remote address and port, pid.
pub(crate) const TCP_V4: Owned = Owned { bytes: 24, local_port: 8 };
/// MIB_TCP6ROW_OWNER_PID: local address of 16 bytes, scope, port, the same of the remote, state, pid.
pub(crate) const TCP_V6: Owned = Owned { bytes: 56, local_port: 20 };
/// MIB_UDPROW_OWNER_PID: local address and port, pid.
pub(crate) const UDP_V4: Owned = Owned { bytes: 12, local_port: 4 };
/// MIB_UDP6ROW_OWNER_PID: local address of 16 bytes, scope, port, pid.
pub(crate) const UDP_V6: Owned = Owned { bytes: 28, local_port: 20 };

/// Adds the local port of every row.
pub(crate) fn add_ports(table: &[u8], row: Owned, ports: &mut Ports) {
    let count = u32_at(table, 0).unwrap_or(0) as usize;
    for bytes in table.get(4..).unwrap_or_default().chunks_exact(row.bytes).take(count) {
        // The low half, as on the wire; the high half may hold anything.
        if let Some(port) = u32_at(bytes, row.local_port) {
            ports.insert(u16::from_be(port as u16));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_port_of_each_row_is_told_and_no_row_that_is_cut() {
        for (row, local) in [(TCP_V4, 2), (TCP_V6, 5), (UDP_V4, 1), (UDP_V6, 5)] {
            let mut table = 3_u32.to_le_bytes().to_vec();
            for port_number in [22, 8080, 65_535] {
                let mut words = vec![0x0101_0101_u32; row.bytes / 4];
                words[local] = port(port_number);
                table.extend(words.into_iter().flat_map(u32::to_le_bytes));
            }
            let mut ports = Ports::default();
            add_ports(&table, row, &mut ports);
            assert_eq!(format!("{ports:?}"), "{22, 8080, 65535}");
            for end in 0..table.len() {
                let mut cut = Ports::default();
                add_ports(&table[..end], row, &mut cut);
                assert!(!cut.contains(65_535));
            }
            // It says of two, whatever lies behind them.
            table[0] = 2;
            let mut two = Ports::default();
            add_ports(&table, row, &mut two);
            assert_eq!(format!("{two:?}"), "{22, 8080}");
        }
    }

    fn port(port: u16) -> u32 {
        u32::from(port.to_be()) | 0xBEEF_0000
    }

    fn v4(rows: &[(u32, u16)]) -> Vec<u8> {
        let mut table = (rows.len() as u32).to_le_bytes().to_vec();
        for &(state, local) in rows {
            let row = [state, 0x0100_007F, port(local), 0x0100_007F, port(60_000)];
            table.extend(row.into_iter().flat_map(u32::to_le_bytes));
        }
        table
    }

    fn v6(rows: &[(u32, u16)]) -> Vec<u8> {
        let mut table = (rows.len() as u32).to_le_bytes().to_vec();
        for &(state, local) in rows {
            let mut row = [5_u32; 13];
            (row[0], row[6], row[12]) = (state, port(local), port(60_000));
            table.extend(row.into_iter().flat_map(u32::to_le_bytes));
        }
        table
    }

    fn states(table: &[u8], row: Row) -> TcpStates {
        let mut states = TcpStates::default();
        add_states(table, row, &mut states);
        states
    }

    #[test]
    fn both_families_count_each_state() {
        let rows: Vec<_> = (1..=12).chain([5, 5, 11]).map(|state| (state, 80)).collect();
        for states in [states(&v4(&rows), V4), states(&v6(&rows), V6)] {
            assert_eq!(states.count, [0, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 2, 1]);
            assert_eq!(states.ephemeral_used_percent, Some(0.0));
        }
        let mut both = states(&v4(&rows), V4);
        add_states(&v6(&rows), V6, &mut both);
        assert_eq!(both.count[5], 6);
    }

    #[test]
    fn unknown_states_count_nowhere() {
        assert_eq!(states(&v4(&[(0, 80), (13, 80), (u32::MAX, 80)]), V4).count, [0; 13]);
    }

    #[test]
    fn a_dynamic_port_counts_once_and_not_for_its_listener() {
        let percent = |ports: f64| Some(ports * 100.0 / 16_384.0);
        let rows = [(5, 49_152), (11, 49_152), (5, 65_535), (2, 50_000), (5, 49_151), (5, 443)];
        assert_eq!(states(&v4(&rows), V4).ephemeral_used_percent, percent(2.0));
        let all: Vec<_> = (49_152..=65_535).map(|port| (11, port)).collect();
        assert_eq!(states(&v6(&all), V6).ephemeral_used_percent, Some(100.0));
        // The families do not share their ports: the fuller one is told.
        let mut both = states(&v4(&rows), V4);
        add_states(&v6(&[(5, 60_000), (5, 60_001), (5, 60_002)]), V6, &mut both);
        assert_eq!(both.ephemeral_used_percent, percent(3.0));
        add_states(&v4(&[]), V4, &mut both);
        assert_eq!(both.ephemeral_used_percent, percent(3.0));
    }

    #[test]
    fn rows_beyond_the_table_are_not_read() {
        let table = v4(&[(5, 80), (5, 80), (5, 80)]);
        for cut in 0..=table.len() {
            assert_eq!(states(&table[..cut], V4).count[5], (cut.saturating_sub(4) / 20) as u64);
        }
        // A count that is too large, and one that leaves rows out.
        let mut absurd = table.clone();
        absurd[..4].fill(0xFF);
        assert_eq!(states(&absurd, V4).count[5], 3);
        absurd[..4].copy_from_slice(&1_u32.to_le_bytes());
        assert_eq!(states(&absurd, V4).count[5], 1);
    }
}
