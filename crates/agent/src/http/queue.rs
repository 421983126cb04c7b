//! `/queue`: what waits for a transfer, for `falcon-agent queue`.
//!
//! `/queue` and `/queue/verify` tell figures to whoever may see the page; one verification runs at a time. `/queue/purge`
//! wants a POST with the name of a file that the caller has put into the queue's directory: who may write there may also
//! empty it, and nobody else.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::Site;
use super::answer::{self, Refused, Response};
use super::routes::Asked;
use crate::queue::Queue;
use crate::stats::Lost;

/// The header that names the file, and how its name begins.
pub const PROOF: &str = "x-falcon-proof";
pub const PROOF_FILE: &str = "purge-";
/// When a second verification may be asked for.
const VERIFY_AGAIN: Duration = Duration::from_secs(10);

pub(super) async fn status(site: Arc<Site>) -> Response {
    tell(&site, |_| async { Ok(json!({})) }).await
}

pub(super) async fn verify(site: Arc<Site>) -> Response {
    let Ok(one) = site.verifying.clone().try_acquire_owned() else {
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, "a verification runs already");
        return refused.retry_after(VERIFY_AGAIN).answer(true);
    };
    tell(&site, |queue| async move {
        // A task of its own: the disk reads on when who asked has hung up, and whoever asks next waits for that.
        let run = tokio::spawn(async move {
            let found = queue.verify().await;
            drop(one);
            found
        });
        let found = run.await.map_err(io::Error::other)??;
        Ok(json!({ "verified": {
            "segments": found.segments,
            "bytes": found.bytes,
            "records": found.records,
            "points": found.points,
            "damaged_records": found.damaged.records,
            "damaged_points": found.damaged.points,
        }}))
    })
    .await
}

pub(super) async fn purge(site: Arc<Site>, asked: Asked) -> Response {
    let request = &asked.request;
    if request.method() != Method::POST {
        let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "POST, as `falcon-agent queue purge` does");
        let mut refused = refused.answer(true);
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return refused;
    }
    let proof = request.headers().get(PROOF).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !is_name(&proof) {
        return Refused::new(StatusCode::FORBIDDEN, "no privilege: use `falcon-agent queue purge` on this host")
            .answer(true);
    }
    tell(&site, |queue| async move { Ok(json!({ "purged": queue.purge(proof).await? })) }).await
}

/// The name of a file and of nothing else.
fn is_name(proof: &str) -> bool {
    let random = proof.strip_prefix(PROOF_FILE).unwrap_or_default();
    (16..=64).contains(&random.len()) && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn tell<F>(site: &Site, more: impl FnOnce(Arc<Queue>) -> F) -> Response
where
    F: Future<Output = io::Result<Value>>,
{
    let Some(queue) = site.hub.queue() else {
        return Refused::new(StatusCode::NOT_FOUND, "no transfer is configured: nothing waits").answer(true);
    };
    match more(queue.clone()).await {
        Ok(mut more) => {
            let mut data = figures(site, &queue);
            if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object_mut()) {
                data.append(more);
            }
            answer::json(StatusCode::OK, &json!({ "msg": "success", "data": data }))
        }
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            Refused::new(StatusCode::FORBIDDEN, "no privilege: use `falcon-agent queue purge` on this host")
                .answer(true)
        }
        Err(why) => {
            let refused = Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the disk does not do it");
            refused.because(why.to_string()).answer(true)
        }
    }
}

fn figures(site: &Site, queue: &Queue) -> Value {
    let waiting = queue.waiting();
    let lost: BTreeMap<_, _> = Lost::ALL.iter().map(|why| (why.as_str(), site.stats.lost(*why))).collect();
    json!({
        "dir": queue.dir().map(|dir| dir.display().to_string()),
        "points": waiting.points(),
        "oldest_s": waiting.age_s,
        "memory": { "points": waiting.memory_points, "bytes": waiting.memory_bytes },
        "disk": { "points": waiting.disk.points, "bytes": waiting.disk.bytes, "trouble": waiting.disk.trouble },
        "lost": lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_a_plain_name() {
        assert!(is_name("purge-0123456789abcdef"));
        for other in [
            "",
            "purge-",
            "purge-0123456789abcde",
            "purge-../../../../etc/x",
            "0123456789abcdef",
            "purge-0123456789abcdeg",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }
}
