//! Pages of other sites, and a page that has taken the agent's address for its own name (DNS rebinding).

use std::collections::BTreeSet;

use serde_json::json;

use crate::chromium::Chromium;
use crate::door::{Door, Pages, page, redirect};
use crate::harness::agent::Agent;

/// A name that the agent answers to, and that Chromium looks up.
const ENDPOINT: &str = "agent.example";
pub const TARGETS: [&str; 2] = ["/exit", "/config/reload"];

const HTML: &str = include_str!("attack.html");
/// A page that goes on at once to where its query says.
const META: &str = r#"<!doctype html><script>
const to = decodeURIComponent(location.search.slice(1));
document.write(`<meta http-equiv="refresh" content="0; url=${to}">`);
</script>"#;

/// The ways of the page, by their names in it.
fn ways() -> BTreeSet<&'static str> {
    let table = HTML.split("const WAYS = {").nth(1).and_then(|rest| rest.split("\n};").next()).expect("the table");
    let ways = table.lines().filter_map(|line| line.strip_prefix("  \"")?.split_once("\": url =>"));
    ways.map(|(name, _)| name).collect()
}

/// What is served to the browser: the page, and where it sends it.
fn pages(agent: &str, own: &str) -> Pages {
    let head = format!("<script>const AGENT = \"{agent}\", PAGE = \"{own}\";</script>\n<body>");
    let to = |status, way: &str, target: &str| redirect(status, &format!("{agent}{target}?{way}"));
    Pages::from([
        ("/attack", page(&HTML.replace("<body>", &head))),
        ("/meta", page(META)),
        ("/redirect/exit", to(302, "redirect", "/exit")),
        ("/redirect/config/reload", to(302, "redirect", "/config/reload")),
        ("/redirect-img/exit", to(302, "redirect-img", "/exit")),
        ("/redirect-img/config/reload", to(302, "redirect-img", "/config/reload")),
        ("/redirect-post/exit", to(307, "redirect-post", "/exit")),
        ("/redirect-post/config/reload", to(307, "redirect-post", "/config/reload")),
    ])
}

pub fn start() -> Agent {
    Agent::start(&json!({ "hostname": ENDPOINT, "heartbeat": { "enabled": false } }))
}

/// The agent was asked in every way, for everything that changes it, and was not changed.
fn assert_unmoved(agent: &Agent, door: &Door, browser: &Chromium) {
    let ways = ways();
    assert!(ways.len() > 30, "{ways:?}");
    let asked = || -> BTreeSet<String> { door.seen().into_iter().map(|seen| seen.path).collect() };
    let expected = || TARGETS.iter().flat_map(|target| ways.iter().map(move |way| format!("{target}?{way}")));
    let state = || {
        let asked = asked();
        let missing: Vec<String> = expected().filter(|path| !asked.contains(path)).collect();
        format!("never asked for: {missing:?}\n{}\n{}", browser.state(), agent.state())
    };
    crate::harness::until("every request of the page", state, || {
        let asked = asked();
        expected().all(|path| asked.contains(&path)).then_some(())
    });
    for seen in door.seen() {
        let about = TARGETS.iter().any(|target| seen.asks_for(target));
        assert!(!about || seen.is_refused(), "{}\n{:?}", seen.head, seen.answer);
    }
    agent.assert_healthy();
    assert_eq!(agent.lines("asks for"), [""; 0], "let through\n{}", agent.state());
    assert!(!agent.dir().join("var/reload.json").exists(), "it was reloaded");
}

/// `host` is the name under which the page lies, `agent_host` that under which it knows the agent.
fn from_another_site(host: &str, agent_host: &str) {
    let (agent, door, elsewhere) = (start(), Door::new(), Door::new());
    let own = format!("http://{host}:{}", elsewhere.port());
    door.open(Pages::new(), Some(agent.http));
    elsewhere.open(pages(&format!("http://{agent_host}:{}", door.port()), &own), None);
    let browser = Chromium::open(&format!("{own}/attack"));
    assert_unmoved(&agent, &door, &browser);
    drop(browser);
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn a_page_of_another_port_of_this_host_neither_ends_nor_reloads_the_agent() {
    from_another_site("127.0.0.1", "127.0.0.1");
}

#[test]
fn a_page_of_localhost_neither_ends_nor_reloads_the_agent_at_its_address() {
    from_another_site("localhost", "127.0.0.1");
}

#[test]
fn a_page_of_another_host_neither_ends_nor_reloads_the_agent() {
    from_another_site("evil.example", "127.0.0.1");
}

/// To a plain name Chromium sends no `Sec-Fetch-Site`.
#[test]
fn a_page_of_another_host_neither_ends_nor_reloads_the_agent_by_its_name() {
    from_another_site("evil.example", ENDPOINT);
}

#[test]
fn a_name_that_was_rebound_to_this_host_neither_ends_nor_reloads_the_agent() {
    let (agent, door) = (start(), Door::new());
    let own = format!("http://evil.example:{}", door.port());
    door.open(pages(&own, &own), Some(agent.http));
    let browser = Chromium::open(&format!("{own}/attack"));
    assert_unmoved(&agent, &door, &browser);
    // Chromium took them for requests of a page to its own site.
    let referer = format!("Referer: {own}/attack");
    assert!(door.seen().iter().any(|seen| seen.head.contains(&referer)), "{:?}", door.seen());
    drop(browser);
    assert_eq!(agent.terminate().code, Some(0));
}
