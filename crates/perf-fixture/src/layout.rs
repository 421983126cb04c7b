//! Writes objects of performance counters as winperf.h lays them out: PERF_DATA_BLOCK, PERF_OBJECT_TYPE and what is in them.
//!
//! Lengths and offsets are right unless a field says otherwise; who wants wrong ones changes the bytes.

/// One object, as a provider serves it.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// ObjectNameTitleIndex.
    pub index: u32,
    pub counters: Vec<Counter>,
    pub instances: Instances,
    /// PerfTime and PerfFreq.
    pub ticks: u64,
    pub ticks_per_s: u64,
    /// CodePage; 0: names are UTF-16.
    pub code_page: u32,
}

/// PERF_COUNTER_DEFINITION.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// CounterNameTitleIndex.
    pub index: u32,
    pub kind: u32,
    /// Bytes of the value in the counter block.
    pub size: u32,
}

#[derive(Clone, Debug)]
pub enum Instances {
    /// PERF_NO_INSTANCES: one row of values.
    None(Vec<u64>),
    Many(Vec<Instance>),
    /// -2 or -3: definitions alone, as an answer about metadata has them.
    Metadata(i32),
}

impl Default for Instances {
    fn default() -> Instances {
        Instances::Many(Vec::new())
    }
}

#[derive(Clone, Debug)]
pub struct Instance {
    /// With its bytes in the object's code page: UTF-16 without a NUL, which is added.
    pub name: Vec<u8>,
    /// PERF_NO_UNIQUE_ID is -1.
    pub unique_id: i32,
    /// ParentObjectTitleIndex and ParentObjectInstance.
    pub parent: (u32, u32),
    /// One for each counter; of 4 bytes the low ones.
    pub values: Vec<u64>,
}

impl Instance {
    pub fn new(name: &str, values: &[u64]) -> Instance {
        let name = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Instance { name, unique_id: -1, parent: (0, 0), values: values.to_vec() }
    }
}

/// Times of PERF_DATA_BLOCK.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub ticks: u64,
    pub ticks_per_s: u64,
    pub ns100: u64,
}

const OBJECT_HEADER: usize = 64;
const DEFINITION: usize = 40;
const INSTANCE: usize = 24;

fn put32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend(value.to_le_bytes());
}

fn put64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend(value.to_le_bytes());
}

/// Lengths of what is written here are far below 4 GiB.
fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Object {
    /// Where each counter's value lies in a counter block, and how long the block is.
    fn offsets(&self) -> (Vec<u32>, u32) {
        let mut at = 8usize;
        let mut offsets = Vec::with_capacity(self.counters.len());
        for counter in &self.counters {
            let size = counter.size as usize;
            at = at.next_multiple_of(size.clamp(1, 8));
            offsets.push(len32(at));
            at += size;
        }
        (offsets, len32(at.next_multiple_of(8)))
    }

    fn block(&self, values: &[u64], bytes: &mut Vec<u8>) {
        let (offsets, len) = self.offsets();
        let begin = bytes.len();
        put32(bytes, len);
        bytes.resize(begin + len as usize, 0);
        for ((counter, offset), value) in self.counters.iter().zip(offsets).zip(values) {
            let size = (counter.size as usize).min(8);
            let place = begin + offset as usize;
            if let (Some(to), Some(from)) = (bytes.get_mut(place..place + size), value.to_le_bytes().get(..size)) {
                to.copy_from_slice(from);
            }
        }
    }

    /// Its bytes, a multiple of 8 of them.
    pub fn bytes(&self) -> Vec<u8> {
        let mut data = Vec::new();
        let count = match &self.instances {
            Instances::None(values) => {
                self.block(values, &mut data);
                -1
            }
            Instances::Metadata(count) => *count,
            Instances::Many(instances) => {
                for instance in instances {
                    self.instance(instance, &mut data);
                }
                i32::try_from(instances.len()).unwrap_or(i32::MAX)
            }
        };
        let definitions = OBJECT_HEADER + DEFINITION * self.counters.len();
        let mut bytes = Vec::with_capacity(definitions + data.len());
        for value in [definitions + data.len(), definitions, OBJECT_HEADER] {
            put32(&mut bytes, len32(value));
        }
        let counters = len32(self.counters.len());
        // The titles are pointers of 32-bit readers; help follows its name; detail level 100 is PERF_DETAIL_NOVICE.
        for value in [self.index, 0, self.index + 1, 0, 100, counters, 0] {
            put32(&mut bytes, value);
        }
        bytes.extend(count.to_le_bytes());
        put32(&mut bytes, self.code_page);
        put64(&mut bytes, self.ticks);
        put64(&mut bytes, self.ticks_per_s);
        let (offsets, _) = self.offsets();
        for (counter, offset) in self.counters.iter().zip(offsets) {
            let help = if counter.index == 0 { 0 } else { counter.index + 1 };
            for value in [len32(DEFINITION), counter.index, 0, help, 0, 0, 100, counter.kind, counter.size, offset] {
                put32(&mut bytes, value);
            }
        }
        bytes.extend(data);
        bytes
    }

    fn instance(&self, instance: &Instance, bytes: &mut Vec<u8>) {
        let nul: &[u8] = if self.code_page == 0 { &[0, 0] } else { &[0] };
        let name = [&instance.name, nul].concat();
        let begin = bytes.len();
        let length = (INSTANCE + name.len()).next_multiple_of(8);
        let (title, ordinal) = instance.parent;
        for value in [len32(length), title, ordinal] {
            put32(bytes, value);
        }
        bytes.extend(instance.unique_id.to_le_bytes());
        put32(bytes, len32(INSTANCE));
        put32(bytes, len32(name.len()));
        bytes.extend(name);
        bytes.resize(begin + length, 0);
        self.block(&instance.values, bytes);
    }
}

/// An answer of the system: its header, the name of a computer, and the objects.
pub fn answer(times: Times, objects: &[Vec<u8>]) -> Vec<u8> {
    const HEADER: usize = 88;
    let system: Vec<u8> = "HOST\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let header = (HEADER + system.len()).next_multiple_of(8);
    let total: usize = objects.iter().map(Vec::len).sum::<usize>() + header;
    let mut bytes: Vec<u8> = "PERF".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for value in [1, 1, 1, len32(total), len32(header), len32(objects.len()), u32::MAX] {
        put32(&mut bytes, value);
    }
    // SYSTEMTIME is not read by anybody here.
    bytes.resize((bytes.len() + 16).next_multiple_of(8), 0);
    for value in [times.ticks, times.ticks_per_s, times.ns100] {
        put64(&mut bytes, value);
    }
    put32(&mut bytes, len32(system.len()));
    put32(&mut bytes, len32(HEADER));
    bytes.extend(system);
    bytes.resize(header, 0);
    for object in objects {
        bytes.extend(object);
    }
    bytes
}
