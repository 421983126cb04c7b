//! The one rule of time, pure: when a cycle stands, and which stamp its points carry.
//!
//! * Time is cut into buckets of one step; a point's stamp is its bucket's start, so it is a multiple of the step and
//!   never in the future.
//! * A cycle stands at a phase of the step that a hash of the endpoint gives, so that ten thousand agents do not arrive
//!   in one second; the phase keeps [`EDGE_MS`] away from both ends, so that a late cycle does not slip into a neighbour.
//! * No two cycles share a bucket, whatever the clock does: the servers would drop the second.
//! * The first cycle of a process takes the bucket it falls in, if that is free.
//! * After a backward step of the clock no bucket is free until the old time is passed again; when that would take more
//!   than [`MAX_WITHHOLD_MS`], the clock is believed and the mark is lowered.
//!
//! Wall-clock times are milliseconds since the epoch. Intervals and rates never use this clock.

use crate::model::fnv1a;

/// Distance that a phase keeps from a step's edges.
pub const EDGE_MS: i64 = 2_000;

/// Longest time for which points are withheld because the clock stepped back.
pub const MAX_WITHHOLD_MS: i64 = 3_600_000;

/// When the cycles of one step stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    step_ms: i64,
    phase_ms: i64,
    /// Start of the newest bucket that a cycle took.
    newest_ms: Option<i64>,
}

/// What [`Timetable::claim`] decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The bucket's start in Unix seconds; it belongs to the caller now.
    Taken(i64),
    /// A cycle already stood in this bucket or in a later one.
    NotFree,
}

impl Timetable {
    /// `step_s` of 0 is read as 1.
    pub fn new(endpoint: &str, step_s: u32) -> Timetable {
        let step_ms = i64::from(step_s.max(1)) * 1000;
        Timetable { step_ms, phase_ms: phase_ms(endpoint, step_ms), newest_ms: None }
    }

    /// Gives no stamp that another timetable gave, nor an older one, whatever the step of that: it stands in its place.
    #[must_use]
    pub fn after(self, earlier: &Timetable) -> Timetable {
        let newest_ms = earlier.newest_ms.map(|newest| self.bucket(newest));
        Timetable { newest_ms: self.newest_ms.max(newest_ms), ..self }
    }

    /// The mark of another timetable of the same step, with this one's phase.
    #[must_use]
    pub fn instead_of(self, other: &Timetable) -> Timetable {
        Timetable { newest_ms: other.newest_ms, ..self }
    }

    /// No cycle stood yet.
    pub fn is_new(&self) -> bool {
        self.newest_ms.is_none()
    }

    /// Whether the cycle of the bucket that `now_ms` falls in is still to come although its phase is there.
    pub fn is_due(&self, now_ms: i64) -> bool {
        let bucket = self.bucket(now_ms);
        now_ms >= bucket + self.phase_ms && self.is_free(bucket, now_ms)
    }

    /// Milliseconds after a step's start at which the cycle stands.
    pub fn phase_ms(&self) -> i64 {
        self.phase_ms
    }

    /// When the next cycle stands: at or after `now_ms`, at the phase, in a free bucket.
    pub fn next_ms(&self, now_ms: i64) -> i64 {
        let due = self.bucket(now_ms) + self.phase_ms;
        let due = if due < now_ms { due + self.step_ms } else { due };
        match self.mark_ms(now_ms) {
            Some(newest) => due.max(newest + self.step_ms + self.phase_ms),
            None => due,
        }
    }

    /// Takes the bucket that `now_ms` falls in.
    pub fn claim(&mut self, now_ms: i64) -> Claim {
        self.claim_for(now_ms, now_ms)
    }

    /// Takes the bucket that `past_ms` falls in, for a cycle that stood then and is stamped now.
    pub fn claim_for(&mut self, past_ms: i64, now_ms: i64) -> Claim {
        let bucket = self.bucket(past_ms);
        if !self.is_free(bucket, now_ms) {
            return Claim::NotFree;
        }
        self.newest_ms = Some(bucket);
        Claim::Taken(bucket / 1000)
    }

    /// How long after its place (the phase, or earlier in the step for a first cycle) a cycle stands that claimed `at_s` at
    /// `now_ms`.
    pub fn late_ms(&self, at_s: i64, now_ms: i64) -> i64 {
        (now_ms - at_s.saturating_mul(1000) - self.phase_ms).max(0)
    }

