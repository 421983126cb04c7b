//! Stamps over a judged clock, in virtual time: what a lane does, without its threads.

use super::*;
use crate::clock::judge::{AGREES_MS, Judge, LONG_LOOK_MS};
use crate::model::sample;
use crate::tick::MAX_WITHHOLD_MS;
use proptest::prelude::*;

const STEP_MS: i64 = 60_000;
const LOOK_MS: i64 = 10_000;
const TRUE: i64 = 1_700_000_000_000;

fn now(at_ms: i64, in_doubt: bool) -> Now {
    Now { at_ms, boot_ms: at_ms - TRUE, in_doubt }
}

fn stamps() -> Stamps {
    Stamps::new(Timetable::new("h", 60))
}

fn points(n: usize, at: i64) -> Vec<Sample> {
    (0..n).map(|n| sample(&n.to_string(), "", 1.0, at)).collect()
}

/// A cycle at its phase, in doubt.
fn hold(stamps: &mut Stamps, at_ms: i64, n: usize, stats: &Stats) {
    let now = now(at_ms, true);
    stamps.settle(now, stats, &mut |_| panic!("let go"));
    let Some(Place::Held(at)) = stamps.claim(now) else { panic!("not held") };
    stamps.keep(at, now, points(n, at), stats);
}

/// A cycle that stood three seconds late would have come into the bucket of the next, once the clock had moved.
#[test]
fn held_cycles_keep_their_distance_by_any_clock() {
    for moved_ms in (0..2 * STEP_MS).step_by(500) {
        let (mut stamps, stats) = (stamps(), Stats::default());
        let phase_ms = stamps.timetable().phase_ms();
        for n in 1..=5 {
            let late_ms = if n == 2 { 3000 } else { 0 };
            hold(&mut stamps, 1_699_999_980_000 + n * STEP_MS + phase_ms + late_ms, 1, &stats);
        }
        let mut sent = Vec::new();
        let end = now(1_699_999_980_000 + 6 * STEP_MS, false);
        let moved = Now { at_ms: end.at_ms + moved_ms, ..end };
        stamps.settle(moved, &stats, &mut |samples| sent.push(samples[0].at));
        assert_eq!(sent.len(), 5, "{moved_ms}: {sent:?}");
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] == 60), "{moved_ms}: {sent:?}");
        assert_eq!(stats.lost_in_all(), 0);
    }
}

/// A zero that was held back was sent with the stamp of the change after it.
#[test]
fn what_is_of_the_cycle_before_stays_a_step_behind() {
    let (mut stamps, stats) = (stamps(), Stats::default());
    let held = now(TRUE, true);
    stamps.settle(held, &stats, &mut |_| panic!("let go"));
    let Some(Place::Held(at)) = stamps.claim(held) else { panic!("not held") };
    stamps.keep(at, held, [points(1, at - 60), points(1, at)].concat(), &stats);
    let mut sent = Vec::new();
    let told = Now { at_ms: TRUE + 10 * STEP_MS, ..now(TRUE, false) };
    stamps.settle(told, &stats, &mut |samples| sent.extend(samples.iter().map(|sample| sample.at)));
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1] - sent[0], 60);
    assert_ne!(sent[1], at);
}

#[test]
fn of_too_many_points_the_oldest_cycles_are_lost_and_counted() {
    let (mut stamps, stats) = (stamps(), Stats::default());
    for n in 0..5 {
        hold(&mut stamps, TRUE + n * STEP_MS, MOST / 3, &stats);
    }
    assert_eq!(stats.lost(Lost::Clock), 2 * (MOST as u64 / 3));
    hold(&mut stamps, TRUE + 5 * STEP_MS, MOST + 1, &stats);
    assert_eq!(stats.lost(Lost::Clock), 5 * (MOST as u64 / 3), "one that is too large alone is kept");
    let mut sent = Vec::new();
    stamps.let_go(now(TRUE + 5 * STEP_MS, true), &stats, &mut |mut samples| sent.append(&mut samples));
    assert_eq!(sent.len(), MOST + 1);
}

#[test]
fn what_has_no_bucket_any_more_is_counted() {
    let (mut stamps, stats) = (stamps(), Stats::default());
    let before = now(TRUE, false);
    stamps.settle(before, &stats, &mut |_| panic!("nothing is held"));
    assert!(matches!(stamps.claim(before), Some(Place::Stamped(_))));
    hold(&mut stamps, TRUE + STEP_MS, 7, &stats);
    // Set back, by less than is believed.
    let back = Now { at_ms: TRUE - 600_000, ..now(TRUE + STEP_MS, false) };
    stamps.settle(back, &stats, &mut |_| panic!("in the past of what was sent"));
    assert_eq!(stats.lost(Lost::Clock), 7);
}

