//! A row of bits of a fixed size, written at its end and read from its begin. Reading is total: what would lie beyond the
//! end is `None`, whatever the bits are.

/// Bits of a group of [`Bits::put_number`].
const GROUP: u32 = 4;

#[derive(Clone)]
pub(super) struct Bits {
    /// Zero beyond `len`.
    words: Box<[u64]>,
    len: usize,
}

impl Bits {
    pub fn new(words: usize) -> Bits {
        Bits { words: vec![0; words].into(), len: 0 }
    }

    pub fn clear(&mut self) {
        self.words.fill(0);
        self.len = 0;
    }

    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// How many more there is room for.
    pub fn room(&self) -> usize {
        (self.words.len() * 64).saturating_sub(self.len)
    }

    /// The lowest `count` bits of `value`, which has no others. There is [`room`](Bits::room).
    pub fn put(&mut self, value: u64, count: u32) {
        let (word, shift) = (self.len / 64, self.len % 64);
        if let Some(word) = self.words.get_mut(word) {
            *word |= value << shift;
        }
        if shift + count as usize > 64
            && let Some(word) = self.words.get_mut(word + 1)
        {
            *word |= value >> (64 - shift);
        }
        self.len += count as usize;
    }

    /// In as many groups as it needs.
    pub fn put_number(&mut self, mut value: u64) {
        loop {
            let rest = value >> GROUP;
            self.put(value & ((1 << GROUP) - 1) | u64::from(rest != 0) << GROUP, GROUP + 1);
            if rest == 0 {
                return;
            }
            value = rest;
        }
    }

    pub fn read(&self) -> Reader<'_> {
        Reader { words: &self.words, len: self.len, at: 0 }
    }
}

pub(super) struct Reader<'a> {
    words: &'a [u64],
    len: usize,
    at: usize,
}

impl Reader<'_> {
    pub fn take(&mut self, count: u32) -> Option<u64> {
        let end = self.at + count as usize;
        if count == 0 || end > self.len {
            return (count == 0).then_some(0);
        }
        let (word, shift) = (self.at / 64, self.at % 64);
        let mut value = self.words.get(word)? >> shift;
        if shift + count as usize > 64 {
            value |= self.words.get(word + 1)? << (64 - shift);
        }
        self.at = end;
        Some(value & (u64::MAX >> (64 - count)))
    }

    pub fn take_number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        while shift < u64::BITS {
            let group = self.take(GROUP + 1)?;
            value |= (group & ((1 << GROUP) - 1)) << shift;
            if group >> GROUP == 0 {
                return Some(value);
            }
            shift += GROUP;
        }
        None
    }
}

/// Numbers near 0 as small ones.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
