//! What the agent asks of the operating system, as plain functions over plain data ([`types`]).
//!
//! This is the only crate of the workspace that may say `unsafe`; every block carries its SAFETY comment. The list of
//! re-exported names below is the portability contract: both platforms offer exactly these functions with the same
//! signatures, and a function that has no meaning on a platform answers [`std::io::ErrorKind::Unsupported`].
//!
//! All functions are blocking. None of them starts a child process, none keeps global mutable state.

pub mod types;

#[cfg(unix)]
mod linux;
#[cfg(any())]
use linux as imp;

#[cfg(windows)]
mod win;
#[cfg(any())]
use win as imp;

#[cfg(any())]
pub use imp::{
    Host, commit_info, hostname, limit_heap_growth, local_time, self_usage, volume_usage,
};
