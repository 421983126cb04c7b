//! Accounts under which a service may run: their SIDs, the right to log on, the groups they are in.
//!
//! Source: Microsoft's reference of LookupAccountName, LookupAccountSid, LsaAddAccountRights and NetLocalGroupAddMembers.

use super::ffi::{last_error, size_u32, wide};
use crate::layout::service_sid::service_sid;
use crate::layout::sid::{Sid, service_account, virtual_account};
use crate::layout::text::text;
use std::ffi::OsStr;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_MEMBER_IN_ALIAS, ERROR_NONE_MAPPED, NO_ERROR, NTSTATUS};
use windows_sys::Win32::NetworkManagement::NetManagement::{LOCALGROUP_MEMBERS_INFO_0, NetLocalGroupAddMembers};
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose, LsaNtStatusToWinError,
    LsaOpenPolicy, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::{LookupAccountNameW, LookupAccountSidW, PSID};
use windows_sys::Win32::System::SystemInformation::ComputerNamePhysicalNetBIOS;

/// Bytes of the longest SID (SECURITY_MAX_SID_SIZE), and units of the longest name of a domain, an account or a group.
const SID_BYTES: usize = 68;
const NAME_UNITS: usize = 512;

const SERVICE_LOGON: &str = "SeServiceLogonRight";

/// The SID of an account (`S-1-5-...`), by its name (`DOMAIN\user`, `.\user`, `NT SERVICE\name`, `LocalSystem`) or its SID.
///
/// # Errors
/// The call's own: 1332 where the name is no account's.
pub fn account_sid(given: &str) -> io::Result<String> {
    if let Some(sid) = Sid::parse(given) {
        return Ok(sid.to_string());
    }
    if let Some(sid) = service_account(given) {
        return Ok(sid.to_owned());
    }
    // The dot is the control manager's: whoever looks names up does not know it.
    let name = match given.strip_prefix(r".\") {
        Some(user) => format!(r"{}\{user}", super::computer_name(ComputerNamePhysicalNetBIOS)?),
        None => given.to_owned(),
    };
    let name = wide(OsStr::new(&name))?;
    let (mut sid, mut domain) = ([0_u64; SID_BYTES.div_ceil(8)], [0; NAME_UNITS]);
    let (mut bytes, mut units, mut kind) = (size_of_val(&sid) as u32, NAME_UNITS as u32, 0);
    let (to, of) = (sid.as_mut_ptr(), domain.as_mut_ptr());
    // SAFETY: null means this machine; the name ends with a NUL; SID and domain are as long as the call is told; the kind
    // is a live number.
    let ok = unsafe {
        LookupAccountNameW(ptr::null(), name.as_ptr(), to.cast(), &raw mut bytes, of, &raw mut units, &raw mut kind)
    };
    if ok == 0 {
        let error = last_error();
        // Wine knows no service by its account, and Windows none that is not registered yet.
        return match virtual_account(given) {
            Some(service) if error.raw_os_error() == Some(ERROR_NONE_MAPPED.cast_signed()) => Ok(service_sid(service)),
            _ => Err(error),
        };
    }
    // SAFETY: a call that succeeded wrote a whole SID there.
    let sid = unsafe { super::token::sid_at(to.cast()) };
    sid.map(|sid| sid.to_string()).ok_or(io::ErrorKind::InvalidData.into())
}

fn parse(sid: &str) -> io::Result<Sid> {
    Sid::parse(sid).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no SID"))
}

/// For calls that only read it.
fn pointer(sid: &Sid) -> PSID {
    sid.words().as_ptr().cast_mut().cast()
}

/// What the local security authority is spoken to with.
struct Policy(LSA_HANDLE);

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by a call that succeeded, is ours alone and is closed here only.
        unsafe { LsaClose(self.0) };
    }
}

