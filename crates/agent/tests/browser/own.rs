//! What the same browser may do, without which refusals would prove nothing; and where its user is led astray.

use crate::attack::{TARGETS, start};
use crate::chromium::Chromium;
use crate::door::{Door, Pages, Seen, page, redirect};

const OWN: &str = "<!doctype html><title>Own</title><script>fetch('/config/reload', { method: 'POST' })</script>";

/// What the agent was asked for first, when the browser's user has typed an address.
fn first(door: &Door, path: &str, url: &str) -> Seen {
    let browser = Chromium::open(url);
    crate::harness::until(path, || browser.state(), || door.seen().into_iter().find(|seen| seen.asks_for(path)))
}

#[test]
fn a_page_of_the_agents_own_address_may_reload_it() {
    let (agent, door) = (start(), Door::new());
    door.open(Pages::from([("/own", page(OWN))]), Some(agent.http));
    let seen = first(&door, TARGETS[1], &format!("http://127.0.0.1:{}/own", door.port()));
    assert_eq!((seen.answer.status, &seen.answer.json()["msg"]), (200, &"success".into()), "{seen:?}");
    agent.wait_for_lines("asks for /config/reload", 1);
    assert!(agent.dir().join("var/reload.json").exists());
}

#[test]
fn its_user_may_look_at_the_configuration_and_change_nothing() {
    let (agent, door) = (start(), Door::new());
    door.open(Pages::new(), Some(agent.http));
    let typed = |path: &str| first(&door, path, &format!("http://127.0.0.1:{}{path}", door.port()));
    let config = typed("/config");
    assert_eq!((config.answer.status, &config.answer.json()["msg"]), (200, &"success".into()), "{config:?}");
    for target in TARGETS {
        assert!(typed(target).is_refused(), "{target}");
    }
    assert_eq!(agent.lines("asks for ").len(), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}

/// Whoever opened a site that redirects to the agent, by its address or from a mail, ended it: to Chromium that is what its user
/// asked for.
#[test]
fn a_site_that_its_user_opened_leads_him_nowhere() {
    for target in TARGETS {
        let (agent, door, elsewhere) = (start(), Door::new(), Door::new());
        door.open(Pages::new(), Some(agent.http));
        let away = redirect(302, &format!("http://127.0.0.1:{}{target}", door.port()));
        elsewhere.open(Pages::from([("/", away)]), None);
        let seen = first(&door, target, &format!("http://evil.example:{}/", elsewhere.port()));
        assert!(seen.is_refused() && seen.head.contains("Sec-Fetch-Site: none"), "{seen:?}");
        agent.assert_healthy();
        assert_eq!(agent.terminate().code, Some(0));
    }
}
