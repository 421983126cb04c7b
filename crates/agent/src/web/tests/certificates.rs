use super::server::{GOOD, Shown};
use super::*;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use tokio::sync::watch;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme, version};

use super::super::certificate::days_left;

const EXPIRED: Shown = Shown { to: -1, from: -30, ..GOOD };
const FUTURE: Shown = Shown { from: 2, ..GOOD };
const SELF_SIGNED: Shown = Shown { is_signed: false, ..GOOD };
const AUTHORITY: Shown = Shown { is_authority: true, ..GOOD };
const OTHER_NAME: Shown = Shown { name: "other.test", ..GOOD };

fn days(asked: &Asked) -> f64 {
    *asked.certificate.as_ref().unwrap().days.as_ref().unwrap()
}

fn verdict(asked: &Asked) -> &str {
    asked.certificate.as_ref().unwrap().verdict.why().unwrap_or("good")
}

fn url(server: &Server) -> String {
    format!("https://good.test:{}/", server.port())
}

#[tokio::test]
async fn a_good_certificate_is_verified_and_its_days_are_told() {
    let authority = Authority::new();
    for versions in [&[&version::TLS13][..], &[&version::TLS12]] {
        let server = Server::with_versions(&authority, GOOD, versions);
        let asked = asked(&client(&authority), &ask(&url(&server))).await;
        assert_eq!((asked.status, failure(&asked), verdict(&asked)), (Some(200), "", "good"));
        assert!((29.9..=30.0).contains(&days(&asked)), "{asked:?}");
        assert!(server.heads()[0].starts_with("GET / HTTP/1.1\r\nhost: good.test:"), "{:?}", server.heads());
    }
}

#[tokio::test]
async fn a_bad_certificate_is_told_with_its_days_and_the_server_is_asked_for_nothing() {
    let authority = Authority::new();
    for (shown, why, days_left) in [
        (EXPIRED, "it has expired", -1.0),
        (FUTURE, "it is not valid yet", 30.0),
        (SELF_SIGNED, "nobody whom this host trusts has signed it", 30.0),
        (AUTHORITY, "it is an authority's own, and no server's", 30.0),
        (OTHER_NAME, "it is for other names", 30.0),
    ] {
        let server = Server::showing(&authority, shown);
        let client = client(&authority);
        let refused = asked(&client, &ask(&url(&server))).await;
        assert_eq!((refused.status, refused.took, verdict(&refused)), (None, None, why));
        assert_eq!(failure(&refused), format!("certificate: {why}"));
        assert!((days_left - 0.02..=days_left).contains(&days(&refused)), "{refused:?}");
        assert_eq!(server.heads(), [""; 0]);
        // The same where that is no failure.
        let taken = asked(&client, &Ask { verify: false, ..ask(&url(&server)) }).await;
        assert_eq!((taken.status, failure(&taken), verdict(&taken)), (Some(200), "", why));
        assert!((days(&taken) - days(&refused)).abs() < 0.02);
    }
}

