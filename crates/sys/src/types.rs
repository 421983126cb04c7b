//! Plain data that both platforms answer in: raw readings, no rates, units in the names.

mod access;
mod perf;
mod ports;
mod registry;
mod service;
mod started;
mod usage;

pub use access::{Grant, ModeBits, Owner, Rights};
pub use perf::{PerfNames, SqlInstance};
pub use ports::Ports;
pub use registry::{RegistryKey, RegistryValue};
pub use service::{
    NewService, Recovery, Registration, ServiceCommand, ServiceControl, ServiceExit, ServiceSettings, ServiceState,
    ServiceStatus, Settings, StartMode,
};
pub use started::Started;
pub use usage::{FileUsage, Links};

use std::io;
use std::path::PathBuf;

/// How much of one of the system's tables a reading holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Extent {
    Whole,
    /// There is more than is read.
    Cut,
}

impl Extent {
    /// `Whole` if both are.
    pub fn and(self, other: Extent) -> Extent {
        if self == Extent::Whole { other } else { self }
    }
}

/// CPU time since boot, summed over all processors, in a unit of the platform: only shares of differences mean anything.
/// Single times may step back between readings.
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
    /// Context switches since boot, where this call tells them (Linux `ctxt`; Windows the sum over
    /// SYSTEM_INTERRUPT_INFORMATION, each processor's count widened to 64 bits by the [`Host`](crate::Host) and its clones).
    pub context_switches: Option<u64>,
    /// Interrupts since boot, where this call tells them (Linux `intr`; Windows the sum of InterruptCount, widened likewise).
    pub interrupts: Option<u64>,
    /// Deferred procedure calls since boot (Windows: DpcCount, widened likewise; Linux: `None`).
    pub dpcs: Option<u64>,
    /// Threads that run or wait for a processor now, where this call tells it (Linux: `procs_running`).
    pub running: Option<u64>,
}

/// The time of one logical processor since boot, in the unit of [`CpuTimes`]; may step back likewise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreTimes {
    /// Processor group (Windows); 0 on Linux.
    pub group: u16,
    /// Number within the group; on Linux the N of `cpuN`.
    pub number: u32,
    /// Linux: without iowait.
    pub idle: u64,
    /// All time, idle included. Linux: guests' time once, for `user` and `nice` contain it.
    pub total: u64,
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

/// Windows' commit charge and kernel memory, in bytes (PERFORMANCE_INFORMATION); `None` where it says 0, which none of these
/// is while a system runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitInfo {
    pub total_bytes: u64,
    pub limit_bytes: u64,
    pub peak_bytes: Option<u64>,
    pub cache_bytes: Option<u64>,
    pub pool_paged_bytes: Option<u64>,
    pub pool_nonpaged_bytes: Option<u64>,
}

/// Windows' paging since boot (SYSTEM_PERFORMANCE_INFORMATION), 32-bit counts widened by the [`Host`](crate::Host).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Soft and hard faults.
    pub faults: u64,
    /// Pages read from disk to resolve faults (PageReadCount).
    pub pages_in: u64,
    /// Pages written to free memory (DirtyPagesWriteCount + MappedPagesWriteCount).
    pub pages_out: u64,
    /// Read operations (PageReadIoCount).
    pub reads: u64,
    /// Write operations (DirtyWriteIoCount + MappedWriteIoCount).
    pub writes: u64,
    /// Free system page table entries: a level, not a count since boot.
    pub free_ptes: u64,
    /// System calls of all processors.
    pub syscalls: u64,
}

/// Windows' page lists in bytes (SYSTEM_MEMORY_LIST_INFORMATION); asks for SeProfileSingleProcessPrivilege.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryLists {
    /// Standby pages of all priorities.
    pub standby_bytes: u64,
    pub modified_bytes: u64,
    /// Free and zeroed pages.
    pub free_zero_bytes: u64,
}

/// One page file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFile {
    /// Path with forward slashes: `C:/pagefile.sys`. Linux: path or device of `/proc/swaps`.
    pub name: String,
    pub total_bytes: u64,
    pub used_bytes: u64,
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
    /// Windows: DRIVE_REMOVABLE. Linux: false.
    pub removable: bool,
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

