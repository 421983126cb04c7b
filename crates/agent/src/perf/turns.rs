//! Who is next where one is served at a time: whoever came first, but those that may hang behind all others, and not before it
//! has been quiet for a while. So what hangs costs the rest no more than once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    /// Whether it may hang, and its number.
    waiting: Vec<(bool, u64)>,
    numbers: u64,
    /// When the last turn was over.
    freed: Option<Instant>,
    /// For which nobody else may have been served before one that may hang is.
    lull: Duration,
}

/// It is over when this is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    pub fn new(lull: Duration) -> Turns {
        Turns { state: Mutex::new(State { lull, ..State::default() }), changed: Condvar::new() }
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
            let quiet = if may_hang { quiet(begun, state.freed, state.lull, patience) } else { begun };
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

/// When one that may hang has let the others go first: it has its turn while half of its patience is left.
fn quiet(begun: Instant, freed: Option<Instant>, lull: Duration, patience: Duration) -> Instant {
    (freed.map_or(begun, |freed| freed.max(begun)) + lull).min(begun + patience / 2)
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
        let begun = Instant::now();
        while turns.lock().waiting.len() != waiting {
            assert!(begun.elapsed() < LONG / 10, "{waiting} never wait");
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
            let (turns, hangs) = (&turns, say.clone());
            scope.spawn(move || {
                let turn = turns.take(true, LONG);
                hangs.send(if turn.is_some() { "hangs" } else { "refused" }).unwrap();
            });
            wait_until(turns, 1);
            for _ in 0..2 {
                let turn = turns.take(false, Duration::ZERO);
                say.send(if turn.is_some() { "well" } else { "refused" }).unwrap();
            }
            // It would wait for minutes.
            turns.lock().lull = Duration::ZERO;
            turns.changed.notify_all();
        });
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["well", "well", "hangs"]);
    }

    #[test]
    fn what_may_hang_waits_for_a_lull_but_not_for_longer_than_half_of_its_patience() {
        let (begun, s) = (Instant::now(), Duration::from_secs);
        let quiet = |freed: Option<u64>, lull| quiet(begun, freed.map(|at| begun + s(at)), s(lull), s(10)) - begun;
        assert_eq!((quiet(None, 1), quiet(Some(0), 1), quiet(Some(3), 1)), (s(1), s(1), s(4)));
        assert_eq!((quiet(Some(4), 2), quiet(None, 60)), (s(5), s(5)));
        let before = super::quiet(begun + s(7), Some(begun), s(1), s(10));
        assert_eq!(before, begun + s(8));
    }
}
