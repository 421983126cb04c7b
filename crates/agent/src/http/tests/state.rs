//! What the page is told of the agent, and who is told the rest.

use serde_json::Value;

use super::*;

impl Server {
    async fn state_for(&self, address: &str, headers: &[(&str, &str)]) -> Value {
        let (status, body) = self.ask_from(address, "GET", "/ui/state", headers).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect(&body)
    }
}

#[tokio::test]
async fn the_state_has_what_the_page_needs() {
    let server = server().await;
    let answer = server.get("/ui/state").await;
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    let state = parsed(&answer);
    assert_eq!((&state["endpoint"], &state["step"]), (&"h".into(), &10.into()));
    assert_eq!(state["os"], std::env::consts::OS);
    assert_eq!((&state["hbs"]["state"], &state["plugins"]), (&"off".into(), &Value::Null));
    assert_eq!(state["live"], serde_json::json!({ "watching": 0, "readings": 0 }));
    assert!(state["log"].is_array() && state["sources"].is_array() && state["now"].is_i64());
    let health = parsed(&server.get_with("/health", &format!("Host: h\r\n{JSON}")).await);
    let members = |of: &Value| of.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let mut expected = members(&health);
    expected.retain(|name| name != "status");
    assert_eq!(members(&state["health"]), expected);
}

/// Lines of the log quote paths and servers: not for everybody who may see the page.
#[tokio::test]
async fn the_log_is_shown_to_the_few() {
    let server = server().await;
    assert!(server.state_for("127.0.0.1", &[]).await["log"].is_array());
    assert!(server.state_for("10.0.0.1", &[]).await["log"].is_null());
    assert!(server.state_for("127.0.0.1", &[("x-forwarded-for", "10.0.0.1")]).await["log"].is_null());
    server.site.trusted.set(vec!["10.0.0.1".parse().unwrap()]);
    assert!(server.state_for("10.0.0.1", &[]).await["log"].is_array());
}

/// To a plain name browsers send no `Sec-Fetch-*`, and the page took its own Referer away: an operator who is trusted saw
/// no log, whatever he did.
#[tokio::test]
async fn a_page_over_plain_http_is_known_by_its_referer() {
    let server = server().await;
    server.site.trusted.set(vec!["10.0.0.9".parse().unwrap()]);
    let page = server.get("/").await;
    assert_eq!(header(&page, "referrer-policy"), Some("same-origin"));
    let browser = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    let asked = [browser, ("referer", "http://h:1988/")];
    assert!(server.state_for("10.0.0.9", &asked).await["log"].is_array());
    assert!(server.state_for("10.0.0.9", &[browser]).await["log"].is_null());
    assert!(server.state_for("10.0.0.8", &asked).await["log"].is_null());
}

/// What had been told to an hbs that was switched off was shown as in effect.
#[tokio::test]
async fn plugins_were_reported_to_nobody_where_there_is_no_hbs() {
    use crate::falcon::hbs::Reach;
    let server = server().await;
    for (reach, is_told) in [(Reach::Up, true), (Reach::Down, true), (Reach::Untried, false), (Reach::Off, false)] {
        server.stats.hbs.told_plugins("v1");
        server.stats.hbs.set(reach, None, None);
        assert_eq!(server.stats.hbs.get().plugins.is_some(), is_told, "{reach:?}");
    }
}

#[tokio::test]
async fn the_way_to_hbs_is_told() {
    use crate::falcon::hbs::Reach;
    let server = server().await;
    server.stats.hbs.set(Reach::Down, Some("10.1.1.1:6030"), Some("10.1.1.1:6030: refused".to_owned()));
    let hbs = server.state_for("10.0.0.1", &[]).await["hbs"].clone();
    assert_eq!((&hbs["state"], &hbs["addr"]), (&"down".into(), &"10.1.1.1:6030".into()));
    assert!(hbs["since"].as_i64().is_some_and(|since| since > 1_700_000_000) && hbs["error"].is_string());
    server.stats.hbs.set(Reach::Off, None, None);
    let hbs = server.state_for("10.0.0.1", &[]).await["hbs"].clone();
    assert_eq!((&hbs["state"], &hbs["addr"], &hbs["error"]), (&"off".into(), &Value::Null, &Value::Null));
}
