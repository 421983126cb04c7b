//! Memory by the Go agent's older formula, with which its pages stayed: free is MemFree + Buffers + Cached, also where the
//! kernel tells MemAvailable.

use std::sync::Arc;

use serde::Serialize;

use super::super::Site;
use super::super::answer::Response;
use super::{Told, told};

/// Bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Memory {
    pub free: u64,
    pub total: u64,
    pub used: u64,
}

impl Memory {
    pub fn of(total: u64, free: u64) -> Memory {
        Memory { free, total, used: total.saturating_sub(free) }
    }

    /// Total, used and free in MiB.
    pub fn row(&self) -> [u64; 3] {
        [self.total, self.used, self.free].map(|bytes| bytes >> 20)
    }
}

async fn memory(site: &Site) -> Told<Memory> {
    let read = |host: &mut falcon_sys::Host| Ok(Memory::of(host.mem_info()?.total_bytes, host.mem_unused()?));
    site.facts.ask(&site.facts.memory, read).await
}

pub(super) async fn bytes(site: Arc<Site>) -> Response {
    told(memory(&site).await)
}

pub(super) async fn page(site: Arc<Site>) -> Response {
    told(memory(&site).await.map(|memory| memory.row()))
}
