use super::*;
use crate::falcon::wire::encode;
use crate::model::sample;
use crate::queue::fake::{Fake, Torn};
use proptest::prelude::*;

const SEGMENT: u64 = 600;

/// Frames that are told apart by when they came.
fn frame(n: i64) -> Arc<Frame> {
    let points = [sample("m", "", 1.0, n), sample("n", "", 2.0, n)];
    Arc::new(encode(&points[..if n % 3 == 0 { 2 } else { 1 }], "h", n).remove(0))
}

fn open(fake: &Fake) -> Log<Fake> {
    Log::open_with(fake.clone(), 1 << 20, SEGMENT).expect("opens")
}

fn write(log: &mut Log<Fake>, numbers: std::ops::Range<i64>) -> io::Result<()> {
    let frames: Vec<_> = numbers.map(frame).collect();
    let mut done = 0;
    while done < frames.len() {
        done += log.append(&frames[done..])?.ends.len();
    }
    Ok(())
}

/// Takes up to so many frames and acknowledges them; answers which they were.
fn take(log: &mut Log<Fake>, count: usize) -> io::Result<Vec<i64>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let peeked = log.peek(usize::MAX, usize::MAX)?;
        let frames = &peeked.frames[..peeked.frames.len().min(count - taken.len())];
        let Some((_, end)) = frames.last() else { break };
        taken.extend(frames.iter().map(|(frame, _)| frame.taken));
        log.acknowledge(*end);
    }
    Ok(taken)
}

fn all(log: &mut Log<Fake>) -> Vec<i64> {
    take(log, usize::MAX).expect("readable")
}

fn numbers(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[test]
fn what_was_appended_comes_out_in_order_and_leaves_nothing_behind() {
    let fake = Fake::default();
    let mut log = open(&fake);
    assert!(log.is_empty() && log.peek(1, 1).unwrap().frames.is_empty() && fake.names().is_empty());
    write(&mut log, 0..30).unwrap();
    assert_eq!((log.points(), log.oldest()), (40, Some(0)));
    assert!(fake.names().len() > 5, "{:?}", fake.names());
    assert_eq!(take(&mut log, 7).unwrap(), numbers(0..7));
    write(&mut log, 30..40).unwrap();
    assert_eq!(all(&mut log), numbers(7..40));
    assert!(log.is_empty() && log.points() == 0 && fake.names().is_empty(), "{:?}", fake.names());
}

#[test]
fn a_peek_keeps_to_its_bounds_and_gives_one_frame_at_least() {
    let mut log = open(&Fake::default());
    write(&mut log, 0..10).unwrap();
    assert_eq!(log.peek(1, 1).unwrap().frames.len(), 1);
    // 2, 1, 1, 2 points.
    assert_eq!(log.peek(usize::MAX, 5).unwrap().frames.len(), 3);
    assert_eq!(log.peek(3 * frame(1).bytes(), usize::MAX).unwrap().frames.len(), 2);
}

#[test]
fn the_next_run_goes_on_where_the_cursor_was_saved() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..20).unwrap();
    take(&mut log, 6).unwrap();
    log.save().unwrap();
    take(&mut log, 1).unwrap();
    drop(log);
    let mut log = open(&fake);
    assert_eq!(log.oldest(), Some(6));
    write(&mut log, 20..25).unwrap();
    assert_eq!(all(&mut log), numbers(6..25), "what was acknowledged after the cursor comes again, nothing else");
    log.save().unwrap();
    drop(log);
    let mut log = open(&fake);
    write(&mut log, 25..26).unwrap();
    assert_eq!(all(&mut log), [25]);
}

#[test]
fn over_the_quota_the_oldest_segments_go_and_are_counted() {
    let fake = Fake::default();
    let mut log = Log::open_with(fake.clone(), 5 * SEGMENT, SEGMENT).unwrap();
    let (mut came, mut evicted) = (0, 0);
    for n in 0..100 {
        came += frame(n).len();
        log.append(&[frame(n)]).unwrap();
        evicted += log.take_evicted();
        assert!(log.bytes() <= 5 * SEGMENT);
    }
    assert_eq!(evicted + log.points(), came);
    let left = all(&mut log);
    assert_eq!(left, numbers(left[0]..100));
    assert!(left[0] > 0);
}

/// While a batch is on its way the queue may drop it to make room: the acknowledgement must not eat newer points.
#[test]
fn an_acknowledgement_of_what_was_evicted_touches_nothing_else() {
    let mut log = Log::open_with(Fake::default(), 3 * SEGMENT, SEGMENT).unwrap();
    write(&mut log, 0..2).unwrap();
    let out = log.peek(usize::MAX, usize::MAX).unwrap();
    write(&mut log, 2..60).unwrap();
    let points = log.points();
    log.acknowledge(out.frames[1].1);
    assert_eq!(log.points(), points);
    assert_eq!(all(&mut log).last(), Some(&59));
}

