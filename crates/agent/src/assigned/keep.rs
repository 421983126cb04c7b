//! The last answers of hbs on disk: `hbs.json` in the directory of what outlives the agent. It is read and written by a thread
//! of its own, for the disk may hang; then answers go on in memory. Of several that wait to be written only the last is. A
//! file that is damaged, too long or missing is one without answers.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::Answers;
use crate::isolate::Worker;
use crate::queue::storage::write_anew;

const NAME: &str = "hbs.json";
/// Some hundred times what hbs assigns to a host.
const MOST_BYTES: u64 = 2 << 20;

pub(super) struct Keeper {
    file: PathBuf,
    worker: Worker,
    /// What is to be written next; there is a job for it.
    next: Arc<Mutex<Option<Vec<u8>>>>,
    /// It failed, and that was told.
    told: Arc<AtomicBool>,
}

impl Keeper {
    /// `None`: the system gives no thread.
    pub(super) fn start(dir: &Path) -> Option<Keeper> {
        let file = dir.join(NAME);
        match Worker::spawn("hbs-state") {
            Ok(worker) => Some(Keeper { file, worker, next: Arc::default(), told: Arc::default() }),
            Err(error) => {
                crate::log::say!(
                    Warn,
                    "R013",
                    "hbs: no thread for {}: {error}; its answers are not kept",
                    file.display()
                );
                None
            }
        }
    }

    pub(super) fn dir(&self) -> Option<&Path> {
        self.file.parent()
    }

    pub(super) fn read(&self, then: impl FnOnce(Answers) + Send + 'static) {
        let file = self.file.clone();
        self.worker.run(move || match read(&file) {
            Ok(answers) => then(answers),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                crate::log::say!(
                    Warn,
                    "R012",
                    "hbs: {}: {error}; what it assigned before is not known",
                    file.display()
                );
            }
        });
    }

    pub(super) fn write(&self, answers: &Answers) {
        let Ok(text) = serde_json::to_vec(answers) else { return };
        if self.next.lock().unwrap_or_else(PoisonError::into_inner).replace(text).is_some() {
            return;
        }
        let (file, next, told) = (self.file.clone(), self.next.clone(), self.told.clone());
        self.worker.run(move || {
            let text = next.lock().unwrap_or_else(PoisonError::into_inner).take();
            match text.map_or(Ok(()), |text| write(&file, &text)) {
                Ok(()) => told.store(false, Relaxed),
                Err(error) if !told.swap(true, Relaxed) => {
                    crate::log::say!(Warn, "R011", "hbs: {}: {error}; its answers are not kept", file.display());
                }
                Err(_) => {}
            }
        });
    }
}

/// The file is the old one or the new one at every moment.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(io::Error::other("too much is assigned"));
    }
    if let Some(dir) = file.parent() {
        falcon_sys::create_private_dir(dir)?;
    }
    write_anew(file, &file.with_extension("new"), text)
}

fn read(file: &Path) -> io::Result<Answers> {
    let mut text = Vec::new();
    File::open(file)?.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn answers(hostname: &str) -> Answers {
        Answers { hostname: hostname.to_owned(), ..Answers::default() }
    }

    /// Jobs are done one after the other: what was written before is there.
    fn read_by(keeper: &Keeper) -> Answers {
        let (tell, told) = mpsc::channel();
        keeper.read(move |answers| tell.send(answers).unwrap());
        told.recv().unwrap_or_default()
    }

    #[test]
    fn the_last_answers_are_on_disk_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        // Made when it is needed.
        let state = dir.path().join("var");
        let keeper = Keeper::start(&state).unwrap();
        assert_eq!(read_by(&keeper), Answers::default());
        for n in 0..50 {
            keeper.write(&answers(&n.to_string()));
        }
        assert_eq!(read_by(&keeper), answers("49"));
        let names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
    }

    #[test]
    fn a_damaged_file_is_one_without_answers() {
        let dir = tempfile::tempdir().unwrap();
        let huge = format!("{{\"hostname\":\"{}\"}}", "h".repeat(3 << 20));
        let keeper = Keeper::start(dir.path()).unwrap();
        for text in ["", "{", "[]", "{\"metrics\":7}", "{\"hostname\":null}", "\0\0\0", &huge] {
            std::fs::write(dir.path().join(NAME), text).unwrap();
            assert_eq!(read_by(&keeper), Answers::default(), "{text:.20}");
        }
        keeper.write(&answers("h"));
        assert_eq!(read_by(&keeper), answers("h"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_keeps_nothing_and_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        std::fs::write(&file, "no directory").unwrap();
        let keeper = Keeper::start(&file).unwrap();
        keeper.write(&answers("h"));
        assert_eq!(read_by(&keeper), Answers::default());
        assert!(keeper.told.load(Relaxed));
    }
}
