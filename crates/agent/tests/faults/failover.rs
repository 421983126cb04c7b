//! Several transfers: as long as one of them answers, points go there.

use crate::config;
use crate::harness::agent::Agent;
use crate::harness::peer::Peer;
use crate::harness::servers::{BlackHole, Dead, Does, Fault, Server};
use crate::load::{Load, own_points_are_in_order};

#[test]
fn one_of_three_is_dead() {
    let (dead, a, b) = (Dead::start(), Server::good(), Server::good());
    let agent = Agent::start(&config(&[&dead.addr, &a.addr, &b.addr]));
    let load = Load::new("app", 100);
    load.push(&agent, 10);
    load.all_arrive(&agent, &[&a, &b]);
    assert_eq!(agent.lines("points wait").len(), 0, "{}", agent.state());
}

#[test]
fn one_of_two_is_a_black_hole() {
    let (hole, server) = (BlackHole::start(), Server::good());
    let agent = Agent::start(&config(&[&hole.addr, &server.addr]));
    let load = Load::new("app", 100);
    load.push(&agent, 10);
    load.all_arrive(&agent, &[&server]);
    own_points_are_in_order(&agent, &[&server]);
}

/// Whichever of them is in use stops in the middle of its work, in each of the ways that leave a connection open.
#[test]
fn the_one_in_use_hangs() {
    for fault in [Fault::Silent, Fault::Deaf] {
        let servers = [Server::good(), Server::good()];
        let both = [&servers[0], &servers[1]];
        let agent = Agent::start(&config(&[&servers[0].addr, &servers[1].addr]));
        let load = Load::new("app", 100);
        load.push(&agent, 3);
        load.all_arrive(&agent, &both);
        let used = usize::from(servers[0].points() == 0);
        servers[used].does(Does::Fails(fault));
        load.push(&agent, 3);
        load.all_arrive(&agent, &both);
        own_points_are_in_order(&agent, &both);
        assert!(servers[1 - used].points() > 0);
    }
}

#[test]
fn all_of_three_go_and_come_back() {
    let servers = [Server::good(), Server::good(), Server::good()];
    let all = servers.each_ref();
    let agent = Agent::start(&config(&all.map(|server| server.addr.as_str())));
    let load = Load::new("app", 100);
    load.push(&agent, 3);
    load.all_arrive(&agent, &all);
    all.iter().for_each(|server| server.down());
    load.push(&agent, 5);
    agent.wait("a warning", || (!agent.warnings("transfer").is_empty()).then_some(()));
    agent.wait("points on the disk", || (agent.home().queue_bytes() > 0).then_some(()));
    load.push(&agent, 5);
    // One is enough; the others come later, and nothing goes to two of them.
    servers[1].up();
    load.all_arrive(&agent, &all);
    servers[0].up();
    servers[2].up();
    load.push(&agent, 5);
    load.all_arrive(&agent, &all);
    own_points_are_in_order(&agent, &all);
}

/// Go's own transfer goes away and comes back, and the agent dies between.
#[test]
fn go_decodes_what_an_agent_before_this_one_left() {
    let mut peer = Peer::start();
    let config = config(&[&peer.transfer]);
    let load = Load::new("app", 100);
    let agent = Agent::start(&config);
    load.push(&agent, 3);
    let numbers = |peer: &Peer| -> Vec<usize> {
        peer.items_of("app").iter().filter(|item| item.metric == "m7").filter_map(|item| load.number(item)).collect()
    };
    peer.wait("three", &agent, || (numbers(&peer) == [0, 1, 2]).then_some(()));
    peer.say("down");
    load.push(&agent, 5);
    let home = agent.home().clone();
    agent.wait("points on the disk", || (home.queue_bytes() > 0).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
    let agent = Agent::start_in(&home, &config);
    load.push(&agent, 2);
    peer.say("up");
    peer.wait("all of them", &agent, || (numbers(&peer).len() >= load.pushed()).then_some(()));
    assert_eq!(numbers(&peer), (0..load.pushed()).collect::<Vec<_>>(), "{}", agent.state());
}
