//! The Windows side: Win32 and NT calls, no WMI; the registry for who sets the clock, for services, for products and for
//! their performance counters, of which the host's own metrics need none.
//!
//! Sources: Microsoft's reference of each call; structures and constants are those of windows-sys. Only calls of
//! Windows 7 are imported. `ffi` grows buffers and turns refusals into errors; a value that could not be read is an
//! error, never 0. What a call lays out as bytes is read by `layout`.

mod account;
mod acl;
mod console;
mod cpu;
mod disk;
mod dispatch;
mod drive;
mod echo;
mod eventlog;
mod ffi;
mod host;
mod job;
mod listen;
mod means;
mod mem;
mod net;
mod ntdll;
mod oem;
mod paging;
mod parent;
mod perf;
mod pid;
mod pipe;
mod process;
mod product;
mod reg;
mod registry;
mod scm;
mod services;
mod settings;
mod socket;
mod stderr;
mod stdio;
mod store;
mod takeover;
mod time;
mod token;
mod tree;
mod usage;

pub use account::{account_sid, add_to_group, grant_service_logon};
pub use acl::{access_of, is_reparse_point, owner_of, protect};
pub use console::{enable_ansi, started_by_double_click};
pub use disk::volume_usage;
pub use dispatch::{Service, run_service};
pub use drive::{disk_io, letter_disks};
pub use echo::Echo;
pub use eventlog::{EventSource, event_source_install, event_source_remove};
pub use host::Host;
pub use listen::{give_up_after, hold_port_alone};
pub use means::lacks_means;
pub use mem::{commit_info, page_files};
pub use oem::oem_text;
pub use paging::memory_lists;
pub use parent::{end_with_parent, no_error_dialogs};
pub use perf::{PerfData, perf_disabled, perf_last_counter, perf_names};
pub use pid::{command_line, image_path};
pub use pipe::readable;
pub use process::self_usage;
pub use product::{iis_version, sql_instances};
pub use registry::{registry_delete_tree, registry_set, registry_text, registry_tree, registry_write_tree};
pub use scm::{
    service_change, service_control, service_create, service_delete, service_registration, service_set_start,
    service_start, service_status,
};
pub use services::services;
pub use settings::{service_settings, service_settle};
pub use stderr::{appended_stderr, redirect_stderr, stderr_is};
pub use stdio::{private_stdio, say_to};
pub use store::{
    behind_links, create_file, create_new_private_dir, create_private_dir, exchange, is_held, mode_bits, open_log,
    publish, replace_file, sync_dir,
};
pub use takeover::{end_process, heed_no_stop, hold_alone, is_alive, set_apart, start_like, started_as, take_rights};
pub use time::{local_time, ntp_servers, since_boot};
pub use token::is_administrator;
pub(crate) use tree::Tree;
pub use usage::{file_usage, list_usage};

use crate::layout;
use ffi::{Answer, fill, last_error, len_u32};
use std::io;
use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::SystemInformation::{
    COMPUTER_NAME_FORMAT, ComputerNamePhysicalDnsFullyQualified, ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};

// The layouts are those of 64 bits, and no other agent is shipped.
const _: () = assert!(size_of::<usize>() == 8);

/// The DNS host name of this machine, also on a node of a cluster (GetComputerNameExW,
/// ComputerNamePhysicalDnsHostname).
///
/// # Errors
/// The call's own; [`io::ErrorKind::InvalidData`] where the host has no name.
pub fn hostname() -> io::Result<String> {
    computer_name(ComputerNamePhysicalDnsHostname)
}

/// The same with the domain that this machine is in (ComputerNamePhysicalDnsFullyQualified).
///
/// # Errors
/// Those of [`hostname`].
pub fn full_hostname() -> io::Result<String> {
    computer_name(ComputerNamePhysicalDnsFullyQualified)
}

fn computer_name(format: COMPUTER_NAME_FORMAT) -> io::Result<String> {
    let name = fill(64, 4096, |buffer: &mut [u16]| {
        let mut len = len_u32(buffer);
        // SAFETY: the buffer has as many units as `len` says; the call changes `len` to what it wrote or needs.
        let ok = unsafe { GetComputerNameExW(format, buffer.as_mut_ptr(), &raw mut len) };
        if ok != 0 {
            return Answer::Filled(len as usize);
        }
        match last_error() {
            e if e.raw_os_error() == Some(ERROR_MORE_DATA.cast_signed()) => Answer::TooSmall(len as usize),
            e => Answer::Failed(e),
        }
    })?;
    let name = layout::text::text(&name);
    if name.is_empty() { Err(io::Error::new(io::ErrorKind::InvalidData, "the host has no name")) } else { Ok(name) }
}

/// Only glibc's heap keeps what a burst took.
pub fn limit_heap_growth() {}

/// Only glibc's heap keeps what a burst took.
pub fn trim_heap() {}
