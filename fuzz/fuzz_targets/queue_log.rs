//! A segment of the queue on disk, as a crash, a dying disk or anybody who may write there has left it: any bytes are read
//! without harm, and what is taken for a record reads back as the same when it is written again.
#![no_main]

use falcon_agent::queue::record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = record::read_segment_head(data);
    let (frames, _) = record::read_all(data);
    let mut again = Vec::new();
    frames.iter().for_each(|frame| record::write(frame, &mut again));
    assert_eq!(record::read_all(&again), (frames, 0));
});
