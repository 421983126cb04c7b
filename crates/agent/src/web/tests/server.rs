//! A web server that does as it is told, and an authority that signs what it shows.

use super::*;

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto, version};

use super::super::tls::OpenStore;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub name: &'static str,
    /// Days from now.
    pub from: i64,
    pub to: i64,
    pub is_signed: bool,
    /// Whether it may sign others itself.
    pub is_authority: bool,
}

pub(crate) const GOOD: Shown = Shown { name: "good.test", from: -1, to: 30, is_signed: true, is_authority: false };

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a host that trusts it alone trusts.
    pub fn store(&self) -> OpenStore {
        let root = self.0.der().clone();
        Box::new(move |provider| {
            let mut roots = RootCertStore::empty();
            roots.add(root.clone())?;
            Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap())
        })
    }

    pub fn certificate(&self, shown: Shown) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        let day = |days: i64| {
            let hours = Duration::from_secs(days.unsigned_abs() * 86_400);
            date_time_ymd(1970, 1, 1) + if days < 0 { now - hours } else { now + hours }
        };
        let mut params = CertificateParams::new([shown.name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (day(shown.from), day(shown.to));
        if shown.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let made = if shown.is_signed { params.signed_by(&key, &self.0) } else { params.self_signed(&key) };
        (made.unwrap().der().clone(), key)
    }
}

/// What a connection gets once its request is read.
#[derive(Clone)]
pub(crate) enum Script {
    Answer(Vec<u8>),
    /// These bytes, and the same again for as long as they are read.
    Endless(&'static str, &'static str),
    /// These bytes, and then nothing.
    Hold(&'static str),
    /// The same until it is let go, and then an answer.
    Held(watch::Receiver<bool>),
    /// Closed before anything is read.
    Close,
    /// A proxy: these bytes, and what is said to this address.
    Tunnel(&'static str, SocketAddr),
}

pub(crate) struct Server {
    pub address: SocketAddr,
    seen: Arc<Seen>,
    _end: oneshot::Sender<()>,
}

#[derive(Default)]
struct Seen {
    heads: Mutex<Vec<String>>,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Server {
    pub fn answering(text: &str) -> Server {
        Server::start("127.0.0.1:0", None, Script::Answer(text.as_bytes().to_vec()))
    }

    pub fn doing(script: Script) -> Server {
        Server::start("127.0.0.1:0", None, script)
    }

    pub fn showing(authority: &Authority, shown: Shown) -> Server {
        Server::with_versions(authority, shown, BOTH)
    }

    pub fn with_versions(
        authority: &Authority,
        shown: Shown,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Server {
        let (certificate, key) = authority.certificate(shown);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Server::start("127.0.0.1:0", Some(Arc::new(config).into()), Script::Answer(OK.as_bytes().to_vec()))
    }

    pub fn start(at: &str, tls: Option<TlsAcceptor>, script: Script) -> Server {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let (end, ended) = oneshot::channel();
        let told = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = serve(listener, tls, script, told) => {}
                }
            });
        });
        Server { address, seen, _end: end }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests.
    pub fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    pub fn open(&self) -> usize {
        self.seen.open.load(SeqCst)
    }

    /// Connections that were open at once.
    pub fn most(&self) -> usize {
        self.seen.most.load(SeqCst)
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, script: Script, seen: Arc<Seen>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, script, seen) = (tls.clone(), script.clone(), seen.clone());
        tokio::spawn(async move {
            seen.most.fetch_max(seen.open.fetch_add(1, SeqCst) + 1, SeqCst);
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        act(stream, script, &seen).await;
                    }
                }
                None => act(stream, script, &seen).await,
            }
            seen.open.fetch_sub(1, SeqCst);
        });
    }
}

async fn act<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, script: Script, seen: &Seen) {
    if matches!(script, Script::Close) {
        return;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    seen.heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    match script {
        Script::Answer(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Script::Endless(first, again) => {
            let _ = stream.write_all(first.as_bytes()).await;
            while stream.write_all(again.as_bytes()).await.is_ok() {}
        }
        Script::Hold(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.read_u8().await;
        }
        Script::Held(mut gate) => {
            let _ = gate.wait_for(|open| *open).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
        Script::Close => {}
        Script::Tunnel(answer, to) => {
            let _ = stream.write_all(answer.as_bytes()).await;
            let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut server).await;
        }
    }
}
