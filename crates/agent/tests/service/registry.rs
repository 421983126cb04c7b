//! Keys of the registry, as `reg export` writes them: everything below a key, comparable.

use std::collections::BTreeMap;
use std::fs;

use crate::prefix::Prefix;

pub const SERVICES: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services";
pub const EVENT_SOURCES: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// Values by their names, of keys by their paths below the one that was asked for; values as the file has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree(BTreeMap<String, BTreeMap<String, String>>);

impl Prefix {
    /// A key with everything below it, where there is one.
    pub fn registry(&self, key: &str) -> Option<Tree> {
        let file = tempfile::Builder::new().suffix(".reg").tempfile_in(self.path()).expect("a file");
        let windows = format!("Z:{}", file.path().display()).replace('/', "\\");
        let ended = self.run("reg", &["export", key, &windows, "/y"]);
        if ended.out.contains("Unable to find the specified registry key") {
            return None;
        }
        assert_eq!(ended.code, Some(0), "{key}: {ended:?}");
        let bytes = fs::read(file.path()).expect("what was exported");
        let units: Vec<u16> = bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        Some(Tree::parse(&String::from_utf16(&units).expect("UTF-16"), key))
    }

    /// Writes a value: `kind` is `REG_SZ`, `REG_DWORD`, ...; without a name the key's default one.
    pub fn set_registry(&self, key: &str, name: Option<&str>, kind: &str, data: &str) {
        let name = name.map_or_else(|| vec!["/ve"], |name| vec!["/v", name]);
        self.run("reg", &[&["add", key], name.as_slice(), &["/t", kind, "/d", data, "/f"]].concat()).success();
    }
}

impl Tree {
    fn parse(text: &str, root: &str) -> Tree {
        let mut keys: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut key = String::new();
        for line in text.replace("\\\r\n  ", "").lines().skip(1) {
            if let Some(path) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                key = path.strip_prefix(root).unwrap_or_else(|| panic!("{path} below {root}")).to_owned();
                keys.entry(key.clone()).or_default();
            } else if let Some((name, value)) = line.split_once('=') {
                let name = name.trim_matches('"').replace("\\\\", "\\");
                keys.entry(key.clone()).or_default().insert(name, value.to_owned());
            }
        }
        Tree(keys)
    }

    /// Whether there is a key of this name below the one that was asked for.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(&format!("\\{key}"))
    }

    /// A value of the key that was asked for, as text: one that is no text stays as the file has it.
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.0.get("")?.get(name)?;
        if let Some(text) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            return Some(text.replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        let Some(bytes) = value.strip_prefix("hex(2):") else { return Some(value.clone()) };
        let bytes: Vec<u8> = bytes.split(',').filter_map(|byte| u8::from_str_radix(byte.trim(), 16).ok()).collect();
        let units = bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).take_while(|unit| *unit != 0);
        Some(String::from_utf16_lossy(&units.collect::<Vec<u16>>()))
    }
}

#[test]
fn an_export_is_read_with_its_blanks_quotes_and_continued_lines() {
    let text = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_X\\Svc]\r\n\"ImagePath\"=\"\\\"C:\\\\监控 a\\\\x.exe\\\" -c\"\r\n\
                \"Expand\"=hex(2):43,00,\\\r\n  3a,00,00,00\r\n\"Start\"=dword:00000002\r\n\r\n[HKEY_X\\Svc\\Sub]\r\n@=\"a=b\"\r\n";
    let tree = Tree::parse(text, "HKEY_X\\Svc");
    assert_eq!(tree.text("ImagePath").as_deref(), Some("\"C:\\监控 a\\x.exe\" -c"));
    assert_eq!(tree.text("Expand").as_deref(), Some("C:"));
    assert_eq!(tree.text("Start").as_deref(), Some("dword:00000002"));
    assert_eq!(tree.0["\\Sub"]["@"], "\"a=b\"");
    assert_eq!(tree.text("Nothing"), None);
}
