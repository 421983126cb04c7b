//! What the agent asks of the operating system, as plain functions over plain data ([`types`]).
//!
//! This is the only crate of the workspace that may say `unsafe`; every block carries its SAFETY comment. The list of
//! re-exported names below is the portability contract: both platforms offer exactly these functions with the same
//! signatures, and a function that has no meaning on a platform answers [`std::io::ErrorKind::Unsupported`].
//!
//! All functions are blocking. None of them starts a child process but [`spawn_held`], [`spawn_bound`] and [`start_like`]; none keeps global mutable state but
//! for the one service that a process can be ([`Service`]), for what a child does to itself ([`end_with_parent`],
//! [`private_stdio`], [`no_error_dialogs`]), on Linux for which trees are being ended ([`Hold::mark`]), and on Windows for how
//! many echo requests are out ([`Echo`]).

pub mod types;

mod bound;
mod civil;
mod gpu;

// What Windows lays out in memory, read without a single call: so it is tested on every platform.
#[cfg(any(windows, test))]
mod layout;

// The states of a service, likewise.
#[cfg(any(windows, test))]
mod lifecycle;

#[cfg(unix)]
mod linux;
#[cfg(unix)]
use linux as imp;

#[cfg(windows)]
mod win;
#[cfg(windows)]
use win as imp;

pub use bound::{Bound, Hold, signal_of, spawn_bound, spawn_held};
pub use gpu::Nvml;
pub use imp::{
    Echo, EventSource, Host, PerfData, Service, access_of, account_sid, add_to_group, appended_stderr, behind_links,
    command_line, commit_info, create_file, create_new_private_dir, create_private_dir, disk_io, enable_ansi,
    end_process, end_with_parent, event_source_install, event_source_remove, exchange, file_usage, full_hostname,
    give_up_after, grant_service_logon, heed_no_stop, hold_alone, hold_port_alone, hostname, iis_version, image_path,
    is_administrator, is_alive, is_held, is_reparse_point, lacks_means, letter_disks, limit_heap_growth, list_usage,
    local_time, memory_lists, mode_bits, no_error_dialogs, ntp_servers, oem_text, open_log, owner_of, page_files,
    perf_disabled, perf_last_counter, perf_names, private_stdio, protect, publish, readable, redirect_stderr,
    registry_delete_tree, registry_set, registry_text, registry_tree, registry_write_tree, replace_file, run_service,
    say_to, self_usage, service_change, service_control, service_create, service_delete, service_registration,
    service_set_start, service_settings, service_settle, service_start, service_status, services, set_apart,
    since_boot, sql_instances, start_like, started_as, started_by_double_click, stderr_is, sync_dir, take_rights,
    trim_heap, volume_usage,
};
