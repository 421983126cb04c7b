//! Keys below HKEY_LOCAL_MACHINE: read whole, written, deleted. What is read is bounded, however a host's registry looks.
//!
//! Source: Microsoft's reference of RegCreateKeyEx, RegEnumKeyEx, RegEnumValue, RegSetValueEx and RegDeleteTree.

use super::ffi::{Answer, fill, len_u32, wide};
use super::reg;
use crate::layout::text::text;
use crate::types::{RegistryKey, RegistryValue};
use std::ffi::OsStr;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, NO_ERROR, WIN32_ERROR,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_CREATE_SUB_KEY, KEY_ENUMERATE_SUB_KEYS, KEY_QUERY_VALUE, KEY_SET_VALUE,
    REG_OPTION_NON_VOLATILE, RegCloseKey, RegCreateKeyExW, RegDeleteTreeW, RegEnumKeyExW, RegEnumValueW, RegOpenKeyExW,
    RegSetValueExW,
};

const MOST_DEPTH: usize = 16;
const MOST_KEYS: usize = 10_000;
/// Of data and names.
const MOST_BYTES: usize = 16 << 20;

/// Units of the longest name of a key and of a value, with its NUL.
const KEY_NAME: usize = 256;
const VALUE_NAME: usize = 16 << 10;

/// An open key.
pub(super) struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key was opened by a call that succeeded, is ours alone and is closed here only.
        unsafe { RegCloseKey(self.0) };
    }
}

fn check(code: WIN32_ERROR) -> io::Result<()> {
    if code == NO_ERROR { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_FILE_NOT_FOUND.cast_signed())
}

fn open(above: HKEY, path: &str, rights: u32) -> io::Result<Key> {
    let path = wide(OsStr::new(path))?;
    let mut key = ptr::null_mut();
    // SAFETY: the key above is open, the path ends with a NUL, a pointer to a live handle.
    check(unsafe { RegOpenKeyExW(above, path.as_ptr(), 0, rights, &raw mut key) })?;
    Ok(Key(key))
}

/// A key below HKEY_LOCAL_MACHINE, opened with these rights; `None` where there is no such key.
pub(super) fn find(path: &str, rights: u32) -> io::Result<Option<Key>> {
    match open(HKEY_LOCAL_MACHINE, path, rights) {
        Ok(key) => Ok(Some(key)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn create(above: HKEY, path: &str) -> io::Result<Key> {
    let path = wide(OsStr::new(path))?;
    let mut key = ptr::null_mut();
    let (option, rights) = (REG_OPTION_NON_VOLATILE, KEY_SET_VALUE | KEY_CREATE_SUB_KEY);
    let (no, path, to) = (ptr::null(), path.as_ptr(), &raw mut key);
    // SAFETY: the key above is open, the path ends with a NUL, a pointer to a live handle; null means no class, the rights
    // of the key above, and that nobody asks whether it was there.
    check(unsafe { RegCreateKeyExW(above, path, 0, no, option, rights, ptr::null(), to, ptr::null_mut()) })?;
    Ok(Key(key))
}

impl Key {
    pub(super) fn raw(&self) -> HKEY {
        self.0
    }

    fn set(&self, name: &str, value: &RegistryValue) -> io::Result<()> {
        let name = wide(OsStr::new(name))?;
        // An empty vector points to no memory at all, and Wine looks.
        let data = if value.bytes.is_empty() { ptr::null() } else { value.bytes.as_ptr() };
        let size = len_u32(&value.bytes);
        // SAFETY: the key is open, the name ends with a NUL, and as many bytes lie there.
        check(unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, value.kind, data, size) })
    }
}

/// A text value as it stands there; `None` where there is no such key or value.
///
/// # Errors
/// The call's own, also where the value is no text.
pub fn registry_text(path: &str, value: &str) -> io::Result<Option<String>> {
    let (path, value) = (wide(OsStr::new(path))?, wide(OsStr::new(value))?);
    reg::text_value(path.as_ptr(), value.as_ptr())
}

/// Sets a value, and makes its key where there is none.
///
/// # Errors
/// Those of the calls.
pub fn registry_set(path: &str, name: &str, value: &RegistryValue) -> io::Result<()> {
    create(HKEY_LOCAL_MACHINE, path)?.set(name, value)
}

/// A key with all below it; `None` where there is no such key.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::FileTooLarge`] beyond 16 levels, 10,000 keys or 16 MB.
pub fn registry_tree(path: &str) -> io::Result<Option<RegistryKey>> {
    let mut budget = Budget { keys: MOST_KEYS, bytes: MOST_BYTES };
    find(path, READ)?.map(|key| budget.read(&key, MOST_DEPTH)).transpose()
}

pub(super) const READ: u32 = KEY_QUERY_VALUE | KEY_ENUMERATE_SUB_KEYS;

/// What may still be read.
struct Budget {
    keys: usize,
    bytes: usize,
}

impl Budget {
    fn read(&mut self, key: &Key, depth: usize) -> io::Result<RegistryKey> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let below = depth.checked_sub(1).ok_or_else(too_large)?;
        self.keys = self.keys.checked_sub(1).ok_or_else(too_large)?;
        let mut whole = RegistryKey::default();
        while let Some((name, value)) = value_at(key, whole.values.len())? {
            // A value without a byte takes some too.
            let bytes = size_of::<(String, RegistryValue)>() + name.len() + value.bytes.len();
            self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
            whole.values.push((name, value));
        }
        while let Some(name) = key_at(key, whole.keys.len())? {
            let read = self.read(&open(key.0, &name, READ)?, below)?;
            whole.keys.push((name, read));
        }
        Ok(whole)
    }
}

