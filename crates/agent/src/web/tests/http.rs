use super::server::{OK, Script};
use super::*;

use std::net::TcpListener;

use super::super::client::MOST_BODY;

async fn asked_plainly(server: &Server, change: impl FnOnce(&mut Ask)) -> Asked {
    let mut ask = ask(&format!("http://{}/x?y=z", server.address));
    change(&mut ask);
    asked(&client(&Authority::new()), &ask).await
}

fn looks_for(text: &str) -> impl FnOnce(&mut Ask) {
    let text = text.to_owned();
    move |ask| ask.body = text
}

#[tokio::test]
async fn a_status_is_told_as_it_is_and_a_redirect_is_not_followed() {
    for (answer, status) in [
        (OK, 200),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 301),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200),
        ("HTTP/1.0 200 OK\r\n\r\nuntil it closes", 200),
    ] {
        let server = Server::answering(answer);
        let asked = asked_plainly(&server, |_| ()).await;
        assert_eq!((asked.status, failure(&asked), &asked.certificate), (Some(status), "", &None), "{answer}");
        assert!(asked.took.is_some());
        let heads = server.heads();
        assert_eq!(heads.len(), 1);
        let host = format!("GET /x?y=z HTTP/1.1\r\nhost: {}\r\nuser-agent: falcon-agent/", server.address);
        assert!(heads[0].starts_with(&host), "{heads:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    let asked = asked_plainly(&server, |ask| ask.method = Method::HEAD).await;
    assert_eq!((asked.status, failure(&asked)), (Some(200), ""));
    assert!(server.heads()[0].starts_with("HEAD /x?y=z HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    for answer in ["", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nhalf: a", &long] {
        let server = Server::answering(answer);
        let asked = asked_plainly(&server, |_| ()).await;
        assert_eq!((asked.status, asked.took), (None, None), "{}", answer.get(..30).unwrap_or(answer));
        assert!(failure(&asked).starts_with("no answer of HTTP: "), "{asked:?}");
    }
    let asked = asked_plainly(&Server::doing(Script::Close), |_| ()).await;
    assert!(failure(&asked).starts_with("no answer of HTTP: "), "{asked:?}");
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(&Authority::new());
    let refused = asked(&client, &ask(&format!("http://{closed}/"))).await;
    assert!(failure(&refused).starts_with("no connection: "), "{refused:?}");
    let unknown = asked(&client, &ask("http://nobody.example:81/")).await;
    assert_eq!(failure(&unknown), "the name nobody.example is not resolved: no such host");
}

#[tokio::test]
async fn every_address_of_a_name_is_tried_and_ipv6_is_one() {
    let server = Server::answering(OK);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = server.address;
    let names = Names::asking(Arc::new(move |_: &str| Ok(vec![closed, at])));
    let client = Client { names, ..client(&Authority::new()) };
    assert_eq!(asked(&client, &ask("http://both.test/")).await.status, Some(200));
    // A host may have no IPv6.
    if TcpListener::bind("[::1]:0").is_ok() {
        let six = Server::start("[::1]:0", None, Script::Answer(OK.as_bytes().to_vec()));
        assert_eq!(asked(&client, &ask(&format!("http://[::1]:{}/", six.port()))).await.status, Some(200));
        assert!(six.heads()[0].contains(&format!("host: [::1]:{}\r\n", six.port())));
    }
}

#[tokio::test]
async fn a_login_is_sent_and_told_nobody() {
    let server = Server::answering("nothing");
    let client = client(&Authority::new());
    for (login, sent) in [("user:p%40ss", "dXNlcjpwQHNz"), ("user", "dXNlcjo=")] {
        let asked = asked(&client, &ask(&format!("http://{login}@{}/", server.address))).await;
        assert!(server.heads().last().unwrap().contains(&format!("authorization: Basic {sent}\r\n")));
        assert!(!format!("{asked:?}").contains("p@ss"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_body_is_looked_through_across_its_chunks() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsta\r\n5\r\ntus U\r\n3\r\nP !\r\n0\r\n\r\n";
    for (answer, text, why) in [
        (chunked, "status UP", ""),
        (chunked, "P !", ""),
        (chunked, "s", ""),
        (chunked, "status UP !!", "its body does not have what it has to contain"),
        (OK, "ok", ""),
        ("HTTP/1.1 204 No Content\r\n\r\n", "ok", "its body does not have what it has to contain"),
        ("HTTP/1.0 200 OK\r\n\r\nuntil it closes", "it closes", ""),
    ] {
        let asked = asked_plainly(&Server::answering(answer), looks_for(text)).await;
        assert_eq!(failure(&asked), why, "{text}");
        assert!(asked.status.is_some() && asked.took.is_some());
    }
    let broken =
        asked_plainly(&Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), looks_for("x")).await;
    assert!(failure(&broken).starts_with("its body breaks off: "), "{broken:?}");
    assert_eq!((broken.status, broken.took), (Some(200), None));
}

#[tokio::test]
async fn a_body_without_end_is_looked_through_up_to_a_limit() {
    let endless = || Server::doing(Script::Endless("HTTP/1.1 200 OK\r\n\r\nfirst", " and again"));
    let asked = asked_plainly(&endless(), looks_for("never")).await;
    assert_eq!(failure(&asked), format!("the first {MOST_BODY} bytes of its body do not have what it has to contain"));
    assert_eq!(failure(&asked_plainly(&endless(), looks_for("again and")).await), "");
    // Not read where nothing is looked for.
    assert_eq!(failure(&asked_plainly(&endless(), |_| ()).await), "");
}

#[tokio::test]
async fn whatever_is_slow_ends_in_time() {
    for (script, status) in [
        (Script::Hold(""), None),
        (Script::Hold("HTTP/1.1 200 OK\r\n"), None),
        (Script::Hold("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), Some(200)),
    ] {
        let server = Server::doing(script);
        let client = client(&Authority::new());
        let ask = Ask { body: "whole".to_owned(), ..ask(&format!("http://{}/", server.address)) };
        let mut limit = Duration::from_millis(50);
        let mut asked = client.ask(&ask, Instant::now() + limit).await;
        // A machine that is busy needs more than that for the head, or for the connection.
        while (asked.status, failure(&asked)) != (status, "no answer in time") && limit < LIMIT {
            limit *= 4;
            asked = client.ask(&ask, Instant::now() + limit).await;
        }
        assert_eq!((asked.status, asked.took, failure(&asked)), (status, None, "no answer in time"));
    }
}
