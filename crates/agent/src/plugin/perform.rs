//! One run of a plugin, from its file to its points.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::push;

/// Ends a run from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn stop(&self) {
        self.0.store(true, Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[derive(Debug)]
pub struct Performed {
    /// Unix seconds.
    pub began_s: i64,
    pub took: Duration,
    pub end: End,
    /// Decoded, at most some KB of its beginning.
    pub stderr: String,
    /// `Ok(None)`: it printed nothing. `Err`: why nothing of it is sent.
    pub batch: Result<Option<push::Batch>, String>,
    /// What an administrator should know though it ran.
    pub remark: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    /// By this signal.
    Killed(i32),
    Late,
    Stopped,
    /// Output over the cap.
    TooMuch,
    NotStarted(String),
}
