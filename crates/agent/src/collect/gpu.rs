//! `gpu.*`: NVIDIA's GPUs, through the library that their driver installs.
//!
//! Names, units and whole numbers are the Go agent's, also what it does with cards that cannot tell everything: a
//! device without temperature, memory or utilisation has at most a fan, and counts as idle in the averages; power that
//! cannot be read is 0. Series that it would send twice are sent once: those of a second device with the same UUID, or
//! with none.

use std::time::Duration;

use falcon_sys::Nvml;
use falcon_sys::types::{Gpu, GpuMemory};

use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec, float};
use crate::model::{Metric, Sets, Tags};

/// How long a library is left alone that finds no driver: asking makes it look for device files, and may make it run
/// the program that creates them.
const PAUSE: Duration = Duration::from_secs(600);

const SOURCE: &str = "NVML";

const fn device(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::FALCON, SOURCE).tags(&["uuid"]).help(help)
}
const fn all(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, unit, Sets::FALCON, SOURCE).help(help)
}

const FAN: Metric = device("gpu.fan.speed", "%", "what the fan is told to do");
const TEMPERATURE: Metric = device("gpu.temperature", "deg C", "of the chip");
const MEMORY_TOTAL: Metric = device("gpu.memory.total", "MiB", "size");
const MEMORY_USED: Metric = device("gpu.memory.used", "MiB", "in use");
const MEMORY_UTIL: Metric = device("gpu.memory.util", "%", "of the last sample, with memory read or written");
const UTIL: Metric = device("gpu.util", "%", "of the last sample, with work to do");
const POWER: Metric = device("gpu.power.usage", "W", "drawn by the card; 0 where it cannot tell");
const COUNT: Metric = all("gpu.count", "devices", "that the driver has");
const UTIL_AVG: Metric = all("gpu.util.avg", "%", "mean of all devices");
const MEMORY_UTIL_AVG: Metric = all("gpu.memory.util.avg", "%", "mean of all devices");

