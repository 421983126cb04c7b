//! Faults in virtual time.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_dead_address_is_passed_over_and_not_dialled_again() {
    let (world, mut servers) = World::new(&[Mode::Refuses, Mode::Answers, Mode::Answers]);
    for _ in 0..5 {
        assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    }
    assert_eq!(world.dialled(), "AB");
    assert_eq!(world.lines(), ["warn A: refused; B is used"]);
    let states: Vec<_> = servers.board().states().into_iter().map(|s| (s.state, s.error, s.used)).collect();
    let error = Some("refused".to_owned());
    assert_eq!(states, [(State::Down, error, false), (State::Up, None, true), (State::Untried, None, false)]);
    // The other one dies too: what is not known to be dead comes before what is.
    world.set('B', Mode::Refuses);
    servers.open = None;
    world.answers(&mut servers, 'C').await;
    assert_eq!((world.dialled().as_str(), world.stats.transfer_switches.get()), ("BC", 1));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_drops_packets_costs_a_second_and_one_that_is_half_open_ten_once() {
    for (mode, cost, why) in [
        (Mode::Hole, 1, "no connection within 1000 ms"),
        (Mode::Silent, 10, "the server did not answer within 10 s"),
        (Mode::Ends, 0, "the server closed the connection"),
    ] {
        let (world, mut servers) = World::new(&[mode, Mode::Answers]);
        assert_eq!(world.answers(&mut servers, 'B').await, seconds(cost), "{mode:?}");
        assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
        assert_eq!(world.lines(), [format!("warn A: {why}; B is used")]);
    }
}

/// A cable that was pulled: the connection stands, and nothing comes.
#[tokio::test(start_paused = true)]
async fn a_connection_that_falls_silent_costs_ten_seconds_and_no_second_try() {
    let (world, mut servers) = World::new(&[Mode::Answers, Mode::Answers]);
    world.answers(&mut servers, 'A').await;
    world.set('A', Mode::Silent);
    assert_eq!(world.answers(&mut servers, 'B').await, seconds(10));
    assert_eq!((world.dialled().as_str(), world.stats.transfer_switches.get()), ("AB", 1));
}

#[tokio::test(start_paused = true)]
async fn the_home_is_dialled_beside_the_work_and_returned_to_when_it_stands() {
    let (world, mut servers) = World::new(&[Mode::Answers, Mode::Answers]);
    world.answers(&mut servers, 'A').await;
    world.set('A', Mode::Hole);
    servers.open = None;
    world.answers(&mut servers, 'B').await;
    assert_eq!(world.lines(), ["warn A: no connection within 1000 ms; B is used"]);
    advance(seconds(28)).await;
    world.dialled();
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    assert_eq!(world.dialled(), "");
    // It is tried and does not answer yet: no call waits for that.
    advance(seconds(18)).await;
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    assert_eq!(world.dialled(), "A");
    world.set('A', Mode::Answers);
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    advance(seconds(91)).await;
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    assert_eq!(world.answers(&mut servers, 'A').await, Duration::ZERO);
    assert_eq!(world.dialled(), "A", "the connection that stood is the one that is used");
    assert_eq!(world.lines(), ["info A answers again and is used"]);
    assert_eq!((servers.board().states()[0].state, world.stats.transfer_switches.get()), (State::Up, 2));
}

/// Two servers hand a backlog on in another order than it was sent.
#[tokio::test(start_paused = true)]
async fn while_a_backlog_drains_nothing_is_left_that_answers() {
    let (world, mut servers) = World::new(&[Mode::Refuses, Mode::After(4), Mode::Answers]);
    servers.may_return(false);
    world.answers(&mut servers, 'B').await;
    world.set('A', Mode::Answers);
    for _ in 0..5 {
        advance(seconds(600)).await;
        world.answers(&mut servers, 'B').await;
    }
    assert_eq!(world.dialled(), "AB");
    // A connection that came just before the backlog is of no use either.
    servers.may_return(true);
    world.answers(&mut servers, 'B').await;
    servers.may_return(false);
    world.answers(&mut servers, 'B').await;
    servers.may_return(true);
    world.set('B', Mode::Answers);
    world.answers(&mut servers, 'B').await;
    world.answers(&mut servers, 'A').await;
}

#[tokio::test(start_paused = true)]
async fn a_home_that_stays_away_is_tried_ever_more_rarely() {
    let (world, mut servers) = World::new(&[Mode::Refuses, Mode::Answers]);
    for _ in 0..3600 {
        world.answers(&mut servers, 'B').await;
        advance(seconds(1)).await;
    }
    let dialled: Vec<_> = world.dialled.lock().unwrap().iter().filter(|(l, _)| *l == 'A').map(|(_, at)| *at).collect();
    let gaps: Vec<_> = dialled.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    for (n, gap) in gaps.iter().enumerate() {
        let pause = (30 << n.min(4)).min(300);
        assert!((pause..=pause * 3 / 2 + 2).contains(gap), "{gaps:?}");
    }
    assert!(gaps.len() >= 8, "{gaps:?}");
    assert_eq!(world.lines(), ["warn A: refused; B is used"]);
}

