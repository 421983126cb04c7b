//! Which points go into which call.
//!
//! Transfers hand points on in parallel, and of a series servers keep what is newer than before only: between two points of a
//! series must lie a pause, or they must travel together. A block is cut into rounds; within a round no series stands in two
//! calls, and between two rounds lies the pause.
//!
//! * Usually a round has the points of one step of each series, which is one point, unless a program pushes more than servers
//!   keep: that is safe whatever else a transfer does.
//! * A backlog that is sent as fast as it goes has several points of a series side by side ([`RUNS`]), and so has a block
//!   that would take many pauses more ([`MANY`]): the history of few series. A transfer cuts what it has into batches of
//!   [`BATCH`], and a run that is cut is overtaken by its own end. So runs stand in the order of their lengths, each of
//!   which divides the one before and the batch, and calls are whole batches: then no run lies across a cut.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::falcon::wire::{Frame, MAX_ITEMS};
use crate::queue::Block;

/// Points of one series side by side. Each divides the one before; of longer runs, real transfers were seen to lose some.
const RUNS: &[usize] = &[20, 10, 5, 1];
/// How many items a transfer hands on at once (falcon-plus modules/transfer, `batch` of judge and graph).
const BATCH: usize = 200;
/// Calls more than the points of a block fill: so many pauses hold up whatever comes behind it for seconds.
const MANY: usize = 20;

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
    /// How many items of each frame are not over.
    left: Vec<usize>,
    /// So many frames from the first on are over whole.
    finished: usize,
}

impl Work {
    /// `side_by_side`: several points of a series in a call.
    pub fn new(block: Block, side_by_side: bool) -> Work {
        let calls = calls(&block.frames, side_by_side);
        let left = block.frames.iter().map(|frame| frame.len()).collect();
        Work { block, calls, left, finished: 0 }
    }

    /// A call is over; how many frames are now, from the first on, where that became more.
    pub fn done(&mut self, call: &[Item]) -> Option<usize> {
        for item in call {
            if let Some(left) = self.left.get_mut(item.frame) {
                *left = left.saturating_sub(1);
            }
        }
        let whole = self.left.iter().take_while(|left| **left == 0).count();
        (whole > std::mem::replace(&mut self.finished, whole)).then_some(whole)
    }

