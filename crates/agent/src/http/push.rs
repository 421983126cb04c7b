//! `POST /v1/push`: what local programs measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;

use super::{REQUEST_TIMEOUT, Site, error, plain};
use crate::clock;
use crate::push::{self, Invalid};
use crate::queue::Full;

/// The largest body: some 50,000 points.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
/// All bodies that are being read together.
pub const MAX_IN_FLIGHT: usize = 32 * 1024 * 1024;

/// Bytes of bodies in memory.
#[derive(Debug, Default)]
pub struct Budget(AtomicUsize);

/// Some of a [`Budget`], given back when dropped.
struct Share<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Share<'_> {
    fn grow(&mut self, bytes: usize) -> bool {
        let before = self.budget.0.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        before + bytes <= MAX_IN_FLIGHT
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Relaxed);
    }
}

/// Any method, any content type, as with the Go agent.
pub async fn handle(State(site): State<Arc<Site>>, request: Request) -> Response {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).map(str::to_owned);
    if declared.as_deref() == Some("0") {
        return error(StatusCode::BAD_REQUEST, "body is blank");
    }
    if declared.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > MAX_BODY) {
        return too_large();
    }
    let mut share = Share { budget: &site.bodies, bytes: 0 };
    let body = match tokio::time::timeout(REQUEST_TIMEOUT, read(request.into_body(), &mut share)).await {
        Ok(Ok(body)) => body,
        Ok(Err(response)) => return response,
        Err(_) => return error(StatusCode::REQUEST_TIMEOUT, "the body did not come within 30 s"),
    };
    if body.is_empty() {
        return error(StatusCode::BAD_REQUEST, "body is blank");
    }
    let now = clock::unix_s();
    match push::decode(&body, now) {
        Ok(batch) => match accept(&site, batch, now).await {
            Ok(()) => plain("success"),
            Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, "the queue is full; try again"),
        },
        Err(why) => {
            site.stats.push_refused.add(1);
            tracing::debug!("push: refused: {why}");
            // The Go agent's spelling: scripts compare it.
            error(StatusCode::BAD_REQUEST, "connot decode body")
        }
    }
}

async fn accept(site: &Site, batch: push::Batch, now: i64) -> Result<(), Full> {
    site.stats.push_accepted.add(batch.samples.len());
    for (reason, count) in &batch.invalid {
        if site.told_invalid.lock().is_ok_and(|mut told| told.insert(*reason)) {
            tracing::warn!("push: {count} points left out: {} (told once)", Invalid::as_str(*reason));
        }
        site.stats.push_invalid.add(*count);
    }
    site.hub.push(batch.samples, now).await
}

async fn read(mut body: Body, share: &mut Share<'_>) -> Result<Vec<u8>, Response> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(error(StatusCode::BAD_REQUEST, "the body broke off"));
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(too_large());
        }
        if !share.grow(data.len()) {
            return Err(error(StatusCode::SERVICE_UNAVAILABLE, "too many pushes at once; try again"));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn too_large() -> Response {
    error(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 8 MiB; push in parts")
}
