//! What plugins are about, and who may fetch them.

use std::sync::Mutex;

use super::*;
use crate::assigned::Assigned;
use crate::config::Config;
use crate::plugin::engine::{Fetch, Hands, Outlet, not_started};
use crate::plugin::files::{Left, Scan};

/// An agent that runs plugins, of which one is bound in vain. `fetched` is what a fetch comes to.
async fn server_for(fetched: Result<(), String>) -> (Server, Arc<Mutex<Vec<Fetch>>>) {
    let mut server = server().await;
    let mut config = Config::standalone();
    config.hostname = "h".to_owned();
    let config = Arc::new(config);
    let mut behind = behind(&config, None, Host::new("/"), mpsc::channel(1).0);
    let asked = Arc::<Mutex<Vec<Fetch>>>::default();
    let noted = asked.clone();
    let hands = Hands {
        scan: Box::new(|bindings| {
            let left = |what: &String| Left { what: what.clone(), why: "is not there".to_owned() };
            Scan { left: bindings.iter().map(left).collect(), ..Scan::default() }
        }),
        begin: Box::new(|_, job| {
            job();
            Ok(())
        }),
        drive: Box::new(|task| drop(tokio::spawn(task))),
    };
    let assigned = Arc::new(Assigned::default());
    assigned.set_plugins(vec!["sys/ntp".to_owned()]);
    let outlet = Outlet {
        hub: behind.hub.clone(),
        assigned,
        run: Arc::new(|_, _, _| not_started("of a test")),
        fetch: Arc::new(move |what, _| {
            noted.lock().expect("unpoisoned").push(what);
            fetched.clone()
        }),
    };
    let engine = Engine::new("plugin".into(), 1, hands, outlet, behind.stats.clone(), Vec::new());
    tokio::spawn(engine.clone().run());
    behind.plugins = Some(engine);
    server.site = Arc::new(Site::new(&config, Path::new(""), behind, Instant::now()));
    (server, asked)
}

#[tokio::test]
async fn where_plugins_are_off_there_are_none_and_those_who_are_trusted_hear_it() {
    let server = server().await;
    for address in ["10.0.0.1", "127.0.0.1"] {
        let answer = server.ask_from(address, "GET", "/plugins", &[]).await;
        assert_eq!(answer, (200, r#"{"msg":"success","data":{}}"#.to_owned()));
    }
    for path in ["/plugin/update", "/plugin/reset"] {
        assert_eq!(server.ask_from("127.0.0.1", "GET", path, &[]).await, (200, "plugin not enabled".to_owned()));
        assert_eq!(server.ask_from("10.0.0.1", "GET", path, &[]).await, (403, "no privilege".to_owned()), "{path}");
    }
    assert_eq!(server.stats.http_denied.get(), 2);
}

/// It let everybody who could reach the port change what runs as the agent's user.
#[tokio::test]
async fn who_is_not_trusted_fetches_nothing_and_his_script_notices() {
    let (server, asked) = server_for(Ok(())).await;
    for (path, fetch) in [("/plugin/update", Fetch::Update), ("/plugin/reset", Fetch::Reset)] {
        for method in ["GET", "POST"] {
            let answer = server.ask_from("10.0.0.1", method, path, &[]).await;
            assert_eq!(answer, (403, "no privilege".to_owned()), "{method} {path}");
        }
        assert_eq!(asked.lock().unwrap().len(), 0);
        assert_eq!(server.ask_from("127.0.0.1", "GET", path, &[]).await, (200, "success".to_owned()));
        assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>(), [fetch]);
        server.site.trusted.set(vec!["10.0.0.1".parse().unwrap()]);
        assert_eq!(server.ask_from("10.0.0.1", "POST", path, &[]).await, (200, "success".to_owned()));
        assert_eq!(server.ask_from("10.0.0.1", "POST", path, &[("via", "1.1 proxy")]).await.0, 403);
        assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>(), [fetch]);
        server.site.trusted.set(Vec::new());
    }
}

#[tokio::test]
async fn what_went_wrong_is_the_answer() {
    let why = "git pull in dir:/x/plugin fail. error: exit status 1";
    let (server, _) = server_for(Err(why.to_owned())).await;
    assert_eq!(server.ask_from("127.0.0.1", "GET", "/plugin/update", &[]).await, (200, why.to_owned()));
}

#[tokio::test]
async fn what_is_bound_is_shown_to_everybody() {
    let (server, _) = server_for(Ok(())).await;
    let shown = loop {
        let (status, body) = server.ask_from("10.0.0.1", "GET", "/plugins", &[]).await;
        assert_eq!(status, 200);
        let shown: serde_json::Value = serde_json::from_str(&body).unwrap();
        if !shown["data"]["sys/ntp"].is_null() {
            assert!(
                body.contains(r#""sys/ntp":{"FilePath":"","MTime":0,"Cycle":0,"Args":"","state":"left""#),
                "{body}"
            );
            break shown;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(shown["data"]["sys/ntp"]["reason"], "is not there");
}
