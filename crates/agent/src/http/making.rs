//! Answers that take time and memory to make: one at a time, beside the loop that serves the others. What many may ask for is made
//! once a second, and is forgotten when that is over: nothing of it is in memory while nobody looks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::Site;
use crate::app::task;
use crate::clock;

/// Places of texts that are made once a second: `/metrics` has those before, of each format with pushes and without.
pub(super) const SERIES: usize = 4;
/// What was needed for a text of so many bytes goes back to the system at once.
const LONG: usize = 256 * 1024;

/// One who makes an answer has it.
pub(super) type Making = Arc<Mutex<Texts>>;

/// Of a second.
#[derive(Default)]
pub(super) struct Texts {
    pub second: Option<i64>,
    texts: [Bytes; SERIES + 1],
}

/// At a time, Unix seconds.
pub(super) type Make = Box<dyn FnOnce(&Site, i64) -> Bytes + Send>;

/// What `make` makes, or has made within this second for the same `place`. `None`: it failed by a defect.
pub(super) async fn made(site: Arc<Site>, place: Option<usize>, make: Make) -> Option<Bytes> {
    let mut turn = site.making.clone().lock_owned().await;
    task::aside(move || {
        let now = clock::unix_s();
        let Some(place) = place else { return make(&site, now) };
        if turn.second != Some(now) {
            *turn = Texts { second: Some(now), ..Texts::default() };
            task::spawn(forget(site.making.clone(), now));
        }
        let Some(text) = turn.texts.get_mut(place) else { return Bytes::new() };
        if text.is_empty() {
            *text = make(&site, now);
            if text.len() >= LONG {
                falcon_sys::trim_heap();
            }
        }
        text.clone()
    })
    .await
}

async fn forget(making: Making, second: i64) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut texts = making.lock().await;
    if texts.second == Some(second) {
        *texts = Texts::default();
    }
}
