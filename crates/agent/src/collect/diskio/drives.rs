//! Windows: which drives there are, and what each answers.
//!
//! Every drive is asked apart, on a thread that may be lost: a disk that dies keeps those who ask it. The list of
//! drives is made anew every ten minutes, and at once when one of them is gone; while that fails the old list serves.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use falcon_sys::Host;
use falcon_sys::types::{DiskIo, Drive};

use super::device::Device;
use super::metrics::*;
use super::{Sum, emit, emit_as_freedomkk, emit_volume};
use crate::collect::{Collector, Cx, Guard};
use crate::isolate::{Isolated, Outcome};
use crate::model::{Metric, Platform, Tags};
use crate::stats::Stats;

/// How often drives are looked for.
const LIST_AGAIN: Duration = Duration::from_secs(600);
/// For the list. With the deadline of the drives it stays within what a lane gives a collector.
const LIST_DEADLINE: Duration = Duration::from_secs(2);
/// A healthy drive answers in microseconds; one slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a drive counts as hung.
const DEADLINE: Duration = Duration::from_secs(5);

const FREEDOMKK: [&Metric; 7] =
    [&FK_READ_REQUESTS, &FK_WRITE_REQUESTS, &FK_READ_BYTES, &FK_WRITE_BYTES, &FK_MSEC_READ, &FK_MSEC_WRITE, &FK_UTIL];
const LEONZYANG: [&Metric; 7] =
    [&LZ_READ_REQUESTS, &LZ_WRITE_REQUESTS, &LZ_READ_BYTES, &LZ_WRITE_BYTES, &LZ_READ_TIME, &LZ_WRITE_TIME, &LZ_IOTIME];

type List = io::Result<Vec<Drive>>;
type Answer = io::Result<DiskIo>;

/// How the system is asked; a test asks itself.
struct Asked {
    list: Arc<dyn Fn() -> List + Send + Sync>,
    io: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
}

pub struct Drives {
    asked: Asked,
    guard: Guard,
    stats: Arc<Stats>,
    lists: Isolated<List>,
    probes: Isolated<Answer>,
    /// `None`: not listed yet.
    known: Option<Vec<Drive>>,
    /// Since `known` was made.
    age: Duration,
    /// One of the known drives is not there any more.
    is_gone: bool,
    devices: HashMap<String, Device>,
}

impl Drives {
    pub fn new(host: &Host, guard: Guard, stats: Arc<Stats>) -> Drives {
        let host = host.clone();
        let asked = Asked { list: Arc::new(move || host.clone().drives()), io: Arc::new(falcon_sys::disk_io) };
        Drives::asking(asked, guard, stats)
    }

    fn asking(asked: Asked, guard: Guard, stats: Arc<Stats>) -> Drives {
        Drives {
            asked,
            guard,
            stats,
            lists: Isolated::new("drives"),
            probes: Isolated::new("drive"),
            known: None,
            age: Duration::ZERO,
            is_gone: false,
            devices: HashMap::new(),
        }
    }

