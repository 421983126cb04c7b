//! Physical drives and volumes as devices: which there are, and what each has counted (DeviceIoControl).
//!
//! A device is opened without any access, which asks for no privilege and starts no disk. Opening one that is dying may
//! take as long as its driver waits; nothing here limits that.

use super::disk::{NoDialogs, is_fixed};
use super::ffi::{Answer, Buffer, check, fill, last_error, len_u32};
use crate::layout::disk;
use crate::layout::text::strings;
use crate::types::{DiskIo, Drives};
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE, QueryDosDeviceW};
use windows_sys::Win32::System::IO::DeviceIoControl;

// Their names are in winioctl.h and ntddvol.h.
const IOCTL_DISK_PERFORMANCE: u32 = 0x0007_0020;
const IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS: u32 = 0x0056_0000;

/// Units of the names of all devices; a host has some thousands of them.
const FIRST_UNITS: usize = 16 << 10;
const MOST_UNITS: usize = 2 << 20;

/// Room for as many extents as a volume may have, on four disks each.
const MOST_EXTENT_BYTES: usize = 64 << 10;

/// By the names alone: to open a drive may take as long as its driver waits, and one that hangs would cost the list.
pub(super) fn drives() -> io::Result<Drives> {
    let names = fill(FIRST_UNITS, MOST_UNITS, |buffer: &mut [u16]| {
        // SAFETY: no name asks for all of them; the buffer has as many units as the call is told.
        let len = unsafe { QueryDosDeviceW(ptr::null(), buffer.as_mut_ptr(), len_u32(buffer)) };
        if len != 0 {
            return Answer::Filled(len as usize);
        }
        match last_error() {
            e if e.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) => Answer::TooSmall(0),
            e => Answer::Failed(e),
        }
    })?;
    Ok(disk::drives(strings(&names)))
}

/// The disks on which the volume of a letter (`C:`) lies; none where it is no fixed drive. May take long where a disk is
/// dying: ask on a thread that may be lost.
///
/// # Errors
/// The calls' own; [`io::ErrorKind::InvalidInput`] where it is no letter.
pub fn letter_disks(letter: &str) -> io::Result<Vec<u32>> {
    let _quiet = NoDialogs::begin();
    if !disk::is_letter(letter) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no letter of a drive"));
    }
    let root: Vec<u16> = letter.encode_utf16().chain([u16::from(b'\\')]).collect();
    if !is_fixed(&root) {
        return Ok(Vec::new());
    }
    let volume = open(letter)?;
    let mut buffer = Buffer::default();
    let bytes = control(&volume, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, &mut buffer, 256, MOST_EXTENT_BYTES)?;
    Ok(disk::extents(bytes).collect())
}

/// What `PhysicalDrive0`, or the volume `C:`, has counted since boot. May take long where the disk is dying.
///
/// # Errors
/// The calls' own: ERROR_FILE_NOT_FOUND where there is none of this name, ERROR_INVALID_FUNCTION or ERROR_NOT_SUPPORTED
/// where it does not count; [`io::ErrorKind::InvalidInput`] where the name is neither of the two forms.
pub fn disk_io(name: &str) -> io::Result<DiskIo> {
    let _quiet = NoDialogs::begin();
    let device = open(name)?;
    let mut buffer = Buffer::default();
    let size = disk::PERFORMANCE_BYTES;
    let bytes = control(&device, IOCTL_DISK_PERFORMANCE, &mut buffer, size, size)?;
    disk::performance(bytes, name).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "too short an answer"))
}

/// Opens a device by a name that cannot be a path to anything else.
fn open(name: &str) -> io::Result<File> {
    if !disk::is_drive(name) && !disk::is_letter(name) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of a drive"));
    }
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    OpenOptions::new().access_mode(0).share_mode(share).open(format!(r"\\.\{name}"))
}

fn control<'b>(
    device: &File,
    code: u32,
    buffer: &'b mut Buffer,
    first_bytes: usize,
    most_bytes: usize,
) -> io::Result<&'b [u8]> {
    buffer.fill(first_bytes, most_bytes, |at: *mut c_void, bytes| {
        let mut written = 0;
        let handle = device.as_raw_handle();
        // SAFETY: the handle is open; there is no input; `bytes` bytes lie at `at`; the device was not opened for
        // overlapped use, so the call is over when it returns.
        let ok = unsafe { DeviceIoControl(handle, code, ptr::null(), 0, at, bytes, &raw mut written, ptr::null_mut()) };
        match check(ok) {
            Ok(()) => Answer::Filled(written as usize),
            Err(e) if e.raw_os_error() == Some(ERROR_MORE_DATA.cast_signed()) => Answer::TooSmall(0),
            Err(e) => Answer::Failed(e),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drives_and_letters_can_be_opened() {
        for name in ["", "C", "C:\\", "PhysicalDrive", "PhysicalDrive0\\x", "..\\C:", "pipe\\x", "Volume{0}"] {
            assert_eq!(disk_io(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
            assert_eq!(letter_disks(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        assert_eq!(letter_disks("PhysicalDrive0").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    // Wine answers that a volume lies on no disk at all; Windows names one for each.
    #[test]
    fn each_letter_that_tells_its_disks_is_on_drives_that_are_there() {
        let drives = drives().unwrap();
        assert!(drives.letters.iter().any(|letter| letter == "C:"), "{drives:?}");
        assert!(drives.physical.iter().any(|drive| drive == "PhysicalDrive0"), "{drives:?}");
        for letter in &drives.letters {
            for disk in letter_disks(letter).unwrap_or_default() {
                assert!(drives.physical.contains(&format!("PhysicalDrive{disk}")), "{letter} {disk} {drives:?}");
            }
        }
        assert!(letter_disks("C:").is_ok());
    }

    // Wine opens the drive and refuses the question; a Windows whose counters are off says 1. Neither is a disk at
    // rest.
    #[test]
    fn a_drive_counts_or_says_why_not() {
        match disk_io("C:") {
            Ok(io) => assert!(io.name == "C:" && io.clock_us > 0, "{io:?}"),
            Err(e) => assert!(matches!(e.raw_os_error(), Some(1 | 50)), "{e:?}"),
        }
        assert_eq!(disk_io("PhysicalDrive999").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
