use super::*;
use crate::stats::Stats;
use std::sync::{Barrier, mpsc};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn an_address_is_split_at_its_port() {
    assert_eq!(split("db:3306"), ("db", 3306));
    assert_eq!(split("[::1]:53"), ("::1", 53));
    assert_eq!(split("[fe80::1%eth0]:80"), ("fe80::1%eth0", 80));
}

#[test]
fn addresses_need_no_resolver_and_a_name_that_is_none_fails_alone() {
    let mut names = Names::new("test", Arc::<Stats>::default());
    let found = names.find(["127.0.0.1", "no..name", "::1", "127.0.0.1"].into_iter());
    let address = |ip: &str| Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)]);
    assert_eq!((&found[0], &found[2], &found[3]), (&address("127.0.0.1"), &address("::1"), &address("127.0.0.1")));
    assert!(matches!(&found[1], Err(Why::Failed(why)) if why.starts_with("its name is not resolved: ")), "{found:?}");
    // What hangs has no answer either; what was not asked is another thing.
    let outcome = names.found(Outcome::Late { newly: true });
    assert!(matches!(outcome, Err(Why::Failed(_))) && names.stats.collect_hung.get() == 1);
    assert!(matches!(names.found(Outcome::NoThread("none".to_owned())), Err(Why::NotMade(_))));
}

#[test]
fn so_many_are_made_at_once_and_no_more() {
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // None goes on before all that are at once have come.
    let together = Barrier::new(AT_ONCE);
    let numbers: Vec<usize> = (0..2 * AT_ONCE).collect();
    let answers = each(
        Instant::now() + LONG,
        &numbers,
        |_| Duration::ZERO,
        |number| {
            most.fetch_max(1 + inside.fetch_add(1, Relaxed), Relaxed);
            together.wait();
            inside.fetch_sub(1, Relaxed);
            Ok(*number)
        },
    );
    assert_eq!(answers, numbers.iter().map(|number| Ok(*number)).collect::<Vec<_>>());
    assert!(most.load(Relaxed) <= AT_ONCE);
}

#[test]
fn what_would_end_too_late_is_not_begun() {
    let (begun, seen) = mpsc::channel();
    let end = Instant::now() + LONG / 2;
    let answers = each(
        end,
        &[LONG, Duration::ZERO],
        |longest| *longest,
        |_| {
            begun.send(()).unwrap();
            Ok(())
        },
    );
    assert!(matches!(&answers[0], Err(Why::NotMade(_))) && answers[1] == Ok(()), "{answers:?}");
    assert_eq!(seen.try_iter().count(), 1);
}

#[test]
fn one_that_panics_costs_no_other_its_answer() {
    let odd = |number: &u32| if number % 2 == 1 { Ok(()) } else { panic!("on purpose") };
    let answers = each(Instant::now() + LONG, &[1, 2, 3], |_| Duration::ZERO, odd);
    assert_eq!(answers, [Ok(()), Err(not_made(DEFECT)), Ok(())]);
}

#[test]
fn addresses_share_the_time_and_the_first_that_answers_counts() {
    let addresses: Vec<SocketAddr> = (1..=3).map(|n| SocketAddr::from(([127, 0, 0, n], 0))).collect();
    let answer = |n: u8| {
        first_of(&addresses, 80, LONG, |address, share| {
            assert!(address.port() == 80 && share <= LONG, "{address} {share:?}");
            match address {
                SocketAddr::V4(v4) if v4.ip().octets()[3] == n => Ok(share),
                SocketAddr::V4(v4) if v4.ip().octets()[3] == 1 => Err(Why::Failed("refused".to_owned())),
                _ => Err(not_made("no descriptor")),
            }
        })
    };
    assert!(answer(1).is_ok_and(|share| share <= LONG / 3), "a third");
    assert!(answer(3).is_ok_and(|share| share > LONG / 2), "all that is left");
    assert_eq!(answer(9), Err(Why::Failed("127.0.0.1:80: refused".to_owned())));
}

#[test]
fn what_is_asked_for_twice_is_one_series() {
    let checks = [("a", 1), ("b", 2), ("a", 3)];
    let probes = Probes::new(checks.into_iter().map(|check| (check, Tags::of(&[("host", check.0)]))));
    assert_eq!(probes.list.iter().map(|(check, _)| *check).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    assert_eq!(probes.twice, [Tags::of(&[("host", "a")])]);
}
