//! Lanes in the place of others: which stamps they give, when their first cycle stands, and what they take over.

use super::tests::{STUCK, pick, shared_by, until};
use super::*;
use crate::clock::tests::{Host, START_MS};
use crate::collect::Spec;
use std::sync::atomic::Ordering::SeqCst;

const MINUTE: i64 = 60_000;
/// A minute's start after [`START_MS`].
const NEXT_MS: i64 = 1_700_000_040_000;

/// What a reload does to a lane: `steps` are the steps of single collectors from then on.
fn reload(lane: &mut LaneTask, specs: &[&str], steps: &[(&str, u32)], sink: &mut Sink<'_>) -> Vec<LaneTask> {
    let shared = with(&lane.shared, steps);
    let places = places(pick(specs), &shared.context.config);
    lanes_after(&mut [lane.hand_on(&places, sink)], pick(specs), &shared)
}

fn with(shared: &Shared, steps: &[(&str, u32)]) -> Shared {
    let mut config = (*shared.context.config).clone();
    config.collector.intervals = steps.iter().map(|(name, step)| ((*name).to_owned(), *step)).collect();
    Shared { context: Context { config: Arc::new(config), ..shared.context.clone() }, ..shared.clone() }
}

/// On the clock of tokio and the test.
fn lane(specs: Vec<&'static Spec>) -> (LaneTask, Arc<Host>) {
    let (shared, host, _) = shared_by(60, Host::new(Some(Instant::now())));
    (lanes(specs, &shared).remove(0), host)
}

async fn stamps(lane: &mut LaneTask) -> Vec<i64> {
    let mut all = Vec::new();
    lane.run_once(&mut |samples| all.extend(samples.iter().map(|sample| sample.at))).await;
    all
}

fn nothing(samples: Vec<Sample>) {
    assert!(samples.is_empty(), "{samples:?}");
}

/// With half the step, a minute's points were sent a second time.
#[tokio::test]
async fn another_step_gives_no_stamp_again() {
    let (mut first, host) = lane(pick(&["says"]));
    assert_eq!(stamps(&mut first).await, [1_699_999_980]);
    let mut half = reload(&mut first, &["says"], &[("says", 30)], &mut nothing).remove(0);
    assert!(half.resumed);
    assert_eq!(stamps(&mut half).await, [0; 0], "20 s into the minute");
    host.pass(10_000);
    assert_eq!(stamps(&mut half).await, [1_700_000_010]);
    let mut whole = reload(&mut half, &["says"], &[], &mut nothing).remove(0);
    assert_eq!(stamps(&mut whole).await, [0; 0]);
    host.pass(30_000);
    assert_eq!(stamps(&mut whole).await, [1_700_000_040]);
}

/// One that moved to a lane that was there already got a stamp that it had.
#[tokio::test]
async fn a_collector_that_moves_between_lanes_gives_no_stamp_again() {
    let (shared, host, _) = shared_by(60, Host::new(None));
    let mut before = lanes(pick(&["says", "absent"]), &with(&shared, &[("absent", 300)]));
    host.pass(NEXT_MS + 4 * MINUTE - START_MS);
    let newest = stamps(&mut before[0]).await[0];
    let config = with(&shared, &[("absent", 300), ("says", 300)]);
    let places = places(pick(&["says", "absent"]), &config.context.config);
    let mut marks: Vec<_> = before.iter_mut().map(|lane| lane.hand_on(&places, &mut nothing)).collect();
    let mut after = lanes_after(&mut marks, pick(&["says", "absent"]), &config);
    assert_eq!(after.len(), 1);
    let next = loop {
        if let Some(next) = stamps(&mut after[0]).await.first() {
            break *next;
        }
        host.pass(MINUTE);
    };
    assert!(next > newest, "{next} after {newest}");
}

/// The phase passed while the agent was between two configurations, or in the second before rates have two readings: the
/// minute had no points.
#[tokio::test(start_paused = true)]
async fn a_phase_that_passes_in_a_reload_costs_no_cycle() {
    for (specs, early_ms, expected_ms) in [
        (["absent", "absent"], 1500, 0),
        (["absent", "absent"], -500, 500),
        (["absent", "absent_rates"], 500, 500),
        (["absent", "absent_rates"], 1500, 0),
    ] {
        let (mut first, host) = lane(pick(&specs));
        assert!(first.run_once(&mut nothing).await);
        let phase_ms = NEXT_MS + first.stamps.timetable().phase_ms();
        let mut second = reload(&mut first, &specs, &[], &mut nothing).remove(0);
        host.pass(phase_ms - early_ms - host.wall_ms());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let clock = host.clone();
        let task = tokio::spawn(async move {
            second
                .run(&mut |_| {
                    let _ = tell.send(clock.wall_ms());
                })
                .await;
        });
        let late_ms = told.recv().await.expect("a cycle") - phase_ms;
        assert_eq!(late_ms, expected_ms, "{specs:?}, {early_ms}");
        assert_eq!(told.recv().await.expect("another") - phase_ms, MINUTE, "{specs:?}, {early_ms}");
        task.abort();
    }
}

/// A cycle whose task was aborted had taken its bucket, and what it had read was dropped.
#[tokio::test]
async fn a_cycle_that_is_broken_off_gives_what_it_has_or_is_measured_again() {
    for (n, specs) in [(1, &["stuck"][..]), (2, &["says", "stuck"])] {
        let (mut first, _) = lane(pick(specs));
        let mut given = Vec::new();
        let mut sink = |samples: Vec<Sample>| given.extend(samples.iter().map(|sample| sample.at));
        tokio::select! {
            biased;
            _ = first.run_once(&mut sink) => panic!("it is stuck"),
            () = until(|| STUCK.load(SeqCst) == n) => {}
        }
        let mut second = reload(&mut first, &["says"], &[], &mut sink).remove(0);
        assert_eq!(second.resumed, n == 2);
        second.run_once(&mut sink).await;
        assert_eq!(given, [1_699_999_980], "{specs:?}");
    }
}
