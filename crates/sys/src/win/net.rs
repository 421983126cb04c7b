//! Network interfaces: GetIfTable2, whose counters are all 64 bits wide.
//!
//! The table repeats every adapter once per filter bound to it, with the same bytes: those rows are left out, and so
//! are loopback and tunnels, and what is down and never carried anything.

use crate::layout::text::text_into;
use crate::types::NetIf;
use std::{io, mem, ptr, slice};
use windows_sys::Win32::Foundation::NO_ERROR;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    FreeMibTable, GetIfTable2, IF_TYPE_SOFTWARE_LOOPBACK, IF_TYPE_TUNNEL, MIB_IF_ROW2, MIB_IF_TABLE2,
};
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;

/// A host that shows more rows than this is not read further.
const MAX_ROWS: usize = 4096;

// Bits of InterfaceAndOperStatusFlags (netioapi.h).
const HARDWARE_INTERFACE: u8 = 1;
const FILTER_INTERFACE: u8 = 2;

/// The rows of `into` are used again, names and all: a host whose interfaces stay costs no memory.
pub(super) fn net_ifs(into: &mut Vec<NetIf>) -> io::Result<()> {
    let table = Table::read()?;
    let mut len = 0;
    for row in table.rows().iter().filter(|row| is_wanted(row)) {
        if len == into.len() {
            into.push(NetIf::default());
        }
        if let Some(net_if) = into.get_mut(len) {
            fill(row, net_if);
        }
        len += 1;
    }
    into.truncate(len);
    Ok(())
}

/// The table as Windows allocated it.
struct Table(*mut MIB_IF_TABLE2);

impl Table {
    fn read() -> io::Result<Table> {
        let mut table = ptr::null_mut();
        // SAFETY: the call writes one pointer, to a table that FreeMibTable frees.
        let code = unsafe { GetIfTable2(&raw mut table) };
        let table = Table(table);
        if code != NO_ERROR {
            return Err(io::Error::from_raw_os_error(code.cast_signed()));
        }
        if table.0.is_null() { Err(io::Error::other("no interface table")) } else { Ok(table) }
    }

    fn rows(&self) -> &[MIB_IF_ROW2] {
        // SAFETY: the pointer is to a whole table: checked at `read`, freed only at drop. `Table` is declared with one
        // row and has NumEntries of them, one behind the other.
        unsafe {
            let len = (*self.0).NumEntries as usize;
            slice::from_raw_parts((&raw const (*self.0).Table).cast(), len.min(MAX_ROWS))
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: GetIfTable2 allocated it, and no row outlives `self`.
            unsafe { FreeMibTable(self.0.cast()) };
        }
    }
}

fn is_wanted(row: &MIB_IF_ROW2) -> bool {
    row.InterfaceAndOperStatusFlags._bitfield & FILTER_INTERFACE == 0
        && row.Type != IF_TYPE_SOFTWARE_LOOPBACK
        && row.Type != IF_TYPE_TUNNEL
        && (row.OperStatus == IfOperStatusUp || row.InOctets > 0 || row.OutOctets > 0)
}

