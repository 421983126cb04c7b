//! Lists as Windows would write them at a made-up address.

use super::*;

const ADDRESS: u64 = 0x0000_7FF0_0000_1000;

struct Made<'a> {
    pid: u64,
    name: &'a str,
    states: &'a [u32],
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// One entry with its threads, and the name behind them.
fn entry(at: u64, made: &Made<'_>, last: bool) -> Vec<u8> {
    let name: Vec<u8> = made.name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let name_at = ENTRY_BYTES + made.states.len() * THREAD_BYTES;
    let len = (name_at + name.len()).next_multiple_of(8);
    let mut bytes = vec![0; len];
    if !last {
        put(&mut bytes, 0, &(len as u32).to_le_bytes());
    }
    put(&mut bytes, 4, &(made.states.len() as u32).to_le_bytes());
    for (place, value) in
        [(32, 1_000_000_000_u64), (40, 205), (48, 309), (80, made.pid), (88, 44), (144, 144), (200, 200)]
    {
        put(&mut bytes, place, &value.to_le_bytes());
    }
    put(&mut bytes, 96, &96_u32.to_le_bytes());
    put(&mut bytes, 100, &[0xFF; 4]);
    put(&mut bytes, 232, &(1_u64 << 40).to_le_bytes());
    put(&mut bytes, 240, &(1_u64 << 41).to_le_bytes());
    put(&mut bytes, 56, &(name.len() as u16).to_le_bytes());
    if !name.is_empty() {
        put(&mut bytes, 64, &(ADDRESS + at + name_at as u64).to_le_bytes());
    }
    for (thread, state) in made.states.iter().enumerate() {
        put(&mut bytes, ENTRY_BYTES + thread * THREAD_BYTES + 68, &state.to_le_bytes());
    }
    put(&mut bytes, name_at, &name);
    bytes
}

fn list(made: &[Made<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, one) in made.iter().enumerate() {
        let next = entry(bytes.len() as u64, one, place + 1 == made.len());
        bytes.extend(next);
    }
    bytes
}

fn three() -> Vec<u8> {
    list(&[
        Made { pid: 0, name: "", states: &[1, 1, 2] },
        Made { pid: 4, name: "System", states: &[5, 1, 7, 2] },
        Made { pid: 4711, name: "\u{670D}\u{52A1}.exe", states: &[1] },
    ])
}

fn names(bytes: &[u8]) -> Vec<(u32, String)> {
    let mut name = String::from("before");
    entries(bytes, ADDRESS)
        .map(|entry| {
            entry.name_into(&mut name);
            (entry.pid, name.clone())
        })
        .collect()
}

fn ready(bytes: &[u8]) -> u64 {
    entries(bytes, ADDRESS).map(|entry| entry.ready_threads()).sum()
}

#[test]
fn processes_come_in_order_and_without_the_idle_one() {
    let bytes = three();
    assert_eq!(names(&bytes), [(4, "System".into()), (4711, "\u{670D}\u{52A1}.exe".into())]);
    // Ready and deferred ready; the idle process's do not wait for a processor.
    assert_eq!(ready(&bytes), 3);
}

#[test]
fn every_field_has_its_place() {
    let bytes = three();
    let mut proc = Proc { name: "kept".into(), ..Proc::default() };
    entries(&bytes, ADDRESS).nth(1).unwrap().fill(1_005_000_000, &mut proc);
    let expected = Proc {
        pid: 4711,
        name: "kept".into(),
        created: 1_000_000_000,
        age_s: 0.5,
        user_us: 20,
        kernel_us: 30,
        memory_bytes: Some(200),
        working_set_bytes: 144,
        threads: 1,
        handles: Some(96),
        read_bytes: Some(1 << 40),
        written_bytes: Some(1 << 41),
    };
    assert_eq!(proc, expected);
    let node = entries(&bytes, ADDRESS).nth(1).unwrap().node();
    assert_eq!(node, Node { pid: 4711, parent: 44, created: 1_000_000_000 });
    // The clock was set back behind the start.
    entries(&bytes, ADDRESS).nth(1).unwrap().fill(999_999_999, &mut proc);
    assert_eq!(proc.age_s, 0.0);
}

