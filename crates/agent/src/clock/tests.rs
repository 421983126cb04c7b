//! The agent's clock over clocks that the test sets.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use tokio::time::Instant;

/// 20 s into a minute.
pub(crate) const START_MS: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

/// A host's two clocks.
pub(crate) struct Host {
    /// They follow tokio's clock from here on; `None`: only the test moves them.
    started: Option<Instant>,
    wall_ms: AtomicI64,
    boot_ms: AtomicI64,
    /// What passes in the middle of the next reading.
    torn_ms: AtomicI64,
}

impl Host {
    pub(crate) fn new(started: Option<Instant>) -> (Arc<Host>, Arc<AgentClock>) {
        let (wall_ms, boot_ms) = (AtomicI64::new(START_MS), AtomicI64::new(HOUR_MS));
        let host = Arc::new(Host { started, wall_ms, boot_ms, torn_ms: AtomicI64::new(0) });
        let boot = host.clone();
        let clock = AgentClock::new(Box::new(Wall(host.clone())), Box::new(move || boot.since_boot()));
        (host, Arc::new(clock))
    }

    /// Time passes, and no process runs.
    pub(crate) fn pass(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, SeqCst);
        self.boot_ms.fetch_add(ms, SeqCst);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, SeqCst);
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        self.wall_ms.load(SeqCst) + self.run_ms()
    }

    fn since_boot(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.boot_ms.load(SeqCst) + self.run_ms()).expect("no time before boot"))
    }

    fn run_ms(&self) -> i64 {
        self.started.map_or(0, |started| i64::try_from(started.elapsed().as_millis()).expect("fits"))
    }
}

struct Wall(Arc<Host>);

impl WallClock for Wall {
    fn now_us(&self) -> i64 {
        let now = self.0.wall_ms() * 1000;
        self.0.pass(self.0.torn_ms.swap(0, SeqCst));
        now
    }
}

fn hbs(clock: &AgentClock, at_ms: i64) -> Option<i64> {
    clock.server_said(at_ms / 1000, clock.look().boot_ms)
}

#[test]
fn the_agents_clock_is_the_wall_clock_until_somebody_sets_that() {
    let (host, clock) = Host::new(None);
    assert_eq!(clock.look(), Now { at_ms: START_MS, boot_ms: HOUR_MS, in_doubt: false });
    host.pass(HOUR_MS);
    assert_eq!(clock.look(), Now { at_ms: START_MS + HOUR_MS, boot_ms: 2 * HOUR_MS, in_doubt: false });
    host.step(HOUR_MS);
    assert_eq!(clock.look(), Now { at_ms: START_MS + HOUR_MS, boot_ms: 2 * HOUR_MS, in_doubt: true });
    assert_eq!(hbs(&clock, host.wall_ms()), Some(0));
    assert_eq!(clock.look(), Now { at_ms: START_MS + 2 * HOUR_MS, boot_ms: 2 * HOUR_MS, in_doubt: false });
}

/// The host was suspended for ten minutes just between the readings of its two clocks: the wall clock seemed to have stepped
/// back, and to jump at the next look.
#[test]
fn a_suspend_amid_a_look_is_no_step() {
    let (host, clock) = Host::new(None);
    clock.look();
    host.torn_ms.store(600_000, SeqCst);
    let now = Now { at_ms: START_MS + 600_000, boot_ms: HOUR_MS + 600_000, in_doubt: false };
    assert_eq!(clock.look(), now);
    assert_eq!(clock.look(), now);
}

#[test]
fn an_answer_that_took_long_says_nothing() {
    let (host, clock) = Host::new(None);
    let sent_boot_ms = clock.look().boot_ms;
    host.step(HOUR_MS);
    host.pass(judge::AGREES_MS);
    assert_eq!(clock.server_said(host.wall_ms() / 1000, sent_boot_ms), None);
    assert!(clock.look().in_doubt);
}

#[test]
fn how_far_the_clock_is_ahead_is_measured_in_the_middle_of_the_call() {
    let (host, clock) = Host::new(None);
    let sent_boot_ms = clock.look().boot_ms;
    host.pass(8_000);
    assert_eq!(clock.server_said((START_MS + 4_000) / 1000, sent_boot_ms), Some(0));
    assert_eq!(clock.server_said((START_MS + 4_000) / 1000 - 7, sent_boot_ms), Some(7));
    assert_eq!(clock.server_said((START_MS + 4_000) / 1000 + 7, sent_boot_ms), Some(-7));
}

#[tokio::test(start_paused = true)]
async fn hbs_is_asked_at_once_when_somebody_set_the_clock() {
    let (host, clock) = Host::new(Some(Instant::now()));
    for step in [HOUR_MS, -2 * HOUR_MS] {
        clock.look();
        let quiet = tokio::time::timeout(Duration::from_secs(1000), clock.asks()).await;
        assert!(quiet.is_err(), "nobody set it");
        host.step(step);
        clock.look();
        clock.asks().await;
    }
}

#[test]
fn a_process_has_one_clock() {
    assert!(Arc::ptr_eq(&agent(), &agent()));
    assert!((unix_s() - wall_s()).abs() <= 1);
}
