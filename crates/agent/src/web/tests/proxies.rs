use super::server::{GOOD, OK, Script};
use super::*;

use super::super::proxy::Proxy;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Proxies::of(move |name| variables.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone()))
}

fn chosen(proxies: &Proxies, url: &str) -> String {
    match proxies.of_address(&WebAddress::parse(url).unwrap()) {
        None => "direct".to_owned(),
        Some(Proxy::Ok(proxy)) => format!("{}:{}", proxy.host, proxy.port),
        Some(Proxy::Err(why)) => why.clone(),
    }
}

#[test]
fn the_environment_is_read_as_curl_reads_it() {
    let both = ("http://a.test/", "https://a.test/");
    for (variables, http, https) in [
        (&[][..], "direct", "direct"),
        (&[("http_proxy", "http://p:3128")], "p:3128", "direct"),
        (&[("HTTP_PROXY", "http://p:3128")], "direct", "direct"),
        (&[("https_proxy", "p:3128")], "direct", "p:3128"),
        (&[("HTTPS_PROXY", "p"), ("https_proxy", "")], "direct", "p:1080"),
        (&[("ALL_PROXY", "HTTP://p:80/"), ("https_proxy", "q:1")], "p:80", "q:1"),
        (&[("all_proxy", "p:1"), ("no_proxy", "*")], "direct", "direct"),
        (&[("all_proxy", "u:p@[::1]:9")], "::1:9", "::1:9"),
        (
            &[("all_proxy", "socks5://u:secret@p:1080")],
            "all_proxy is socks5://******@p:1080: only a proxy of http:// can be used",
            "all_proxy is socks5://******@p:1080: only a proxy of http:// can be used",
        ),
        (&[("http_proxy", "http://p:x")], "http_proxy is http://p:x: its port is no number", "direct"),
    ] {
        let proxies = proxies(variables);
        assert_eq!((&*chosen(&proxies, both.0), &*chosen(&proxies, both.1)), (http, https), "{variables:?}");
    }
}

#[test]
fn no_proxy_has_names_and_what_is_below_them_addresses_and_networks() {
    let list = "localhost, .corp.test,Example.org. 10.0.0.0/8,[fd00::1],192.168.1.5";
    let proxies = proxies(&[("all_proxy", "p:1"), ("NO_PROXY", list)]);
    for url in [
        "localhost",
        "corp.test",
        "a.b.CORP.test.",
        "example.org",
        "www.example.org",
        "10.1.2.3",
        "[fd00::1]:443",
        "192.168.1.5",
    ] {
        assert_eq!(chosen(&proxies, url), "direct", "{url}");
    }
    for url in ["notcorp.test", "corp.test.example", "11.0.0.1", "[fd00::2]", "192.168.1.50"] {
        assert_eq!(chosen(&proxies, url), "p:1", "{url}");
    }
}

#[tokio::test]
async fn http_is_asked_of_the_proxy_with_the_whole_url() {
    let proxy = Server::answering(OK);
    let environment = proxies(&[("http_proxy", &format!("http://me:secret@{}", proxy.address))]);
    let client = Client { proxies: environment, ..client(&Authority::new()) };
    let asked = asked(&client, &ask("http://u:p@nobody.example/x")).await;
    assert_eq!((asked.status, failure(&asked)), (Some(200), ""));
    let heads = proxy.heads();
    assert!(heads[0].starts_with("GET http://nobody.example/x HTTP/1.1\r\nhost: nobody.example\r\n"), "{heads:?}");
    assert!(heads[0].contains("\r\nproxy-authorization: Basic bWU6c2VjcmV0\r\n"), "{heads:?}");
    assert!(heads[0].contains("\r\nauthorization: Basic dTpw\r\n"), "{heads:?}");
}

#[tokio::test]
async fn https_goes_through_the_proxy_and_the_server_is_verified() {
    let authority = Authority::new();
    let server = Server::showing(&authority, GOOD);
    let proxy = Server::doing(Script::Tunnel("HTTP/1.1 200 Connection established\r\n\r\n", server.address));
    let environment = proxies(&[("https_proxy", &format!("me:secret@{}", proxy.address))]);
    let client = Client { proxies: environment, ..client(&authority) };
    let asked = asked(&client, &ask("https://u:p@good.test/x")).await;
    assert_eq!((asked.status, failure(&asked)), (Some(200), ""));
    assert_eq!(asked.certificate.unwrap().verdict, Verdict::Good);
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT good.test:443 HTTP/1.1\r\nhost: good.test:443\r\n"), "{heads:?}");
    assert!(heads[0].contains("\r\nproxy-authorization: Basic bWU6c2VjcmV0\r\n"), "{heads:?}");
    assert!(!heads[0].contains("\r\nauthorization"), "the server's login is not the proxy's");
    let heads = server.heads();
    assert!(
        heads[0].starts_with("GET /x HTTP/1.1\r\nhost: good.test\r\n") && !heads[0].contains("proxy-"),
        "{heads:?}"
    );
}

/// RFC 9110, 9.3.6: any of them, and not 200 alone.
#[tokio::test]
async fn every_success_opens_the_way_through_the_proxy() {
    let authority = Authority::new();
    for head in ["HTTP/1.1 201 Created\r\n\r\n", "HTTP/1.0 204 No Content\r\n\r\n", "HTTP/1.1 299 Good\r\n\r\n"] {
        let server = Server::showing(&authority, GOOD);
        let proxy = Server::doing(Script::Tunnel(head, server.address));
        let environment = proxies(&[("https_proxy", &proxy.address.to_string())]);
        let client = Client { proxies: environment, ..client(&authority) };
        let asked = asked(&client, &ask("https://good.test/")).await;
        assert_eq!((asked.status, failure(&asked)), (Some(200), ""), "{head}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told() {
    let authority = Authority::new();
    let refusing = Server::answering("HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\nno\n");
    let chatty = Server::answering("HTTP/1.1 200 OK\r\n\r\nhello");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (at, https, http) in [
        (refusing.address.to_string(), "the proxy answers 407", ""),
        (chatty.address.to_string(), "the proxy speaks before the server is asked", ""),
        (gone.to_string(), "the proxy: no connection: ", "the proxy: no connection: "),
        ("socks5://p".to_owned(), "all_proxy is socks5://p", "all_proxy is socks5://p"),
        ("nobody.example:1".to_owned(), "the proxy: the name nobody.example", "the proxy: the name nobody.example"),
    ] {
        let environment = proxies(&[("all_proxy", &at)]);
        let client = Client { proxies: environment, ..client(&authority) };
        let asked_https = asked(&client, &ask("https://good.test/")).await;
        assert!(failure(&asked_https).starts_with(https), "{asked_https:?}");
        let asked_http = asked(&client, &ask("http://good.test/")).await;
        assert!(failure(&asked_http).starts_with(http), "{asked_http:?}");
    }
}
