//! Lanes with collectors that panic, hang and come back, on a clock that the test owns.

use super::unit::BACK_OFF;
use super::*;
use crate::app::Collecting;
use crate::clock::tests::{Host, START_MS};
use crate::collect::{Class, Collector, Cx, Guarded, Opened, Spec};
use crate::config::Config;
use crate::model::{Metric, Platform, Sets, Tags};
use crate::stats::Stats;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

const SAID: Metric = Metric::gauge("test.said", "1", Sets::ALL, "test");

/// The clocks follow tokio's, plus what the test adds.
fn shared(step: u32) -> (Shared, Arc<Host>, Arc<Stats>) {
    shared_by(step, Host::new(Some(Instant::now())))
}

pub(super) fn shared_by(step: u32, (host, clock): (Arc<Host>, Arc<AgentClock>)) -> (Shared, Arc<Host>, Arc<Stats>) {
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    config.transfer.interval = step;
    let collecting = Collecting::new(config, None);
    let plan = Arc::new(Plan::new(TEST, Sets::ALL, Platform::CURRENT, &Config::standalone()));
    (Shared { clock, plan, ..collecting.shared }, host, collecting.stats)
}

struct Says;
impl Collector for Says {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        cx.emit(&SAID, &Tags::NONE, 1.0);
        Ok(())
    }
}

struct Details;
impl Collector for Details {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        cx.class(Class::Detail);
        for n in ["1", "2", "3"] {
            cx.emit(&SAID, &Tags::of(&[("n", n)]), 1.0);
        }
        Ok(())
    }
}

static PANICS: AtomicUsize = AtomicUsize::new(0);
struct Panics;
impl Collector for Panics {
    fn collect(&mut self, _: &mut Cx<'_>) -> anyhow::Result<()> {
        PANICS.fetch_add(1, SeqCst);
        panic!("a defect, on purpose");
    }
}
impl Drop for Panics {
    fn drop(&mut self) {
        panic!("and its drop fails as well");
    }
}

struct Fails;
impl Collector for Fails {
    fn collect(&mut self, _: &mut Cx<'_>) -> anyhow::Result<()> {
        panic!("another defect");
    }
}

/// Holds the thread until the test lets go.
static HELD: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
static IS_AWAY: AtomicBool = AtomicBool::new(false);
struct Hangs;
impl Collector for Hangs {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        assert!(!IS_AWAY.swap(true, SeqCst), "started twice");
        let held = HELD.lock().expect("unpoisoned").take();
        if let Some(held) = held {
            let _ = held.recv();
        }
        cx.emit(&SAID, &Tags::of(&[("from", "hangs")]), 1.0);
        IS_AWAY.store(false, SeqCst);
        Ok(())
    }
}

/// How often [`Stuck`] began what it does not end.
pub(super) static STUCK: AtomicUsize = AtomicUsize::new(0);
struct Stuck;
impl Collector for Stuck {
    fn collect(&mut self, _: &mut Cx<'_>) -> anyhow::Result<()> {
        STUCK.fetch_add(1, SeqCst);
        loop {
            std::thread::park();
        }
    }
}

const fn spec(name: &'static str, open: fn(&Context) -> Opened) -> Spec {
    Spec { name, check: name, lane: Lane::Host, rates: false, metrics: &[SAID], options: &[], open }
}

static TEST: &[Spec] = &[
    spec("says", |_| Ok(Some(Box::new(Says)))),
    spec("details", |_| Ok(Some(Box::new(Details)))),
    spec("panics", |_| Ok(Some(Box::new(Panics)))),
    spec("fails", |_| Ok(Some(Box::new(Fails)))),
    spec("hangs", |_| Ok(Some(Box::new(Hangs)))),
    spec("stuck", |_| Ok(Some(Box::new(Stuck)))),
    spec("absent", |_| Ok(None)),
    Spec { rates: true, ..spec("absent_rates", |_| Ok(None)) },
    spec("broken", |_| anyhow::bail!("cannot be opened")),
];

pub(super) fn pick(names: &[&str]) -> Vec<&'static Spec> {
    TEST.iter().filter(|spec| names.contains(&spec.name)).collect()
}

