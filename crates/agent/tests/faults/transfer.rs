//! A transfer with a fault, one test for each: what was pushed before, during and after it arrives in order, nothing of it
//! twice where an answer arrived.

use std::time::Duration;

use serde_json::json;

use crate::config;
use crate::harness::agent::{Agent, RSS_LIMIT_KB};
use crate::harness::servers::{BlackHole, Does, Fault, Manner, Server};
use crate::load::{Load, own_points_are_in_order};

/// About 40 KB a push.
const SERIES: usize = 300;

/// An agent, its transfer, and what is pushed into it.
struct Scene {
    server: Server,
    agent: Agent,
    load: Load,
}

impl Scene {
    /// With a few points that have arrived.
    fn start() -> Scene {
        let server = Server::good();
        let agent = Agent::start(&config(&[&server.addr]));
        let scene = Scene { server, agent, load: Load::new("app", SERIES) };
        scene.load.push(&scene.agent, 3);
        scene.load.all_arrive(&scene.agent, &[&scene.server]);
        scene
    }

    /// Long enough for points to be written to the disk.
    fn suffers(&self) {
        self.load.push(&self.agent, 3);
        self.agent.wait("points on the disk", || (self.agent.home().queue_bytes() > 0).then_some(()));
        self.load.push(&self.agent, 2);
        self.agent.assert_healthy();
    }

    fn recovers(self) {
        self.load.push(&self.agent, 1);
        self.load.all_arrive(&self.agent, &[&self.server]);
        self.agent.wait("an empty disk", || (self.agent.home().queue_bytes() == 0).then_some(()));
        own_points_are_in_order(&self.agent, &[&self.server]);
        assert!(self.agent.warnings("transfer").len() <= 1, "{}", self.agent.state());
        assert!(self.agent.rss_kb() < RSS_LIMIT_KB, "{} kB", self.agent.rss_kb());
        assert_eq!(self.agent.terminate().code, Some(0));
    }
}

/// Points wait for as long as the transfer does so.
fn outlasts(fault: Fault) {
    let scene = Scene::start();
    scene.server.does(Does::Fails(fault));
    scene.suffers();
    scene.agent.wait("the fault to show", || (scene.server.faulty_calls() > 0).then_some(()));
    scene.server.turn_good();
    scene.recovers();
}

fn says(text: impl AsRef<[u8]>) {
    outlasts(Fault::Says(text.as_ref().to_vec()));
}

/// Nothing waits: it is an answer.
fn takes(manner: Manner) {
    let scene = Scene::start();
    scene.server.does(Does::Answers(manner));
    scene.load.push(&scene.agent, 3);
    scene.load.all_arrive(&scene.agent, &[&scene.server]);
    scene.server.turn_good();
    scene.recovers();
}

#[test]
fn refused() {
    let scene = Scene::start();
    scene.server.down();
    scene.suffers();
    scene.server.up();
    scene.recovers();
}

/// From the first second of the agent's life.
#[test]
fn a_black_hole_until_it_is_replaced() {
    let (hole, server) = (BlackHole::start(), Server::start(Does::Fails(Fault::Closes)));
    let agent = Agent::start(&config(&[&hole.addr, &server.addr]));
    let scene = Scene { server, agent, load: Load::new("app", SERIES) };
    scene.suffers();
    scene.server.turn_good();
    scene.recovers();
}

#[test]
fn accepts_and_closes() {
    outlasts(Fault::Closes);
}

#[test]
fn accepts_and_never_answers() {
    outlasts(Fault::Silent);
}

#[test]
fn stops_reading_and_never_closes() {
    outlasts(Fault::Deaf);
}

#[test]
fn resets_in_the_middle_of_a_call() {
    outlasts(Fault::Resets);
}

#[test]
fn takes_the_call_and_loses_the_reply() {
    outlasts(Fault::LosesReply);
}

#[test]
fn answers_in_packets_of_one_byte() {
    takes(Manner::Bytewise);
}

/// The second one was once taken for the answer to the next call.
#[test]
fn answers_twice_in_one_packet() {
    takes(Manner::Twice);
}

#[test]
fn answers_with_more_than_4_kb() {
    takes(Manner::Padded(5_000));
}

#[test]
fn answers_with_more_than_64_kb() {
    takes(Manner::Padded(70_000));
}

#[test]
fn answers_late() {
    takes(Manner::Late(Duration::from_secs(3)));
}

/// What a transfer counts as Invalid never becomes valid: it is not sent again.
#[test]
fn counts_points_as_invalid() {
    takes(Manner::Invalid(2));
}

#[test]
fn answers_another_call() {
    says(r#"{"id":4711,"result":{"Message":"ok","Total":1,"Invalid":0,"Latency":0},"error":null}"#);
}

#[test]
fn answers_no_call() {
    says(r#"{"id":null,"result":{"Message":"ok","Total":1,"Invalid":0,"Latency":0},"error":null}"#);
}

#[test]
fn answers_null() {
    says(r#"{"id":$ID,"result":null,"error":null}"#);
}

#[test]
fn answers_with_something_that_is_no_json() {
    says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
}

#[test]
fn answers_half_and_closes() {
    says(r#"{"id":$ID,"result":{"Message":"ok","Tot"#);
}

#[test]
fn has_no_such_method() {
    outlasts(Fault::NoMethod);
}

/// A call that the transfer cannot decode is sent in parts until only the point that it cannot decode is left out.
#[test]
fn refuses_a_call_for_one_of_its_points() {
    let scene = Scene::start();
    scene.server.does(Does::Answers(Manner::Refusing("bad")));
    let bad = json!([{ "endpoint": "bad", "metric": "bad", "value": 1, "step": 60, "counterType": "GAUGE" }]);
    scene.agent.push(&bad);
    scene.load.push(&scene.agent, 3);
    scene.agent.push(&bad);
    scene.load.push(&scene.agent, 2);
    scene.recovers();
}
