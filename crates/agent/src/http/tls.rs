//! TLS for the listener: the certificate of `http.tls`, read again when its files change.
//!
//! Without a usable certificate there is no listener, and never a plain one in its place: a token must not cross the network
//! in the clear because a file was forgotten. A certificate that is replaced by a bad one stays in use.

mod provider;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::app::task;
use crate::config::Tls;
pub(crate) use provider::provider;

/// Between two looks at the files.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// Bytes of a file: a chain of certificates has some kilobytes.
const FILE_LIMIT: u64 = 1 << 20;

/// The two files, as they are and as they were read.
#[derive(Clone)]
pub(super) struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// A certificate in use.
pub(super) struct Loaded {
    pub acceptor: TlsAcceptor,
    /// What the files held, to see when they change.
    read: Contents,
}

/// Bytes of the certificate's file and of the key's.
type Contents = (Vec<u8>, Vec<u8>);

impl Files {
    /// Relative names count from `dir`. `None`: no TLS.
    pub fn of(tls: &Tls, dir: &Path) -> Option<Files> {
        let key = if tls.key.is_empty() { &tls.cert } else { &tls.key };
        let at = |name: &str| if name.is_empty() { PathBuf::new() } else { dir.join(name) };
        tls.is_on().then(|| Files { cert: at(&tls.cert), key: at(key) })
    }

    fn read(&self) -> anyhow::Result<Contents> {
        ensure!(!self.cert.as_os_str().is_empty(), "http.tls.cert is empty, and http.tls.key is not");
        Ok((contents(&self.cert)?, contents(&self.key)?))
    }

    pub fn load(&self) -> anyhow::Result<Loaded> {
        let read = self.read()?;
        let config = server_config(&read, self)?;
        Ok(Loaded { acceptor: TlsAcceptor::from(Arc::new(config)), read })
    }

    /// Off the thread of the event loop, where a slow disk holds up nobody.
    async fn aside<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Files) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let files = self.clone();
        task::aside(move || job(&files)).await.context("the reader failed by a defect")?
    }

    /// Until there is a usable certificate. `None`: the agent stops.
    pub async fn load_patiently(&self, stop: &mut watch::Receiver<bool>) -> Option<Loaded> {
        let mut told = String::new();
        loop {
            match self.aside(Files::load).await {
                Ok(loaded) => {
                    crate::log::say!(Info, "H010", "http: TLS with the certificate of {}", self.cert.display());
                    return Some(loaded);
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    if told != why {
                        crate::log::say!(
                            Warn,
                            "H011",
                            "http: no TLS: {why}; no pushes and no page until it is there (tried every minute)"
                        );
                        told = why;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    /// Puts a changed certificate in use, for as long as the server runs.
    pub async fn keep(&self, mut loaded: Loaded, using: watch::Sender<Option<TlsAcceptor>>) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let before = loaded.read.clone();
            let renewed =
                self.aside(move |files| if files.read()? == before { Ok(None) } else { files.load().map(Some) });
            match renewed.await {
                Ok(None) => {}
                Ok(Some(renewed)) => {
                    crate::log::say!(Info, "H012", "http: the certificate of {} was read anew", self.cert.display());
                    using.send_replace(Some(renewed.acceptor.clone()));
                    loaded = renewed;
                    told.clear();
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    if told != why {
                        crate::log::say!(
                            Warn,
                            "H013",
                            "http: the certificate stays as it was: {why} (tried every minute)"
                        );
                        told = why;
                    }
                }
            }
        }
    }
}

fn contents(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_LIMIT + 1).read_to_end(&mut bytes));
    let read = read.with_context(|| path.display().to_string())?;
    ensure!(
        u64::try_from(read).is_ok_and(|read| read <= FILE_LIMIT),
        "{}: larger than {FILE_LIMIT} bytes",
        path.display()
    );
    Ok(bytes)
}

fn server_config((cert, key): &Contents, files: &Files) -> anyhow::Result<ServerConfig> {
    let of_cert = || files.cert.display().to_string();
    let of_key = || files.key.display().to_string();
    let certs = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>().with_context(of_cert)?;
    ensure!(!certs.is_empty(), "{}: there is no certificate in it (PEM)", of_cert());
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| anyhow::anyhow!("{}: no private key in it that can be used (PEM): {error}", of_key()))?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .with_context(|| format!("{} and {}", of_cert(), of_key()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
