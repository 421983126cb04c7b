//! The way to the [`Owner`]: commands to its thread, which may hang in a disk and holds up nobody else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::log::{Position, Verified};
use super::owner::{Now, Open, Owner, View, directory};
use crate::falcon::wire::Frame;
use crate::stats::Stats;

/// Longer than a storage that moves to another host keeps its guests waiting.
const PATIENCE: Duration = Duration::from_secs(120);
/// For an agent before this one to leave the directory.
const HANDOVER: (u32, Duration) = (12, Duration::from_millis(500));

type Job = Box<dyn FnOnce(&mut Owner) + Send>;

enum Way {
    Thread(mpsc::Sender<Job>),
    /// In tests, where virtual time must not run while a thread works.
    Inline(Box<Mutex<Owner>>),
}

pub struct Disk {
    way: Way,
    view: Arc<Mutex<View>>,
    dir: PathBuf,
}

/// The disk did not answer in time, or its thread is gone.
#[derive(Debug)]
pub struct Hangs;

impl Disk {
    /// In a directory, with a thread of its own. Fails where the system gives none.
    pub fn start(dir: PathBuf, max_bytes: u64, max_age: i64, stats: Arc<Stats>) -> io::Result<Disk> {
        let view = Arc::<Mutex<View>>::default();
        let mut owner = Owner::new(directory(dir.clone()), max_bytes, max_age, stats, view.clone());
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("queue".to_owned()).stack_size(256 * 1024).spawn(move || {
            let mut tries = 0..HANDOVER.0;
            owner.start(|| {
                let again = tries.next().is_some();
                if again {
                    std::thread::sleep(HANDOVER.1);
                }
                again
            });
            for job in queue {
                job(&mut owner);
            }
        })?;
        Ok(Disk { way: Way::Thread(jobs), view, dir })
    }

    /// Does everything at once where it is asked for.
    pub fn inline(open: Open, max_bytes: u64, max_age: i64, stats: Arc<Stats>) -> Disk {
        let view = Arc::<Mutex<View>>::default();
        let mut owner = Owner::new(open, max_bytes, max_age, stats, view.clone());
        owner.start(|| false);
        Disk { way: Way::Inline(Box::new(Mutex::new(owner))), view, dir: PathBuf::new() }
    }

    pub fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether somebody who may write to the directory has put this file there; it is removed.
    pub async fn has_proof(&self, name: String) -> Result<bool, Hangs> {
        let path = self.dir.join(name);
        self.ask(move |_| fs::remove_file(path).is_ok()).await
    }

    pub async fn append(&self, frames: Vec<Arc<Frame>>, last: bool) -> Result<Vec<Position>, Hangs> {
        self.ask(move |owner| owner.append(&frames, last)).await
    }

    pub async fn peek(&self, bytes: usize, items: usize, now: Now) -> Result<Vec<(Arc<Frame>, Position)>, Hangs> {
        self.ask(move |owner| owner.peek(bytes, items, now)).await
    }

    pub fn acknowledge(&self, end: Position) {
        self.tell(move |owner| owner.acknowledge(end));
    }

    pub fn acknowledge_unread(&self, ends: Vec<(Position, usize)>) {
        self.tell(move |owner| owner.acknowledge_unread(&ends));
    }

    pub async fn tick(&self) -> Result<(), Hangs> {
        self.ask(Owner::tick).await
    }

    /// Gives the directory back for good.
    pub async fn release(&self) -> Result<(), Hangs> {
        self.ask(Owner::release).await
    }

    /// The same where nobody can wait: when the disk answers.
    pub fn release_late(&self) {
        self.tell(Owner::release);
    }

    pub async fn purge(&self) -> Result<io::Result<usize>, Hangs> {
        self.ask(Owner::purge).await
    }

    /// One file at a time: what waits to be written or sent need not wait for all of them.
    pub async fn verify(&self) -> Result<io::Result<Verified>, Hangs> {
        let mut all = Verified::default();
        for id in self.ask(Owner::segment_ids).await? {
            match self.ask(move |owner| owner.verify_segment(id)).await? {
                Ok(found) => all.add(&found),
                error => return Ok(error),
            }
        }
        Ok(Ok(all))
    }

    async fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut Owner) -> T + Send + 'static) -> Result<T, Hangs> {
        let (answer, answered) = oneshot::channel();
        self.tell(move |owner| {
            // Nobody waits any more only when the agent ends.
            let _ = answer.send(job(owner));
        });
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(Hangs),
        }
    }

    fn tell(&self, job: impl FnOnce(&mut Owner) + Send + 'static) {
        match &self.way {
            // A thread that is gone answers nothing: whoever asks is told.
            Way::Thread(jobs) => drop(jobs.send(Box::new(job))),
            Way::Inline(owner) => job(&mut owner.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
