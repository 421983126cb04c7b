//! Workers that come and go.

use super::*;

#[test]
fn requests_never_step_back_over_an_overlapped_recycle() {
    let mut iis = Iis::new();
    iis.was(0, &[("A", &[3, began(0, 100), 1, 0, 0, 0])]);
    iis.run(11, "A", 10);
    iis.served(0, &[("11_A", &[1000, 0])]);
    iis.cycle(None);
    // The new worker begins while the old one ends its requests.
    iis.start(12, 12, 20.0, 3, Some("w3wp -ap A".to_owned()));
    iis.served(60, &[("11_A", &[1100, 2]), ("12_A", &[40, 3])]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["requests A"], said["requests.active A"]), (140.0, 5.0));
    assert_eq!((said["cpu.percent A"], said["mem.private A"]), (5.0, 2023.0), "3 s of 60, and both are there");
    iis.end(11);
    iis.served(120, &[("12_A", &[90, 1])]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["requests A"], said["mem.private A"]), (190.0, 1012.0));
    // None is left, and nothing is asked of the pool.
    iis.end(12);
    iis.served(180, &[]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["requests A"], said["requests.active A"], said["cpu.percent A"]), (190.0, 0.0, 0.0));
    assert_eq!((said["requests _Total"], said["requests.active _Total"]), (190.0, 0.0));
}

/// The pid of a worker is given to the next one of the same pool: what that one did was taken for what the first one did, or for
/// a step back.
#[test]
fn a_pid_that_is_given_again_is_another_worker() {
    let mut iis = Iis::new();
    iis.run(11, "A", 100);
    iis.served(0, &[("11_A", &[1000, 0])]);
    iis.cycle(None);
    iis.start(11, 77, 30.0, 6, Some("w3wp -ap A".to_owned()));
    iis.served(60, &[("11_A", &[1500, 0])]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["requests A"], said["cpu.percent A"]), (1500.0, 10.0));
    // And of another pool.
    iis.start(11, 99, 30.0, 6, Some("w3wp -ap B".to_owned()));
    iis.served(120, &[("11_B", &[20, 0])]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["requests B"], said["cpu.percent B"], said["requests _Total"]), (20.0, 10.0, 1520.0));
    assert!(!said.contains_key("requests A"), "no source names it any more");
}

#[test]
fn a_worker_whose_counters_are_seen_late_is_no_spike() {
    let mut iis = Iis::new();
    iis.run(11, "A", 100);
    iis.served(0, &[]);
    iis.cycle(None);
    iis.served(60, &[("11_A", &[1_000_000, 0])]);
    assert_eq!(iis.cycle(Some(60))["requests A"], 0.0);
    iis.served(120, &[("11_A", &[1_000_007, 0])]);
    assert_eq!(iis.cycle(Some(60))["requests A"], 7.0);
    // Its row is away for a while, as are the counters as a whole: nothing is lost and nothing twice.
    iis.served(180, &[]);
    iis.cycle(Some(60));
    iis.perf.refuse("iis.pools", Some(Refused::Late(10)));
    assert!(!iis.cycle(Some(60)).contains_key("requests A"));
    assert_eq!(iis.problems(), ["counters: APP_POOL_WAS, W3SVC_W3WP"]);
    iis.perf.refuse("iis.pools", None);
    // 32 bits wrap.
    iis.served(300, &[("11_A", &[u64::from(u32::MAX), 0])]);
    iis.cycle(Some(60));
    iis.served(360, &[("11_A", &[9, 0])]);
    let before = 7.0;
    assert_eq!(iis.cycle(Some(60))["requests A"], before + 10.0, "more than half of the range is no growth");
}

/// Processes could not be listed for a while, and of a worker that had run for a year every request was said to have come now.
#[test]
fn a_worker_without_a_known_process_begins_with_nothing() {
    let mut iis = Iis::new();
    iis.host.0.lock().unwrap().is_blind = true;
    iis.served(0, &[]);
    iis.cycle(None);
    iis.served(60, &[("11_A", &[1_000_000, 0])]);
    assert_eq!(iis.cycle(Some(60))["requests _Total"], 0.0);
    iis.served(120, &[("11_A", &[1_000_007, 0])]);
    assert_eq!(iis.cycle(Some(60))["requests A"], 7.0);
}
