//! What a counter's number means: the formula of every counter type, on one or two readings.
//!
//! Source: the types of winperf.h and Microsoft's page of each ("Using counter types"). Time comes from the clocks of the
//! answers, never from this host's. What cannot be computed is no number: a first reading of what needs two, a step back, a
//! clock that stands, a fraction of nothing.

use super::rows::{Clocks, Raw};
use crate::collect::float;
use crate::model::Kind;

/// Bits of `CounterType`.
const KIND: u32 = 0xC00;
const KIND_COUNTER: u32 = 0x400;
const SUBTYPE: u32 = 0xF_0000;
const SUBTYPE_BASE: u32 = 0x3_0000;

/// Whether a definition is the base of the one before it, and nothing by itself.
pub fn is_base(counter_type: u32) -> bool {
    counter_type & KIND == KIND_COUNTER && counter_type & SUBTYPE == SUBTYPE_BASE
}

/// How a displayed value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formula {
    /// N.
    Number,
    /// N as the bits of a double.
    Double,
    /// N1 - N0.
    Delta,
    /// dN a second.
    PerSecond,
    /// dN over the time that went by on a clock.
    Queue(Clock),
    /// 100 dN over the time that went by.
    Busy(Clock),
    /// 100 less that.
    Idle(Clock),
    /// 100 N / B.
    Fraction,
    /// 100 dN / dB.
    SampleFraction,
    /// dN in ticks, in seconds, over dB.
    AverageTime,
    /// dN / dB.
    Average,
    /// [`Formula::Busy`] of B things together.
    MultiBusy(Clock),
    MultiIdle(Clock),
    /// Seconds since N.
    Elapsed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Ticks,
    Ns100,
    Object,
    /// The base is the clock.
    Base,
}

impl Formula {
    /// `None`: a type without a number (text, nothing, a histogram, a base), or one that nobody documents.
    pub fn of(counter_type: u32) -> Option<Formula> {
        Some(match counter_type {
            0x0001_0000 | 0x0001_0100 | 0x0000_0000 | 0x0000_0100 => Formula::Number,
            0x0001_2000 => Formula::Double,
            0x0040_0400 | 0x0040_0500 => Formula::Delta,
            0x1041_0400 | 0x1041_0500 | 0x0041_0400 => Formula::PerSecond,
            0x0045_0400 | 0x0045_0500 => Formula::Queue(Clock::Ticks),
            0x0055_0500 => Formula::Queue(Clock::Ns100),
            0x0065_0500 => Formula::Queue(Clock::Object),
            0x2041_0500 => Formula::Busy(Clock::Ticks),
            0x2141_0500 => Formula::Idle(Clock::Ticks),
            0x2051_0500 => Formula::Busy(Clock::Ns100),
            0x2151_0500 => Formula::Idle(Clock::Ns100),
            0x2061_0500 => Formula::Busy(Clock::Object),
            0x2047_0500 | 0x2057_0500 | 0x2067_0500 => Formula::Busy(Clock::Base),
            0x2002_0400 | 0x2002_0500 => Formula::Fraction,
            0x20C2_0400 => Formula::SampleFraction,
            0x3002_0400 => Formula::AverageTime,
            0x4002_0500 => Formula::Average,
            0x2241_0500 => Formula::MultiBusy(Clock::Ticks),
            0x2341_0500 => Formula::MultiIdle(Clock::Ticks),
            0x2251_0500 => Formula::MultiBusy(Clock::Ns100),
            0x2351_0500 => Formula::MultiIdle(Clock::Ns100),
            0x3024_0500 => Formula::Elapsed,
            _ => return None,
        })
    }

    /// What it is to Open-Falcon: a running total is sent as it is, everything else as it is displayed.
    pub fn kind(self) -> Kind {
        if self == Formula::PerSecond { Kind::Counter } else { Kind::Gauge }
    }

    /// Whether a base, a time stamp or a multiplier belongs to the value.
    pub fn has_base(self) -> bool {
        matches!(
            self,
            Formula::Fraction
                | Formula::SampleFraction
                | Formula::AverageTime
                | Formula::Average
                | Formula::Busy(Clock::Base)
        ) || self.is_multi()
    }

    /// Whether its value counts the ticks of a clock.
    fn is_of_time(self) -> bool {
        matches!(self, Formula::Queue(_) | Formula::Busy(_) | Formula::Idle(_) | Formula::AverageTime)
            || self.is_multi()
    }

