//! A lane while somebody sets the clock, in virtual time: what is sent, with which stamps, and what is lost.

use super::tests::{pick, shared_by};
use super::*;
use crate::clock::judge::{LONG_LOOK_MS, SECOND_LOOK_MS};
use crate::clock::tests::Host;
use crate::stats::{Lost, Stats};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const TEN_YEARS: i64 = 3_652 * 24 * HOUR;

struct Case {
    host: Arc<Host>,
    clock: Arc<AgentClock>,
    lane: LaneTask,
    stats: Arc<Stats>,
    /// Of all points so far.
    sent: Vec<i64>,
}

impl Case {
    /// A lane of a step of a minute, just after its sixth cycle.
    async fn new() -> Case {
        let (host, clock) = Host::new(None);
        let (shared, host, stats) = shared_by(60, (host, clock.clone()));
        let lane = lanes(pick(&["says"]), &shared).remove(0);
        let mut case = Case { host, clock, lane, stats, sent: Vec::new() };
        case.cycle().await;
        while case.sent.len() < 6 {
            case.run(1000).await;
        }
        case
    }

    async fn cycle(&mut self) {
        self.lane.run_once(&mut |samples| self.sent.extend(samples.iter().map(|sample| sample.at))).await;
    }

    /// What [`LaneTask::run`] does. Answers the stamps that were sent meanwhile.
    async fn run(&mut self, ms: i64) -> Vec<i64> {
        let (before, mut left) = (self.sent.len(), ms);
        loop {
            let wait = self.lane.wait(&mut |samples| self.sent.extend(samples.iter().map(|sample| sample.at)));
            let pass = i64::try_from(wait.min(GLANCE).as_millis()).expect("fits");
            self.host.pass(pass.min(left));
            if pass >= left {
                return self.sent[before..].to_vec();
            }
            left -= pass;
            if wait <= GLANCE {
                self.cycle().await;
            }
        }
    }

    fn hbs(&self, at_ms: i64) {
        self.clock.server_said(at_ms / 1000, self.clock.look().boot_ms);
    }

    fn lost(&self) -> u64 {
        self.stats.lost(Lost::Clock)
    }

    /// The newest stamp, against the wall clock.
    fn age_s(&self) -> i64 {
        self.host.wall_ms() / 1000 - self.sent[self.sent.len() - 1]
    }
}

fn each_a_minute_apart(stamps: &[i64]) -> bool {
    stamps.windows(2).all(|pair| pair[1] - pair[0] == 60)
}

#[tokio::test]
async fn an_hour_forward_is_held_for_a_minute_and_sent_with_the_new_time() {
    let mut case = Case::new().await;
    case.host.step(HOUR);
    assert_eq!(case.run(SECOND_LOOK_MS).await, [0; 0], "held");
    let sent = case.run(5 * MINUTE).await;
    assert!(sent.len() >= 5 && each_a_minute_apart(&sent), "{sent:?}");
    assert!(sent[0] > case.sent[5] + 3600 - 60 && case.age_s() < 120, "{:?}", case.sent);
    assert_eq!((case.sent.len(), case.lost()), (12, 0), "a point for each minute");
}

#[tokio::test]
async fn hbs_lets_held_points_go_at_once_with_its_time() {
    let mut case = Case::new().await;
    for (moved, stamp_moved) in [(HOUR, 3600), (TEN_YEARS, 0), (-TEN_YEARS, 0)] {
        let (newest, right) = (case.sent[case.sent.len() - 1], case.host.wall_ms() + 1000 * stamp_moved);
        case.host.step(moved);
        assert_eq!(case.run(10_000).await.len(), 0, "less than a step");
        case.hbs(right + 10_000);
        let sent = case.run(3 * MINUTE).await;
        assert!(sent.len() >= 3 && each_a_minute_apart(&sent), "{sent:?}");
        assert!((newest + stamp_moved..=newest + stamp_moved + 120).contains(&sent[0]), "{newest} {sent:?}");
        if moved == TEN_YEARS {
            assert!(case.age_s() > TEN_YEARS / 1000 - 120, "hbs has the time before");
        }
    }
    assert_eq!(case.lost(), 0);
}

/// A forward excursion used to freeze every series at the servers until the time it showed had come.
#[tokio::test]
async fn ten_years_forward_and_back_in_time_leave_no_mark() {
    let mut case = Case::new().await;
    case.host.step(TEN_YEARS);
    assert_eq!(case.run(LONG_LOOK_MS - MINUTE).await, [0; 0], "held");
    case.host.step(-TEN_YEARS);
    case.run(5 * MINUTE).await;
    assert!(each_a_minute_apart(&case.sent), "{:?}", case.sent);
    assert_eq!((case.sent.len(), case.lost()), (20, 0), "a point for each minute");
    assert!(case.age_s() < 120);
}