    /// Forgets a mark that lies in the future: for points that are not stamped yet, so that nothing is withheld.
    pub fn forget_future(&mut self, now_ms: i64) {
        if self.withheld_ms(now_ms) > 0 {
            self.newest_ms = None;
        }
    }

    /// How long points are withheld because the clock is behind the newest stamp; 0 when it is not.
    pub fn withheld_ms(&self, now_ms: i64) -> i64 {
        self.newest_ms.map_or(0, |newest| (newest - now_ms).max(0))
    }

    fn bucket(&self, now_ms: i64) -> i64 {
        now_ms - now_ms.rem_euclid(self.step_ms)
    }

    fn is_free(&self, bucket: i64, now_ms: i64) -> bool {
        self.mark_ms(now_ms).is_none_or(|newest| bucket > newest)
    }

    /// The newest bucket, if the clock is not believed to be before it. Only a claim lowers it for good: until then the clock
    /// may come back.
    fn mark_ms(&self, now_ms: i64) -> Option<i64> {
        self.newest_ms.filter(|_| self.withheld_ms(now_ms) <= MAX_WITHHOLD_MS)
    }
}

fn phase_ms(endpoint: &str, step_ms: i64) -> i64 {
    let room = step_ms - 2 * EDGE_MS;
    if room <= 0 {
        return step_ms / 2;
    }
    let hash = fnv1a(endpoint.bytes());
    // The low bits of FNV follow the last characters of names like web001..web999 too closely.
    let spread = hash ^ (hash >> 32);
    EDGE_MS + (spread % room.unsigned_abs()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_first_cycle_takes_the_bucket_it_falls_in_and_the_second_stands_at_the_phase() {
        let mut table = Timetable::new("host", 60);
        let start = 1_700_000_000_000; // 20 s into a minute
        assert_eq!(table.claim(start), Claim::Taken(1_699_999_980));
        let next = table.next_ms(start);
        assert_eq!(next, 1_700_000_040_000 + table.phase_ms());
        assert_eq!(table.claim(next), Claim::Taken(1_700_000_040));
    }

    /// A reload would send a minute's points twice.
    #[test]
    fn a_timetable_in_the_place_of_another_takes_none_of_its_buckets() {
        let mut first = Timetable::new("host", 60);
        assert_eq!(first.claim(MINUTE), Claim::Taken(60));
        let mut second = Timetable::new("other", 60).after(&first);
        assert_eq!(second.claim(2 * MINUTE - 1), Claim::NotFree);
        assert_eq!(second.claim(2 * MINUTE), Claim::Taken(120));
    }

    /// With half the step, a minute's first stamp was given a second time.
    #[test]
    fn a_timetable_of_another_step_gives_no_stamp_again_either() {
        for (before, step) in [(60, 30), (30, 60), (60, 3600), (3600, 1), (7, 5), (5, 7), (60, 60)] {
            let mut first = Timetable::new("host", before);
            let Claim::Taken(given) = first.claim(1_700_000_000_000) else { panic!("the first bucket is free") };
            let mut second = Timetable::new("host", step).after(&first);
            let mut now = 1_700_000_000_000;
            let next = loop {
                match second.claim(now) {
                    Claim::Taken(next) => break next,
                    Claim::NotFree => now += 1000,
                }
            };
            assert!(
                next > given && next - given <= i64::from(step.max(before)),
                "{before}, {step}: {next} after {given}"
            );
        }
    }

    #[test]
    fn a_cycle_is_due_from_its_phase_on_until_it_stood() {
        let mut table = Timetable::new("host", 60);
        let phase = MINUTE + table.phase_ms();
        assert_eq!(
            [phase - 1, phase, 2 * MINUTE - 1, 2 * MINUTE].map(|now| table.is_due(now)),
            [false, true, true, false]
        );
        assert_eq!(table.claim(phase), Claim::Taken(60));
        assert!(!table.is_due(phase) && !table.is_due(2 * MINUTE - 1));
        assert!(table.is_due(MINUTE + phase));
    }

    #[test]
    fn a_second_cycle_in_one_bucket_is_refused() {
        let mut table = Timetable::new("host", 60);
        assert_eq!(table.claim(MINUTE), Claim::Taken(60));
        assert_eq!(table.claim(2 * MINUTE - 1), Claim::NotFree);
        assert_eq!(table.claim(2 * MINUTE), Claim::Taken(120));
    }

    #[test]
    fn an_hour_back_is_waited_out_and_more_is_believed() {
        let mut table = Timetable::new("host", 60);
        let noon = 1_700_000_040_000;
        assert_eq!(table.claim(noon), Claim::Taken(1_700_000_040));
        let hour_back = noon - MAX_WITHHOLD_MS;
        assert_eq!(table.claim(hour_back), Claim::NotFree);
        assert_eq!(table.withheld_ms(hour_back), MAX_WITHHOLD_MS);
        assert_eq!(table.next_ms(hour_back), noon + MINUTE + table.phase_ms());
        let ten_years_back = noon - 10 * 365 * 24 * MAX_WITHHOLD_MS;
        let next = table.next_ms(ten_years_back);
        assert!(next - ten_years_back < MINUTE, "waited {} ms", next - ten_years_back);
        assert!(matches!(table.claim(next), Claim::Taken(_)));
    }

    #[test]
    fn ten_thousand_agents_spread_over_the_step() {
        let mut per_second = [0; 60];
        for n in 0..10_000 {
            let second = Timetable::new(&format!("web{n:05}.example"), 60).phase_ms() / 1000;
            per_second[usize::try_from(second).unwrap()] += 1;
        }
        assert_eq!(per_second[..2], [0, 0]);
        assert_eq!(per_second[58..], [0, 0]);
        let (least, most) = (per_second[2..58].iter().min().unwrap(), per_second[2..58].iter().max().unwrap());
        assert!(*least > 110 && *most < 260, "10000/56 = 179 expected, seen {least} to {most}");
    }

    /// A clock that was set more than an hour back and forward again before the next cycle got a stamp a second time.
    #[test]
    fn only_a_claim_lowers_the_mark() {
        let mut table = Timetable::new("host", 60);
        assert_eq!(table.claim(1_700_000_040_000), Claim::Taken(1_700_000_040));
        table.next_ms(1_700_000_040_000 - MAX_WITHHOLD_MS - 1);
        assert_eq!(table.claim(1_700_000_040_000), Claim::NotFree);
    }

    proptest! {
        #[test]
        fn a_phase_keeps_off_the_edges(endpoint in ".*", step in 1u32..=86_400) {
            let table = Timetable::new(&endpoint, step);
            let step_ms = i64::from(step) * 1000;
            if step >= 5 {
                prop_assert!((EDGE_MS..step_ms - EDGE_MS).contains(&table.phase_ms()));
            } else {
                prop_assert_eq!(table.phase_ms(), step_ms / 2);
            }
        }

        /// Whatever the clock does between two looks (within the hour that is waited out), stamps grow strictly, are
        /// multiples of the step, and never lie in the future.
        #[test]
        fn stamps_grow_strictly_whatever_the_clock_does(
            step in 1u32..=3600,
            start in 0i64..4_000_000_000_000,
            moves in prop::collection::vec((0i64..7_200_000, any::<bool>()), 1..60),
        ) {
            let mut table = Timetable::new("host", step);
            let (mut now, mut high, mut last) = (start, start, None);
            for (by, back) in moves {
                now = if back { (now - by).max(high - MAX_WITHHOLD_MS) } else { now + by };
                high = high.max(now);
                if let Claim::Taken(at) = table.claim(now) {
                    prop_assert_eq!(at % i64::from(step), 0);
                    prop_assert!(at * 1000 <= now);
                    prop_assert!(last.is_none_or(|last| at > last), "{at} after {last:?}");
                    last = Some(at);
                }
            }
        }

        /// Waiting for `next_ms` and then claiming always succeeds, one bucket after the other.
        #[test]
        fn the_next_cycle_always_finds_its_bucket_free(step in 1u32..=3600, start in 0i64..4_000_000_000_000, late in 0i64..1000) {
            let mut table = Timetable::new("host", step);
            let Claim::Taken(mut last) = table.claim(start) else { panic!("the first bucket is free") };
            let mut now = start;
            for _ in 0..20 {
                now = table.next_ms(now);
                if step >= 5 { now += late; }
                let Claim::Taken(at) = table.claim(now) else { panic!("not free at {now}") };
                prop_assert_eq!(at, last + i64::from(step));
                last = at;
            }
        }
    }
}
