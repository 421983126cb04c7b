//! Linux: the rows of `/proc/diskstats`, chosen as the Go agent chooses them (falcon-plus, `funcs/diskstats.go`).

use std::collections::HashMap;
use std::io;

use falcon_sys::Host;
use falcon_sys::types::{DiskIo, Extent};

use super::device::Device;
use super::emit;
use crate::collect::{Collector, Cx, Guard};
use crate::model::Platform;

pub struct Rows {
    host: Host,
    guard: Guard,
    /// Read into again and again.
    table: Vec<DiskIo>,
    /// Places in `table` of what is shown.
    shown: Vec<usize>,
    devices: HashMap<String, Device>,
    cycle: u64,
}

impl Rows {
    /// `None` on a kernel without block devices, as in some containers.
    pub fn open(mut host: Host, guard: Guard) -> Option<Rows> {
        // One that is there and cannot be read is told by the cycles.
        let none = host.disk_stats(&mut Vec::new()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        (!none).then(|| Rows::new(host, guard))
    }

    fn new(host: Host, guard: Guard) -> Rows {
        Rows { host, guard, table: Vec::new(), shown: Vec::new(), devices: HashMap::new(), cycle: 0 }
    }

    /// Says what `table` holds, and forgets the devices that are no longer in it.
    fn report(&mut self, cx: &mut Cx<'_>) {
        let Rows { guard, table, shown, devices, cycle, .. } = self;
        shown.clear();
        shown.extend(table.iter().enumerate().filter(|(_, row)| is_shown(row)).map(|(place, _)| place));
        guard.apply(cx, shown, |place| table.get(*place).map_or_else(String::new, |row| row.name.clone()), |_| 0);
        *cycle += 1;
        for row in shown.iter().filter_map(|place| table.get(*place)) {
            let (device, interval) = match devices.get_mut(&row.name) {
                // A second row of one name: a device that just went, and the one that came in its place.
                Some(device) if device.cycle == *cycle => continue,
                Some(device) => {
                    let interval = device.advance(row, cx.tick.elapsed, Platform::Linux);
                    (device, interval)
                }
                None => {
                    let device = Device::new(row, Platform::Linux);
                    (devices.entry(row.name.clone()).or_insert(device), None)
                }
            };
            device.cycle = *cycle;
            emit(cx, device, row, interval.as_ref());
        }
        devices.retain(|_, device| device.cycle == *cycle);
    }
}

impl Collector for Rows {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if self.host.disk_stats(&mut self.table)? == Extent::Cut {
            cx.problem("block devices", format!("only the first {} are read", self.table.len()));
        }
        self.report(cx);
        Ok(())
    }
}

/// The Go agent's choice to the letter: strategies and screens know these devices. A device that never read is none.
pub(crate) fn is_shown(row: &DiskIo) -> bool {
    let name = row.name.as_str();
    let starts = |kinds: &[&str]| kinds.iter().any(|kind| name.starts_with(kind));
    row.reads > 0
        && (starts(&["sd", "vd"]) && name.len() <= 4 && !name.contains(['1', '2', '3', '4'])
            || starts(&["xvd", "fio", "nvme", "nbd"]) && name.len() >= 4)
}

#[cfg(test)]
mod tests;
