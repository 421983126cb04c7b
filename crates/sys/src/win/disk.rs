//! Volumes: which there are, and what one of them holds.
//!
//! Network drives are not listed, for one can hold the asker for minutes. Removable drives are, but only by their
//! letter: an empty one can raise a dialog when its medium is asked for. A volume is one row: its drive letters, or, if
//! it has none, the shortest of the folders it is mounted in.

use super::ffi::{Answer, check, fill, last_error, len_u32, wide};
use crate::layout::text::{strings, text};
use crate::types::{Mount, VolumeUsage};
use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::PathBuf;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, HANDLE, INVALID_HANDLE_VALUE, MAX_PATH};
use windows_sys::Win32::Storage::FileSystem::{
    FindFirstVolumeW, FindNextVolumeW, FindVolumeClose, GetDiskFreeSpaceExW, GetDriveTypeW, GetLogicalDriveStringsW,
    GetVolumeInformationW, GetVolumePathNamesForVolumeNameW,
};
use windows_sys::Win32::System::Diagnostics::Debug::{SEM_FAILCRITICALERRORS, SetThreadErrorMode, THREAD_ERROR_MODE};
use windows_sys::Win32::System::WindowsProgramming::{DRIVE_FIXED, DRIVE_REMOVABLE};

/// A host that mounts more than this is not read further.
const MAX_MOUNTS: usize = 4096;

/// Units of all the paths one volume may be mounted at.
const MAX_PATHS: usize = 64 << 10;

/// Every path this module asks with or gets back has this form: UTF-16, a backslash at the end, no NUL.
type Path = [u16];

/// The roots of all drive letters, as a list of strings.
fn drive_roots() -> io::Result<Vec<u16>> {
    fill(128, 4096, |buffer: &mut [u16]| {
        // SAFETY: the buffer has as many units as the call is told.
        let len = unsafe { GetLogicalDriveStringsW(len_u32(buffer), buffer.as_mut_ptr()) } as usize;
        match len {
            0 => Answer::Failed(last_error()),
            _ if len > buffer.len() => Answer::TooSmall(len),
            _ => Answer::Filled(len),
        }
    })
}

pub(super) fn mounts() -> io::Result<Vec<Mount>> {
    let _quiet = NoDialogs::begin();
    let drives = drive_roots()?;
    let drives = strings(&drives).filter_map(|root| drive(root, drive_type(root)));
    // Volumes that cannot be listed cost the folder mounts, not the drives.
    let volumes = Volumes::find().into_iter().flatten().take(MAX_MOUNTS).filter(|volume| is_fixed(volume));
    let folders = volumes.filter_map(|volume| folder(&volume, strings(&paths(&volume).ok()?)));
    Ok(drives.chain(folders).take(MAX_MOUNTS).collect())
}

pub(super) fn is_fixed(root: &Path) -> bool {
    drive_type(root) == DRIVE_FIXED
}

fn drive_type(root: &Path) -> u32 {
    let root: Vec<u16> = root.iter().copied().chain([0]).collect();
    // SAFETY: the text ends with a NUL.
    unsafe { GetDriveTypeW(root.as_ptr()) }
}

/// The row of a drive letter, if its drive is fixed or removable.
fn drive(root: &Path, drive_type: u32) -> Option<Mount> {
    let removable = match drive_type {
        DRIVE_FIXED => false,
        DRIVE_REMOVABLE => true,
        _ => return None,
    };
    let letter = text(root).trim_end_matches('\\').to_owned();
    Some(Mount { device: letter.clone(), mount: letter, path: path(root), fstype: String::new(), removable })
}

/// The row of a volume that is mounted in folders only.
fn folder<'a>(volume: &Path, mounted_at: impl Iterator<Item = &'a Path>) -> Option<Mount> {
    let mut shortest: Option<&Path> = None;
    for at in mounted_at {
        // A drive, and a row already.
        if matches!(at, [_, colon, _] if *colon == u16::from(b':')) {
            return None;
        }
        if shortest.is_none_or(|other| (at.len(), at) < (other.len(), other)) {
            shortest = Some(at);
        }
    }
    Some(Mount {
        device: text(volume),
        mount: text(shortest?).trim_end_matches('\\').replace('\\', "/"),
        // Not the folder: the volume's own path has no limit of 260 characters and crosses no other volume.
        path: path(volume),
        fstype: String::new(),
        removable: false,
    })
}

