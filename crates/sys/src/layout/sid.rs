//! Security identifiers, and the text in which access is written (SDDL). Their form is that of winnt.h and of "Security
//! Descriptor String Format" in Microsoft's reference.

use crate::types::Rights;
use std::fmt;

/// Sub-authorities that a SID may have (SID_MAX_SUB_AUTHORITIES).
const MOST_PARTS: usize = 15;

pub(crate) const SYSTEM: &str = "S-1-5-18";
pub(crate) const LOCAL_SERVICE: &str = "S-1-5-19";
pub(crate) const NETWORK_SERVICE: &str = "S-1-5-20";
pub(crate) const ADMINISTRATORS: &str = "S-1-5-32-544";
/// `NT SERVICE\TrustedInstaller`, who owns what Windows brought.
pub(crate) const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/// A SID as calls want it: revision, number of parts, authority (6 bytes, the highest first), parts. Aligned to 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sid(Vec<u32>);

impl Sid {
    /// From `S-1-5-...`.
    pub(crate) fn parse(text: &str) -> Option<Sid> {
        let mut numbers = text.strip_prefix("S-1-").or_else(|| text.strip_prefix("s-1-"))?.split('-');
        let authority = numbers.next()?.parse::<u64>().ok().filter(|&authority| authority < 1 << 48)?;
        let parts = numbers.map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
        let count = u8::try_from(parts.len()).ok().filter(|&count| usize::from(count) <= MOST_PARTS)?;
        let [_, _, a, b, c, d, e, f] = authority.to_be_bytes();
        let mut words = vec![u32::from_ne_bytes([1, count, a, b]), u32::from_ne_bytes([c, d, e, f])];
        words.extend(parts);
        Some(Sid(words))
    }

