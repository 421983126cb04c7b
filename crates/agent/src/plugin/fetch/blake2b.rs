//! BLAKE2b with 64 bytes and no key (RFC 7693): minisign signs it in place of a file, and ring has none.

const ROUNDS: usize = 12;
const BLOCK: usize = 128;
const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];
/// Which words of the message a round takes; the last two are the first two again.
const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

type Row = [u64; 4];

pub(super) fn blake2b(message: &[u8]) -> [u8; 64] {
    let [a, b, c, d, e, f, g, h] = IV;
    let mut state = [[a ^ 0x0101_0040, b, c, d], [e, f, g, h]];
    // An empty message has a block too.
    let blocks = message.len().div_ceil(BLOCK).max(1);
    for n in 0..blocks {
        let bytes = message.iter().skip(n * BLOCK).take(BLOCK);
        let mut block = [0; BLOCK];
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let is_last = n + 1 == blocks;
        let count = if is_last { message.len() } else { (n + 1) * BLOCK };
        compress(&mut state, &block, count as u64, is_last);
    }
    let mut hash = [0; 64];
    let bytes = state.iter().flatten().flat_map(|word| word.to_le_bytes());
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    hash
}

fn compress(state: &mut [Row; 2], block: &[u8; BLOCK], count: u64, is_last: bool) {
    let (words, _) = block.as_chunks::<8>();
    let word = |n: &usize| words.get(*n).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let [a, b, c, d, e, f, g, h] = IV;
    let [first, second] = *state;
    let mut rows = [first, second, [a, b, c, d], [e ^ count, f, if is_last { !g } else { g }, h]];
    for sigma in SIGMA.iter().cycle().take(ROUNDS) {
        let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = sigma;
        mix(&mut rows, [s0, s2, s4, s6].map(word), [s1, s3, s5, s7].map(word));
        let [_, b, c, d] = &mut rows;
        b.rotate_left(1);
        c.rotate_left(2);
        d.rotate_left(3);
        mix(&mut rows, [s8, s10, s12, s14].map(word), [s9, s11, s13, s15].map(word));
        let [_, b, c, d] = &mut rows;
        b.rotate_right(1);
        c.rotate_right(2);
        d.rotate_right(3);
    }
    let [a, b, c, d] = rows;
    for (state, (one, other)) in state.iter_mut().flatten().zip(a.iter().chain(&b).zip(c.iter().chain(&d))) {
        *state ^= one ^ other;
    }
}

/// The function G of the RFC, of four columns at once.
fn mix(rows: &mut [Row; 4], x: Row, y: Row) {
    let [a, b, c, d] = rows;
    let columns = a.iter_mut().zip(b).zip(c.iter_mut().zip(d)).zip(x.into_iter().zip(y));
    for (((a, b), (c, d)), (x, y)) in columns {
        *a = a.wrapping_add(*b).wrapping_add(x);
        *d = (*d ^ *a).rotate_right(32);
        *c = c.wrapping_add(*d);
        *b = (*b ^ *c).rotate_right(24);
        *a = a.wrapping_add(*b).wrapping_add(y);
        *d = (*d ^ *a).rotate_right(16);
        *c = c.wrapping_add(*d);
        *b = (*b ^ *c).rotate_right(63);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(message: &[u8]) -> String {
        blake2b(message).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first is RFC 7693's, appendix A; the others are of coreutils' b2sum.
    #[test]
    fn it_is_what_others_make_of_the_same_bytes() {
        for (message, hash) in VECTORS {
            assert_eq!(hex(message), *hash, "{} bytes", message.len());
        }
    }

    const VECTORS: &[(&[u8], &str)] = &[
        (
            b"abc",
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
        ),
        (
            b"",
            "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
        ),
        (
            &[b'a'; 127],
            "94596b9d6199c807c40ae1a935f3633ba5a8dd5655f7f1bd44f5285b1ce8dbb0054771eba409539df85a963296d28788807105153c90fa3ec3d761228e90f8b8",
        ),
        (
            &[b'a'; 128],
            "fc6c71f688f43ea7d60817478808f3cac753e61571865c95adbc2d9122c943a76b92c2cb1047ef3fe7bf6e436ec1d0a99a9e5b216780bf7fed9d7ca91d3a8f3b",
        ),
        (
            &[b'a'; 129],
            "55e6e0eb418149a8af92fd9ddc99254781b2f522a131b4f4d984404b71a00e1167b8124d5dcddd4c6977b299392335d6edd303da6d344d74bbef2d38101b232b",
        ),
        (
            &[b'a'; 1000],
            "d6a69459fe93fc6b9537ed4336e5099e0dcca3e97290a412500ed7a0daffb03d80cf3650a20e0591f748e10c3c534945ee83d5f2c9722f1a68d98b8c01af23fd",
        ),
    ];
}