#[test]
fn frames_that_were_sent_from_memory_are_acknowledged_without_being_read() {
    let fake = Fake::default();
    let mut log = open(&fake);
    let done = log.append(&[frame(0), frame(1)]).unwrap();
    log.acknowledge_unread(done.ends[0], 2);
    assert_eq!(log.points(), 1);
    log.acknowledge_unread(done.ends[1], 1);
    assert!(log.is_empty() && fake.names().is_empty());
}

#[test]
fn a_file_of_a_newer_version_is_an_error_and_stays_as_it_is() {
    let fake = Fake::default();
    write(&mut open(&fake), 0..1).unwrap();
    let name = fake.names().remove(0);
    let bytes = fake.with_file(&name, |file| {
        file[8] = 9;
        let crc = crc32fast::hash(&file[..12]).to_le_bytes();
        file[12..16].copy_from_slice(&crc);
        file.clone()
    });
    let Err(error) = Log::open(fake.clone(), 1) else { panic!("opened") };
    assert!(error.to_string().contains("newer falcon-agent (format 9, this one reads 1)"), "{error}");
    assert_eq!(fake.with_file(&name, |file| file.clone()), bytes);
}

/// Every byte of every file of a small log, each bit of it: at most one record is lost, and the log always opens.
#[test]
fn a_flipped_bit_anywhere_costs_one_record_at_most() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..9).unwrap();
    take(&mut log, 2).unwrap();
    log.save().unwrap();
    for name in fake.names() {
        let length = fake.with_file(&name, |file| file.len());
        for bit in 0..length * 8 {
            let fake = fake.image(false);
            fake.with_file(&name, |file| file[bit / 8] ^= 1 << (bit % 8));
            let opened = Log::open_with(fake.clone(), 1 << 20, SEGMENT);
            let mut log = opened.unwrap_or_else(|error| panic!("{name}, bit {bit}: {error}"));
            let verified = log.verify().unwrap();
            let left = all(&mut log);
            let missing: Vec<_> = (2..9).filter(|n| !left.contains(n)).collect();
            assert!(left.is_sorted() && missing.len() <= 1, "{name}, bit {bit}: {left:?}");
            assert_eq!(verified.damaged.records, missing.len(), "{name}, bit {bit}");
            // Without its cursor it begins at the first segment there is.
            assert!(
                left[0] == 2 || missing == [2] || name == cursor::NAME && left[0] == 0,
                "{name}, bit {bit}: {left:?}"
            );
        }
    }
}

#[test]
fn a_file_cut_at_any_length_costs_what_was_cut_off() {
    let fake = Fake::default();
    write(&mut open(&fake), 0..9).unwrap();
    for name in fake.names() {
        let length = fake.with_file(&name, |file| file.len());
        for length in 0..length {
            let fake = fake.image(false);
            fake.with_file(&name, |file| file.truncate(length));
            let mut log = open(&fake);
            let left = all(&mut log);
            assert!(left.is_sorted() && left.len() >= 9 - 4, "{name} at {length}: {left:?}");
            write(&mut log, 9..10).unwrap();
            assert_eq!(all(&mut log), [9], "{name} at {length}");
        }
    }
}

#[test]
fn a_full_disk_takes_nothing_half_and_everything_when_there_is_room() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..3).unwrap();
    fake.set_room(Some(500));
    for _ in 0..3 {
        assert_eq!(write(&mut log, 3..4).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
    // A crash now finds half a record.
    assert_eq!(all(&mut open(&fake.image(false))), numbers(0..3));
    fake.set_room(None);
    write(&mut log, 3..5).unwrap();
    assert_eq!(all(&mut log), numbers(0..5));
}

#[test]
fn a_read_only_disk_can_still_be_read() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..9).unwrap();
    fake.set_read_only(true);
    assert_eq!(write(&mut log, 9..10).unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(all(&mut log), numbers(0..9));
    assert!(log.save().is_err());
}

#[test]
fn a_segment_that_cannot_be_read_is_given_up_alone() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..12).unwrap();
    fake.set_unreadable(true);
    assert!(log.peek(usize::MAX, usize::MAX).is_err());
    let lost = log.give_up_oldest();
    fake.set_unreadable(false);
    let left = all(&mut log);
    assert_eq!(left, numbers(left[0]..12));
    assert_eq!(lost, (0..left[0]).map(|n| frame(n).len()).sum::<usize>());
}

/// The first segment, which was whole, was given up for the second, which could not be read for a moment.
#[test]
fn what_can_be_read_is_given_out_before_an_error_is_told() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..12).unwrap();
    let names = fake.names();
    let second = fake.with_file(&names[1], std::mem::take);
    let peeked = log.peek(usize::MAX, usize::MAX).unwrap();
    let first: Vec<i64> = peeked.frames.iter().map(|(frame, _)| frame.taken).collect();
    assert!(first.len() >= 2 && first == numbers(0..first.len() as i64), "{first:?}");
    log.acknowledge(peeked.frames.last().unwrap().1);
    assert_eq!(log.peek(usize::MAX, usize::MAX).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    fake.with_file(&names[1], |file| *file = second);
    assert_eq!(all(&mut log), numbers(first.len() as i64..12));
}