fn succeeded(status: NTSTATUS) -> io::Result<()> {
    // SAFETY: takes and gives a number.
    match unsafe { LsaNtStatusToWinError(status) } {
        NO_ERROR => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

/// Gives an account the right to log on as a service; one that has it keeps it.
///
/// # Errors
/// Those of [`account_sid`] and of the calls.
pub fn grant_service_logon(name: &str) -> io::Result<()> {
    let sid = parse(&account_sid(name)?)?;
    let attributes =
        LSA_OBJECT_ATTRIBUTES { Length: size_u32::<LSA_OBJECT_ATTRIBUTES>(), ..LSA_OBJECT_ATTRIBUTES::default() };
    let rights = (POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES).cast_unsigned();
    let mut policy = LSA_HANDLE::default();
    // SAFETY: null means this machine; the attributes are empty but for their size; a pointer to a live handle.
    succeeded(unsafe { LsaOpenPolicy(ptr::null(), &raw const attributes, rights, &raw mut policy) })?;
    let policy = Policy(policy);
    let mut right = wide(OsStr::new(SERVICE_LOGON))?;
    let bytes = u16::try_from(SERVICE_LOGON.len() * 2).map_err(|_| io::ErrorKind::InvalidInput)?;
    let right = LSA_UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: right.as_mut_ptr() };
    // SAFETY: the policy is open, the SID is whole, and one text of the length that it says outlives the call.
    succeeded(unsafe { LsaAddAccountRights(policy.0, pointer(&sid), &raw const right, 1) })
}

/// Puts an account into a group of this machine, both by their SIDs; one that is in it stays. The group's name is
/// another in each language of Windows, so it is looked up.
///
/// # Errors
/// Those of the calls: 1332 where there is no such group, 5 for who is no administrator;
/// [`io::ErrorKind::InvalidInput`] where a SID is none.
pub fn add_to_group(group: &str, member: &str) -> io::Result<()> {
    let (group, member) = (parse(group)?, parse(member)?);
    let (mut name, mut domain) = ([0; NAME_UNITS], [0; NAME_UNITS]);
    let (mut units, mut domain_units, mut kind) = (NAME_UNITS as u32, NAME_UNITS as u32, 0);
    let (to, of) = (name.as_mut_ptr(), domain.as_mut_ptr());
    // SAFETY: null means this machine; the SID is whole; name and domain are as long as the call is told; the kind is a
    // live number.
    let ok = unsafe {
        LookupAccountSidW(ptr::null(), pointer(&group), to, &raw mut units, of, &raw mut domain_units, &raw mut kind)
    };
    if ok == 0 {
        return Err(last_error());
    }
    let name = wide(OsStr::new(&text(&name)))?;
    let entry = LOCALGROUP_MEMBERS_INFO_0 { lgrmi0_sid: pointer(&member) };
    // SAFETY: null means this machine; the name ends with a NUL; one entry of level 0, whose SID is whole.
    match unsafe { NetLocalGroupAddMembers(ptr::null(), name.as_ptr(), 0, (&raw const entry).cast(), 1) } {
        NO_ERROR | ERROR_MEMBER_IN_ALIAS => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_either_of_its_names() {
        assert_eq!(account_sid("LocalSystem").unwrap(), "S-1-5-18");
        assert_eq!(account_sid("S-1-5-80-1-2").unwrap(), "S-1-5-80-1-2");
        let administrators = account_sid("Administrators");
        assert!(administrators.is_err() || administrators.unwrap() == "S-1-5-32-544");
        assert_eq!(account_sid("no such account of any host").unwrap_err().raw_os_error(), Some(1332));
        assert!(account_sid("a\0b").is_err());
        // A service of every Windows, and one of none.
        let sid = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        assert_eq!(account_sid(r"NT SERVICE\TrustedInstaller").unwrap(), sid);
        assert!(account_sid(r"nt service\falcon-test-of-no-host").unwrap().starts_with("S-1-5-80-"));
    }

    #[test]
    fn nobody_is_given_nothing() {
        assert_eq!(grant_service_logon("no such account of any host").unwrap_err().raw_os_error(), Some(1332));
        let invalid = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::InvalidInput;
        assert!(invalid(add_to_group("Users", "S-1-5-18")) && invalid(add_to_group("S-1-5-32-545", "me")));
        // No machine has such a group.
        assert!(add_to_group("S-1-5-32-999999", "S-1-5-20").is_err());
    }
}
