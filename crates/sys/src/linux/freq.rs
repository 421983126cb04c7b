//! How fast the processors run now: `cpu MHz` of `/proc/cpuinfo` (x86), else `scaling_cur_freq` of cpufreq (kHz).
//!
//! A host without either, which most virtual ARM machines are, has no such number.

use super::text::{first_number, lines};
use super::{Host, files};
use std::fmt::Write;
use std::io;
use std::os::fd::AsFd;

/// A processor that claims more is not believed.
const MAX_MHZ: f64 = 1e6;

impl Host {
    /// The mean over the processors, in MHz.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the kernel does not tell.
    pub fn cpu_mhz(&mut self) -> io::Result<f64> {
        let told = self.read("proc/cpuinfo").ok().and_then(|()| parse_cpuinfo(&self.file));
        self.release();
        let untold = || io::Error::new(io::ErrorKind::Unsupported, "neither /proc/cpuinfo nor cpufreq tells it");
        told.or_else(|| self.scaling_mhz()).ok_or_else(untold)
    }

    fn scaling_mhz(&mut self) -> Option<f64> {
        let dir = files::open_dir(self.root.dir().ok()?, "sys/devices/system/cpu").ok()?;
        let mut mean = Mean::default();
        files::each_entry(&dir, |name| {
            let Some(number) = files::numbered(name, "cpu") else { return };
            self.path.clear();
            // Writing to a String does not fail.
            let _ = write!(self.path, "cpu{number}/cpufreq/scaling_cur_freq");
            if files::read(dir.as_fd(), &self.path, &mut self.file).is_ok()
                && let Some(khz) = first_number(&self.file)
            {
                mean.add(khz as f64 / 1000.0);
            }
        })
        .ok()?;
        mean.get()
    }
}

fn parse_cpuinfo(bytes: &[u8]) -> Option<f64> {
    let mut mean = Mean::default();
    for line in lines(bytes) {
        if let Some((key, value)) = line.split_once(':')
            && key.trim() == "cpu MHz"
            && let Ok(mhz) = value.trim().parse()
        {
            mean.add(mhz);
        }
    }
    mean.get()
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    /// Adds what can be a frequency.
    fn add(&mut self, mhz: f64) {
        if mhz > 0.0 && mhz <= MAX_MHZ {
            self.sum += mhz;
            self.count = self.count.saturating_add(1);
        }
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    #[test]
    fn the_mean_of_all_processors() {
        let one = |mhz: &str| {
            format!("processor\t: 0\nmodel name\t: X @ 2.20GHz\ncpu MHz\t\t: {mhz}\ncache size\t: 1 KB\n\n")
        };
        let file = one("2200.000") + &one("800.5") + "bogomips\t: 4400.00\n";
        assert_eq!(parse_cpuinfo(file.as_bytes()), Some(1500.25));
        for end in 0..file.len() {
            assert!(parse_cpuinfo(&file.as_bytes()[..end]).is_none_or(|mhz| mhz > 0.0 && mhz <= 2200.0), "{end}");
        }
        let many = one("3000").repeat(128);
        assert_eq!(parse_cpuinfo(many.as_bytes()), Some(3000.0));
    }

    #[test]
    fn what_cannot_be_a_frequency_is_left_out() {
        for value in ["", "0", "0.000", "-5", "nan", "inf", "1e300", "fast", "2200 MHz"] {
            let file = format!("cpu MHz : {value}\n\u{fffd}\ncpu MHz : 1000\n");
            assert_eq!(parse_cpuinfo(file.as_bytes()), Some(1000.0), "{value:?}");
            assert_eq!(parse_cpuinfo(format!("cpu MHz : {value}\n").as_bytes()), None, "{value:?}");
        }
        assert_eq!(parse_cpuinfo(b""), None);
    }

    #[test]
    fn without_cpuinfo_the_scaling_driver_is_asked() {
        let (dir, mut host) = fixture::host(&[
            ("proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 108.00\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n"),
            ("sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq", "600000\n"),
            ("sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "<unknown>\n"),
            ("sys/devices/system/cpu/cpufreq/scaling_cur_freq", "999\n"),
            ("sys/devices/system/cpu/online", "0-10\n"),
        ]);
        assert_eq!(host.cpu_mhz().unwrap(), 1200.0);
        std::fs::remove_dir_all(dir.path().join("sys")).unwrap();
        let untold = host.cpu_mhz().unwrap_err();
        assert_eq!(untold.kind(), io::ErrorKind::Unsupported);
        assert_eq!(untold.to_string(), "neither /proc/cpuinfo nor cpufreq tells it");
    }
}
