//! 32-bit counters as counters that do not wrap.

/// One 32-bit counter in 64 bits. It begins with what it shows first.
///
/// A difference of half the range or more is a step back, not a wrap: the counter began anew (a protocol that was
/// reset). What it lost is not counted, and the sum goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wide {
    last: Option<u32>,
    sum: u64,
}

impl Wide {
    /// The count since boot, after `now` is read; a wrap between two calls is seen if it was one.
    pub(crate) fn add(&mut self, now: u32) -> u64 {
        self.sum = self.sum.saturating_add(self.step(now));
        self.last = Some(now);
        self.sum
    }

    fn step(&self, now: u32) -> u64 {
        let Some(last) = self.last else { return now.into() };
        let step = now.wrapping_sub(last);
        if step > u32::MAX / 2 { 0 } else { step.into() }
    }
}

/// The sum of a counter that every processor has for itself, told apart by processor group and place.
///
/// A processor that is new begins with what it shows; none is ever taken out, as none leaves a running Windows.
#[derive(Debug, Default)]
pub(crate) struct Widened {
    groups: Vec<Vec<Wide>>,
    sum: u64,
}

impl Widened {
    /// Takes in what the counters of one group show now.
    pub(crate) fn add(&mut self, group: u16, now: impl Iterator<Item = u32>) {
        let group = usize::from(group);
        if self.groups.len() <= group {
            self.groups.resize(group + 1, Vec::new());
        }
        let Some(counters) = self.groups.get_mut(group) else { return };
        for (place, now) in now.enumerate() {
            if counters.len() <= place {
                counters.push(Wide::default());
            }
            if let Some(counter) = counters.get_mut(place) {
                let before = counter.sum;
                self.sum = self.sum.saturating_add(counter.add(now).saturating_sub(before));
            }
        }
    }

    /// The sum since boot, which never steps back.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_goes_on_and_a_step_back_adds_nothing() {
        let mut count = Wide::default();
        assert_eq!(count.add(u32::MAX - 1), u64::from(u32::MAX) - 1);
        assert_eq!(count.add(3), u64::from(u32::MAX) + 4);
        // 2^32 - 3: would have been a spike of four thousand million.
        assert_eq!(count.add(0), u64::from(u32::MAX) + 4);
        assert_eq!(count.add(10), u64::from(u32::MAX) + 14);
        // The largest step that counts, and the first that does not.
        let half = u64::from(u32::MAX / 2);
        let mut count = Wide::default();
        assert_eq!((count.add(0), count.add(u32::MAX / 2), count.add(u32::MAX)), (0, half, half));
    }

    // 32 bits of interrupts wrap in a day on a busy processor; the sum of all would have stepped back by 2^32.
    #[test]
    fn a_wrap_of_one_processor_is_no_step_back() {
        let mut interrupts = Widened::default();
        interrupts.add(0, [u32::MAX, 10].into_iter());
        interrupts.add(1, [5].into_iter());
        assert_eq!(interrupts.sum(), u64::from(u32::MAX) + 15);
        interrupts.add(0, [4, 11].into_iter());
        interrupts.add(1, [5].into_iter());
        assert_eq!(interrupts.sum(), u64::from(u32::MAX) + 15 + 5 + 1);
    }

    #[test]
    fn a_processor_more_counts_from_its_boot_and_one_less_changes_nothing() {
        let mut interrupts = Widened::default();
        interrupts.add(0, [10].into_iter());
        interrupts.add(0, [10, 3].into_iter());
        interrupts.add(2, [4].into_iter());
        assert_eq!(interrupts.sum(), 17);
        interrupts.add(0, [].into_iter());
        interrupts.add(0, [12].into_iter());
        assert_eq!(interrupts.sum(), 19);
    }
}
