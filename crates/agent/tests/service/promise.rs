//! No point lost: through stops of the service, through its death, and through power cuts of the host.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::http;
use crate::harness::servers::{Does, Fault, GOOD, Server};
use crate::load::Load;
use crate::machine::{Machine, SERVICE, State};
use crate::quiet;

/// Whoever is killed loses no more than the last second; half of one more is a busy machine's.
const LAST: Duration = Duration::from_millis(1500);
/// Of the pushes to one life.
const LOAD: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Kill,
    PowerCut,
}

/// Pushes for a while; answers what was taken, and when.
fn load(machine: &Machine, load: &Load) -> Vec<(usize, Instant)> {
    let (mut taken, end) = (Vec::new(), Instant::now() + LOAD);
    while Instant::now() < end {
        let (n, body) = load.next();
        if http::post(machine.http(), "/v1/push", &body).is_ok_and(|answer| answer.status == 200) {
            taken.push((n, Instant::now()));
        }
        sleep(Duration::from_millis(10));
    }
    assert!(!taken.is_empty(), "no push was taken\n{}", machine.state());
    taken
}

#[test]
fn what_was_acknowledged_arrives_through_stop_kill_and_power_cut() {
    let (server, numbers) = (Server::good(), Load::new("app", 2));
    let config = quiet(&[&server.addr]);
    let machine = Machine::installed(&config);
    machine.start(&config);
    let mut safe = BTreeSet::new();
    for (end, does) in [
        (End::Kill, GOOD),
        (End::Stop, Does::Fails(Fault::Silent)),
        (End::PowerCut, Does::Fails(Fault::Closes)),
        (End::Kill, Does::Fails(Fault::Silent)),
        (End::PowerCut, GOOD),
        (End::Stop, Does::Fails(Fault::Closes)),
    ] {
        server.does(does);
        let taken = load(&machine, &numbers);
        let ends = Instant::now();
        let kept = match end {
            End::Stop => Duration::ZERO,
            End::Kill | End::PowerCut => LAST,
        };
        safe.extend(taken.into_iter().filter(|(_, at)| *at + kept <= ends).map(|(n, _)| n));
        match end {
            End::Stop => {
                machine.done(&["stop"]);
                machine.start(&config);
            }
            End::Kill => {
                machine.kill("falcon-agent.exe");
                // Wine 8 takes the service for running until it is started again.
                machine.start(&config);
            }
            End::PowerCut => {
                machine.configure(&config);
                machine.prefix.cut_power();
                machine.prefix.boot();
                machine.wait_for(SERVICE, State::Running);
                machine.answers();
            }
        }
    }
    server.turn_good();
    machine.push(&numbers, 1);
    safe.insert(numbers.pushed() - 1);
    for series in 0..2 {
        let missing = || {
            let arrived: BTreeSet<usize> = numbers.numbers(&server, series).into_iter().collect();
            safe.difference(&arrived).copied().collect::<Vec<usize>>()
        };
        machine.wait("the last point", || numbers.numbers(&server, series).contains(safe.last()?).then_some(()));
        assert!(missing().is_empty(), "{:?} of {} that were safe\n{}", missing(), safe.len(), machine.state());
    }
    assert!(safe.len() > 100, "{} are no load", safe.len());
}
