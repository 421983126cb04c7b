//! A git that runs: how it ends, within the limits of a fetch, and what it says last.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Job;
use crate::isolate::Worker;

/// Between two looks at whether it has ended, and at what it has fetched.
const LOOK: Duration = Duration::from_millis(50);
const MEASURE: Duration = Duration::from_secs(1);
/// How long what it said is waited for once it has ended: it may have left a process behind.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes of what it said last.
const MOST_SAID: usize = 16 * 1024;
/// Of directories within each other.
const MOST_DEPTH: usize = 64;

/// What git said last.
#[derive(Default)]
pub(super) struct Words {
    kept: Mutex<Vec<u8>>,
    is_over: AtomicBool,
}

impl Words {
    /// Hears all and keeps the end of it.
    pub fn listen(mut heard: io::PipeReader) -> io::Result<Arc<Words>> {
        let words = Arc::<Words>::default();
        let own = words.clone();
        Worker::spawn("git")?.run(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = heard.read(&mut chunk) {
                let mut kept = own.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
                if kept.len() > 2 * MOST_SAID {
                    let old = kept.len() - MOST_SAID;
                    kept.drain(..old);
                }
            }
            own.is_over.store(true, Ordering::Release);
        });
        Ok(words)
    }

    /// All that there is, once nobody speaks any more or a while has passed.
    pub fn last(&self) -> String {
        let begun = Instant::now();
        while !self.is_over.load(Ordering::Acquire) && begun.elapsed() < LAST_WORDS {
            thread::sleep(LOOK / 10);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

/// Waits for its end, and looks meanwhile at what it has fetched into a directory.
///
/// # Errors
/// It is to go on no longer.
pub(super) fn watch(job: &Job<'_>, bound: &mut falcon_sys::Bound, dir: &Path) -> Result<ExitStatus, String> {
    let mut measured = Instant::now();
    loop {
        if let Some(status) = bound.try_wait().map_err(|error| format!("its end is not known: {error}"))? {
            return Ok(status);
        }
        job.goes_on()?;
        if measured.elapsed() >= MEASURE {
            let (mut bytes, mut files) = (job.limits.clone, job.limits.files);
            if !fits(dir, &mut bytes, &mut files, 0) {
                return Err(format!(
                    "ended, for {} has more than {} bytes or {} files with its history",
                    job.dir.display(),
                    job.limits.clone,
                    job.limits.files
                ));
            }
            measured = Instant::now();
        }
        thread::sleep(LOOK);
    }
}

/// Whether what is in a directory is within what is left. Files come and go meanwhile.
fn fits(dir: &Path, bytes: &mut u64, files: &mut usize, depth: usize) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return true };
    for entry in entries.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        let (Some(left), Some(fewer)) = (bytes.checked_sub(meta.len()), files.checked_sub(1)) else { return false };
        (*bytes, *files) = (left, fewer);
        if meta.is_dir() && (depth == MOST_DEPTH || !fits(&entry.path(), bytes, files, depth + 1)) {
            return false;
        }
    }
    true
}
