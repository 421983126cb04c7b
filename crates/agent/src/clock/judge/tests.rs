use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const TEN_YEARS: i64 = 3_652 * DAY;
/// The offset of a wall clock that is right.
const TRUE: i64 = 1_700_000_000_000;

/// A judge, a host that has been up for a day, and how far its wall clock is off.
struct Case {
    judge: Judge,
    boot: i64,
    off: i64,
}

impl Case {
    fn new() -> Case {
        let mut case = Case { judge: Judge::default(), boot: DAY, off: 0 };
        assert_eq!(case.look(), None);
        case
    }

    fn look(&mut self) -> Option<Change> {
        self.judge.look(TRUE + self.boot + self.off, self.boot)
    }

    fn step(&mut self, by: i64) -> Option<Change> {
        self.off += by;
        self.look()
    }

    /// Looks every ten seconds, as lanes do, until something changes; answers when that was.
    fn until_change(&mut self) -> (i64, Change) {
        let from = self.boot;
        loop {
            self.boot += 10_000;
            assert!(self.boot - from <= 2 * LONG_LOOK_MS, "nothing changes");
            if let Some(change) = self.look() {
                return (self.boot - from, change);
            }
        }
    }

    /// hbs, whose clock is `off` from the true time.
    fn hbs(&mut self, off: i64) -> Option<Change> {
        self.judge.server_said(TRUE + self.boot + off, self.boot)
    }

    /// How far the agent's clock is from the true time.
    fn agent(&self) -> i64 {
        self.judge.at(self.boot) - TRUE - self.boot
    }
}

#[test]
fn what_a_daemon_slews_is_followed_at_once() {
    let mut case = Case::new();
    for by in [TOLERANCE_MS, -TOLERANCE_MS, 1, -1, TOLERANCE_MS, TOLERANCE_MS] {
        case.boot += 10_000;
        assert_eq!(case.step(by), None);
        assert_eq!((case.agent(), case.judge.in_doubt()), (case.off, false));
    }
}

#[test]
fn a_jump_is_in_doubt_until_it_has_lasted() {
    for (jump, wait_ms) in [
        (TOLERANCE_MS + 1, SECOND_LOOK_MS),
        (HOUR, SECOND_LOOK_MS),
        (HOUR + 1, LONG_LOOK_MS),
        (TEN_YEARS, LONG_LOOK_MS),
    ] {
        let mut case = Case::new();
        assert_eq!(case.step(jump), Some(Change::Doubted { ahead_ms: jump, wait_ms }));
        assert!(case.judge.in_doubt());
        assert_eq!(case.agent(), 0);
        assert_eq!(case.until_change(), (wait_ms, Change::Lasted { by_ms: jump }));
        assert_eq!((case.agent(), case.judge.in_doubt()), (jump, false));
    }
}

#[test]
fn a_jump_that_is_taken_back_has_not_happened() {
    let mut case = Case::new();
    case.step(TEN_YEARS);
    case.boot += SECOND_LOOK_MS;
    assert_eq!(case.look(), None);
    assert_eq!(case.step(-TEN_YEARS), Some(Change::Back));
    assert_eq!((case.agent(), case.judge.in_doubt()), (0, false));
    assert_eq!(case.look(), None);
}

#[test]
fn hbs_ends_doubt_either_way() {
    let mut case = Case::new();
    case.step(HOUR);
    // It is the agent's clock that was wrong.
    assert_eq!(case.hbs(HOUR + AGREES_MS), Some(Change::Confirmed { by_ms: HOUR }));
    assert_eq!((case.agent(), case.judge.in_doubt()), (HOUR, false));
    case.step(TEN_YEARS);
    assert_eq!(case.hbs(HOUR - AGREES_MS), Some(Change::Wrong { ahead_ms: TEN_YEARS }));
    assert_eq!((case.agent(), case.judge.in_doubt()), (HOUR, false));
}

/// hbs agreed with either clock, and a clock that was half a minute wrong was believed.
#[test]
fn of_two_clocks_near_to_hbs_the_nearer_counts() {
    for (off, agent) in [(0, 0), (14_000, 0), (16_000, 30_000), (40_000, 30_000)] {
        let mut case = Case::new();
        case.step(30_000);
        assert!(case.hbs(off).is_some());
        assert_eq!((case.agent(), case.hbs(off)), (agent, None), "hbs {off} ms");
    }
}

