use super::*;
use std::sync::{Condvar, Mutex, mpsc};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn an_address_is_split_at_its_port() {
    assert_eq!(split("db:3306"), ("db", 3306));
    assert_eq!(split("[::1]:53"), ("::1", 53));
    assert_eq!(split("[fe80::1%eth0]:80"), ("fe80::1%eth0", 80));
}

// What was not on a list of errors was told as not made: a network that says something else had no value.
#[test]
fn what_this_host_lacks_was_not_made_and_all_else_is_of_the_network() {
    use io::ErrorKind::{
        AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionRefused, HostUnreachable, InvalidInput, Other, OutOfMemory,
        PermissionDenied, TimedOut, WouldBlock,
    };
    for kind in [AddrInUse, AddrNotAvailable, OutOfMemory, WouldBlock] {
        assert!(matches!(Why::of(&kind.into()), Why::NotMade(_)), "{kind:?}");
    }
    for kind in [BrokenPipe, ConnectionRefused, HostUnreachable, InvalidInput, Other, PermissionDenied, TimedOut] {
        assert!(matches!(Why::of(&kind.into()), Why::Failed(_)), "{kind:?}");
    }
}

#[test]
fn so_many_are_made_at_once_and_no_more() {
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // None goes on before all that are at once have come.
    let (here, came) = (Mutex::new(0), Condvar::new());
    let numbers: Vec<usize> = (0..2 * AT_ONCE).collect();
    let answers = each(
        Instant::now() + LONG,
        &numbers,
        |_| Duration::ZERO,
        |number| {
            most.fetch_max(1 + inside.fetch_add(1, Relaxed), Relaxed);
            let mut all = here.lock().unwrap();
            *all += 1;
            came.notify_all();
            let (all, waited) = came.wait_timeout_while(all, LONG, |all| *all < AT_ONCE).unwrap();
            assert!(!waited.timed_out());
            drop(all);
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
    assert_eq!(answer(9), Err(Why::Failed("refused".to_owned())));
}

// A name whose addresses change places was told in the log with each cycle.
#[test]
fn a_reason_is_the_same_in_whatever_order_the_addresses_come() {
    let told = |order: [u8; 3]| {
        let addresses = order.map(|n| SocketAddr::from(([127, 0, 0, n], 0)));
        first_of(&addresses, 80, LONG, |address, _| match address {
            SocketAddr::V4(v4) if v4.ip().octets()[3] == 1 => Err::<(), _>(Why::Failed("refused".to_owned())),
            SocketAddr::V4(v4) if v4.ip().octets()[3] == 2 => Err(Why::Failed("no route".to_owned())),
            _ => Err(not_made("no descriptor")),
        })
    };
    let all = Err(Why::Failed("no route; refused".to_owned()));
    assert_eq!([told([1, 2, 3]), told([3, 2, 1]), told([2, 3, 1])], [all.clone(), all.clone(), all]);
    assert_eq!(first_of(&[], 80, LONG, |_, _| Ok(())), Err(Why::Failed("no answer in time".to_owned())));
}

#[test]
fn what_is_asked_for_twice_is_one_series() {
    let checks = [("a", 1), ("b", 2), ("a", 3)];
    let probes = Probes::new(checks.into_iter().map(|check| (check, Tags::of(&[("host", check.0)]))));
    assert_eq!(probes.list.iter().map(|(check, _)| *check).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    assert_eq!(probes.twice, [Tags::of(&[("host", "a")])]);
}
