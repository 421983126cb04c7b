//! Windows: which drives there are, and what each answers.
//!
//! Every drive is asked apart, on a thread that may be lost: a disk that dies keeps those who ask it. The list of their
//! names, for which no drive is touched, is made anew every ten minutes, and at once when one of them is gone; while that
//! fails the old list serves.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use falcon_sys::Host;
use falcon_sys::types::{DiskIo, Drives as Names};

use super::device::Device;
use super::letters::{self, Letters};
use super::metrics::*;
use super::{Sum, emit, emit_as_freedomkk, emit_volume};
use crate::collect::{Collector, Cx, Guard};
use crate::isolate::{Isolated, LEFT_ALONE, Outcome};
use crate::model::{Metric, Platform, Tags};
use crate::stats::Stats;

/// How often drives are looked for.
const LIST_AGAIN: Duration = Duration::from_secs(600);
/// A healthy drive answers in microseconds; one slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this a drive counts as hung.
const DEADLINE: Duration = Duration::from_secs(5);

const FREEDOMKK: [&Metric; 7] =
    [&FK_READ_REQUESTS, &FK_WRITE_REQUESTS, &FK_READ_BYTES, &FK_WRITE_BYTES, &FK_MSEC_READ, &FK_MSEC_WRITE, &FK_UTIL];
const LEONZYANG: [&Metric; 7] =
    [&LZ_READ_REQUESTS, &LZ_WRITE_REQUESTS, &LZ_READ_BYTES, &LZ_WRITE_BYTES, &LZ_READ_TIME, &LZ_WRITE_TIME, &LZ_IOTIME];

type List = io::Result<Names>;
type Answer = io::Result<DiskIo>;

/// The name of a drive but its number; a volume is its letter.
const DRIVE: &str = "PhysicalDrive";

/// How the system is asked; a test asks itself.
struct Asked {
    list: Box<dyn FnMut() -> List + Send>,
    letter: letters::Ask,
    io: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
}

pub struct Drives {
    list: Box<dyn FnMut() -> List + Send>,
    io: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    guard: Guard,
    stats: Arc<Stats>,
    probes: Isolated<Answer>,
    letters: Letters,
    /// Of the drives, as they were listed last; `None`: not listed yet.
    known: Option<Vec<String>>,
    /// Since `known` was made.
    age: Duration,
    /// One of the known drives is not there any more.
    is_gone: bool,
    devices: HashMap<String, Kept>,
}

/// A drive or a volume, from cycle to cycle.
struct Kept {
    device: Device,
    /// Since it last answered; `None` where a cycle did not tell.
    since: Option<Duration>,
}

impl Drives {
    pub fn new(host: &Host, guard: Guard, stats: Arc<Stats>) -> Drives {
        let mut host = host.clone();
        let asked = Asked {
            list: Box::new(move || host.drives()),
            letter: Arc::new(falcon_sys::letter_disks),
            io: Arc::new(falcon_sys::disk_io),
        };
        Drives::asking(asked, guard, stats)
    }

    fn asking(Asked { list, letter, io }: Asked, guard: Guard, stats: Arc<Stats>) -> Drives {
        Drives {
            list,
            io,
            guard,
            stats,
            probes: Isolated::new("drive"),
            letters: Letters::new(letter),
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
        match (self.list)() {
            Ok(names) => {
                self.letters.list(&names.letters);
                (self.known, self.age, self.is_gone) = (Some(names.physical), Duration::ZERO, false);
                Ok(true)
            }
            Err(error) if self.known.is_none() => bail!("list of drives: {error}"),
            Err(error) => {
                cx.problem("list of drives", error);
                Ok(false)
            }
        }
    }

    fn report(&mut self, cx: &mut Cx<'_>, answers: Vec<(String, Outcome<Answer>)>, fresh: bool) {
        let mut sum = Sum::default();
        for (name, outcome) in answers {
            let number = name.strip_prefix(DRIVE);
            let now = match outcome.answer(LEFT_ALONE, &self.stats.collect_hung) {
                Ok(now) => now,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Pulled out since the list was made; one that a new list still has is a fault.
                    self.is_gone = true;
                    if fresh {
                        cx.problem(format!("drive {name}"), error);
                        sum.is_partial |= number.is_some();
                    }
                    continue;
                }
                Err(error) if is_empty(&error) => continue,
                Err(error) if keeps_no_statistics(&error) => {
                    cx.remark(format!("drive {name}"), NO_STATISTICS);
                    continue;
                }
                Err(error) => {
                    cx.problem(format!("drive {name}"), error);
                    sum.is_partial |= number.is_some();
                    continue;
                }
            };
            let (device, interval) = match self.devices.get_mut(&name) {
                Some(Kept { device, since }) => {
                    let elapsed = since.replace(Duration::ZERO);
                    let interval = device.advance(&now, elapsed, Platform::Windows);
                    (device, interval)
                }
                None => {
                    let device = Device::new(&DiskIo { name: name.clone(), ..now.clone() }, Platform::Windows);
                    let kept = Kept { device, since: Some(Duration::ZERO) };
                    (&mut self.devices.entry(name.clone()).or_insert(kept).device, None)
                }
            };
            let Some(number) = number else {
                emit_volume(cx, device);
                continue;
            };
            emit(cx, device, &now, interval.as_ref());
            if FREEDOMKK.iter().any(|metric| cx.wants(metric)) {
                emit_as_freedomkk(cx, &wmi_instance(number, &self.letters), &device.totals, interval.as_ref());
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
        let names_letters = |metrics: &[&Metric]| metrics.iter().any(|metric| cx.wants(metric));
        let (by_letters, volumes) = (names_letters(&FREEDOMKK), names_letters(&LEONZYANG));
        if by_letters || volumes {
            self.letters.ask(cx, &self.stats);
        }
        let mut names = self.known.clone().unwrap_or_default();
        self.guard.apply(cx, &mut names, String::clone, |_| 0);
        if volumes {
            names.extend(self.letters.volumes().map(str::to_owned));
        }
        self.devices.retain(|name, _| names.contains(name));
        for Kept { since, .. } in self.devices.values_mut() {
            *since = since.zip(cx.tick.elapsed).map(|(since, elapsed)| since.saturating_add(elapsed));
        }
        let jobs = names.into_iter().map(|name| {
            let (io, asked) = (self.io.clone(), name.clone());
            (name, move || io(&asked))
        });
        let answers = self.probes.run_all(jobs.collect(), PATIENCE, DEADLINE);
        self.report(cx, answers, fresh);
        Ok(())
    }
}

/// `0 C: D:` of `PhysicalDrive0`; `0` where it has no letter.
fn wmi_instance(number: &str, letters: &Letters) -> Tags {
    let on_it = number.parse().into_iter().flat_map(|number| letters.on(number));
    let parts: Vec<&str> = [number].into_iter().chain(on_it).collect();
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

#[cfg(test)]
mod tests;