    /// Makes the list where it is due. Answers whether it is of this cycle.
    fn list(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<bool> {
        self.age = self.age.saturating_add(cx.tick.elapsed.unwrap_or(LIST_AGAIN));
        if self.known.is_some() && self.age < LIST_AGAIN && !self.is_gone {
            return Ok(false);
        }
        let list = self.asked.list.clone();
        let job = ("list".to_owned(), move || list());
        let answer = self.lists.run_all(vec![job], LIST_DEADLINE, LIST_DEADLINE).pop().map(|(_, outcome)| outcome);
        let why = match answer {
            Some(Outcome::Done(Ok(drives))) => {
                (self.known, self.age, self.is_gone) = (Some(drives), Duration::ZERO, false);
                return Ok(true);
            }
            Some(outcome) => failure(outcome, &self.stats).to_string(),
            None => return Ok(false),
        };
        if self.known.is_none() {
            bail!("list of drives: {why}");
        }
        cx.problem("list of drives", why);
        Ok(false)
    }

    fn report(&mut self, cx: &mut Cx<'_>, drives: &[Drive], answers: Vec<(String, Outcome<Answer>)>, fresh: bool) {
        let mut sum = Sum::default();
        for (name, outcome) in answers {
            let now = match outcome {
                Outcome::Done(Ok(now)) => now,
                Outcome::Done(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    // Pulled out since the list was made; one that a new list still has is a fault.
                    self.is_gone = true;
                    if fresh {
                        cx.problem(format!("drive {name}"), error);
                    }
                    continue;
                }
                Outcome::Done(Err(error)) if is_empty(&error) => continue,
                Outcome::Done(Err(error)) if keeps_no_statistics(&error) => {
                    cx.remark(format!("drive {name}"), NO_STATISTICS);
                    continue;
                }
                outcome => {
                    cx.problem(format!("drive {name}"), failure(outcome, &self.stats));
                    continue;
                }
            };
            let (device, interval) = match self.devices.get_mut(&name) {
                Some(device) => {
                    let interval = device.advance(&now, None, Platform::Windows);
                    (device, interval)
                }
                None => {
                    let device = Device::new(&DiskIo { name: name.clone(), ..now.clone() }, Platform::Windows);
                    (self.devices.entry(name.clone()).or_insert(device), None)
                }
            };
            let Some(drive) = drives.iter().find(|drive| drive.name == name) else {
                emit_volume(cx, device);
                continue;
            };
            emit(cx, device, &now, interval.as_ref());
            if FREEDOMKK.iter().any(|metric| cx.wants(metric)) {
                emit_as_freedomkk(cx, &wmi_instance(drive), &device.totals, interval.as_ref());
            }
            if let Some(interval) = interval {
                sum.add(&interval);
            }
        }
        sum.emit(cx);
    }
}

impl Collector for Drives {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let fresh = self.list(cx)?;
        let mut drives = self.known.clone().unwrap_or_default();
        self.guard.apply(cx, &mut drives, |drive| drive.name.clone(), |_| 0);
        let mut names: Vec<String> = drives.iter().map(|drive| drive.name.clone()).collect();
        if LEONZYANG.iter().any(|metric| cx.wants(metric)) {
            names.extend(letters(&drives));
        }
        self.devices.retain(|name, _| names.contains(name));
        let jobs = names.into_iter().map(|name| {
            let (io, asked) = (self.asked.io.clone(), name.clone());
            (name, move || io(&asked))
        });
        let answers = self.probes.run_all(jobs.collect(), PATIENCE, DEADLINE);
        self.report(cx, &drives, answers, fresh);
        Ok(())
    }
}

/// Every letter once: a volume that spans disks has its letter on each.
fn letters(drives: &[Drive]) -> Vec<String> {
    let mut letters: Vec<String> = drives.iter().flat_map(|drive| &drive.letters).cloned().collect();
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// `0 C: D:` of `PhysicalDrive0`; `0` where it has no letter.
fn wmi_instance(drive: &Drive) -> Tags {
    let number = drive.name.trim_start_matches("PhysicalDrive");
    let parts: Vec<&str> = [number].into_iter().chain(drive.letters.iter().map(String::as_str)).collect();
    Tags::of(&[("device", &parts.join(" "))])
}

const NO_STATISTICS: &str =
    "keeps no statistics, so it has no disk.io.*; where they were switched off, `diskperf -Y` brings them back";

/// `ERROR_INVALID_FUNCTION`, `ERROR_NOT_SUPPORTED`.
fn keeps_no_statistics(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(1 | 50))
}

/// `ERROR_NOT_READY`: a card reader without a card.
fn is_empty(error: &io::Error) -> bool {
    error.raw_os_error() == Some(21)
}

/// Why there is no answer; of those that hang each is counted once.
fn failure<T>(outcome: Outcome<io::Result<T>>, stats: &Stats) -> io::Error {
    match outcome {
        Outcome::Done(Err(error)) => error,
        Outcome::Done(Ok(_)) | Outcome::Panicked => io::Error::other("the reader failed by a defect"),
        Outcome::NoThread(why) => io::Error::other(format!("no thread to ask on: {why}")),
        Outcome::Late { newly } => {
            if newly {
                stats.collect_hung.add(1);
            }
            io::Error::other("does not answer; it is left alone until it does")
        }
    }
}

#[cfg(test)]
mod tests;
