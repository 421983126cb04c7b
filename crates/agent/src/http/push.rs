//! `POST /v1/push`: what local programs measured. It is answered when its points are in the queue, and then only.
//!
//! Any method and any content type, as with the Go agent, and its words: `success`, or 400 with its text. Who accepts
//! `application/json` is told more: which items are left out and why, and what the servers will make of others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{StatusCode, header};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Site;
use super::answer::{DEFECT, Refused, Response, json, plain, wants_json};
use super::budget::{Budget, Share};
use super::rate::Rates;
use super::routes::Asked;
use super::slots::Stage;
use crate::app::task;
use crate::clock;
use crate::config::Config;
use crate::push::{self, Batch, Invalid, Refusal, Rules};

/// A body that is taken in the blink of an eye; longer ones are taken aside, so that nobody waits for them.
const SHORT: usize = 32 * 1024;
/// For a client that found no room among the bytes in flight.
const SOON: Duration = Duration::from_secs(1);

/// What pushes share.
pub(super) struct Pushes {
    bodies: Arc<Budget>,
    rates: Rates,
    /// Long bodies are taken one after the other: the points of one take several times the room of its bytes.
    long: Arc<Semaphore>,
    told: Mutex<BTreeSet<Invalid>>,
    /// See [`Rules::default_tags`].
    default_tags: usize,
}

impl Pushes {
    pub fn new(config: &Config) -> Pushes {
        Pushes {
            bodies: Budget::new(config.http.limits.in_flight),
            rates: Rates::new(config.http.limits.rate),
            long: Arc::new(Semaphore::new(1)),
            told: Mutex::default(),
            default_tags: push::default_tags(config),
        }
    }
}

pub(super) async fn handle(site: Arc<Site>, asked: Asked) -> Response {
    let as_json = wants_json(asked.request.headers());
    match take(&site, asked).await {
        Ok(taken) if as_json => json(StatusCode::OK, &taken),
        Ok(_) => plain("success"),
        Err(refused) => refused.answer(as_json),
    }
}

/// What became of a push.
#[derive(Debug, Serialize)]
struct Taken {
    msg: &'static str,
    /// Points that are in the queue.
    accepted: usize,
    /// At most [`push::MAX_REFUSED`].
    refused: Vec<Item>,
    refused_total: usize,
    warnings: Vec<Remark>,
}

#[derive(Debug, Serialize)]
struct Item {
    /// Place in the array, from 0.
    index: usize,
    reason: &'static str,
}

/// Points that are in the queue, and that servers will lose, or others for them.
#[derive(Debug, Serialize)]
struct Remark {
    reason: &'static str,
    count: usize,
}

async fn take(site: &Arc<Site>, asked: Asked) -> Result<Taken, Refused> {
    let Asked { client, request, .. } = asked;
    site.pushes.rates.take(client.address).map_err(|pause| {
        site.stats.push_busy.add(1);
        Refused::new(StatusCode::TOO_MANY_REQUESTS, "too many pushes a second (http.limits.rate)").retry_after(pause)
    })?;
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if declared.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > site.http.limits.body) {
        return Err(too_large(site));
    }
    let mut share = site.pushes.bodies.share();
    client.place.set(Stage::Reading);
    let body = tokio::time::timeout(site.body_timeout(), read(request.into_body(), &mut share, site));
    let body = body.await.map_err(|_| {
        let text = format!("the body did not come within {} s", site.body_timeout().as_secs_f32());
        Refused::new(StatusCode::REQUEST_TIMEOUT, text)
    })??;
    client.place.set(Stage::Working);
    if body.is_empty() {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "body is blank"));
    }
    if body.len() <= SHORT {
        return accept(site, body).await;
    }
    let defect = || Refused::new(StatusCode::INTERNAL_SERVER_ERROR, DEFECT);
    let turn = site.pushes.long.clone().acquire_owned().await.map_err(|_| defect())?;
    let (site, runtime) = (site.clone(), Handle::current());
    // A client that goes away takes nothing along: the room is held until its points are in the queue.
    let job = move || {
        let _room = (share, turn);
        let taken = runtime.block_on(accept(&site, body));
        falcon_sys::trim_heap();
        taken
    };
    task::aside(job).await.ok_or_else(defect)?
}

/// Puts the points of a body in the queue. The bytes are given up as soon as they are decoded.
async fn accept(site: &Site, body: Vec<u8>) -> Result<Taken, Refused> {
    let now = clock::unix_s();
    let rules = Rules { now, items: site.http.limits.items, default_tags: site.pushes.default_tags };
    let mut batch = push::decode(&body, &rules).map_err(|refusal| refused(site, refusal))?;
    drop(body);
    let taken = Taken {
        msg: "success",
        accepted: batch.samples.len(),
        refused_total: batch.refused_total(),
        refused: batch.refused.iter().map(|(index, why)| Item { index: *index, reason: why.as_str() }).collect(),
        warnings: remarks(&batch),
    };
    site.hub.push(std::mem::take(&mut batch.samples), now).await.map_err(|full| {
        site.stats.push_busy.add(1);
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the queue is full; try again").retry_after(full.retry_after)
    })?;
    // A push that comes again is counted when it is taken.
    site.stats.push_accepted.add(taken.accepted);
    count(site, &batch);
    Ok(taken)
}

async fn read(mut body: Incoming, share: &mut Share, site: &Site) -> Result<Vec<u8>, Refused> {
    let (mut bytes, mut read, mut full) = (Vec::new(), 0, false);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        read += data.len();
        if read > site.http.limits.body {
            return Err(too_large(site));
        }
        if full || !share.grow(data.len()) {
            // The rest is read and dropped: a client that is cut off while it sends never sees its answer.
            full = true;
            bytes = Vec::new();
            *share = site.pushes.bodies.share();
            continue;
        }
        bytes.extend_from_slice(&data);
    }
    if full {
        site.stats.push_busy.add(1);
        let text = "too many bytes of pushes at once (http.limits.in_flight); try again";
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(SOON));
    }
    Ok(bytes)
}

fn too_large(site: &Site) -> Refused {
    let text = format!("the body is larger than {} bytes (http.limits.body); push in parts", site.http.limits.body);
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn refused(site: &Site, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::TooMany(most) => {
            let text = format!("more than {most} items (http.limits.items); push in parts");
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        Refusal::Json(why) => {
            site.stats.push_refused.add(1);
            crate::log::say!(Debug, "H003", "push: refused: {why}");
            // The Go agent's spelling: scripts compare it.
            Refused::new(StatusCode::BAD_REQUEST, "connot decode body").because(why.message).at(why.offset)
        }
    }
}

fn count(site: &Site, batch: &Batch) {
    site.stats.push_future.add(batch.future);
    for (reason, left) in &batch.invalid {
        site.stats.push_invalid.add(left.count);
        let news = site.pushes.told.lock().unwrap_or_else(PoisonError::into_inner).insert(*reason);
        if news {
            crate::log::say!(
                Warn,
                "H004",
                "push: {} points left out: {}, the first of them item {}, {} (told once)",
                left.count,
                reason.as_str(),
                left.index,
                left.name
            );
        }
    }
}

fn remarks(batch: &Batch) -> Vec<Remark> {
    let all = [
        ("step is below 30 s: transfers raise it, and points in between are lost there", batch.small_steps),
        ("timestamp is more than a minute ahead: until then servers drop other points of the series", batch.future),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| Remark { reason, count }).collect()
}
