//! Which application pool a worker process serves.
//!
//! The command line tells it (`w3wp.exe -ap "Pool A" -v "v4.0" ...`), which is bound to the process and read once in its life;
//! where that may not be read, the counters of workers do, by their instance name (`1234_Pool A`). A process is its pid and
//! its start, as a pid is given again; one of that name that runs from elsewhere than `inetsrv` is none of IIS.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::service::arguments;
use falcon_sys::types::Proc;

const IMAGE: &str = "w3wp.exe";
const FOLDER: &str = "inetsrv";
/// A process that is just being made cannot be read, nor one of an account that keeps it to itself.
const TRIES: u8 = 3;

/// Whether a process may be a worker, by its name.
pub(super) fn is_worker(name: &str) -> bool {
    name.eq_ignore_ascii_case(IMAGE)
}

/// What is asked of one process; a test answers itself.
pub(super) struct Facts {
    pub(super) command_line: Box<dyn Fn(u32) -> io::Result<String> + Send>,
    pub(super) image_path: Box<dyn Fn(u32) -> io::Result<PathBuf> + Send>,
}

impl Facts {
    pub(super) fn of_system() -> Facts {
        Facts { command_line: Box::new(falcon_sys::command_line), image_path: Box::new(falcon_sys::image_path) }
    }
}

/// What a process turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    Of(String),
    /// Another program, or no worker of a pool.
    Foreign,
    /// Why its command line cannot be read; it may be anybody's.
    Unknown(String),
}

/// The processes of the last cycle.
pub(super) struct Workers {
    facts: Facts,
    known: HashMap<(u32, u64), (Worker, u8)>,
}

impl Workers {
    pub(super) fn new(facts: Facts) -> Workers {
        Workers { facts, known: HashMap::new() }
    }

    /// One for each process of a table. `counted` has the pools of the workers that have counters, by pid.
    pub(super) fn of(&mut self, table: &[Proc], counted: &HashMap<u32, String>) -> Vec<Worker> {
        let mut now = HashMap::with_capacity(table.len());
        let mut workers = Vec::with_capacity(table.len());
        for process in table {
            let id = (process.pid, process.created);
            let (found, tries) = match self.known.remove(&id) {
                Some((Worker::Unknown(_), tries)) if tries < TRIES => (ask(&self.facts, process.pid), tries + 1),
                Some(known) => known,
                None => (ask(&self.facts, process.pid), 1),
            };
            workers.push(match (&found, counted.get(&process.pid)) {
                (Worker::Unknown(_), Some(pool)) => Worker::Of(pool.clone()),
                _ => found.clone(),
            });
            now.insert(id, (found, tries));
        }
        self.known = now;
        workers
    }
}

fn ask(facts: &Facts, pid: u32) -> Worker {
    // A path that may not be read is no reason to doubt: the name is right.
    if (facts.image_path)(pid).is_ok_and(|path| !is_of_iis(&path)) {
        return Worker::Foreign;
    }
    match (facts.command_line)(pid) {
        // Every program is started with one, so this says nothing about it.
        Ok(line) if line.trim().is_empty() => Worker::Unknown("its command line is empty".to_owned()),
        Ok(line) => pool_of(&line).map_or(Worker::Foreign, Worker::Of),
        Err(error) => Worker::Unknown(error.to_string()),
    }
}

fn is_of_iis(path: &Path) -> bool {
    let path = path.to_string_lossy();
    let mut parts = path.rsplit(['\\', '/']);
    parts.next().is_some_and(is_worker) && parts.next().is_some_and(|folder| folder.eq_ignore_ascii_case(FOLDER))
}

/// The word behind `-ap`.
fn pool_of(line: &str) -> Option<String> {
    let mut words = arguments(behind_program(line.trim_start_matches([' ', '\t']))).into_iter();
    words.find(|word| word.eq_ignore_ascii_case("-ap") || word.eq_ignore_ascii_case("/ap"))?;
    words.next().filter(|pool| !pool.is_empty())
}

/// What stands behind the program: it ends at the first blank that no quotes hold, and backslashes in it are nothing special.
fn behind_program(line: &str) -> &str {
    let mut is_quoted = false;
    let end = line.char_indices().find(|(_, c)| {
        is_quoted ^= *c == '"';
        matches!(c, ' ' | '\t') && !is_quoted
    });
    end.and_then(|(end, _)| line.get(end..)).unwrap_or_default()
}

/// Pid and pool of an instance of the counters of workers: `1234_Pool A`. Its `_Total` has no pid.
pub(super) fn split_instance(instance: &str) -> Option<(u32, &str)> {
    let (pid, pool) = instance.split_once('_')?;
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    Some((pid.parse().ok().filter(|_| is_pid)?, pool)).filter(|(_, pool)| !pool.is_empty())
}

#[cfg(test)]
mod tests;
