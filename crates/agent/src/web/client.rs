//! One request to a web server, as curl would make it: no redirect is followed, the proxies of the environment are asked.
//! [`Client::ask`] looks at what comes, [`Client::fetch`] takes it.
//!
//! A request has its own connection, which ends with it, on time or not. What became known before it failed is told too. The
//! reasons of failures are the same from cycle to cycle, and have no part of the URL but its host.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use tokio::time::{Instant, timeout, timeout_at};

use super::proxy::Proxies;
use super::tls::{Pending, Seen, Tls, given};
use crate::config::WebAddress;
use crate::falcon::connection::{Names, Stream, tcp};
use crate::http::client::{Connection, Sender, driven, open};

/// Of one name; more are no help.
const MOST_ADDRESSES: usize = 8;
/// Bytes of a body that are looked through.
pub(crate) const MOST_BODY: usize = 1 << 20;
/// What a verdict that the check does without may take longer than the answer.
const GRACE: Duration = Duration::from_secs(1);
const AGENT: &str = concat!("falcon-agent/", env!("CARGO_PKG_VERSION"));

pub(crate) struct Client {
    pub names: Names,
    pub proxies: Proxies,
    pub tls: Tls,
}

/// What is asked.
#[derive(Clone)]
pub(crate) struct Ask {
    pub address: WebAddress,
    pub method: Method,
    /// What the body has to contain; empty: it is not read.
    pub body: String,
    /// Whether nothing is asked of a server whose certificate fails verification.
    pub verify: bool,
}

/// What became of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub certificate: Option<Seen>,
    pub status: Option<u16>,
    /// To the answer's head, with the name and all; where the body is looked through to what was looked for, or its end.
    pub took: Option<Duration>,
    /// Why there is no whole answer, or not what the body has to contain.
    pub failure: Option<String>,
}

/// What became of what was to be taken.
#[derive(Debug, PartialEq)]
pub(crate) enum Fetched {
    Whole,
    /// The server says where it is, and nothing was taken.
    Elsewhere(String),
}

struct Reached {
    sender: Sender,
    connection: Connection,
    request: Request<Empty<Bytes>>,
}

impl Client {
    /// By the system's names, proxies and trust.
    pub fn of_system() -> Client {
        Client { names: Names::of_system(), proxies: Proxies::of_environment(), tls: Tls::of_system() }
    }

    pub async fn ask(&self, ask: &Ask, end: Instant) -> Asked {
        let (mut asked, mut pending) = (Asked::default(), None);
        let exchanged = timeout_at(end, self.exchange(ask, end, &mut asked, &mut pending)).await;
        asked.failure = exchanged.unwrap_or_else(|_| Err("no answer in time".to_owned())).err();
        if let (Some(seen), Some(verdict)) = (&mut asked.certificate, pending)
            && let Ok(verdict) = timeout_at(end.min(Instant::now() + GRACE), verdict).await
        {
            seen.verdict = given(verdict);
        }
        asked
    }

    async fn exchange(
        &self,
        ask: &Ask,
        end: Instant,
        asked: &mut Asked,
        pending: &mut Option<Pending>,
    ) -> Result<(), String> {
        let started = Instant::now();
        let Reached { mut sender, mut connection, request } =
            self.reach(ask, end, &mut asked.certificate, pending).await?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(no_answer)?;
            asked.status = Some(answer.status().as_u16());
            if ask.body.is_empty() {
                asked.took = Some(started.elapsed());
                return Ok(());
            }
            let found = look_through(answer.into_body(), ask.body.as_bytes()).await?;
            asked.took = Some(started.elapsed());
            if found { Ok(()) } else { Err("its body does not have what it has to contain".to_owned()) }
        };
        driven(&mut connection, answer).await
    }

    /// Takes what an address has, of `most` bytes at most, piece by piece as it comes; never from a server whose certificate
    /// fails verification.
    ///
    /// # Errors
    /// It has not come whole, or is not taken.
    pub async fn fetch(
        &self,
        address: &WebAddress,
        end: Instant,
        most: u64,
        take: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
    ) -> Result<Fetched, String> {
        let ask = Ask { address: address.clone(), method: Method::GET, body: String::new(), verify: true };
        let fetched = async {
            let Reached { mut sender, mut connection, request } = self.reach(&ask, end, &mut None, &mut None).await?;
            let answer = async {
                let answer = sender.send_request(request).await.map_err(no_answer)?;
                match answer.status().as_u16() {
                    200 => take_all(answer.into_body(), most, take).await.map(|()| Fetched::Whole),
                    301 | 302 | 303 | 307 | 308 => {
                        let place = answer.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
                        let place = place.ok_or("it is elsewhere, and the answer does not say where")?;
                        Ok(Fetched::Elsewhere(place.to_owned()))
                    }
                    status => Err(format!("the answer is {status}, not 200")),
                }
            };
            driven(&mut connection, answer).await
        };
        timeout_at(end, fetched).await.unwrap_or_else(|_| Err("it has not come whole in time".to_owned()))
    }

    /// A connection with TLS where that belongs to it, and what is to be asked over it.
    async fn reach(
        &self,
        ask: &Ask,
        end: Instant,
        certificate: &mut Option<Seen>,
        pending: &mut Option<Pending>,
    ) -> Result<Reached, String> {
        let Ask { address, .. } = ask;
        let proxy = self.proxies.of_address(address).map(Result::as_ref).transpose()?;
        let at = proxy.unwrap_or(address);
        let mut stream = self.connect(at, end).await.map_err(|why| of_proxy(proxy.is_some(), why))?;
        let mut uri = ask.address.target.clone();
        let mut login = None;
        match proxy {
            Some(proxy) if address.is_https => stream = tunnel(stream, proxy, address).await?,
            Some(proxy) => {
                uri = format!("http://{}{uri}", address.authority());
                login = proxy.login.as_deref();
            }
            None => {}
        }
        if address.is_https {
            stream = self.tls.secure(stream, &address.host, ask.verify, certificate, pending).await?;
        }
        let request = request(
            ask.method.clone(),
            &uri,
            address,
            &[(header::AUTHORIZATION, address.login.as_deref()), (header::PROXY_AUTHORIZATION, login)],
        )?;
        let (sender, connection) = shake(stream).await?;
        Ok(Reached { sender, connection, request })
    }

    /// Every address of the name has an equal share of the time that is left.
    async fn connect(&self, at: &WebAddress, end: Instant) -> Result<Stream, String> {
        let mut addresses = self
            .names
            .lookup_afresh(&with_port(at))
            .await
            .map_err(|error| format!("the name {} is not resolved: {error}", at.host))?;
        addresses.truncate(MOST_ADDRESSES);
        let mut last = "the name has no address".to_owned();
        for (n, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / left;
            match timeout(share, tcp(*address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                // Without the address: names that have one after the other would fill the log.
                Ok(Err(error)) => last = format!("no connection: {error}"),
                Err(_) => last = "no connection in time".to_owned(),
            }
        }
        Err(last)
    }
}

