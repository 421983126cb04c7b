//! Where a driver puts NVML, and how it is loaded from there.
//!
//! A file that is not there is [`io::ErrorKind::NotFound`]; one that is there and cannot be loaded is another error,
//! with the loader's own words. Sources: the NVML API reference, dlopen(3), Microsoft's reference of LoadLibraryExW.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
pub(super) use linux::{all, open};
#[cfg(windows)]
pub(super) use windows::{all, open};

/// What the loader says; the error itself names only the call.
fn reason(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(unix)]
mod linux {
    use super::{Path, PathBuf, io, reason};
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    /// The name that the driver installs; the one without a number comes with development packages.
    pub(in super::super) fn all() -> [PathBuf; 1] {
        ["libnvidia-ml.so.1".into()]
    }

    /// Where a loaded driver tells of itself.
    const DRIVER: &str = "/proc/driver/nvidia";

    pub(in super::super) fn open(path: &Path) -> io::Result<libloading::Library> {
        if cfg!(target_feature = "crt-static") {
            return Err(out_of_reach(Path::new(DRIVER).exists()));
        }
        // Bound at once: what a half-installed driver lacks is an error here, not the end of the process at a call.
        // SAFETY: what runs at loading is code of the driver that the administrator installed.
        match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) } {
            Ok(library) => Ok(library.into()),
            Err(error) => Err(refusal(path, reason(&error))),
        }
    }

    /// A static executable has no loader. That is a fault only of one on a host with a driver.
    fn out_of_reach(driver: bool) -> io::Error {
        if driver {
            let words = "a static executable cannot load the driver's library: install the package for glibc instead";
            io::Error::new(io::ErrorKind::Unsupported, words)
        } else {
            io::ErrorKind::NotFound.into()
        }
    }

    /// The loader tells only by its words whether the file itself is missing, or one that it needs.
    fn refusal(path: &Path, words: String) -> io::Error {
        let itself = words.starts_with(&*path.to_string_lossy()) && words.contains("No such file");
        let kind = if itself { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        io::Error::new(kind, words)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_static_executable_complains_only_beside_a_driver() {
            assert_eq!(out_of_reach(false).kind(), io::ErrorKind::NotFound);
            assert!(out_of_reach(true).to_string().ends_with("install the package for glibc instead"));
        }

        #[test]
        fn a_library_that_lacks_another_is_not_a_missing_library() {
            let kind = |words: &str| refusal(Path::new("libnvidia-ml.so.1"), words.to_owned()).kind();
            let missing = "cannot open shared object file: No such file or directory";
            assert_eq!(kind(&format!("libnvidia-ml.so.1: {missing}")), io::ErrorKind::NotFound);
            assert_eq!(kind(&format!("libother.so: {missing}")), io::ErrorKind::Other);
            assert_eq!(kind("libnvidia-ml.so.1: wrong ELF class: ELFCLASS32"), io::ErrorKind::Other);
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::{Path, PathBuf, io, reason};
    use libloading::os::windows::{LOAD_WITH_ALTERED_SEARCH_PATH, Library};
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;

    /// Where drivers of this decade put it, and where those before them did. Whole paths only: a name alone is searched
    /// in the working directory too, and the flag that confines the search to System32 is an update of Windows 7.
    pub(in super::super) fn all() -> impl Iterator<Item = PathBuf> {
        let program_files = std::env::var_os("ProgramW6432").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let standard = program_files.map(|folder| folder.join("NVIDIA Corporation\\NVSMI"));
        [system_directory(), standard].into_iter().flatten().map(|folder| folder.join("nvml.dll"))
    }

    fn system_directory() -> Option<PathBuf> {
        /// MAX_PATH; Windows is installed in no deeper folder.
        const UNITS: u32 = 260;
        let mut buffer = [0_u16; UNITS as usize];
        // SAFETY: the buffer has as many units as it is said to have.
        let len = unsafe { GetSystemDirectoryW(buffer.as_mut_ptr(), UNITS) } as usize;
        // 0: it failed. More than there is room for: what it would need.
        let text = buffer.get(..len).filter(|text| !text.is_empty())?;
        Some(OsString::from_wide(text).into())
    }

    pub(in super::super) fn open(path: &Path) -> io::Result<libloading::Library> {
        if !path.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Libraries that it needs are then searched beside it.
        // SAFETY: what runs at loading is code of the driver that the administrator installed.
        let library = unsafe { Library::load_with_flags(path, LOAD_WITH_ALTERED_SEARCH_PATH) };
        library.map(Into::into).map_err(|error| io::Error::other(format!("{}: {}", path.display(), reason(&error))))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::Nvml;

        #[test]
        fn only_whole_paths_are_searched_and_system32_first() {
            let places: Vec<PathBuf> = all().collect();
            assert!(places.len() == 2 && places.iter().all(|place| place.is_absolute()), "{places:?}");
            assert!(places.iter().all(|place| place.file_name() == Some("nvml.dll".as_ref())), "{places:?}");
            let system = places.first().and_then(|place| place.parent()).unwrap();
            assert!(system.join("kernel32.dll").is_file(), "{places:?}");
        }

        #[test]
        fn a_missing_a_broken_and_a_foreign_library_are_told_apart() {
            let kind = |path: &Path| Nvml::load_from(path).unwrap_err().kind();
            let system = system_directory().unwrap();
            assert_eq!(kind(&system.join("nvml-of-no-host.dll")), io::ErrorKind::NotFound);
            assert_eq!(kind(&system.join("kernel32.dll")), io::ErrorKind::InvalidData);
            let broken = std::env::temp_dir().join(format!("falcon-nvml-{}.dll", std::process::id()));
            std::fs::write(&broken, "no library").unwrap();
            assert_eq!(kind(&broken), io::ErrorKind::Other);
            std::fs::remove_file(broken).unwrap();
        }
    }
}