/// Bytes that a failed read had not filled were taken for damage.
#[test]
fn a_read_that_fails_leaves_nothing_in_sight() {
    let fake = Fake::default();
    let mut log = open(&fake);
    write(&mut log, 0..9).unwrap();
    fake.set_unreadable(true);
    assert!(log.verify().is_err() && log.peek(1, 1).is_err());
    fake.set_unreadable(false);
    assert_eq!(log.verify().unwrap().damaged, Damaged::default());
    assert_eq!(all(&mut log), numbers(0..9));
}

#[test]
fn what_was_evicted_for_a_write_that_failed_is_told_too() {
    let fake = Fake::default();
    let mut log = Log::open_with(fake.clone(), 2 * SEGMENT, SEGMENT).unwrap();
    write(&mut log, 0..9).unwrap();
    log.take_evicted();
    let before = log.points();
    fake.set_room(Some(0));
    assert!(write(&mut log, 9..30).is_err());
    let evicted = log.take_evicted();
    assert!(evicted > 0 && evicted == before - log.points(), "{evicted} of {before}");
}

/// One bad sector refused the whole log.
#[test]
fn a_segment_that_cannot_be_read_at_the_start_keeps_no_other_out() {
    let fake = Fake::default();
    write(&mut open(&fake), 0..12).unwrap();
    fake.set_unreadable(true);
    let opened = Log::open_with(fake.clone(), 1 << 20, SEGMENT);
    fake.set_unreadable(false);
    assert_eq!(all(&mut opened.expect("opens")), numbers(0..12));
}

/// What a run of operations did before the power went.
#[derive(Default)]
struct Done {
    /// Frames whose append was answered.
    written: i64,
    /// Of the append that was not.
    begun: i64,
    acknowledged: i64,
    saved: i64,
}

#[derive(Clone, Debug)]
enum Op {
    Append(i64),
    Take(usize),
    Save,
    Restart,
}

fn run(fake: &Fake, ops: &[Op]) -> Done {
    let mut done = Done::default();
    let mut log = open(fake);
    for op in ops {
        let result = match op {
            Op::Append(count) => {
                done.begun = *count;
                write(&mut log, done.written..done.written + count).map(|()| done.written += count)
            }
            Op::Take(count) => take(&mut log, *count).map(|taken| {
                let expected = numbers(done.acknowledged..done.acknowledged + taken.len() as i64);
                assert_eq!(taken, expected);
                done.acknowledged += taken.len() as i64;
            }),
            Op::Save => log.save().map(|()| done.saved = done.acknowledged),
            Op::Restart => match log.save() {
                Ok(()) => {
                    done.saved = done.acknowledged;
                    let Ok(again) = Log::open_with(fake.clone(), 1 << 20, SEGMENT) else { break };
                    log = again;
                    Ok(())
                }
                error => error,
            },
        };
        if result.is_err() || fake.is_dead() {
            break;
        }
        done.begun = 0;
    }
    done
}

/// Everything that was written and not acknowledged is there, in order; of what was acknowledged only what came after the
/// cursor; of the append in which the power went at most a beginning.
fn check(image: &Fake, done: &Done, context: &str) {
    let mut log = open(image);
    let left = all(&mut log);
    let first = left.first().copied().unwrap_or(done.written);
    let end = left.last().map_or(done.written, |last| last + 1);
    assert_eq!(left, numbers(first..first + left.len() as i64), "{context}: a gap");
    assert!(
        first <= done.acknowledged.max(done.saved),
        "{context}: {first} is the first, {} were taken",
        done.acknowledged
    );
    assert!(first >= done.saved, "{context}: {first} comes again, {} were saved", done.saved);
    assert!((done.written..=done.written + done.begun).contains(&end) || left.is_empty(), "{context}: ends at {end}");
    write(&mut log, 1000..1003).unwrap();
    assert_eq!(all(&mut log), numbers(1000..1003), "{context}: it goes on");
}

fn crash_everywhere(ops: &[Op]) {
    let calm = Fake::default();
    run(&calm, ops);
    for step in 0..calm.steps() {
        for torn in [Torn::Nothing, Torn::Half, Torn::AllButOne, Torn::All] {
            let fake = Fake::cut_at(step, torn);
            let done = run(&fake, ops);
            for undone in [false, true] {
                check(&fake.image(undone), &done, &format!("step {step}, {torn:?}, undone {undone}"));
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_written() {
    crash_everywhere(&[
        Op::Append(3),
        Op::Append(5),
        Op::Take(2),
        Op::Save,
        Op::Append(9),
        Op::Take(4),
        Op::Append(1),
        Op::Save,
        Op::Take(7),
        Op::Restart,
        Op::Append(2),
        Op::Take(100),
        Op::Append(4),
        Op::Save,
        Op::Take(1),
    ]);
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1i64..8).prop_map(Op::Append),
        3 => (1usize..12).prop_map(Op::Take),
        2 => Just(Op::Save),
        1 => Just(Op::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_done_a_power_cut_loses_nothing_that_was_written(ops in prop::collection::vec(op(), 1..12)) {
        crash_everywhere(&ops);
    }
}
