//! The Linux side: `/proc` and `/sys` as text, and a handful of system calls.
//!
//! Everything read from a file is parsed by pure functions that skip what they do not understand, beside the method of
//! [`Host`] that asks for it; `files` is the only reader of files that belong to the host, and bounds what it reads.
//! Sources: proc(5), the kernel's Documentation/filesystems/proc.rst, and the calls' own manual pages.

mod absent;
mod account;
mod command;
mod cpu;
mod diag;
mod disk;
mod echo;
mod eventlog;
mod files;
mod freq;
mod fs;
mod host;
mod kernel;
mod listen;
mod means;
mod mem;
mod net;
mod own;
mod parent;
mod pid;
mod pipe;
mod ports;
mod process;
mod rows;
mod service;
mod snmp;
mod sock;
mod stderr;
mod stdio;
mod store;
mod stray;
mod takeover;
mod text;
mod tree;
mod usage;

pub use absent::{
    PerfData, commit_info, disk_io, iis_version, letter_disks, memory_lists, ntp_servers, oem_text, perf_disabled,
    perf_last_counter, perf_names, services, sql_instances,
};
pub use account::{
    access_of, account_sid, add_to_group, grant_service_logon, is_administrator, is_reparse_point, owner_of, protect,
    registry_delete_tree, registry_set, registry_text, registry_tree, registry_write_tree, started_by_double_click,
};
pub use echo::Echo;
pub use eventlog::{EventSource, event_source_install, event_source_remove};
pub use fs::volume_usage;
pub use host::Host;
pub use listen::{give_up_after, hold_port_alone};
pub use means::lacks_means;
pub use mem::page_files;
pub use own::{limit_heap_growth, self_usage, trim_heap};
pub use parent::{end_with_parent, no_error_dialogs};
pub use pid::{command_line, image_path};
pub use pipe::readable;
pub use service::{
    Service, run_service, service_change, service_control, service_create, service_delete, service_registration,
    service_set_start, service_settings, service_settle, service_start, service_status,
};
pub use stderr::{appended_stderr, enable_ansi, redirect_stderr, stderr_is};
pub use stdio::{private_stdio, say_to};
pub use store::{
    behind_links, create_file, create_new_private_dir, create_private_dir, exchange, is_held, mode_bits, open_log,
    publish, replace_file, sync_dir,
};
pub use takeover::{end_process, heed_no_stop, hold_alone, is_alive, set_apart, start_like, started_as, take_rights};
pub(crate) use tree::Tree;
pub use usage::{file_usage, list_usage};

use crate::civil;
use crate::types::LocalTime;
use rustix::time::{ClockId, DynamicClockId, clock_gettime, clock_gettime_dynamic};
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The node name of uname(2), which is what gethostname(2) gives.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where the host has no name.
pub fn hostname() -> io::Result<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { Err(io::Error::new(io::ErrorKind::InvalidData, "the host has no name")) } else { Ok(name) }
}

/// Time since the host started, with the time it was suspended (clock_gettime(2), CLOCK_BOOTTIME): nobody sets it. In
/// nanoseconds.
pub fn since_boot() -> Duration {
    // A sandbox that does not know it is not suspended either.
    let now = clock_gettime_dynamic(DynamicClockId::Boottime).unwrap_or_else(|_| clock_gettime(ClockId::Monotonic));
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The same: uname(2) tells a domain only where the administrator made it a part of the name.
///
/// # Errors
/// Those of [`hostname`].
pub fn full_hostname() -> io::Result<String> {
    hostname()
}

/// Seconds since 1970 as the host's calendar shows them (localtime_r(3)); held within 1970-01-02 and 9999-12-31 UTC.
pub fn local_time(unix_s: i64) -> LocalTime {
    let unix_s = civil::clamp(unix_s);
    // A time_t, whose own name libc deprecates for musl. One of 32 bits ends in 2038, and stays there.
    let time = libc::c_long::try_from(unix_s).unwrap_or(libc::c_long::MAX);
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, which writes nothing but `tm`; all zeroes is a valid `tm`.
    let tm = unsafe {
        if libc::localtime_r(&raw const time, tm.as_mut_ptr()).is_null() {
            return civil::utc(unix_s);
        }
        tm.assume_init()
    };
    let field = |n: libc::c_int| u32::try_from(n).unwrap_or(0);
    LocalTime {
        year: tm.tm_year.saturating_add(1900),
        month: field(tm.tm_mon.saturating_add(1)),
        day: field(tm.tm_mday),
        hour: field(tm.tm_hour),
        minute: field(tm.tm_min),
        second: field(tm.tm_sec),
    }
}