fn fill(row: &MIB_IF_ROW2, into: &mut NetIf) {
    let mut name = mem::take(&mut into.name);
    text_into(&row.Alias, &mut name);
    // A tag must not be empty.
    if name.trim().is_empty() {
        text_into(&row.Description, &mut name);
    }
    *into = NetIf {
        name,
        in_bytes: row.InOctets,
        in_packets: row.InUcastPkts.saturating_add(row.InNUcastPkts),
        in_errors: row.InErrors,
        in_dropped: row.InDiscards,
        in_multicast: row.InNUcastPkts,
        out_bytes: row.OutOctets,
        out_packets: row.OutUcastPkts.saturating_add(row.OutNUcastPkts),
        out_errors: row.OutErrors,
        out_dropped: row.OutDiscards,
        // Both are ways to say that the speed is unknown.
        speed_bits_per_s: Some(row.TransmitLinkSpeed).filter(|&speed| speed != 0 && speed != u64::MAX),
        up: Some(row.OperStatus == IfOperStatusUp),
        hardware: row.InterfaceAndOperStatusFlags._bitfield & HARDWARE_INTERFACE != 0,
        // SAFETY: both views of a NET_LUID_LH are one number of 64 bits, for which any bits are valid.
        id: unsafe { row.InterfaceLuid.Value },
        out_queue: Some(row.OutQLen),
        ..NetIf::default()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;

    fn row(alias: &str) -> MIB_IF_ROW2 {
        let mut row = MIB_IF_ROW2 { Type: 6, OperStatus: IfOperStatusUp, ..Default::default() };
        row.InterfaceAndOperStatusFlags._bitfield = HARDWARE_INTERFACE;
        for (to, from) in row.Alias.iter_mut().zip(alias.encode_utf16()) {
            *to = from;
        }
        row
    }

    fn net_if(row: &MIB_IF_ROW2) -> NetIf {
        let mut net_if = NetIf { name: "before".into(), in_fifo_errors: 5, ..NetIf::default() };
        fill(row, &mut net_if);
        net_if
    }

    #[test]
    fn rows_that_repeat_or_never_carried_anything_are_left_out() {
        assert!(is_wanted(&row("Ethernet")));
        let mut filter = row("Ethernet-WFP Native MAC Layer LightWeight Filter-0000");
        filter.InterfaceAndOperStatusFlags._bitfield = FILTER_INTERFACE;
        assert!(!is_wanted(&filter));
        for kind in [IF_TYPE_SOFTWARE_LOOPBACK, IF_TYPE_TUNNEL] {
            assert!(!is_wanted(&MIB_IF_ROW2 { Type: kind, InOctets: 5, ..row("lo") }));
        }
        let down = MIB_IF_ROW2 { OperStatus: 2, ..row("Ethernet 2") };
        assert!(!is_wanted(&down));
        assert!(is_wanted(&MIB_IF_ROW2 { OutOctets: 1, ..down }));
    }

    #[test]
    fn a_row_becomes_an_interface() {
        let row = MIB_IF_ROW2 {
            InOctets: 1 << 40,
            InUcastPkts: 10,
            InNUcastPkts: 3,
            InDiscards: 1,
            InErrors: 2,
            OutOctets: 7,
            OutUcastPkts: u64::MAX,
            OutNUcastPkts: 1,
            OutDiscards: 4,
            OutErrors: 5,
            TransmitLinkSpeed: 10_000_000_000,
            OutQLen: 6,
            InterfaceLuid: NET_LUID_LH { Value: 0x0006_0080_0100_0000 },
            ..row("\u{4EE5}\u{592A}\u{7F51} 2")
        };
        let expected = NetIf {
            name: "\u{4EE5}\u{592A}\u{7F51} 2".into(),
            in_bytes: 1 << 40,
            in_packets: 13,
            in_errors: 2,
            in_dropped: 1,
            in_multicast: 3,
            out_bytes: 7,
            out_packets: u64::MAX,
            out_errors: 5,
            out_dropped: 4,
            speed_bits_per_s: Some(10_000_000_000),
            up: Some(true),
            hardware: true,
            id: 0x0006_0080_0100_0000,
            out_queue: Some(6),
            ..NetIf::default()
        };
        assert_eq!(net_if(&row), expected);
    }

    #[test]
    fn rows_are_used_again_and_none_is_left_over() {
        let mut first = Vec::new();
        net_ifs(&mut first).unwrap();
        let mut again = vec![NetIf { name: "gone".into(), ..NetIf::default() }; first.len() + 3];
        net_ifs(&mut again).unwrap();
        let names = |rows: &[NetIf]| rows.iter().map(|row| (row.id, row.name.clone())).collect::<Vec<_>>();
        assert_eq!(names(&again), names(&first));
    }

    #[test]
    fn unknown_speeds_and_empty_aliases() {
        for speed in [0, u64::MAX] {
            assert_eq!(net_if(&MIB_IF_ROW2 { TransmitLinkSpeed: speed, ..row("a") }).speed_bits_per_s, None);
        }
        let mut nameless = row(" ");
        nameless.Description[0] = u16::from(b'D');
        assert_eq!(net_if(&nameless).name, "D");
    }
}
