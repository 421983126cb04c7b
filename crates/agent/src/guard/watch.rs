//! When the agent is over a limit: pure, from one look to the next.
//!
//! Memory has to be over its limit in four looks in a row, half a minute, so that a burst is no reason. Processor time is a
//! mean over five minutes; a replay of a backlog is work that is wanted, and the five minutes begin anew after it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::config;

const MEMORY_LOOKS: u32 = 4;
const CPU_SPAN: Duration = Duration::from_secs(300);
const MB: u64 = 1_000_000;

/// What one look found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Since the first look.
    pub at: Duration,
    pub rss_bytes: u64,
    /// Of the whole process since it began.
    pub cpu_us: u64,
    pub replaying: bool,
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Memory { mb: u64, limit: u32 },
    Cpu { percent: u128, limit: u32 },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::Memory { mb, limit } => {
                write!(f, "{mb} MB of memory for half a minute, over guard.memory_mb {limit}")
            }
            Excess::Cpu { percent, limit } => {
                write!(f, "{percent} % of a processor over five minutes, over guard.cpu_percent {limit}")
            }
        }
    }
}

pub(super) struct Watch {
    /// 0: no limit.
    memory_mb: u32,
    cpu_percent: u32,
    /// Looks in a row with memory over its limit.
    over: u32,
    /// Time and processor time of the looks of the last five minutes, and of the one before these.
    looks: VecDeque<(Duration, u64)>,
}

impl Watch {
    pub fn new(config: &config::Guard) -> Watch {
        let config::Guard { memory_mb, cpu_percent, .. } = *config;
        Watch { memory_mb, cpu_percent, over: 0, looks: VecDeque::new() }
    }

    /// Tells the limit that the agent is over, with this look and those before it.
    pub fn look(&mut self, reading: Reading) -> Option<Excess> {
        // Both are followed, whichever is told.
        let cpu = self.cpu(&reading);
        self.memory(&reading).or(cpu)
    }

    fn memory(&mut self, reading: &Reading) -> Option<Excess> {
        let is_over = self.memory_mb > 0 && reading.rss_bytes > u64::from(self.memory_mb) * MB;
        self.over = if is_over { self.over.saturating_add(1) } else { 0 };
        (self.over >= MEMORY_LOOKS)
            .then(|| Excess::Memory { mb: reading.rss_bytes.div_ceil(MB), limit: self.memory_mb })
    }

    fn cpu(&mut self, reading: &Reading) -> Option<Excess> {
        if reading.replaying || self.cpu_percent == 0 {
            self.looks.clear();
            return None;
        }
        self.looks.push_back((reading.at, reading.cpu_us));
        let spans =
            |from: Option<&(Duration, u64)>| from.is_some_and(|(at, _)| reading.at.saturating_sub(*at) >= CPU_SPAN);
        while spans(self.looks.get(1)) {
            self.looks.pop_front();
        }
        let (at, cpu_us) = *self.looks.front().filter(|first| spans(Some(first)))?;
        let used = u128::from(reading.cpu_us.saturating_sub(cpu_us)) * 100;
        let elapsed = reading.at.saturating_sub(at).as_micros();
        (used > elapsed * u128::from(self.cpu_percent))
            .then(|| Excess::Cpu { percent: used.div_ceil(elapsed.max(1)), limit: self.cpu_percent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn watch(memory_mb: u32, cpu_percent: u32) -> Watch {
        Watch::new(&config::Guard { enabled: true, memory_mb, cpu_percent })
    }

    fn memory(at: u64, mb: u64) -> Reading {
        Reading { at: Duration::from_secs(at), rss_bytes: mb * MB, cpu_us: 0, replaying: false }
    }

    /// Looks every ten seconds from `from` on, with so much processor time used in each ten; the first that is over.
    fn first_over(watch: &mut Watch, from: u64, looks: u64, ms_each: u64, replaying: bool) -> Option<(u64, Excess)> {
        (0..looks).find_map(|look| {
            let cpu_us = look * ms_each * 1000;
            let at = Duration::from_secs(from + look * 10);
            let excess = watch.look(Reading { at, rss_bytes: 0, cpu_us, replaying })?;
            Some((from + look * 10, excess))
        })
    }

    #[test]
    fn memory_over_its_limit_for_half_a_minute_is_over() {
        let mut watch = watch(200, 20);
        let over: Vec<_> = (0..5).map(|look| watch.look(memory(look * 10, 201))).collect();
        let excess = Some(Excess::Memory { mb: 201, limit: 200 });
        assert_eq!(over, [None, None, None, excess, excess]);
        assert_eq!(watch.look(memory(50, 200)), None);
    }

    #[test]
    fn a_burst_of_memory_is_not() {
        let mut watch = watch(200, 20);
        let over = (0..100).filter_map(|look| watch.look(memory(look * 10, if look % 4 == 3 { 50 } else { 900 })));
        assert_eq!(over.count(), 0);
    }

    #[test]
    fn processor_time_is_a_mean_over_five_minutes() {
        // 2 s of 10 are 20 %, which is allowed.
        assert_eq!(first_over(&mut watch(200, 20), 0, 1000, 2000, false), None);
        let over = first_over(&mut watch(200, 20), 0, 1000, 2001, false);
        assert_eq!(over, Some((300, Excess::Cpu { percent: 21, limit: 20 })));
    }

    /// A replay of an hour at full speed was the reason of an end, which began the replay anew.
    #[test]
    fn a_replay_is_not_counted_and_five_minutes_begin_after_it() {
        let mut watch = watch(200, 20);
        assert_eq!(first_over(&mut watch, 0, 29, 10_000, false), None);
        assert_eq!(first_over(&mut watch, 290, 360, 10_000, true), None);
        assert_eq!(first_over(&mut watch, 3890, 360, 10_000, false).map(|(at, _)| at), Some(4190));
    }

    #[test]
    fn a_busy_minute_in_five_is_over_only_where_the_mean_is() {
        let mut watch = watch(0, 20);
        let mut cpu_us = 0;
        let mut over = Vec::new();
        for look in 0..120_u64 {
            let at = look * 10;
            let excess = watch.look(Reading { at: Duration::from_secs(at), rss_bytes: 0, cpu_us, replaying: false });
            over.extend(excess.map(|_| at));
            // 70 s of work from 600 s on: 23 % of 300 s.
            cpu_us += if (600..670).contains(&at) { 10 * SECOND_US } else { 0 };
        }
        assert_eq!(over, (670..=900).step_by(10).collect::<Vec<_>>());
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let mut watch = watch(0, 0);
        let at = Duration::from_secs;
        let over = (0..100).filter_map(|look| {
            watch.look(Reading { at: at(look * 10), rss_bytes: u64::MAX, cpu_us: look << 40, replaying: false })
        });
        assert_eq!(over.count(), 0);
    }

    #[test]
    fn a_clock_that_stands_still_or_steps_back_is_no_reason() {
        let mut watch = watch(1, 20);
        for (at, cpu_us) in [(0, 5), (0, u64::MAX), (400, 0), (300, u64::MAX), (0, 0)] {
            let reading = Reading { at: Duration::from_secs(at), rss_bytes: 0, cpu_us, replaying: false };
            assert_eq!(watch.look(reading), None, "{at}");
        }
    }
}
