use super::*;
use crate::web::tests::server::{Authority, GOOD, OK, Script, Server, Shown};
use crate::web::tests::{LIMIT, client};
use crate::web::tls::Tls;

use std::net::TcpListener;

use tokio::sync::watch;

use super::turns::TURNS;
use crate::assigned::BuiltinMetric;
use crate::collect::Collected;
use crate::collect::tests::{context, with_cx};
use crate::model::Platform;

/// What hbs assigned, and what the configuration has, of a client that trusts one authority.
struct Bed {
    urls: Urls,
    assigned: Arc<Assigned>,
    config: crate::config::Config,
}

impl Bed {
    fn new(authority: &Authority, checks: &str) -> Bed {
        Bed::sending(&[NameSet::Falcon, NameSet::Extended], authority, checks)
    }

    fn sending(sets: &[NameSet], authority: &Authority, checks: &str) -> Bed {
        let text = format!("{{\"checks\": {{\"urls\": {checks}}}}}");
        let (mut config, warnings) =
            crate::config::parse(text.as_bytes(), "cfg.json", &crate::config::Known::default()).unwrap();
        assert_eq!(warnings, []);
        config.collector.names = sets.to_vec();
        let assigned = Arc::<Assigned>::default();
        let context = Context { assigned: assigned.clone(), ..context(config.clone()) };
        Bed { urls: Urls::new(&context, client(authority)), assigned, config }
    }

    fn assign(&self, tags: &[String]) {
        let metric = |tags: &String| BuiltinMetric { metric: HEALTH.name.to_owned(), tags: tags.clone() };
        self.assigned.belongs_to("web1");
        self.assigned.set_metrics(tags.iter().map(metric).collect());
    }

    fn cycle(&mut self) -> Collected {
        self.cycle_of(Sets::FALCON.and(Sets::EXTENDED))
    }

    fn cycle_of(&mut self, sets: Sets) -> Collected {
        let cycle = || with_cx(sets, Platform::CURRENT, |cx| self.urls.collect(cx).unwrap()).1;
        // On a stack of the size that a lane's thread has.
        let thread = std::thread::Builder::new().stack_size(512 * 1024);
        std::thread::scope(|scope| thread.spawn_scoped(scope, cycle).unwrap().join().unwrap())
    }
}

fn said(collected: &Collected) -> Vec<(&str, &str, f64)> {
    let said = collected.samples.iter();
    said.map(|sample| (&*sample.metric, sample.tags.as_str(), sample.value.get())).collect()
}

/// At a step of a minute every second point was missing where a server hung.
#[test]
fn a_cycle_ends_within_its_step_and_a_check_within_the_cycle() {
    for (step, time, longest) in [(1, 55, 54), (59, 55, 54), (60, 55, 54), (61, 56, 55), (66, 61, 60), (600, 595, 60)] {
        assert_eq!((deadline(step), longest_s(step)), (Duration::from_secs(time), longest), "{step}");
    }
}

/// Where whoever asked found a login and whoever showed the URL a scheme or a path, the password went out with every point.
#[test]
fn what_may_be_a_login_is_in_no_tag_no_line_and_no_configuration() {
    let urls = ["u:secret@h/r?to=http://x", "secret@h/x", "http://u:12/secret@h/", "http://u:12#secret@h/"];
    let mut bed = Bed::new(&Authority::new(), &serde_json::to_string(&urls).unwrap());
    bed.assign(&urls.map(|url| format!("url={},timeout=5", url.replace("?to=", "?"))));
    let collected = bed.cycle();
    let tags: Vec<&str> =
        said(&collected).iter().filter(|(name, ..)| *name == UP.name).map(|(_, tags, _)| *tags).collect();
    assert_eq!(tags, ["url=h/r?to_http://x", "url=h/x", "url=http://******@h/"]);
    // Nobody answers, and one entry has the tag of another.
    assert_eq!((collected.problems.len(), collected.remarks.len()), (7, 1), "{collected:?}");
    let told = format!("{:?} {:?} {:?}", collected.problems, collected.remarks, bed.urls.remarks);
    assert!(!told.contains("secret"), "{told}");
    assert!(!bed.config.to_json().contains("secret") && !format!("{:?}", bed.config).contains("secret"));
}

