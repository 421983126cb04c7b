//! GPUs as a made-up NVML tells of them (`interop/nvml/nvml.c`); each test builds its own and loads it by path.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "../../../interop/nvml/library.rs"]
mod library;

use falcon_sys::Nvml;
use falcon_sys::types::{Gpu, GpuMemory};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The file of a library that behaves so; `name` is that of one test, for tests run at the same time.
fn library(name: &str, how: &str, macros: &[&str]) -> PathBuf {
    library::build(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("nvml").join(name), how, macros)
}

fn nvml(name: &str, how: &str, macros: &[&str]) -> Nvml {
    Nvml::load_from(&library(name, how, macros)).unwrap()
}

fn read(nvml: &Nvml) -> io::Result<Vec<Gpu>> {
    let mut gpus = Vec::new();
    let count = nvml.read(&mut gpus)?;
    assert_eq!(gpus.len(), usize::try_from(count).unwrap());
    Ok(gpus)
}

/// Device 1 of the made-up library.
fn second() -> Gpu {
    Gpu {
        uuid: "GPU-8932f937-d72c-4106-c12f-000000000001".to_owned(),
        fan_percent: Some(41),
        temperature_c: Some(61),
        memory: Some(GpuMemory { total_bytes: (16 << 30) - 1, used_bytes: (2 << 30) - 1 }),
        gpu_percent: Some(31),
        memory_percent: Some(11),
        power_mw: Some(71_999),
    }
}

#[test]
fn every_device_is_read_again_and_again() {
    let nvml = nvml("two", "2", &[]);
    let first = read(&nvml).unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(first.last(), Some(&second()));
    // The library refuses to be initialised while it still is.
    assert_eq!(read(&nvml).unwrap(), first);
}

#[test]
fn a_reading_that_fails_lets_the_library_go_and_leaves_nothing_behind() {
    let nvml = nvml("countfails", "2,countfails", &[]);
    let mut gpus = vec![second()];
    for _ in 0..2 {
        let error = nvml.read(&mut gpus).unwrap_err();
        assert_eq!(error.to_string(), "nvmlDeviceGetCount: Unknown Error (999)");
        assert_eq!(gpus, []);
    }
}

#[test]
fn a_host_without_library_driver_or_device_is_told_from_a_broken_one() {
    let absent = Nvml::load_from(Path::new("libnvidia-ml-of-no-host.so.1")).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound, "{absent}");
    assert_eq!(read(&nvml("nodriver", "nodriver", &[])).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(&nvml("zero", "0", &[])).unwrap(), []);
    let failed = read(&nvml("initfails", "initfails", &[])).unwrap_err();
    assert_eq!(failed.to_string(), "nvmlInit: Unknown Error (999)");
    assert_ne!(failed.kind(), ErrorKind::NotFound);
    let foreign = Nvml::load_from(&library("foreign", "2", &["-DNOT_NVML"])).unwrap_err();
    assert_eq!((foreign.kind(), foreign.to_string().as_str()), (ErrorKind::InvalidData, "the library has no nvmlInit"));
    let broken = library("broken", "2", &[]);
    std::fs::write(&broken, "no library").unwrap();
    let broken = Nvml::load_from(&broken).unwrap_err();
    assert_ne!(broken.kind(), ErrorKind::NotFound, "{broken}");
}

#[test]
fn what_a_card_cannot_tell_is_absent_and_nothing_else() {
    type Take = fn(&mut Gpu);
    let without: [(&str, Take); 6] = [
        ("nofan", |gpu| gpu.fan_percent = None),
        ("notemp", |gpu| gpu.temperature_c = None),
        ("nomemory", |gpu| gpu.memory = None),
        ("noutil", |gpu| (gpu.gpu_percent, gpu.memory_percent) = (None, None)),
        ("nopower", |gpu| gpu.power_mw = None),
        ("nouuid", |gpu| gpu.uuid.clear()),
    ];
    for (how, take) in without {
        let mut expected = second();
        take(&mut expected);
        assert_eq!(read(&nvml(how, &format!("2,{how}"), &[])).unwrap().last(), Some(&expected), "{how}");
    }
}

#[test]
fn a_device_that_is_lost_keeps_its_place() {
    let gpus = read(&nvml("lost", "2,lost", &[])).unwrap();
    assert_eq!(gpus, [Gpu::default(), second()]);
}

/// Drivers of before 2013 have the first names only; here none of the facts either.
#[test]
fn an_old_library_is_asked_by_its_own_names() {
    assert_eq!(read(&nvml("old", "2", &["-DONLY_OLD"])).unwrap(), [Gpu::default(), Gpu::default()]);
}

#[test]
fn a_driver_that_tells_of_a_million_devices_is_not_followed() {
    let mut gpus = Vec::new();
    assert_eq!(nvml("million", "1000000", &[]).read(&mut gpus).unwrap(), 1_000_000);
    assert_eq!(gpus.len(), 256);
    assert_eq!(gpus.get(1), Some(&second()));
}

#[test]
fn a_uuid_without_an_end_ends_with_its_buffer() {
    let gpus = read(&nvml("longuuid", "1,longuuid", &[])).unwrap();
    assert_eq!(gpus.first().unwrap().uuid, "x".repeat(96));
}

#[test]
fn numbers_that_no_card_has_are_left_out() {
    let absurd = Gpu { uuid: second().uuid, memory: second().memory, ..Gpu::default() };
    assert_eq!(read(&nvml("absurd", "2,absurd", &[])).unwrap().last(), Some(&absurd));
}
