//! One process: its parent (PROCESS_BASIC_INFORMATION), and its command line as the kernel tells it or as it lies in the
//! process (PEB, RTL_USER_PROCESS_PARAMETERS; winternl.h, whose reserved fields have the names of the kernel's headers).

use super::text::decode_into;
use super::{field, u16_at, u64_at};

/// PROCESS_BASIC_INFORMATION.
pub(crate) const BASIC_BYTES: usize = 48;

/// A UNICODE_STRING: its length in bytes and the address of its units.
pub(crate) const STRING_BYTES: usize = 16;

/// Where the parent's pid lies in a PROCESS_BASIC_INFORMATION.
pub(crate) fn parent(basic: &[u8]) -> Option<u32> {
    u64_at(basic, 40).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0)
}

/// Where the process has the address of its parameters, 8 bytes.
pub(crate) fn parameters_at(basic: &[u8]) -> Option<u64> {
    inside(u64_at(basic, 8)?, 32)
}

/// Where its parameters have the command line, a UNICODE_STRING.
pub(crate) fn command_line_at(parameters: &[u8]) -> Option<u64> {
    inside(u64_at(parameters, 0)?, 112)
}

/// The length of a text in bytes, and its address.
pub(crate) fn string(bytes: &[u8]) -> Option<(usize, u64)> {
    Some((usize::from(u16_at(bytes, 0)?), inside(u64_at(bytes, 8)?, 0)?))
}

/// A process that is being made has no parameters yet.
fn inside(address: u64, offset: u64) -> Option<u64> {
    address.checked_add(offset).filter(|_| address != 0)
}

/// The text of an answer that begins with its UNICODE_STRING, and which Windows wrote to `address`.
pub(crate) fn answered(bytes: &[u8], address: u64) -> Option<String> {
    let header: [u8; STRING_BYTES] = field(bytes, 0)?;
    let len = usize::from(u16_at(&header, 0)?);
    if len == 0 {
        return Some(String::new());
    }
    let at = usize::try_from(u64_at(&header, 8)?.checked_sub(address)?).ok()?;
    Some(text(bytes.get(at..at.checked_add(len)?)?))
}

/// Units without an end of their own.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut into = String::new();
    let units = bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
    decode_into(units.take_while(|unit| *unit != 0), &mut into);
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: u64 = 0x7FF0_0000_1000;

    fn answer(text: &str, at: u64) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = units.len() as u16;
        let header = [len.to_le_bytes(), (len + 2).to_le_bytes(), [0; 2], [0; 2]].concat();
        [header, at.to_le_bytes().to_vec(), units, vec![0; 2]].concat()
    }

    #[test]
    fn a_command_line_is_told_as_it_is() {
        let text = "\"C:\\a b\\x.exe\" -ap \"\u{6C60} \u{1F40B}\"";
        let whole = answer(text, ADDRESS + 16);
        assert_eq!(answered(&whole, ADDRESS).as_deref(), Some(text));
        for cut in 0..whole.len() - 2 {
            assert_eq!(answered(&whole[..cut], ADDRESS), None, "{cut}");
        }
        assert_eq!(answered(&answer("", 0), ADDRESS).as_deref(), Some(""));
    }

    #[test]
    fn a_text_outside_the_answer_is_none() {
        for at in [0, ADDRESS - 1, ADDRESS + 20, ADDRESS + 500, u64::MAX] {
            assert_eq!(answered(&answer("x.exe", at), ADDRESS), None, "{at:#x}");
        }
        // Half a unit, and what is no text at all.
        assert_eq!(text(&[0x61, 0, 0x62]), "a");
        assert_eq!(text(&[0x61, 0, 0x00, 0xD8, 0, 0, 0x62, 0]), "a\u{FFFD}");
    }

    #[test]
    fn addresses_are_followed_as_far_as_they_are_some() {
        let mut basic = [0; BASIC_BYTES];
        basic[8..16].copy_from_slice(&ADDRESS.to_le_bytes());
        basic[40..48].copy_from_slice(&4711_u64.to_le_bytes());
        assert_eq!((parent(&basic), parameters_at(&basic)), (Some(4711), Some(ADDRESS + 32)));
        assert_eq!((parent(&basic[..47]), parent(&[0; BASIC_BYTES]), parent(&[0xFF; BASIC_BYTES])), (None, None, None));
        assert_eq!((parameters_at(&[0; BASIC_BYTES]), parameters_at(&[0xFF; BASIC_BYTES])), (None, None));
        assert_eq!(command_line_at(&ADDRESS.to_le_bytes()), Some(ADDRESS + 112));
        assert_eq!((command_line_at(&[0; 8]), command_line_at(&[1; 7])), (None, None));
        assert_eq!(string(&answer("abc", ADDRESS)), Some((6, ADDRESS)));
        assert_eq!((string(&[1; 15]), string(&[0; 16])), (None, None));
    }
}
