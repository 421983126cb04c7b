//! Who may ask for what.
//!
//! * A browser asks only on behalf of a page of this host: a page from elsewhere that reaches the agent under a name of its
//!   own (DNS rebinding), or that makes its reader's browser send a request here, gets 403. Scripts are not asked.
//! * With `http.token`, everything but `/health` needs it.
//!
//! * What shows or changes the agent itself asks for more: an address of this host, of hbs's list or of `http.admin_allow`,
//!   from which nothing was forwarded; a `Host` that is this host's, of programs too; and of a browser, that a page of this host
//!   asks or, only to see, its user. Others are told `no privilege`. What plugins have said, and the last lines of the log in
//!   `/ui/state`, are shown to the same few.
//!
//! Addresses (`http.allow`) are looked at when a client connects. What a proxy says of its client (`X-Forwarded-*`) is
//! believed nowhere: anybody can write it. Sources: the Fetch standard (Origin, Sec-Fetch-*), RFC 6750, RFC 7617.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, header};
use subtle::ConstantTimeEq;

use super::admin::{self, is_for_few, no_privilege};
use super::answer::{Refused, Response, wants_json};
use super::routes::Asked;
use super::{HEALTH, Site, plugins};
use crate::config::Secret;

/// Before everything. Whether the request may see what is not for everybody: it bears the token, or there is none.
///
/// # Errors
/// What is answered instead.
pub(super) fn check(site: &Site, request: &Request<Incoming>) -> Result<bool, Box<Response>> {
    let headers = request.headers();
    let as_json = wants_json(headers);
    if let Err(why) = browser(request.method(), request.uri(), headers, |host| site.is_named(host)) {
        site.stats.http_denied.add(1);
        if is_for_few(request.uri().path()) {
            return Err(Box::new(no_privilege(StatusCode::FORBIDDEN)));
        }
        return Err(Box::new(Refused::new(StatusCode::FORBIDDEN, why).answer(as_json)));
    }
    let trusted = site.http.token.is_empty() || bears(headers, &site.http.token);
    if !trusted && request.uri().path() != HEALTH {
        site.stats.http_denied.add(1);
        let refused = Refused::new(StatusCode::UNAUTHORIZED, "this needs the token of http.token in cfg.json");
        return Err(Box::new(refused.challenge("Basic realm=\"falcon-agent\"").answer(as_json)));
    }
    Ok(trusted)
}

/// Before what shows or changes the agent itself.
///
/// # Errors
/// What is answered instead.
pub(super) fn few(site: &Site, asked: &Asked) -> Result<(), Box<Response>> {
    let (address, path) = (asked.client.address, asked.request.uri().path());
    if let Err(status) = privilege(site, asked) {
        site.stats.http_denied.add(1);
        return Err(Box::new(no_privilege(status)));
    }
    crate::log::say!(Info, "H014", "http: {address} asks for {path}");
    Ok(())
}

/// Whether who asks may see, or change, the agent itself.
///
/// # Errors
/// With which status he is refused: the Go agent's where that refused too, and 403 where it let everybody.
pub(super) fn privilege(site: &Site, asked: &Asked) -> Result<(), StatusCode> {
    let (request, path) = (&asked.request, asked.request.uri().path());
    if !site.trusts(asked.client.address) || is_forwarded(request.headers()) {
        return Err(if plugins::fetches(path) { StatusCode::FORBIDDEN } else { StatusCode::OK });
    }
    if !is_own(request.uri(), request.headers(), admin::changes(path), |host| site.is_named(host)) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(())
}

/// Whose request it is, is not known: a proxy passes it on. Behind one on this host every client would be this host.
fn is_forwarded(headers: &HeaderMap) -> bool {
    const SIGNS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    SIGNS.iter().any(|name| headers.contains_key(*name))
}

