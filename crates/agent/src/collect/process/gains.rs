//! What processes gained since the last cycle: processor time and bytes.
//!
//! A process is its pid and its start time, as a pid is given again. What was there in the last cycle gained the difference;
//! what began since, everything it has; what was there before but not looked at, nothing that is known.

use std::collections::HashMap;
use std::time::Duration;

use falcon_sys::types::Proc;

use crate::collect::float;

/// What a process counted when it was last seen.
#[derive(Clone, Copy, Debug)]
struct Counts {
    user_us: u64,
    kernel_us: u64,
    read_bytes: Option<u64>,
    written_bytes: Option<u64>,
}

impl Counts {
    /// Of a process that only just began.
    const ZERO: Counts = Counts { user_us: 0, kernel_us: 0, read_bytes: Some(0), written_bytes: Some(0) };
}

/// What a process gained since the last cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Gain {
    /// `None`: it was there before, but not looked at.
    pub(crate) cpu: Option<Cpu>,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user_us: u64,
    pub(crate) kernel_us: u64,
}

impl Cpu {
    pub(crate) fn total_us(self) -> u64 {
        self.user_us.saturating_add(self.kernel_us)
    }

    pub(crate) fn plus(self, other: Cpu) -> Cpu {
        Cpu {
            user_us: self.user_us.saturating_add(other.user_us),
            kernel_us: self.kernel_us.saturating_add(other.kernel_us),
        }
    }
}

/// The processes of the last cycle that were looked at.
#[derive(Default)]
pub(crate) struct Seen {
    before: HashMap<(u32, u64), Counts>,
    now: HashMap<(u32, u64), Counts>,
    gains: Vec<Gain>,
    /// Since then; longer than a cycle where the processes could not be listed.
    elapsed: Option<Duration>,
}

/// What each process of a table gained, in its order, and in which time; `None` in the first cycle.
#[derive(Clone, Copy)]
pub(crate) struct Gains<'a> {
    pub(crate) all: &'a [Gain],
    elapsed: Option<Duration>,
}

impl Gains<'_> {
    pub(crate) fn percent_of_one_cpu(&self, us: u64) -> Option<f64> {
        let elapsed_us = self.elapsed?.as_secs_f64() * 1e6;
        (elapsed_us > 0.0).then(|| float(us) * 100.0 / elapsed_us)
    }
}

impl Seen {
    /// Another cycle has begun.
    pub(crate) fn pass(&mut self, elapsed: Option<Duration>) {
        self.elapsed = elapsed.map(|elapsed| elapsed + self.elapsed.unwrap_or_default());
    }

    /// The processes could be listed.
    pub(crate) fn advance(&mut self, table: &[Proc]) -> Gains<'_> {
        let elapsed = self.elapsed.take();
        let Seen { before, now, gains, .. } = self;
        gains.clear();
        now.clear();
        for process in table {
            let counts = Counts {
                user_us: process.user_us,
                kernel_us: process.kernel_us,
                read_bytes: process.read_bytes,
                written_bytes: process.written_bytes,
            };
            let key = (process.pid, process.created);
            let began_since = || elapsed.is_some_and(|elapsed| process.age_s <= elapsed.as_secs_f64());
            gains.push(match before.get(&key) {
                Some(before) => gain(before, &counts),
                None if began_since() => gain(&Counts::ZERO, &counts),
                None => Gain::default(),
            });
            now.insert(key, counts);
        }
        std::mem::swap(before, now);
        Gains { all: gains, elapsed }
    }
}

/// A count that steps back, and one that could not be read before or now, is no gain.
fn gain(before: &Counts, now: &Counts) -> Gain {
    let bytes = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => now.saturating_sub(before),
        _ => 0,
    };
    Gain {
        cpu: Some(Cpu {
            user_us: now.user_us.saturating_sub(before.user_us),
            kernel_us: now.kernel_us.saturating_sub(before.kernel_us),
        }),
        read_bytes: bytes(before.read_bytes, now.read_bytes),
        written_bytes: bytes(before.written_bytes, now.written_bytes),
    }
}
