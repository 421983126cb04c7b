//! What the disks' figures are called in each name set.
//!
//! `disk.io.read_bytes` and `disk.io.write_bytes` are a GAUGE of bytes per second on Linux and a COUNTER of bytes on
//! Windows, as the agents of each platform sent them. Names of the agents for Windows exist there only.

use crate::model::{Metric, On, Sets};

const BOTH: &str = "/proc/diskstats; IOCTL_DISK_PERFORMANCE";
const LINUX: &str = "/proc/diskstats";
const WINDOWS: &str = "IOCTL_DISK_PERFORMANCE";
const VOLUME: &str = "IOCTL_DISK_PERFORMANCE of the volume";
const DEVICE: &[&str] = &["device"];
/// Figures that others already tell, or that few look at.
const DETAILS: &str = "diskDetails";

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::FALCON, BOTH).tags(DEVICE).help(help)
}
const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::FALCON, BOTH).tags(DEVICE).help(help)
}
const fn linux(metric: Metric) -> Metric {
    Metric { source: LINUX, ..metric.on(On::Linux) }
}
const fn windows(metric: Metric) -> Metric {
    Metric { source: WINDOWS, ..metric.on(On::Windows) }
}
const fn of(sets: Sets, metric: Metric) -> Metric {
    Metric { sets, ..metric }
}
/// The same figure under another agent's name or tag.
const fn old(sets: Sets, name: &'static str, metric: Metric) -> Metric {
    Metric { name, ..of(sets, windows(metric)) }
}
const fn sql(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::WINDOWS_AGENT, WINDOWS).on(On::Windows).help(help)
}

pub const READ_REQUESTS: Metric = counter("disk.io.read_requests", "requests", "reads completed");
pub const WRITE_REQUESTS: Metric = counter("disk.io.write_requests", "requests", "writes completed");
pub const MSEC_READ: Metric = counter("disk.io.msec_read", "ms", "time of all reads");
pub const MSEC_WRITE: Metric = counter("disk.io.msec_write", "ms", "time of all writes");
pub const MSEC_TOTAL: Metric = counter("disk.io.msec_total", "ms", "time with requests on their way");
const WEIGHTED: Metric = counter("disk.io.msec_weighted_total", "ms", "time of all requests so far");
const READ_SECTORS_BOTH: Metric = counter("disk.io.read_sectors", "sectors", "sectors of 512 bytes read");
const WRITE_SECTORS_BOTH: Metric = counter("disk.io.write_sectors", "sectors", "sectors of 512 bytes written");
pub const MSEC_WEIGHTED: Metric = linux(WEIGHTED);
pub const READ_SECTORS: Metric = linux(READ_SECTORS_BOTH);
pub const WRITE_SECTORS: Metric = linux(WRITE_SECTORS_BOTH);
pub const MSEC_WEIGHTED_DETAIL: Metric = windows(WEIGHTED).option(DETAILS);
pub const READ_SECTORS_DETAIL: Metric = windows(READ_SECTORS_BOTH).option(DETAILS);
pub const WRITE_SECTORS_DETAIL: Metric = windows(WRITE_SECTORS_BOTH).option(DETAILS);
pub const READ_MERGED: Metric = linux(counter("disk.io.read_merged", "requests", "reads joined with others"));
pub const WRITE_MERGED: Metric = linux(counter("disk.io.write_merged", "requests", "writes joined with others"));
pub const IN_PROGRESS: Metric = linux(counter(
    "disk.io.ios_in_progress",
    "requests",
    "on their way now: no sum, but a COUNTER as the Go agent sends it; disk.io.queue_depth is the GAUGE",
));
pub const READ_RATE: Metric = linux(gauge("disk.io.read_bytes", "B/s", "read per second"));
pub const WRITE_RATE: Metric = linux(gauge("disk.io.write_bytes", "B/s", "written per second"));
const WINDOWS_BYTES: Sets = Sets::FALCON.and(Sets::WINDOWS_AGENT);
pub const READ_BYTES: Metric = of(WINDOWS_BYTES, windows(counter("disk.io.read_bytes", "B", "read")));
pub const WRITE_BYTES: Metric = of(WINDOWS_BYTES, windows(counter("disk.io.write_bytes", "B", "written")));

pub const UTIL: Metric = gauge("disk.io.util", "%", "share of the time with requests on their way");
pub const AWAIT: Metric = gauge("disk.io.await", "ms", "mean time of a request, waiting included; 0 without one");
pub const SVCTM: Metric = gauge("disk.io.svctm", "ms", "busy time a request; 0 without one");
pub const AVGQU_SZ: Metric = gauge("disk.io.avgqu-sz", "requests", "mean number of requests on their way");
pub const AVGRQ_SZ: Metric = gauge("disk.io.avgrq_sz", "sectors", "mean size of a request in 512 bytes; 0 without one");
pub const QUEUE_DEPTH: Metric =
    of(Sets::EXTENDED, gauge("disk.io.queue_depth", "requests", "on their way at the reading"));
pub const R_AWAIT: Metric =
    of(Sets::EXTENDED, gauge("disk.io.r_await", "ms", "mean time of a read; 0 without one")).option(DETAILS);
pub const W_AWAIT: Metric =
    of(Sets::EXTENDED, gauge("disk.io.w_await", "ms", "mean time of a write; 0 without one")).option(DETAILS);
