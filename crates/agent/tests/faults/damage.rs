//! Files of the queue to which something happens while no agent runs: what is whole arrives, in order, and what is not is
//! counted. The log's own tests do this to every byte of it; this is that the agent goes on from there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::harness::agent::{Agent, Home, segments};
use crate::harness::servers::Server;
use crate::load::Load;
use crate::quiet;

const SERIES: usize = 100;
/// What arrives before the files are needed again, so that there is a cursor.
const BEFORE: usize = 3;
const WAITING: usize = 10;

/// The numbers that never arrived, after the directory of an agent that has ended was damaged so. They are those that the
/// next agent counts as damaged, but for what a crash takes with it unseen.
fn missing_after(damage: impl Fn(&Path)) -> (Vec<usize>, usize) {
    let (server, load, home) = (Server::good(), Load::new("app", SERIES), Home::new());
    let config = quiet(&[&server.addr]);
    let agent = Agent::start_in(&home, &config);
    for count in [BEFORE, WAITING] {
        agent.wait("an empty disk", || (home.queue_bytes() == 0).then_some(()));
        server.down();
        load.push(&agent, count);
        agent.wait("points on the disk", || (home.queue_bytes() > 0).then_some(()));
        if count == BEFORE {
            server.up();
            load.all_arrive(&agent, &[&server]);
        }
    }
    assert_eq!(agent.terminate().code, Some(0));
    assert!(home.queue().join("cursor").exists());
    damage(&home.queue());
    let agent = Agent::start_in(&home, &config);
    server.up();
    load.push(&agent, 1);
    let last = load.pushed() - 1;
    agent.wait("the last point", || (load.numbers(&server, SERIES - 1).last() == Some(&last)).then_some(()));
    agent.wait("an empty disk", || (home.queue_bytes() == 0).then_some(()));
    let arrived = load.numbers(&server, 0);
    assert!(arrived.windows(2).all(|pair| pair[0] < pair[1]), "{arrived:?}");
    for series in 1..SERIES {
        assert_eq!(load.numbers(&server, series), arrived, "a push arrives or is lost as a whole: it is one record");
    }
    let counted = agent.health()["queue"]["lost"]["damaged"].as_u64().expect("a count");
    assert_eq!(agent.terminate().code, Some(0));
    ((0..=last).filter(|n| !arrived.contains(n)).collect(), usize::try_from(counted).unwrap())
}

/// The one file that the points are in.
fn segment(queue: &Path) -> std::path::PathBuf {
    let files = segments(queue);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn files_without_a_byte_or_of_somebody_else_cost_nothing() {
    let litter = |queue: &Path| {
        for name in ["0000000000000000.log", "00000000000000ff.log", "cursor"] {
            File::create(queue.join(name)).expect("a file");
        }
        for name in ["0000000000000001.log.bak", "cursor.new", "队列.txt"] {
            fs::write(queue.join(name), name).expect("written");
        }
    };
    assert_eq!(missing_after(litter), (vec![], 0));
}

#[test]
fn a_cursor_that_is_gone_or_nonsense_costs_nothing() {
    assert_eq!(missing_after(|queue| fs::remove_file(queue.join("cursor")).expect("removed")), (vec![], 0));
    assert_eq!(missing_after(|queue| fs::write(queue.join("cursor"), [7; 32]).expect("written")), (vec![], 0));
}

/// Half of the last record, as after a power cut.
#[test]
fn a_torn_end_costs_the_last_record() {
    let (missing, _) = missing_after(|queue| {
        let file = File::options().write(true).open(segment(queue)).expect("it is there");
        let bytes = file.metadata().expect("it is there").len();
        file.set_len(bytes - 7).expect("shorter");
    });
    assert_eq!(missing, [BEFORE + WAITING - 1]);
}

#[test]
fn a_flipped_bit_costs_one_record_and_is_counted() {
    let (missing, counted) = missing_after(|queue| {
        let file = segment(queue);
        let mut bytes = fs::read(&file).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).expect("written");
    });
    assert_eq!((missing.len(), counted), (1, SERIES), "{missing:?}");
}

#[test]
fn a_tail_of_nonsense_costs_nothing() {
    let (missing, _) = missing_after(|queue| {
        let mut file = File::options().append(true).open(segment(queue)).expect("it is there");
        file.write_all(&[0xA5; 100_000]).expect("longer");
    });
    assert_eq!(missing, [0_usize; 0]);
}
