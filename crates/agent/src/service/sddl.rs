//! Who may change what, read from a security descriptor in its text form (Security Descriptor Definition Language, as
//! ConvertSecurityDescriptorToStringSecurityDescriptor writes it): pure, so that it is tested on every platform.

/// SYSTEM, the administrators, and the installer of Windows' own files: whoever is one of them needs no hole.
const TRUSTED: [&str; 5] =
    ["SY", "BA", "S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"];
/// Rights of what is made in a directory by its creator, who has them anyway.
const CREATOR: [&str; 4] = ["CO", "CG", "S-1-3-0", "S-1-3-1"];

/// FILE_WRITE_DATA (add a file), FILE_APPEND_DATA (add a directory), FILE_DELETE_CHILD, DELETE, WRITE_DAC, WRITE_OWNER,
/// GENERIC_ALL, GENERIC_WRITE.
const CHANGES: u32 = 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;
/// Of a directory that Windows itself lets everybody add directories to (the root of a drive), which endangers nothing that is
/// in it already.
pub(super) const ADD_DIRECTORY: u32 = 0x4;
pub(super) const ADD_FILE: u32 = 0x2;

/// Two letters for a right, with its bits (sddl.h).
const RIGHTS: [(&str, u32); 19] = [
    ("GA", 0x1000_0000),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("RC", 0x2_0000),
    ("SD", 0x1_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("FA", 0x1F_01FF),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00A0),
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
];

/// Accounts that are not `trusted` and may change the object itself, as the text names them. `except`: bits that are let
/// pass. Without an access list everybody may.
pub(super) fn writers(descriptor: &str, trusted: &[&str], except: u32) -> Vec<String> {
    let Some(list) = section(descriptor, "D:") else { return vec!["everybody (there is no access list)".to_owned()] };
    if list.contains("NO_ACCESS_CONTROL") {
        return vec!["everybody (there is no access list)".to_owned()];
    }
    let mut found: Vec<String> = Vec::new();
    for entry in list.split('(').skip(1).filter_map(|entry| entry.split_once(')')).map(|(entry, _)| entry) {
        let fields: Vec<&str> = entry.split(';').collect();
        let &[kind, flags, rights, _, _, account, ..] = fields.as_slice() else { continue };
        let allows = matches!(kind, "A" | "XA" | "OA");
        // Inherit only: it is for what will be made in here.
        let applies = !pairs(flags).any(|flag| flag == "IO");
        let is_known = TRUSTED.contains(&account) || CREATOR.contains(&account) || trusted.contains(&account);
        let changes = bits(rights) & CHANGES & !except != 0;
        if allows && applies && changes && !is_known && !found.iter().any(|known| known == account) {
            found.push(account.to_owned());
        }
    }
    found
}

/// An account as people know it.
pub(super) fn name(account: &str) -> &str {
    match account {
        "AU" => "Authenticated Users",
        "BU" => "Users",
        "WD" => "Everyone",
        "IU" => "INTERACTIVE",
        "PU" => "Power Users",
        "AN" => "anonymous users",
        "BG" => "Guests",
        account => account,
    }
}

/// The part behind `name`, up to the next part.
fn section<'t>(descriptor: &'t str, name: &str) -> Option<&'t str> {
    let at = if descriptor.starts_with(name) { 0 } else { descriptor.find(name)? };
    let rest = descriptor.get(at + name.len()..)?;
    Some(rest.split_once("S:(").map_or(rest, |(list, _)| list))
}

fn bits(rights: &str) -> u32 {
    if let Some(hex) = rights.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).unwrap_or(u32::MAX);
    }
    let bit = |pair: &str| RIGHTS.iter().find(|(name, _)| *name == pair).map_or(0, |(_, bits)| *bits);
    pairs(rights).map(bit).fold(0, |all, bits| all | bits)
}

fn pairs(text: &str) -> impl Iterator<Item = &str> {
    (0..text.len() / 2).filter_map(|at| text.get(2 * at..2 * at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `icacls C:\ /save` shows the root of a system drive.
    const ROOT: &str =
        "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;AU)(A;OICIIO;SDGXGWGR;;;AU)";
    /// As a folder that was made there inherits it.
    const BELOW: &str = "O:BAG:S-1-5-21-1-2-3-513D:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)\
                         (A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";
    const PROGRAM_FILES: &str = "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464D:PAI\
         (A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)(A;CIIO;GA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)\
         (A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)";

    #[test]
    fn who_may_change_a_directory_is_told_and_who_may_read_is_not() {
        assert_eq!(writers(BELOW, &[], 0), ["AU"]);
        assert_eq!(writers(ROOT, &[], 0), ["AU"]);
        assert_eq!(writers(ROOT, &[], ADD_DIRECTORY), Vec::<String>::new());
        assert_eq!(writers(PROGRAM_FILES, &[], 0), Vec::<String>::new());
        let user = "S-1-5-21-1-2-3-1001";
        let own = format!("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;0x1200a9;;;BU)(A;OICI;0x1301bf;;;{user})");
        assert_eq!(writers(&own, &[], 0), [user]);
        assert_eq!(writers(&own, &[user], 0), Vec::<String>::new());
    }

    #[test]
    fn what_denies_or_is_for_later_or_for_nobody_is_no_hole() {
        assert_eq!(writers("D:(D;;FA;;;WD)(A;OICIIO;FA;;;WD)(A;;;;;WD)(A;;FR;;;WD)", &[], 0), Vec::<String>::new());
        assert_eq!(writers("D:(A;;FW;;;WD)(A;;FW;;;WD)(A;;WDWO;;;BU)", &[], 0), ["WD", "BU"]);
    }

    #[test]
    fn no_list_and_nonsense_are_not_taken_for_safe() {
        for text in ["", "O:BAG:BA", "D:NO_ACCESS_CONTROL"] {
            assert_eq!(writers(text, &[], 0).len(), 1, "{text}");
        }
        assert_eq!(writers("D:(A;;0xzz;;;WD)(A;;FA)(((", &[], 0), ["WD"]);
        // The system list says who is watched, not who may.
        assert_eq!(writers("D:(A;;FR;;;WD)S:(AU;SAFA;FA;;;WD)", &[], 0), Vec::<String>::new());
    }
}