#[tokio::test]
async fn ten_years_forward_and_back_too_late_do_not_silence_the_agent() {
    let mut case = Case::new().await;
    case.host.step(TEN_YEARS);
    case.run(LONG_LOOK_MS + 2 * MINUTE).await;
    assert!(case.age_s() < 120, "believed");
    let future = case.sent.len();
    case.host.step(-TEN_YEARS);
    case.run(5 * MINUTE).await;
    let sent = &case.sent[future..];
    assert!(sent.len() >= 5 && each_a_minute_apart(sent) && case.age_s() < 120, "{sent:?}");
    assert_eq!(case.lost(), 0);
}

#[tokio::test]
async fn an_hour_back_is_waited_out_and_forward_again_goes_on() {
    let mut case = Case::new().await;
    case.host.step(-HOUR);
    assert_eq!(case.run(HOUR - MINUTE).await, [0; 0], "these stamps were sent before");
    assert!(case.run(3 * MINUTE).await.len() >= 2);
    assert!(each_a_minute_apart(&case.sent), "{:?}", case.sent);

    let mut case = Case::new().await;
    case.host.step(-HOUR);
    assert_eq!(case.run(5 * MINUTE).await, [0; 0]);
    case.host.step(HOUR);
    let sent = case.run(6 * MINUTE).await;
    assert!(each_a_minute_apart(&sent) && sent.len() >= 5, "also what was measured in doubt: {sent:?}");
    assert!(case.age_s() < 120);
    assert_eq!(case.lost(), 0);
}

/// The agent was silent for the hour, although hbs could tell that it was somebody's slip.
#[tokio::test]
async fn an_hour_back_that_hbs_knows_to_be_wrong_costs_nothing() {
    let mut case = Case::new().await;
    let right = case.host.wall_ms();
    case.host.step(-HOUR);
    case.clock.look();
    case.hbs(right);
    case.run(10 * MINUTE).await;
    case.host.step(HOUR);
    case.run(5 * MINUTE).await;
    assert!(each_a_minute_apart(&case.sent), "{:?}", case.sent);
    assert_eq!((case.sent.len(), case.lost()), (21, 0));
}

#[tokio::test]
async fn ten_minutes_of_suspend_are_no_step() {
    let mut case = Case::new().await;
    case.run(7_000).await;
    case.host.pass(10 * MINUTE);
    let sent = case.run(3 * MINUTE).await;
    assert!(!case.clock.look().in_doubt);
    assert!((3..=4).contains(&sent.len()) && each_a_minute_apart(&sent), "{sent:?}");
    assert!((600..=720).contains(&(sent[0] - case.sent[5])), "{:?}", case.sent);
    assert_eq!(case.lost(), 0);
}

/// A guest that stood still for a while finds its wall clock set forward, and hbs's time proves it.
#[tokio::test]
async fn a_guest_that_was_paused_goes_on_with_the_hosts_time() {
    for answers in [false, true] {
        let mut case = Case::new().await;
        case.host.step(20 * MINUTE);
        case.clock.look();
        if answers {
            case.hbs(case.host.wall_ms());
        }
        let sent = case.run(3 * MINUTE).await;
        assert!(sent.len() >= 2 && each_a_minute_apart(&sent) && case.age_s() < 120, "{sent:?}");
        assert_eq!(case.lost(), 0);
    }
}

/// Each reload stamped by the clock that was doubted what was held.
#[tokio::test]
async fn what_is_held_outlives_a_reload_and_is_let_go_where_its_lane_ends() {
    let mut case = Case::new().await;
    let right = case.host.wall_ms();
    case.host.step(TEN_YEARS);
    for _ in 0..3 {
        case.run(MINUTE).await;
        let shared = case.lane.shared.clone();
        let places = places(pick(&["says"]), &shared.context.config);
        let mark = case.lane.hand_on(&places, &mut |_| panic!("let go"));
        case.lane = lanes_after(&mut [mark], pick(&["says"]), &shared).remove(0);
    }
    case.hbs(right + 3 * MINUTE);
    case.run(2 * MINUTE).await;
    assert!(each_a_minute_apart(&case.sent) && case.age_s() > TEN_YEARS / 1000 - 120, "{:?}", case.sent);
    assert_eq!((case.sent.len(), case.lost()), (11, 0), "a point for each minute");

    let mut case = Case::new().await;
    case.host.step(TEN_YEARS);
    case.run(3 * MINUTE).await;
    case.lane.hand_on(&Places::new(), &mut |samples| case.sent.extend(samples.iter().map(|sample| sample.at)));
    assert_eq!((case.sent.len(), case.lost()), (9, 0));
}

/// Who stops the agent in doubt does not lose what it measured.
#[tokio::test]
async fn what_is_held_when_the_agent_ends_goes_with_the_time_before() {
    let mut case = Case::new().await;
    case.host.step(TEN_YEARS);
    case.run(3 * MINUTE).await;
    case.lane.let_go(&mut |samples| case.sent.extend(samples.iter().map(|sample| sample.at)));
    assert_eq!((case.sent.len(), case.lost()), (9, 0));
    assert!(each_a_minute_apart(&case.sent), "{:?}", case.sent);
}
