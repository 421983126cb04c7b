//! Keys and values of the registry of Windows.

const REG_SZ: u32 = 1;
const REG_EXPAND_SZ: u32 = 2;
const REG_DWORD: u32 = 4;

/// A value with its type (REG_*), as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryValue {
    pub kind: u32,
    pub bytes: Vec<u8>,
}

impl RegistryValue {
    /// REG_SZ.
    pub fn text(text: &str) -> RegistryValue {
        RegistryValue { kind: REG_SZ, bytes: units(text) }
    }

    /// REG_EXPAND_SZ: whoever reads it replaces `%names%`.
    pub fn expand(text: &str) -> RegistryValue {
        RegistryValue { kind: REG_EXPAND_SZ, bytes: units(text) }
    }

    /// REG_DWORD.
    pub fn number(number: u32) -> RegistryValue {
        RegistryValue { kind: REG_DWORD, bytes: number.to_le_bytes().to_vec() }
    }

    /// The text of a REG_SZ or REG_EXPAND_SZ, up to its NUL.
    pub fn as_text(&self) -> Option<String> {
        if !matches!(self.kind, REG_SZ | REG_EXPAND_SZ) {
            return None;
        }
        let (units, _) = self.bytes.as_chunks::<2>();
        let units = units.iter().map(|&unit| u16::from_le_bytes(unit)).take_while(|&unit| unit != 0);
        Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

fn units(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A key with all below it, in the order in which the system lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryKey {
    /// The default value has no name.
    pub values: Vec<(String, RegistryValue)>,
    pub keys: Vec<(String, RegistryKey)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_nothing_else_is_one() {
        assert_eq!(RegistryValue::text("a\u{540D}").bytes, [0x61, 0, 0x0D, 0x54, 0, 0]);
        assert_eq!(RegistryValue::expand("%x%").as_text().as_deref(), Some("%x%"));
        assert_eq!(RegistryValue::number(7), RegistryValue { kind: 4, bytes: vec![7, 0, 0, 0] });
        assert_eq!(RegistryValue::number(7).as_text(), None);
        let text = |bytes: &[u8]| RegistryValue { kind: 1, bytes: bytes.to_vec() }.as_text().unwrap();
        assert_eq!([text(&[]), text(&[0x61]), text(&[0x61, 0])], ["", "", "a"]);
        assert_eq!(text(&[0x61, 0, 0, 0, 0x62, 0]), "a");
    }
}
