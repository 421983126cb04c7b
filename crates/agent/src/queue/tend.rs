//! What an operator does to the queue: check it, empty it.

use std::io;
use std::path::Path;

use super::disk::Disk;
use super::log::Verified;
use super::{HANGS, Queue};
use crate::stats::Lost;

impl Queue {
    /// Removes everything that waits; answers how many points that were. `proof` names a file that whoever asks has put into
    /// the queue's directory: who may write there may remove what is there.
    ///
    /// # Errors
    /// There is no such file; and what the disk says.
    pub async fn purge(&self, proof: String) -> io::Result<usize> {
        match &self.disk {
            Some(disk) if disk.has_proof(proof).await.map_err(|_| hangs())? => {}
            _ => return Err(io::ErrorKind::PermissionDenied.into()),
        }
        self.purge_all().await
    }

    pub(super) async fn purge_all(&self) -> io::Result<usize> {
        // What is on its way to disk would be counted there again.
        let _turn = self.storing.lock().await;
        let purged = self.purge_tail();
        self.room.notify_waiters();
        match &self.disk {
            Some(disk) => Ok(purged + disk.purge().await.unwrap_or_else(|_| Err(hangs()))?),
            None => Ok(purged),
        }
    }

    fn purge_tail(&self) -> usize {
        let mut inner = self.lock();
        inner.purges += 1;
        let mut points = 0;
        while let Some(frame) = inner.pop() {
            points += frame.len();
        }
        self.stats.lose(Lost::Purged, points);
        self.changed(inner);
        points
    }

    /// Where its disk side is.
    pub fn dir(&self) -> Option<&Path> {
        self.disk.as_ref().map(Disk::dir)
    }

    /// Reads everything that is on disk and checks it.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn verify(&self) -> io::Result<Verified> {
        match &self.disk {
            Some(disk) => disk.verify().await.unwrap_or_else(|_| Err(hangs())),
            None => Ok(Verified::default()),
        }
    }
}

fn hangs() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, HANGS)
}
