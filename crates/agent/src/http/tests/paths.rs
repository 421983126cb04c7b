//! What every answer has, whatever its path.

use super::*;

#[tokio::test]
async fn a_path_is_taken_as_it_was_sent() {
    let server = server().await;
    for path in ["/health?x=1", "/health?", "http://h/health", "HTTP://h/health?x"] {
        assert_eq!(body(&server.get(path).await), "ok", "{path}");
    }
    assert!(server.get("http://h").await.contains("text/html"));
    for path in ["/%68ealth", "//health", "/Health", "/health;x", "/{path}", "*"] {
        let missing = server.get(path).await;
        assert_eq!((status(&missing), body(&missing)), (404, "404 page not found\n"), "{path}");
    }
    let options = server.raw("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&options), 404);
}

#[tokio::test]
async fn any_method_is_answered_and_a_head_without_its_body() {
    let server = server().await;
    for (path, text) in [("/health", "ok"), ("/run", "/run disabled"), ("/nothing", "404 page not found\n")] {
        let ask = async |method: &str| {
            server.raw(&format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await
        };
        let got = ask("GET").await;
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = ask(method).await;
            assert_eq!((status(&answer), body(&answer)), (status(&got), text), "{method} {path}");
            assert_eq!(header(&answer, "allow"), None);
        }
        let head = ask("HEAD").await;
        assert_eq!((status(&head), body(&head)), (status(&got), ""), "{path}");
        for name in ["content-length", "content-type", "x-content-type-options", "date"] {
            assert!(header(&head, name).is_some() == header(&got, name).is_some(), "{name}: {head}");
        }
        assert_eq!(header(&head, "content-length"), Some(text.len().to_string().as_str()));
        assert_eq!(header(&got, "content-length"), header(&head, "content-length"));
    }
}

/// RFC 9110 9.3.6: what follows the head of such an answer is a tunnel's.
#[tokio::test]
async fn a_tunnel_is_never_opened() {
    let server = server().await;
    let ask = async |target: &str| {
        server.raw(&format!("CONNECT {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await
    };
    assert_eq!(status(&ask("h:80").await), 404);
    let answer = ask("/health").await;
    assert_eq!((status(&answer), body(&answer), header(&answer, "content-length")), (200, "", None), "{answer}");
}

#[tokio::test]
async fn a_path_of_few_is_reached_under_its_one_name() {
    let mut server = server().await;
    for path in ["/exit/", "/%65xit", "//exit", "/exit/../exit"] {
        assert_eq!(status(&server.get(path).await), 404, "{path}");
    }
    assert!(server.commands.try_recv().is_err());
    assert_eq!(server.stats.http_denied.get(), 0);
    // With a query it is that path.
    assert_eq!(server.ask_from("10.0.0.1", "GET", "/exit?x", &[]).await, (200, "no privilege".to_owned()));
    assert_eq!(server.ask_from("127.0.0.1", "GET", "/exit?x", &[]).await, (200, "exiting...".to_owned()));
}