#[tokio::test]
async fn what_this_host_trusts_is_the_systems_own_store() {
    let authority = Authority::new();
    let server = Server::showing(&authority, GOOD);
    let asked = asked(&Client { tls: Tls::of_system(), ..client(&authority) }, &ask(&url(&server))).await;
    assert_ne!(verdict(&asked), "good", "an authority that was made a moment ago is not in it");
    assert!((29.9..=30.0).contains(&days(&asked)), "{asked:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_tried_again() {
    let authority = Authority::new();
    let server = Server::showing(&authority, GOOD);
    let (good, tries) = (authority.store(), AtomicUsize::new(0));
    let client = Client {
        tls: Tls::by(Box::new(move |provider| match tries.fetch_add(1, SeqCst) {
            0 => Err(Error::General("it is empty".to_owned())),
            _ => good(provider),
        })),
        ..client(&authority)
    };
    let first = asked(&client, &ask(&url(&server))).await;
    let unknown = "what this host trusts is not known: unexpected error: it is empty";
    assert_eq!(first.certificate.unwrap().verdict, Verdict::Unknown(unknown.to_owned()));
    assert_eq!(first.failure, Some(format!("certificate: {unknown}")));
    for _ in 0..2 {
        assert_eq!(verdict(&asked(&client, &ask(&url(&server))).await), "good");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let authority = Authority::new();
    let server = Server::start("127.0.0.1:0", None, server::Script::Close);
    let asked = asked(&client(&authority), &ask(&url(&server))).await;
    assert_eq!(asked.certificate, None);
    assert!(failure(&asked).starts_with("TLS: "), "{asked:?}");
}

/// Tells that it has begun, and takes as long as it is held.
#[derive(Debug)]
struct Slow {
    begun: watch::Sender<bool>,
    held: Mutex<mpsc::Receiver<()>>,
}

impl Slow {
    /// With what it tells of its begin, and what lets it go.
    fn new() -> (Arc<Slow>, watch::Receiver<bool>, mpsc::Sender<()>) {
        let (begun, has_begun) = watch::channel(false);
        let (release, held) = mpsc::channel();
        (Arc::new(Slow { begun, held: Mutex::new(held) }), has_begun, release)
    }
}

impl ServerCertVerifier for Slow {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.begun.send_replace(true);
        // Also where it holds up whoever would let it go.
        let _ = self.held.lock().unwrap().recv_timeout(LIMIT);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("the client does this itself")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("the client does this itself")
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        unreachable!("the client does this itself")
    }
}

/// On Windows verification asks other hosts for revocations: one that is dropped on its way held up every check.
#[tokio::test]
async fn a_verification_that_hangs_holds_up_nobody_else() {
    let authority = Authority::new();
    let (server, other) = (Server::showing(&authority, GOOD), Server::answering(server::OK));
    let (slow, mut begun, release) = Slow::new();
    let client = Client { tls: Tls::by(Box::new(move |_| Ok(slow.clone()))), ..client(&authority) };
    let hanging = ask(&url(&server));
    let hanging = asked(&client, &hanging);
    tokio::pin!(hanging);
    let plain = ask(&format!("http://good.test:{}/", other.port()));
    let meanwhile = async {
        begun.wait_for(|begun| *begun).await.unwrap();
        asked(&client, &plain).await
    };
    tokio::select! {
        biased;
        asked = &mut hanging => panic!("{asked:?}"),
        asked = meanwhile => assert_eq!(asked.status, Some(200)),
    }
    release.send(()).unwrap();
    assert_eq!(hanging.await.status, Some(200));
}

/// A check that does without verification waited for it: on Windows without Internet longer than its own time.
#[tokio::test]
async fn a_verdict_that_nobody_needs_is_not_waited_for() {
    let authority = Authority::new();
    let server = Server::showing(&authority, GOOD);
    let (slow, _begun, release) = Slow::new();
    let client = Client { tls: Tls::by(Box::new(move |_| Ok(slow.clone()))), ..client(&authority) };
    let asked = asked(&client, &Ask { verify: false, ..ask(&url(&server)) }).await;
    assert_eq!((asked.status, failure(&asked)), (Some(200), ""));
    let unknown = Verdict::Unknown("it was not verified in time".to_owned());
    assert_eq!(asked.certificate.unwrap().verdict, unknown);
    drop(release);
}

#[test]
fn the_end_of_a_certificate_is_read_from_its_bytes() {
    let authority = Authority::new();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    for to in [-3, 40_000] {
        let (certificate, _) = authority.certificate(Shown { to, from: -30, ..GOOD });
        #[allow(clippy::cast_precision_loss)]
        let expected = to as f64;
        let days = days_left(&certificate, now).unwrap();
        assert!((expected - 0.02..=expected).contains(&days), "{days} of {to}");
        for at in 0..certificate.len() {
            let mut changed = certificate.to_vec();
            changed[at] ^= 0x81;
            let _ = days_left(&changed, now);
        }
        // Whatever is cut off: an error, or the same where only the signature is missing.
        for end in 0..certificate.len() {
            assert!(days_left(&certificate[..end], now).is_err(), "{end}");
        }
    }
    // Of version 1, which has no field that says so.
    let old = |end: &[u8]| {
        let sizes = [&b"\x30\x29\x30\x27\x02\x01\x01\x30\x00\x30\x00\x30\x1e\x17\x0d200101000000Z\x17\x0d"[..], end];
        days_left(&sizes.concat(), Duration::from_secs(1_893_456_000 - 43_200))
    };
    assert_eq!(old(b"300101000000Z"), Ok(0.5));
    for end in [&b"500101000000Z"[..], b"301301000000Z", b"3001010000000", b"30010100"] {
        assert!(old(end).is_err(), "{end:?}");
    }
    for odd in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x02\x30\x00", b"\xff\xff\xff\xff\xff", &[0x30; 64]] {
        assert!(days_left(odd, now).is_err(), "{odd:?}");
    }
}
