//! The 48 bytes of NTP and the arithmetic of their times; pure.
//!
//! Facts: RFC 5905 (figures 8 and 13, sections 6, 7.4 and 8) and RFC 4330. A time is seconds and their 2^32nd parts since
//! 1900, modulo 2^32 seconds; differences are taken modulo 2^64, so they are right across February 2036 and as long as two
//! clocks are less than 68 years apart.

use std::time::Duration;

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_S: i64 = 2_208_988_800;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const VERSION: u8 = 4;
/// Clocks of servers step by up to 16 ms: so much may their times contradict ours.
const SLACK_MS: f64 = 100.0;

/// What a question says: nothing but a number that the answer repeats. The time stays here: no server needs it.
pub(super) fn request(nonce: u64) -> [u8; 48] {
    let mut packet = [0; 48];
    packet[0] = (VERSION << 3) | CLIENT;
    for (byte, of) in packet.iter_mut().skip(TRANSMIT).zip(nonce.to_be_bytes()) {
        *byte = of;
    }
    packet
}

const ORIGINATE: usize = 24;
const RECEIVE: usize = 32;
const TRANSMIT: usize = 40;

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Times(Times),
    /// No answer to this question: from somebody else, or not NTP. The answer may still come.
    Foreign(&'static str),
    /// The server wants to be left alone; its code.
    Kiss(String),
    /// A server that does not know the time.
    Unsynchronised(String),
}

/// By the server's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    pub(super) received: u64,
    pub(super) transmitted: u64,
}

pub(super) fn read(packet: &[u8], nonce: u64) -> Reply {
    let Some([flags, stratum, ..]) = packet.first_chunk::<48>() else { return Reply::Foreign("an answer too short") };
    let time = |at: usize| packet.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
    if flags & 7 != SERVER {
        return Reply::Foreign("an answer that is not a server's");
    }
    if time(ORIGINATE) != nonce {
        return Reply::Foreign("an answer to another question");
    }
    if *stratum == 0 {
        let code: String = packet.iter().skip(12).take(4).map(|byte| char::from(*byte)).collect();
        // Of the other codes the RFC says that they have no effect: the server says why it does not know the time.
        return match code.as_str() {
            "DENY" | "RSTR" | "RATE" => Reply::Kiss(code),
            _ => Reply::Unsynchronised(format!(
                "it is not synchronised ({})",
                code.trim_end_matches('\0').escape_debug()
            )),
        };
    }
    let times = Times { received: time(RECEIVE), transmitted: time(TRANSMIT) };
    if flags >> 6 == 3 || *stratum > 15 || times.received == 0 || times.transmitted == 0 {
        return Reply::Unsynchronised(format!("it is not synchronised (leap {}, stratum {stratum})", flags >> 6));
    }
    Reply::Times(times)
}

/// What one exchange tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// Positive: the server's clock is ahead of this host's.
    pub(super) offset_ms: f64,
    /// On the way there and back.
    pub(super) delay_ms: f64,
}

/// `asked_us`: by this host's wall clock, since 1970. `elapsed`: until the answer, by the monotonic clock.
pub(super) fn reading(asked_us: i64, elapsed: Duration, times: Times) -> Option<Reading> {
    let asked = stamp(asked_us);
    let answered = asked.wrapping_add(fraction(elapsed));
    let delay_ms = ms_between(asked, answered) - ms_between(times.received, times.transmitted);
    if ms_between(times.received, times.transmitted) < -SLACK_MS || delay_ms < -SLACK_MS {
        return None;
    }
    let offset_ms = (ms_between(asked, times.received) + ms_between(answered, times.transmitted)) / 2.0;
    Some(Reading { offset_ms, delay_ms: delay_ms.max(0.0) })
}

fn stamp(unix_us: i64) -> u64 {
    const SECOND: i64 = 1_000_000;
    let seconds = unix_us.div_euclid(SECOND).wrapping_add(UNIX_EPOCH_S).cast_unsigned() << 32;
    let fraction = (unix_us.rem_euclid(SECOND).cast_unsigned() << 32) / SECOND.cast_unsigned();
    seconds | fraction
}

fn fraction(time: Duration) -> u64 {
    let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
    (time.as_secs() << 32) | fraction
}

