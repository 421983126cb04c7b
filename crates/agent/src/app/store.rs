//! Points that wait for a transfer, over reloads and at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::queue;
use super::task::supervise;
use crate::config::Loaded;
use crate::queue::Queue;
use crate::stats::Stats;

/// For putting on disk what could not be sent.
const STORE: Duration = Duration::from_millis(900);

/// Points that wait, and the task that puts them on disk.
pub(super) struct Store {
    pub queue: Arc<Queue>,
    pub dir: Option<PathBuf>,
    keeper: JoinHandle<()>,
}

impl Store {
    pub fn open(loaded: &Loaded, stats: &Arc<Stats>) -> Option<Store> {
        let config = &loaded.config;
        if config.transfer.addrs.is_empty() {
            return None;
        }
        let dir = loaded.state_dir();
        let queue = Arc::new(queue(&config.queue, dir.clone(), stats));
        let kept = queue.clone();
        let keeper = supervise("queue", move || {
            let queue = kept.clone();
            async move { queue.keep().await }
        });
        Some(Store { queue, dir, keeper })
    }

    /// Puts what waits on disk; answers how many points are there and how many are lost. `None`: the disk does not answer.
    pub async fn close(&self) -> Option<(usize, usize)> {
        // The keeper may stand in the middle of a write: it goes on until this is through.
        let closed = tokio::time::timeout(STORE, self.queue.close()).await.ok();
        self.keeper.abort();
        closed
    }

    /// Puts what waits on disk and gives the disk back, for a store that takes its place; answers how many points are there.
    pub async fn end(&self) -> usize {
        let ended = tokio::time::timeout(STORE, self.queue.end()).await;
        self.keeper.abort();
        ended.unwrap_or_else(|_| self.queue.waiting().disk.points)
    }

    /// Leaves to the store in its place what is not among the points `stored` on disk.
    pub fn hand_over(self, stored: usize, next: Option<&Store>) {
        let next = next.map(|store| &*store.queue);
        let lost = self.queue.hand_over(next);
        if lost > 0 {
            crate::log::say!(
                Warn,
                "A015",
                "reload: {lost} points that were not sent yet found no room to wait and are lost"
            );
        }
        if let Some(dir) = self.queue.dir().filter(|dir| stored > 0 && next.and_then(Queue::dir) != Some(dir)) {
            crate::log::say!(
                Warn,
                "A016",
                "reload: {stored} points stay in {}; they are sent when that is the queue's directory again",
                dir.display()
            );
        }
    }
}
