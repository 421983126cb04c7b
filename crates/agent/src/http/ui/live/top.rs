//! The processes that use most of the processors.
//!
//! To list them is the dearest part of a reading: every third second, and where a host has so many that it takes long, every
//! tenth, whoever comes and goes. Of each process two numbers are kept, which the next difference needs.

use std::time::{Duration, Instant};

use falcon_sys::Host;
use falcon_sys::types::Proc;

use crate::collect::process::gains::Seen;

const MOST: usize = 8;
const OFTEN: Duration = Duration::from_millis(2900);
const RARELY: Duration = Duration::from_millis(9900);
/// A list that takes longer is read rarely.
const DEAR: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Process {
    pub pid: u32,
    pub name: String,
    /// In percent of one processor.
    pub cpu: f64,
    /// Bytes.
    pub mem: u64,
}

#[derive(Default)]
pub(super) struct Top {
    seen: Seen,
    last: Option<Instant>,
    /// When the list is read again; the one after the first is read at once, for shares are known with it.
    pub due: Option<Instant>,
    is_begun: bool,
    /// Threads that wait for a processor, where the list that was just read tells.
    pub ready: Option<u64>,
}

impl Top {
    /// `None`: it is not time yet, or nothing is known of the time before.
    pub fn read(&mut self, host: &mut Host, now: Instant) -> Option<Vec<Process>> {
        self.ready = None;
        if !std::mem::take(&mut self.is_begun) && self.due.is_some_and(|due| now < due) {
            return None;
        }
        let (mut table, began) = (Vec::new(), Instant::now());
        let listed = host.process_times(&mut table);
        self.due = Some(now + pause(began.elapsed()));
        self.ready = listed.ok()?;
        let elapsed = self.last.replace(now).map(|before| now - before);
        self.is_begun = elapsed.is_none();
        self.seen.pass(elapsed);
        let gains = self.seen.advance(&table);
        let share = |us: u64| gains.percent_of_one_cpu(us);
        elapsed?;
        let of = table.into_iter().zip(gains.all).map(|(process, gain)| {
            let cpu = gain.cpu.and_then(|cpu| share(cpu.total_us())).unwrap_or(0.0);
            (process, cpu)
        });
        Some(largest(of))
    }
}

fn pause(took: Duration) -> Duration {
    if took > DEAR { RARELY } else { OFTEN }
}

/// The first of `all`: those that use most of the processors, and of equal ones those that have most memory.
fn largest(all: impl Iterator<Item = (Proc, f64)>) -> Vec<Process> {
    let mut top: Vec<(Proc, f64)> = Vec::new();
    for (of, cpu) in all {
        let is_before = |(other, other_cpu): &(Proc, f64)| {
            cpu > *other_cpu || cpu >= *other_cpu && of.memory_bytes > other.memory_bytes
        };
        let place = top.iter().position(is_before).unwrap_or(top.len());
        if place < MOST {
            top.truncate(MOST - 1);
            top.insert(place, (of, cpu));
        }
    }
    let shown = |(of, cpu): (Proc, f64)| {
        let mem = of.memory_bytes.unwrap_or(of.working_set_bytes);
        Process { pid: of.pid, name: of.name, cpu, mem }
    };
    top.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_use_most_come_first_and_of_equal_ones_the_larger() {
        let process = |pid: u32, memory: u64| Proc { pid, memory_bytes: Some(memory), ..Proc::default() };
        let mut all: Vec<_> = (1..=5000).map(|pid| (process(pid, u64::from(pid)), 0.0)).collect();
        all[10].1 = 7.5;
        all[20].1 = 99.0;
        let pids: Vec<u32> = largest(all.into_iter()).into_iter().map(|process| process.pid).collect();
        assert_eq!(pids, [21, 11, 5000, 4999, 4998, 4997, 4996, 4995]);
        assert_eq!(largest([(process(1, 5), 1.0)].into_iter()).len(), 1);
    }

    #[test]
    fn the_list_is_read_with_the_first_readings_and_then_every_third_second() {
        let (mut top, mut host, begun) = (Top::default(), Host::new("/"), Instant::now());
        let read: Vec<bool> = (0..8).map(|s| top.read(&mut host, begun + Duration::from_secs(s)).is_some()).collect();
        // A list that took long is read rarely: also then the second reading has shares, and the next has none.
        assert_eq!(read[..4], [false, true, false, false]);
    }

    #[test]
    fn a_list_that_takes_long_is_read_rarely() {
        assert_eq!([1, 20, 21, 3000].map(|ms| pause(Duration::from_millis(ms))), [OFTEN, OFTEN, RARELY, RARELY]);
    }

    /// A page that was loaded again and again had all processes listed each time, however dear that was.
    #[test]
    fn who_comes_after_another_has_nothing_listed_before_it_is_time() {
        let (mut host, begun) = (Host::new("/"), Instant::now());
        let mut top = Top { due: Some(begun + RARELY), ..Top::default() };
        let mut read = |s| {
            let _ = top.read(&mut host, begun + Duration::from_secs(s));
            top.last.is_some()
        };
        assert_eq!([0, 5, 9, 10].map(&mut read), [false, false, false, true]);
        assert!(top.read(&mut host, begun + Duration::from_secs(11)).is_some());
    }
}
