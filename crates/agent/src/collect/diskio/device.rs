//! One device from cycle to cycle: counts that only grow, and means over the time between two readings.
//!
//! The kernels count requests in 32 bits (Linux: sectors and milliseconds too, on some systems); here such a wrap is
//! growth. Anything else that steps back is another device under the same name: no means, and the counts start anew.

use std::time::Duration;

use falcon_sys::types::DiskIo;

use super::super::float;
use crate::model::{Platform, Tags};

/// What is kept of a device.
pub struct Device {
    pub tags: Tags,
    /// The cycle in which it was last there.
    pub cycle: u64,
    before: DiskIo,
    /// Since boot, or since the device was first seen, wider than the kernel counts. On Windows `busy_us` is the sum of
    /// busy times since the first reading, and `weighted_us` that of reads and writes.
    pub totals: DiskIo,
}

impl Device {
    pub fn new(now: &DiskIo, platform: Platform) -> Device {
        let now = comparable(now, platform);
        Device { tags: Tags::of(&[("device", &now.name)]), cycle: 0, totals: nameless(&now), before: now }
    }

    /// Takes a reading in. `elapsed`: since the one before; on Windows, where the reading tells it too, `None` is unknown.
    pub fn advance(&mut self, now: &DiskIo, elapsed: Option<Duration>, platform: Platform) -> Option<Interval> {
        let now = comparable(now, platform);
        let grown = growth(&self.before, &now, elapsed, platform);
        match &grown {
            Some(grown) => add(&mut self.totals, grown),
            None => self.totals = nameless(&now),
        }
        self.before = now;
        let elapsed_us = match platform {
            Platform::Linux => u64::try_from(elapsed?.as_micros()).ok()?,
            Platform::Windows => grown.as_ref()?.clock_us,
        };
        grown.filter(|_| elapsed_us > 0).map(|grown| Interval { grown, elapsed_us })
    }
}

fn nameless(io: &DiskIo) -> DiskIo {
    DiskIo { name: String::new(), ..*io }
}

/// The reading with the sum of times that Linux gives and Windows leaves to be added up.
fn comparable(io: &DiskIo, platform: Platform) -> DiskIo {
    let weighted_us = match platform {
        Platform::Linux => io.weighted_us,
        Platform::Windows => io.read_us.saturating_add(io.write_us),
    };
    DiskIo { weighted_us, ..io.clone() }
}

/// What each count grew by; `None` where one stepped back.
fn growth(before: &DiskIo, now: &DiskIo, elapsed: Option<Duration>, platform: Platform) -> Option<DiskIo> {
    let (bytes, time) = match platform {
        Platform::Linux => (Some(512), Some(1000)),
        Platform::Windows => (None, None),
    };
    let grown = |field: fn(&DiskIo) -> u64, unit| grown(field(before), field(now), unit);
    let since = |field: fn(&DiskIo) -> u64| field(now).checked_sub(field(before));
    // Windows reads the clock of the wall: where that was set, nothing is known of the time between.
    let (clock_us, idle_us) = since(|io| io.clock_us)
        .zip(since(|io| io.idle_us))
        .filter(|(clock_us, _)| elapsed.is_none_or(|elapsed| agree(*clock_us, elapsed)))
        .unwrap_or_default();
    Some(DiskIo {
        name: String::new(),
        reads: grown(|io| io.reads, Some(1))?,
        reads_merged: grown(|io| io.reads_merged, Some(1))?,
        read_bytes: grown(|io| io.read_bytes, bytes)?,
        read_us: grown(|io| io.read_us, time)?,
        writes: grown(|io| io.writes, Some(1))?,
        writes_merged: grown(|io| io.writes_merged, Some(1))?,
        written_bytes: grown(|io| io.written_bytes, bytes)?,
        write_us: grown(|io| io.write_us, time)?,
        in_flight: 0,
        busy_us: match platform {
            Platform::Linux => grown(|io| io.busy_us, time)?,
            Platform::Windows => clock_us.saturating_sub(idle_us),
        },
        weighted_us: grown(|io| io.weighted_us, time)?,
        idle_us,
        clock_us,
        splits: grown(|io| io.splits, Some(1))?,
    })
}

/// Whether a clock went on by about what passed: a reading may be a little late in its cycle, or a clock be pulled.
fn agree(clock_us: u64, elapsed: Duration) -> bool {
    const LATE_US: u64 = 1_000_000;
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    clock_us.abs_diff(elapsed_us) <= LATE_US.max(elapsed_us / 10)
}

/// What one count grew by. `unit`: what the kernel may count in 32 bits.
fn grown(before: u64, now: u64, unit: Option<u64>) -> Option<u64> {
    /// No device does so much between two readings: one of them is no count.
    const ABSURD: u64 = 1 << 62;
    if let Some(grown) = now.checked_sub(before) {
        return Some(grown).filter(|grown| *grown < ABSURD);
    }
    let unit = unit?;
    let narrow = |count: u64| u32::try_from(count / unit).ok();
    let grown = narrow(now)?.wrapping_sub(narrow(before)?);
    (grown < 1 << 31).then(|| u64::from(grown) * unit)
}

fn add(totals: &mut DiskIo, grown: &DiskIo) {
    let fields = [
        (&mut totals.reads, grown.reads),
        (&mut totals.reads_merged, grown.reads_merged),
        (&mut totals.read_bytes, grown.read_bytes),
        (&mut totals.read_us, grown.read_us),
        (&mut totals.writes, grown.writes),
        (&mut totals.writes_merged, grown.writes_merged),
        (&mut totals.written_bytes, grown.written_bytes),
        (&mut totals.write_us, grown.write_us),
        (&mut totals.busy_us, grown.busy_us),
        (&mut totals.weighted_us, grown.weighted_us),
        (&mut totals.splits, grown.splits),
    ];
    for (total, grown) in fields {
        *total = total.saturating_add(grown);
    }
}

/// What a device did between two readings.
pub struct Interval {
    /// What the counts grew by.
    pub grown: DiskIo,
    /// Never 0.
    elapsed_us: u64,
}

impl Interval {
    fn requests(&self) -> f64 {
        float(self.grown.reads) + float(self.grown.writes)
    }

    pub fn per_second(&self, count: u64) -> f64 {
        float(count) * 1e6 / float(self.elapsed_us)
    }

    /// How many requests were on their way in the mean, of those whose times add up to this.
    pub fn queue(&self, time_us: u64) -> f64 {
        float(time_us) / float(self.elapsed_us)
    }

    pub fn util(&self) -> f64 {
        (float(self.grown.busy_us) * 100.0 / float(self.elapsed_us)).min(100.0)
    }

    pub fn await_ms(&self) -> f64 {
        mean(float(self.grown.read_us) + float(self.grown.write_us), self.requests()) / 1000.0
    }

    pub fn r_await_ms(&self) -> f64 {
        mean(float(self.grown.read_us), float(self.grown.reads)) / 1000.0
    }

    pub fn w_await_ms(&self) -> f64 {
        mean(float(self.grown.write_us), float(self.grown.writes)) / 1000.0
    }

    pub fn svctm_ms(&self) -> f64 {
        mean(float(self.grown.busy_us), self.requests()) / 1000.0
    }

    pub fn request_sectors(&self) -> f64 {
        mean(float(self.grown.read_bytes) + float(self.grown.written_bytes), self.requests()) / 512.0
    }
}

/// 0 of nothing, as the Go agent and perfmon say it.
pub fn mean(sum: f64, count: f64) -> f64 {
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests;