#[tokio::test(start_paused = true)]
async fn a_home_that_only_takes_connections_costs_ten_seconds_now_and_then_and_one_line() {
    let (world, mut servers) = World::new(&[Mode::Silent, Mode::Answers]);
    let (mut lost, start) = (Duration::ZERO, Instant::now());
    while start.elapsed() < seconds(3600) {
        let took = world.answers(&mut servers, 'B').await;
        assert!(took.is_zero() || took == seconds(10), "{took:?}");
        lost += took;
        advance(seconds(10)).await;
    }
    assert!(lost <= seconds(160), "{lost:?}");
    assert_eq!(world.lines(), ["warn A: the server did not answer within 10 s; B is used"]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_slow_twice_in_a_row_is_left() {
    let (world, mut servers) = World::new(&[Mode::After(4), Mode::Answers]);
    world.answers(&mut servers, 'A').await;
    world.set('A', Mode::Answers);
    world.answers(&mut servers, 'A').await;
    world.set('A', Mode::After(4));
    world.answers(&mut servers, 'A').await;
    assert_eq!(servers.board().states()[0].state, State::Up);
    // Whoever asks who answered is told the truth.
    world.answers(&mut servers, 'A').await;
    assert_eq!(servers.board().states()[0].state, State::Slow);
    assert_eq!(world.stats.transfer_call_ms.get(), Some(4000));
    assert_eq!(world.answers(&mut servers, 'B').await, Duration::ZERO);
    assert_eq!(world.lines(), ["warn A: answers take 4.0 s; B is used"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_address_is_kept_where_there_is_no_better_one() {
    let (world, mut servers) = World::new(&[Mode::After(4), Mode::Refuses]);
    for _ in 0..9 {
        world.answers(&mut servers, 'A').await;
    }
    assert_eq!(world.dialled(), "ABA");
    assert_eq!(world.lines(), ["warn A: answers take 4.0 s; B: refused; A is used"]);
    let (world, mut servers) = World::new(&[Mode::After(4)]);
    for _ in 0..9 {
        world.answers(&mut servers, 'A').await;
    }
    world.set('A', Mode::Answers);
    for _ in 0..9 {
        world.answers(&mut servers, 'A').await;
    }
    assert_eq!(world.dialled(), "A");
    assert_eq!(world.lines(), ["warn A: answers take 4.0 s", "info A answers in time again"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_dead_all_are_tried_and_whoever_comes_first_is_used() {
    let (world, mut servers) = World::new(&[Mode::Answers, Mode::Refuses, Mode::Hole]);
    world.answers(&mut servers, 'A').await;
    assert_eq!(world.stats.transfer_up.get(), Some(1));
    world.set('A', Mode::Refuses);
    servers.open = None;
    world.dialled();
    assert_eq!(world.call(&mut servers).await, ('C', Some("no connection within 1000 ms".into()), seconds(1)));
    assert_eq!(world.stats.transfer_up.get(), Some(0));
    assert_eq!(world.dialled(), "ABC");
    // Of the last one, and that points wait, the caller tells.
    assert_eq!(world.lines(), ["info A: refused; B: refused"]);
    for _ in 0..3 {
        assert!(world.call(&mut servers).await.1.is_some());
        let mut dialled: Vec<_> = world.dialled().chars().collect();
        dialled.sort_unstable();
        dialled.dedup();
        assert_eq!(dialled, ['A', 'B', 'C']);
    }
    world.set('B', Mode::Answers);
    world.answers(&mut servers, 'B').await;
    // The caller says that it is up again.
    assert_eq!(world.lines(), Vec::<String>::new());
    assert_eq!((world.stats.transfer_up.get(), world.stats.transfer_switches.get()), (Some(1), 1));
}

/// A minute of trying was a cycle without a point.
#[tokio::test(start_paused = true)]
async fn a_round_ends_in_time_and_the_next_begins_with_those_not_tried() {
    let (world, mut servers) = World::new(&[Mode::Silent; 6]);
    world.set('F', Mode::Answers);
    let (_, error, took) = world.call(&mut servers).await;
    assert!(error.is_some() && took == seconds(30), "{took:?}");
    assert_eq!(world.dialled(), "ABC");
    let silent = "the server did not answer within 10 s";
    assert_eq!(world.lines(), [format!("info A: {silent}; B: {silent}")]);
    assert_eq!(world.answers(&mut servers, 'F').await, seconds(20));
    assert_eq!(world.dialled(), "DEF");
    assert_eq!(world.lines(), [format!("warn D: {silent}; E: {silent}; F is used")]);
}