#[allow(clippy::cast_precision_loss)]
fn ms_between(earlier: u64, later: u64) -> f64 {
    later.wrapping_sub(earlier).cast_signed() as f64 * 1000.0 / 4_294_967_296.0
}

/// A whole exchange with these bytes for an answer: the entry of the fuzz target. Whatever is told of it is a number.
pub fn fuzz_answer(data: &[u8]) {
    const NONCE: u64 = 0x0123_4567_89AB_CDEF;
    const ASKED_US: i64 = 1_700_000_000_000_000;
    if let Reply::Times(times) = read(data, NONCE)
        && let Some(told) = reading(ASKED_US, Duration::from_millis(10), times)
    {
        assert!(told.offset_ms.is_finite() && told.delay_ms.is_finite() && told.delay_ms >= 0.0, "{told:?}");
    }
}

/// An answer for tests.
#[cfg(test)]
pub(super) fn answer(flags: u8, stratum: u8, reference: [u8; 4], originate: u64, times: Times) -> [u8; 48] {
    let mut packet = [0; 48];
    (packet[0], packet[1]) = (flags, stratum);
    packet[12..16].copy_from_slice(&reference);
    for (at, time) in [(ORIGINATE, originate), (RECEIVE, times.received), (TRANSMIT, times.transmitted)] {
        packet[at..at + 8].copy_from_slice(&time.to_be_bytes());
    }
    packet
}