fn of_proxy(is_proxy: bool, why: String) -> String {
    if is_proxy { format!("the proxy: {why}") } else { why }
}

fn with_port(at: &WebAddress) -> String {
    if at.host.contains(':') { format!("[{}]:{}", at.host, at.port) } else { format!("{}:{}", at.host, at.port) }
}

fn request(
    method: Method,
    uri: &str,
    address: &WebAddress,
    logins: &[(HeaderName, Option<&[u8]>)],
) -> Result<Request<Empty<Bytes>>, String> {
    let unfit = |error: hyper::http::Error| format!("it cannot be asked for: {error}");
    let uri = Uri::try_from(uri).map_err(|error| unfit(error.into()))?;
    let host = if method == Method::CONNECT { with_port(address) } else { address.authority() };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::HOST, host)
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "*/*");
    for (name, login) in logins {
        if let Some(login) = login {
            request = request.header(name, basic(login).map_err(|error| unfit(error.into()))?);
        }
    }
    request.body(Empty::new()).map_err(unfit)
}

/// RFC 7617; the password may be missing, its colon may not.
fn basic(login: &[u8]) -> Result<HeaderValue, header::InvalidHeaderValue> {
    let mut login = login.to_vec();
    if !login.contains(&b':') {
        login.push(b':');
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login)))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A way through the proxy to the server.
async fn tunnel(stream: Stream, proxy: &WebAddress, address: &WebAddress) -> Result<Stream, String> {
    let logins = [(header::PROXY_AUTHORIZATION, proxy.login.as_deref())];
    let request = request(Method::CONNECT, &with_port(address), address, &logins)?;
    let (mut sender, mut connection) = shake(stream).await?;
    let answer = driven(&mut connection, sender.send_request(request)).await;
    let status = answer.map_err(|error| of_proxy(true, no_answer(error)))?.status();
    if !status.is_success() {
        return Err(format!("the proxy answers {}", status.as_u16()));
    }
    let parts = connection.into_parts();
    if !parts.read_buf.is_empty() {
        return Err("the proxy speaks before the server is asked".to_owned());
    }
    Ok(parts.io.into_inner())
}

async fn shake(stream: Stream) -> Result<(Sender, Connection), String> {
    open(stream).await.map_err(no_answer)
}

fn no_answer(error: hyper::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("no answer of HTTP: {error}: {source}"),
        None => format!("no answer of HTTP: {error}"),
    }
}

/// Whether a body contains it.
async fn look_through(mut body: Incoming, text: &[u8]) -> Result<bool, String> {
    let (mut seen, mut total) = (Vec::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("its body breaks off: {error}"))?;
        let Some(chunk) = frame.data_ref() else { continue };
        total = total.saturating_add(chunk.len());
        // What a text that began in earlier chunks may have of them, and this one.
        seen.extend_from_slice(chunk);
        if seen.windows(text.len()).any(|part| part == text) {
            return Ok(true);
        }
        if total > MOST_BODY {
            return Err(format!("the first {MOST_BODY} bytes of its body do not have what it has to contain"));
        }
        seen.drain(..seen.len().saturating_sub(text.len() - 1));
    }
    Ok(false)
}

/// All of a body, which ends where its head or the connection says.
async fn take_all(
    mut body: Incoming,
    most: u64,
    take: &mut (dyn FnMut(&[u8]) -> Result<(), String> + Send),
) -> Result<(), String> {
    let too_long = || format!("it is longer than {most} bytes");
    let mut left = most;
    if body.size_hint().lower() > most {
        return Err(too_long());
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("it breaks off: {error}"))?;
        let Some(chunk) = frame.data_ref() else { continue };
        left = left.checked_sub(chunk.len() as u64).ok_or_else(too_long)?;
        take(chunk)?;
    }
    Ok(())
}