    /// Nothing is over but whole frames from the first on: whoever goes on from there repeats nothing.
    pub fn is_even(&self) -> bool {
        let unfinished = self.block.frames.iter().zip(&self.left).skip(self.finished);
        unfinished.into_iter().all(|(frame, left)| frame.len() == *left)
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

    /// Series and step of each item.
    pub fn places<'a>(&'a self, call: &'a [Item]) -> impl Iterator<Item = (u64, u32)> + 'a {
        call.iter().filter_map(|Item { frame, item }| self.block.frames.get(*frame)?.place(*item))
    }
}

fn calls(frames: &[Arc<Frame>], side_by_side: bool) -> VecDeque<Vec<Item>> {
    if !side_by_side {
        let calls = cut(frames, None, MAX_ITEMS);
        let full = frames.iter().map(|frame| frame.len()).sum::<usize>().div_ceil(MAX_ITEMS);
        if calls.len() <= full + MANY {
            return calls;
        }
    }
    cut(frames, Some(RUNS), MAX_ITEMS - MAX_ITEMS % BATCH)
}

/// Calls of at most `most` items. `runs`: so many points of a series in a round; then the longest runs come first, and of one
/// length the series in the order in which they come. `None`: those of one step.
fn cut(frames: &[Arc<Frame>], runs: Option<&[usize]>, most: usize) -> VecDeque<Vec<Item>> {
    let mut series: HashMap<u64, usize> = HashMap::new();
    let mut items: Vec<(usize, u32, Item)> = Vec::with_capacity(frames.iter().map(|frame| frame.len()).sum());
    for (frame, of) in frames.iter().enumerate() {
        for (item, (key, slot)) in (0..of.len()).filter_map(|item| Some((item, of.place(item)?))) {
            let next = series.len();
            items.push((*series.entry(key).or_insert(next), slot, Item { frame, item }));
        }
    }
    // Stable: a series keeps its order.
    items.sort_by_key(|(series, ..)| *series);
    let mut left: Vec<&[(usize, u32, Item)]> = items.chunk_by(|(a, ..), (b, ..)| a == b).collect();
    let mut calls = VecDeque::new();
    while !left.is_empty() {
        // Each series once in a round, whatever is left of it then.
        let mut round: Vec<&[(usize, u32, Item)]> = Vec::with_capacity(left.len());
        for points in &mut left {
            let length = match runs {
                Some(runs) => runs.iter().copied().find(|run| *run <= points.len()),
                None => points.chunk_by(|(_, a, _), (_, b, _)| a == b).next().map(<[_]>::len),
            };
            let (now, later) = points.split_at(length.unwrap_or(1).min(points.len()));
            round.push(now);
            *points = later;
        }
        if runs.is_some() {
            round.sort_by_key(|run| std::cmp::Reverse(run.len()));
        }
        let round: Vec<Item> = round.into_iter().flatten().map(|(.., item)| *item).collect();
        calls.extend(round.chunks(most).map(<[Item]>::to_vec));
        left.retain(|points| !points.is_empty());
    }
    calls
}

/// The series of the calls of the last moments.
pub struct Recent {
    pause: Duration,
    /// A sender before this one may have sent any series until then.
    begun: Instant,
    /// When each was answered, and the last step of each of its series.
    calls: VecDeque<(Instant, HashMap<u64, u32>)>,
}

impl Recent {
    /// `pause`: between the answer to a call and the next call that continues one of its series.
    pub fn new(pause: Duration) -> Recent {
        Recent { pause, begun: Instant::now(), calls: VecDeque::new() }
    }

    /// When these series may be continued; `None`: now. A step that was begun may be gone on with at once.
    pub fn free(&mut self, mut places: impl Iterator<Item = (u64, u32)>) -> Option<Instant> {
        let now = Instant::now();
        while self.calls.front().is_some_and(|(answered, _)| *answered + self.pause <= now) {
            self.calls.pop_front();
        }
        if self.begun + self.pause > now {
            return Some(self.begun + self.pause);
        }
        if self.calls.is_empty() {
            return None;
        }
        let last = |(key, slot): (u64, u32)| {
            let other = |calls: &&(Instant, HashMap<u64, u32>)| calls.1.get(&key).is_some_and(|last| *last != slot);
            self.calls.iter().rev().find(other).map(|(answered, _)| *answered)
        };
        let newest = self.calls.back().map(|(answered, _)| *answered);
        let mut free = None;
        // Nothing is newer than the last call: a call that continues it need not be read to its end.
        while free < newest
            && let Some(place) = places.next()
        {
            free = free.max(last(place));
        }
        free.map(|answered| answered + self.pause)
    }

