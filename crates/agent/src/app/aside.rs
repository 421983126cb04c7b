//! A question to a disk or a share that may never answer: asked on a thread of its own, of which at most one is out. The two
//! threads of the runtime, which read pushes and find addresses, are not for such.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::oneshot;

use crate::isolate::Worker;

#[derive(Clone)]
pub(crate) struct Aside {
    name: &'static str,
    out: Arc<AtomicBool>,
}

/// Back, or panicked: another may be asked.
struct Out(Arc<AtomicBool>);

impl Drop for Out {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}

impl Aside {
    pub fn new(name: &'static str) -> Aside {
        Aside { name, out: Arc::default() }
    }

    /// Whether an earlier one hangs: another would not be asked.
    pub fn is_out(&self) -> bool {
        self.out.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Waits for the answer until `limit`.
    ///
    /// # Errors
    /// It does not come, or an earlier one is still out.
    pub async fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        ensure!(!self.out.swap(true, AcqRel), "an earlier reading or writing hangs");
        let out = Out(self.out.clone());
        let (back, answer) = oneshot::channel();
        Worker::spawn(self.name).context("no thread for it")?.run(move || {
            let answer = question();
            drop(out);
            // Nobody waits for one that is late.
            let _ = back.send(answer);
        });
        let answer = tokio::time::timeout(limit, answer).await;
        answer.with_context(|| format!("no answer in {} s", limit.as_secs()))?.context("failed by a defect")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Two reloads with a state directory that hung took both threads of the runtime, and long pushes were never read again.
    #[tokio::test]
    async fn one_that_hangs_keeps_others_back_and_takes_no_second_thread() {
        let aside = Aside::new("test");
        let (release, held) = mpsc::channel::<()>();
        let hangs = aside.ask(Duration::ZERO, move || held.recv().is_ok()).await;
        assert!(hangs.unwrap_err().to_string().contains("no answer") && aside.is_out());
        let second = aside.ask(Duration::from_secs(600), || panic!("asked")).await;
        assert!(second.unwrap_err().to_string().contains("hangs"));
        drop(release);
        let answer = loop {
            match aside.ask(Duration::from_secs(600), || 7).await {
                Ok(answer) => break answer,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(answer, 7);
    }
}
