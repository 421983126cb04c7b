//! Owners and access of files and directories.
//!
//! What is checked is what is changed: it is opened without following a reparse point and without letting anybody delete or
//! rename it meanwhile, and only then spoken to by the name that the handle has. What an access looks like is text (SDDL),
//! written and read by `layout` and by the system's own converters. Wine keeps an owner or a DACL only as far as a mode of
//! Linux can say it.
//!
//! Source: Microsoft's reference of GetSecurityInfo, SetNamedSecurityInfo (which also hands on what is inherited below),
//! CreateDirectory and "Security Descriptor String Format".

use super::account::account_sid;
use super::ffi::{Answer, check, fill, last_error, len_u32, size_u32, text_at, wide};
use super::token::{enable_privilege, user};
use crate::layout::sid::{ADMINISTRATORS, Sid, is_trusted, protected};
use crate::layout::text::text;
use crate::types::{Grant, Owner};
use std::ffi::{OsStr, c_void};
use std::fs::{self, File, OpenOptions};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{self, Path};
use std::{io, ptr};
use windows_sys::Win32::Foundation::{LocalFree, NO_ERROR, WIN32_ERROR};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, OBJECT_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SE_BACKUP_NAME, SE_RESTORE_NAME, SE_TAKE_OWNERSHIP_NAME,
    SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_DATA, FILE_SHARE_READ,
    FILE_SHARE_WRITE, GetFinalPathNameByHandleW, READ_CONTROL,
};

/// Units of the longest path.
const MOST_UNITS: usize = 32 << 10;

/// From here on a path is given in the form that has no limit: CreateDirectory leaves room for a file name.
const LONG_PATH: usize = 248;

/// Memory that the call which returned it wants to be freed by LocalFree.
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the pointer is null or a call's answer, which is ours alone and freed here only.
        unsafe { LocalFree(self.0) };
    }
}