    /// Whether its multiplier lies behind the value itself.
    pub fn is_multi(self) -> bool {
        matches!(self, Formula::MultiBusy(_) | Formula::MultiIdle(_))
    }
}

/// A counter at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub raw: Raw,
    /// Bytes of the value, and of its base.
    pub size: u8,
    pub base_size: u8,
    pub clocks: Clocks,
}

impl Reading {
    /// What was added since; `None` after a step back. 32 bits wrap: less than half of their range is one, where no faster
    /// than things are counted. A restart from 3,000,000,000 looks as one, and is too fast.
    pub fn grown_since(&self, before: &Reading) -> Option<u64> {
        let grown = self.went_on_since(before)?;
        let is_wrap = self.raw.value < before.raw.value;
        let is_slow = || self.seconds_since(before).is_some_and(|seconds| float(grown) <= MOST_PER_S * seconds);
        (!is_wrap || is_slow()).then_some(grown)
    }

    /// The same of a number that is time, of any number of things together.
    fn went_on_since(&self, before: &Reading) -> Option<u64> {
        difference(self.raw.value, before.raw.value, self.size)
    }

    /// Seconds between two readings by the clock of the answers.
    pub fn seconds_since(&self, before: &Reading) -> Option<f64> {
        let ticks = self.clocks.ticks.checked_sub(before.clocks.ticks).filter(|ticks| *ticks > 0)?;
        (self.clocks.ticks_per_s > 0).then(|| float(ticks) / float(self.clocks.ticks_per_s))
    }
}

/// Nothing is counted so often, packets and requests of a large host together.
const MOST_PER_S: f64 = 1e7;

fn difference(now: u64, before: u64, size: u8) -> Option<u64> {
    if size != 4 {
        return now.checked_sub(before);
    }
    let (Ok(now), Ok(before)) = (u32::try_from(now), u32::try_from(before)) else { return None };
    let step = now.wrapping_sub(before);
    (step <= u32::MAX / 2).then_some(step.into())
}

/// The displayed value of a counter, as its type says.
pub fn displayed(formula: Formula, before: Option<&Reading>, now: &Reading) -> Option<f64> {
    let number = float(now.raw.value);
    match formula {
        Formula::Number => return Some(number),
        Formula::Double => return Some(f64::from_bits(now.raw.value)).filter(|value| value.is_finite()),
        Formula::Fraction => {
            let base = now.raw.base.filter(|base| *base > 0)?;
            return Some((100.0 * number / float(base)).min(100.0));
        }
        Formula::Elapsed => return elapsed(now),
        _ => {}
    }
    let before = before?;
    let grown = if formula.is_of_time() { now.went_on_since(before) } else { now.grown_since(before) };
    let grown = float(grown?);
    Some(match formula {
        Formula::Delta => grown,
        Formula::PerSecond => grown / now.seconds_since(before)?,
        Formula::Queue(clock) => grown / time(clock, before, now)?,
        Formula::Busy(clock) => percent(grown / time(clock, before, now)?),
        Formula::Idle(clock) => percent(1.0 - grown / time(clock, before, now)?),
        Formula::SampleFraction => per_base(100.0, grown, before, now)?.min(100.0),
        Formula::Average => per_base(1.0, grown, before, now)?,
        Formula::AverageTime => {
            let per_s = float(Some(now.clocks.ticks_per_s).filter(|per_s| *per_s > 0)?);
            per_base(1.0 / per_s, grown, before, now)?
        }
        Formula::MultiBusy(clock) => 100.0 * multi(clock, grown, before, now)? / multiplier(now)?,
        Formula::MultiIdle(clock) => (100.0 * (multiplier(now)? - multi(clock, grown, before, now)?)).max(0.0),
        Formula::Number | Formula::Double | Formula::Fraction | Formula::Elapsed => return None,
    })
}

fn percent(share: f64) -> f64 {
    (100.0 * share).clamp(0.0, 100.0)
}

/// Where nothing was counted in the time perfmon shows 0.
fn per_base(factor: f64, grown: f64, before: &Reading, now: &Reading) -> Option<f64> {
    match difference(now.raw.base?, before.raw.base?, now.base_size) {
        None => None,
        Some(0) => Some(0.0),
        Some(base) => Some(factor * grown / float(base)),
    }
}

/// What went by on a clock, in its own unit, which is that of the value.
fn time(clock: Clock, before: &Reading, now: &Reading) -> Option<f64> {
    let of = |reading: &Reading| match clock {
        Clock::Ticks => Some(reading.clocks.ticks),
        Clock::Ns100 => Some(reading.clocks.ns100),
        Clock::Object => Some(reading.clocks.object_ticks),
        Clock::Base => reading.raw.base,
    };
    of(now)?.checked_sub(of(before)?).filter(|time| *time > 0).map(float)
}

