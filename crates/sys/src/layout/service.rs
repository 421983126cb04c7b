//! The list of services (ENUM_SERVICE_STATUS_PROCESSW) and how one is started (QUERY_SERVICE_CONFIGW and others), of
//! winsvc.h.
//!
//! Entries of 56 bytes follow each other; their names lie behind them in the same memory, to which they have pointers.

use super::text::decode_into;
use super::{u32_at, u64_at};
use crate::types::Service;

const ENTRY_BYTES: usize = 56;

/// The control manager allows no longer name.
const NAME_UNITS: usize = 256;

/// Of dwServiceType: for each user that logs on, such a service is made from it; and one that was.
const USER_SERVICE: u32 = 0x40;
const USER_INSTANCE: u32 = 0x80;

/// dwCurrentState of a service that no process runs.
const STOPPED: u32 = 1;

/// The first `count` services of an answer that Windows wrote to `address`, for names are pointers. A user's own copies
/// of services are left out: each logon makes new ones, under new names.
pub(crate) fn services(bytes: &[u8], address: u64, count: usize) -> impl Iterator<Item = Service> {
    bytes.chunks_exact(ENTRY_BYTES).take(count).filter_map(move |entry| {
        let (kind, state) = (u32_at(entry, 16)?, u32_at(entry, 20)?);
        let name = u64_at(entry, 0)?.checked_sub(address).and_then(|at| usize::try_from(at).ok())?;
        let units = bytes.get(name..)?.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
        let mut service = Service {
            name: String::new(),
            state,
            exit_code: u32_at(entry, 28)?,
            // Wine keeps that of a process that died.
            pid: u32_at(entry, 44).filter(|pid| *pid != 0 && state != STOPPED),
            is_template: kind & USER_SERVICE != 0,
            start: None,
        };
        decode_into(units.take(NAME_UNITS).take_while(|unit| *unit != 0), &mut service.name);
        (kind & USER_INSTANCE == 0 && !service.name.is_empty()).then_some(service)
    })
}

/// dwStartType of a QUERY_SERVICE_CONFIGW.
pub(crate) fn start_mode(config: &[u8]) -> Option<u32> {
    u32_at(config, 4)
}

/// Whether the first field of a SERVICE_DELAYED_AUTO_START_INFO, or the count that begins a SERVICE_TRIGGER_INFO, is
/// not 0.
pub(crate) fn is_set(info: &[u8]) -> bool {
    u32_at(info, 0).is_some_and(|field| field != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: u64 = 0x7FF0_1000;

    /// An answer as Windows lays it out: entries first, texts behind them.
    fn answer(services: &[(&str, u32, u32, u32)]) -> Vec<u8> {
        let (mut entries, mut texts) = (Vec::new(), Vec::new());
        for (name, kind, state, exit) in services {
            let at = ADDRESS + (services.len() * ENTRY_BYTES + texts.len()) as u64;
            let status = [*kind, *state, 0, *exit, 7, 8, 9, 4321, 0, 0];
            entries.extend(at.to_le_bytes().into_iter().chain((at + 2).to_le_bytes()));
            entries.extend(status.into_iter().flat_map(u32::to_le_bytes));
            texts.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        }
        entries.extend(texts);
        entries
    }

    fn read(bytes: &[u8], count: usize) -> Vec<(String, u32, u32, bool)> {
        let services = services(bytes, ADDRESS, count);
        services.map(|service| (service.name, service.state, service.exit_code, service.is_template)).collect()
    }

    #[test]
    fn a_service_is_its_name_state_and_exit_code() {
        let bytes = answer(&[("W3SVC", 0x20, 4, 0), ("Spooler", 0x110, 1, 1077), ("\u{670D}\u{52A1}", 0x10, 7, 1066)]);
        let expected = [("W3SVC", 4, 0), ("Spooler", 1, 1077), ("\u{670D}\u{52A1}", 7, 1066)];
        assert_eq!(read(&bytes, 3), expected.map(|(name, state, exit)| (name.to_owned(), state, exit, false)));
        assert_eq!(read(&bytes, 2).len(), 2);
    }

    #[test]
    fn a_service_that_runs_has_a_process_and_one_that_does_not_has_none() {
        let mut bytes = answer(&[("a", 0x20, 4, 0), ("b", 0x10, 1, 0), ("c", 0x10, 4, 0), ("d", 0x10, 3, 0)]);
        bytes[2 * ENTRY_BYTES + 44..][..4].fill(0);
        let pids: Vec<_> = services(&bytes, ADDRESS, 4).map(|service| service.pid).collect();
        assert_eq!(pids, [Some(4321), None, None, Some(4321)]);
    }

    // Each logon to a terminal server began new series.
    #[test]
    fn copies_for_a_user_are_left_out_and_what_they_are_made_from_is_marked() {
        let bytes = answer(&[("CDPUserSvc", 0x60, 1, 1077), ("CDPUserSvc_2a4b1", 0xE0, 4, 0), ("X_1", 0xD0, 4, 0)]);
        assert_eq!(read(&bytes, 3), [("CDPUserSvc".to_owned(), 1, 1077, true)]);
    }

    #[test]
    fn nothing_leads_out_of_the_answer() {
        let whole = answer(&[("W3SVC", 0x20, 4, 0), ("Spooler", 0x10, 1, 0)]);
        assert_eq!(read(&whole, usize::MAX).len(), 2, "{:?}", read(&whole, usize::MAX));
        for cut in 0..whole.len() {
            let found = read(&whole[..cut], usize::MAX);
            assert!(found.len() <= cut / ENTRY_BYTES && found.iter().all(|(name, ..)| !name.is_empty()), "{found:?}");
        }
        for pointer in [0, ADDRESS - 1, ADDRESS + whole.len() as u64, u64::MAX] {
            let mut bytes = answer(&[("W3SVC", 0x20, 4, 0)]);
            bytes[..8].copy_from_slice(&pointer.to_le_bytes());
            assert_eq!(read(&bytes, 1), [], "{pointer:x}");
        }
        let long = "x".repeat(10_000);
        assert_eq!(read(&answer(&[(&long, 0x10, 4, 0)]), 1)[0].0.len(), NAME_UNITS);
    }

    #[test]
    fn how_it_starts_is_one_field_each() {
        assert_eq!(start_mode(&[16, 0, 0, 0, 2, 0, 0, 0, 1]), Some(2));
        assert_eq!(start_mode(&[16, 0, 0, 0, 2, 0, 0]), None);
        assert!(is_set(&[1, 0, 0, 0]) && !is_set(&[0, 0, 0, 0, 1]) && !is_set(&[1, 0, 0]) && !is_set(&[]));
    }
}