/// What an interface is made of: what passes one that is made of others is counted there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetKind {
    /// A device of the host, also of a virtual one.
    Card,
    /// No device, and nothing that is known to be counted elsewhere: the end of a container's cable, a tunnel.
    Alone,
    /// A loopback, one over others (a bridge, a bond, a VLAN), or a part of one.
    Made,
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
    /// What tells it from others over time, also when it is renamed (Windows: LUID; Linux: 0, the name does).
    pub id: u64,
    /// Windows: OutQLen. Linux: `None`.
    pub out_queue: Option<u64>,
}

/// Counters of one block device since boot, as the system counts them: fields may wrap at 32 bits, and step back when the
/// device is replaced. Times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskIo {
    /// Linux: device of `/proc/diskstats`. Windows: `PhysicalDrive0`, or `C:` where a volume was asked.
    pub name: String,
    pub reads: u64,
    /// Linux only.
    pub reads_merged: u64,
    /// Linux: sectors of 512 bytes x 512.
    pub read_bytes: u64,
    pub read_us: u64,
    pub writes: u64,
    /// Linux only.
    pub writes_merged: u64,
    pub written_bytes: u64,
    pub write_us: u64,
    /// Requests on their way now. Windows: QueueDepth.
    pub in_flight: u64,
    /// Linux: time with requests on their way (field 13). Windows: 0, see `idle_us`.
    pub busy_us: u64,
    /// Linux: the sum of all requests' times so far (field 14). Windows: 0.
    pub weighted_us: u64,
    /// Windows only: time without a request; with `clock_us` it tells the busy time.
    pub idle_us: u64,
    /// Windows only: QueryTime, the clock against which `idle_us` is read.
    pub clock_us: u64,
    /// Windows only: SplitCount.
    pub splits: u64,
}

/// The names under which Windows can be asked for drives; each can be asked for its [`DiskIo`], and any may hang.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drives {
    /// `PhysicalDrive0`, by their numbers.
    pub physical: Vec<String>,
    /// `C:`, `D:`, in the order of letters: volumes, but also optical and network drives.
    pub letters: Vec<String>,
}

/// Limits of the kernel (Linux); `None` where the file cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelLimits {
    /// `fs/file-max`.
    pub max_files: Option<u64>,
    /// `kernel/pid_max`.
    pub max_proc: Option<u64>,
    /// First field of `fs/file-nr`.
    pub files_allocated: Option<u64>,
}

/// Totals of the whole system; `None` where the platform does not tell cheaply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SysInfo {
    pub processes: Option<u64>,
    pub threads: Option<u64>,
    /// Windows only.
    pub handles: Option<u64>,
    pub uptime_s: Option<u64>,
}

/// Counters of TCP since boot for one family or both, 64 bits wide (Windows: widened by the [`Host`](crate::Host)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounts {
    pub active_opens: u64,
    pub passive_opens: u64,
    pub attempt_fails: u64,
    pub estab_resets: u64,
    /// A level, not a count.
    pub established: u64,
    pub in_segs: u64,
    pub out_segs: u64,
    pub retrans_segs: u64,
    pub in_errs: u64,
    pub out_rsts: u64,
}

/// Windows: both families, apart. Linux: `/proc/net/snmp` counts them together, in `v4`.
#[derive(Debug)]
pub struct TcpStats {
    pub v4: TcpCounts,
    /// `None` on a host without IPv6; an error where it could not be read, and with it no sum of both is known.
    pub v6: io::Result<Option<TcpCounts>>,
}

/// Datagrams since boot, widened likewise. Linux: those of IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpCounts {
    pub in_datagrams: u64,
    pub no_ports: u64,
    pub in_errors: u64,
    pub out_datagrams: u64,
}

/// The two files of protocol counters below `/proc/net` (Linux).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetCounters {
    /// `netstat`: TcpExt, IpExt.
    Netstat,
    /// `snmp`: Ip, Icmp, Tcp, Udp.
    Snmp,
}