#[test]
fn a_wrong_clock_is_left_alone_until_it_or_hbs_changes() {
    let mut case = Case::new();
    case.step(HOUR);
    case.hbs(0);
    for _ in 0..1000 {
        case.boot += 10_000;
        assert_eq!((case.look(), case.hbs(0), case.agent()), (None, None, 0), "told once");
    }
    // Further away: judged anew.
    assert_eq!(case.step(HOUR), Some(Change::Doubted { ahead_ms: 2 * HOUR, wait_ms: LONG_LOOK_MS }));
    assert_eq!(case.hbs(0), Some(Change::Wrong { ahead_ms: 2 * HOUR }));
    assert_eq!(case.step(-2 * HOUR), Some(Change::Back));
    case.step(HOUR);
    case.hbs(0);
    // It was hbs that was wrong, and has been set.
    assert_eq!(case.hbs(HOUR), Some(Change::Confirmed { by_ms: HOUR }));
    assert_eq!(case.agent(), HOUR);
}

#[test]
fn an_hbs_that_has_neither_time_decides_nothing() {
    let mut case = Case::new();
    case.step(HOUR);
    assert_eq!(case.hbs(-DAY), None);
    assert_eq!(case.until_change(), (SECOND_LOOK_MS, Change::Lasted { by_ms: HOUR }));
    assert_eq!(case.agent(), HOUR, "and it brings no time of its own");
}

#[test]
fn a_step_back_is_followed_unless_hbs_has_the_time_before_it() {
    for by in [HOUR, TEN_YEARS] {
        let mut case = Case::new();
        assert_eq!(case.step(-by), Some(Change::SteppedBack { by_ms: by, doubted: false }));
        assert_eq!((case.agent(), case.judge.in_doubt()), (-by, false));
        case.boot += 10_000;
        assert_eq!(case.look(), None);
        assert_eq!(case.hbs(0), Some(Change::Wrong { ahead_ms: -by }));
        assert_eq!(case.agent(), 0);
        for _ in 0..10 {
            case.boot += 10_000;
            assert_eq!((case.look(), case.hbs(0), case.agent()), (None, None, 0), "told once");
        }
        assert_eq!(case.step(by), Some(Change::Back));
        case.step(-by);
        assert_eq!(case.hbs(-by), None);
        assert_eq!(case.hbs(0), Some(Change::Apart { ahead_ms: -by }), "it agreed to the step before");
        assert_eq!(case.agent(), -by);
    }
}

#[test]
fn a_clock_set_back_in_doubt_is_followed_back() {
    let mut case = Case::new();
    case.step(TEN_YEARS);
    assert_eq!(case.step(-TEN_YEARS - HOUR), Some(Change::SteppedBack { by_ms: HOUR, doubted: true }));
    assert_eq!((case.agent(), case.judge.in_doubt()), (-HOUR, false));
}

/// Two daemons that set one clock in turn, or a guest that runs twice as fast, must not silence the agent.
#[test]
fn a_clock_that_never_keeps_still_is_believed_after_the_longest_look() {
    let mut case = Case::new();
    case.step(HOUR);
    let from = case.boot;
    while case.judge.in_doubt() {
        case.boot += 10_000;
        case.step(10_000);
        assert!(case.boot - from <= LONG_LOOK_MS);
    }
    assert_eq!(case.boot - from, LONG_LOOK_MS);
}

#[test]
fn a_clock_that_was_never_right_is_told_once_and_kept() {
    let mut case = Case::new();
    assert_eq!(case.hbs(-DAY), Some(Change::Apart { ahead_ms: DAY }));
    assert_eq!((case.hbs(-DAY), case.agent()), (None, 0));
    assert_eq!((case.hbs(-AGREES_MS), case.hbs(0)), (Some(Change::Together), None));
    assert_eq!(case.hbs(DAY), Some(Change::Apart { ahead_ms: -DAY }));
}

#[test]
fn no_time_is_too_far() {
    for wall in [i64::MIN, -1, 0, i64::MAX] {
        for boot in [0, i64::MAX] {
            let mut judge = Judge::default();
            judge.look(TRUE, DAY);
            judge.look(wall, boot);
            judge.server_said(wall, boot);
            judge.look(boot, 0);
            judge.server_said(i64::MAX, 0);
            let _ = judge.at(i64::MAX);
        }
    }
}