pub const SPLIT: Metric =
    of(Sets::EXTENDED, windows(counter("disk.io.split", "requests", "requests that became several"))).option(DETAILS);

pub const PY_READ_COUNT: Metric = old(Sets::WINDOWS_AGENT, "disk.io.read_count", READ_REQUESTS);
pub const PY_WRITE_COUNT: Metric = old(Sets::WINDOWS_AGENT, "disk.io.write_count", WRITE_REQUESTS);
pub const PY_READ_TIME: Metric = old(Sets::WINDOWS_AGENT, "disk.io.read_time", MSEC_READ);
pub const PY_WRITE_TIME: Metric = old(Sets::WINDOWS_AGENT, "disk.io.write_time", MSEC_WRITE);

pub const FK_READ_REQUESTS: Metric = old(Sets::FREEDOMKK, "disk.io.read_requests", READ_REQUESTS);
pub const FK_WRITE_REQUESTS: Metric = old(Sets::FREEDOMKK, "disk.io.write_requests", WRITE_REQUESTS);
pub const FK_READ_BYTES: Metric = old(Sets::FREEDOMKK, "disk.io.read_bytes", READ_BYTES);
pub const FK_WRITE_BYTES: Metric = old(Sets::FREEDOMKK, "disk.io.write_bytes", WRITE_BYTES);
pub const FK_MSEC_READ: Metric = old(Sets::FREEDOMKK, "disk.io.msec_read", MSEC_READ);
pub const FK_MSEC_WRITE: Metric = old(Sets::FREEDOMKK, "disk.io.msec_write", MSEC_WRITE);
pub const FK_UTIL: Metric = old(Sets::FREEDOMKK, "disk.io.util", UTIL);

const fn volume(name: &'static str, metric: Metric) -> Metric {
    Metric { source: VOLUME, ..old(Sets::LEONZYANG, name, metric) }
}
pub const LZ_READ_REQUESTS: Metric = volume("disk.io.read_requests", READ_REQUESTS);
pub const LZ_WRITE_REQUESTS: Metric = volume("disk.io.write_requests", WRITE_REQUESTS);
pub const LZ_READ_BYTES: Metric = volume("disk.io.read_bytes", READ_BYTES);
pub const LZ_WRITE_BYTES: Metric = volume("disk.io.write_bytes", WRITE_BYTES);
pub const LZ_READ_TIME: Metric = volume("disk.io.read_time", MSEC_READ);
pub const LZ_WRITE_TIME: Metric = volume("disk.io.write_time", MSEC_WRITE);
pub const LZ_IOTIME: Metric = volume("disk.io.iotime", MSEC_TOTAL);

pub const SQL_QUEUE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_queue_length", "requests", "mean queue, all drives");
pub const SQL_READ_QUEUE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_read_queue_length", "requests", "mean queue of reads, all drives");
pub const SQL_WRITE_QUEUE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_write_queue_length", "requests", "mean queue of writes, all drives");
pub const SQL_SEC_PER_READ: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_sec_per_read", "s", "mean time of a read; 0 without one");
pub const SQL_SEC_PER_WRITE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_sec_per_write", "s", "mean time of a write; 0 without one");
pub const SQL_READ_RATE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_read_bytes_per_sec", "B/s", "read per second, all drives");
pub const SQL_WRITE_RATE: Metric =
    sql("sqlserver.physical_disk.total.avg.disk_write_bytes_per_sec", "B/s", "written per second, all drives");

pub const ALL: &[Metric] = &[
    READ_REQUESTS,
    WRITE_REQUESTS,
    MSEC_READ,
    MSEC_WRITE,
    MSEC_TOTAL,
    MSEC_WEIGHTED,
    READ_SECTORS,
    WRITE_SECTORS,
    MSEC_WEIGHTED_DETAIL,
    READ_SECTORS_DETAIL,
    WRITE_SECTORS_DETAIL,
    READ_MERGED,
    WRITE_MERGED,
    IN_PROGRESS,
    READ_RATE,
    WRITE_RATE,
    READ_BYTES,
    WRITE_BYTES,
    UTIL,
    AWAIT,
    SVCTM,
    AVGQU_SZ,
    AVGRQ_SZ,
    QUEUE_DEPTH,
    R_AWAIT,
    W_AWAIT,
    SPLIT,
    PY_READ_COUNT,
    PY_WRITE_COUNT,
    PY_READ_TIME,
    PY_WRITE_TIME,
    FK_READ_REQUESTS,
    FK_WRITE_REQUESTS,
    FK_READ_BYTES,
    FK_WRITE_BYTES,
    FK_MSEC_READ,
    FK_MSEC_WRITE,
    FK_UTIL,
    LZ_READ_REQUESTS,
    LZ_WRITE_REQUESTS,
    LZ_READ_BYTES,
    LZ_WRITE_BYTES,
    LZ_READ_TIME,
    LZ_WRITE_TIME,
    LZ_IOTIME,
    SQL_QUEUE,
    SQL_READ_QUEUE,
    SQL_WRITE_QUEUE,
    SQL_SEC_PER_READ,
    SQL_SEC_PER_WRITE,
    SQL_READ_RATE,
    SQL_WRITE_RATE,
];