fn path(root: &Path) -> PathBuf {
    OsString::from_wide(root).into()
}

/// The list of all paths a volume is mounted at.
fn paths(volume: &Path) -> io::Result<Vec<u16>> {
    let volume: Vec<u16> = volume.iter().copied().chain([0]).collect();
    fill(MAX_PATH as usize, MAX_PATHS, |buffer: &mut [u16]| {
        let mut len = 0;
        // SAFETY: the name ends with a NUL; the buffer has as many units as the call is told.
        let ok = unsafe {
            GetVolumePathNamesForVolumeNameW(volume.as_ptr(), buffer.as_mut_ptr(), len_u32(buffer), &raw mut len)
        };
        if ok != 0 {
            return Answer::Filled(len as usize);
        }
        match last_error() {
            e if e.raw_os_error() == Some(ERROR_MORE_DATA.cast_signed()) => Answer::TooSmall(len as usize),
            e => Answer::Failed(e),
        }
    })
}

/// The volumes of this host, mounted or not, as `\\?\Volume{...}\`.
struct Volumes {
    search: HANDLE,
    first: Option<Vec<u16>>,
}

/// A volume's path has 49 units.
const VOLUME_UNITS: usize = 128;

impl Volumes {
    fn find() -> Option<Volumes> {
        let mut name = [0; VOLUME_UNITS];
        // SAFETY: the buffer has as many units as the call is told.
        let search = unsafe { FindFirstVolumeW(name.as_mut_ptr(), len_u32(&name)) };
        (search != INVALID_HANDLE_VALUE).then(|| Volumes { search, first: Some(until_nul(&name)) })
    }
}

fn until_nul(name: &[u16]) -> Vec<u16> {
    name.iter().copied().take_while(|&unit| unit != 0).collect()
}

impl Iterator for Volumes {
    type Item = Vec<u16>;

    fn next(&mut self) -> Option<Vec<u16>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut name = [0; VOLUME_UNITS];
        // SAFETY: the search is open until drop; the buffer has as many units as the call is told.
        let more = unsafe { FindNextVolumeW(self.search, name.as_mut_ptr(), len_u32(&name)) } != 0;
        more.then(|| until_nul(&name))
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        // SAFETY: the handle is that of FindFirstVolumeW, and is closed once.
        unsafe { FindVolumeClose(self.search) };
    }
}

/// Space and file system of the volume at `mount.path`. May take very long: ask on a thread that may be lost.
///
/// # Errors
/// Those of GetVolumeInformationW and GetDiskFreeSpaceExW (no medium, locked by BitLocker, gone);
/// [`io::ErrorKind::InvalidInput`] where the path has a NUL.
pub fn volume_usage(mount: &Mount) -> io::Result<VolumeUsage> {
    let root = wide(mount.path.as_os_str())?;
    let _quiet = NoDialogs::begin();
    let mut fstype = [0; MAX_PATH as usize + 1];
    // SAFETY: the path ends with a NUL, the buffer has as many units as the call is told, the rest is not asked for.
    check(unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            fstype.as_mut_ptr(),
            len_u32(&fstype),
        )
    })?;
    let (mut total_bytes, mut free_bytes) = (0, 0);
    // SAFETY: the path ends with a NUL; two pointers to live numbers, the third is not asked for.
    check(unsafe { GetDiskFreeSpaceExW(root.as_ptr(), ptr::null_mut(), &raw mut total_bytes, &raw mut free_bytes) })?;
    Ok(VolumeUsage {
        total_bytes,
        // With quotas the total is the user's, the free bytes are the volume's.
        used_bytes: total_bytes.saturating_sub(free_bytes),
        free_bytes,
        inodes: None,
        fstype: text(&fstype),
    })
}

/// While it lives, an empty or broken drive is an error for this thread and not a dialog.
pub(super) struct NoDialogs(Option<THREAD_ERROR_MODE>);