async fn cycle(lane: &mut LaneTask) -> Vec<Sample> {
    let mut all = Vec::new();
    lane.run_once(&mut |mut samples| all.append(&mut samples)).await;
    all
}

/// tokio's paused clock runs ahead while a thread works; real threads are waited for in real time.
pub(super) async fn until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_costs_one_collector_and_it_is_opened_again_later() {
    let (shared, clock, stats) = shared(60);
    let mut lane = lanes(pick(&["says", "panics"]), &shared).remove(0);
    assert_eq!(cycle(&mut lane).await.len(), 1);
    assert_eq!((stats.collect_panics.get(), PANICS.load(SeqCst)), (1, 1));
    clock.pass(60_000);
    assert_eq!(cycle(&mut lane).await.len(), 1);
    assert_eq!(PANICS.load(SeqCst), 1, "not before its pause is over");
    lane.units[1].state = State::Closed { again: Instant::now(), pause: BACK_OFF.0 };
    clock.pass(60_000);
    assert_eq!(cycle(&mut lane).await.len(), 1);
    assert_eq!((stats.collect_panics.get(), PANICS.load(SeqCst)), (2, 2));
    assert_eq!(lane.units[1].panic_pause, BACK_OFF.0 * 4);
}

#[tokio::test]
async fn over_the_bound_of_all_series_details_are_left_out() {
    let (mut shared, clock, stats) = shared(60);
    let mut config = Config::standalone();
    config.collector.limits.insert("series".to_owned(), 3);
    shared.context.config = Arc::new(config);
    let mut lane = lanes(pick(&["says", "details"]), &shared).remove(0);
    for _ in 0..2 {
        let said = cycle(&mut lane).await;
        let tags: Vec<&str> = said.iter().map(|sample| sample.tags.as_str()).collect();
        assert_eq!(tags, ["", "n=1", "n=2"]);
        assert_eq!(stats.series_dropped[Guarded::Series as usize].get(), 1);
        clock.pass(60_000);
    }
}

#[tokio::test]
async fn a_collector_that_hangs_is_given_up_alone_never_started_twice_and_used_again() {
    // A step of 1 s makes the deadline 1 s: this test waits for it once, in real time, because real threads hang.
    let (shared, clock, stats) = shared(1);
    let mut lane = lanes(pick(&["hangs", "says"]), &shared).remove(0);
    lane.units.sort_by_key(|unit| unit.spec.name != "hangs");
    let (release, held) = mpsc::channel();
    *HELD.lock().expect("unpoisoned") = Some(held);

    let said = cycle(&mut lane).await;
    assert_eq!(said.len(), 1, "the others go on: {said:?}");
    assert_eq!(stats.collect_hung.get(), 1);
    let away = stats.units.all().into_iter().find(|unit| unit.name == "hangs").expect("it is told of");
    assert_eq!(
        (away.doing, away.problems[0].1.as_str()),
        (Doing::Hung, "no answer in 1 s; given up until it comes back")
    );
    clock.pass(1000);
    assert_eq!(cycle(&mut lane).await.len(), 1);
    assert_eq!(stats.collect_hung.get(), 1, "counted once");
    // A collector that was always a little late wrote two lines a cycle.
    assert!(!lane.units[0].problems.warn("hangs", "deadline", "no answer in 1 s; given up until it comes back"));

    drop(release);
    until(|| !IS_AWAY.load(SeqCst)).await;
    let mut back = 0;
    while back < 2 {
        clock.pass(1000);
        back = cycle(&mut lane).await.len();
    }
    assert_eq!(back, 2, "its late answer is thrown away, the next one counts");
}

#[tokio::test]
async fn what_is_absent_is_quiet_and_what_cannot_be_opened_is_counted() {
    let (shared, _, stats) = shared(60);
    let mut lane = lanes(pick(&["absent", "broken"]), &shared).remove(0);
    assert!(cycle(&mut lane).await.is_empty());
    assert_eq!((stats.collect_errors.get(), stats.collect_panics.get()), (1, 0));
}