/// Things that were busy, on average. By its documentation the value of the tick clock is in seconds.
fn multi(clock: Clock, grown: f64, before: &Reading, now: &Reading) -> Option<f64> {
    match clock {
        Clock::Ticks => Some(grown / now.seconds_since(before)?),
        clock => Some(grown / time(clock, before, now)?),
    }
}

fn multiplier(now: &Reading) -> Option<f64> {
    now.raw.base.filter(|base| *base > 0).map(float)
}

/// Longer than this no host has run: the number is no time.
const LONGEST_S: f64 = 10.0 * 366.0 * 86_400.0;

fn elapsed(now: &Reading) -> Option<f64> {
    let Clocks { object_ticks, object_ticks_per_s, .. } = now.clocks;
    if now.raw.value == 0 || object_ticks_per_s == 0 {
        return None;
    }
    let seconds = float(object_ticks.checked_sub(now.raw.value)?) / float(object_ticks_per_s);
    (seconds < LONGEST_S).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: [Clocks; 2] = [
        Clocks { ticks: 1000, ticks_per_s: 100, ns100: 50_000, object_ticks: 7000, object_ticks_per_s: 10 },
        Clocks { ticks: 1400, ticks_per_s: 100, ns100: 90_000, object_ticks: 7200, object_ticks_per_s: 10 },
    ];

    fn reading(n: usize, value: u64, base: Option<u64>, size: u8) -> Reading {
        Reading { raw: Raw { value, base }, size, base_size: size, clocks: CLOCKS[n] }
    }

    /// Of a type whose value grew by 100 from 300, its base from 10 to 30, in 4 s.
    fn shown(counter_type: u32) -> f64 {
        let (before, now) = (reading(0, 300, Some(10), 8), reading(1, 400, Some(30), 8));
        displayed(Formula::of(counter_type).unwrap(), Some(&before), &now).unwrap()
    }

    #[test]
    fn every_type_is_computed_as_it_is_documented() {
        let cases = [
            (0x0001_0000, 400.0),
            (0x0001_0100, 400.0),
            (0x0000_0000, 400.0),
            (0x0000_0100, 400.0),
            (0x0040_0400, 100.0),
            (0x0040_0500, 100.0),
            (0x1041_0400, 25.0),
            (0x1041_0500, 25.0),
            (0x0041_0400, 25.0),
            (0x0045_0400, 0.25),
            (0x0045_0500, 0.25),
            (0x0055_0500, 0.0025),
            (0x0065_0500, 0.5),
            (0x2041_0500, 25.0),
            (0x2141_0500, 75.0),
            (0x2051_0500, 0.25),
            (0x2151_0500, 99.75),
            (0x2061_0500, 50.0),
            (0x2047_0500, 100.0),
            (0x2057_0500, 100.0),
            (0x2067_0500, 100.0),
            (0x2002_0400, 100.0),
            (0x2002_0500, 100.0),
            (0x20C2_0400, 100.0),
            (0x3002_0400, 0.05),
            (0x4002_0500, 5.0),
            (0x2241_0500, 100.0 * 25.0 / 30.0),
            (0x2341_0500, 500.0),
            (0x2251_0500, 100.0 * 0.0025 / 30.0),
            (0x2351_0500, 2999.75),
            (0x3024_0500, 680.0),
        ];
        for (counter_type, expected) in cases {
            let value = shown(counter_type);
            assert!((value - expected).abs() < 1e-9, "{counter_type:#010x}: {value}, not {expected}");
        }
        let double = reading(1, 2.5f64.to_bits(), None, 8);
        assert_eq!(displayed(Formula::of(0x0001_2000).unwrap(), None, &double), Some(2.5));
    }

    #[test]
    fn what_has_no_number_is_none_and_bases_are_known() {
        for counter_type in [0x0B00, 0x4000_0200, 0x8000_0000, 0x4003_0500, 0x4003_0403, 0xFFFF_FFFF] {
            assert_eq!(Formula::of(counter_type), None, "{counter_type:#x}");
        }
        let bases = [0x4003_0500, 0x4003_0503, 0x4003_0401, 0x4003_0402, 0x4003_0403, 0x4203_0500];
        assert!(bases.into_iter().all(is_base));
        assert!(![0x2002_0400, 0x1041_0400, 0x0001_0000, 0x3024_0500, 0x4000_0200, 0x0B00].into_iter().any(is_base));
    }

    #[test]
    fn a_running_total_is_a_counter_and_all_else_a_gauge() {
        for counter_type in [0x1041_0400, 0x1041_0500, 0x0041_0400] {
            assert_eq!(Formula::of(counter_type).map(Formula::kind), Some(Kind::Counter));
        }
        for counter_type in [0x0001_0000, 0x0040_0400, 0x2051_0500, 0x3024_0500] {
            assert_eq!(Formula::of(counter_type).map(Formula::kind), Some(Kind::Gauge));
        }
    }

    #[test]
    fn a_wrap_of_32_bits_goes_on_and_a_step_back_is_no_value() {
        let per_second = |before, now, size| {
            displayed(Formula::PerSecond, Some(&reading(0, before, None, size)), &reading(1, now, None, size))
        };
        assert_eq!(per_second(u64::from(u32::MAX) - 1, 2, 4), Some(1.0));
        assert_eq!(per_second(u64::from(u32::MAX), 2, 8), None);
        assert_eq!(per_second(100, 96, 4), None);
        assert_eq!(per_second(100, 96, 8), None);
    }

    /// A service that had counted to 3,000,000,000 began anew, or a site went out of a sum: more than a thousand million were
    /// said to have come in one interval.
    #[test]
    fn a_restart_above_half_of_32_bits_is_no_wrap() {
        let at = |second: u64, value: u64| {
            let clocks = Clocks { ticks: second * 100, ..CLOCKS[0] };
            Reading { clocks, ..reading(0, value, None, 4) }
        };
        let grown = |before: u64, now: u64, seconds: u64| at(seconds, now).grown_since(&at(0, before));
        assert_eq!((grown(3_000_000_000, 5, 60), grown(3_000_000_000, 600_000_000, 60)), (None, None));
        assert_eq!(grown(4_294_967_000, 599_999_704, 60), Some(600_000_000), "as fast as it may be");
        assert_eq!(grown(4_294_967_000, 599_999_705, 60), None);
        assert_eq!(grown(4_294_967_290, 4, 0), None, "in no time");
        assert_eq!(grown(5, 2_000_000_005, 60), Some(2_000_000_000), "without a step back nothing is to be doubted");
        let rate = displayed(Formula::PerSecond, Some(&at(0, 3_000_000_000)), &at(60, 5));
        assert_eq!(rate, None);
        // The ticks of many things together go on faster than things are counted.
        let queue = displayed(Formula::Queue(Clock::Ticks), Some(&at(0, 3_000_000_000)), &at(60, 5));
        assert_eq!(queue, Some(1_294_967_301.0 / 6000.0));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let now = reading(1, 5, Some(0), 8);
        assert_eq!(displayed(Formula::Fraction, None, &now), None);
        assert_eq!(displayed(Formula::Average, Some(&reading(0, 5, Some(0), 8)), &now), Some(0.0));
        assert_eq!(displayed(Formula::MultiBusy(Clock::Ns100), Some(&reading(0, 5, Some(0), 8)), &now), None);
        let stands = |formula| displayed(formula, Some(&reading(1, 1, Some(0), 8)), &now);
        let clocks = [Formula::PerSecond, Formula::Queue(Clock::Ticks), Formula::Busy(Clock::Base)];
        assert!(clocks.into_iter().all(|formula| stands(formula).is_none()));
        assert_eq!(displayed(Formula::PerSecond, None, &now), None);
        assert_eq!(displayed(Formula::Average, Some(&reading(0, 1, None, 8)), &now), None);
        let frequency = Reading { clocks: Clocks { ticks_per_s: 0, ..CLOCKS[1] }, ..now };
        assert_eq!(displayed(Formula::AverageTime, Some(&reading(0, 1, Some(0), 8)), &frequency), None);
    }

    // PDH answers "negative denominator" for a pool that was never started, and after the clock stepped back.
    #[test]
    fn an_elapsed_time_of_nothing_or_of_the_future_is_no_value() {
        let elapsed = |began| displayed(Formula::Elapsed, None, &reading(1, began, None, 8));
        assert_eq!((elapsed(7000), elapsed(0), elapsed(7300)), (Some(20.0), None, None));
        let long =
            Reading { clocks: Clocks { object_ticks: 200 * 365 * 86_400 * 10, ..CLOCKS[1] }, ..reading(1, 1, None, 8) };
        assert_eq!(displayed(Formula::Elapsed, None, &long), None);
    }
}
