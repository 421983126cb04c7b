//! A [`Sample`] as the bytes of one MetricValue, and batches of them as [`Frame`]s.
//!
//! Members in the Go agent's order; `step` and `timestamp` are integer literals, `value` a finite number. A sample is
//! encoded once: these bytes are what is queued and sent.

use std::io::Write;

use crate::model::Sample;

/// Most items in one `Transfer.Update` call.
pub const MAX_ITEMS: usize = 500;
/// A frame is closed when it has grown to this, so that no block of memory gets large.
const MAX_BODY: usize = 64 * 1024;

/// One encoded batch of points that came together: the unit of queue, disk and wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When they came, by [`crate::clock::steady_s`]; their own stamps stand in the items.
    pub taken: i64,
    /// The newest stamp that this agent gave, Unix seconds; of points that others stamped: the beginning of time.
    pub newest: i64,
    /// End of each item in `body`, in order.
    ends: Vec<u32>,
    /// What tells the series of each item from others, in order.
    keys: Vec<u64>,
    /// Which step of its series each item stands in, in order; see [`slot`].
    slots: Vec<u32>,
    /// The items, joined by commas.
    body: Vec<u8>,
}

impl Frame {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The items, joined by commas.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What it holds of memory.
    pub fn bytes(&self) -> usize {
        let numbers = (self.ends.capacity() + self.slots.capacity()) * size_of::<u32>();
        let items = numbers + self.keys.capacity() * size_of::<u64>();
        self.body.capacity() + items + size_of::<Frame>()
    }

    /// Series and step of one item.
    pub fn place(&self, n: usize) -> Option<(u64, u32)> {
        self.keys.get(n).copied().zip(self.slots.get(n).copied())
    }

    /// The bytes of one item.
    pub fn item(&self, n: usize) -> Option<&[u8]> {
        let at = |n: usize| self.ends.get(n).and_then(|end| usize::try_from(*end).ok());
        let start = if n == 0 { 0 } else { at(n - 1)? + 1 };
        self.body.get(start..at(n)?)
    }

    fn new(taken: i64) -> Frame {
        Frame { taken, newest: i64::MIN, ends: Vec::new(), keys: Vec::new(), slots: Vec::new(), body: Vec::new() }
    }

    /// What [`Frame::from_payload`] reads: the newest stamp, the ends of its items, their keys, their slots, their bytes.
    pub fn write_payload(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.newest.to_le_bytes());
        self.ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
        self.keys.iter().for_each(|key| out.extend_from_slice(&key.to_le_bytes()));
        self.slots.iter().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
        out.extend_from_slice(&self.body);
    }

    /// `None` where this is nothing that [`Frame::write_payload`] wrote of `count` items.
    pub fn from_payload(taken: i64, count: usize, payload: &[u8]) -> Option<Frame> {
        let (newest, payload) = payload.split_first_chunk()?;
        let newest = i64::from_le_bytes(*newest);
        let (ends, rest) = payload.split_at_checked(count.checked_mul(size_of::<u32>())?)?;
        let (keys, rest) = rest.split_at_checked(count.checked_mul(size_of::<u64>())?)?;
        let (slots, body) = rest.split_at_checked(count.checked_mul(size_of::<u32>())?)?;
        let numbers = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|number| u32::from_le_bytes(*number)).collect();
        let (ends, slots): (Vec<u32>, Vec<u32>) = (numbers(ends), numbers(slots));
        let keys = keys.as_chunks().0.iter().map(|key| u64::from_le_bytes(*key)).collect();
        let grow = ends.is_sorted_by(|a, b| a < b);
        let last = ends.last().is_some_and(|last| usize::try_from(*last) == Ok(body.len()));
        (grow && last).then(|| Frame { taken, newest, ends, keys, slots, body: body.to_vec() })
    }

    fn push(&mut self, item: &[u8], sample: &Sample) {
        if !self.ends.is_empty() {
            self.body.push(b',');
        }
        self.body.extend_from_slice(item);
        self.ends.push(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        self.keys.push(sample.key());
        self.slots.push(slot(sample));
        if sample.endpoint.is_none() {
            self.newest = self.newest.max(sample.at);
        }
    }
}

/// A number for the step that a point stands in. Servers keep one of those that a series has in a step: their order does not
/// matter.
fn slot(sample: &Sample) -> u32 {
    let step = sample.at.div_euclid(sample.step.max(1));
    // Steps a hundred years apart may be taken for one.
    u32::try_from(step.rem_euclid(1 << 32)).unwrap_or(0)
}

/// Encodes samples that came at `taken` into frames: at most [`MAX_ITEMS`] items and about 64 KiB each, in the given order.
pub fn encode<'a>(samples: impl IntoIterator<Item = &'a Sample>, endpoint: &str, taken: i64) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut item = Vec::new();
    for sample in samples {
        item.clear();
        encode_one(sample, endpoint, &mut item);
        let fits = |frame: &Frame| frame.len() < MAX_ITEMS && frame.body.len() + item.len() < MAX_BODY;
        match frames.last_mut() {
            Some(frame) if fits(frame) => frame.push(&item, sample),
            _ => {
                let mut frame = Frame::new(taken);
                frame.push(&item, sample);
                frames.push(frame);
            }
        }
    }
    for frame in &mut frames {
        frame.body.shrink_to_fit();
        frame.ends.shrink_to_fit();
        frame.keys.shrink_to_fit();
        frame.slots.shrink_to_fit();
    }
    frames
}

/// One MetricValue; `endpoint` is this host's, for samples that have none of their own.
pub fn encode_one(sample: &Sample, endpoint: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"endpoint\":");
    string(sample.endpoint.as_deref().unwrap_or(endpoint), out);
    out.extend_from_slice(b",\"metric\":");
    string(&sample.metric, out);
    out.extend_from_slice(b",\"value\":");
    number(sample.value.get(), out);
    out.extend_from_slice(b",\"step\":");
    integer(sample.step, out);
    out.extend_from_slice(b",\"counterType\":\"");
    out.extend_from_slice(sample.kind.as_str().as_bytes());
    out.extend_from_slice(b"\",\"tags\":");
    string(sample.tags.as_str(), out);
    out.extend_from_slice(b",\"timestamp\":");
    integer(sample.at, out);
    out.push(b'}');
}

/// Writing to memory does not fail; serde_json's own error type says so only at run time.
pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

fn integer(value: i64, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// The shortest text that reads back as the same number; without an exponent in the range where Go uses none.
pub fn number(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    let _ = if size == 0.0 {
        write!(out, "0")
    } else if (1e-6..1e21).contains(&size) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

#[cfg(test)]
mod tests;
