//! Load averages from samples of processors in use and threads that wait, damped as Linux damps its own
//! (`kernel/sched/loadavg.c`), over the real time between two samples.

use std::time::{Duration, Instant};

use falcon_sys::types::{CpuStat, CpuTimes};

use super::super::float;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averages {
    pub one: f64,
    pub five: f64,
    pub fifteen: f64,
}

impl Averages {
    /// The first sample is what is known of the time before.
    fn from(load: f64) -> Averages {
        Averages { one: load, five: load, fifteen: load }
    }

    fn add(&mut self, load: f64, since: Duration) {
        let damp = |average: &mut f64, minutes: f64| {
            let stays = (-since.as_secs_f64() / (minutes * 60.0)).exp();
            *average = *average * stays + load * (1.0 - stays);
        };
        damp(&mut self.one, 1.0);
        damp(&mut self.five, 5.0);
        damp(&mut self.fifteen, 15.0);
    }
}

/// The averages with what the next sample needs.
#[derive(Default)]
pub struct Meter {
    last: Option<(Instant, CpuTimes)>,
    averages: Option<Averages>,
}

impl Meter {
    /// Takes a reading in and answers the averages; `None` until there are two. One that comes out of turn (two threads
    /// read) is passed over.
    pub fn add(&mut self, at: Instant, stat: &CpuStat, queue: u64) -> Option<Averages> {
        let Some((before_at, before)) = &self.last else {
            self.last = Some((at, stat.times));
            return None;
        };
        if let Some(since) = at.checked_duration_since(*before_at).filter(|since| !since.is_zero())
            && let Some(share) = busy_share(before, &stat.times)
        {
            let load = share * f64::from(stat.count) + float(queue);
            match &mut self.averages {
                Some(averages) => averages.add(load, since),
                None => self.averages = Some(Averages::from(load)),
            }
            self.last = Some((at, stat.times));
        }
        self.averages
    }
}

/// Of 1, as Windows counts: interrupts are part of `system`. `None` where no processor time has passed.
fn busy_share(before: &CpuTimes, now: &CpuTimes) -> Option<f64> {
    let gone = |field: fn(&CpuTimes) -> u64| float(field(now).saturating_sub(field(before)));
    let (busy, idle) = (gone(|t| t.user) + gone(|t| t.system), gone(|t| t.idle));
    (busy + idle > 0.0).then(|| busy / (busy + idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn stat(busy: u64, idle: u64) -> CpuStat {
        CpuStat { times: CpuTimes { user: busy, idle, ..CpuTimes::default() }, count: 4, ..CpuStat::default() }
    }

    #[test]
    fn the_first_load_is_all_that_is_known() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        assert_eq!(meter.add(start, &stat(0, 0), 9), None, "one reading tells no share");
        assert_eq!(meter.add(after(start, 5), &stat(50, 150), 2), Some(Averages::from(3.0)));
    }

    #[test]
    fn a_steady_load_is_reached_at_the_pace_of_each_average() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.add(start, &stat(0, 0), 0);
        meter.add(after(start, 5), &stat(0, 400), 0);
        let mut averages = None;
        for n in 1..=12 {
            averages = meter.add(after(start, 5 + 5 * n), &stat(0, 400 + 400 * n), 10);
        }
        let averages = averages.expect("samples");
        let expected = |minutes: f64| 10.0 * (1.0 - (-1.0 / minutes).exp());
        assert!((averages.one - expected(1.0)).abs() < 1e-9, "{averages:?}");
        assert!((averages.five - expected(5.0)).abs() < 1e-9, "{averages:?}");
        assert!((averages.fifteen - expected(15.0)).abs() < 1e-9, "{averages:?}");
    }

    #[test]
    fn one_late_sample_weighs_as_much_as_the_many_it_stands_for() {
        let start = Instant::now();
        let run = |step: u64| {
            let mut meter = Meter::default();
            meter.add(start, &stat(0, 0), 0);
            meter.add(after(start, 5), &stat(0, 400), 0);
            (1..=300 / step).filter_map(|n| meter.add(after(start, 5 + step * n), &stat(0, 400 + n), 6)).last()
        };
        let (often, once) = (run(5).expect("samples"), run(300).expect("a sample"));
        assert!((often.one - once.one).abs() < 1e-9 && (often.fifteen - once.fifteen).abs() < 1e-9);
    }

    #[test]
    fn a_reading_out_of_turn_or_without_time_changes_nothing() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.add(after(start, 10), &stat(100, 100), 0);
        let first = meter.add(after(start, 20), &stat(200, 200), 0);
        assert_eq!(first, Some(Averages::from(2.0)));
        assert_eq!(meter.add(after(start, 15), &stat(150, 150), 99), first, "earlier than the last");
        assert_eq!(meter.add(after(start, 20), &stat(250, 200), 99), first, "at the same time");
        assert_eq!(meter.add(after(start, 30), &stat(200, 200), 99), first, "no processor time has passed");
        let later = meter.add(after(start, 40), &stat(200, 300), 0).expect("a sample");
        assert!(later.one < 2.0, "the next good one counts from the last good one: {later:?}");
    }

    #[test]
    fn times_that_step_back_and_giant_queues_stay_finite() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.add(start, &stat(u64::MAX, 5), 0);
        assert_eq!(meter.add(after(start, 5), &stat(0, 5), 0), None);
        let averages = meter.add(after(start, 10), &stat(0, u64::MAX), u64::MAX).expect("idle time passed");
        assert!(averages.one.is_finite() && averages.fifteen.is_finite());
    }
}