pub(super) fn key_at(key: &Key, at: usize) -> io::Result<Option<String>> {
    let mut name = [0; KEY_NAME];
    let mut len = len_u32(&name);
    let (at, no, to) = (u32::try_from(at).unwrap_or(u32::MAX), ptr::null_mut(), name.as_mut_ptr());
    // SAFETY: the key is open; the name has as many units as `len` says; nobody asks for class and time.
    let code = unsafe { RegEnumKeyExW(key.0, at, to, &raw mut len, ptr::null(), no, ptr::null_mut(), ptr::null_mut()) };
    match code {
        ERROR_NO_MORE_ITEMS => Ok(None),
        code => check(code).map(|()| Some(text(&name))),
    }
}

pub(super) fn value_at(key: &Key, at: usize) -> io::Result<Option<(String, RegistryValue)>> {
    let mut name = vec![0; VALUE_NAME];
    let (mut kind, mut ended) = (0, false);
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let bytes = fill(256, MOST_BYTES, |buffer: &mut [u8]| {
        let (mut len, mut size) = (len_u32(&name), len_u32(buffer));
        let (to, data) = (name.as_mut_ptr(), buffer.as_mut_ptr());
        // SAFETY: the key is open; name and buffer are as long as the call is told, which changes both lengths to what it
        // wrote or needs; a pointer to a live number.
        let code =
            unsafe { RegEnumValueW(key.0, at, to, &raw mut len, ptr::null(), &raw mut kind, data, &raw mut size) };
        match code {
            NO_ERROR => Answer::Filled(size as usize),
            ERROR_NO_MORE_ITEMS => {
                ended = true;
                Answer::Filled(0)
            }
            ERROR_MORE_DATA => Answer::TooSmall(size as usize),
            code => Answer::Failed(io::Error::from_raw_os_error(code.cast_signed())),
        }
    })?;
    Ok((!ended).then(|| (text(&name), RegistryValue { kind, bytes })))
}

/// Makes a key with all below it; what else is there already stays.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::FileTooLarge`] beyond 16 levels.
pub fn registry_write_tree(path: &str, whole: &RegistryKey) -> io::Result<()> {
    write(HKEY_LOCAL_MACHINE, path, whole, MOST_DEPTH)
}

fn write(above: HKEY, path: &str, whole: &RegistryKey, depth: usize) -> io::Result<()> {
    let below = depth.checked_sub(1).ok_or(io::ErrorKind::FileTooLarge)?;
    let key = create(above, path)?;
    whole.values.iter().try_for_each(|(name, value)| key.set(name, value))?;
    whole.keys.iter().try_for_each(|(name, whole)| write(key.0, name, whole, below))
}

/// Deletes a key with all below it; one that is not there is deleted.
///
/// # Errors
/// The call's own; [`io::ErrorKind::InvalidInput`] where the path has fewer than three names, for below such a key is more
/// than one program's.
pub fn registry_delete_tree(path: &str) -> io::Result<()> {
    if path.split('\\').filter(|name| !name.is_empty()).count() < 3 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a key that belongs to nobody alone"));
    }
    let path = wide(OsStr::new(path))?;
    // SAFETY: the key is a constant of the system's, the path ends with a NUL.
    match check(unsafe { RegDeleteTreeW(HKEY_LOCAL_MACHINE, path.as_ptr()) }) {
        Err(e) if !is_absent(&e) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_comes_back_as_it_was_and_goes_whole() {
        let path = r"SOFTWARE\falcon-test\registry";
        registry_delete_tree(path).unwrap();
        assert_eq!(registry_tree(path).unwrap(), None);
        let leaf = RegistryKey { values: vec![(String::new(), RegistryValue::text("default"))], keys: Vec::new() };
        let long = RegistryValue { kind: 3, bytes: vec![7; 100_000] };
        let values = vec![
            ("Application".to_owned(), RegistryValue::expand(r"%ProgramFiles%\a b\windows-agent.exe")),
            ("Empty".to_owned(), RegistryValue { kind: 0, bytes: Vec::new() }),
            ("Long".to_owned(), long),
            ("Number".to_owned(), RegistryValue::number(7)),
        ];
        let parameters = RegistryKey { values, keys: vec![("Inner \u{540D}".to_owned(), leaf)] };
        let whole = RegistryKey { values: Vec::new(), keys: vec![("Parameters".to_owned(), parameters)] };
        registry_write_tree(path, &whole).unwrap();
        assert_eq!(registry_tree(path).unwrap().unwrap(), whole);
        registry_set(&format!(r"{path}\Made\Anew"), "Text", &RegistryValue::text("t")).unwrap();
        assert_eq!(registry_text(&format!(r"{path}\Made\Anew"), "Text").unwrap().as_deref(), Some("t"));
        assert_eq!(registry_text(&format!(r"{path}\Made\Anew"), "Other").unwrap(), None);
        registry_delete_tree(path).unwrap();
        registry_delete_tree(path).unwrap();
        assert_eq!(registry_tree(path).unwrap(), None);
    }

    #[test]
    fn a_tree_that_is_too_deep_is_refused_and_so_are_keys_of_all() {
        let path = r"SOFTWARE\falcon-test\deep";
        let deep = format!("{path}{}", r"\d".repeat(16));
        registry_set(&deep, "x", &RegistryValue::number(1)).unwrap();
        assert_eq!(registry_tree(path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let mut whole = RegistryKey::default();
        for _ in 0..MOST_DEPTH {
            whole = RegistryKey { values: Vec::new(), keys: vec![("d".to_owned(), whole)] };
        }
        assert_eq!(registry_write_tree(path, &whole).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        registry_delete_tree(path).unwrap();
        for path in ["", "\\\\\\", "SOFTWARE", r"SYSTEM\CurrentControlSet", r"SOFTWARE\Microsoft\"] {
            assert_eq!(registry_delete_tree(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }
}
