//! Services as the control manager tells of them (EnumServicesStatusExW), and how one is started (QueryServiceConfigW).
//!
//! Nothing but reading is asked for: CONNECT and ENUMERATE of the manager, QUERY_CONFIG of a service. A manager that is busy
//! may take its time.

use super::ffi::{Answer, Buffer, check};
use super::scm::{self, Handle, answered};
use crate::layout::service;
use crate::types::{Extent, Service, ServiceStart};
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_INVALID_LEVEL, ERROR_MORE_DATA};
use windows_sys::Win32::System::Services::{
    EnumServicesStatusExW, QUERY_SERVICE_CONFIGW, QueryServiceConfig2W, QueryServiceConfigW, SC_ENUM_PROCESS_INFO,
    SC_MANAGER_CONNECT, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_AUTO_START, SERVICE_CONFIG,
    SERVICE_CONFIG_DELAYED_AUTO_START_INFO, SERVICE_CONFIG_TRIGGER_INFO, SERVICE_QUERY_CONFIG, SERVICE_STATE_ALL,
    SERVICE_WIN32,
};

/// A host has 200 to 300 services.
const FIRST_BYTES: usize = 64 << 10;
/// The manager takes no larger buffer for its list; what is left comes in the next call.
const MOST_BYTES: usize = 256 << 10;
/// More services than any host was seen with, and calls that are enough for them.
const MOST_SERVICES: usize = 10_000;
const MOST_CALLS: usize = 256;
/// The manager takes no larger buffer for what is set for a service.
const CONFIG_BYTES: usize = 8 << 10;

/// All services, drivers and users' own copies left out; of those that `wants_start` wants, also how they are started. One
/// whose start may not be read has that error, and costs no other. May take long: ask on a thread that may be lost.
///
/// # Errors
/// The list's own.
pub fn services(wants_start: &dyn Fn(&Service) -> bool) -> io::Result<(Vec<Service>, Extent)> {
    let access = SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE;
    let manager = scm::manager(access)?;
    let mut buffer = Buffer::default();
    let (mut services, extent) = list(&manager, &mut buffer)?;
    for service in services.iter_mut().filter(|service| wants_start(service)) {
        service.start = Some(start(&manager, &service.name, &mut buffer));
    }
    Ok((services, extent))
}

fn list(manager: &Handle, buffer: &mut Buffer) -> io::Result<(Vec<Service>, Extent)> {
    let (mut services, mut resume) = (Vec::new(), 0);
    let mut extent = Extent::Cut;
    for _ in 0..MOST_CALLS {
        let (mut count, mut more) = (0, false);
        let bytes = buffer.fill(FIRST_BYTES, MOST_BYTES, |at, bytes| {
            let mut needed = 0;
            // SAFETY: the manager is open; `bytes` bytes lie at `at`, which is aligned to 8; the other pointers are to
            // live integers; no group means all.
            let ok = unsafe {
                let (level, kind, state) = (SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL);
                let (needed, count, resume) = (&raw mut needed, &raw mut count, &raw mut resume);
                EnumServicesStatusExW(
                    manager.raw(),
                    level,
                    kind,
                    state,
                    at.cast(),
                    bytes,
                    needed,
                    count,
                    resume,
                    ptr::null(),
                )
            };
            match check(ok) {
                // Texts lie at the end of the memory.
                Ok(()) => Answer::Filled(bytes as usize),
                Err(e) if e.raw_os_error() != Some(ERROR_MORE_DATA.cast_signed()) => Answer::Failed(e),
                Err(_) if count == 0 => Answer::TooSmall((bytes as usize).saturating_add(needed as usize)),
                Err(_) => {
                    more = true;
                    Answer::Filled(bytes as usize)
                }
            }
        })?;
        services.extend(service::services(bytes, bytes.as_ptr().addr() as u64, count as usize));
        if services.len() > MOST_SERVICES {
            services.truncate(MOST_SERVICES);
            break;
        }
        if !more {
            extent = Extent::Whole;
            break;
        }
    }
    Ok((services, extent))
}

fn start(manager: &Handle, name: &str, buffer: &mut Buffer) -> io::Result<ServiceStart> {
    let service = scm::open_in(manager, name, SERVICE_QUERY_CONFIG)?;
    let config = buffer.fill(CONFIG_BYTES, CONFIG_BYTES, |at, bytes| {
        let (mut needed, at) = (0, at.cast::<QUERY_SERVICE_CONFIGW>());
        // SAFETY: the service is open; `bytes` bytes lie at `at`, which is aligned to 8.
        answered(unsafe { QueryServiceConfigW(service.raw(), at, bytes, &raw mut needed) }, bytes, needed)
    })?;
    let mode = service::start_mode(config).ok_or(io::ErrorKind::InvalidData)?;
    if mode != SERVICE_AUTO_START {
        return Ok(ServiceStart { mode, ..ServiceStart::default() });
    }
    Ok(ServiceStart {
        mode,
        delayed: is_set(&service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, buffer)?,
        triggered: is_set(&service, SERVICE_CONFIG_TRIGGER_INFO, buffer)?,
    })
}

/// A level that the system does not know is not set.
fn is_set(service: &Handle, level: SERVICE_CONFIG, buffer: &mut Buffer) -> io::Result<bool> {
    let info = buffer.fill(CONFIG_BYTES, CONFIG_BYTES, |at, bytes| {
        let mut needed = 0;
        // SAFETY: the service is open; `bytes` bytes lie at `at`, which is aligned to 8.
        answered(
            unsafe { QueryServiceConfig2W(service.raw(), level, at.cast(), bytes, &raw mut needed) },
            bytes,
            needed,
        )
    });
    match info {
        Ok(info) => Ok(service::is_set(info)),
        Err(e) if e.raw_os_error() == Some(ERROR_INVALID_LEVEL.cast_signed()) => Ok(false),
        // More than has room is not nothing: only triggers take so much.
        Err(e) if e.kind() == io::ErrorKind::OutOfMemory => Ok(true),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_services_and_some_run() {
        let (services, extent) = super::services(&|service| service.state == 4).unwrap();
        assert_eq!(extent, Extent::Whole);
        assert!(services.len() >= 5, "{services:?}");
        assert!(services.iter().all(|service| !service.name.is_empty() && (1..=7).contains(&service.state)));
        let mut names: Vec<String> = services.iter().map(|service| service.name.to_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), services.len(), "each once");
        let running: Vec<_> = services.iter().filter(|service| service.state == 4).collect();
        assert!(!running.is_empty(), "{services:?}");
        for service in &services {
            match (&service.start, service.state) {
                (Some(Ok(start)), 4) => assert!((2..=4).contains(&start.mode), "{service:?}"),
                (start, 4) => panic!("{start:?} of {service:?}"),
                (start, _) => assert!(start.is_none(), "{service:?}"),
            }
        }
    }

    #[test]
    fn a_service_that_is_not_there_is_its_own_error() {
        let manager = scm::manager(SC_MANAGER_CONNECT).unwrap();
        let mut buffer = Buffer::default();
        assert_eq!(start(&manager, "NoSuchServiceOfAnyHost", &mut buffer).unwrap_err().raw_os_error(), Some(1060));
        assert_eq!(start(&manager, "a\0b", &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
