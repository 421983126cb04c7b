//! What an installer of counters writes to the registry, as a file that `reg import` reads.
//!
//! Source: Microsoft's pages on `Services\NAME\Performance` and on name tables, and the format that `reg export` writes.
//! Wine has a fixed table of names for English and takes no other; the table of `CurrentLanguage` is an ordinary key there.

const SERVICES: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services";
const PERFLIB: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Perflib";

/// Values to be written.
#[derive(Default)]
pub struct RegFile {
    text: String,
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

impl RegFile {
    pub fn new() -> RegFile {
        RegFile { text: "Windows Registry Editor Version 5.00\r\n".to_owned() }
    }

    /// Values that follow are of this key, which is named with its root.
    pub fn key(mut self, path: &str) -> RegFile {
        self.text += &format!("\r\n[{path}]\r\n");
        self
    }

    pub fn text(mut self, name: &str, value: &str) -> RegFile {
        self.text += &format!("{}={}\r\n", quoted(name), quoted(value));
        self
    }

    pub fn number(mut self, name: &str, value: u32) -> RegFile {
        self.text += &format!("{}=dword:{value:08x}\r\n", quoted(name));
        self
    }

    /// REG_MULTI_SZ
    pub fn texts<'a>(mut self, name: &str, values: impl Iterator<Item = &'a str>) -> RegFile {
        let bytes = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let all = values.flat_map(bytes).chain([0, 0]);
        let hex: Vec<String> = all.map(|byte| format!("{byte:02x}")).collect();
        // Lines of registry files are short, and some readers insist.
        let lines: Vec<String> = hex.chunks(24).map(|line| line.join(",")).collect();
        self.text += &format!("{}=hex(7):{}\r\n", quoted(name), lines.join(",\\\r\n  "));
        self
    }

    /// A provider: the functions of this DLL, for the indexes from the first to the last.
    pub fn provider(self, service: &str, library: &str, first: u32, last: u32) -> RegFile {
        self.key(&format!(r"{SERVICES}\{service}\Performance"))
            .text("Library", library)
            .text("Open", "OpenFixture")
            .text("Collect", "CollectFixture")
            .text("Close", "CloseFixture")
            .number("First Counter", first)
            .number("Last Counter", last)
            .number("First Help", first + 1)
            .number("Last Help", last + 1)
    }

    /// The table of names in the language of the host, whose first pair tells the largest index of the system's own.
    pub fn names<'a>(self, names: impl Iterator<Item = (u32, &'a str)>) -> RegFile {
        let own = [(1, "1847"), (2, "System"), (4, "Memory")].map(|(index, name)| (index, name.to_owned()));
        let all: Vec<(u32, String)> = own.into_iter().chain(names.map(|(at, name)| (at, name.to_owned()))).collect();
        let last = all.iter().map(|(index, _)| *index).max().unwrap_or(0);
        let pairs: Vec<String> = all.into_iter().flat_map(|(index, name)| [index.to_string(), name]).collect();
        self.key(PERFLIB)
            .number("Last Counter", last)
            .number("Last Help", last + 1)
            .key(&format!(r"{PERFLIB}\CurrentLanguage"))
            .texts("Counter", pairs.iter().map(String::as_str))
    }

    /// The file: UTF-16 with its mark.
    pub fn bytes(&self) -> Vec<u8> {
        std::iter::once(0xFEFF).chain(self.text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }
}

#[test]
fn values_are_written_as_reg_export_has_them() {
    let file = RegFile::new().provider("A$B", r"C:\x\a.dll", 10, 14);
    assert!(file.text.contains("[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\A$B\\Performance]\r\n"));
    assert!(file.text.contains("\"Library\"=\"C:\\\\x\\\\a.dll\"\r\n\"Open\"=\"OpenFixture\"\r\n"));
    assert!(file.text.contains("\"First Counter\"=dword:0000000a\r\n\"Last Counter\"=dword:0000000e\r\n"));
    let file = RegFile::new().key("K").texts("Two", ["a", "é"].into_iter());
    assert!(file.text.ends_with("\r\n[K]\r\n\"Two\"=hex(7):61,00,00,00,e9,00,00,00,00,00\r\n"), "{}", file.text);
    assert_eq!(file.bytes().get(..4), Some(&[0xFF, 0xFE, b'W', 0][..]));
}

#[test]
fn the_table_of_names_begins_with_the_systems_and_tells_the_last() {
    let file = RegFile::new().names([(20, "Web Service")].into_iter());
    assert!(file.text.contains("\"Last Counter\"=dword:00000014\r\n"));
    assert!(
        file.text.contains("\"Counter\"=hex(7):31,00,00,00,31,00,38,00,34,00,37,00,00,00,32,00,00,00"),
        "{}",
        file.text
    );
}