/// The page said that a collector brings nothing, and the reason stood in a log that had been rotated away.
#[tokio::test]
async fn what_each_unit_did_last_and_why_is_known() {
    let (shared, _, stats) = shared(60);
    let mut lane = lanes(pick(&["says", "fails", "absent", "broken"]), &shared).remove(0);
    let states = || -> Vec<_> { stats.units.all().iter().map(|unit| unit.doing.as_str()).collect() };
    assert_eq!(states(), ["waiting"; 4]);
    cycle(&mut lane).await;
    let units = stats.units.all();
    assert_eq!(states(), ["ok", "failed", "absent", "failed"]);
    assert_eq!((units[0].name, units[0].points, units[0].again_s), ("says", 1, None));
    assert!(units[0].last_s.is_some() && units[0].ms.is_some() && units[1].last_s.is_none());
    let why = |n: usize| units[n].problems.iter().map(|(what, why)| format!("{what}: {why}")).collect::<Vec<_>>();
    assert_eq!(why(1), ["defect: failed by a defect; tried again in 60 s"]);
    assert_eq!(why(3), ["open: cannot be opened"]);
    assert!(units[1..].iter().all(|unit| unit.again_s.is_some()));
    // Another configuration: what is there no more is gone, what stays waits for its turn.
    let _after = lanes(pick(&["says"]), &shared);
    assert_eq!((states(), stats.units.all()[0].points), (vec!["waiting"], 1));
}

#[tokio::test]
async fn a_second_cycle_in_a_bucket_does_not_happen() {
    let (shared, clock, _) = shared(60);
    let mut lane = lanes(pick(&["says"]), &shared).remove(0);
    let first = cycle(&mut lane).await;
    assert_eq!((first.len(), first[0].at, first[0].step), (1, 1_699_999_980, 60));
    assert!(!lane.run_once(&mut |_| panic!("said something")).await);
    clock.step(-3_000_000);
    assert!(!lane.run_once(&mut |_| panic!("said something")).await, "the clock stepped back");
    clock.pass(3_060_000);
    assert_eq!(cycle(&mut lane).await[0].at, 1_700_000_040);
}

/// A collector's thread works in real time, through which the paused clock would run: this lane has none to start.
#[tokio::test(start_paused = true)]
async fn cycles_stand_at_the_phase_of_every_step() {
    let (shared, clock, _) = shared(60);
    let mut lane = lanes(pick(&["absent"]), &shared).remove(0);
    let phase = lane.stamps.timetable().phase_ms();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let cycles = clock.clone();
    let task = tokio::spawn(async move {
        lane.run(&mut |_| {
            let _ = tell.send(cycles.wall_ms());
        })
        .await;
    });
    assert_eq!(told.recv().await, Some(START_MS), "the first cycle comes at once");
    for n in 0..5 {
        assert_eq!(told.recv().await, Some(1_700_000_040_000 + 60_000 * n + phase));
    }
    clock.pass(20 * 60_000);
    let now = clock.wall_ms();
    let next = told.recv().await.expect("a cycle after the suspend");
    assert!(next - now <= 60_000 && next % 60_000 == phase, "{next} after {now}");
    task.abort();
}

#[test]
fn a_collector_may_have_its_own_step() {
    let (mut shared, ..) = shared(60);
    let mut config = (*shared.context.config).clone();
    config.collector.intervals.insert("says".to_owned(), 300);
    shared.context.config = Arc::new(config);
    let lanes = lanes(pick(&["says", "absent"]), &shared);
    let steps: Vec<_> = lanes.iter().map(|lane| (lane.step, lane.units[0].spec.name)).collect();
    assert_eq!(steps, [(60, "absent"), (300, "says")]);
}

/// It was shown as hung, and as tried again with the next cycle.
#[tokio::test]
async fn a_unit_whose_thread_is_gone_says_when_it_is_tried_again() {
    let (shared, ..) = shared(10);
    let mut unit = unit::Unit::new(&TEST[0]);
    unit.state = unit::State::Away(tokio::sync::oneshot::channel().1);
    assert!(unit.take(&shared.context).is_none());
    let reports = report::Reports::default();
    reports.replace(vec![unit.told.clone()]);
    let all = reports.all();
    assert_eq!((all[0].doing, all[0].again_s.is_some()), (report::Doing::Failed, true));
}
