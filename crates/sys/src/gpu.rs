//! GPUs through NVML, the management library that NVIDIA's driver installs: `libnvidia-ml.so.1`, `nvml.dll`.
//!
//! It is loaded while the program runs, because most hosts have none. A library that lacks a function lacks one fact;
//! only what finds the devices is needed. The library is initialised for each reading and let go after it, so that the
//! agent never keeps a driver from being unloaded. It stays in memory for good: a thread may still hang in it.
//!
//! Whatever it answers is believed only within bounds: so many devices, so long a UUID, values that a card can have.
//! Source: the NVML API reference and the ABI of nvml.h (plain C; handles are opaque pointers, results are integers).

mod place;

use crate::types::{Gpu, GpuMemory};
use libloading::AsSymbolName;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::io;
use std::path::Path;

/// Far more than a host holds; a driver that tells of more is not followed further.
const MAX_DEVICES: u32 = 256;
/// NVML_DEVICE_UUID_V2_BUFFER_SIZE.
const UUID_BYTES: usize = 96;
/// NVML's own texts are one short sentence.
const MAX_TEXT_BYTES: usize = 128;

const SUCCESS: Status = 0;
const DRIVER_NOT_LOADED: Status = 9;
/// NVML is a shell around a library of the driver, and does not find it.
const LIBRARY_NOT_FOUND: Status = 12;
/// NVML_TEMPERATURE_GPU.
const CORE: c_uint = 0;

type Status = c_int;
type Device = *mut c_void;

/// nvmlMemory_t.
#[repr(C)]
#[derive(Default)]
struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

/// nvmlUtilization_t.
#[repr(C)]
#[derive(Default)]
struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

type Plain = unsafe extern "C" fn() -> Status;
type Count = unsafe extern "C" fn(*mut c_uint) -> Status;
type Handle = unsafe extern "C" fn(c_uint, *mut Device) -> Status;
type Text = unsafe extern "C" fn(Device, *mut c_char, c_uint) -> Status;
type Number = unsafe extern "C" fn(Device, *mut c_uint) -> Status;
type Sensor = unsafe extern "C" fn(Device, c_uint, *mut c_uint) -> Status;
type Space = unsafe extern "C" fn(Device, *mut Memory) -> Status;
type Load = unsafe extern "C" fn(Device, *mut Utilization) -> Status;
type Name = unsafe extern "C" fn(Status) -> *const c_char;

/// NVML, loaded and not initialised. NVML allows calls from any thread.
#[derive(Clone, Copy, Debug)]
pub struct Nvml {
    init: Plain,
    count: Count,
    handle: Handle,
    shutdown: Option<Plain>,
    uuid: Option<Text>,
    fan: Option<Number>,
    temperature: Option<Sensor>,
    memory: Option<Space>,
    utilization: Option<Load>,
    power: Option<Number>,
    error_text: Option<Name>,
}

impl Nvml {
    /// Loads the library of the host's driver.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is none; else that it cannot be loaded, or is not NVML.
    pub fn load() -> io::Result<Nvml> {
        let mut answer = Err(io::ErrorKind::NotFound.into());
        for place in place::all() {
            answer = Nvml::load_from(&place);
            if !matches!(&answer, Err(e) if e.kind() == io::ErrorKind::NotFound) {
                break;
            }
        }
        answer
    }

