//! Who is let in.

use super::*;
use crate::config::{Known, Secret, parse};

const TOKEN: &str = "correct-horse-battery";

async fn guarded() -> Server {
    server_with(|config| config.http.token = Secret::new(TOKEN.to_owned())).await
}

#[tokio::test]
async fn with_a_token_everything_but_health_needs_it() {
    let server = guarded().await;
    let bearer = format!("Host: x\r\nAuthorization: Bearer {TOKEN}\r\n");
    for path in ["/", "/version", "/v1/push", "/none"] {
        for wrong in ["Host: x\r\n", "Host: x\r\nAuthorization: Bearer correct-horse-batterx\r\n"] {
            let refused = server.get_with(path, wrong).await;
            assert_eq!(status(&refused), 401, "{path}: {refused}");
            assert_eq!(header(&refused, "www-authenticate"), Some("Basic realm=\"falcon-agent\""));
        }
        assert_ne!(status(&server.get_with(path, &bearer).await), 401, "{path}");
    }
    let push = format!("[{ITEM}]");
    assert_eq!((status(&server.push(&push).await), server.queue.items()), (401, 0));
    let basic = "Authorization: Basic YWdlbnQ6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\r\n";
    assert_eq!((status(&server.push_with(basic, &push).await), server.queue.items()), (200, 1));
    assert_eq!(server.stats.http_denied.get(), 9);
    let refused = server.push_with(JSON, &push).await;
    assert!(parsed(&refused)["msg"].as_str().is_some_and(|msg| msg.contains("http.token")), "{refused}");
}

#[tokio::test]
async fn without_the_token_health_tells_only_that_the_agent_lives() {
    let server = guarded().await;
    assert_eq!(body(&server.get("/health").await), "ok");
    assert_eq!(parsed(&server.get_with("/health", JSON).await), serde_json::json!({ "status": "ok" }));
    let bearer = format!("{JSON}Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(parsed(&server.get_with("/health", &bearer).await)["endpoint"], "h");
}

/// The Go agent ran a shell command or took in its plugins for whoever asked; freedomkk's showed its configuration to all.
#[tokio::test]
async fn nothing_runs_ends_or_shows_the_agent_over_http() {
    let mut server = server_with(|config| config.http.backdoor = true).await;
    for address in ["10.1.2.3", "127.0.0.1", "::1"] {
        for method in ["GET", "POST"] {
            assert_eq!(server.ask_from(address, method, "/run", &[]).await, (200, "/run disabled".to_owned()));
        }
    }
    // Whose address a proxy, or anybody, writes down is of no use.
    const NAMES: [&str; 14] = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-originating-ip",
        "x-remote-ip",
        "x-remote-addr",
        "true-client-ip",
        "cf-connecting-ip",
        "client-ip",
        "via",
    ];
    let lies = NAMES.map(|name| (name, if name == "forwarded" { "for=127.0.0.1" } else { "127.0.0.1" }));
    for path in ["/exit", "/config", "/config/reload"] {
        for method in ["GET", "POST", "HEAD", "OPTIONS"] {
            for headers in [&lies[..], &[]] {
                let answer = server.ask_from("10.1.2.3", method, path, headers).await;
                assert_eq!((answer.0, answer.1.trim()), (200, if method == "HEAD" { "" } else { "no privilege" }));
            }
        }
    }
    for path in ["/plugin/update", "/plugin/reset"] {
        for method in ["GET", "POST", "HEAD", "OPTIONS"] {
            for headers in [&lies[..], &[]] {
                let answer = server.ask_from("10.1.2.3", method, path, headers).await;
                assert_eq!((answer.0, answer.1.trim()), (403, if method == "HEAD" { "" } else { "no privilege" }));
            }
        }
    }
    assert!(server.commands.try_recv().is_err());
    let paths = [
        "/config/",
        "/exit/",
        "/Exit",
        "/plugins/",
        "/plugin",
        "/plugin/update/",
        "/debug/pprof/",
        "/../cfg.json",
        "/..%2fcfg.json",
        "/%2e%2e/cfg.json",
        "//cfg.json",
        "/C:/Windows/win.ini",
    ];
    for path in paths {
        let answer = server.get(path).await;
        assert!(status(&answer) == 404 && body(&answer) == "404 page not found\n", "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_browser_that_comes_by_a_strange_name_is_refused() {
    let server = server_with(|config| config.http.hosts = vec!["agent.example".to_owned()]).await;
    let browser = |host: &str| format!("Host: {host}\r\nUser-Agent: Mozilla/5.0\r\n");
    let own = falcon_sys::hostname().expect("a name");
    for host in ["127.0.0.1:1988", "[::1]", "localhost:1988", "h", "H:80", "agent.example", "agent.example.:80", &own] {
        assert_eq!(status(&server.get_with("/", &browser(host)).await), 200, "{host}");
    }
    // DNS rebinding.
    for path in ["/", "/health", "/version", "/v1/push"] {
        let refused = server.get_with(path, &browser("evil.example:1988")).await;
        assert!(status(&refused) == 403 && body(&refused).contains("http.hosts"), "{path}: {refused}");
    }
    assert_eq!(status(&server.get_with("/", "Host: evil.example:1988\r\n").await), 200, "a script's alias");
    assert_eq!(server.stats.http_denied.get(), 4);
}

#[tokio::test]
async fn a_page_of_another_site_pushes_nothing() {
    let server = server().await;
    let push = format!("[{ITEM}]");
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Referer: http://evil.example/x\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        // What a form can send without asking the agent first.
        let refused = server.push_with(&format!("Content-Type: text/plain\r\n{headers}"), &push).await;
        assert_eq!(status(&refused), 403, "{headers}: {refused}");
    }
    assert_eq!(server.queue.items(), 0);
}

#[test]
fn addresses_outside_the_list_are_kept_out_and_this_host_never_is() {
    let site = |allow: &str| {
        let text = format!("{{\"http\":{{\"allow\":{allow}}}}}");
        let (config, _) = parse(text.as_bytes(), "cfg.json", &Known::default()).expect("a configuration");
        let config = Arc::new(config);
        let behind = behind(&config, None, Host::new("/"), tokio::sync::mpsc::channel(1).0);
        Site::new(&config, Path::new(""), behind, Instant::now())
    };
    let lets_in = |allow: &str| {
        let site = site(allow);
        ["10.1.2.3", "192.168.1.5", "192.168.1.6", "fd00::1", "127.0.0.1", "127.9.9.9", "::1"]
            .map(|client| site.http.lets_in(client.parse().expect("an address")))
    };
    assert_eq!(lets_in("[]"), [true; 7]);
    assert_eq!(lets_in(r#"["10.0.0.0/8", "192.168.1.5"]"#), [true, true, false, false, true, true, true]);
    assert_eq!(lets_in(r#""fd00::/8""#), [false, false, false, true, true, true, true]);
    // A slip of the pen opened the port to everybody.
    assert_eq!(lets_in(r#"["10.0.0.0/80"]"#), [false, false, false, false, true, true, true]);
}
