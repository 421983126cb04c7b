use super::*;
use crate::config::Config;

const NOW: i64 = 1_800_000_000;
const LIMIT_MB: u64 = 200;

fn guard(record: Option<Record>, managed: bool) -> Guard {
    Guard { watch: Watch::new(&Config::standalone().guard), record, managed, stats: Arc::default(), over: false }
}

/// Half a minute with so much memory; what the last look decided.
fn half_a_minute(guard: &mut Guard, mb: u64, now: i64) -> Option<u8> {
    let reading = Reading { at: Duration::ZERO, rss_bytes: mb * 1_000_000, cpu_us: 0, replaying: false };
    (0..4).map(|look| guard.look(reading, now + look * 10)).last().flatten()
}

#[test]
fn three_ends_within_an_hour_and_then_it_stays_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut codes = Vec::new();
    for minute in [0, 5, 10, 15, 59, 62] {
        let now = NOW + minute * 60;
        // Started anew each time.
        let mut guard = guard(Some(Record::open(dir.path(), now)), true);
        codes.push(half_a_minute(&mut guard, LIMIT_MB + 1, now));
        assert_eq!(guard.stats.guard_exceeded.get(), 1);
    }
    // The first is forgotten an hour later; those that stayed down are none.
    assert_eq!(codes, [AGAIN, AGAIN, AGAIN, STAY, STAY, AGAIN].map(Some));
}

#[test]
fn within_the_limits_nothing_ends_and_earlier_ends_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    Record::open(dir.path(), NOW).add(NOW).unwrap();
    let mut guard = guard(Some(Record::open(dir.path(), NOW)), true);
    assert_eq!(half_a_minute(&mut guard, LIMIT_MB, NOW), None);
    assert_eq!((guard.stats.guard_exceeded.get(), guard.stats.guard_ends.get()), (0, 1));
    assert_eq!(half_a_minute(&mut guard, LIMIT_MB, NOW + 3600), None);
    assert_eq!(guard.stats.guard_ends.get(), 0);
}

#[test]
fn without_a_service_manager_or_a_record_it_goes_on_and_each_time_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let no_directory = dir.path().join("file");
    std::fs::write(&no_directory, "").unwrap();
    let record = |dir: &std::path::Path| Some(Record::open(dir, NOW));
    for (record, managed) in [(record(dir.path()), false), (None, true), (record(&no_directory), true)] {
        let mut guard = guard(record, managed);
        for time in 1..=3 {
            assert_eq!(half_a_minute(&mut guard, LIMIT_MB + 1, NOW), None);
            assert_eq!(half_a_minute(&mut guard, LIMIT_MB + 1, NOW), None);
            assert_eq!(guard.stats.guard_exceeded.get(), time);
            assert_eq!(half_a_minute(&mut guard, LIMIT_MB, NOW), None);
        }
    }
    assert!(!dir.path().join("guard.json").exists());
}

/// An agent that was started by hand in a terminal of a desktop, which is a service of systemd, was taken for a service.
#[test]
fn a_service_manager_is_known_by_what_it_sets() {
    let own = std::process::id().to_string();
    let managed = |vars: &[(&str, &str)]| {
        is_managed_by(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
    };
    assert!(managed(&[("FALCON_SERVICE", "1")]));
    assert!(managed(&[("INVOCATION_ID", "a1")]), "systemd before 248");
    assert!(managed(&[("INVOCATION_ID", "a1"), ("SYSTEMD_EXEC_PID", &own)]));
    assert!(!managed(&[("INVOCATION_ID", "a1"), ("SYSTEMD_EXEC_PID", "1")]));
    assert!(managed(&[("INVOCATION_ID", "a1"), ("SYSTEMD_EXEC_PID", "1"), ("FALCON_SERVICE", "yes")]));
    assert!(!managed(&[("INVOCATION_ID", "a1"), ("FALCON_SERVICE", "0")]));
    for vars in [&[][..], &[("FALCON_SERVICE", "")], &[("INVOCATION_ID", "")]] {
        assert!(!managed(vars), "{vars:?}");
    }
}
