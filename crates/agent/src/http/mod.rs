//! The HTTP server on :1988: an accept loop of our own around hyper's http1, with axum as the router.
//!
//! Limits: [`MAX_CONNECTIONS`] at once, [`HEADER_TIMEOUT`] for a request's headers (and between two requests),
//! [`REQUEST_TIMEOUT`] for its body and again for taking the answer, [`push::MAX_BODY`] for a body and [`push::MAX_IN_FLIGHT`] for all of them.
//! A port that is taken is tried again; it never ends the agent.

mod impatient;
pub mod push;
pub mod queue;
pub mod status;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use self::impatient::Impatient;
use crate::app::Identity;
use crate::hub::Hub;
use crate::model::Platform;
use crate::push::Invalid;
use crate::stats::Stats;

pub const MAX_CONNECTIONS: usize = 256;
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two tries to get the port, or to accept when the system has no more descriptors.
const RETRY: Duration = Duration::from_secs(10);
/// For requests in progress when the agent stops.
const DRAIN: Duration = Duration::from_secs(1);

/// What handlers see.
pub struct Site {
    pub hub: Arc<Hub>,
    pub stats: Arc<Stats>,
    pub identity: Arc<Identity>,
    /// Where points go, for the status page.
    pub transfers: Vec<String>,
    pub bodies: push::Budget,
    pub told_invalid: Mutex<BTreeSet<Invalid>>,
    pub page: status::Cache,
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", any(status::page))
        .route("/health", any(|| async { plain("ok") }))
        .route("/version", any(|State(site): State<Arc<Site>>| async move { plain(&site.identity.version) }))
        .route("/v1/push", any(push::handle))
        .route("/queue", any(queue::status))
        .route("/queue/verify", any(queue::verify))
        .route("/queue/purge", any(queue::purge))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "404 page not found") })
        .with_state(site)
}

/// A raw answer, as the Go agent gives it: no newline, status 200.
pub(crate) fn plain(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.to_owned()).into_response()
}

/// An error answer, as Go's `http.Error` writes it.
pub(crate) fn error(status: StatusCode, text: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{text}\n")).into_response()
}

/// Serves until `stop` turns true, then gives requests in progress a moment.
pub async fn serve(listen: String, site: Arc<Site>, mut stop: watch::Receiver<bool>) {
    let Some(listener) = bind_patiently(&listen, &mut stop).await else { return };
    let stats = site.stats.clone();
    let router = router(site);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut told_full = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most of the time: accepting again at once would spin.
                tracing::debug!("http: accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            stats.http_refused.add(1);
            if !std::mem::replace(&mut told_full, true) {
                tracing::warn!("http: {MAX_CONNECTIONS} connections are open; further ones are closed (told once)");
            }
            continue;
        };
        let connection = graceful.watch(connection(stream, router.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("http: {error}");
            }
            drop(slot);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

type Served = http1::Connection<TokioIo<Impatient>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router) -> Served {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(Impatient::new(stream)), TowerToHyperService::new(router))
}

async fn bind_patiently(listen: &str, stop: &mut watch::Receiver<bool>) -> Option<TcpListener> {
    let mut told = false;
    loop {
        match bind(listen).await {
            Ok(listener) => {
                if told {
                    tracing::info!("http: {listen} is free now; listening");
                }
                return Some(listener);
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        "http: cannot listen on {listen}: {error}; no pushes and no page until it is free (tried every {} s)",
                        RETRY.as_secs()
                    );
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stop.wait_for(|stop| *stop) => return None,
        }
    }
}

/// Go's forms: `:1988` is every address of both families, a name or an address is itself.
async fn bind(listen: &str) -> std::io::Result<TcpListener> {
    if let Some(port) = listen.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|_| std::io::Error::other(format!("{port} is not a port")))?;
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        // A host without IPv6 has no such sockets.
        return bind_to(v6).or_else(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Err(error),
            _ => bind_to(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)),
        });
    }
    let mut last = std::io::Error::other("the name has no address");
    // As Go does: Windows answers ::1 first for `localhost`, and scripts push to 127.0.0.1.
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen).await?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in addresses {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if address.is_ipv6() && address.ip().is_unspecified() {
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // On Linux: a port in TIME_WAIT can be taken at a restart. On Windows the same option would let two programs share it.
    socket.set_reuseaddr(Platform::CURRENT == Platform::Linux)?;
    socket.bind(address)?;
    socket.listen(1024)
}

#[cfg(test)]
mod tests;