/// Whether a program asks, or a browser for a page of this host or, where that changes nothing, for its user. An image or a link
/// of another page brings no `Origin`, and to a plain name old browsers send no `Sec-Fetch-Site`: of a browser that does not
/// say, it is not believed.
///
/// Firefox lets a page write `User-Agent`, and a page that hides where it is from looks like a program then: the name in `Host`
/// is what it cannot choose.
fn is_own(uri: &Uri, headers: &HeaderMap, changes: bool, is_named: impl Fn(&str) -> bool) -> bool {
    let asked = asked(uri, headers);
    if asked.is_some_and(|asked| !is_named(name_of(asked))) {
        return false;
    }
    let site = text(headers, "sec-fetch-site");
    // `none` is what a user typed, a link in a mail, and wherever the server of another site sent either of them.
    let user = site == Some("none") && !changes;
    if site.is_some_and(|site| site != "same-origin") && !user {
        return false;
    }
    match text(headers, "origin").or_else(|| text(headers, "referer")) {
        Some(from) => same_site(from, asked.unwrap_or_default()),
        None => site.is_some() || !says_browser(headers),
    }
}

/// What cannot be read is empty, and matches nothing.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// The host and port that the client has asked for; HTTP/1.0 need not say.
fn asked<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority().map(|authority| authority.as_str()).or_else(|| text(headers, "host"))
}

/// Whether a client calls itself a browser. PowerShell and scripts with `WinHttp.WinHttpRequest` or `MSXML2.ServerXMLHTTP` begin as
/// browsers do and are none.
fn says_browser(headers: &HeaderMap) -> bool {
    let agent = text(headers, "user-agent").unwrap_or_default();
    let script = agent.contains("PowerShell/") || agent.starts_with("Mozilla/4.0 (compatible; Win32; WinHttp.");
    agent.starts_with("Mozilla/") && !script
}

/// `Authorization: Bearer TOKEN`, or Basic with the token as password, which is what a browser can ask its user for.
fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let Some(given) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let Some((scheme, given)) = given.split_once(' ') else { return false };
    let is_token = |given: &[u8]| bool::from(given.ct_eq(token.expose().as_bytes()));
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_token(given.trim().as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Ok(pair) = BASE64_STANDARD.decode(given.trim()) else { return false };
    let password = pair.iter().position(|byte| *byte == b':').and_then(|colon| pair.get(colon + 1..));
    password.is_some_and(is_token)
}

/// Whether a stream, which lasts, may begin: an image or a frame of another page would have the host read for as long as that is
/// open. Only what reads events says that it takes them, and for another site's page that brings `Origin`.
pub(super) fn may_watch(headers: &HeaderMap) -> bool {
    match text(headers, "sec-fetch-site") {
        Some(site) => ["same-origin", "none"].contains(&site),
        None => {
            !says_browser(headers) || text(headers, "accept").is_some_and(|kinds| kinds.contains("text/event-stream"))
        }
    }
}

/// Refuses what a browser asks for a page that is not of this host.
fn browser(method: &Method, uri: &Uri, headers: &HeaderMap, is_named: impl Fn(&str) -> bool) -> Result<(), String> {
    let fetches = headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"));
    let (origin, referer) = (text(headers, "origin"), text(headers, "referer"));
    if !says_browser(headers) && !fetches && origin.is_none() && referer.is_none() {
        return Ok(());
    }
    let asked = asked(uri, headers).unwrap_or_default();
    if !is_named(name_of(asked)) {
        let shown: String = name_of(asked).chars().filter(|c| !c.is_control()).take(64).collect();
        return Err(format!(
            "browsers may ask for this page by address or by the host's own name only; add \"{shown}\" to http.hosts in \
             cfg.json if it is one"
        ));
    }
    // A link on another page leads here without harm; what it has a browser send does not.
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    let from = origin.or(referer.filter(|_| changes));
    match from {
        Some(from) if !same_site(from, asked) => {
            Err("a page of another site asks for this; only pages of a name in Host may (see http.hosts in cfg.json)"
                .to_owned())
        }
        _ => Ok(()),
    }
}

/// Without the port.
fn name_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.rsplit_once(':').map_or(authority, |(name, _)| name),
    }
}

/// Whether `from`, an origin or the address of a page, is of this host and port.
fn same_site(from: &str, asked: &str) -> bool {
    let Some((scheme, rest)) = from.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let full = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(port).map_or(authority.clone(), str::to_owned)
    };
    full(authority) == full(asked)
}

#[cfg(test)]
mod tests;
