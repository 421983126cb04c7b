//! A client that trusts one certificate of the fixtures and nothing else.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use crate::harness::http;

/// Whether `/health` is answered there by whoever has this certificate.
pub fn answers(address: SocketAddr, trusted: &str) -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(trusted);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).expect("a certificate")).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(address.ip().to_string()).expect("an address");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let Ok(mut socket) = http::connect(address) else { return false };
    let mut stream = Stream::new(&mut session, &mut socket);
    let asked = stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    // The agent may end without the goodbye of TLS.
    let _ = asked.and_then(|()| stream.read_to_end(&mut answer));
    answer.ends_with(b"\r\n\r\nok")
}
