//! Entries of the event log `Application`, and the registration that makes Event Viewer show their text.
//!
//! Source: "Event Logging" in the Windows SDK documentation. The text of an event is found by the viewer, in the message table
//! of the executable that the source's registration names; a source without one is reported to all the same.

use std::ffi::OsStr;
use std::path::Path;
use std::{io, ptr};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW,
    ReportEventW,
};
use windows_sys::Win32::System::Registry::REG_SZ;

use super::ffi::{last_error, wide};
use super::registry::{registry_delete_tree, registry_set};
use crate::types::{EventKind, RegistryValue};

/// ReportEventW takes 31,839 units.
const MOST_UNITS: usize = 30_000;

const APPLICATION: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";
/// Errors, warnings, information.
const TYPES: u32 = 7;

/// A handle to write entries with.
#[derive(Debug)]
pub struct EventSource(HANDLE);

// SAFETY: the handle is a reference within the process, which any thread may use; the calls take no more from the caller.
unsafe impl Send for EventSource {}

impl EventSource {
    /// Entries will carry this name; where no such source is registered they go to `Application` and show without text.
    ///
    /// # Errors
    /// Those of RegisterEventSourceW, and [`io::ErrorKind::InvalidInput`] for a name with a NUL.
    pub fn open(name: &str) -> io::Result<EventSource> {
        let name = wide(OsStr::new(name))?;
        // SAFETY: the name ends with a NUL; no server means this host.
        let handle = unsafe { RegisterEventSourceW(ptr::null(), name.as_ptr()) };
        if handle.is_null() { Err(last_error()) } else { Ok(EventSource(handle)) }
    }

    /// Writes one entry. `id` is that of the message table with its severity bits; of a longer text 30,000 UTF-16 units are
    /// kept, and a NUL ends it.
    ///
    /// # Errors
    /// Those of ReportEventW.
    pub fn report(&self, kind: EventKind, id: u32, text: &str) -> io::Result<()> {
        let kind = match kind {
            EventKind::Info => EVENTLOG_INFORMATION_TYPE,
            EventKind::Warning => EVENTLOG_WARNING_TYPE,
            EventKind::Error => EVENTLOG_ERROR_TYPE,
        };
        let units = units(text);
        let texts = [units.as_ptr()];
        // SAFETY: the handle is open as long as `self` lives; there is one text, it ends with a NUL, and there is no other
        // data.
        let ok = unsafe { ReportEventW(self.0, kind, 0, id, ptr::null_mut(), 1, 0, texts.as_ptr(), ptr::null()) };
        if ok == 0 { Err(last_error()) } else { Ok(()) }
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        // SAFETY: opened by `open` and not used afterwards.
        unsafe { DeregisterEventSource(self.0) };
    }
}

/// With its NUL. The viewer takes `%1` within a text for the place of another, which the zone of an IPv6 address looks like: a
/// blank keeps them apart.
fn units(text: &str) -> Vec<u16> {
    let mut shown = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars().take_while(|c| *c != '\0') {
        if before == '%' && (c.is_ascii_digit() || c == '%') {
            shown.push(' ');
        }
        shown.push(c);
        before = c;
    }
    let mut units = Vec::new();
    for c in shown.chars() {
        if units.len() + c.len_utf16() > MOST_UNITS {
            break;
        }
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    units.push(0);
    units
}

fn key_of(name: &str) -> io::Result<String> {
    // It would be another key, or that of all sources.
    if name.is_empty() || name.contains('\\') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of an event source"));
    }
    Ok(format!("{APPLICATION}\\{name}"))
}

/// Registers a source of the log `Application` whose texts are in this executable; one that is there is set anew.
///
/// # Errors
/// Those of [`registry_set`] (administrators may), and [`io::ErrorKind::InvalidInput`] for what is no name.
pub fn event_source_install(name: &str, exe: &Path) -> io::Result<()> {
    let key = key_of(name)?;
    let exe = wide(exe.as_os_str())?.into_iter().flat_map(u16::to_le_bytes).collect();
    registry_set(&key, "EventMessageFile", &RegistryValue { kind: REG_SZ, bytes: exe })?;
    registry_set(&key, "TypesSupported", &RegistryValue::number(TYPES))
}

/// Takes the registration away; that there is none is fine. Entries that were written stay, without their text.
///
/// # Errors
/// Those of [`registry_delete_tree`], and [`io::ErrorKind::InvalidInput`] for what is no name.
pub fn event_source_remove(name: &str) -> io::Result<()> {
    registry_delete_tree(&key_of(name)?)
}

#[cfg(test)]
mod tests {
    use super::super::reg::text_value;
    use super::*;
    use windows_sys::w;

    #[test]
    fn a_source_is_registered_and_removed_again() {
        let key = w!("SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\falcon-agent-test");
        let exe = Path::new("C:\\带 空格\\falcon-agent.exe");
        event_source_install("falcon-agent-test", exe).unwrap();
        event_source_install("falcon-agent-test", exe).unwrap();
        assert_eq!(text_value(key, w!("EventMessageFile")).unwrap().as_deref(), exe.to_str());
        event_source_remove("falcon-agent-test").unwrap();
        event_source_remove("falcon-agent-test").unwrap();
        assert_eq!(text_value(key, w!("EventMessageFile")).unwrap(), None);
    }

    /// An empty name would have taken the sources of all programs away.
    #[test]
    fn a_name_that_is_another_key_is_refused() {
        for name in ["", "a\\b", "a\0b"] {
            assert_eq!(event_source_remove(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn an_entry_is_taken() {
        let source = EventSource::open("falcon-agent-test").unwrap();
        source.report(EventKind::Warning, 0x8000_0005, &"长".repeat(MOST_UNITS + 7)).unwrap();
    }

    #[test]
    fn a_text_is_bounded_and_holds_no_place_for_another() {
        assert_eq!(units("[fe80::1%12] 5% %%1 100%"), wide(OsStr::new("[fe80::1% 12] 5% % % 1 100%")).unwrap());
        assert_eq!(units("a\0b"), wide(OsStr::new("a")).unwrap());
        assert_eq!(units(&"😀".repeat(MOST_UNITS)).len(), MOST_UNITS + 1);
        assert_eq!(units(&format!("a{}", "😀".repeat(MOST_UNITS))).len(), MOST_UNITS);
    }
}
