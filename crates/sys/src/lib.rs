//! What the agent asks of the operating system, as plain functions over plain data ([`types`]).
//!
//! This is the only crate of the workspace that may say `unsafe`; every block carries its SAFETY comment. The list of
//! re-exported names below is the portability contract: both platforms offer exactly these functions with the same
//! signatures, and a function that has no meaning on a platform answers [`std::io::ErrorKind::Unsupported`].
//!
//! All functions are blocking. None of them starts a child process, none keeps global mutable state.

pub mod types;

mod civil;
mod gpu;

// What Windows lays out in memory, read without a single call: so it is tested on every platform.
#[cfg(any(windows, test))]
mod layout;

#[cfg(unix)]
mod linux;
#[cfg(unix)]
use linux as imp;

#[cfg(windows)]
mod win;
#[cfg(windows)]
use win as imp;

pub use gpu::Nvml;
pub use imp::{
    Host, commit_info, create_private_dir, disk_io, full_hostname, hold_port_alone, hostname, is_held, letter_disks,
    limit_heap_growth, local_time, memory_lists, ntp_servers, page_files, self_usage, services, since_boot, sync_dir,
    trim_heap, volume_usage,
};