/// Times of a server at which no time passes, for tests.
#[cfg(test)]
pub(super) fn at_once(unix_us: i64) -> Times {
    Times { received: stamp(unix_us), transmitted: stamp(unix_us) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Server, version 4, no warning.
    const GOOD: u8 = 0x24;
    const NONCE: u64 = 0x0123_4567_89AB_CDEF;
    const TIMES: Times = Times { received: 7 << 32, transmitted: 8 << 32 };

    fn told(flags: u8, stratum: u8, reference: &[u8; 4], originate: u64, times: Times) -> Reply {
        read(&answer(flags, stratum, *reference, originate, times), NONCE)
    }

    #[test]
    fn a_question_tells_nothing_but_its_number() {
        let packet = request(NONCE);
        assert_eq!(packet[0], 0x23);
        assert_eq!(packet[40..], NONCE.to_be_bytes());
        assert!(packet[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(read(&packet, NONCE), Reply::Foreign("an answer that is not a server's"), "an echo");
    }

    #[test]
    fn only_an_answer_to_this_question_counts() {
        assert_eq!(told(GOOD, 2, b"\x0a\0\0\x01", NONCE, TIMES), Reply::Times(TIMES));
        assert_eq!(told(0x1c, 15, b"LOCL", NONCE, TIMES), Reply::Times(TIMES), "version 3");
        assert!(matches!(told(GOOD, 2, b"GPS\0", NONCE ^ 1, TIMES), Reply::Foreign(_)));
        assert!(matches!(told(GOOD, 2, b"GPS\0", 0, TIMES), Reply::Foreign(_)));
        for mode in [0, 1, 2, 3, 5, 6, 7] {
            assert!(matches!(told(0x20 | mode, 2, b"GPS\0", NONCE, TIMES), Reply::Foreign(_)), "{mode}");
        }
        let packet = answer(GOOD, 2, *b"GPS\0", NONCE, TIMES);
        for length in 0..48 {
            assert!(matches!(read(&packet[..length], NONCE), Reply::Foreign(_)), "{length}");
        }
        let mut long = packet.to_vec();
        long.extend([0xFF; 20]);
        assert_eq!(read(&long, NONCE), Reply::Times(TIMES), "with extensions");
    }

    #[test]
    fn kisses_are_told_from_servers_without_the_time() {
        for code in [b"DENY", b"RSTR", b"RATE"] {
            assert_eq!(told(0xe4, 0, code, NONCE, TIMES), Reply::Kiss(String::from_utf8_lossy(code).into_owned()));
        }
        assert!(matches!(told(0xe4, 0, b"RATE", NONCE ^ 1, TIMES), Reply::Foreign(_)), "anybody could send that");
        let why = |reply| match reply {
            Reply::Unsynchronised(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(told(0xe4, 0, b"INIT", NONCE, TIMES)), "it is not synchronised (INIT)");
        assert_eq!(why(told(GOOD, 0, b"\0\0\0\0", NONCE, TIMES)), "it is not synchronised ()");
        assert_eq!(why(told(GOOD, 0, b"\x1b[2J", NONCE, TIMES)), "it is not synchronised (\\u{1b}[2J)");
        assert_eq!(why(told(0xe4, 2, b"GPS\0", NONCE, TIMES)), "it is not synchronised (leap 3, stratum 2)");
        assert_eq!(why(told(GOOD, 16, b"GPS\0", NONCE, TIMES)), "it is not synchronised (leap 0, stratum 16)");
        for times in [Times { transmitted: 0, ..TIMES }, Times { received: 0, ..TIMES }] {
            assert!(matches!(told(GOOD, 2, b"GPS\0", NONCE, times), Reply::Unsynchronised(_)));
        }
    }

    /// 2023-11-14, a whole second.
    const NOW_US: i64 = 1_700_000_000_000_000;

    #[test]
    fn positive_is_a_server_ahead_and_the_way_is_taken_as_even() {
        let ahead = at_once(NOW_US + 500_000 + 20_000);
        let read = reading(NOW_US, Duration::from_millis(40), ahead).expect("sound");
        assert!((read.offset_ms - 500.0).abs() < 1e-6 && (read.delay_ms - 40.0).abs() < 1e-6, "{read:?}");
        let behind = at_once(NOW_US - 3_600_000_000);
        let read = reading(NOW_US, Duration::ZERO, behind).expect("sound");
        assert_eq!((read.offset_ms, read.delay_ms), (-3_600_000.0, 0.0));
    }

    #[test]
    fn the_era_of_2036_changes_nothing() {
        let last = (1 << 32) - UNIX_EPOCH_S;
        let (last_us, next_us) = ((last - 1) * 1_000_000, (last + 1) * 1_000_000);
        assert_eq!(stamp(last_us), u64::from(u32::MAX) << 32);
        assert_eq!(stamp(next_us), 1 << 32, "the second second of era 1");
        let offset = |from, to| reading(from, Duration::ZERO, at_once(to)).expect("sound").offset_ms;
        assert_eq!((offset(last_us, next_us), offset(next_us, last_us)), (2000.0, -2000.0));
        // A host that starts in 1970 is 66 years away from a server of 2036.
        assert_eq!(offset(0, next_us), 2_085_978_497_000.0);
        assert!((ms_between(stamp(-1), stamp(0)) - 0.001).abs() < 1e-6, "before 1970 too");
    }

    #[test]
    fn times_that_contradict_each_other_are_no_reading() {
        let second = Duration::from_secs(1);
        let times = |received_us: i64, transmitted_us: i64| Times {
            received: stamp(NOW_US + received_us),
            transmitted: stamp(NOW_US + transmitted_us),
        };
        assert!(reading(NOW_US, second, times(0, 1_000_000)).is_some());
        assert_eq!(reading(NOW_US, second, times(0, 1_050_000)).map(|r| r.delay_ms), Some(0.0), "a coarse clock");
        assert_eq!(reading(NOW_US, second, times(0, 2_000_000)), None, "it had the question longer than we waited");
        assert_eq!(reading(NOW_US, second, times(1_000_000, 0)), None, "it answered before it was asked");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_finite_or_nothing(
            packet in prop::collection::vec(any::<u8>(), 0..80), nonce: u64, now: i64, elapsed: u32,
        ) {
            if let Reply::Times(times) = read(&packet, nonce)
                && let Some(read) = reading(now, Duration::from_micros(u64::from(elapsed)), times)
            {
                prop_assert!(read.offset_ms.is_finite() && read.delay_ms.is_finite() && read.delay_ms >= 0.0);
            }
        }

        /// As the above, but all the way into the arithmetic.
        #[test]
        fn whatever_times_a_server_tells(received: u64, transmitted: u64, now: i64, elapsed: u32) {
            let times = Times { received, transmitted };
            if let Some(read) = reading(now, Duration::from_micros(u64::from(elapsed)), times) {
                prop_assert!(read.offset_ms.is_finite() && read.delay_ms >= 0.0);
                prop_assert!(read.offset_ms.abs() <= 2_147_483_648_000.0, "68 years: {}", read.offset_ms);
            }
        }
    }
}
