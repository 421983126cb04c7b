//! What Windows has of the registry, of access and of accounts. Nothing here reads anything.

use crate::types::{Grant, Owner, RegistryKey, RegistryValue};
use std::io;
use std::path::Path;

/// Linux has no registry.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn registry_text(_path: &str, _value: &str) -> io::Result<Option<String>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no registry.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn registry_set(_path: &str, _name: &str, _value: &RegistryValue) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no registry.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn registry_tree(_path: &str) -> io::Result<Option<RegistryKey>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no registry.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn registry_write_tree(_path: &str, _whole: &RegistryKey) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no registry.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn registry_delete_tree(_path: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux is not asked for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn owner_of(_path: &Path) -> io::Result<Owner> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux is not asked for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn is_reparse_point(_path: &Path) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux is not asked for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn access_of(_path: &Path) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux is not asked for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn protect(_path: &Path, _grants: &[Grant<'_>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux is not asked for it.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn is_administrator() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no SIDs.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn account_sid(_name: &str) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no SIDs.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn grant_service_logon(_name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no SIDs.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn add_to_group(_group: &str, _member: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whoever opens a program on Linux sees no window close.
#[must_use]
pub fn started_by_double_click() -> bool {
    false
}
