//! A directory for the queue that is not what it should be: the agent says so in one line, works in memory, and delivers.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::agent::{Agent, Home, segments};
use crate::harness::servers::Server;
use crate::load::Load;
use crate::quiet;

const SERIES: usize = 100;

/// What it says of a queue that has no disk.
fn complaints(agent: &Agent) -> Vec<String> {
    agent.lines(" queue: ").into_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect()
}

/// Points are pushed while no transfer is there, and arrive when one is; `told` is said once.
fn works_in_memory(agent: &Agent, server: &Server, load: &Load, told: &str) {
    server.down();
    load.push(agent, 5);
    agent.wait(&format!("a line with {told:?}"), || {
        complaints(agent).iter().any(|line| line.contains(told)).then_some(())
    });
    agent.assert_healthy();
    load.push(agent, 5);
    server.up();
    load.push(agent, 1);
    load.all_arrive(agent, &[server]);
    assert_eq!(complaints(agent).len(), 1, "{}", agent.state());
}

#[test]
fn a_file_stands_where_the_directory_should_be() {
    for place in ["var", "var/queue"] {
        let (server, load, home) = (Server::good(), Load::new("app", SERIES), Home::new());
        let file = home.path().join(place);
        fs::create_dir_all(file.parent().expect("below the home")).expect("a directory");
        fs::write(&file, "not a directory").expect("a file");
        let agent = Agent::start_in(&home, &quiet(&[&server.addr]));
        works_in_memory(&agent, &server, &load, "queue");
        assert_eq!(fs::read(&file).expect("it is there"), b"not a directory");
        assert_eq!(agent.terminate().code, Some(0));
    }
}

/// A head of format 7, with its checksum: what follows may be anything.
const NEWER: &[u8] = b"falconq\n\x07\0\0\x003d\x8eF and what only the future knows";

#[test]
fn a_newer_agent_has_left_its_files() {
    let (server, load, home) = (Server::good(), Load::new("app", SERIES), Home::new());
    let file = home.queue().join("0000000000000001.log");
    fs::create_dir_all(home.queue()).expect("a directory");
    fs::write(&file, NEWER).expect("a file");
    let agent = Agent::start_in(&home, &quiet(&[&server.addr]));
    works_in_memory(&agent, &server, &load, "newer falcon-agent (format 7");
    assert_eq!(agent.terminate().code, Some(0));
    assert_eq!(fs::read(&file).expect("it is there"), NEWER, "it waits for the one who can read it");
}

/// The second of two agents leaves the first one's files alone.
#[test]
fn another_agent_has_the_directory() {
    let (servers, loads) = ([Server::good(), Server::good()], [Load::new("a", SERIES), Load::new("b", SERIES)]);
    let home = Home::new();
    let first = Agent::start_in(&home, &quiet(&[&servers[0].addr]));
    servers[0].down();
    loads[0].push(&first, 5);
    first.wait("points on the disk", || (home.queue_bytes() > 0).then_some(()));
    let second = Agent::start_in(&home, &quiet(&[&servers[1].addr]));
    works_in_memory(&second, &servers[1], &loads[1], "another");
    loads[0].push(&first, 5);
    servers[0].up();
    loads[0].all_arrive(&first, &[&servers[0]]);
    assert_eq!(complaints(&first), Vec::<String>::new());
    assert_eq!(second.terminate().code, Some(0));
    assert_eq!(first.terminate().code, Some(0));
}

/// What was on the disk is gone with it; all that was still in memory, and all that comes, arrives.
#[test]
fn the_directory_vanishes_while_points_are_in_it() {
    let (server, load) = (Server::good(), Load::new("app", SERIES));
    let agent = Agent::start(&quiet(&[&server.addr]));
    let home = agent.home().clone();
    server.down();
    load.push(&agent, 5);
    agent.wait("points on the disk", || (home.queue_bytes() > 0).then_some(()));
    let gone = load.pushed();
    // The agent may put a file there while the others are being removed.
    agent.wait("the directory to go", || fs::remove_dir_all(home.path().join("var")).ok());
    for _ in 0..20 {
        load.push(&agent, 1);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    agent.assert_healthy();
    server.up();
    load.push(&agent, 1);
    let numbers = || load.numbers(&server, 7);
    agent.wait("the last point", || (numbers().last() == Some(&(load.pushed() - 1))).then_some(()));
    let numbers = numbers();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let missing: Vec<usize> = (gone..load.pushed()).filter(|n| !numbers.contains(n)).collect();
    assert!(missing.is_empty(), "{missing:?} of {numbers:?}\n{}", agent.state());
    assert!(complaints(&agent).len() <= 1, "{}", agent.state());
    // Fit for the next outage.
    server.down();
    load.push(&agent, 5);
    agent.wait("points on the disk", || (home.queue_bytes() > 0).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// 260 characters are the end of a Windows path for programs that do not ask for more, and a system's code page need not
/// have these.
#[test]
fn a_directory_with_a_long_chinese_path() {
    let (server, load, home) = (Server::good(), Load::new("app", SERIES), Home::new());
    let below: PathBuf = (1..=4).map(|n| format!("{n} {}", "队列".repeat(39))).collect();
    let mut config = quiet(&[&server.addr]);
    config["state_dir"] = json!(below);
    let queue = home.path().join(below).join("queue");
    assert!(queue.to_str().expect("UTF-8").chars().count() > 320);
    server.down();
    let agent = Agent::start_in(&home, &config);
    load.push(&agent, 5);
    agent.wait("points on the disk", || (!segments(&queue).is_empty()).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
    server.up();
    let agent = Agent::start_in(&home, &config);
    load.push(&agent, 1);
    load.all_arrive(&agent, &[&server]);
    agent.wait("an empty disk", || segments(&queue).is_empty().then_some(()));
    assert_eq!(complaints(&agent), Vec::<String>::new());
    assert_eq!(agent.terminate().code, Some(0));
}

/// The oldest go, and as many as are missing are counted.
#[test]
fn more_than_the_quota() {
    const QUOTA: u64 = 8 << 20;
    const SERIES: usize = 500;
    let (server, load) = (Server::good(), Load::new("app", SERIES));
    let mut config = quiet(&[&server.addr]);
    config["queue"] = json!({ "max_mb": QUOTA >> 20 });
    let agent = Agent::start(&config);
    let home = agent.home().clone();
    let lost = || agent.health()["queue"]["lost"]["quota"].as_u64().expect("a count");
    server.down();
    while lost() == 0 {
        load.push(&agent, 10);
        assert!(home.queue_bytes() <= QUOTA, "{} bytes", home.queue_bytes());
    }
    server.up();
    load.push(&agent, 1);
    let last = load.pushed() - 1;
    agent.wait("the last point", || (load.numbers(&server, SERIES - 1).last() == Some(&last)).then_some(()));
    let lost = usize::try_from(lost()).unwrap();
    let mut missing = 0;
    for series in 0..SERIES {
        let numbers = load.numbers(&server, series);
        // What was on its way when the transfer went arrives, though its file is gone.
        let jumps: Vec<usize> = numbers.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step != 1).collect();
        assert!(numbers.is_sorted() && jumps.len() <= 1 && numbers.len() > 1, "what is left is whole: {numbers:?}");
        missing += load.pushed() - numbers.len();
    }
    println!("{missing} points are missing, {lost} are counted");
    assert!(missing > 0 && missing <= lost && lost <= missing + SERIES, "{missing}, {lost}\n{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}
