//! A disk for tests: it fills up, turns read-only, breaks off in the middle of a write, and loses power.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::storage::Storage;

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct State {
    files: Files,
    /// What was removed since the last replace: a power cut may bring it back.
    removed: Files,
    /// Changes so far.
    steps: usize,
    /// At this change the power goes: so many of its bytes are written.
    cut: Option<(usize, Torn)>,
    dead: bool,
    read_only: bool,
    unreadable: bool,
    /// Bytes of all files together.
    room: Option<usize>,
}

/// What is there of the change in which the power went.
#[derive(Clone, Copy, Debug)]
pub enum Torn {
    Nothing,
    Half,
    AllButOne,
    All,
}

/// Clones share the disk.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub fn cut_at(step: usize, torn: Torn) -> Fake {
        let fake = Fake::default();
        fake.state().cut = Some((step, torn));
        fake
    }

    /// The disk after the power is back; `undone`: with the files that were removed lately.
    pub fn image(&self, undone: bool) -> Fake {
        let state = self.state();
        let mut files = state.files.clone();
        if undone {
            for (name, bytes) in &state.removed {
                files.entry(name.clone()).or_insert_with(|| bytes.clone());
            }
        }
        Fake(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub fn steps(&self) -> usize {
        self.state().steps
    }

    pub fn set_room(&self, room: Option<usize>) {
        self.state().room = room;
    }

    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    pub fn set_unreadable(&self, unreadable: bool) {
        self.state().unreadable = unreadable;
    }

    pub fn clear(&self) {
        self.state().files.clear();
    }

    pub fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub fn with_file<T>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        change(self.state().files.entry(name.to_owned()).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test fails while it holds this")
    }

    /// Counts a change of `bytes`; answers how many of them happen.
    fn change(&self, bytes: usize) -> io::Result<(usize, bool)> {
        let mut state = self.state();
        if state.dead {
            return Err(io::Error::other("no power"));
        }
        if state.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let step = state.steps;
        state.steps += 1;
        match state.cut {
            Some((at, torn)) if at == step => {
                state.dead = true;
                let done = match torn {
                    Torn::Nothing => 0,
                    Torn::Half => bytes / 2,
                    Torn::AllButOne => bytes.saturating_sub(1),
                    Torn::All => bytes,
                };
                Ok((done, true))
            }
            _ => Ok((bytes, false)),
        }
    }
}

fn cut(dead: bool) -> io::Result<()> {
    if dead { Err(io::Error::other("the power went")) } else { Ok(()) }
}

impl Storage for Fake {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.state().files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = self.state();
        if state.unreadable && name.ends_with(".log") {
            return Err(io::Error::other("the disk says no"));
        }
        let file = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let rest = file.get(usize::try_from(at).expect("small")..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn append(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).expect("small");
        if at > 0 && !self.state().files.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (done, dead) = self.change(bytes.len())?;
        let mut state = self.state();
        let used: usize = state.files.values().map(Vec::len).sum();
        let room = state.room.map_or(usize::MAX, |room| room.saturating_sub(used));
        let file = state.files.entry(name.to_owned()).or_default();
        assert!(file.len() >= at, "appends follow each other");
        file.truncate(at);
        file.extend_from_slice(&bytes[..done.min(room)]);
        if done > room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        cut(dead)
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (done, dead) = self.change(bytes.len())?;
        let mut state = self.state();
        if done == bytes.len() {
            state.files.insert(name.to_owned(), bytes.to_vec());
            state.removed.clear();
        } else {
            state.files.insert(format!("{name}.new"), bytes[..done].to_vec());
        }
        cut(dead)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let (done, dead) = self.change(1)?;
        let mut state = self.state();
        if done == 1
            && let Some(bytes) = state.files.remove(name)
        {
            state.removed.insert(name.to_owned(), bytes);
        }
        cut(dead)
    }
}
