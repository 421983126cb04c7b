//! The listener with TLS. The certificates of `tests/fixtures/tls` are for 127.0.0.1 and sign themselves.

use super::*;
use crate::http::tls::{Files, LOOK};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

const FIRST: (&str, &str) =
    (include_str!("../../../tests/fixtures/tls/first.crt"), include_str!("../../../tests/fixtures/tls/first.key"));
const SECOND: (&str, &str) =
    (include_str!("../../../tests/fixtures/tls/second.crt"), include_str!("../../../tests/fixtures/tls/second.key"));

fn write(dir: &TempDir, (cert, key): (&str, &str)) {
    std::fs::write(dir.path().join("agent.crt"), cert).expect("written");
    std::fs::write(dir.path().join("agent.key"), key).expect("written");
}

async fn server_of(dir: &TempDir) -> Server {
    server_with(|config| {
        config.http.tls.cert = dir.path().join("agent.crt").display().to_string();
        config.http.tls.key = dir.path().join("agent.key").display().to_string();
    })
    .await
}

impl Server {
    /// Asks for `/health` as a client that trusts this certificate alone.
    async fn health_over_tls(&self, trusted: &str) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).expect("a certificate")).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, self.connect().await).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(body(&answer).to_owned())
    }
}

#[tokio::test]
async fn with_a_certificate_only_tls_is_answered() {
    let dir = TempDir::new().expect("a directory");
    write(&dir, FIRST);
    let server = server_of(&dir).await;
    assert_eq!(server.health_over_tls(FIRST.0).await.expect("answered"), "ok");
    assert!(server.health_over_tls(SECOND.0).await.is_err(), "a client that expects another certificate");
    let plain = server.get("/health").await;
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
}

#[tokio::test]
async fn certificate_and_key_may_stand_in_one_file() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("both.pem");
    std::fs::write(&path, [FIRST.1, FIRST.0].concat()).expect("written");
    let server = server_with(|config| config.http.tls.cert = path.display().to_string()).await;
    assert_eq!(server.health_over_tls(FIRST.0).await.expect("answered"), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_cut_off() {
    let dir = TempDir::new().expect("a directory");
    write(&dir, FIRST);
    let server = server_of(&dir).await;
    let mut slow = server.connect().await;
    slow.write_all(b"\x16\x03\x01").await.expect("sent");
    let mut end = Vec::new();
    let _ = slow.read_to_end(&mut end).await;
    assert!(end.is_empty());
}

/// Without the file there was a choice of a plain listener or none: a token must not cross the network in the clear.
#[tokio::test(start_paused = true)]
async fn without_a_usable_certificate_nothing_listens_until_there_is_one() {
    let dir = TempDir::new().expect("a directory");
    let server = server_of(&dir).await;
    for _ in 0..3 {
        tokio::time::sleep(LOOK).await;
        assert!(TcpStream::connect(server.addr).await.is_err(), "no plain listener");
    }
    write(&dir, FIRST);
    while TcpStream::connect(server.addr).await.is_err() {
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(server.health_over_tls(FIRST.0).await.expect("answered"), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_used_and_a_bad_one_is_not() {
    let dir = TempDir::new().expect("a directory");
    write(&dir, FIRST);
    let server = server_of(&dir).await;
    assert_eq!(server.health_over_tls(FIRST.0).await.expect("answered"), "ok");
    // The certificate of one key with the other key: half of a renewal.
    write(&dir, (SECOND.0, FIRST.1));
    tokio::time::sleep(LOOK * 2).await;
    assert_eq!(server.health_over_tls(FIRST.0).await.expect("the old one stays"), "ok");
    write(&dir, SECOND);
    while server.health_over_tls(SECOND.0).await.is_err() {
        tokio::time::sleep(LOOK).await;
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_its_file() {
    let dir = TempDir::new().expect("a directory");
    let why = |pair: (&str, &str)| {
        write(&dir, pair);
        let tls = crate::config::Tls { cert: "agent.crt".to_owned(), key: "agent.key".to_owned() };
        let files = Files::of(&tls, dir.path()).expect("TLS is meant");
        files.load().err().map(|error| format!("{error:#}"))
    };
    for (pair, file, part) in [
        (("", FIRST.1), "agent.crt", "no certificate"),
        ((FIRST.0, ""), "agent.key", "no private key"),
        ((FIRST.0, SECOND.1), "agent.key", "KeyMismatch"),
        (("-----BEGIN CERTIFICATE-----\nAA", FIRST.1), "agent.crt", ""),
    ] {
        let told = why(pair).expect("an error");
        assert!(told.contains(file) && told.contains(part), "{told}");
    }
    assert_eq!(why(FIRST), None);
}
