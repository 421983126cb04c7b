//! Which points go into which call.
//!
//! Transfers hand points on in parallel, and of a series servers keep what is newer than before only: two calls that continue
//! a series need a pause between them. So several points of a series lie side by side in one call, in the order of time, and
//! a block is cut into rounds: within a round no series stands in two calls.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::falcon::wire::{Frame, MAX_ITEMS};
use crate::queue::Block;

/// Points of one series in one call: of more, real transfers were seen to let some be overtaken.
pub const SIDE_BY_SIDE: usize = 20;

/// One item of a block: which frame, and which of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    frame: usize,
    item: usize,
}

/// A block on its way: what is left of it to send.
pub struct Work {
    pub block: Block,
    pub calls: VecDeque<Vec<Item>>,
}

impl Work {
    pub fn new(block: Block) -> Work {
        let calls = cut(&block.frames);
        Work { block, calls }
    }

    /// The param of a call, in parts.
    pub fn param(&self, call: &[Item]) -> Vec<&[u8]> {
        let mut param: Vec<&[u8]> = Vec::with_capacity(2 * call.len() + 2);
        param.push(b"[");
        for (n, item) in call.iter().enumerate() {
            if n > 0 {
                param.push(b",");
            }
            param.push(self.bytes(*item));
        }
        param.push(b"]");
        param
    }

    pub fn bytes(&self, Item { frame, item }: Item) -> &[u8] {
        self.block.frames.get(frame).and_then(|frame| frame.item(item)).unwrap_or_default()
    }

    pub fn keys<'a>(&'a self, call: &'a [Item]) -> impl Iterator<Item = u64> + 'a {
        let key = |Item { frame, item }: &Item| self.block.frames.get(*frame)?.keys().get(*item).copied();
        call.iter().filter_map(key)
    }
}

/// Calls of at most [`MAX_ITEMS`], series by series, the series in the order in which they come.
fn cut(frames: &[Arc<Frame>]) -> VecDeque<Vec<Item>> {
    let mut series: HashMap<u64, usize> = HashMap::new();
    let mut items: Vec<(usize, Item)> = Vec::with_capacity(frames.iter().map(|frame| frame.len()).sum());
    for (frame, keys) in frames.iter().map(|frame| frame.keys()).enumerate() {
        for (item, key) in keys.iter().enumerate() {
            let next = series.len();
            items.push((*series.entry(*key).or_insert(next), Item { frame, item }));
        }
    }
    // Stable: a series keeps its order.
    items.sort_by_key(|(series, _)| *series);
    let mut rounds: Vec<VecDeque<Vec<Item>>> = Vec::new();
    for run in items.chunk_by(|(a, _), (b, _)| a == b) {
        for (round, part) in run.chunks(SIDE_BY_SIDE).enumerate() {
            if rounds.len() == round {
                rounds.push(VecDeque::new());
            }
            let Some(calls) = rounds.get_mut(round) else { continue };
            if calls.back().is_none_or(|call| call.len() + part.len() > MAX_ITEMS) {
                calls.push_back(Vec::new());
            }
            if let Some(call) = calls.back_mut() {
                call.extend(part.iter().map(|(_, item)| *item));
            }
        }
    }
    rounds.into_iter().flatten().collect()
}

/// The series of the calls of the last moments.
pub struct Recent {
    pause: Duration,
    calls: VecDeque<(Instant, std::collections::HashSet<u64>)>,
}

impl Recent {
    /// `pause`: between the answer to a call and the next call that continues one of its series.
    pub fn new(pause: Duration) -> Recent {
        Recent { pause, calls: VecDeque::new() }
    }

    /// When these series may be continued; `None`: now.
    pub fn free(&mut self, mut keys: impl Iterator<Item = u64>) -> Option<Instant> {
        let now = Instant::now();
        while self.calls.front().is_some_and(|(answered, _)| *answered + self.pause <= now) {
            self.calls.pop_front();
        }
        if self.calls.is_empty() {
            return None;
        }
        let last =
            |key: u64| self.calls.iter().rev().find(|(_, keys)| keys.contains(&key)).map(|(answered, _)| *answered);
        let newest = self.calls.back().map(|(answered, _)| *answered);
        let mut free = None;
        // Nothing is newer than the last call: a call that continues it need not be read to its end.
        while free < newest
            && let Some(key) = keys.next()
        {
            free = free.max(last(key));
        }
        free.map(|answered| answered + self.pause)
    }

    pub fn sent(&mut self, keys: impl Iterator<Item = u64>) {
        if !self.pause.is_zero() {
            self.calls.push_back((Instant::now(), keys.collect()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::falcon::wire::encode;
    use crate::model::sample;

    fn frame(at: i64, names: impl IntoIterator<Item = usize>) -> Vec<Arc<Frame>> {
        let samples: Vec<_> = names.into_iter().map(|n| sample(&format!("m{n}"), "", 1.0, at)).collect();
        encode(&samples, "h", 0).into_iter().map(Arc::new).collect()
    }

    #[test]
    fn one_cycle_goes_in_its_order() {
        let frames = frame(60, 0..1200);
        let calls = cut(&frames);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
        let names: Vec<_> = calls.iter().flatten().map(|item| item.frame * 500 + item.item).collect();
        assert!(names.is_sorted() && names.len() == 1200);
    }

    #[test]
    fn points_of_a_series_lie_side_by_side_and_in_no_second_call_of_their_round() {
        let frames: Vec<_> = (0..45).flat_map(|n| frame(60 * n, 0..60)).collect();
        let calls = cut(&frames);
        // Rounds of 20, 20 and 5 points for each of 60 series.
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200, 500, 500, 200, 300]);
        let mut seen = [0; 60];
        for call in &calls {
            for run in call.chunk_by(|a, b| a.item == b.item) {
                assert!(run.len() <= SIDE_BY_SIDE);
                for item in run {
                    assert_eq!(item.frame, seen[item.item], "in the order of time");
                    seen[item.item] += 1;
                }
            }
        }
        assert_eq!(seen, [45; 60]);
    }

    /// Pushes with many different stamps against a healthy transfer crawled at ten stamps a second and filled the queue.
    #[tokio::test(start_paused = true)]
    async fn only_a_series_that_was_just_sent_has_to_wait() {
        let pause = Duration::from_millis(100);
        let mut recent = Recent::new(pause);
        assert_eq!(recent.free([1, 2].into_iter()), None);
        recent.sent([1, 2].into_iter());
        let first = Instant::now();
        assert_eq!(recent.free([3].into_iter()), None);
        tokio::time::advance(pause / 2).await;
        recent.sent([3].into_iter());
        assert_eq!(recent.free([4, 2].into_iter()), Some(first + pause));
        assert_eq!(recent.free([2, 3].into_iter()), Some(first + pause / 2 + pause));
        tokio::time::advance(pause / 2).await;
        assert_eq!(recent.free([1].into_iter()), None);
        assert_eq!(recent.calls.len(), 1, "what is over is forgotten");
    }
}