/// Held cycles lie in the past: fifty-five minutes back looked from there like more than the hour that is waited out, and
/// points were sent that the servers drop.
#[test]
fn what_is_waited_out_is_measured_from_now() {
    let (mut stamps, stats) = (stamps(), Stats::default());
    let before = now(TRUE, false);
    stamps.settle(before, &stats, &mut |_| panic!("nothing is held"));
    assert!(matches!(stamps.claim(before), Some(Place::Stamped(_))));
    hold(&mut stamps, TRUE + STEP_MS, 1, &stats);
    let back = Now { at_ms: TRUE - 55 * STEP_MS, ..now(TRUE + 10 * STEP_MS, false) };
    stamps.settle(back, &stats, &mut |_| panic!("in the past of what was sent"));
    assert_eq!(stats.lost(Lost::Clock), 1);
}

/// A host, its judge, and a lane of one point a cycle.
struct Model {
    judge: Judge,
    boot: i64,
    /// How far the wall clock is off.
    off: i64,
    stamps: Stamps,
    stats: Stats,
    sent: Vec<Sent>,
    cycles: u64,
}

/// One point, its stamp, the agent's clock when it went, and the time since boot.
struct Sent {
    at: i64,
    now: Now,
}

impl Model {
    fn new() -> Model {
        let (judge, stamps, stats) = (Judge::default(), stamps(), Stats::default());
        Model { judge, boot: 86_400_000, off: 0, stamps, stats, sent: Vec::new(), cycles: 0 }
    }

    fn look(&mut self) -> Now {
        self.judge.look(TRUE + self.boot + self.off, self.boot);
        let now = Now { at_ms: self.judge.at(self.boot), boot_ms: self.boot, in_doubt: self.judge.in_doubt() };
        let sent = &mut self.sent;
        self.stamps.settle(now, &self.stats, &mut |samples| {
            sent.extend(samples.iter().map(|sample| Sent { at: sample.at, now }));
        });
        now
    }

    /// The loop of a lane.
    fn run(&mut self, ms: i64) {
        let end = self.boot + ms;
        loop {
            let now = self.look();
            let due = self.stamps.timetable().next_ms(now.at_ms) - now.at_ms;
            if self.boot + due.min(LOOK_MS) > end {
                self.boot = end;
                return;
            }
            self.boot += due.min(LOOK_MS);
            if due <= LOOK_MS {
                self.cycle();
            }
        }
    }

    fn cycle(&mut self) {
        let now = self.look();
        match self.stamps.claim(now) {
            Some(Place::Stamped(at)) => self.sent.push(Sent { at, now }),
            Some(Place::Held(at)) => self.stamps.keep(at, now, points(1, at), &self.stats),
            None => return,
        }
        self.cycles += 1;
    }

    fn hbs(&mut self, off: i64) {
        self.look();
        self.judge.server_said(TRUE + self.boot + off, self.boot);
    }
}

#[derive(Clone, Debug)]
enum Event {
    Run(i64),
    /// No process runs, both clocks go on.
    Suspend(i64),
    /// The guest stands still: its own clocks too.
    Pause(i64),
    Step(i64),
    Hbs(i64),
}

const HOUR: i64 = 3_600_000;
const TEN_YEARS: i64 = 87_648 * HOUR;

fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(HOUR),
        Just(-HOUR),
        Just(TEN_YEARS),
        Just(-TEN_YEARS),
        -10_000i64..10_000,
        -2 * HOUR..2 * HOUR,
        -TEN_YEARS..TEN_YEARS,
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0i64..900_000).prop_map(Event::Run),
        1 => (0i64..86_400_000).prop_map(Event::Suspend),
        1 => (0i64..86_400_000).prop_map(Event::Pause),
        3 => step().prop_map(Event::Step),
        2 => prop_oneof![Just(0), -AGREES_MS..AGREES_MS, step()].prop_map(Event::Hbs),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the clocks and hbs do: stamps grow strictly unless the clock was believed more than an hour back, none is
    /// beyond the agent's clock, no cycle goes uncounted, and the agent is never silent for longer than it says.
    #[test]
    fn nothing_silences_the_agent_and_stamps_grow(events in prop::collection::vec(event(), 1..40)) {
        let mut model = Model::new();
        model.cycle();
        for event in &events {
            match *event {
                Event::Run(ms) => model.run(ms),
                Event::Suspend(ms) => model.boot += ms,
                // hbs's clock and everybody else's went on.
                Event::Pause(ms) => model.off -= ms,
                Event::Step(by) => model.off += by,
                Event::Hbs(off) => model.hbs(off),
            }
        }
        let (before, boot) = (model.sent.len(), model.boot);
        model.run(LONG_LOOK_MS + MAX_WITHHOLD_MS + 3 * STEP_MS);
        let after = model.sent.get(before).map(|sent| sent.now.boot_ms - boot);
        prop_assert!(after.is_some(), "silent");
        for sent in &model.sent {
            prop_assert!(sent.at * 1000 <= sent.now.at_ms, "{} beyond {:?}", sent.at, sent.now);
            prop_assert_eq!(sent.at * 1000 % STEP_MS, 0);
        }
        for pair in model.sent.windows(2) {
            let believed_back = pair[0].at * 1000 - pair[1].now.at_ms > MAX_WITHHOLD_MS;
            prop_assert!(pair[1].at > pair[0].at || believed_back, "{} after {}", pair[1].at, pair[0].at);
        }
        prop_assert_eq!(model.sent.len() as u64 + model.stats.lost_in_all(), model.cycles);
    }
}
