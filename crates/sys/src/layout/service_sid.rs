//! The SID that every service has by its name (`NT SERVICE\name`): the SHA-1 of the name in capitals.
//!
//! The system knows it for services that are registered; Wine for none. Source: Microsoft's reference of RtlCreateServiceSid;
//! the SIDs of Windows' own services are its test. SHA-1 is that of RFC 3174. Nothing here is a secret.

/// `S-1-5-80-...` of a service, by its name as the control manager has it. Capitals are those of ASCII: names with others
/// have another SID.
pub(crate) fn service_sid(name: &str) -> String {
    let units = name.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(unit) => u16::from(unit.to_ascii_uppercase()),
        Err(_) => unit,
    });
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let [a, b, c, d, e] = sha1(&bytes).map(u32::swap_bytes);
    format!("S-1-5-80-{a}-{b}-{c}-{d}-{e}")
}

fn sha1(message: &[u8]) -> [u32; 5] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    padded.truncate(padded.len() - 8);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut hash = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0_u32];
    for block in padded.as_chunks::<64>().0 {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for round in 0..80 {
            let (mixed, constant) = match round {
                0..20 => ((b & c) | (!b & d), 0x5A82_7999),
                20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let sum = [mixed, e, words[0], constant].into_iter().fold(a.rotate_left(5), u32::wrapping_add);
            (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
            let next = (words[13] ^ words[8] ^ words[2] ^ words[0]).rotate_left(1);
            words.rotate_left(1);
            words[15] = next;
        }
        for (whole, part) in hash.iter_mut().zip([a, b, c, d, e]) {
            *whole = whole.wrapping_add(part);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::sid::TRUSTED_INSTALLER;

    // As `sc showsid` tells them.
    #[test]
    fn services_of_windows_have_the_sids_that_windows_gives_them() {
        assert_eq!(service_sid("TrustedInstaller"), TRUSTED_INSTALLER);
        assert_eq!(service_sid("trustedinstaller"), TRUSTED_INSTALLER);
    }

    // The vectors of RFC 3174, and lengths around the end of a block.
    #[test]
    fn the_hash_is_sha_1() {
        let hex = |message: &[u8]| sha1(message).map(|word| format!("{word:08x}")).concat();
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(&b"01234567".repeat(80)), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
        for (len, hash) in [
            (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
            (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        ] {
            assert_eq!(hex(&b"a".repeat(len)), hash, "{len}");
        }
    }
}