fn refused(code: WIN32_ERROR) -> io::Result<()> {
    if code == NO_ERROR { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

/// The thing itself, not what it leads to.
fn open(path: &Path, rights: u32) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(rights)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// [`open`], so that nobody deletes or renames it meanwhile: only who reads data takes part in sharing.
fn hold(path: &Path) -> io::Result<File> {
    open(path, READ_CONTROL | FILE_READ_DATA)
}

/// Part of a thing's security descriptor.
fn descriptor(file: &File, parts: OBJECT_SECURITY_INFORMATION) -> io::Result<Local> {
    let (no, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    let file = file.as_raw_handle();
    // SAFETY: the file is open with READ_CONTROL; nothing but the whole descriptor is asked for, at a live pointer.
    refused(unsafe {
        GetSecurityInfo(file, SE_FILE_OBJECT, parts, no, no, ptr::null_mut(), ptr::null_mut(), &raw mut descriptor)
    })?;
    Ok(Local(descriptor))
}

/// As text: `O:BAD:PAI(A;OICI;FA;;;SY)...`.
fn described(descriptor: PSECURITY_DESCRIPTOR, parts: OBJECT_SECURITY_INFORMATION) -> io::Result<String> {
    let mut units = ptr::null_mut();
    let (to, no) = (&raw mut units, ptr::null_mut());
    // SAFETY: the descriptor is a call's answer that lives on; a pointer to a live pointer; nobody asks for the length.
    check(unsafe { ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, parts, to, no) })?;
    let units = Local(units.cast());
    // SAFETY: the call succeeded, so a text lies there that ends with a NUL, until it is freed.
    Ok(unsafe { text_at(units.0.cast_const().cast()) })
}

/// A security descriptor from its text.
fn from_text(text: &str) -> io::Result<Local> {
    let text = wide(OsStr::new(text))?;
    let (mut descriptor, no) = (ptr::null_mut(), ptr::null_mut());
    let to = &raw mut descriptor;
    // SAFETY: the text ends with a NUL; a pointer to a live pointer; nobody asks for the length.
    check(unsafe { ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, to, no) })?;
    Ok(Local(descriptor))
}

/// Who owns a file or directory; of a link, that of the link.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::InvalidData`] where it has no owner.
pub fn owner_of(path: &Path) -> io::Result<Owner> {
    owner(&open(path, READ_CONTROL)?)
}

fn owner(file: &File) -> io::Result<Owner> {
    let (mut sid, no) = (ptr::null_mut(), ptr::null_mut());
    let (mut descriptor, handle) = (ptr::null_mut(), file.as_raw_handle());
    let (to, parts) = (&raw mut sid, OWNER_SECURITY_INFORMATION);
    // SAFETY: the file is open with READ_CONTROL; owner and descriptor are asked for, at live pointers.
    refused(unsafe {
        GetSecurityInfo(handle, SE_FILE_OBJECT, parts, to, no, ptr::null_mut(), ptr::null_mut(), &raw mut descriptor)
    })?;
    let descriptor = Local(descriptor);
    // SAFETY: the call succeeded: null, or a SID in the descriptor, which is not freed yet.
    let sid = unsafe { super::token::sid_at(sid) }.ok_or(io::ErrorKind::InvalidData)?.to_string();
    drop(descriptor);
    let trusted = is_trusted(&sid, &user()?.to_string());
    Ok(Owner { sid, trusted })
}

/// Whether a path leads elsewhere: a symbolic link, a junction, a mount point.
///
/// # Errors
/// Those of GetFileAttributes.
pub fn is_reparse_point(path: &Path) -> io::Result<bool> {
    Ok(leads_elsewhere(&fs::symlink_metadata(path)?))
}

/// Links, junctions and mount points; a file that Windows keeps deduplicated or in a cloud is a reparse point too, and itself.
fn leads_elsewhere(meta: &fs::Metadata) -> bool {
    meta.file_type().is_symlink()
}

/// Owner and DACL of a file or directory as text (SDDL); of a link, those of the link.
///
/// # Errors
/// Those of the calls.
pub fn access_of(path: &Path) -> io::Result<String> {
    let parts = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    described(descriptor(&open(path, READ_CONTROL)?, parts)?.0, parts)
}

/// Makes the administrators the owner of a file or directory, and gives access to the system, to them, and to whom it is
/// granted; nothing is inherited from above. What in a directory inherits from it, does so from now on; what there has an
/// access or an owner of its own keeps it.
///
/// # Errors
/// Those of the calls: 5 for who is no administrator, 1332 where a name is no account's.
/// [`io::ErrorKind::InvalidInput`] where the path leads elsewhere.
pub fn protect(path: &Path, grants: &[Grant<'_>]) -> io::Result<()> {
    let grants = grants
        .iter()
        .map(|grant| Ok((account_sid(grant.account)?, grant.rights, grant.inherit)))
        .collect::<io::Result<Vec<_>>>()?;
    // Who holds none of them may still own it, or be allowed to.
    for privilege in [SE_BACKUP_NAME, SE_RESTORE_NAME, SE_TAKE_OWNERSHIP_NAME] {
        enable_privilege(privilege).ok();
    }
    let held = hold(path)?;
    let meta = held.metadata()?;
    if leads_elsewhere(&meta) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link or junction, not the thing itself"));
    }
    let name = final_name(&held)?;
    let administrators = Sid::parse(ADMINISTRATORS).ok_or(io::ErrorKind::InvalidData)?;
    let (sid, no) = (administrators.words().as_ptr().cast_mut().cast(), ptr::null_mut());
    let (name, kind, parts) = (name.as_ptr(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION);
    // First the owner, who may change the rest whatever it says.
    // SAFETY: the name ends with a NUL, the SID is whole and is only read; nothing else is set.
    refused(unsafe { SetNamedSecurityInfoW(name, kind, parts, sid, no, ptr::null(), ptr::null()) })?;
    let descriptor = from_text(&protected(&[], &grants, meta.is_dir()))?;
    let dacl = dacl(&descriptor)?;
    let parts = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the name ends with a NUL, the DACL lies in the descriptor, which is not freed yet; nothing else is set.
    refused(unsafe { SetNamedSecurityInfoW(name, kind, parts, no, no, dacl, ptr::null()) })
}

fn dacl(descriptor: &Local) -> io::Result<*const ACL> {
    let (mut present, mut dacl, mut defaulted) = (0, ptr::null_mut(), 0);
    // SAFETY: the descriptor is whole; three pointers to live variables.
    check(unsafe { GetSecurityDescriptorDacl(descriptor.0, &raw mut present, &raw mut dacl, &raw mut defaulted) })?;
    // Without one, everybody could do everything.
    if present == 0 || dacl.is_null() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(dacl) }
}

/// The name under which an open thing is found, with its NUL.
fn final_name(file: &File) -> io::Result<Vec<u16>> {
    let handle = file.as_raw_handle();
    let units = fill(512, MOST_UNITS, |buffer: &mut [u16]| {
        // SAFETY: the file is open; the buffer has as many units as the call is told.
        let len = unsafe { GetFinalPathNameByHandleW(handle, buffer.as_mut_ptr(), len_u32(buffer), 0) } as usize;
        match len {
            0 => Answer::Failed(last_error()),
            len if len >= buffer.len() => Answer::TooSmall(len + 1),
            len => Answer::Filled(len),
        }
    })?;
    wide(OsStr::new(&text(&units)))
}

/// Makes one directory that the system, the administrators and the user of this process may enter, and nobody else.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    let name = dir_name(path)?;
    let descriptor = from_text(&protected(&[&user()?.to_string()], &[], true))?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_u32::<SECURITY_ATTRIBUTES>(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    // SAFETY: the name ends with a NUL; the structure and its descriptor outlive the call, which only reads them.
    check(unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) })
}