    /// From the bytes that begin with one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Sid> {
        let count = usize::from(*bytes.get(1)?);
        if bytes.first() != Some(&1) || count > MOST_PARTS {
            return None;
        }
        let (words, _) = bytes.get(..8 + 4 * count)?.as_chunks::<4>();
        Some(Sid(words.iter().map(|&word| u32::from_ne_bytes(word)).collect()))
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [head, tail, parts @ ..] = self.0.as_slice() else { return Ok(()) };
        let [_, _, a, b] = head.to_ne_bytes();
        let [c, d, e, g] = tail.to_ne_bytes();
        write!(f, "S-1-{}", u64::from_be_bytes([0, 0, a, b, c, d, e, g]))?;
        parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

/// Whether what this one owns may be relied upon by a process of `user`.
pub(crate) fn is_trusted(owner: &str, user: &str) -> bool {
    [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, user].contains(&owner)
}

/// The well-known accounts that a service is given by names which are no accounts' own.
pub(crate) fn service_account(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix(r".\").or_else(|| name.strip_prefix(r"nt authority\")).unwrap_or(&name) {
        "localsystem" | "system" => Some(SYSTEM),
        "localservice" | "local service" => Some(LOCAL_SERVICE),
        "networkservice" | "network service" => Some(NETWORK_SERVICE),
        _ => None,
    }
}

/// The service whose virtual account this is: `name` of `NT SERVICE\name`.
pub(crate) fn virtual_account(name: &str) -> Option<&str> {
    let (authority, service) = name.split_once('\\')?;
    (authority.eq_ignore_ascii_case("NT SERVICE") && !service.is_empty()).then_some(service)
}

/// A DACL that takes nothing from the directory above: the system and the administrators may do everything, so may
/// `owners`, and others what they are granted; the last says whether that goes on below.
pub(crate) fn protected(owners: &[&str], grants: &[(String, Rights, bool)], is_dir: bool) -> String {
    let below = |inherit| if inherit && is_dir { "OICI" } else { "" };
    let mut text = "D:P".to_owned();
    let mut full = vec![SYSTEM, ADMINISTRATORS];
    full.extend(owners.iter().filter(|owner| ![SYSTEM, ADMINISTRATORS].contains(owner)));
    for sid in full {
        text += &format!("(A;{};FA;;;{sid})", below(true));
    }
    for (sid, rights, inherit) in grants {
        // FILE_GENERIC_READ and FILE_GENERIC_EXECUTE; the same with FILE_GENERIC_WRITE and DELETE.
        let rights = match rights {
            Rights::Read => "0x1200a9",
            Rights::Modify => "0x1301bf",
        };
        text += &format!("(A;{};{rights};;;{sid})", below(*inherit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(sid: &Sid) -> Vec<u8> {
        sid.words().iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_sid_is_its_text_and_its_bytes() {
        let sid = Sid::parse(ADMINISTRATORS).unwrap();
        assert_eq!(bytes(&sid), [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        for text in [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, "S-1-281474976710655", "S-1-0-4294967295"] {
            let sid = Sid::parse(text).unwrap();
            assert_eq!((sid.to_string().as_str(), Sid::read(&bytes(&sid)).as_ref()), (text, Some(&sid)));
        }
    }

    #[test]
    fn what_is_no_sid_is_none() {
        let long = format!("S-1-5{}", "-1".repeat(16));
        for text in ["", "S-1-", "S-2-5-18", "S-1-5-", "S-1-5-4294967296", "S-1-x", "S-1-281474976710656", &long] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
        let system = bytes(&Sid::parse(SYSTEM).unwrap());
        assert_eq!((Sid::read(&system[..11]), Sid::read(&[]), Sid::read(&[1])), (None, None, None));
        assert_eq!((Sid::read(&[2; 80]), Sid::read(&[1, 16, 0, 0].repeat(40))), (None, None));
    }

    #[test]
    fn the_system_its_administrators_and_oneself_are_trusted() {
        let me = "S-1-5-21-1-2-3-1001";
        assert!([SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, me].iter().all(|owner| is_trusted(owner, me)));
        assert!(["S-1-5-21-1-2-3-1002", "S-1-1-0", "S-1-5-32-545", ""].iter().all(|owner| !is_trusted(owner, me)));
    }

    #[test]
    fn accounts_of_services_have_more_than_one_name() {
        let names = ["LocalSystem", r".\LocalSystem", r"NT AUTHORITY\SYSTEM"];
        assert!(names.iter().all(|name| service_account(name) == Some(SYSTEM)));
        assert_eq!(service_account(r"NT AUTHORITY\LocalService"), Some(LOCAL_SERVICE));
        assert_eq!(service_account(r"nt authority\network service"), Some(NETWORK_SERVICE));
        assert_eq!((service_account(r"NT SERVICE\x"), service_account(r"DOMAIN\system")), (None, None));
        assert_eq!([r"NT SERVICE\x", r"nt service\x"].map(virtual_account), [Some("x"); 2]);
        assert_eq!([r"NT SERVICE\", r"DOMAIN\x", "x"].map(virtual_account), [None; 3]);
    }

    #[test]
    fn a_dacl_names_the_system_the_administrators_and_whom_it_is_told() {
        assert_eq!(protected(&[], &[], true), "D:P(A;OICI;FA;;;S-1-5-18)(A;OICI;FA;;;S-1-5-32-544)");
        let grants = [("S-1-5-80-1".to_owned(), Rights::Modify, true), ("S-1-5-80-2".to_owned(), Rights::Read, false)];
        let dacl = protected(&[SYSTEM, "S-1-5-21-7"], &grants, true);
        let rest = "(A;OICI;FA;;;S-1-5-21-7)(A;OICI;0x1301bf;;;S-1-5-80-1)(A;;0x1200a9;;;S-1-5-80-2)";
        assert!(dacl.ends_with(&format!("(A;OICI;FA;;;S-1-5-32-544){rest}")), "{dacl}");
        // A file hands nothing on.
        assert!(!protected(&["S-1-5-21-7"], &grants, false).contains("OI"));
    }
}
