//! The way back to the address that an agent starts at: a fleet that fled from a transfer spreads over all of them again.
//!
//! The address is dialled beside the work, and only a connection that stands is used. The first try comes half a minute after
//! it was left, the next ones ever later, up to five minutes apart; only an address that was used for that long begins anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dial::{Dialler, Stream};
use super::jittered;
use crate::falcon::rpc::Error;

/// First and longest time between two tries; each is lengthened by up to a half, so that a fleet does not come at once.
const AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));

pub struct Home {
    pause: Duration,
    due: Instant,
    /// Since when it answers.
    since: Option<Instant>,
    /// At most one; ended with this.
    dials: JoinSet<Result<Stream, Error>>,
}

impl Home {
    pub fn new() -> Home {
        Home { pause: AGAIN.0, due: Instant::now(), since: None, dials: JoinSet::new() }
    }

    pub fn answered(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Another address is used, or tried.
    pub fn left(&mut self) {
        if self.since.take().is_some_and(|since| since.elapsed() >= AGAIN.1) {
            self.pause = AGAIN.0;
        }
        self.wait();
    }

    /// The outcome of a dial, once; starts one when it is time.
    pub fn look(&mut self, dialler: &Arc<Dialler>, addr: &str) -> Option<Result<Stream, Error>> {
        if let Some(dialled) = self.dials.try_join_next() {
            self.pause = (self.pause * 2).min(AGAIN.1);
            self.wait();
            return dialled.ok();
        }
        if self.dials.is_empty() && Instant::now() >= self.due {
            let (dialler, addr) = (dialler.clone(), addr.to_owned());
            self.dials.spawn(async move { dialler.dial(&addr).await });
        }
        None
    }

    /// No dial is wanted now, nor what one has brought.
    pub fn stay_away(&mut self) {
        if !self.dials.is_empty() {
            self.dials = JoinSet::new();
        }
    }

    fn wait(&mut self) {
        self.due = Instant::now() + self.pause / 2 + jittered(self.pause);
    }
}
