//! The Windows host: one value that remembers every 32-bit counter, so that no sum steps back when one wraps, and the
//! memory its calls write to.

use super::ffi::Buffer;
use super::{cpu, disk, drive, mem, net, paging, process, product, socket};
use crate::types::{
    CoreTimes, CpuStat, DiskIo, Drives, Extent, KernelLimits, LoadAvg, MemInfo, Mount, NetCounters, NetIf, NetKind,
    Paging, Ports, Proc, SockStat, SwapInfo, SysInfo, TcpStates, TcpStats, UdpCounts,
};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The host the agent runs on. Clones share the counters that are remembered, and the memory into which processes are
/// listed, which on a large host is megabytes.
#[derive(Clone, Debug)]
pub struct Host {
    shared: Arc<Shared>,
    /// Answers of a few records.
    small: Buffer,
    sockets: Buffer,
}

#[derive(Debug, Default)]
struct Shared {
    cpu: Mutex<cpu::Counts>,
    paging: Mutex<paging::Counts>,
    exceptions: Mutex<paging::Exceptions>,
    tcp: Mutex<socket::TcpFamilies>,
    udp: Mutex<socket::UdpFamilies>,
    processes: Mutex<process::Snapshot>,
}

/// Taken before the system is asked, and held until its answer is counted: of two clones, the one that asked first
/// counts first, for a later count followed by an earlier one would look like a counter that began anew.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the counts whole, for each is a single assignment, and a snapshot is taken anew.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// The root is of no meaning on Windows.
    pub fn new(_root: impl Into<PathBuf>) -> Host {
        Host { shared: Arc::default(), small: Buffer::default(), sockets: Buffer::default() }
    }

    /// NtQuerySystemInformationEx of every processor group: SystemProcessorPerformanceInformation, and
    /// SystemInterruptInformation for context switches and DPCs, which are `None` where that class is not served.
    ///
    /// # Errors
    /// The first call's own.
    pub fn cpu_stat(&mut self) -> io::Result<CpuStat> {
        cpu::stat(&mut lock(&self.shared.cpu), &mut self.small)
    }

    /// Every processor of every group: SystemProcessorPerformanceInformation.
    ///
    /// # Errors
    /// The call's own.
    pub fn cpu_cores(&mut self, into: &mut Vec<CoreTimes>) -> io::Result<()> {
        cpu::cores(&mut self.small, into)
    }

    /// The mean clock of the processors now (CallNtPowerInformation, ProcessorInformation: CurrentMhz).
    ///
    /// # Errors
    /// The call's own; [`io::ErrorKind::InvalidData`] where no processor tells its clock.
    pub fn cpu_mhz(&mut self) -> io::Result<f64> {
        cpu::mhz(&mut self.small)
    }

    /// GlobalMemoryStatusEx.
    ///
    /// # Errors
    /// The call's own.
    pub fn mem_info(&mut self) -> io::Result<MemInfo> {
        mem::mem_info()
    }

    /// What no program holds, in bytes (GlobalMemoryStatusEx: ullAvailPhys).
    ///
    /// # Errors
    /// The call's own.
    pub fn mem_unused(&mut self) -> io::Result<u64> {
        Ok(mem::mem_info()?.available_bytes)
    }

    /// EnumPageFilesW.
    ///
    /// # Errors
    /// The call's own; a host without page files is no error.
    pub fn swap_info(&mut self) -> io::Result<SwapInfo> {
        mem::swap_info()
    }

    /// SystemPerformanceInformation.
    ///
    /// # Errors
    /// The call's own; [`io::ErrorKind::Unsupported`] where the system does not count them.
    pub fn paging(&mut self) -> io::Result<Paging> {
        paging::paging(&mut lock(&self.shared.paging), &mut self.small)
    }

    /// Exceptions dispatched since boot (SystemExceptionInformation).
    ///
    /// # Errors
    /// The call's own.
    pub fn exceptions(&mut self) -> io::Result<u64> {
        paging::exceptions(&mut lock(&self.shared.exceptions), &mut self.small)
    }

    /// Windows has no load average.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn load_avg(&mut self) -> io::Result<LoadAvg> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Threads that could run and have no processor: the processor queue length. From SystemProcessInformation, without
    /// the idle process.
    ///
    /// # Errors
    /// The call's own.
    pub fn run_queue(&mut self) -> io::Result<u64> {
        process::run_queue(&mut lock(&self.shared.processes))
    }

    /// Threads of this process. No documented call counts those of one process: it is looked up among all of them
    /// (SystemProcessInformation), in the memory that [`Host::run_queue`] uses.
    ///
    /// # Errors
    /// The call's own; [`io::ErrorKind::NotFound`] where the list has no such process.
    pub fn own_threads(&mut self) -> io::Result<u64> {
        process::threads_of(std::process::id(), &mut lock(&self.shared.processes))
    }

    /// The processes whose image name (`sqlservr.exe`) is wanted, in the system's order; the idle process and those
    /// that have ended but are still held by a handle are none. From SystemProcessInformation.
    ///
    /// # Errors
    /// The call's own.
    pub fn processes(&mut self, wanted: &mut dyn FnMut(&str) -> bool, into: &mut Vec<Proc>) -> io::Result<()> {
        process::processes(&mut lock(&self.shared.processes), wanted, into).map(drop)
    }

    /// All processes, with all that the list tells of each, for it is one call; and what [`Host::run_queue`] would make of the
    /// same list.
    ///
    /// # Errors
    /// The call's own.
    pub fn process_times(&mut self, into: &mut Vec<Proc>) -> io::Result<Option<u64>> {
        process::processes(&mut lock(&self.shared.processes), &mut |_| true, into).map(Some)
    }

    /// Tells each process whose image name is wanted, and its command line as it was given, or why it is not known: one that
    /// is protected shows it to nobody. The idle process and what has ended are none.
    ///
    /// # Errors
    /// The list's own.
    pub fn command_lines(
        &mut self,
        wanted: &mut dyn FnMut(&str) -> bool,
        each: &mut dyn FnMut(&str, io::Result<&str>),
    ) -> io::Result<()> {
        process::command_lines(&mut lock(&self.shared.processes), wanted, each)
    }

    /// GetPerformanceInfo and GetTickCount64.
    ///
    /// # Errors
    /// The first call's own.
    pub fn sys_info(&mut self) -> io::Result<SysInfo> {
        mem::sys_info()
    }

    /// The version of Windows and its build, as `10.0.17763`, as its setup wrote them to the registry.
    ///
    /// # Errors
    /// Those of RegGetValueW; [`io::ErrorKind::NotFound`] where the registry does not tell.
    pub fn kernel_version(&mut self) -> io::Result<String> {
        product::windows_version()
    }

    /// Linux only.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn kernel_limits(&mut self) -> io::Result<KernelLimits> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Fixed drives, and fixed volumes mounted in a folder only; removable drives are marked. Nothing is asked of the
    /// file systems or of a medium, and network drives are never touched. May take long where a disk is dying: ask on a
    /// thread that may be lost.
    ///
    /// # Errors
    /// The drives cannot be listed.
    pub fn mounts(&mut self, into: &mut Vec<Mount>) -> io::Result<Extent> {
        *into = disk::mounts()?;
        Ok(Extent::Whole)
    }

    /// The names of physical drives and of letters (QueryDosDeviceW). No drive is touched.
    ///
    /// # Errors
    /// The call's own.
    pub fn drives(&mut self) -> io::Result<Drives> {
        drive::drives()
    }

    /// Linux only: Windows asks each drive ([`disk_io`](crate::disk_io)).
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn disk_stats(&mut self, _into: &mut Vec<DiskIo>) -> io::Result<Extent> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// GetIfTable2 without the rows that repeat another's bytes.
    ///
    /// # Errors
    /// The call's own.
    pub fn net_ifs(&mut self, into: &mut Vec<NetIf>) -> io::Result<Extent> {
        net::net_ifs(into)?;
        Ok(Extent::Whole)
    }

    /// The same: one call tells all.
    ///
    /// # Errors
    /// The call's own.
    pub fn net_counters(&mut self, into: &mut Vec<NetIf>) -> io::Result<Extent> {
        self.net_ifs(into)
    }

    /// As the table says; tunnels and the loopback do not stand in it.
    pub fn net_kind(&mut self, of: &NetIf) -> NetKind {
        if of.hardware { NetKind::Card } else { NetKind::Alone }
    }

    /// GetTcpStatisticsEx2 where this Windows has it, else GetTcpStatisticsEx.
    ///
    /// # Errors
    /// The call's own, for IPv4.
    pub fn tcp_stats(&mut self) -> io::Result<TcpStats> {
        socket::tcp_stats(&mut lock(&self.shared.tcp))
    }

    /// GetUdpStatisticsEx2 where this Windows has it, else GetUdpStatisticsEx: both families together.
    ///
    /// # Errors
    /// The call's own, for either family: the datagrams of one alone would be a count that falls.
    pub fn udp_stats(&mut self) -> io::Result<UdpCounts> {
        socket::udp_stats(&mut lock(&self.shared.udp))
    }

    /// GetTcpTable and GetTcp6Table.
    ///
    /// # Errors
    /// The call's own, for either family: the sockets of one alone are no count of this host's.
    pub fn tcp_states(&mut self) -> io::Result<TcpStates> {
        socket::tcp_states(&mut self.sockets)
    }

    /// Adds the ports on which TCP listens, of both families and any address (GetExtendedTcpTable).
    ///
    /// # Errors
    /// The call's own, for either family.
    pub fn tcp_listening(&mut self, ports: &mut Ports) -> io::Result<Extent> {
        socket::tcp_listening(&mut self.sockets, ports)?;
        Ok(Extent::Whole)
    }

    /// Adds the local ports of all UDP sockets, likewise (GetExtendedUdpTable).
    ///
    /// # Errors
    /// The call's own, for either family.
    pub fn udp_bound(&mut self, ports: &mut Ports) -> io::Result<Extent> {
        socket::udp_bound(&mut self.sockets, ports)?;
        Ok(Extent::Whole)
    }

    /// Linux only.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn protocol_counts(
        &mut self,
        _file: NetCounters,
        _protocol: &str,
        _names: &[&str],
        _into: &mut Vec<Option<u64>>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Linux only: Windows counts by state ([`Host::tcp_states`]).
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn sock_stat(&mut self) -> io::Result<SockStat> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
