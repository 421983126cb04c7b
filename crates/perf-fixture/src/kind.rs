//! `CounterType` of every documented type of counter, as winperf.h composes them.

pub const RAWCOUNT: u32 = 0x0001_0000;
pub const LARGE_RAWCOUNT: u32 = 0x0001_0100;
pub const RAWCOUNT_HEX: u32 = 0;
pub const LARGE_RAWCOUNT_HEX: u32 = 0x100;
pub const DOUBLE_RAW: u32 = 0x0001_2000;
pub const TEXT: u32 = 0xB00;
pub const DELTA: u32 = 0x0040_0400;
pub const LARGE_DELTA: u32 = 0x0040_0500;
pub const COUNTER: u32 = 0x1041_0400;
pub const BULK_COUNT: u32 = 0x1041_0500;
pub const SAMPLE_COUNTER: u32 = 0x0041_0400;
pub const QUEUELEN: u32 = 0x0045_0400;
pub const LARGE_QUEUELEN: u32 = 0x0045_0500;
pub const NS100_QUEUELEN: u32 = 0x0055_0500;
pub const OBJ_TIME_QUEUELEN: u32 = 0x0065_0500;
pub const TIMER: u32 = 0x2041_0500;
pub const TIMER_INV: u32 = 0x2141_0500;
pub const NS100_TIMER: u32 = 0x2051_0500;
pub const NS100_TIMER_INV: u32 = 0x2151_0500;
pub const OBJ_TIME_TIMER: u32 = 0x2061_0500;
pub const PRECISION_SYSTEM_TIMER: u32 = 0x2047_0500;
pub const PRECISION_100NS_TIMER: u32 = 0x2057_0500;
pub const PRECISION_OBJECT_TIMER: u32 = 0x2067_0500;
/// PERF_PRECISION_TIMESTAMP too: one number.
pub const LARGE_RAW_BASE: u32 = 0x4003_0500;
pub const RAW_FRACTION: u32 = 0x2002_0400;
pub const LARGE_RAW_FRACTION: u32 = 0x2002_0500;
pub const RAW_BASE: u32 = 0x4003_0403;
pub const SAMPLE_FRACTION: u32 = 0x20C2_0400;
pub const SAMPLE_BASE: u32 = 0x4003_0401;
pub const AVERAGE_TIMER: u32 = 0x3002_0400;
pub const AVERAGE_BASE: u32 = 0x4003_0402;
pub const AVERAGE_BULK: u32 = 0x4002_0500;
pub const MULTI_TIMER: u32 = 0x2241_0500;
pub const MULTI_TIMER_INV: u32 = 0x2341_0500;
pub const NS100_MULTI_TIMER: u32 = 0x2251_0500;
pub const NS100_MULTI_TIMER_INV: u32 = 0x2351_0500;
pub const MULTI_BASE: u32 = 0x4203_0500;
pub const ELAPSED_TIME: u32 = 0x3024_0500;
pub const NODATA: u32 = 0x4000_0200;

/// Bytes that a value of this type has: its size bits say 4, 8 or none. A text is as long as its provider likes, here 8; a
/// double has 8, whatever they say.
pub fn size(kind: u32) -> u32 {
    match kind & 0x300 {
        0 if kind != DOUBLE_RAW => 4,
        0x200 => 0,
        _ => 8,
    }
}

#[test]
fn sizes_are_those_that_the_types_say() {
    assert_eq!([RAWCOUNT, COUNTER, RAW_BASE, AVERAGE_BASE].map(size), [4; 4]);
    assert_eq!([LARGE_RAWCOUNT, BULK_COUNT, LARGE_RAW_BASE, DOUBLE_RAW, TEXT].map(size), [8; 5]);
    assert_eq!(size(NODATA), 0);
}
