//! Physical drives and volumes as devices: which there are, and what each has counted (DeviceIoControl).
//!
//! A device is opened without any access, which asks for no privilege and starts no disk. Opening one that is dying may
//! take as long as its driver waits; nothing here limits that.

use super::disk::{NoDialogs, drive_roots, is_fixed};
use super::ffi::{Answer, Buffer, check};
use crate::layout::disk;
use crate::layout::text::{strings, text};
use crate::types::{DiskIo, Drive};
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::{io, ptr};
use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
use windows_sys::Win32::System::IO::DeviceIoControl;

// Their names are in winioctl.h and ntddvol.h.
const IOCTL_DISK_PERFORMANCE: u32 = 0x0007_0020;
const IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS: u32 = 0x0056_0000;

/// Drives are numbered from 0; those that are gone leave gaps.
const MAX_DRIVES: u32 = 128;

/// Room for as many extents as a volume may have, on four disks each.
const MOST_EXTENT_BYTES: usize = 64 << 10;

pub(super) fn drives() -> Vec<Drive> {
    let _quiet = NoDialogs::begin();
    let letters = letters();
    let there = (0..MAX_DRIVES).filter(|number| open(&format!("PhysicalDrive{number}")).is_ok());
    there.map(|number| drive(number, &letters)).collect()
}

/// A drive with the letters that lie on it, wholly or in part.
fn drive(number: u32, letters: &[(String, Vec<u32>)]) -> Drive {
    let on_it = letters.iter().filter(|(_, disks)| disks.contains(&number));
    Drive { name: format!("PhysicalDrive{number}"), letters: on_it.map(|(letter, _)| letter.clone()).collect() }
}

/// The fixed drives by their letters, and the disks each lies on. One that does not tell lies on none.
fn letters() -> Vec<(String, Vec<u32>)> {
    let Ok(roots) = drive_roots() else { return Vec::new() };
    let mut letters: Vec<_> = strings(&roots)
        .filter(|root| is_fixed(root))
        .map(|root| text(root).trim_end_matches('\\').to_owned())
        .map(|letter| {
            let disks = disks_of(&letter).unwrap_or_default();
            (letter, disks)
        })
        .collect();
    letters.sort_unstable();
    letters
}

fn disks_of(letter: &str) -> io::Result<Vec<u32>> {
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
    if !is_device(name) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of a drive"));
    }
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    OpenOptions::new().access_mode(0).share_mode(share).open(format!(r"\\.\{name}"))
}

/// `PhysicalDrive` and a number, or a letter and a colon.
fn is_device(name: &str) -> bool {
    let is_number = |digits: &str| (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix("PhysicalDrive").is_some_and(is_number)
        || matches!(name.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
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
    fn only_drives_and_letters_are_names() {
        for name in ["PhysicalDrive0", "PhysicalDrive127", "C:", "z:"] {
            assert!(is_device(name), "{name}");
        }
        let refused =
            ["", "C", "C:\\", "CC:", "1:", "PhysicalDrive", "PhysicalDrive-1", "PhysicalDrive0\\x", "physicaldrive0"];
        for name in refused.into_iter().chain(["PhysicalDrive00001", "PhysicalDrive\u{661}", "..\\C:", "pipe\\x"]) {
            assert_eq!(disk_io(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn a_volume_on_several_disks_is_a_letter_of_each() {
        let letters =
            [("C:".into(), vec![0]), ("D:".into(), vec![1, 3, 3]), ("E:".into(), vec![]), ("F:".into(), vec![3])];
        let of = |number| drive(number, &letters).letters;
        assert_eq!((of(0), of(1), of(3)), (vec!["C:".into()], vec!["D:".into()], vec!["D:".into(), "F:".into()]));
        assert_eq!(drive(2, &letters), Drive { name: "PhysicalDrive2".into(), letters: Vec::new() });
    }

    // Wine answers that a volume lies on no disk at all; Windows names one for each.
    #[test]
    fn each_letter_that_tells_its_disks_is_on_drives_that_are_there() {
        let (drives, letters) = (drives(), letters());
        assert!(letters.iter().any(|(letter, _)| letter == "C:"), "{letters:?}");
        for (letter, disks) in &letters {
            let on = drives.iter().filter(|drive| drive.letters.contains(letter)).count();
            let distinct = disks.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert_eq!(on, distinct, "{letter} {drives:?} {letters:?}");
        }
        assert!(drives.iter().any(|drive| drive.name == "PhysicalDrive0"), "{drives:?}");
        assert!(drives.iter().all(|drive| is_device(&drive.name) && drive.letters.is_sorted()), "{drives:?}");
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
