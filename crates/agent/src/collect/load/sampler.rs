//! A thread that samples the load between cycles (Windows only: see [`super`]).
//!
//! It waits on a channel, so that it ends when its handle goes, and makes its pauses as long as its samples are dear.
//! Where it fails or cannot be started the averages still get one sample a cycle, which counts for the time it covers.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use falcon_sys::Host;
use falcon_sys::types::CpuStat;

use super::average::{Averages, Meter};

/// Between two samples, as on Linux.
const PAUSE: Duration = Duration::from_secs(5);
/// A pause is so many times its sample: 0.2 % of one processor.
const SHARE: u32 = 500;
/// One sample that was held up (a host that slept) must not be the last for days.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

pub struct Sampler {
    meter: Arc<Mutex<Meter>>,
    /// The thread ends when this goes. Why there is none, where none could be started.
    thread: Result<Sender<()>, String>,
}

impl Sampler {
    pub fn new(host: &Host) -> Sampler {
        let mut host = host.clone();
        // The collector itself takes the first one now.
        Sampler::sampling(move || Ok((host.cpu_stat()?, host.run_queue()?)), PAUSE)
    }

    /// `first`: the pause before the first sample.
    fn sampling(mut read: impl FnMut() -> Reading + Send + 'static, first: Duration) -> Sampler {
        let meter = Arc::new(Mutex::new(Meter::default()));
        let (handle, stop) = mpsc::channel();
        let shared = meter.clone();
        let run = move || {
            // A defect ends this thread, not the averages.
            let _ = catch_unwind(AssertUnwindSafe(|| sample_until(&stop, first, &shared, &mut read)));
        };
        let thread = thread::Builder::new().name("load".to_owned()).stack_size(512 * 1024).spawn(run);
        Sampler { meter, thread: thread.map(|_| handle).map_err(|error| error.to_string()) }
    }

    /// Why there is no thread that samples.
    pub fn failure(&self) -> Option<&str> {
        self.thread.as_ref().err().map(String::as_str)
    }

    /// A sample from outside; the averages with it, once there are two.
    pub fn take(&self, stat: &CpuStat, queue: u64) -> Option<Averages> {
        add(&self.meter, stat, queue)
    }
}

type Reading = io::Result<(CpuStat, u64)>;

fn sample_until(stop: &Receiver<()>, first: Duration, meter: &Mutex<Meter>, read: &mut impl FnMut() -> Reading) {
    let mut pause = first;
    while stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let begun = Instant::now();
        // What cannot be read is told by the collector, which reads the same.
        if let Ok((stat, queue)) = read() {
            add(meter, &stat, queue);
        }
        pause = pause_after(begun.elapsed());
    }
}

fn add(meter: &Mutex<Meter>, stat: &CpuStat, queue: u64) -> Option<Averages> {
    meter.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now(), stat, queue)
}

fn pause_after(cost: Duration) -> Duration {
    cost.saturating_mul(SHARE).clamp(PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use falcon_sys::types::CpuTimes;

    fn stat(busy: u64, idle: u64) -> CpuStat {
        CpuStat { times: CpuTimes { user: busy, idle, ..CpuTimes::default() }, count: 2, ..CpuStat::default() }
    }

    #[test]
    fn pauses_grow_with_what_a_sample_costs() {
        assert_eq!(pause_after(Duration::from_micros(300)), PAUSE);
        assert_eq!(pause_after(Duration::from_millis(40)), Duration::from_secs(20));
        assert_eq!(pause_after(Duration::from_secs(7200)), LONGEST_PAUSE);
        assert_eq!(pause_after(Duration::MAX), LONGEST_PAUSE);
    }

    /// Ends by the answer of a channel whose other end lives in the thread's reader.
    #[test]
    fn the_thread_samples_and_ends_with_its_handle() {
        let (read, reads) = mpsc::channel();
        let sampler = Sampler::sampling(
            move || {
                let _ = read.send(());
                Ok((stat(0, 100), 0))
            },
            Duration::ZERO,
        );
        assert_eq!(reads.recv(), Ok(()), "it reads");
        drop(sampler);
        assert!(reads.recv().is_err(), "it has ended");
    }

    #[test]
    fn a_defect_in_a_sample_ends_the_thread_and_not_the_averages() {
        let (read, reads) = mpsc::channel::<()>();
        let sampler = Sampler::sampling(
            move || {
                let _held = &read;
                panic!("on purpose")
            },
            Duration::ZERO,
        );
        assert!(reads.recv().is_err(), "the thread has ended");
        assert_eq!(sampler.take(&stat(0, 0), 0), None);
        // Two samples at the same instant of a coarse clock tell nothing.
        let averages = (1..).find_map(|n| sampler.take(&stat(n, n), 1)).expect("a later one does");
        assert_eq!(averages.one, 2.0, "half of two processors and one that waits");
    }

    #[test]
    fn what_cannot_be_read_is_no_sample() {
        let (read, reads) = mpsc::channel();
        let sampler = Sampler::sampling(
            move || {
                let _ = read.send(());
                Err(io::Error::other("no such class"))
            },
            Duration::ZERO,
        );
        assert_eq!(reads.recv(), Ok(()));
        assert_eq!(sampler.take(&stat(0, 0), 0), None, "it would be the second sample");
    }
}