fn gone() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_hbs_assigns_is_one_for_exactly_200_and_tagged_as_it_was_assigned() {
    let authority = Authority::new();
    let (good, moved) = (Server::answering(OK), Server::answering("HTTP/1.1 204 No Content\r\n\r\n"));
    let (signed, unsigned) =
        (Server::showing(&authority, GOOD), Server::showing(&authority, Shown { is_signed: false, ..GOOD }));
    let mut bed = Bed::new(&authority, "[]");
    assert!(bed.cycle().samples.is_empty());
    let tags = [
        format!("url=http://u:secret@{}/x,timeout=5", good.address),
        format!("u={},t=5", good.address),
        format!("url=http://{}/,timeout=5", moved.address),
        format!("url=https://good.test:{}/,timeout=5", signed.port()),
        format!("url=https://good.test:{}/,timeout=5", unsigned.port()),
        format!("url=http://127.0.0.1:{}/,timeout=99", gone()),
        "url=ftp://u:secret/secret@h/,timeout=5".to_owned(),
        format!("url=http://{}/late,timeout=0", good.address),
        format!("url=http://{}/late,timeout=-1", moved.address),
    ];
    bed.assign(&tags);
    let collected = bed.cycle_of(Sets::WINDOWS_AGENT);
    let values: Vec<f64> = said(&collected).iter().map(|(_, _, value)| *value).collect();
    assert_eq!(values, [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{collected:?}");
    for ((name, said, _), assigned) in said(&collected).iter().zip(&tags) {
        let (url, timeout) = assigned.rsplit_once(',').unwrap();
        let (url, timeout) = (url.split_once('=').unwrap().1, timeout.split_once('=').unwrap().1);
        assert_eq!((*name, *said), ("url.check.health", &*format!("url={url},timeout={timeout},src=web1")));
    }
    assert!(good.heads().iter().all(|head| head.starts_with("HEAD /")), "{:?}", good.heads());
    assert_eq!(good.heads().len(), 2);
    let told = format!("{:?} {:?}", collected.problems, collected.remarks);
    assert_eq!(collected.problems.len(), 6, "{told}");
    for part in [
        "it answers 204",
        "nobody whom this host trusts",
        "no connection: ",
        "only http and https are known",
        "leaves no time",
        "54 s are used",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("secret"), "{told}");
    bed.assign(&[]);
    assert!(bed.cycle().samples.is_empty(), "an assignment that is gone ends its series");
}

#[test]
fn an_entry_of_the_configuration_is_told_with_all_that_is_known_of_it() {
    let authority = Authority::new();
    let (plain, signed) =
        (Server::answering("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"), Server::showing(&authority, GOOD));
    let expired = Server::showing(&authority, Shown { from: -30, to: -10, ..GOOD });
    let urls = format!(
        r#"[{{"url": "http://u:secret@{0}/a,b", "status": ["200", "400-499"], "body": "no"}}, "http://{0}/",
            {{"url": "https://good.test:{1}/", "name": "shop", "body": "ok"}}, {{"url": "https://good.test:{1}/", "name": "shop"}},
            {{"url": "https://good.test:{2}/", "name": "old"}}, {{"url": "https://good.test:{2}/", "name": "lax", "verify": false}},
            {{"url": "127.0.0.1:{3}", "name": "gone"}}]"#,
        plain.address,
        signed.port(),
        expired.port(),
        gone()
    );
    let mut bed = Bed::new(&authority, &urls);
    let collected = bed.cycle();
    let value = |metric: &str, tags: &str| {
        let samples = said(&collected);
        samples.iter().find(|(name, of, _)| (*name, *of) == (metric, tags)).map(|(_, _, value)| *value)
    };
    let (list, root) = (format!("url=http://{}/a_b", plain.address), format!("url=http://{}/", plain.address));
    for (tags, up, status, verified) in [
        (list.as_str(), 1.0, Some(404.0), None),
        (root.as_str(), 0.0, Some(404.0), None),
        ("url=shop", 1.0, Some(200.0), Some(1.0)),
        ("url=old", 0.0, None, Some(0.0)),
        ("url=lax", 1.0, Some(200.0), Some(0.0)),
        ("url=gone", 0.0, None, None),
    ] {
        assert_eq!(value("url.check.up", tags), Some(up), "{tags}");
        assert_eq!(value("url.check.status", tags), status, "{tags}");
        assert_eq!(value("url.check.cert.ok", tags), verified, "{tags}");
        assert_eq!(value("url.check.cert.days", tags).is_some(), verified.is_some(), "{tags}");
        assert_eq!(value("url.check.time", tags).is_some(), status.is_some(), "{tags}");
    }
    assert!((-10.02..=-10.0).contains(&value("url.check.cert.days", "url=old").unwrap()));
    let told = format!("{:?} {:?}", collected.problems, collected.remarks);
    assert_eq!((collected.problems.len(), collected.remarks.len()), (3, 2), "{told}");
    assert!(!told.contains("secret") && !format!("{:?}", said(&collected)).contains("secret"), "{told}");
    assert!(collected.remarks[0].1.contains("another entry has the same tag"), "{told}");
    assert!(collected.remarks[1].0.ends_with("lax") && collected.remarks[1].1.contains("expired"), "{told}");
    assert_eq!(bed.cycle_of(Sets::FALCON).samples, [], "not where none of its names is sent");
}

/// It was 0, as of a certificate that somebody had looked at and refused.
#[test]
fn a_verdict_that_nobody_gave_is_no_value() {
    let authority = Authority::new();
    let server = Server::showing(&authority, GOOD);
    let url = format!(r#"{{"url": "https://good.test:{}/", "name": "#, server.port());
    let urls = format!(r#"[{url}"strict"}}, {url}"lax", "verify": false}}]"#);
    let mut bed = Bed::new(&authority, &urls);
    let nothing = Tls::by(Box::new(|_| Err(tokio_rustls::rustls::Error::General("none".to_owned()))));
    bed.urls.client = Arc::new(Client { tls: nothing, ..client(&authority) });
    let collected = bed.cycle();
    assert!(said(&collected).iter().all(|(name, ..)| *name != VERIFIED.name), "{collected:?}");
    let up: Vec<f64> = said(&collected).iter().filter(|(name, ..)| *name == UP.name).map(|(.., up)| *up).collect();
    assert_eq!(up, [0.0, 1.0]);
    let told =
        |told: &[(String, String)]| told.iter().any(|(_, why)| why.contains("what this host trusts is not known"));
    assert!(told(&collected.problems) && told(&collected.remarks), "{collected:?}");
}

#[test]
fn names_that_are_not_sent_are_remarked() {
    let mut bed = Bed::sending(&[NameSet::Falcon], &Authority::new(), r#"["h"]"#);
    let collected = bed.cycle_of(Sets::FALCON);
    assert!(collected.samples.is_empty() && collected.remarks[0].1.contains("extended"), "{collected:?}");
}

#[test]
fn four_are_asked_at_once_and_no_connection_outlives_the_cycle() {
    let (open, gate) = watch::channel(false);
    let server = Server::doing(Script::Held(gate));
    let mut bed = Bed::new(&Authority::new(), "[]");
    bed.assign(&(0..9).map(|n| format!("url=http://{}/{n},timeout=30", server.address)).collect::<Vec<_>>());
    let collected = std::thread::scope(|scope| {
        let cycle = scope.spawn(|| bed.cycle());
        while server.open() < TURNS && !cycle.is_finished() {
            std::thread::yield_now();
        }
        open.send(true).unwrap();
        cycle.join().unwrap()
    });
    assert!(said(&collected).iter().all(|(_, _, value)| *value == 1.0), "{collected:?}");
    assert_eq!((said(&collected).len(), server.heads().len(), server.most()), (9, 9, TURNS));
    let end = std::time::Instant::now() + LIMIT;
    while server.open() > 0 {
        assert!(std::time::Instant::now() < end, "{} connections are open", server.open());
        std::thread::yield_now();
    }
}

#[test]
fn what_gets_no_turn_in_a_cycle_has_no_value_and_is_first_in_the_next() {
    let server = Server::doing(Script::Hold(""));
    let mut bed = Bed::new(&Authority::new(), "[]");
    // Its clock leaps over every wait.
    bed.urls.runtime =
        Some(tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap());
    bed.assign(&(0..6).map(|n| format!("url=http://{}/{n},timeout=60", server.address)).collect::<Vec<_>>());
    let paths = |collected: &Collected| -> Vec<char> {
        assert!(said(collected).iter().all(|(_, _, value)| *value == 0.0));
        said(collected).iter().map(|(_, tags, _)| tags.split(',').next().unwrap().chars().last().unwrap()).collect()
    };
    let first = bed.cycle();
    assert_eq!(paths(&first), ['0', '1', '2', '3']);
    assert!(first.problems.iter().any(|(_, why)| why.starts_with("not all get their turn within 55 s")), "{first:?}");
    assert_eq!(paths(&bed.cycle()), ['4', '5', '0', '1']);
    assert_eq!(paths(&bed.cycle()), ['2', '3', '4', '5']);
}

/// The event loop that dropped it, at a reload and at the end, failed: a runtime within a runtime was waited for.
#[tokio::test]
async fn one_that_has_asked_may_be_dropped_by_the_event_loop() {
    let server = Server::answering(OK);
    let mut bed = Bed::new(&Authority::new(), &format!(r#"["http://{}/"]"#, server.address));
    assert_eq!(bed.cycle().problems, []);
    drop(bed);
}
