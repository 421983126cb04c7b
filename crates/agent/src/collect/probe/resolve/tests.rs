use super::*;
use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(100);

/// A resolver whose names hang until they are let go, if they begin with `dead`.
#[derive(Default)]
struct Fake {
    released: Mutex<bool>,
    changed: Condvar,
    asked: Mutex<Vec<String>>,
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Fake {
    fn resolver(self: &Arc<Fake>) -> Resolver {
        let fake = self.clone();
        let ask = move |name: &str| {
            fake.most.fetch_max(1 + fake.inside.fetch_add(1, Relaxed), Relaxed);
            fake.asked.lock().unwrap().push(name.to_owned());
            if name.starts_with("dead") {
                drop(fake.changed.wait_while(fake.released.lock().unwrap(), |released| !*released).unwrap());
            } else {
                sleep(Duration::from_millis(50));
            }
            fake.inside.fetch_sub(1, Relaxed);
            Ok(vec![address()])
        };
        Resolver::asking("test", Arc::default(), Arc::new(ask))
    }

    fn release(&self, resolver: &Resolver) {
        *self.released.lock().unwrap() = true;
        self.changed.notify_all();
        let began = Instant::now();
        while !held(&resolver.out).is_empty() {
            assert!(began.elapsed() < LONG, "{:?}", resolver.out);
            sleep(Duration::from_millis(1));
        }
        *self.released.lock().unwrap() = false;
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 0))
}

fn names(kind: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{kind}{n:02}")).collect()
}

fn resolve(resolver: &mut Resolver, names: &[String], own: Duration, within: Duration) -> Vec<Result<Addresses, Why>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answers = resolver.resolve(&names, &|_| own, Instant::now() + within);
    answers.into_iter().map(|answer| answer.map(|(addresses, _)| addresses)).collect()
}

// A hundred names of 40 ms were asked one after another, and those behind the end were told as hosts that are down.
#[test]
fn names_that_got_no_time_are_not_said_to_fail() {
    let fake = Arc::<Fake>::default();
    let mut resolver = fake.resolver();
    let answers = resolve(&mut resolver, &names("name", 20), OWN, SHORT);
    assert!(answers.iter().all(|answer| !matches!(answer, Err(Why::Failed(_)))), "{answers:?}");
    assert_eq!(resolver.stats.collect_hung.get(), 0);
    fake.release(&resolver);
    let answers = resolve(&mut resolver, &names("name", 20), OWN, LONG);
    assert!(answers.iter().all(|answer| *answer == Ok(vec![address()])), "{answers:?}");
}

// An outage of the resolver began a thread for each name that had answered before it.
#[test]
fn an_outage_costs_a_bounded_number_of_threads_and_names_that_answer_go_first_afterwards() {
    let fake = Arc::<Fake>::default();
    let mut resolver = fake.resolver();
    let dead = names("dead", 3 * AT_ONCE);
    let failed = |answers: &[Result<Addresses, Why>]| -> Vec<usize> {
        answers.iter().enumerate().filter(|(_, a)| matches!(a, Err(Why::Failed(_)))).map(|(n, _)| n).collect()
    };
    // However short their own time is: all that got a turn have had it.
    let answers = resolve(&mut resolver, &dead, Duration::ZERO, SHORT);
    let first = failed(&answers);
    assert!(first.len() <= AT_ONCE && answers.iter().all(Result::is_err), "{answers:?}");
    assert_eq!(resolver.stats.collect_hung.get(), first.len() as u64);
    let answers = resolve(&mut resolver, &dead, Duration::ZERO, SHORT);
    assert!(failed(&answers).len() <= AT_ONCE, "what is out still fails: {answers:?}");
    assert_eq!(fake.most.load(Relaxed).max(AT_ONCE), AT_ONCE);
    fake.release(&resolver);
    let (asked_before, well) = (fake.asked.lock().unwrap().len(), names("well", 1));
    let all: Vec<String> = first.iter().map(|place| dead[*place].clone()).chain(well).collect();
    *fake.released.lock().unwrap() = true;
    let answers = resolve(&mut resolver, &all, OWN, LONG);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    if !first.is_empty() {
        // Of those that begin together nobody knows which comes first.
        let at = fake.asked.lock().unwrap()[asked_before..].iter().position(|name| name.starts_with("well"));
        assert!(at.unwrap() < AT_ONCE);
    }
    assert_eq!(resolver.tardy.iter().filter(|name| all.contains(name)).count(), 0);
}

#[test]
fn a_name_that_hangs_is_down_and_costs_no_other_its_answer() {
    let fake = Arc::<Fake>::default();
    let mut resolver = fake.resolver();
    let all = ["dead".to_owned(), "name".to_owned()];
    let mut within = SHORT;
    // A machine that is busy takes its time.
    let answers = loop {
        let answers = resolve(&mut resolver, &all, Duration::ZERO, within);
        if answers[1].is_ok() {
            break answers;
        }
        assert!(within < LONG, "{answers:?}");
        within *= 2;
    };
    assert_eq!(answers[0], Err(Why::Failed(LEFT_ALONE.to_owned())));
    assert_eq!(fake.asked.lock().unwrap().iter().filter(|name| *name == "dead").count(), 1, "not asked again");
    fake.release(&resolver);
}

#[test]
fn a_panic_is_of_one_name_and_an_error_is_of_the_network_or_of_this_host() {
    let ask = |name: &str| match name {
        "panics" => panic!("on purpose"),
        "full" => Err(io::ErrorKind::OutOfMemory.into()),
        "unknown" => Err(io::Error::other("no such name")),
        _ => Ok(Vec::new()),
    };
    let mut resolver = Resolver::asking("test", Arc::default(), Arc::new(ask));
    let found = resolver.find(["panics", "full", "unknown", "empty"].into_iter());
    assert_eq!(found[0], Err(not_made(DEFECT)));
    assert!(matches!(&found[1], Err(Why::NotMade(_))), "{found:?}");
    let unresolved = |why: &str| Err(Why::Failed(format!("its name is not resolved: {why}")));
    assert_eq!((&found[2], &found[3]), (&unresolved("no such name"), &unresolved("it has no address")));
    assert!(held(&resolver.out).is_empty());
}

#[test]
fn addresses_need_no_resolver_and_a_name_that_is_none_fails_alone() {
    let mut resolver = Resolver::new("test", Arc::default());
    let found = resolver.find(["127.0.0.1", "no..name", "::1", "127.0.0.1"].into_iter());
    let address = |ip: &str| Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)]);
    assert_eq!((&found[0], &found[2], &found[3]), (&address("127.0.0.1"), &address("::1"), &address("127.0.0.1")));
    assert!(matches!(&found[1], Err(Why::Failed(why)) if why.starts_with("its name is not resolved: ")), "{found:?}");
}