// Wine does not count private memory: a process that runs would seem to have none.
#[test]
fn private_memory_of_zero_beside_a_working_set_is_no_reading() {
    let mut bytes = list(&[Made { pid: 8, name: "a.exe", states: &[1] }]);
    let fill = |bytes: &[u8]| {
        let mut proc = Proc::default();
        entries(bytes, ADDRESS).next().unwrap().fill(0, &mut proc);
        (proc.memory_bytes, proc.working_set_bytes)
    };
    put(&mut bytes, 200, &[0; 8]);
    assert_eq!(fill(&bytes), (None, 144));
    put(&mut bytes, 144, &[0; 8]);
    assert_eq!(fill(&bytes), (Some(0), 0));
}

#[test]
fn a_list_cut_off_anywhere_yields_what_is_whole() {
    let bytes = three();
    let mut before = 0;
    for cut in 0..=bytes.len() {
        let (names, ready) = (names(&bytes[..cut]), ready(&bytes[..cut]));
        assert!(names.len() >= before && names.len() <= 2 && ready <= 3, "{cut}");
        before = names.len();
    }
    assert_eq!(before, 2);
}

// An offset that does not lead forwards by an entry would never come to an end.
#[test]
fn an_offset_that_leads_nowhere_ends_the_walk() {
    let bytes = three();
    for offset in [0, 1, 8, 255, u32::MAX, bytes.len() as u32] {
        let mut bytes = bytes.clone();
        put(&mut bytes, 0, &offset.to_le_bytes());
        assert_eq!(names(&bytes), [], "{offset}");
    }
    // The shortest step there is: entries that overlap nothing, and an end all the same.
    let mut bytes = vec![0; 64 * ENTRY_BYTES];
    for entry in bytes.chunks_exact_mut(ENTRY_BYTES) {
        put(entry, 0, &(ENTRY_BYTES as u32).to_le_bytes());
        put(entry, 80, &7_u64.to_le_bytes());
    }
    assert_eq!(entries(&bytes, ADDRESS).count(), 64);
}

#[test]
fn more_threads_than_there_is_room_for_are_not_read() {
    let mut bytes = three();
    let second = u32_at(&bytes, 0).unwrap() as usize;
    put(&mut bytes, second + 4, &u32::MAX.to_le_bytes());
    // Its four, and not those of the next process.
    assert_eq!(entries(&bytes, ADDRESS).next().unwrap().ready_threads(), 2);
    let last = second + u32_at(&bytes, second).unwrap() as usize;
    put(&mut bytes, last + 4, &u32::MAX.to_le_bytes());
    assert_eq!(entries(&bytes, ADDRESS).nth(1).unwrap().ready_threads(), 1);
}

#[test]
fn a_name_outside_the_answer_is_none() {
    let bytes = three();
    let second = u32_at(&bytes, 0).unwrap() as usize;
    let end = ADDRESS + bytes.len() as u64;
    for pointer in [0, 1, ADDRESS - 1, end - 1, end, u64::MAX] {
        let mut bytes = bytes.clone();
        put(&mut bytes, second + 64, &pointer.to_le_bytes());
        assert_eq!(names(&bytes)[0], (4, String::new()), "{pointer:#x}");
    }
    // A length of an odd number of bytes loses its half unit; one beyond the answer is no name.
    for (len, name) in [(3_u16, "S"), (u16::MAX, "")] {
        let mut bytes = bytes.clone();
        put(&mut bytes, second + 56, &len.to_le_bytes());
        assert_eq!(names(&bytes)[0].1, name);
    }
}

#[test]
fn a_pid_of_more_than_32_bits_is_no_process() {
    let bytes = list(&[Made { pid: 1 << 32, name: "x", states: &[] }, Made { pid: 8, name: "y", states: &[] }]);
    assert_eq!(names(&bytes), [(8, "y".into())]);
}

#[test]
fn a_name_longer_than_any_is_cut() {
    let long = "n".repeat(5000);
    let bytes = list(&[Made { pid: 8, name: &long, states: &[] }]);
    assert_eq!(names(&bytes)[0].1.len(), MAX_NAME);
}

#[test]
fn damaged_lists_are_read_to_an_end() {
    let whole = three();
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut proc = Proc::default();
    let mut name = String::new();
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random() % 8 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        let mut count = 0;
        for entry in entries(&bytes, ADDRESS) {
            entry.fill(u64::MAX, &mut proc);
            entry.name_into(&mut name);
            assert!(entry.ready_threads() <= (bytes.len() / THREAD_BYTES) as u64);
            assert!(proc.age_s.is_finite() && name.chars().count() <= MAX_NAME);
            count += 1;
        }
        assert!(count <= bytes.len() / ENTRY_BYTES);
    }
}
