//! The web pages that hbs assigns, asked for by the executable itself: what the system trusts is found by it alone.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::{fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};

use crate::harness::agent::Agent;
use crate::harness::is_windows;
use crate::harness::servers::{Hbs, Server};

/// A web server: `/200` and `/204` are answered so.
fn web(tls: Option<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(Arc::new);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, tls) = (stream.unwrap(), tls.clone());
            thread::spawn(move || match tls {
                Some(tls) => answer(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
                None => answer(stream),
            });
        }
    });
    address
}

fn answer(mut stream: impl Read + Write) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.extend(byte),
            // Whoever does not trust the certificate asks for nothing.
            _ => return,
        }
    }
    let status = if head.starts_with(b"HEAD /200 ") { "200 OK" } else { "204 No Content" };
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.flush();
}

/// An agent that says what `checks` has, each URL with this value.
fn says(environment: &[(&str, &OsStr)], checks: &[(String, f64)]) {
    let (transfer, hbs) = (Server::good(), Hbs::start());
    let tags: Vec<String> = checks.iter().map(|(url, _)| format!("url={url},timeout=30")).collect();
    let assigned: Vec<(&str, &str)> = tags.iter().map(|tags| ("url.check.health", tags.as_str())).collect();
    hbs.assigns(&assigned);
    let config = json!({
        "hostname": "urls",
        "heartbeat": { "enabled": true, "addr": [hbs.addr()], "interval": 1, "timeout": 500 },
        "transfer": { "enabled": true, "addrs": [transfer.addr], "interval": 1, "replay_delay": 0 },
    });
    // No proxy of this machine's is asked.
    let environment: Vec<_> = environment.iter().copied().chain([("no_proxy", OsStr::new("*"))]).collect();
    let agent = Agent::start_with(&config, &environment);
    for (tags, (_, expected)) in tags.iter().zip(checks) {
        let tags = format!("{tags},src=urls");
        let value = agent.wait(&tags, || {
            let items = transfer.items();
            let of = items.iter().find(|item| item.metric == "url.check.health" && item.tags == tags);
            of.map(|item| item.value)
        });
        assert_eq!(value.to_bits(), expected.to_bits(), "{tags}: {}", agent.state());
    }
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn a_page_is_well_where_it_is_answered_with_exactly_200() {
    let web = web(None);
    says(&[], &[(format!("http://{web}/200"), 1.0), (format!("http://{web}/204"), 0.0)]);
}

/// The client's own tests give it an authority to trust; none showed that anything is accepted by way of the system's store.
#[test]
fn a_server_is_trusted_where_the_system_trusts_its_authority() {
    if is_windows() {
        // Whose store no variable changes, and a test is not to.
        return;
    }
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let url = format!("https://{}/200", web(Some(config)));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authority.pem");
    let pem = STANDARD.encode(authority.der());
    fs::write(&file, format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n")).unwrap();
    says(&[("SSL_CERT_FILE", file.as_os_str())], &[(url.clone(), 1.0)]);
    says(&[], &[(url, 0.0)]);
}
