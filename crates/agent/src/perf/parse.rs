//! Answers of HKEY_PERFORMANCE_DATA: from bytes to objects, counters and instances.
//!
//! The bytes were written by other vendors' libraries, and Windows does not check them. So every length, offset and count is
//! a claim: nothing is read outside of what contains it, a chain goes forward or ends, and memory is taken for what is there,
//! never for what is announced. An object that is damaged costs itself where its length can be believed; what was read before
//! it counts in any case.
//!
//! Source: winperf.h (PERF_DATA_BLOCK and what follows it) and Microsoft's page "Performance data format". All numbers are
//! little-endian and at any alignment.

mod select;
mod text;

use std::cmp::Reverse;

pub use select::table;

/// Objects that are read of one answer, counters and instances of one object.
const MOST_OBJECTS: u32 = 4096;
const MOST_COUNTERS: u32 = 4096;
const MOST_INSTANCES: u32 = 65_536;

/// Bytes of the structures without what may follow them.
const DATA_BLOCK: usize = 88;
const OBJECT: usize = 64;
const DEFINITION: usize = 40;
const INSTANCE: usize = 24;
const COUNTER_BLOCK: usize = 4;

/// Why bytes are no answer at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the answer is shorter than its header")]
    Short,
    #[error("the answer does not begin as one does")]
    Signature,
    #[error("the answer's header has an impossible length")]
    Header,
}

/// What the system answered to one query.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// PerfTime and PerfFreq, in ticks and ticks a second.
    pub ticks: u64,
    pub ticks_per_s: u64,
    /// PerfTime100nSec: 100 ns since 1601.
    pub ns100: u64,
    objects: Vec<Object<'a>>,
    damaged: Vec<u32>,
    /// There are more, which cannot be read or are not.
    is_cut: bool,
}

/// Reads the header and finds the objects; what is in them is read when it is asked for.
///
/// # Errors
/// Where the header itself is none. Damaged objects are no error: see [`Answer::is_damaged`].
pub fn parse(bytes: &[u8]) -> Result<Answer<'_>, Malformed> {
    let is_signed = bytes.get(..8).ok_or(Malformed::Short)? == b"P\0E\0R\0F\0";
    if !is_signed || u32_at(bytes, 8) != Some(1) {
        return Err(Malformed::Signature);
    }
    let number = |at| u64_at(bytes, at).ok_or(Malformed::Short);
    let length = |at| length_at(bytes, at).ok_or(Malformed::Short);
    let (ticks, ticks_per_s, ns100) = (number(56)?, number(64)?, number(72)?);
    let header = length(24)?;
    let count = u32_at(bytes, 28).ok_or(Malformed::Short)?;
    let bytes = bytes.get(..length(20)?).unwrap_or(bytes);
    if bytes.len() < DATA_BLOCK || header < DATA_BLOCK {
        return Err(Malformed::Header);
    }
    let mut rest = bytes.get(header..).ok_or(Malformed::Header)?;
    let is_cut = count > MOST_OBJECTS;
    let mut answer = Answer { ticks, ticks_per_s, ns100, objects: vec![], damaged: vec![], is_cut };
    for _ in 0..count.min(MOST_OBJECTS) {
        let total = length_at(rest, 0).filter(|total| *total >= OBJECT);
        let Some((object, after)) = total.and_then(|total| rest.split_at_checked(total)) else {
            answer.damaged.extend(u32_at(rest, 12));
            answer.is_cut = true;
            break;
        };
        match Object::read(object) {
            Some(object) => answer.objects.push(object),
            None => answer.damaged.extend(u32_at(object, 12)),
        }
        rest = after;
    }
    Ok(answer)
}

impl<'a> Answer<'a> {
    /// Those that are sound, in the order of the answer. One query may be answered with more than was asked for.
    pub fn objects(&self) -> impl Iterator<Item = &Object<'a>> {
        self.objects.iter()
    }

    /// The first object that has one of these names.
    pub fn object(&self, indexes: &[u32]) -> Option<&Object<'a>> {
        self.objects.iter().find(|object| indexes.contains(&object.index))
    }

    /// Of the objects that have one of these names that with the most counters that are wanted, or the first such.
    pub fn best(&self, indexes: &[u32], is_wanted: impl Fn(u32) -> bool) -> Option<&Object<'a>> {
        let named = self.objects.iter().filter(|object| indexes.contains(&object.index));
        let wanted = |object: &&Object<'_>| object.counters().filter(|counter| is_wanted(counter.index)).count();
        match indexes {
            [_] => self.object(indexes),
            _ => named.min_by_key(|object| Reverse(wanted(object))),
        }
    }

    /// Whether one of these objects is in the answer and cannot be read, or may be where the answer is not read on.
    pub fn is_damaged(&self, indexes: &[u32]) -> bool {
        self.is_cut || self.damaged.iter().any(|index| indexes.contains(index))
    }
}

/// PERF_OBJECT_TYPE with everything that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// ObjectNameTitleIndex.
    pub index: u32,
    /// PerfTime and PerfFreq of the object.
    pub ticks: u64,
    pub ticks_per_s: u64,
    /// NumCounters, bases included, as it is announced.
    pub announced: u32,
    population: Population,
    code_page: u32,
    definitions: &'a [u8],
    data: &'a [u8],
}

/// NumInstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Population {
    /// -1: one block of values, and no instances.
    Single,
    /// That many; none is a number too.
    Many(u32),
    /// -2 and -3: an answer about metadata has no values.
    Metadata,
}

impl<'a> Object<'a> {
    fn read(bytes: &'a [u8]) -> Option<Object<'a>> {
        let (definition, header) = (length_at(bytes, 4)?, length_at(bytes, 8)?);
        if header < OBJECT {
            return None;
        }
        let definitions = bytes.get(header..definition)?;
        let data = bytes.get(definition..)?;
        let population = match u32_at(bytes, 40)?.cast_signed() {
            -1 => Population::Single,
            -2 | -3 => Population::Metadata,
            count => {
                let count = u32::try_from(count).ok()?;
                let least = usize::try_from(count).ok()?.checked_mul(INSTANCE + COUNTER_BLOCK)?;
                // More than there can be: there is no telling what the bytes are.
                if least > data.len() {
                    return None;
                }
                Population::Many(count)
            }
        };
        Some(Object {
            index: u32_at(bytes, 12)?,
            ticks: u64_at(bytes, 48)?,
            ticks_per_s: u64_at(bytes, 56)?,
            announced: u32_at(bytes, 32)?,
            population,
            code_page: u32_at(bytes, 44)?,
            definitions,
            data,
        })
    }

    /// The definitions, bases included, as far as they can be read.
    pub fn counters(&self) -> impl Iterator<Item = Counter> + use<'a> {
        let mut rest = self.definitions;
        (0..self.announced.min(MOST_COUNTERS)).map_while(move |_| {
            let length = length_at(rest, 0).filter(|length| *length >= DEFINITION)?;
            let (definition, after) = rest.split_at_checked(length)?;
            rest = after;
            Counter::read(definition)
        })
    }

    /// Whether it has values and no instances.
    pub fn is_single(&self) -> bool {
        self.population == Population::Single
    }

    /// One with an empty name for an object that has none.
    pub fn instances(&self) -> Instances<'a> {
        let (count, left_out) = match self.population {
            Population::Single => (1, 0),
            Population::Many(count) => (count.min(MOST_INSTANCES), count.saturating_sub(MOST_INSTANCES)),
            Population::Metadata => (0, 0),
        };
        Instances { rest: self.data, is_single: self.is_single(), code_page: self.code_page, count, left_out }
    }
}

/// PERF_COUNTER_DEFINITION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// CounterNameTitleIndex; a base may have 0.
    pub index: u32,
    /// CounterType.
    pub kind: u32,
    /// Bytes of the value, and where it begins in the block of an instance.
    pub size: u32,
    pub offset: u32,
}

impl Counter {
    fn read(bytes: &[u8]) -> Option<Counter> {
        let number = |at| u32_at(bytes, at);
        Some(Counter { index: number(4)?, kind: number(28)?, size: number(32)?, offset: number(36)? })
    }
}

/// An instance with its block of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// `#` and its UniqueID where it has that and no name; empty where it has neither, or where there are no instances.
    pub name: String,
    block: &'a [u8],
}

impl Instance<'_> {
    /// Of 4 or 8 bytes; `None`: the block has no such bytes.
    pub fn value(&self, offset: u32, size: u8) -> Option<u64> {
        let at = usize::try_from(offset).ok().filter(|at| *at >= COUNTER_BLOCK)?;
        match size {
            4 => u32_at(self.block, at).map(u64::from),
            8 => u64_at(self.block, at),
            _ => None,
        }
    }
}

/// The instances of an object in their order. It ends where the chain breaks.
#[derive(Clone, Debug)]
pub struct Instances<'a> {
    rest: &'a [u8],
    is_single: bool,
    code_page: u32,
    /// Still to come.
    count: u32,
    left_out: u32,
}

impl<'a> Instances<'a> {
    /// Of those that are behind and of those that will not come: how many were damaged, or beyond what is read.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// The next instance with its block, which is its bytes and nothing else; its name may lie outside of it.
    fn cut(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let length = if self.is_single { 0 } else { length_at(self.rest, 0).filter(|length| *length >= INSTANCE)? };
        let (definition, rest) = self.rest.split_at_checked(length)?;
        let length = length_at(rest, 0).filter(|length| *length >= COUNTER_BLOCK)?;
        let (block, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((definition, block))
    }

    fn name(&self, definition: &[u8]) -> Option<String> {
        if self.is_single {
            return Some(String::new());
        }
        let (at, length) = (length_at(definition, 16)?, length_at(definition, 20)?);
        let name = match length {
            0 => String::new(),
            _ if at < INSTANCE => return None,
            _ => text::decode(definition.get(at..at.checked_add(length)?)?, self.code_page),
        };
        let unique = u32_at(definition, 12)?.cast_signed();
        Some(if name.is_empty() && unique != -1 { format!("#{unique}") } else { name })
    }
}

impl<'a> Iterator for Instances<'a> {
    type Item = Instance<'a>;

    fn next(&mut self) -> Option<Instance<'a>> {
        while self.count > 0 {
            let Some((definition, block)) = self.cut() else {
                self.left_out = self.left_out.saturating_add(std::mem::take(&mut self.count));
                break;
            };
            self.count -= 1;
            match self.name(definition) {
                Some(name) => return Some(Instance { name, block }),
                None => self.left_out = self.left_out.saturating_add(1),
            }
        }
        None
    }
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

#[cfg(test)]
mod tests;