fn dir_name(path: &Path) -> io::Result<Vec<u16>> {
    let whole = path::absolute(path)?;
    let is_long = whole.as_os_str().encode_wide().count() >= LONG_PATH;
    let has_drive = matches!(whole.components().next(), Some(path::Component::Prefix(prefix))
        if matches!(prefix.kind(), path::Prefix::Disk(_)));
    if !is_long || !has_drive {
        return wide(path.as_os_str());
    }
    let mut name = OsStr::new(r"\\?\").to_owned();
    name.push(whole);
    wide(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Rights;

    /// A place of the test's own, which is gone afterwards.
    struct Place(path::PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("falcon \u{7A0B} {name} {}", std::process::id()));
            fs::remove_dir_all(&path).ok();
            fs::create_dir_all(&path).unwrap();
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    /// Wine tells a mode of Linux as a DACL, and its user as the owner.
    fn is_wine() -> bool {
        super::super::ffi::procedure(windows_sys::w!("ntdll.dll"), windows_sys::s!("wine_get_version")).is_some()
    }

    #[test]
    fn what_this_process_made_is_owned_by_whom_it_trusts() {
        let place = Place::new("owner");
        let file = place.0.join("file");
        fs::write(&file, "").unwrap();
        for path in [&place.0, &file] {
            let owner = owner_of(path).unwrap();
            assert!(owner.trusted && owner.sid.starts_with("S-1-5-"), "{owner:?}");
            assert!(!is_reparse_point(path).unwrap());
            let access = access_of(path).unwrap();
            assert!(access.starts_with("O:") && access.contains("D:"), "{access}");
        }
        assert_eq!(owner_of(&place.0.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(is_reparse_point(&place.0.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_protected_reads_so_and_can_be_used_on() {
        let place = Place::new("protect");
        let file = place.0.join("cfg.json");
        fs::write(&file, "{}").unwrap();
        let grants = [Grant { account: "S-1-5-20", rights: Rights::Modify, inherit: true }];
        for path in [&place.0, &file] {
            match protect(path, &grants) {
                Ok(()) => {}
                // Who runs the tests on Windows may be nobody who can.
                Err(e) if !is_wine() => {
                    assert_eq!(e.kind(), io::ErrorKind::PermissionDenied);
                    continue;
                }
                Err(e) => panic!("{e}"),
            }
            let access = access_of(path).unwrap();
            if !is_wine() {
                assert!(access.starts_with("O:BA") && access.contains("D:P"), "{access}");
                assert!(access.contains("0x1301bf;;;NS)") && access.contains("FA;;;SY)"), "{access}");
                assert_eq!(owner_of(path).unwrap().sid, ADMINISTRATORS);
            }
        }
        fs::write(&file, "{ }").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ }");
    }

    #[test]
    fn an_account_that_is_none_protects_nothing() {
        let place = Place::new("nobody");
        let before = access_of(&place.0).unwrap();
        let nobody = [Grant { account: "no such account of any host", rights: Rights::Read, inherit: true }];
        assert!(protect(&place.0, &nobody).is_err());
        assert_eq!(access_of(&place.0).unwrap(), before);
    }

    #[test]
    fn a_directory_that_is_held_cannot_be_put_elsewhere_meanwhile() {
        let place = Place::new("held");
        let (from, to) = (place.0.join("from"), place.0.join("to"));
        fs::create_dir(&from).unwrap();
        let held = hold(&from).unwrap();
        assert!(fs::rename(&from, &to).is_err());
        let name = text(&final_name(&held).unwrap());
        assert!(name.starts_with(r"\\?\") && name.ends_with(r"\from"), "{name}");
        drop(held);
        fs::rename(&from, &to).unwrap();
    }

    #[test]
    fn a_private_directory_is_this_users_alone_and_can_be_used() {
        let place = Place::new("private");
        let path = place.0.join("queue");
        create_dir(&path).unwrap();
        assert_eq!(create_dir(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let file = path.join("0001");
        fs::write(&file, "point").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "point");
        let access = access_of(&path).unwrap();
        assert!(is_wine() || access.contains("D:P"), "{access}");
        assert!(!access.contains(";;;WD)") && !access.contains(";;;BU)"), "{access}");
        let mut long = path;
        while long.as_os_str().len() < 300 {
            long.push("a directory with a name of its own");
            create_dir(&long).unwrap();
        }
    }
}
