//! UTF-16 in lists and fields, and the few texts of Windows that are taken apart.

/// Units of a name that is read from a pointer or a record; longer ones are cut.
pub(crate) const MAX_NAME: usize = 1024;

/// The strings of a list in which each ends with a NUL and an empty one ends the list.
pub(crate) fn strings(list: &[u16]) -> impl Iterator<Item = &[u16]> {
    list.split(|&unit| unit == 0).take_while(|string| !string.is_empty())
}

/// The text in a field of fixed size: up to the first NUL, or all of it.
pub(crate) fn text(field: &[u16]) -> String {
    let mut text = String::new();
    text_into(field, &mut text);
    text
}

/// [`text`] into a String that has been used before.
pub(crate) fn text_into(field: &[u16], into: &mut String) {
    decode_into(field.iter().copied().take_while(|&unit| unit != 0), into);
}

/// UTF-16 into a String that has been used before; what is not well formed becomes U+FFFD.
pub(crate) fn decode_into(units: impl Iterator<Item = u16>, into: &mut String) {
    into.clear();
    into.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

/// What a tag says of a file that the kernel names `\??\C:\pagefile.sys`: `C:/pagefile.sys`.
pub(crate) fn tag_path(path: &str) -> String {
    path.strip_prefix(r"\??\").unwrap_or(path).replace('\\', "/")
}

/// The servers that the Windows Time service asks, from its values `Type` and `NtpServer`
/// (`time.windows.com,0x9 10.0.0.1`); none where it takes the time from its domain alone or from nobody.
pub(crate) fn ntp_servers(kind: &str, list: &str) -> Vec<String> {
    if !is_one_of(kind, ["NTP", "AllSync"]) {
        return Vec::new();
    }
    let servers = list.split_whitespace().filter_map(|entry| entry.split(',').next());
    servers.filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

/// Whether the Windows Time service takes the time from its domain, by its value `Type`.
pub(crate) fn follows_domain(kind: &str) -> bool {
    is_one_of(kind, ["NT5DS", "AllSync"])
}

fn is_one_of(kind: &str, kinds: [&str; 2]) -> bool {
    kinds.iter().any(|other| kind.trim().eq_ignore_ascii_case(other))
}

/// `dc1.example.cn` of `\\dc1.example.cn`, as a domain controller is named.
pub(crate) fn domain_controller(name: &str) -> Option<&str> {
    Some(name.trim_start_matches('\\').trim_end_matches('.')).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_at_the_empty_string_or_with_the_memory() {
        let list: Vec<u16> = "C:\\\0D:\\data\\\0\0rest\0".encode_utf16().collect();
        assert_eq!(strings(&list).map(text).collect::<Vec<_>>(), ["C:\\", "D:\\data\\"]);
        assert_eq!(strings(&list[..6]).map(text).collect::<Vec<_>>(), ["C:\\", "D:"]);
        assert_eq!(strings(&[]).count(), 0);
    }

    #[test]
    fn text_ends_at_the_nul_and_never_fails() {
        assert_eq!(text(&[0x672C, 0x5730, 0, 0x41]), "\u{672C}\u{5730}");
        assert_eq!(text(&[0x41, 0xD800, 0x42]), "A\u{FFFD}B");
        assert_eq!(text(&[]), "");
        let mut used = String::from("before");
        text_into(&[0x41, 0], &mut used);
        assert_eq!(used, "A");
    }

    #[test]
    fn page_files_are_named_as_an_administrator_would() {
        assert_eq!(tag_path(r"\??\C:\pagefile.sys"), "C:/pagefile.sys");
        assert_eq!(tag_path(r"D:\swap\pagefile.sys"), "D:/swap/pagefile.sys");
        assert_eq!(tag_path(""), "");
    }

    #[test]
    fn time_servers_are_named_without_their_flags() {
        let list = "time.windows.com,0x9  10.0.0.1 ,0x8\tntp.example.cn,0x1,x";
        let expected = ["time.windows.com", "10.0.0.1", "ntp.example.cn"];
        assert_eq!(ntp_servers("NTP", list), expected);
        assert_eq!(ntp_servers("allsync", list), expected);
        for silent in ["NT5DS", "NoSync", "", "NTPx"] {
            assert!(ntp_servers(silent, list).is_empty(), "{silent}");
        }
        assert!(ntp_servers("NTP", " ,0x9 ").is_empty());
    }

    // Most servers are members of a domain: of its clock they were told nothing.
    #[test]
    fn members_of_a_domain_ask_its_controller() {
        let follows = ["NT5DS", "nt5ds ", "AllSync"].map(follows_domain);
        assert_eq!((follows, ["NTP", "NoSync", ""].map(follows_domain)), ([true; 3], [false; 3]));
        assert_eq!(domain_controller(r"\\dc1.example.cn"), Some("dc1.example.cn"));
        assert_eq!(domain_controller("dc1.example.cn."), Some("dc1.example.cn"));
        assert_eq!((domain_controller(r"\\"), domain_controller("")), (None, None));
    }
}