pub(super) const SPEC: Spec = Spec {
    name: "gpu",
    check: "gpu",
    lane: Lane::Gpu,
    rates: false,
    metrics: &[FAN, TEMPERATURE, MEMORY_TOTAL, MEMORY_USED, MEMORY_UTIL, UTIL, POWER, COUNT, UTIL_AVG, MEMORY_UTIL_AVG],
    // Only looks for the library: the driver is asked on a thread that may be lost.
    options: &[],
    open: |cx: &Context| match Nvml::load() {
        Ok(nvml) => Ok(Some(Box::new(Gpus {
            nvml,
            guard: Guard::new(Guarded::Gpus, &cx.config, &cx.stats),
            gpus: Vec::new(),
            pause: Pause::default(),
        }))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    },
};

struct Gpus {
    nvml: Nvml,
    guard: Guard,
    gpus: Vec<Gpu>,
    pause: Pause,
}

impl Collector for Gpus {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        if !self.pause.is_over(cx.tick.elapsed) {
            return Ok(());
        }
        match self.nvml.read(&mut self.gpus) {
            Ok(told) => {
                // By place: a card without a UUID is one as well.
                let mut places: Vec<usize> = (0..self.gpus.len()).collect();
                self.guard.apply(cx, &mut places, ToString::to_string, |_| 0);
                self.gpus.truncate(places.len());
                report(cx, &self.gpus, told);
            }
            // A driver that is not loaded is no fault: the library is part of images for hosts with and without a GPU.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.pause = Pause(PAUSE),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// What is left of a pause.
#[derive(Default)]
struct Pause(Duration);

impl Pause {
    /// Takes off the time since it was last asked; where that is not known, the pause is over.
    fn is_over(&mut self, elapsed: Option<Duration>) -> bool {
        self.0 = elapsed.map_or(Duration::ZERO, |elapsed| self.0.saturating_sub(elapsed));
        self.0.is_zero()
    }
}

fn report(cx: &mut Cx<'_>, gpus: &[Gpu], told: u32) {
    if gpus.is_empty() {
        return;
    }
    let count = gpus.len() as u64;
    if u64::from(told) > count {
        cx.remark("devices", format!("the driver tells of {told}, the first {count} are reported"));
    }
    let mut said = Vec::new();
    let (mut util, mut memory_util) = (0, 0);
    for (index, gpu) in gpus.iter().enumerate() {
        let whole = whole(gpu);
        match whole {
            Some((_, _, gpu_percent, memory_percent)) => {
                util += u64::from(gpu_percent);
                memory_util += u64::from(memory_percent);
            }
            None => cx.remark(format!("device {index}"), "cannot be read, or in part only; it counts as idle"),
        }
        if whole.is_none() && gpu.fan_percent.is_none() {
            continue;
        }
        let tags = Tags::of(&[("uuid", &gpu.uuid)]);
        if said.contains(&tags) {
            cx.remark(
                format!("device {index}"),
                format!("is left out: another one is {tags} already", tags = tags.as_str()),
            );
            continue;
        }
        if let Some(percent) = gpu.fan_percent {
            cx.emit(&FAN, &tags, percent.into());
        }
        if let Some((temperature_c, memory, gpu_percent, memory_percent)) = whole {
            cx.emit(&TEMPERATURE, &tags, temperature_c.into());
            cx.emit(&MEMORY_TOTAL, &tags, float(memory.total_bytes >> 20));
            cx.emit(&MEMORY_USED, &tags, float(memory.used_bytes >> 20));
            cx.emit(&MEMORY_UTIL, &tags, memory_percent.into());
            cx.emit(&UTIL, &tags, gpu_percent.into());
            cx.emit(&POWER, &tags, (gpu.power_mw.unwrap_or(0) / 1000).into());
        }
        said.push(tags);
    }
    cx.emit(&COUNT, &Tags::NONE, float(count));
    cx.emit(&UTIL_AVG, &Tags::NONE, float(util / count));
    cx.emit(&MEMORY_UTIL_AVG, &Tags::NONE, float(memory_util / count));
}

/// Temperature, memory, utilisation and that of the memory; none of them without the others.
fn whole(gpu: &Gpu) -> Option<(u32, GpuMemory, u32, u32)> {
    Some((gpu.temperature_c?, gpu.memory?, gpu.gpu_percent?, gpu.memory_percent?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::Platform;

    /// A card whose numbers show where a division cuts.
    fn card(uuid: &str) -> Gpu {
        const MIB: u64 = 1 << 20;
        Gpu {
            uuid: uuid.to_owned(),
            fan_percent: Some(41),
            temperature_c: Some(61),
            memory: Some(GpuMemory { total_bytes: 16_384 * MIB - 1, used_bytes: 2048 * MIB + 1 }),
            gpu_percent: Some(30),
            memory_percent: Some(10),
            power_mw: Some(71_999),
        }
    }

    /// `metric/tags value` of each point, in the order in which they are said, and the remarks.
    fn reported(gpus: &[Gpu], told: u32) -> (Vec<String>, Vec<String>) {
        let ((), collected) = with_cx(Sets::FALCON, Platform::CURRENT, |cx| report(cx, gpus, told));
        let point = |s: &crate::model::Sample| format!("{}/{} {}", s.metric, s.tags.as_str(), s.value.get());
        let remarks = collected.remarks.iter().map(|(what, why)| format!("{what}: {why}")).collect();
        (collected.samples.iter().map(point).collect(), remarks)
    }

    #[test]
    fn numbers_are_whole_as_the_go_agent_sends_them() {
        let second = Gpu { gpu_percent: Some(31), memory_percent: Some(13), ..card("b") };
        let (points, remarks) = reported(&[card("a"), second], 2);
        assert_eq!(
            points[..7],
            [
                "gpu.fan.speed/uuid=a 41",
                "gpu.temperature/uuid=a 61",
                "gpu.memory.total/uuid=a 16383",
                "gpu.memory.used/uuid=a 2048",
                "gpu.memory.util/uuid=a 10",
                "gpu.util/uuid=a 30",
                "gpu.power.usage/uuid=a 71",
            ]
        );
        assert_eq!(points[14..], ["gpu.count/ 2", "gpu.util.avg/ 30", "gpu.memory.util.avg/ 11"]);
        assert_eq!(remarks, Vec::<String>::new());
    }

    #[test]
    fn a_card_that_cannot_tell_everything_has_its_fan_and_counts_as_idle() {
        type Take = fn(&mut Gpu);
        let without: [Take; 4] = [
            |gpu| gpu.temperature_c = None,
            |gpu| gpu.memory = None,
            |gpu| gpu.gpu_percent = None,
            |gpu| gpu.memory_percent = None,
        ];
        for take in without {
            let mut gpu = card("b");
            take(&mut gpu);
            let (points, remarks) = reported(&[card("a"), gpu.clone()], 2);
            assert_eq!(
                points[7..],
                ["gpu.fan.speed/uuid=b 41", "gpu.count/ 2", "gpu.util.avg/ 15", "gpu.memory.util.avg/ 5"]
            );
            assert_eq!(remarks, ["device 1: cannot be read, or in part only; it counts as idle"]);
            gpu.fan_percent = None;
            assert_eq!(reported(&[gpu], 1).0, ["gpu.count/ 1", "gpu.util.avg/ 0", "gpu.memory.util.avg/ 0"]);
        }
    }

    #[test]
    fn power_that_cannot_be_read_is_0_and_a_fan_is_absent() {
        let (points, _) = reported(&[Gpu { power_mw: None, fan_percent: None, ..card("a") }], 1);
        assert_eq!(points[0], "gpu.temperature/uuid=a 61");
        assert_eq!(points[5], "gpu.power.usage/uuid=a 0");
    }

    #[test]
    fn cards_without_a_uuid_are_one_series_and_not_two_points_of_one_time() {
        let (points, remarks) = reported(&[Gpu::default(), card(""), card("")], 3);
        assert_eq!(points.iter().filter(|point| point.starts_with("gpu.util/uuid= ")).count(), 1, "{points:?}");
        assert_eq!(points.last().map(String::as_str), Some("gpu.memory.util.avg/ 6"));
        assert_eq!(remarks[1], "device 2: is left out: another one is uuid= already");
    }

    #[test]
    fn no_device_says_nothing_and_too_many_are_told() {
        assert_eq!(reported(&[], 0), (Vec::new(), Vec::new()));
        let (points, remarks) = reported(&[card("a")], 1_000_000);
        assert_eq!(points[7], "gpu.count/ 1");
        assert_eq!(remarks, ["devices: the driver tells of 1000000, the first 1 are reported"]);
    }

    #[test]
    fn a_library_without_a_driver_is_left_alone_for_ten_minutes() {
        let step = Some(Duration::from_secs(60));
        assert!(Pause::default().is_over(step));
        let mut pause = Pause(PAUSE);
        assert_eq!((1..20).find(|_| pause.is_over(step)), Some(10));
        let mut pause = Pause(PAUSE);
        assert!(!pause.is_over(step) && pause.is_over(None));
    }

    #[test]
    fn the_largest_numbers_of_a_driver_stay_numbers() {
        let memory = Some(GpuMemory { total_bytes: u64::MAX, used_bytes: u64::MAX });
        let most = Some(u32::MAX);
        let gpu = Gpu { memory, gpu_percent: most, memory_percent: most, power_mw: most, ..card("a") };
        let gpus = vec![gpu; 64];
        assert_eq!(reported(&gpus, 64).0[8], "gpu.util.avg/ 4294967295");
    }
}
