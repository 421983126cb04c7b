//! What is assigned, from its answer to the next start.

use super::*;
use crate::model::Tags;

fn metric(metric: &str, tags: &str) -> BuiltinMetric {
    BuiltinMetric { metric: metric.to_owned(), tags: tags.to_owned() }
}

fn ports(assigned: &Assigned) -> Vec<Tags> {
    assigned.checks().ports.iter().map(|check| check.tags.clone()).collect()
}

/// Once its thread has done all that it was given.
fn settled(assigned: &Assigned) {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    if let Some(keeper) = &assigned.keeper {
        keeper.read(move |_| drop(tell));
    }
    // It ends without a word, whatever is read.
    assert!(told.recv().is_err());
}

/// Opened anew, when what was kept is read.
fn opened(dir: &Path, hostname: &str) -> Arc<Assigned> {
    let assigned = Assigned::open(Some(dir), Some(hostname));
    settled(&assigned);
    assigned
}

#[test]
fn what_was_answered_is_used_at_the_next_start_until_hbs_answers() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path(), "h");
    first.belongs_to("h");
    first.set_metrics(vec![metric("net.port.listen", "port=80")]);
    first.set_trustable("10.0.0.1,[::1],x".to_owned());
    first.set_plugins(vec!["sys/ntp".to_owned()]);
    settled(&first);
    let second = opened(dir.path(), "h");
    second.belongs_to("h");
    assert_eq!(ports(&second), [Tags::raw("port=80")]);
    assert_eq!(*second.plugins(), ["sys/ntp"]);
    // Of an answer that takes all away nothing is left, now and later; the other answers stay until theirs come.
    second.set_metrics(Vec::new());
    assert!(ports(&second).is_empty());
    assert_eq!(*second.plugins(), ["sys/ntp"]);
    settled(&second);
    let third = opened(dir.path(), "h");
    assert!(ports(&third).is_empty() && !third.plugins().is_empty());
}

#[test]
fn what_hbs_answered_first_is_newer_than_the_disk() {
    let assigned = Assigned::default();
    assigned.belongs_to("h");
    assigned.set_metrics(Vec::new());
    let kept = Answers {
        hostname: "h".to_owned(),
        metrics: vec![metric("net.port.listen", "port=80")],
        plugins: vec!["p".to_owned()],
        ..Answers::default()
    };
    assigned.recall("h", kept);
    assert!(ports(&assigned).is_empty());
    assert_eq!(*assigned.plugins(), ["p"]);
}

#[test]
fn what_was_assigned_to_another_endpoint_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path(), "h");
    first.belongs_to("h");
    first.set_metrics(vec![metric("net.port.listen", "port=80")]);
    settled(&first);
    assert!(ports(&opened(dir.path(), "other")).is_empty());
    assert_eq!(ports(&opened(dir.path(), "h")), [Tags::raw("port=80")]);
    // Renamed by a reload.
    first.belongs_to("other");
    assert!(ports(&first).is_empty());
}

#[test]
fn trusted_addresses_are_told_when_they_change() {
    let assigned = Assigned::default();
    assigned.set_trustable("127.0.0.1".to_owned());
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = told.clone();
    assigned.tell_trustable(move |ips| hears.lock().unwrap().push(ips));
    assigned.set_trustable(" 10.0.0.1 , [::1],::ffff:10.0.0.2,name,".to_owned());
    assigned.set_trustable(" 10.0.0.1 , [::1],::ffff:10.0.0.2,name,".to_owned());
    assigned.set_trustable(String::new());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let expected = [vec![ip("127.0.0.1")], vec![ip("10.0.0.1"), ip("::1"), ip("10.0.0.2")], Vec::new()];
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(addresses("a,10.0.0.1,b"), (vec![ip("10.0.0.1")], Some("a")));
}

#[test]
fn a_check_that_cannot_be_read_costs_no_other_and_too_many_are_cut() {
    let assigned = Assigned::default();
    let bad = metric("net.port.listen", "port=x");
    assigned.set_metrics(vec![bad.clone(), metric("net.port.listen", "port=80"), metric("no.such", "a")]);
    assert_eq!(ports(&assigned), [Tags::raw("port=80")]);
    assert_eq!(assigned.lock().told, BTreeSet::from(["net.port.listen/port=x".to_owned()]));
    let many = (0..MOST_CHECKS + 10).map(|n| metric("net.port.listen", &format!("port={n}")));
    assigned.set_metrics(many.collect());
    assert_eq!(assigned.checks().ports.len(), MOST_CHECKS);
    assert!(assigned.lock().told.is_empty());
}

/// The password of a URL that cannot be read stood in the log.
#[test]
fn a_check_is_told_without_its_login() {
    for (check, said) in [
        (
            "url.check.health/url=http://mon:secret@h/x?a=b,timeout=3",
            "url.check.health/url=http://******@h/x?a=b,timeout=3",
        ),
        ("url.check.health/mon:secret@h/x", "url.check.health/******@h/x"),
        ("du.bs/path=/a=@b", "du.bs/path=/a=@b"),
    ] {
        assert_eq!(shown(check), said);
    }
}

/// With another state directory every plugin was ended, and begun anew when hbs had answered.
#[test]
fn with_another_directory_what_was_answered_is_known_and_kept_there() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = opened(other.path(), "h");
    old.belongs_to("h");
    old.set_plugins(vec!["old".to_owned()]);
    settled(&old);
    let before = opened(one.path(), "h");
    before.belongs_to("h");
    before.set_plugins(vec!["sys/ntp".to_owned()]);
    before.set_metrics(vec![metric("net.port.listen", "port=80")]);
    let assigned = Assigned::open(Some(other.path()), Some("h"));
    assigned.follow(&before, "h");
    assert_eq!((&**assigned.plugins(), ports(&assigned).len()), (&["sys/ntp".to_owned()][..], 1));
    settled(&assigned);
    assert_eq!(*assigned.plugins(), ["sys/ntp"], "what lies there is older");
    assert_eq!(*opened(other.path(), "h").plugins(), ["sys/ntp"]);
    // Another endpoint has nothing of it.
    let another = Assigned::default();
    another.follow(&before, "g");
    assert!(another.plugins().is_empty());
}
