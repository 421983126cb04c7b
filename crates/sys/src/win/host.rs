//! The Windows host: one value that remembers the processors' 32-bit interrupt counts, so that their sum never steps back.

use super::{cpu, disk, mem, net};
use crate::layout::Widened;
use crate::types::{CpuStat, LoadAvg, MemInfo, Mount, NetIf, SwapInfo};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The host the agent runs on. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Host {
    interrupts: Arc<Mutex<Widened>>,
}

impl Host {
    /// The root is of no meaning on Windows.
    pub fn new(_root: impl Into<PathBuf>) -> Host {
        Host { interrupts: Arc::default() }
    }

    /// NtQuerySystemInformationEx(SystemProcessorPerformanceInformation) of every processor group.
    ///
    /// # Errors
    /// The call's own.
    pub fn cpu_stat(&mut self) -> io::Result<CpuStat> {
        cpu::stat(&self.interrupts)
    }

    /// GlobalMemoryStatusEx.
    ///
    /// # Errors
    /// The call's own.
    pub fn mem_info(&mut self) -> io::Result<MemInfo> {
        mem::mem_info()
    }

    /// EnumPageFilesW.
    ///
    /// # Errors
    /// The call's own; a host without page files is no error.
    pub fn swap_info(&mut self) -> io::Result<SwapInfo> {
        mem::swap_info()
    }

    /// Windows has no load average.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn load_avg(&mut self) -> io::Result<LoadAvg> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Fixed drives, and fixed volumes mounted in a folder only; nothing is asked of the file systems, and network drives
    /// are never touched.
    ///
    /// # Errors
    /// The drives cannot be listed.
    pub fn mounts(&mut self) -> io::Result<Vec<Mount>> {
        disk::mounts()
    }

    /// GetIfTable2 without the rows that repeat another's bytes.
    ///
    /// # Errors
    /// The call's own.
    pub fn net_ifs(&mut self, into: &mut Vec<NetIf>) -> io::Result<()> {
        *into = net::net_ifs()?;
        Ok(())
    }
}
