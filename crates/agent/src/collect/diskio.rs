//! `disk.io.*`: what block devices do.
//!
//! Linux: `/proc/diskstats`, the devices that the Go agent shows. Windows: IOCTL_DISK_PERFORMANCE of every physical
//! drive (of every drive letter for LeonZYang's names). Means are over the whole interval; counts are wider than the
//! kernel's.

mod device;
mod drives;
mod letters;
mod metrics;
mod rows;

use falcon_sys::types::DiskIo;

use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec, float};
use crate::model::{Platform, Tags};
use device::mean;
pub(crate) use device::{Device, Interval};
use metrics::*;
pub(crate) use rows::is_shown;

pub(super) const SPEC: Spec = Spec {
    name: "diskio",
    check: "disk.io",
    lane: Lane::Disk,
    rates: true,
    metrics: metrics::ALL,
    options: &[],
    open: |cx: &Context| {
        let guard = Guard::new(Guarded::Disks, &cx.config, &cx.stats);
        Ok(match Platform::CURRENT {
            Platform::Linux => {
                rows::Rows::open(cx.host.clone(), guard).map(|rows| -> Box<dyn Collector> { Box::new(rows) })
            }
            Platform::Windows => Some(Box::new(drives::Drives::new(&cx.host, guard, cx.stats.clone()))),
        })
    },
};

/// Says what is known of one device; a metric that its platform does not have is passed over.
fn emit(cx: &mut Cx<'_>, device: &Device, now: &DiskIo, interval: Option<&Interval>) {
    let (tags, totals) = (&device.tags, &device.totals);
    let counts = [
        (&READ_REQUESTS, totals.reads),
        (&WRITE_REQUESTS, totals.writes),
        (&MSEC_READ, totals.read_us / 1000),
        (&MSEC_WRITE, totals.write_us / 1000),
        (&MSEC_TOTAL, totals.busy_us / 1000),
        (&MSEC_WEIGHTED, totals.weighted_us / 1000),
        (&MSEC_WEIGHTED_DETAIL, totals.weighted_us / 1000),
        (&READ_SECTORS, totals.read_bytes / 512),
        (&WRITE_SECTORS, totals.written_bytes / 512),
        (&READ_SECTORS_DETAIL, totals.read_bytes / 512),
        (&WRITE_SECTORS_DETAIL, totals.written_bytes / 512),
        (&READ_MERGED, totals.reads_merged),
        (&WRITE_MERGED, totals.writes_merged),
        (&IN_PROGRESS, now.in_flight),
        (&QUEUE_DEPTH, now.in_flight),
        (&READ_BYTES, totals.read_bytes),
        (&WRITE_BYTES, totals.written_bytes),
        (&SPLIT, totals.splits),
        (&PY_READ_COUNT, totals.reads),
        (&PY_WRITE_COUNT, totals.writes),
        (&PY_READ_TIME, totals.read_us / 1000),
        (&PY_WRITE_TIME, totals.write_us / 1000),
    ];
    for (metric, count) in counts {
        cx.emit(metric, tags, float(count));
    }
    let Some(interval) = interval else { return };
    let means = [
        (&READ_RATE, interval.per_second(interval.grown.read_bytes)),
        (&WRITE_RATE, interval.per_second(interval.grown.written_bytes)),
        (&UTIL, interval.util()),
        (&AWAIT, interval.await_ms()),
        (&SVCTM, interval.svctm_ms()),
        (&AVGQU_SZ, interval.queue(interval.grown.weighted_us)),
        (&AVGRQ_SZ, interval.request_sectors()),
        (&R_AWAIT, interval.r_await_ms()),
        (&W_AWAIT, interval.w_await_ms()),
    ];
    for (metric, value) in means {
        cx.emit(metric, tags, value);
    }
}

/// The same drive as WMI names it: its number and its letters, with blanks between.
fn emit_as_freedomkk(cx: &mut Cx<'_>, tags: &Tags, totals: &DiskIo, interval: Option<&Interval>) {
    let counts = [
        (&FK_READ_REQUESTS, totals.reads),
        (&FK_WRITE_REQUESTS, totals.writes),
        (&FK_READ_BYTES, totals.read_bytes),
        (&FK_WRITE_BYTES, totals.written_bytes),
        (&FK_MSEC_READ, totals.read_us / 1000),
        (&FK_MSEC_WRITE, totals.write_us / 1000),
    ];
    for (metric, count) in counts {
        cx.emit(metric, tags, float(count));
    }
    if let Some(interval) = interval {
        cx.emit(&FK_UTIL, tags, interval.util());
    }
}

fn emit_volume(cx: &mut Cx<'_>, volume: &Device) {
    let totals = &volume.totals;
    let counts = [
        (&LZ_READ_REQUESTS, totals.reads),
        (&LZ_WRITE_REQUESTS, totals.writes),
        (&LZ_READ_BYTES, totals.read_bytes),
        (&LZ_WRITE_BYTES, totals.written_bytes),
        (&LZ_READ_TIME, totals.read_us / 1000),
        (&LZ_WRITE_TIME, totals.write_us / 1000),
        (&LZ_IOTIME, totals.busy_us / 1000),
    ];
    for (metric, count) in counts {
        cx.emit(metric, &volume.tags, float(count));
    }
}

/// All drives together, as the counters of `PhysicalDisk(_Total)` that the Python agent read.
///
/// A drive that does not answer leaves no sum, which would be low without a fault; one that was just added has done nothing
/// that is known, and counts from its second reading on.
#[derive(Default)]
struct Sum {
    is_partial: bool,
    drives: usize,
    read_queue: f64,
    write_queue: f64,
    read_us: f64,
    write_us: f64,
    reads: f64,
    writes: f64,
    read_rate: f64,
    write_rate: f64,
}

impl Sum {
    fn add(&mut self, interval: &Interval) {
        let grown = &interval.grown;
        self.drives += 1;
        self.read_queue += interval.queue(grown.read_us);
        self.write_queue += interval.queue(grown.write_us);
        self.read_us += float(grown.read_us);
        self.write_us += float(grown.write_us);
        self.reads += float(grown.reads);
        self.writes += float(grown.writes);
        self.read_rate += interval.per_second(grown.read_bytes);
        self.write_rate += interval.per_second(grown.written_bytes);
    }

    fn emit(&self, cx: &mut Cx<'_>) {
        if self.drives == 0 || self.is_partial {
            return;
        }
        let values = [
            (&SQL_QUEUE, self.read_queue + self.write_queue),
            (&SQL_READ_QUEUE, self.read_queue),
            (&SQL_WRITE_QUEUE, self.write_queue),
            (&SQL_SEC_PER_READ, mean(self.read_us, self.reads) / 1e6),
            (&SQL_SEC_PER_WRITE, mean(self.write_us, self.writes) / 1e6),
            (&SQL_READ_RATE, self.read_rate),
            (&SQL_WRITE_RATE, self.write_rate),
        ];
        for (metric, value) in values {
            cx.emit(metric, &Tags::NONE, value);
        }
    }
}

#[cfg(test)]
mod tests;
