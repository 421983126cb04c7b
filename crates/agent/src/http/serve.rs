//! The accept loop and its connections.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::impatient::Impatient;
use super::listen::{Port, bind_patiently};
use super::slots::{Got, Place, Slots, Stage};
use super::{Site, routes, tls};
use crate::app::task;
use crate::config::Http;
use crate::stats::Stats;

/// For requests in progress when the agent stops.
const DRAIN: Duration = Duration::from_secs(1);
/// For a client that takes nothing, if `http.limits.body_timeout` is no longer: one that vanished without a word would hold a
/// place of `/ui/live`, and have the host read for it.
const VANISHED: Duration = Duration::from_secs(30);
/// Before accepting again when the system has no more descriptors: at once would spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Whose request it is.
#[derive(Clone)]
pub(super) struct Client {
    pub address: IpAddr,
    pub place: Arc<Place>,
    /// Turns true when the server stops: what has no end of its own ends then.
    pub stop: watch::Receiver<bool>,
    /// What the server answers with: for what ends when that changes.
    pub sites: watch::Receiver<Arc<Site>>,
}

/// Who gets in, and how: what does not change while a server stands. It holds nothing of what is behind the door, which does.
#[derive(Clone)]
pub struct Entrance {
    pub(super) http: Http,
    pub(super) tls: Option<tls::Files>,
    pub(super) stats: Arc<Stats>,
}

/// Serves what `site` is at each request, until `stop` turns true; then leaves its listener at the `port` and gives requests
/// in progress a moment.
pub async fn serve(
    entrance: Entrance,
    port: Arc<Port>,
    site: watch::Receiver<Arc<Site>>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(files) = entrance.tls.clone() else {
        let (_, none) = watch::channel(None);
        return accept_all(entrance, &port, site, none, stop).await;
    };
    let Some(loaded) = files.load_patiently(&mut stop).await else { return };
    let (renew, acceptor) = watch::channel(Some(loaded.acceptor.clone()));
    tokio::select! {
        () = files.keep(loaded, renew) => {}
        () = accept_all(entrance, &port, site, acceptor, stop) => {}
    }
}

async fn accept_all(
    entrance: Entrance,
    port: &Port,
    site: watch::Receiver<Arc<Site>>,
    tls: watch::Receiver<Option<TlsAcceptor>>,
    mut stop: watch::Receiver<bool>,
) {
    let Entrance { http, stats, .. } = entrance;
    let listen = http.listen.clone();
    let Some(listener) = bind_patiently(&listen, port, &mut stop).await else { return };
    let door = Door { site, slots: Slots::new(http.limits.connections), http, stats, tls, stop: stop.clone() };
    let graceful = GracefulShutdown::new();
    let mut told = Told::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, client)) => door.admit(stream, client, &graceful, &mut told),
            Err(error) => {
                crate::log::say!(Debug, "H005", "http: accept: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        // A crowd at the door must not keep those inside from being served.
        tokio::task::yield_now().await;
    }
    port.leave(&listen, listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

/// What was said in the log, once each.
#[derive(Default)]
struct Told {
    full: bool,
    denied: bool,
}

struct Door {
    http: Http,
    stats: Arc<Stats>,
    site: watch::Receiver<Arc<Site>>,
    slots: Arc<Slots>,
    tls: watch::Receiver<Option<TlsAcceptor>>,
    stop: watch::Receiver<bool>,
}

impl Door {
    fn admit(&self, stream: TcpStream, client: SocketAddr, graceful: &GracefulShutdown, told: &mut Told) {
        let (address, stats) = (client.ip().to_canonical(), &self.stats);
        if !self.http.lets_in(address) {
            stats.http_denied.add(1);
            if !std::mem::replace(&mut told.denied, true) {
                crate::log::say!(
                    Warn,
                    "H006",
                    "http: {address} is not in http.allow: its connection is closed (told once)"
                );
            }
            return;
        }
        let got = self.slots.take(address);
        if got.as_ref().is_none_or(|got| got.evicted) {
            stats.http_refused.add(1);
            if !std::mem::replace(&mut told.full, true) {
                let most = self.http.limits.connections;
                crate::log::say!(
                    Warn,
                    "H007",
                    "http: {most} connections are open (http.limits.connections): one that waits for its client is closed \
                     for each new one (told once)"
                );
            }
        }
        let Some(Got { place, closing, .. }) = got else { return };
        let client = Client { address, place: Arc::new(place), stop: self.stop.clone(), sites: self.site.clone() };
        let talk = self.talk(stream, client, graceful.watcher());
        task::spawn(async move {
            tokio::select! {
                biased;
                _ = closing => {}
                () = talk => {}
            }
        });
    }

    fn talk(&self, stream: TcpStream, client: Client, watcher: Watcher) -> impl Future<Output = ()> + use<> {
        let (head, body) = (self.http.header_timeout(), self.http.body_timeout());
        // Without it a connection is as good, but for how long it outlives its client.
        let _ = falcon_sys::give_up_after(&stream, body.max(VANISHED));
        let acceptor = self.tls.borrow().clone();
        async move {
            let stream = Impatient::new(stream, body);
            let wire = match acceptor {
                None => Wire::Plain(stream),
                Some(acceptor) => match tokio::time::timeout(head, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => Wire::Tls(Box::new(stream)),
                    Ok(Err(error)) => return crate::log::say!(Debug, "H008", "http: {}: TLS: {error}", client.address),
                    Err(_) => return,
                },
            };
            let service = service_fn(move |request: Request<Incoming>| {
                let busy = Busy::begin(client.place.clone());
                let answer = routes::answer(client.sites.borrow().clone(), client.clone(), request);
                async move {
                    let answer = answer.await;
                    drop(busy);
                    Ok::<_, Infallible>(answer)
                }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(64 * 1024);
            if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(wire), service)).await {
                crate::log::say!(Debug, "H009", "http: {error}");
            }
        }
    }
}

/// The agent works for a connection; dropped, it waits for its client again.
struct Busy(Arc<Place>);

impl Busy {
    fn begin(place: Arc<Place>) -> Busy {
        place.set(Stage::Working);
        Busy(place)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(Stage::Idle);
    }
}

/// One type for both, so that hyper is in the executable once.
enum Wire {
    Plain(Impatient),
    Tls(Box<TlsStream<Impatient>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
