//! An agent that ends in good order while no transfer takes anything.

use crate::harness::agent::Agent;
use crate::harness::servers::{BlackHole, Does, Fault, Server};
use crate::load::Load;
use crate::quiet;

/// The points were never a second old: it is the stop that stores them.
#[test]
fn everything_is_stored_and_the_next_agent_delivers_it() {
    let server = Server::good();
    let load = Load::new("app", 100);
    let hole = BlackHole::start();
    let config = quiet(&[&server.addr]);
    let mut agent = Agent::start(&config);
    let home = agent.home().clone();
    for fault in [None, Some(Fault::Silent), Some(Fault::Deaf)] {
        match fault {
            None => server.down(),
            Some(fault) => server.does(Does::Fails(fault)),
        }
        load.push(&agent, 5);
        let ended = agent.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(!ended.err.contains("lost"), "{}", ended.err);
        // A configuration with other addresses finds the same points.
        agent = Agent::start_in(&home, &quiet(&[&hole.addr]));
        load.push(&agent, 1);
        let ended = agent.terminate();
        assert!(ended.code == Some(0) && !ended.err.contains("lost"), "{ended:?}");
        server.up();
        server.turn_good();
        agent = Agent::start_in(&home, &config);
        load.push(&agent, 1);
        load.all_arrive(&agent, &[&server]);
    }
    let ended = agent.terminate();
    assert!(ended.code == Some(0) && ended.err.contains("every point was sent"), "{}", ended.err);
    assert_eq!(home.queue_bytes(), 0);
}
