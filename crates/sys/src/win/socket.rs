//! TCP and UDP: totals of each address family, and the sockets by state.
//!
//! The calls with 64 bits are of Windows 10 1709 and only for segments and datagrams; all else has 32 bits. Which of
//! them answers never changes while a system runs.

use super::ffi::{Answer, Buffer, procedure};
use crate::layout::socket::{Owned, TCP_V4, TCP_V6, UDP_V4, UDP_V6, V4, V6, add_ports, add_states};
use crate::layout::widened::Wide;
use crate::types::{Ports, TcpCounts, TcpStates, TcpStats, UdpCounts};
use std::ffi::c_void;
use std::{io, mem};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_NOT_SUPPORTED, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, GetTcp6Table, GetTcpStatisticsEx, GetTcpTable, GetUdpStatisticsEx,
    MIB_TCPSTATS_LH, MIB_TCPSTATS2, MIB_UDPSTATS, MIB_UDPSTATS2, TCP_TABLE_OWNER_PID_LISTENER, UDP_TABLE_OWNER_PID,
};
use windows_sys::{s, w};

// ws2def.h, ws2ipdef.h
const AF_INET: u32 = 2;
const AF_INET6: u32 = 23;

/// 64 MiB are more than a million sockets.
const FIRST_BYTES: usize = 64 << 10;
const MOST_BYTES: usize = 64 << 20;

type TcpEx2 = unsafe extern "system" fn(*mut MIB_TCPSTATS2, u32) -> u32;
type UdpEx2 = unsafe extern "system" fn(*mut MIB_UDPSTATS2, u32) -> u32;

#[derive(Debug, Default)]
pub(super) struct TcpFamilies {
    v4: Tcp,
    v6: Tcp,
}

/// The 32-bit counts of one family.
#[derive(Debug, Default)]
struct Tcp {
    active_opens: Wide,
    passive_opens: Wide,
    attempt_fails: Wide,
    estab_resets: Wide,
    in_segs: Wide,
    out_segs: Wide,
    retrans_segs: Wide,
    in_errs: Wide,
    out_rsts: Wide,
}

pub(super) fn tcp_stats(families: &mut TcpFamilies) -> io::Result<TcpStats> {
    let v4 = tcp(AF_INET, &mut families.v4)?;
    Ok(TcpStats { v4, v6: if_supported(tcp(AF_INET6, &mut families.v6)) })
}

fn tcp(family: u32, wide: &mut Tcp) -> io::Result<TcpCounts> {
    if let Some(call) = procedure(w!("iphlpapi.dll"), s!("GetTcpStatisticsEx2")) {
        // SAFETY: the name belongs to this signature (iphlpapi.h).
        let call = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, TcpEx2>(call) };
        let mut now = MIB_TCPSTATS2::default();
        // SAFETY: a live structure of the type the call fills.
        succeeded(unsafe { call(&raw mut now, family) })?;
        return Ok(wide.add(&now));
    }
    let mut now = MIB_TCPSTATS_LH::default();
    // SAFETY: a live structure of the type the call fills.
    succeeded(unsafe { GetTcpStatisticsEx(&raw mut now, family) })?;
    Ok(wide.add_32(&now))
}

impl Tcp {
    fn add(&mut self, now: &MIB_TCPSTATS2) -> TcpCounts {
        TcpCounts {
            active_opens: self.active_opens.add(now.dwActiveOpens),
            passive_opens: self.passive_opens.add(now.dwPassiveOpens),
            attempt_fails: self.attempt_fails.add(now.dwAttemptFails),
            estab_resets: self.estab_resets.add(now.dwEstabResets),
            established: now.dwCurrEstab.into(),
            in_segs: now.dw64InSegs,
            out_segs: now.dw64OutSegs,
            retrans_segs: self.retrans_segs.add(now.dwRetransSegs),
            in_errs: self.in_errs.add(now.dwInErrs),
            out_rsts: self.out_rsts.add(now.dwOutRsts),
        }
    }

    fn add_32(&mut self, now: &MIB_TCPSTATS_LH) -> TcpCounts {
        let wider = MIB_TCPSTATS2 {
            dwActiveOpens: now.dwActiveOpens,
            dwPassiveOpens: now.dwPassiveOpens,
            dwAttemptFails: now.dwAttemptFails,
            dwEstabResets: now.dwEstabResets,
            dwCurrEstab: now.dwCurrEstab,
            dw64InSegs: self.in_segs.add(now.dwInSegs),
            dw64OutSegs: self.out_segs.add(now.dwOutSegs),
            dwRetransSegs: now.dwRetransSegs,
            dwInErrs: now.dwInErrs,
            dwOutRsts: now.dwOutRsts,
            ..MIB_TCPSTATS2::default()
        };
        self.add(&wider)
    }
}

#[derive(Debug, Default)]
pub(super) struct UdpFamilies {
    v4: Udp,
    v6: Udp,
}

#[derive(Debug, Default)]
struct Udp {
    in_datagrams: Wide,
    no_ports: Wide,
    in_errors: Wide,
    out_datagrams: Wide,
}

pub(super) fn udp_stats(families: &mut UdpFamilies) -> io::Result<UdpCounts> {
    let v4 = udp(AF_INET, &mut families.v4)?;
    let v6 = if_supported(udp(AF_INET6, &mut families.v6))?.unwrap_or_default();
    Ok(UdpCounts {
        in_datagrams: v4.in_datagrams.saturating_add(v6.in_datagrams),
        no_ports: v4.no_ports.saturating_add(v6.no_ports),
        in_errors: v4.in_errors.saturating_add(v6.in_errors),
        out_datagrams: v4.out_datagrams.saturating_add(v6.out_datagrams),
    })
}

