//! Who is next where one is served at a time: whoever came first, but those that may hang behind all others, and not before it
//! has been quiet for a while. So what hangs costs the rest no more than once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    /// For which nobody else may have been served before one that may hang is.
    lull: Duration,
}

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    /// Whether it may hang, and its number.
    waiting: Vec<(bool, u64)>,
    numbers: u64,
    /// When the last turn was over.
    freed: Option<Instant>,
}

/// It is over when this is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    pub fn new(lull: Duration) -> Turns {
        Turns { state: Mutex::default(), changed: Condvar::new(), lull }
    }

    /// Waits for a turn, at most as long as patience lasts.
    pub fn take(&self, may_hang: bool, patience: Duration) -> Option<Turn<'_>> {
        let begun = Instant::now();
        let mut state = self.lock();
        state.numbers += 1;
        let own = (may_hang, state.numbers);
        state.waiting.push(own);
        loop {
            let now = Instant::now();
            let quiet = match may_hang {
                true => (state.freed.map_or(begun, |freed| freed.max(begun)) + self.lull).min(begun + patience / 2),
                false => begun,
            };
            let is_next = !state.is_taken && state.waiting.iter().min() == Some(&own);
            let gone = now.saturating_duration_since(begun);
            if is_next && now >= quiet || gone >= patience {
                state.waiting.retain(|other| *other != own);
                if !is_next {
                    // Another may be the next one now, and wait for it.
                    self.changed.notify_all();
                    return None;
                }
                state.is_taken = true;
                return Some(Turn(self));
            }
            let left = patience.saturating_sub(gone);
            let wait = if is_next { quiet.saturating_duration_since(now).min(left) } else { left };
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_taken = false;
        state.freed = Some(Instant::now());
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    const LONG: Duration = Duration::from_secs(600);

    fn wait_until(turns: &Turns, waiting: usize) {
        while turns.lock().waiting.len() != waiting {
            thread::yield_now();
        }
    }

    #[test]
    fn one_is_served_at_a_time_and_nobody_waits_for_ever() {
        let turns = Turns::new(Duration::ZERO);
        let turn = turns.take(false, Duration::ZERO).unwrap();
        assert!(turns.take(false, Duration::ZERO).is_none() && turns.take(true, Duration::from_millis(1)).is_none());
        assert!(turns.lock().waiting.is_empty());
        drop(turn);
        assert!(turns.take(true, Duration::ZERO).is_some());
        assert!(turns.take(false, Duration::ZERO).is_some());
    }

    #[test]
    fn what_may_hang_is_served_last_and_the_others_as_they_came() {
        let turns = Turns::new(Duration::ZERO);
        let (say, said) = mpsc::channel();
        thread::scope(|scope| {
            let turn = turns.take(false, Duration::ZERO).unwrap();
            for (n, may_hang) in [true, false, true, false].into_iter().enumerate() {
                let (turns, say) = (&turns, say.clone());
                scope.spawn(move || {
                    let turn = turns.take(may_hang, LONG).unwrap();
                    say.send(n).unwrap();
                    drop(turn);
                });
                wait_until(turns, n + 1);
            }
            drop(turn);
        });
        assert_eq!(said.try_iter().collect::<Vec<_>>(), [1, 3, 0, 2]);
    }

    // Three lanes ask in the same second: the group that hangs was first, and the others waited until their time was over.
    #[test]
    fn what_may_hang_lets_others_go_first_that_come_later() {
        let turns = Turns::new(LONG);
        let (say, said) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Not for longer than half of its patience.
                let turn = turns.take(true, Duration::from_secs(2));
                say.send("hangs").unwrap();
                drop(turn.unwrap());
            });
            wait_until(&turns, 1);
            drop(turns.take(false, LONG).unwrap());
            say.send("well").unwrap();
        });
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["well", "hangs"]);
    }
}
