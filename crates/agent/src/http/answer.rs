//! Answers as the Go agent writes them, and the same as JSON for clients that ask for it.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::content::Content;

/// Why a request got nothing that everybody gets.
pub(super) const DEFECT: &str = "failed by a defect";

pub(super) type Response = hyper::Response<Content>;

/// All of it is in memory: none is longer than the page.
pub(super) fn answer(status: StatusCode, headers: &[(HeaderName, &'static str)], body: Bytes) -> Response {
    let mut response = Response::new(Content::Whole(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A raw answer, as the Go agent gives it: no newline, status 200.
pub(super) fn plain(text: &str) -> Response {
    answer(StatusCode::OK, &[(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.to_owned().into())
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    // Plain data with text keys: there is nothing in it that serde_json can refuse.
    answer(status, &headers, serde_json::to_vec(body).unwrap_or_default().into())
}

/// Whether `Accept` names `application/json`; `*/*`, which every tool sends, does not ask for it.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let names_it = |range: &&str| {
        let mut parts = range.split(';').map(str::trim);
        let json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
        json && !parts.any(|part| {
            part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        })
    };
    listed(headers, header::ACCEPT).iter().any(names_it)
}

/// The members of a header that is a list.
pub(super) fn listed(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let mut members = Vec::new();
    for text in headers.get_all(name).iter().filter_map(|value| value.to_str().ok()) {
        members.extend(text.split(',').map(str::trim));
    }
    members
}

/// Why a request gets nothing.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    #[serde(skip)]
    status: StatusCode,
    msg: String,
    /// What the plain text has no room for, since scripts compare it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The byte of the body that `reason` is about, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    /// Seconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// How to say who one is (`WWW-Authenticate`).
    #[serde(skip)]
    challenge: Option<&'static str>,
}

impl Refused {
    pub fn new(status: StatusCode, msg: impl Into<String>) -> Refused {
        Refused { status, msg: msg.into(), reason: None, offset: None, retry_after: None, challenge: None }
    }

    pub fn because(self, reason: impl Into<String>) -> Refused {
        Refused { reason: Some(reason.into()), ..self }
    }

    pub fn at(self, offset: usize) -> Refused {
        Refused { offset: Some(offset), ..self }
    }

    /// `Retry-After` has whole seconds, and 0 would be no pause.
    pub fn retry_after(self, pause: Duration) -> Refused {
        Refused { retry_after: Some(pause.as_secs() + u64::from(pause.subsec_nanos() > 0)).map(|s| s.max(1)), ..self }
    }

    pub fn challenge(self, challenge: &'static str) -> Refused {
        Refused { challenge: Some(challenge), ..self }
    }

    /// In the form that the client asked for; plain is what Go's `http.Error` writes.
    pub fn answer(self, as_json: bool) -> Response {
        let mut response = if as_json {
            json(self.status, &self)
        } else {
            let headers =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
            answer(self.status, &headers, format!("{}\n", self.msg).into())
        };
        if let Some(pause) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(pause));
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_name_it() {
        let wants = |accept: &'static str| {
            wants_json(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        for accept in ["application/json", "text/html, Application/JSON;q=0.5", "application/json; charset=utf-8"] {
            assert!(wants(accept), "{accept}");
        }
        for accept in ["", "*/*", "application/*", "text/html", "application/json;q=0", "application/jsonp"] {
            assert!(!wants(accept), "{accept}");
        }
        assert!(!wants_json(&HeaderMap::new()));
    }

    #[test]
    fn a_pause_is_told_in_whole_seconds_and_never_none() {
        for (ms, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2")] {
            let refused = Refused::new(StatusCode::TOO_MANY_REQUESTS, "x").retry_after(Duration::from_millis(ms));
            assert_eq!(refused.answer(false).headers()[header::RETRY_AFTER], header, "{ms}");
        }
    }
}