fn udp(family: u32, wide: &mut Udp) -> io::Result<UdpCounts> {
    if let Some(call) = procedure(w!("iphlpapi.dll"), s!("GetUdpStatisticsEx2")) {
        // SAFETY: the name belongs to this signature (iphlpapi.h).
        let call = unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, UdpEx2>(call) };
        let mut now = MIB_UDPSTATS2::default();
        // SAFETY: a live structure of the type the call fills.
        succeeded(unsafe { call(&raw mut now, family) })?;
        return Ok(wide.add(&now));
    }
    let mut now = MIB_UDPSTATS::default();
    // SAFETY: a live structure of the type the call fills.
    succeeded(unsafe { GetUdpStatisticsEx(&raw mut now, family) })?;
    Ok(wide.add_32(&now))
}

impl Udp {
    fn add(&mut self, now: &MIB_UDPSTATS2) -> UdpCounts {
        UdpCounts {
            in_datagrams: now.dw64InDatagrams,
            no_ports: self.no_ports.add(now.dwNoPorts),
            in_errors: self.in_errors.add(now.dwInErrors),
            out_datagrams: now.dw64OutDatagrams,
        }
    }

    fn add_32(&mut self, now: &MIB_UDPSTATS) -> UdpCounts {
        let wider = MIB_UDPSTATS2 {
            dw64InDatagrams: self.in_datagrams.add(now.dwInDatagrams),
            dwNoPorts: now.dwNoPorts,
            dwInErrors: now.dwInErrors,
            dw64OutDatagrams: self.out_datagrams.add(now.dwOutDatagrams),
            ..MIB_UDPSTATS2::default()
        };
        self.add(&wider)
    }
}

/// By the tables without owners: nobody asks for those here, and to find them can take longer than all else.
pub(super) fn tcp_states(buffer: &mut Buffer) -> io::Result<TcpStates> {
    let mut states = TcpStates::default();
    add_states(v4_table(buffer)?, V4, &mut states);
    if let Some(table) = if_supported(v6_table(buffer))? {
        add_states(table, V6, &mut states);
    }
    Ok(states)
}

fn v4_table(buffer: &mut Buffer) -> io::Result<&[u8]> {
    // SAFETY: so many bytes as `size` says lie at `at`, aligned to 8.
    table(buffer, |at, size| unsafe { GetTcpTable(at.cast(), size, 0) })
}

fn v6_table(buffer: &mut Buffer) -> io::Result<&[u8]> {
    // SAFETY: so many bytes as `size` says lie at `at`, aligned to 8.
    table(buffer, |at, size| unsafe { GetTcp6Table(at.cast(), size, 0) })
}

/// Adds the ports on which TCP listens. Of IPv6 there are no tables without owners.
pub(super) fn tcp_listening(buffer: &mut Buffer, ports: &mut Ports) -> io::Result<()> {
    let ask = |family: u32| {
        move |at: *mut c_void, size: &mut u32| {
            // SAFETY: so many bytes as `size` says lie at `at`, aligned to 8.
            unsafe { GetExtendedTcpTable(at, size, 0, family, TCP_TABLE_OWNER_PID_LISTENER, 0) }
        }
    };
    both(buffer, ports, (ask(AF_INET), TCP_V4), (ask(AF_INET6), TCP_V6))
}

/// Adds the local ports of all UDP sockets.
pub(super) fn udp_bound(buffer: &mut Buffer, ports: &mut Ports) -> io::Result<()> {
    let ask = |family: u32| {
        move |at: *mut c_void, size: &mut u32| {
            // SAFETY: so many bytes as `size` says lie at `at`, aligned to 8.
            unsafe { GetExtendedUdpTable(at, size, 0, family, UDP_TABLE_OWNER_PID, 0) }
        }
    };
    both(buffer, ports, (ask(AF_INET), UDP_V4), (ask(AF_INET6), UDP_V6))
}

fn both<F: Fn(*mut c_void, &mut u32) -> u32>(
    buffer: &mut Buffer,
    ports: &mut Ports,
    (v4, v4_row): (F, Owned),
    (v6, v6_row): (F, Owned),
) -> io::Result<()> {
    add_ports(table(buffer, v4)?, v4_row, ports);
    if let Some(table) = if_supported(table(buffer, v6))? {
        add_ports(table, v6_row, ports);
    }
    Ok(())
}

/// What `ask` writes at a pointer to as many bytes as the size says.
fn table(buffer: &mut Buffer, ask: impl Fn(*mut c_void, &mut u32) -> u32) -> io::Result<&[u8]> {
    buffer.fill(FIRST_BYTES, MOST_BYTES, |at, bytes| {
        let mut size = bytes;
        match ask(at, &mut size) {
            // The table says itself how many rows it has.
            NO_ERROR => Answer::Filled(bytes as usize),
            ERROR_INSUFFICIENT_BUFFER => Answer::TooSmall(size as usize),
            code => Answer::Failed(io::Error::from_raw_os_error(code.cast_signed())),
        }
    })
}

fn succeeded(code: u32) -> io::Result<()> {
    if code == NO_ERROR { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

/// `None` where this host does not have the family at all.
fn if_supported<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(e) if e.raw_os_error() == Some(ERROR_NOT_SUPPORTED.cast_signed()) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests;
