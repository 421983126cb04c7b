//! TLS of the client: first the handshake, then the verdict on the certificate, and the request after both.
//!
//! The handshake takes any certificate of which the server has the key, and remembers it: so its end is told also where it fails
//! verification. What this host trusts says the system's own store, opened anew every hour. Verification has a thread that may
//! be lost, as it may ask others (Windows, for revocations) and would hold up all checks. Nothing that is asked goes out before
//! the verdict, but where the check does without one: there it is found beside the request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate;
use crate::falcon::connection::{Io, Stream};
use crate::http::tls::provider;
use crate::isolate::Worker;

/// How long the store counts as it was read.
const FRESH: Duration = Duration::from_secs(3600);
/// Threads that verify; more are not lost.
const MOST_OUT: usize = 16;

pub(crate) type Verifier = Arc<dyn ServerCertVerifier>;
pub(crate) type OpenStore = Box<dyn Fn(Arc<CryptoProvider>) -> Result<Verifier, Error> + Send>;

/// What is known of a server's certificate.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub days: Result<f64, String>,
    pub verdict: Verdict,
}

/// Whether what this host trusts verifies it.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Good,
    Bad(String),
    /// Why there is none.
    Unknown(String),
}

/// A verdict that is being found.
pub(crate) type Pending = oneshot::Receiver<Verdict>;

impl Verdict {
    /// Why it is not good.
    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Good => None,
            Verdict::Bad(why) | Verdict::Unknown(why) => Some(why),
        }
    }
}

pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    store: Arc<Mutex<Store>>,
    turns: Arc<Semaphore>,
}

impl Tls {
    /// By what the system trusts.
    pub fn of_system() -> Tls {
        Tls::by(Box::new(|provider| Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider)?))))
    }

    pub fn by(open: OpenStore) -> Tls {
        Tls {
            provider: provider(),
            store: Arc::new(Mutex::new(Store { open, opened: None })),
            turns: Arc::new(Semaphore::new(MOST_OUT)),
        }
    }

    /// TLS over a connection to `host`; what is learnt of its certificate is left in `seen`, whatever comes of it, and the verdict
    /// that nobody waited for in `pending`.
    ///
    /// # Errors
    /// There is no TLS, or the certificate fails where it is to be verified.
    pub async fn secure(
        &self,
        stream: Stream,
        host: &str,
        verify: bool,
        seen: &mut Option<Seen>,
        pending: &mut Option<Pending>,
    ) -> Result<Stream, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("no certificate can be for {host:?}"))?;
        let recorder = Arc::new(Recorder { provider: self.provider.clone(), presented: Mutex::default() });
        let config = Arc::new(self.config(recorder.clone()).map_err(|error| format!("TLS: {error}"))?);
        let shaken = TlsConnector::from(config).connect(name, stream).await;
        let presented = recorder.presented.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut refused = None;
        if let Some(presented) = presented {
            let verdict = Verdict::Unknown("it was not verified in time".to_owned());
            let seen = seen.insert(Seen { days: presented.days_left(), verdict });
            match self.verify(presented) {
                Ok(verdict) if verify => seen.verdict = given(verdict.await),
                Ok(verdict) => *pending = Some(verdict),
                Err(why) => seen.verdict = Verdict::Unknown(why),
            }
            refused = seen.verdict.why().filter(|_| verify).map(|why| format!("certificate: {why}"));
        }
        let stream = shaken.map_err(|error| format!("TLS: {error}"))?;
        refused.map_or_else(|| Ok(Box::new(stream) as Stream), Err)
    }

    fn config(&self, recorder: Arc<Recorder>) -> Result<ClientConfig, Error> {
        let builder =
            ClientConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions()?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(recorder).with_no_client_auth();
        // Each connection shows its certificate.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn verify(&self, presented: Presented) -> Result<Pending, String> {
        let turn = self.turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| format!("{MOST_OUT} others are still being verified"))?;
        let thread = Worker::spawn("verify").map_err(|error| format!("it cannot be verified: {error}"))?;
        let (store, provider) = (self.store.clone(), self.provider.clone());
        let (back, verdict) = oneshot::channel();
        thread.run(move || {
            let verifier = store.lock().unwrap_or_else(PoisonError::into_inner).verifier(provider);
            let verdict = verifier.map_or_else(Verdict::Unknown, |verifier| presented.verdict(&*verifier));
            drop(turn);
            // Nobody waits any more for one that is late.
            let _ = back.send(verdict);
        });
        Ok(verdict)
    }
}

/// As its thread left it.
pub(crate) fn given(verdict: Result<Verdict, oneshot::error::RecvError>) -> Verdict {
    verdict.unwrap_or_else(|_| Verdict::Unknown("the verifier failed by a defect".to_owned()))
}

impl Io for TlsStream<Stream> {}

/// What this host trusts.
struct Store {
    open: OpenStore,
    opened: Option<(Instant, Verifier)>,
}

impl Store {
    fn verifier(&mut self, provider: Arc<CryptoProvider>) -> Result<Verifier, String> {
        if let Some((_, verifier)) = self.opened.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(verifier.clone());
        }
        self.opened = None;
        let verifier = (self.open)(provider).map_err(|error| format!("what this host trusts is not known: {error}"))?;
        self.opened = Some((Instant::now(), verifier.clone()));
        Ok(verifier)
    }
}

/// Takes any certificate and remembers it.
struct Recorder {
    provider: Arc<CryptoProvider>,
    presented: Mutex<Option<Presented>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

struct Presented {
    certificate: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
    ocsp: Vec<u8>,
    now: UnixTime,
}

impl Presented {
    fn days_left(&self) -> Result<f64, String> {
        let now = Duration::from_secs(self.now.as_secs());
        certificate::days_left(&self.certificate, now).map_err(|error| format!("its end cannot be read: {error}"))
    }

    fn verdict(&self, verifier: &dyn ServerCertVerifier) -> Verdict {
        match verifier.verify_server_cert(&self.certificate, &self.others, &self.name, &self.ocsp, self.now) {
            Ok(_) => Verdict::Good,
            Err(Error::InvalidCertificate(error)) => Verdict::Bad(why(&error)),
            // Of the verifier rather than of the certificate.
            Err(error) => Verdict::Unknown(error.to_string()),
        }
    }
}

/// In words that stay the same from cycle to cycle, as those of the library, which have the time in them, do not.
fn why(error: &CertificateError) -> String {
    let known = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for other names",
        CertificateError::UnknownIssuer => "nobody whom this host trusts has signed it",
        CertificateError::Revoked => "it was revoked",
        // As `openssl req -x509` makes it.
        CertificateError::Other(other) if is_authority(other) => "it is an authority's own, and no server's",
        _ => return format!("invalid peer certificate: {error}"),
    };
    known.to_owned()
}

fn is_authority(error: &OtherError) -> bool {
    matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented {
            certificate: end_entity.clone().into_owned(),
            others: intermediates.iter().map(|certificate| certificate.clone().into_owned()).collect(),
            name: server_name.to_owned(),
            ocsp: ocsp_response.to_vec(),
            now,
        };
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
