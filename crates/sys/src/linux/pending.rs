//! Being written.

use super::Host;
use crate::types::*;
use std::io;

impl Host {
    pub fn cpu_cores(&mut self, _into: &mut Vec<CoreTimes>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn cpu_mhz(&mut self) -> io::Result<f64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn paging(&mut self) -> io::Result<Paging> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn exceptions(&mut self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn run_queue(&mut self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn sys_info(&mut self) -> io::Result<SysInfo> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn kernel_limits(&mut self) -> io::Result<KernelLimits> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn disk_stats(&mut self, _into: &mut Vec<DiskIo>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn drives(&mut self) -> io::Result<Vec<Drive>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn tcp_stats(&mut self) -> io::Result<TcpStats> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn udp_stats(&mut self) -> io::Result<UdpCounts> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn protocol_counts(
        &mut self,
        _file: NetCounters,
        _protocol: &str,
        _names: &[&str],
        _into: &mut Vec<Option<u64>>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn sock_stat(&mut self) -> io::Result<SockStat> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn tcp_states(&mut self) -> io::Result<TcpStates> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn processes(&mut self, _wanted: &mut dyn FnMut(&str) -> bool, _into: &mut Vec<Proc>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub fn disk_io(_name: &str) -> io::Result<DiskIo> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn memory_lists() -> io::Result<MemoryLists> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn page_files() -> io::Result<Vec<PageFile>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn ntp_servers() -> io::Result<Vec<String>> {
    Err(io::ErrorKind::Unsupported.into())
}