    pub fn sent(&mut self, places: impl Iterator<Item = (u64, u32)>) {
        if !self.pause.is_zero() {
            self.calls.push_back((Instant::now(), places.collect()));
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

    fn sizes(calls: &VecDeque<Vec<Item>>) -> Vec<usize> {
        calls.iter().map(Vec::len).collect()
    }

    #[test]
    fn one_cycle_goes_in_its_order() {
        let calls = cut(&frame(60, 0..1200), None, 500);
        assert_eq!(sizes(&calls), [500, 500, 200]);
        let names: Vec<_> = calls.iter().flatten().map(|item| item.frame * 500 + item.item).collect();
        assert!(names.is_sorted() && names.len() == 1200);
    }

    #[test]
    fn a_call_has_one_point_of_a_series() {
        let frames: Vec<_> =
            [(60, 0..3), (120, 1..3), (180, 2..4)].into_iter().flat_map(|(at, m)| frame(at, m)).collect();
        let calls = cut(&frames, None, 500);
        // m0 m1 m2 m3, then m1 m2, then m2.
        assert_eq!(sizes(&calls), [4, 2, 1]);
        assert_eq!(calls[2], [Item { frame: 2, item: 0 }]);
    }

    /// A program that pushed a series fifty times a second held up everybody: each point waited for the pause.
    #[test]
    fn points_of_one_step_wait_for_nothing() {
        let frames: Vec<_> = (0..700).flat_map(|n| frame(60_000 + n / 10, 0..1)).collect();
        assert_eq!(sizes(&cut(&frames, None, 500)), [500, 100, 100], "60 s, and 10 s of the next step");
    }

    /// A program that pushed the history of one series had everybody wait for 500 pauses.
    #[test]
    fn the_history_of_a_series_takes_few_calls() {
        let history: Vec<_> = (0..500).flat_map(|n| frame(60 * n, 0..1)).collect();
        assert_eq!(sizes(&calls(&history, false)), [20; 25]);
        let minutes: Vec<_> = (0..20).flat_map(|n| frame(60 * n, 0..1)).collect();
        assert_eq!(sizes(&calls(&minutes, false)), [1; 20]);
    }

    #[test]
    fn a_fast_backlog_has_points_of_a_series_side_by_side_that_no_batch_cuts() {
        // Series n has 7 n points.
        let frames: Vec<_> = (0..70)
            .flat_map(|at| frame(60 * at, (0..10).filter(move |n| at < 7 * i64::try_from(*n).expect("small"))))
            .collect();
        let all = cut(&frames, Some(RUNS), 400);
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let (mut round, mut at): (std::collections::HashSet<u64>, usize) = Default::default();
        for call in &all {
            let key = |item: &Item| frames[item.frame].place(item.item).expect("there").0;
            if call.iter().any(|item| round.contains(&key(item))) {
                // A pause: the transfer has cut what there was.
                (round, at) = Default::default();
            }
            for run in call.chunk_by(|a, b| key(a) == key(b)) {
                assert!(RUNS.contains(&run.len()), "{}", run.len());
                assert_eq!(at / BATCH, (at + run.len() - 1) / BATCH, "a run of {} at {at}", run.len());
                at += run.len();
                let newest = seen.entry(key(&run[0])).or_default();
                assert!(run.is_sorted_by_key(|item| item.frame) && (run[0].frame >= *newest));
                *newest = run[run.len() - 1].frame;
            }
            round.extend(call.iter().map(key));
        }
        assert_eq!(sizes(&all).iter().sum::<usize>(), (0..10).map(|n| 7 * n).sum::<usize>());
        let day: Vec<_> = (0..20).flat_map(|at| frame(60 * at, 0..500)).collect();
        assert_eq!(sizes(&cut(&day, Some(RUNS), 400)), [400; 25]);
    }

    /// Pushes with many different stamps against a healthy transfer crawled at ten stamps a second and filled the queue.
    #[tokio::test(start_paused = true)]
    async fn only_a_series_that_was_just_sent_has_to_wait() {
        let pause = Duration::from_millis(100);
        let mut recent = Recent::new(pause);
        tokio::time::advance(pause).await;
        let of = |series: &[u64], slot| series.iter().map(|key| (*key, slot)).collect::<Vec<_>>().into_iter();
        assert_eq!(recent.free(of(&[1, 2], 0)), None);
        recent.sent(of(&[1, 2], 0));
        let first = Instant::now();
        assert_eq!(recent.free(of(&[3], 1)), None);
        tokio::time::advance(pause / 2).await;
        recent.sent(of(&[3], 0));
        assert_eq!(recent.free(of(&[4, 2], 1)), Some(first + pause));
        assert_eq!(recent.free(of(&[4, 2], 0)), None, "the same step");
        assert_eq!(recent.free(of(&[2, 3], 1)), Some(first + pause / 2 + pause));
        tokio::time::advance(pause / 2).await;
        assert_eq!(recent.free(of(&[1], 1)), None);
        assert_eq!(recent.calls.len(), 1, "what is over is forgotten");
    }
}
