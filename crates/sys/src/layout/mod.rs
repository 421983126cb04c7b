//! What Windows lays out in memory, read without a call: so the readers are tested on every platform.
//!
//! Nothing here trusts what it reads: no offset, count or length leads out of the bytes, no sum overflows, no walk is
//! longer than its bytes, no text has to end or be well formed. Layouts are those of 64-bit Windows; their sources are
//! winternl.h, winioctl.h, winsvc.h, tcpmib.h and the kernel's own headers, each named where it is read.

pub(crate) mod command;
pub(crate) mod disk;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod processor;
pub(crate) mod service;
pub(crate) mod service_sid;
pub(crate) mod sid;
pub(crate) mod socket;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod widened;

/// The `N` bytes at an offset, if all of them are there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}

/// A LARGE_INTEGER that never means anything below 0: such a one is 0.
fn positive_at(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(|field| u64::try_from(i64::from_le_bytes(field)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_whole_or_not_there() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 0x88];
        assert_eq!((u16_at(&bytes, 6), u16_at(&bytes, 7)), (Some(0x8807), None));
        assert_eq!((u32_at(&bytes, 4), u32_at(&bytes, 5)), (Some(0x8807_0605), None));
        assert_eq!((u64_at(&bytes, 0), u64_at(&bytes, 1)), (Some(0x8807_0605_0403_0201), None));
        assert_eq!((positive_at(&bytes, 0), positive_at(&[1, 0, 0, 0, 0, 0, 0, 0], 0)), (Some(0), Some(1)));
        assert_eq!((u16_at(&bytes, 8), u16_at(&bytes, 9), u16_at(&bytes, usize::MAX)), (None, None, None));
    }
}