/// Linux: `/proc/net/sockstat`, `sockstat6` and the CurrEstab of `/proc/net/snmp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SockStat {
    /// Sockets in a hash table, both families (`inuse`).
    pub tcp_in_use: u64,
    pub tcp_orphaned: u64,
    pub tcp_time_wait: u64,
    /// All TCP sockets, the ones without a peer or port included (`alloc`).
    pub tcp_allocated: u64,
    /// CurrEstab: established and close-wait.
    pub tcp_established: u64,
}

/// How many TCP sockets of both families are in each state, by the number of MIB_TCP_STATE: 1 closed, 2 listen, 3 syn sent,
/// 4 syn received, 5 established, 6 fin wait 1, 7 fin wait 2, 8 close wait, 9 closing, 10 last ack, 11 time wait,
/// 12 delete TCB. Linux: 5 and 11 stay 0, [`SockStat`] has them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TcpStates {
    pub count: [u64; 13],
    /// Share of the dynamic ports that are in use, of the family that uses more (Windows); `None` on Linux.
    pub ephemeral_used_percent: Option<f64>,
}

/// One process. A pid is given again: `pid` and `created` together name a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proc {
    pub pid: u32,
    /// Linux: `comm`, at most 15 bytes (kernel threads: 63); where it is cut there and the command line begins with it, the
    /// whole name. Windows: image name (`sqlservr.exe`).
    pub name: String,
    /// Start time in a unit of the platform.
    pub created: u64,
    /// Since it began.
    pub age_s: f64,
    pub user_us: u64,
    pub kernel_us: u64,
    /// Linux: resident set. Windows: PrivatePageCount in bytes (commit); `None` where that is 0 beside a working set.
    pub memory_bytes: Option<u64>,
    /// Windows: working set. Linux: the resident set again.
    pub working_set_bytes: u64,
    pub threads: u64,
    /// Linux: open file descriptors. `None` where it may not be read.
    pub handles: Option<u64>,
    /// Linux: what reached or left a disk for it; `None` where it may not be read. Windows: all of its I/O.
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

/// What the agent itself uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfUsage {
    /// Resident set / working set.
    pub rss_bytes: u64,
    /// User + kernel time since the process began, in microseconds.
    pub cpu_us: u64,
    /// Windows: handles, `None` where the system counts none (Wine). Linux: open file descriptors.
    pub handles: Option<u64>,
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

/// How grave an entry of the event log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Info,
    Warning,
    Error,
}

/// One GPU as its driver tells of it; `None` where the driver or the card cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpu {
    /// `GPU-` and a UUID; empty where it cannot be read.
    pub uuid: String,
    /// What the fan is told to do, of its full speed; can be above 100.
    pub fan_percent: Option<u32>,
    pub temperature_c: Option<u32>,
    pub memory: Option<GpuMemory>,
    /// Share of the last sample period in which something ran on it.
    pub gpu_percent: Option<u32>,
    /// Share of that period in which its memory was read or written.
    pub memory_percent: Option<u32>,
    pub power_mw: Option<u32>,
}

/// The memory of a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuMemory {
    pub total_bytes: u64,
    pub used_bytes: u64,
}

/// One service of Windows; a driver is none.
#[derive(Debug)]
pub struct Service {
    /// The name of its key (`W3SVC`), not the one that is displayed.
    pub name: String,
    /// 1 stopped, 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending, 7 paused.
    pub state: u32,
    /// dwWin32ExitCode: why it ended; 0: as it should, 1066: for a reason of its own, 1077: not started since boot.
    pub exit_code: u32,
    /// Of the process that runs it, where one does.
    pub pid: Option<u32>,
    /// What Windows makes a service from for each user that logs on. It never runs itself.
    pub is_template: bool,
    /// `None` where it was not asked.
    pub start: Option<io::Result<ServiceStart>>,
}

/// How a service of Windows is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceStart {
    /// 0 at boot, 1 by the system, 2 automatic, 3 on demand, 4 disabled.
    pub mode: u32,
    /// Automatic, some minutes after the others; `false` where the system does not know.
    pub delayed: bool,
    /// Started and stopped by events; `false` where the system does not know.
    pub triggered: bool,
}