impl NoDialogs {
    pub(super) fn begin() -> NoDialogs {
        let mut before = 0;
        // SAFETY: a pointer to a live number.
        let set = unsafe { SetThreadErrorMode(SEM_FAILCRITICALERRORS, &raw mut before) } != 0;
        NoDialogs(set.then_some(before))
    }
}

impl Drop for NoDialogs {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // SAFETY: the mode is the one the thread had; the present one is not asked for.
            unsafe { SetThreadErrorMode(before, ptr::null_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: &str = "\\\\?\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\";

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn fixed(root: &str) -> Mount {
        drive(&units(root), DRIVE_FIXED).unwrap()
    }

    fn folder_of(mounted_at: &[&str]) -> Option<Mount> {
        let paths: Vec<_> = mounted_at.iter().map(|at| units(at)).collect();
        folder(&units(VOLUME), paths.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_drive_is_its_letter() {
        let expected = Mount {
            device: "C:".into(),
            mount: "C:".into(),
            path: "C:\\".into(),
            fstype: String::new(),
            removable: false,
        };
        assert_eq!(fixed("C:\\"), expected);
    }

    #[test]
    fn a_removable_drive_is_marked_and_others_are_not_listed() {
        let removable = drive(&units("E:\\"), DRIVE_REMOVABLE).unwrap();
        assert_eq!((removable.mount.as_str(), removable.removable), ("E:", true));
        // Unknown, no root, remote, optical, RAM disk.
        for other in [0, 1, 4, 5, 6] {
            assert_eq!(drive(&units("E:\\"), other), None);
        }
    }

    #[test]
    fn a_folder_mount_has_forward_slashes_and_is_asked_by_its_volume() {
        let mount = folder_of(&["C:\\mnt\\longer\\", "C:\\data\\\u{65E5}\u{5FD7}\\"]).unwrap();
        assert_eq!((mount.mount.as_str(), mount.device.as_str()), ("C:/data/\u{65E5}\u{5FD7}", VOLUME));
        assert_eq!(mount.path, PathBuf::from(VOLUME));
    }

    // Counted once per letter already: the sum over all volumes would count it again.
    #[test]
    fn a_volume_with_a_letter_is_not_listed_by_its_folders() {
        assert_eq!(folder_of(&["C:\\data\\", "D:\\"]), None);
        assert_eq!(folder_of(&[]), None);
    }

    #[test]
    fn every_drive_letter_is_a_row_once() {
        let mounts = mounts().unwrap();
        let mut names: Vec<_> = mounts.iter().map(|mount| mount.mount.as_str()).collect();
        assert!(names.contains(&"C:"), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), mounts.len());
    }

    #[test]
    fn a_volume_answers_by_its_own_path_as_by_its_letter() {
        let volumes: Vec<_> = Volumes::find().unwrap().take(MAX_MOUNTS).collect();
        let system = volumes.iter().find(|volume| strings(&paths(volume).unwrap()).any(|at| at == units("C:\\")));
        let system = text(system.unwrap());
        assert!(system.starts_with("\\\\?\\Volume{") && system.ends_with("}\\"), "{system}");
        let by_volume = volume_usage(&Mount { path: system.into(), ..fixed("C:\\") }).unwrap();
        let by_letter = volume_usage(&fixed("C:\\")).unwrap();
        assert_eq!((by_volume.total_bytes, by_volume.fstype), (by_letter.total_bytes, by_letter.fstype));
    }

    #[test]
    fn the_threads_error_mode_is_given_back() {
        let mode = || {
            let mut mode = 0;
            // SAFETY: a pointer to a live number; the mode set is put back at once.
            unsafe {
                SetThreadErrorMode(SEM_FAILCRITICALERRORS, &raw mut mode);
                SetThreadErrorMode(mode, ptr::null_mut());
            }
            mode
        };
        let before = mode();
        let quiet = NoDialogs::begin();
        assert_eq!(mode(), SEM_FAILCRITICALERRORS);
        drop(quiet);
        assert_eq!(mode(), before);
    }
}
