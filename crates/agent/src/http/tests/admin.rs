//! Who may reload and end the agent, and what they are answered.

use super::*;
use crate::config::Secret;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;

const NO: &str = "no privilege";

impl Server {
    /// What a client of this address is answered: status and body.
    pub(super) async fn ask_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let address = address.parse::<IpAddr>().expect("an address").to_canonical();
        let place = slots::Slots::new(1).take(address).expect("a place").place;
        let client = serve::Client {
            address,
            place: Arc::new(place),
            stop: watch::channel(false).1,
            sites: self.asked.subscribe(),
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let own = [("host", "h:1988")].into_iter().filter(|_| headers.iter().all(|(name, _)| *name != "host"));
        for (name, value) in own.chain(headers.iter().copied()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let (mut here, there) = tokio::io::duplex(1 << 20);
        here.write_all(request.as_bytes()).await.expect("sent");
        let service = service_fn(|request| {
            let answer = routes::answer(self.site.clone(), client.clone(), request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        http1::Builder::new().serve_connection(TokioIo::new(there), service).await.expect("answered");
        let mut answer = Vec::new();
        here.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        (super::status(&answer), super::body(&answer).to_owned())
    }

    async fn may(&self, address: &str, headers: &[(&str, &str)]) -> bool {
        match self.ask_from(address, "GET", "/config", headers).await {
            (200, body) if body.starts_with("{\"msg\":\"success\",\"data\":{") => true,
            (200 | 403, body) if body == NO => false,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn this_host_and_those_on_a_list_may_change_the_agent() {
    let server = server_with(|config| {
        let text = r#"{"http":{"admin_allow":["10.7.0.0/16","fd00::/8","10.0.0.0/99"]}}"#;
        let (parsed, warnings) =
            crate::config::parse(text.as_bytes(), "cfg.json", &Default::default()).expect("a configuration");
        assert!(warnings.iter().any(|warning| warning.path == "http.admin_allow"), "{warnings:?}");
        config.http.admin_allow = parsed.http.admin_allow;
    });
    let server = server.await;
    let may = async |address: &str| server.may(address, &[]).await;
    for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.7.255.1", "::ffff:10.7.0.1", "fd00::5"] {
        assert!(may(own).await, "{own}");
    }
    for other in ["10.8.0.1", "192.168.1.5", "fe80::1", "::ffff:192.168.1.5", "0.0.0.0"] {
        assert!(!may(other).await, "{other}");
    }
    // What hbs tells counts at once, and no longer than it is told.
    server.site.trusted.set(vec!["192.168.1.5".parse().expect("an address")]);
    assert!(may("192.168.1.5").await && may("::ffff:192.168.1.5").await && !may("192.168.1.6").await);
    server.site.trusted.set(Vec::new());
    assert!(!may("192.168.1.5").await && may("::1").await);
}

/// Behind a proxy on this host everybody was this host.
#[tokio::test]
async fn what_was_passed_on_is_not_this_hosts() {
    let server = server().await;
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
        assert!(!server.may("127.0.0.1", &[(header, "127.0.0.1")]).await, "{header}");
    }
    assert_eq!(server.stats.http_denied.get(), 4);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_on_any_verb() {
    const AGENT: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11)");
    let mut server = server().await;
    for foreign in [
        &[AGENT][..],
        &[AGENT, ("origin", "http://evil.example")],
        &[("origin", "null")],
        &[AGENT, ("referer", "http://evil.example/x")],
        &[AGENT, ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        &[AGENT, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example:1988")],
    ] {
        for path in ["/exit", "/config/reload", "/config", "/plugin/update", "/plugin/reset"] {
            for method in ["GET", "POST", "PUT"] {
                let answer = server.ask_from("127.0.0.1", method, path, foreign).await;
                assert_eq!(answer, (403, NO.to_owned()), "{method} {path} {foreign:?}");
            }
        }
    }
    let rebound = "Host: evil.example:1988\r\nUser-Agent: Mozilla/5.0\r\nSec-Fetch-Site: same-origin\r\n";
    let refused = server.get_with("/exit", rebound).await;
    assert_eq!((status(&refused), body(&refused)), (403, NO));
    // Where a typed address leads, the server of another site may have said.
    for path in ["/exit", "/config/reload", "/plugin/update", "/plugin/reset"] {
        let answer = server.ask_from("127.0.0.1", "GET", path, &[AGENT, ("sec-fetch-site", "none")]).await;
        assert_eq!(answer, (403, NO.to_owned()), "{path}");
    }
    assert!(server.commands.try_recv().is_err());
    assert!(server.may("127.0.0.1", &[AGENT, ("sec-fetch-site", "none")]).await, "typed by its user, to see");
    assert!(server.may("127.0.0.1", &[AGENT, ("referer", "http://h:1988/")]).await, "a page of its own");
}

/// A page in Firefox, under a name that leads here now, called itself curl, and ended the agent.
#[tokio::test]
async fn under_a_strange_name_nobody_changes_the_agent() {
    let mut server = server_with(|config| config.http.hosts = vec!["alias.example".to_owned()]).await;
    let scripts = [
        "curl/8",
        "Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1",
        "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
    ];
    for agent in scripts.map(|agent| ("user-agent", agent)) {
        for path in ["/exit", "/config", "/config/reload", "/plugin/update", "/plugin/reset"] {
            for method in ["GET", "POST"] {
                for host in ["evil.example", "evil.example:1988"] {
                    let answer = server.ask_from("127.0.0.1", method, path, &[agent, ("host", host)]).await;
                    assert_eq!(answer, (403, NO.to_owned()), "{method} {path} {host} {agent:?}");
                }
            }
        }
        for host in ["h", "127.0.0.1:1988", "[::1]:1988", "localhost:1988", "alias.example:1988"] {
            assert!(server.may("127.0.0.1", &[agent, ("host", host)]).await, "{host} {agent:?}");
        }
    }
    assert!(server.commands.try_recv().is_err());
    let old = server.raw("GET /config HTTP/1.0\r\n\r\n").await;
    assert!(status(&old) == 200 && body(&old).contains("success"), "a client that names nobody: {old}");
}

#[tokio::test]
async fn a_token_is_needed_here_too() {
    let server = server_with(|config| config.http.token = Secret::new("correct-horse-battery".to_owned())).await;
    for path in ["/exit", "/config", "/config/reload", "/plugins", "/plugin/update", "/plugin/reset"] {
        assert_eq!(server.ask_from("127.0.0.1", "GET", path, &[]).await.0, 401, "{path}");
    }
    let bearer = [("authorization", "Bearer correct-horse-battery")];
    assert!(server.may("127.0.0.1", &bearer).await && !server.may("10.0.0.1", &bearer).await);
}

/// With a secret wherever one can be.
fn secretive(config: &mut Config) {
    let text = r#"{"hostname": "h", "plugin": {"git": "https://me:hunter2@git.example/p.git"},
        "heartbeat": {"addr": "10.0.0.9:6030"}, "mssql": {"enabled": true, "username": "hunter2", "password": "hunter2"},
        "default_tags": {"see": "http://me:hunter2@wiki.example/x"}, "ignore": {"cpu.busy": true}}"#;
    let (parsed, _) = crate::config::parse(text.as_bytes(), "cfg.json", &Default::default()).expect("a configuration");
    *config = Config { http: config.http.clone(), ..parsed };
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets_under_the_go_agents_keys() {
    let server = server_with(secretive).await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let (status, body) = server.ask_from("127.0.0.1", method, "/config", &[]).await;
        assert!(status == 200 && !body.contains("hunter2"), "{method}: {body}");
        let shown: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let data = &shown["data"];
        for key in ["debug", "hostname", "ip", "plugin", "heartbeat", "transfer", "http", "collector", "default_tags"] {
            assert!(!data[key].is_null(), "{key}: {data}");
        }
        assert_eq!((&data["heartbeat"]["addr"], &data["ignore"]), (&"10.0.0.9:6030".into(), &ignored()));
        assert_eq!(data["plugin"]["git"], "https://******@git.example/p.git");
        assert_eq!(data["default_tags"]["see"], "http://******@wiki.example/x");
        assert_eq!((&data["mssql"]["username"], &data["mssql"]["password"]), (&"******".into(), &"******".into()));
    }
}

fn ignored() -> serde_json::Value {
    serde_json::json!({ "cpu.busy": true })
}

#[tokio::test]
async fn a_reload_answers_with_the_configuration_or_with_what_is_wrong() {
    let mut server = server().await;
    let mut commands = std::mem::replace(&mut server.commands, mpsc::channel(1).1);
    let mut new = Config::standalone();
    secretive(&mut new);
    let mut answer_with = async |outcome: Reloaded| {
        let answering = async {
            match commands.recv().await {
                Some(Command::Reload(reply)) => reply.send(outcome).expect("somebody waits"),
                other => panic!("{other:?}"),
            }
        };
        tokio::join!(server.get("/config/reload"), answering).0
    };
    let refused = answer_with(Err("cfg.json:3:1: wrong".to_owned())).await;
    assert_eq!((status(&refused), body(&refused)), (200, r#"{"msg":"cfg.json:3:1: wrong"}"#));
    assert_eq!(header(&refused, "content-type"), Some("application/json; charset=UTF-8"));
    let done = answer_with(Ok(Box::new(new))).await;
    assert!(body(&done).starts_with(r#"{"msg":"success","data":{"#) && !done.contains("hunter2"), "{done}");
    assert!(body(&done).contains(r#""hostname":"h""#), "{done}");
}

/// An agent that ends answers all the same.
#[tokio::test]
async fn what_cannot_be_asked_any_more_is_told() {
    let mut server = server().await;
    server.commands.close();
    assert_eq!(body(&server.get("/config/reload").await), r#"{"msg":"the agent ends"}"#);
    assert_eq!(body(&server.get("/exit").await), r#"{"msg":"the agent ends already"}"#);
}

#[tokio::test]
async fn an_exit_is_answered_and_asked_for() {
    let mut server = server().await;
    let answer = server.get("/exit").await;
    assert_eq!((status(&answer), body(&answer)), (200, "exiting..."));
    assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert!(matches!(server.commands.try_recv(), Ok(Command::Exit)));
}

#[tokio::test]
async fn the_list_of_hbs_and_the_place_of_the_program_are_for_everybody() {
    let server = server().await;
    let ips = async || server.ask_from("10.0.0.1", "GET", "/ips", &[]).await.1;
    assert_eq!(ips().await, r#"{"msg":"success","data":null}"#);
    server.site.trusted.set(Vec::new());
    assert_eq!(ips().await, r#"{"msg":"success","data":[""]}"#);
    server.site.trusted.set(["10.0.0.1", "::1"].map(|address| address.parse().expect("an address")).into());
    assert_eq!(ips().await, r#"{"msg":"success","data":["10.0.0.1","::1"]}"#);
    let workdir: serde_json::Value = serde_json::from_str(body(&server.get("/workdir").await)).expect("JSON");
    assert!(workdir["data"].as_str().is_some_and(|dir| Path::new(dir).is_absolute()), "{workdir}");
    let index = server.get("/index.html").await;
    assert_eq!((status(&index), header(&index, "location")), (301, Some("./")));
}
