//! What Windows lays out in memory, read without a call: records of processors, and UTF-16 in lists and fields.
//!
//! Nothing here trusts what it reads: no sum overflows, no text has to end or be well formed.

/// One SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION as words: idle, kernel, user, DPC and interrupt time in 100 ns, then the
/// interrupt count in the low half (winternl.h; the names of the reserved fields are those of the kernel's headers).
pub(crate) type ProcessorRecord = [u64; 6];

/// The processors of one group: times summed in 100 ns, interrupts one by one, for each wraps at its own time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Processors {
    pub idle: u64,
    /// Includes idle, interrupt and DPC time.
    pub kernel: u64,
    pub user: u64,
    pub dpc: u64,
    pub interrupt: u64,
    pub interrupts: Vec<u32>,
}

impl Processors {
    /// The sum of all records, in which a negative time is 0.
    pub(crate) fn sum(records: &[ProcessorRecord]) -> Processors {
        let mut sum = Processors::default();
        for &[idle, kernel, user, dpc, interrupt, count] in records {
            for (sum, time) in [
                (&mut sum.idle, idle),
                (&mut sum.kernel, kernel),
                (&mut sum.user, user),
                (&mut sum.dpc, dpc),
                (&mut sum.interrupt, interrupt),
            ] {
                *sum = sum.saturating_add(u64::try_from(time.cast_signed()).unwrap_or(0));
            }
            // The high half is padding.
            sum.interrupts.push(count as u32);
        }
        sum
    }
}

/// A sum of 32-bit counters that never steps back when one of them wraps.
///
/// Counters are told apart by their group and place. A new one begins with what it shows; none is ever taken out, as no
/// processor leaves a running Windows.
#[derive(Debug, Default)]
pub(crate) struct Widened {
    last: Vec<Vec<u32>>,
    sum: u64,
}

impl Widened {
    /// The sum since boot, after `now` is read; a wrap between two calls is seen if it was one.
    pub(crate) fn add(&mut self, now: &[&[u32]]) -> u64 {
        self.last.resize(self.last.len().max(now.len()), Vec::new());
        for (last, now) in self.last.iter_mut().zip(now) {
            last.resize(last.len().max(now.len()), 0);
            for (last, &now) in last.iter_mut().zip(*now) {
                self.sum = self.sum.saturating_add(now.wrapping_sub(*last).into());
                *last = now;
            }
        }
        self.sum
    }
}

/// The strings of a list in which each ends with a NUL and an empty one ends the list.
pub(crate) fn strings(list: &[u16]) -> impl Iterator<Item = &[u16]> {
    list.split(|&unit| unit == 0).take_while(|string| !string.is_empty())
}

/// The text in a field of fixed size: up to the first NUL, or all of it.
pub(crate) fn text(field: &[u16]) -> String {
    String::from_utf16_lossy(field.split(|&unit| unit == 0).next().unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Two records as a 64-bit Windows lays them out; each field's place is visible in its value.
    const TWO: [u8; 96] = {
        let mut bytes = [0; 96];
        let mut record = 0;
        while record < 2 {
            let mut field = 0;
            while field < 6 {
                bytes[record * 48 + field * 8] = (field + 1) as u8;
                bytes[record * 48 + field * 8 + 1] = 1;
                field += 1;
            }
            // Padding behind the count is not always zero.
            bytes[record * 48 + 44] = 0xAA;
            record += 1;
        }
        bytes
    };

    fn records(bytes: &[u8]) -> Vec<ProcessorRecord> {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        bytes.chunks_exact(48).map(|record| std::array::from_fn(|i| word(&record[i * 8..][..8]))).collect()
    }

    #[test]
    fn sums_the_records() {
        let expected = Processors {
            idle: 2 * 257,
            kernel: 2 * 258,
            user: 2 * 259,
            dpc: 2 * 260,
            interrupt: 2 * 261,
            interrupts: vec![262, 262],
        };
        assert_eq!(Processors::sum(&records(&TWO)), expected);
        assert_eq!(Processors::sum(&[]), Processors::default());
    }

    #[test]
    fn absurd_times_neither_count_nor_overflow() {
        let max = i64::MAX as u64;
        let sum = Processors::sum(&[[max, u64::MAX, 5, 0, 0, 0], [max, 7, 5, 0, 0, 0], [max, 0, 0, 0, 0, 0]]);
        assert_eq!((sum.idle, sum.kernel, sum.user), (u64::MAX, 7, 10));
    }

    // 32 bits of interrupts wrap in a day on a busy processor; the sum of all would have stepped back by 2^32.
    #[test]
    fn a_wrap_of_one_processor_is_no_step_back() {
        let mut interrupts = Widened::default();
        assert_eq!(interrupts.add(&[&[u32::MAX, 10], &[5]]), u64::from(u32::MAX) + 15);
        assert_eq!(interrupts.add(&[&[4, 11], &[5]]), u64::from(u32::MAX) + 15 + 5 + 1);
    }

    #[test]
    fn a_processor_more_counts_from_its_boot_and_one_less_changes_nothing() {
        let mut interrupts = Widened::default();
        assert_eq!(interrupts.add(&[&[10]]), 10);
        assert_eq!(interrupts.add(&[&[10, 3], &[4]]), 17);
        assert_eq!(interrupts.add(&[]), 17);
        assert_eq!(interrupts.add(&[&[12], &[4]]), 19);
    }

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
    }
}
