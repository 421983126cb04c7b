//! Processors: their times, interrupts, context switches and clocks. One record a processor, one answer a group.

use super::{positive_at, u32_at};

/// Bytes of a SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION: idle, kernel, user, DPC and interrupt time in 100 ns, the count
/// of interrupts, padding (winternl.h; the reserved fields have the names of the kernel's headers).
pub(crate) const TIMES_BYTES: usize = 48;

/// Bytes of a SYSTEM_INTERRUPT_INFORMATION: context switches, DPCs, DPC rate, time increment, DPC and APC bypasses, all
/// of 32 bits (the kernel's headers).
pub(crate) const SWITCHES_BYTES: usize = 24;

/// Bytes of a PROCESSOR_POWER_INFORMATION: number, MaxMhz, CurrentMhz, MhzLimit, two idle states, all of 32 bits
/// (powerbase.h).
pub(crate) const POWER_BYTES: usize = 24;

/// The time of one or several processors, in 100 ns; a negative time counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub idle: u64,
    /// Includes idle, interrupt and DPC time.
    pub kernel: u64,
    pub user: u64,
    pub dpc: u64,
    pub interrupt: u64,
    /// As the processor counts them: 32 bits, which wrap.
    pub interrupts: u32,
}

/// The processors of one group; a record that is cut off is none.
pub(crate) fn times(bytes: &[u8]) -> impl Iterator<Item = Times> {
    bytes.chunks_exact(TIMES_BYTES).filter_map(|record| {
        Some(Times {
            idle: positive_at(record, 0)?,
            kernel: positive_at(record, 8)?,
            user: positive_at(record, 16)?,
            dpc: positive_at(record, 24)?,
            interrupt: positive_at(record, 32)?,
            interrupts: u32_at(record, 40)?,
        })
    })
}

/// What one processor counts besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switches {
    pub context_switches: u32,
    pub dpcs: u32,
}

pub(crate) fn switches(bytes: &[u8]) -> impl Iterator<Item = Switches> {
    bytes
        .chunks_exact(SWITCHES_BYTES)
        .filter_map(|record| Some(Switches { context_switches: u32_at(record, 0)?, dpcs: u32_at(record, 4)? }))
}

/// The mean clock of all processors that tell theirs.
pub(crate) fn mean_mhz(bytes: &[u8]) -> Option<f64> {
    let clocks = bytes.chunks_exact(POWER_BYTES).filter_map(|record| u32_at(record, 8)).filter(|&mhz| mhz > 0);
    let (count, sum) = clocks.fold((0_u32, 0.0), |(count, sum), mhz| (count.saturating_add(1), sum + f64::from(mhz)));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_place() {
        let mut bytes = Vec::new();
        for record in [0_u64, 100] {
            (1..=5).for_each(|field| bytes.extend((record + field + (1 << 40)).to_le_bytes()));
            bytes.extend(u32::MAX.to_le_bytes());
            // Padding behind the count is not always zero.
            bytes.extend([0xAA; 4]);
        }
        let high = 1 << 40;
        let first = Times {
            idle: high + 1,
            kernel: high + 2,
            user: high + 3,
            dpc: high + 4,
            interrupt: high + 5,
            interrupts: u32::MAX,
        };
        let all: Vec<_> = times(&bytes).collect();
        assert_eq!((all.len(), all[0], all[1].interrupt), (2, first, high + 105));
        for cut in 0..bytes.len() {
            assert_eq!(times(&bytes[..cut]).count(), cut / TIMES_BYTES);
        }
    }

    #[test]
    fn a_negative_time_is_none() {
        let bytes: Vec<u8> = [i64::MIN, -1, i64::MAX, 7, 8, 0].into_iter().flat_map(i64::to_le_bytes).collect();
        let time = times(&bytes).next().unwrap();
        assert_eq!((time.idle, time.kernel, time.user, time.dpc), (0, 0, i64::MAX as u64, 7));
    }

    #[test]
    fn switches_and_dpcs_are_the_first_two_of_six() {
        let bytes: Vec<u8> = (1_u32..=13).flat_map(u32::to_le_bytes).collect();
        let all: Vec<_> = switches(&bytes).map(|one| (one.context_switches, one.dpcs)).collect();
        assert_eq!(all, [(1, 2), (7, 8)]);
    }

    #[test]
    fn the_clock_is_the_mean_of_those_that_tell() {
        let record = |mhz: u32| [0, 4000, mhz, 4000, 0, 0].into_iter().flat_map(u32::to_le_bytes);
        let bytes: Vec<u8> = record(2000).chain(record(0)).chain(record(3001)).collect();
        assert_eq!(mean_mhz(&bytes), Some(2500.5));
        assert_eq!(mean_mhz(&bytes[..POWER_BYTES - 1]), None);
        assert_eq!(mean_mhz(&record(0).collect::<Vec<_>>()), None);
        assert_eq!(mean_mhz(&record(u32::MAX).collect::<Vec<_>>()), Some(f64::from(u32::MAX)));
    }
}
