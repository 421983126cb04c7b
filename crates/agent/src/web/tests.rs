//! Against web servers of this process, each on a thread of its own: the clock of the client may stand still.

mod certificates;
mod http;
mod proxies;
pub(crate) mod server;

use super::client::{Ask, Asked, Client};
use super::proxy::Proxies;
use super::tls::{Tls, Verdict};
use crate::config::WebAddress;
use crate::falcon::connection::Names;
use server::{Authority, Server};

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Method;
use tokio::time::Instant;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Names below `.test` are this host's IPv4 loopback; others are not known.
pub(crate) fn names() -> Names {
    Names::asking(Arc::new(|name: &str| match name.rsplit_once(':') {
        Some((host, port)) if host.ends_with(".test") => {
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))])
        }
        _ => Err(io::Error::other("no such host")),
    }))
}

/// Trusts one authority, and asks no proxy.
pub(crate) fn client(authority: &Authority) -> Client {
    Client { names: names(), proxies: Proxies::default(), tls: Tls::by(authority.store()) }
}

fn ask(url: &str) -> Ask {
    Ask { address: WebAddress::parse(url).unwrap(), method: Method::GET, body: String::new(), verify: true }
}

async fn asked(client: &Client, ask: &Ask) -> Asked {
    client.ask(ask, Instant::now() + LIMIT).await
}

fn failure(asked: &Asked) -> &str {
    asked.failure.as_deref().unwrap_or_default()
}
