//! Plain data that both platforms answer in: raw readings, no rates, units in the names.

use std::path::PathBuf;

/// CPU time since boot, summed over all processors, in a unit of the platform: only shares of differences mean anything.
/// `CpuTimes::total`, which each platform defines, is the denominator; single times may step back between readings.
///
/// Linux: the `cpu` line of `/proc/stat` in clock ticks. Windows: sums of SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION over
/// every processor group, in 100 ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    pub user: u64,
    /// Linux only; 0 on Windows.
    pub nice: u64,
    /// Windows: kernel time without idle, *with* interrupt and DPC time. Linux: field 3 alone.
    pub system: u64,
    pub idle: u64,
    /// Linux only; 0 on Windows.
    pub iowait: u64,
    /// Windows: interrupt time, already contained in `system`.
    pub irq: u64,
    /// Linux: softirq. Windows: DPC time, already contained in `system`.
    pub softirq: u64,
    /// Linux only; 0 on Windows.
    pub steal: u64,
    /// Linux only, already contained in `user`; 0 on Windows.
    pub guest: u64,
    /// Linux only, already contained in `nice`; 0 on Windows.
    pub guest_nice: u64,
}

/// What one reading of the processors tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuStat {
    pub times: CpuTimes,
    /// Logical processors that are online.
    pub count: u32,
    /// Context switches since boot, where this call tells them (Linux `ctxt`).
    pub context_switches: Option<u64>,
    /// Interrupts since boot, where this call tells them (Linux `intr`; Windows the sum of InterruptCount, each widened to
    /// 64 bits by the [`Host`](crate::Host) and its clones).
    pub interrupts: Option<u64>,
}

/// Physical memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemInfo {
    pub total_bytes: u64,
    /// Linux: MemAvailable if > 0, else MemFree + Buffers + Cached. Windows: ullAvailPhys.
    pub available_bytes: u64,
}

/// Swap (Linux) or page files (Windows) in bytes; both 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwapInfo {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// Windows' commit charge and kernel memory, in bytes (PERFORMANCE_INFORMATION).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitInfo {
    pub total_bytes: u64,
    pub limit_bytes: u64,
    pub peak_bytes: u64,
    pub cache_bytes: u64,
    pub pool_paged_bytes: u64,
    pub pool_nonpaged_bytes: u64,
}

/// Load averages as the kernel prints them (Linux only).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadAvg {
    pub one: f64,
    pub five: f64,
    pub fifteen: f64,
}

/// One mounted file system or Windows volume, before anything is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Linux: field 1 of /proc/mounts, unescaped. Windows: the drive (`C:`), or the volume GUID path where the volume is
    /// mounted in folders only.
    pub device: String,
    /// What the metric's tag says. Linux: mount point, unescaped (`/data disk`). Windows: `C:` or, for a volume mounted in
    /// a folder, `C:/data` with forward slashes.
    pub mount: String,
    /// What the system is asked with. Linux: the mount point under the root prefix. Windows: `C:\`, or the volume GUID path,
    /// which no length of a folder's path limits.
    pub path: PathBuf,
    /// Linux: type from /proc/mounts. Windows: empty until [`VolumeUsage::fstype`] tells.
    pub fstype: String,
}

/// Space and inodes of one mounted file system, in bytes. May take for ever to obtain: ask on a thread that may be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeUsage {
    pub total_bytes: u64,
    /// Linux: blocks - bfree. Windows: total - free.
    pub used_bytes: u64,
    /// What an ordinary user can still write. Linux: bavail. Windows: lpTotalNumberOfFreeBytes.
    pub free_bytes: u64,
    /// `None` where the file system has none (Windows, files = 0) or does not know how many are free (ffree all ones).
    pub inodes: Option<Inodes>,
    /// Windows: `NTFS`, `ReFS`, ... Linux: empty, see [`Mount::fstype`].
    pub fstype: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inodes {
    pub total: u64,
    pub used: u64,
    pub free: u64,
}

/// Counters of one network interface since boot, 64 bits wide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetIf {
    /// Linux: interface name. Windows: the alias (friendly name), as the administrator sees it.
    pub name: String,
    pub in_bytes: u64,
    pub in_packets: u64,
    pub in_errors: u64,
    pub in_dropped: u64,
    /// Linux only.
    pub in_fifo_errors: u64,
    /// Linux only.
    pub in_frame_errors: u64,
    /// Linux only.
    pub in_compressed: u64,
    /// Linux: column 8. Windows: InNUcastPkts (multicast and broadcast).
    pub in_multicast: u64,
    pub out_bytes: u64,
    pub out_packets: u64,
    pub out_errors: u64,
    pub out_dropped: u64,
    /// Linux only.
    pub out_fifo_errors: u64,
    /// Linux only.
    pub out_collisions: u64,
    /// Linux only.
    pub out_carrier_errors: u64,
    /// Linux only.
    pub out_compressed: u64,
    /// `None`: unknown (Linux: unreadable or <= 0; Windows: 0 or all ones).
    pub speed_bits_per_s: Option<u64>,
    /// Operational state; `None` where the platform does not tell cheaply.
    pub up: Option<bool>,
    /// Windows: HardwareInterface flag. Linux: true.
    pub hardware: bool,
}

/// What the agent itself uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfUsage {
    /// Resident set / working set.
    pub rss_bytes: u64,
    /// User + kernel time since the process began, in microseconds.
    pub cpu_us: u64,
    /// Windows: handles. Linux: open file descriptors.
    pub handles: u64,
    /// `None` where it cannot be read cheaply.
    pub threads: Option<u64>,
}

/// Calendar time of the host's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}
