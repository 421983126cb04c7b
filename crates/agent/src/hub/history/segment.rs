//! A part of the log, which can be read without those before it, and dropped without those after it.
//!
//! A point is: 1 bit, 0 where its series is the one after that of the point before, and its stamp the same; else whether the
//! stamp is another and by how much, and whether the series is and which. Then its value: 1 bit, 0 where the series had the
//! same in this part (0 if it had none); else by how much a whole number went up or down, or which bits of the float
//! changed, whichever is shorter. A steady cycle has its series in one order: a constant costs two bits a point.

use super::bits::{Bits, Reader, unzigzag, zigzag};

/// More bits than any point takes: 3 and 80 of the stamp, 45 of the series, 78 of the value.
const POINT: usize = 256;
/// Up to here every whole number is a float of its own.
const EXACT: i64 = 1 << 53;

/// What a series has in the newest part it was written to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Track {
    /// Bits of its value.
    last: u64,
    /// Number of the part; 0: none.
    part: u32,
}

#[derive(Clone)]
pub(super) struct Segment {
    bits: Bits,
    /// Of all the ring ever had, from 1.
    part: u32,
    pub points: u32,
    /// When its first point came in, Unix seconds: stamps of pushes may be older.
    pub began: i64,
    /// Of the point that was written last.
    id: u32,
    at: i64,
}

/// Of a value against the one before.
enum Change {
    Same,
    /// Of a whole number, as [`zigzag`] makes it.
    Step(u64),
    Flipped(u64),
}

impl Segment {
    pub fn new(words: usize, part: u32) -> Segment {
        Segment { bits: Bits::new(words), part, points: 0, began: 0, id: u32::MAX, at: 0 }
    }

    #[cfg(test)]
    pub fn of(bits: Bits) -> Segment {
        Segment { bits, ..Segment::new(0, 1) }
    }

    /// As a new one, in the same memory.
    pub fn restart(&mut self, part: u32) {
        self.bits.clear();
        (self.part, self.points, self.id, self.at) = (part, 0, u32::MAX, 0);
    }

    pub fn words(&self) -> usize {
        self.bits.words()
    }

    pub fn has_room(&self) -> bool {
        self.bits.room() >= POINT && self.points < u32::MAX
    }

    /// There is room.
    pub fn write(&mut self, id: u32, track: &mut Track, value: f64, at: i64) {
        let (next, bits) = (self.id.wrapping_add(1), &mut self.bits);
        if id == next && at == self.at {
            bits.put(0, 1);
        } else {
            bits.put(1, 1);
            bits.put((at != self.at).into(), 1);
            if at != self.at {
                bits.put_number(zigzag(at.wrapping_sub(self.at)));
            }
            bits.put((id != next).into(), 1);
            if id != next {
                bits.put_number(zigzag(i64::from(id) - i64::from(next)));
            }
        }
        let last = if track.part == self.part { track.last } else { 0 };
        Change::of(last, value.to_bits()).write(bits);
        *track = Track { last: value.to_bits(), part: self.part };
        (self.id, self.at) = (id, at);
        self.points += 1;
    }

    /// The points of the series in `wanted`, which is sorted: the place in `wanted`, stamp and value, in the order in which they
    /// came. `values` has a place for each.
    pub fn read(&self, wanted: &[u32], values: &mut [u64], mut each: impl FnMut(usize, i64, f64)) {
        values.fill(0);
        let (mut bits, mut id, mut at, mut place) = (self.bits.read(), u32::MAX, 0_i64, 0);
        let mut next = || {
            id = id.wrapping_add(1);
            let mut jumped = id == 0;
            if bits.take(1)? == 1 {
                if bits.take(1)? == 1 {
                    at = at.wrapping_add(unzigzag(bits.take_number()?));
                }
                if bits.take(1)? == 1 {
                    id = u32::try_from(i64::from(id).wrapping_add(unzigzag(bits.take_number()?))).ok()?;
                    jumped = true;
                }
            }
            let change = Change::read(&mut bits)?;
            if jumped {
                place = wanted.partition_point(|wanted| *wanted < id);
            } else if wanted.get(place).is_some_and(|wanted| *wanted < id) {
                place += 1;
            }
            if wanted.get(place) == Some(&id)
                && let Some(value) = values.get_mut(place)
            {
                *value = change.applied(*value);
                each(place, at, f64::from_bits(*value));
            }
            Some(())
        };
        while next().is_some() {}
    }
}

impl Change {
    fn of(last: u64, value: u64) -> Change {
        let flipped = last ^ value;
        if flipped == 0 {
            return Change::Same;
        }
        if let (Some(before), Some(now)) = (whole(last), whole(value)) {
            let step = zigzag(now - before);
            if u64::BITS - step.leading_zeros() <= 6 + length(flipped) {
                return Change::Step(step);
            }
        }
        Change::Flipped(flipped)
    }

    fn write(self, bits: &mut Bits) {
        match self {
            Change::Same => bits.put(0, 1),
            Change::Step(step) => {
                let length = u64::BITS - step.leading_zeros();
                bits.put(0b01, 2);
                bits.put(length.into(), 6);
                bits.put(step, length);
            }
            Change::Flipped(flipped) => {
                bits.put(0b11, 2);
                bits.put(flipped.leading_zeros().into(), 6);
                bits.put((length(flipped) - 1).into(), 6);
                bits.put(flipped >> flipped.trailing_zeros(), length(flipped));
            }
        }
    }

    fn read(bits: &mut Reader<'_>) -> Option<Change> {
        if bits.take(1)? == 0 {
            return Some(Change::Same);
        }
        let short = |bits: &mut Reader<'_>| bits.take(6).and_then(|number| u32::try_from(number).ok());
        if bits.take(1)? == 0 {
            let length = short(bits)?;
            return bits.take(length).map(Change::Step);
        }
        let leading = short(bits)?;
        let length = short(bits)? + 1;
        let trailing = u64::BITS.checked_sub(leading + length)?;
        bits.take(length).map(|flipped| Change::Flipped(flipped << trailing))
    }

    fn applied(&self, last: u64) -> u64 {
        match self {
            Change::Same => last,
            Change::Step(step) => {
                let before = f64::from_bits(last) as i64;
                (before.wrapping_add(unzigzag(*step)) as f64).to_bits()
            }
            Change::Flipped(flipped) => last ^ flipped,
        }
    }
}

/// From the first bit that is set to the last; not of 0.
fn length(flipped: u64) -> u32 {
    u64::BITS.saturating_sub(flipped.leading_zeros() + flipped.trailing_zeros())
}

/// The whole number that these bits of a float are, if they are one and adding to it is exact; there is none for -0.
fn whole(bits: u64) -> Option<i64> {
    let number = f64::from_bits(bits) as i64;
    ((number as f64).to_bits() == bits && (-EXACT..=EXACT).contains(&number)).then_some(number)
}
