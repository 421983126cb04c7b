//! Linux has no event log; its journal reads standard error.

use crate::types::EventKind;
use std::io;
use std::path::Path;

/// There is none to be had.
#[derive(Debug)]
pub enum EventSource {}

impl EventSource {
    /// Linux has no event log.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn open(_name: &str) -> io::Result<EventSource> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called: there is no source.
    ///
    /// # Errors
    /// None.
    pub fn report(&self, _kind: EventKind, _id: u32, _text: &str) -> io::Result<()> {
        match *self {}
    }
}

/// Linux has no event log.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn event_source_install(_name: &str, _exe: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no event log.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn event_source_remove(_name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