    /// Loads this file. A name without a folder is searched where the system's loader looks for libraries.
    ///
    /// # Errors
    /// As [`Nvml::load`].
    pub fn load_from(path: &Path) -> io::Result<Nvml> {
        let library = place::open(path)?;
        // SAFETY: each name belongs to the signature beside it (nvml.h); a name ending in `_v2` and the one without
        // have the same. The functions stay valid because the library is never unloaded: its handle is forgotten below.
        let nvml = unsafe {
            Nvml {
                init: needed(&library, "nvmlInit_v2", "nvmlInit")?,
                count: needed(&library, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount")?,
                handle: needed(&library, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex")?,
                shutdown: function(&library, "nvmlShutdown"),
                uuid: function(&library, "nvmlDeviceGetUUID"),
                fan: function(&library, "nvmlDeviceGetFanSpeed"),
                temperature: function(&library, "nvmlDeviceGetTemperature"),
                memory: function(&library, "nvmlDeviceGetMemoryInfo"),
                utilization: function(&library, "nvmlDeviceGetUtilizationRates"),
                power: function(&library, "nvmlDeviceGetPowerUsage"),
                error_text: function(&library, "nvmlErrorString"),
            }
        };
        std::mem::forget(library);
        Ok(nvml)
    }

    /// Reads every device, in the driver's order; one that does not answer is an empty row. Answers how many the driver
    /// tells of, which is more than the rows of `into` where it is beyond what is followed.
    ///
    /// Can take seconds for each device where no other program keeps the driver awake.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where the driver is not loaded; else what NVML says. `into` is empty then.
    pub fn read(&self, into: &mut Vec<Gpu>) -> io::Result<u32> {
        into.clear();
        // SAFETY: the function takes nothing.
        self.check("nvmlInit", unsafe { (self.init)() })?;
        let _session = Session(self.shutdown);
        let mut count: c_uint = 0;
        // SAFETY: the pointer is to a live integer, which the call sets.
        self.check("nvmlDeviceGetCount", unsafe { (self.count)(&raw mut count) })?;
        into.extend((0..count.min(MAX_DEVICES)).map(|index| self.device(index)));
        Ok(count)
    }

    fn device(&self, index: c_uint) -> Gpu {
        let mut device: Device = std::ptr::null_mut();
        // SAFETY: the pointer is to a live handle, which the call sets; the library is initialised.
        let status = unsafe { (self.handle)(index, &raw mut device) };
        if status != SUCCESS || device.is_null() {
            return Gpu::default();
        }
        let utilization = self.utilization.and_then(|call| {
            // SAFETY: see `ask`; the structure is laid out as in nvml.h.
            ask(|into: &mut Utilization| unsafe { call(device, into) })
        });
        Gpu {
            uuid: self.uuid.map(|call| uuid(call, device)).unwrap_or_default(),
            // SAFETY: see `ask`.
            fan_percent: believed(1000, self.fan.and_then(|call| ask(|into| unsafe { call(device, into) }))),
            temperature_c: believed(
                1000,
                // SAFETY: see `ask`; the sensor is one of the header's.
                self.temperature.and_then(|call| ask(|into| unsafe { call(device, CORE, into) })),
            ),
            memory: self.memory.and_then(|call| {
                // SAFETY: see `ask`; the structure is laid out as in nvml.h.
                let memory = ask(|into: &mut Memory| unsafe { call(device, into) })?;
                (memory.total > 0).then_some(GpuMemory { total_bytes: memory.total, used_bytes: memory.used })
            }),
            gpu_percent: believed(100, utilization.as_ref().map(|share| share.gpu)),
            memory_percent: believed(100, utilization.as_ref().map(|share| share.memory)),
            // SAFETY: see `ask`.
            power_mw: believed(1_000_000_000, self.power.and_then(|call| ask(|into| unsafe { call(device, into) }))),
        }
    }

    fn check(&self, call: &str, status: Status) -> io::Result<()> {
        let text = match status {
            SUCCESS => return Ok(()),
            DRIVER_NOT_LOADED | LIBRARY_NOT_FOUND => return Err(io::ErrorKind::NotFound.into()),
            _ => self.error_text.and_then(|name| {
                // SAFETY: the function takes any number, and answers null or a text of its own that ends with a NUL
                // and is never freed.
                let text = unsafe { name(status) };
                // SAFETY: as above.
                (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
            }),
        };
        let text = text.map(|text| String::from_utf8_lossy(text.get(..MAX_TEXT_BYTES).unwrap_or(text)));
        Err(io::Error::other(format!("{call}: {} ({status})", text.as_deref().unwrap_or("failed"))))
    }
}

/// An initialised library; let go with the value, however a reading ends.
struct Session(Option<Plain>);

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(shutdown) = self.0 {
            // SAFETY: the function takes nothing, and no handle is used after it. Its failure changes nothing here.
            let _ = unsafe { shutdown() };
        }
    }
}

/// What a call sets, if it succeeds. Every such call is given a live handle of an initialised library and a pointer to
/// a live value of the type in its signature, which it keeps no longer than the call.
fn ask<T: Default>(call: impl FnOnce(&mut T) -> Status) -> Option<T> {
    let mut value = T::default();
    (call(&mut value) == SUCCESS).then_some(value)
}

/// Some drivers succeed with all ones where a card has no sensor.
fn believed(most: u32, value: Option<u32>) -> Option<u32> {
    value.filter(|value| *value <= most)
}

/// Empty where it cannot be read; a text that fills the buffer without a NUL ends with the buffer.
fn uuid(call: Text, device: Device) -> String {
    let mut buffer = [0_u8; UUID_BYTES];
    // SAFETY: the handle is live, and the buffer has as many bytes as it is said to have.
    let status = unsafe { call(device, buffer.as_mut_ptr().cast(), UUID_BYTES as c_uint) };
    if status != SUCCESS {
        return String::new();
    }
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// # Safety
/// `F` must be the signature of the function of that name.
unsafe fn function<F: Copy>(library: &libloading::Library, name: impl AsSymbolName) -> Option<F> {
    // SAFETY: by this function's own condition.
    unsafe { library.get::<F>(name) }.ok().map(|function| *function)
}

/// # Safety
/// `F` must be the signature of the functions of both names.
unsafe fn needed<F: Copy>(library: &libloading::Library, name: &str, older: &str) -> io::Result<F> {
    // SAFETY: by this function's own condition.
    unsafe { function(library, name).or_else(|| function(library, older)) }
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("the library has no {older}")))
}
