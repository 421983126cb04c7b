//! The files of the page: packed by `build.rs` from `web`, and sent as they are packed. A client that takes no gzip gets
//! them unpacked.
//!
//! A browser asks each time whether its copy is still the right one (`ETag`), so that the page is never older than the agent.
//! The page may load nothing from anywhere else, and run nothing but its own files.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::super::answer::{self, Response};
use super::super::routes::{Route, at_once};

pub(crate) struct Asset {
    pub path: &'static str,
    kind: &'static str,
    /// Weak: the same for the file as it is and as it is packed.
    etag: &'static str,
    /// Bytes, unpacked.
    length: usize,
    pub packed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// `style` attributes and scripts within the page would be refused: it has none.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Of a gzip file with a head as `build.rs` makes it.
const HEAD: usize = 10;
const TRAILER: usize = 8;

impl Asset {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = texts(headers, header::IF_NONE_MATCH).any(|tag| tag == "*" || tag == self.etag);
        let packed = texts(headers, header::ACCEPT_ENCODING).any(takes_gzip);
        let body = match (known, packed) {
            (true, _) => Bytes::new(),
            (false, true) => Bytes::from_static(self.packed),
            (false, false) => self.unpacked().into(),
        };
        let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = answer::answer(
            status,
            &[
                (header::ETAG, self.etag),
                (header::CACHE_CONTROL, "no-cache"),
                (header::VARY, "Accept-Encoding"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                // By it `access` knows a page of this host where a browser sends no `Sec-Fetch-*`: in the clear, to any name
                // but `localhost`. Others learn nothing.
                (header::REFERRER_POLICY, "same-origin"),
            ],
            body,
        );
        let mut say = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        if !known {
            say(header::CONTENT_TYPE, self.kind);
            if packed {
                say(header::CONTENT_ENCODING, "gzip");
            }
        }
        if self.path == "/" {
            say(header::CONTENT_SECURITY_POLICY, POLICY);
        }
        response
    }

    fn unpacked(&self) -> Vec<u8> {
        let deflated = self.packed.get(HEAD..self.packed.len() - TRAILER).unwrap_or_default();
        // What build.rs packed can be unpacked: a test does so with every file.
        miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, self.length).unwrap_or_default()
    }
}

/// The members of a header that is a list.
fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim)
}

fn takes_gzip(coding: &str) -> bool {
    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
    let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
    name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
}
