//! Asking and telling the service control manager. Each call asks for the rights it needs and for no more, for an
//! administrator may have taken the others away; refusals keep their number, by which callers tell what to do.
//!
//! Source: Microsoft's reference of OpenService, CreateService, ChangeServiceConfig, QueryServiceConfig,
//! QueryServiceStatusEx, StartService, ControlService and DeleteService.

use super::ffi::{Answer, Buffer, check, last_error, len_u32, size_u32, text_at, wide};
use super::settings;
use crate::types::{NewService, Registration, ServiceCommand, ServiceState, ServiceStatus, StartMode};
use std::ffi::OsStr;
use std::{io, ptr};
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_SERVICE_DOES_NOT_EXIST};
use windows_sys::Win32::Storage::FileSystem::DELETE;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfigW, CloseServiceHandle, ControlService, CreateServiceW, DeleteService, OpenSCManagerW,
    OpenServiceW, QUERY_SERVICE_CONFIGW, QueryServiceConfigW, QueryServiceStatusEx, SC_HANDLE, SC_MANAGER_CONNECT,
    SC_MANAGER_CREATE_SERVICE, SC_STATUS_PROCESS_INFO, SERVICE_CHANGE_CONFIG, SERVICE_CONTROL_PARAMCHANGE,
    SERVICE_CONTROL_STOP, SERVICE_ERROR_NORMAL, SERVICE_NO_CHANGE, SERVICE_PAUSE_CONTINUE, SERVICE_QUERY_CONFIG,
    SERVICE_QUERY_STATUS, SERVICE_START, SERVICE_STATUS, SERVICE_STATUS_PROCESS, SERVICE_STOP,
    SERVICE_WIN32_OWN_PROCESS, StartServiceW,
};
use windows_sys::core::PCWSTR;

/// The reference of QueryServiceConfig and QueryServiceConfig2 says that 8 KB always do.
pub(super) const FIRST_BYTES: usize = 1 << 10;
pub(super) const MOST_BYTES: usize = 64 << 10;

/// A handle to the manager or to a service.
pub(super) struct Handle(SC_HANDLE);

impl Handle {
    /// The answer of a call that opens; nothing may be called in between.
    fn of(handle: SC_HANDLE) -> io::Result<Handle> {
        if handle.is_null() { Err(last_error()) } else { Ok(Handle(handle)) }
    }

    pub(super) fn raw(&self) -> SC_HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by a call that succeeded, is ours alone and is closed here only.
        unsafe { CloseServiceHandle(self.0) };
    }
}

pub(super) fn manager(rights: u32) -> io::Result<Handle> {
    // SAFETY: null names mean this machine and the services that are active.
    Handle::of(unsafe { OpenSCManagerW(ptr::null(), ptr::null(), rights) })
}

/// A service, opened with these rights.
pub(super) fn open(name: &str, rights: u32) -> io::Result<Handle> {
    open_in(&manager(SC_MANAGER_CONNECT)?, name, rights)
}

/// The same, of a manager that is open already.
pub(super) fn open_in(manager: &Handle, name: &str, rights: u32) -> io::Result<Handle> {
    let name = wide(OsStr::new(name))?;
    // SAFETY: the manager is open, the name ends with a NUL. A service stays open without its manager.
    Handle::of(unsafe { OpenServiceW(manager.0, name.as_ptr(), rights) })
}

/// [`open`], or `None` where there is no such service.
pub(super) fn find(name: &str, rights: u32) -> io::Result<Option<Handle>> {
    match open(name, rights) {
        Ok(service) => Ok(Some(service)),
        Err(e) if e.raw_os_error() == Some(ERROR_SERVICE_DOES_NOT_EXIST.cast_signed()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Text that a call may leave out: its units live as long as the vector does.
fn optional(text: Option<&str>) -> io::Result<Option<Vec<u16>>> {
    text.map(|text| wide(OsStr::new(text))).transpose()
}

fn pointer(text: &Option<Vec<u16>>) -> PCWSTR {
    text.as_ref().map_or(ptr::null(), |units| units.as_ptr())
}

/// How a service stands (QueryServiceStatusEx); `None` where there is no such service.
///
/// # Errors
/// Those of the calls.
pub fn service_status(name: &str) -> io::Result<Option<ServiceStatus>> {
    find(name, SERVICE_QUERY_STATUS)?.map(|service| status(&service)).transpose()
}

fn status(service: &Handle) -> io::Result<ServiceStatus> {
    let mut status = SERVICE_STATUS_PROCESS::default();
    let mut needed = 0;
    let size = size_u32::<SERVICE_STATUS_PROCESS>();
    let to = (&raw mut status).cast();
    // SAFETY: the service is open; a live structure of the size that is told; a pointer to a live number.
    check(unsafe { QueryServiceStatusEx(service.0, SC_STATUS_PROCESS_INFO, to, size, &raw mut needed) })?;
    Ok(ServiceStatus {
        state: ServiceState::from(status.dwCurrentState),
        pid: status.dwProcessId,
        win32_exit: status.dwWin32ExitCode,
        specific_exit: status.dwServiceSpecificExitCode,
        checkpoint: status.dwCheckPoint,
        wait_hint_ms: status.dwWaitHint,
        accepts: status.dwControlsAccepted,
    })
}

/// How a service is registered (QueryServiceConfigW); `None` where there is no such service.
///
/// # Errors
/// Those of the calls; [`io::ErrorKind::InvalidData`] where the answer is cut short.
pub fn service_registration(name: &str) -> io::Result<Option<Registration>> {
    let Some(service) = find(name, SERVICE_QUERY_CONFIG)? else { return Ok(None) };
    let mut buffer = Buffer::default();
    let bytes = buffer.fill(FIRST_BYTES, MOST_BYTES, |to, bytes| {
        let mut needed = 0;
        // SAFETY: the service is open; so many bytes lie there, aligned to 8; a pointer to a live number.
        let ok = unsafe { QueryServiceConfigW(service.0, to.cast(), bytes, &raw mut needed) };
        answered(ok, bytes, needed)
    })?;
    // SAFETY: a call that succeeded wrote this structure at the start of the buffer.
    let config = unsafe { start_of::<QUERY_SERVICE_CONFIGW>(bytes)? };
    // SAFETY: its texts are null or end with a NUL, in the buffer that is still borrowed.
    let text = |at| unsafe { text_at(at) };
    Ok(Some(Registration {
        name: name.to_owned(),
        display_name: text(config.lpDisplayName),
        image_path: text(config.lpBinaryPathName),
        start: StartMode::from(config.dwStartType),
        delayed: settings::is_delayed(&service)?.unwrap_or(false),
        account: text(config.lpServiceStartName),
        kind: config.dwServiceType,
    }))
}

/// What a query made of its buffer. Nothing may be called in between.
pub(super) fn answered(ok: windows_sys::core::BOOL, bytes: u32, needed: u32) -> Answer {
    if ok != 0 {
        // How much of the buffer is used is not told: structures at its start, texts wherever they point to.
        return Answer::Filled(bytes as usize);
    }
    match last_error() {
        e if e.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) => Answer::TooSmall(needed as usize),
        e => Answer::Failed(e),
    }
}

/// # Safety
/// The bytes begin with a `T`, where they are as many.
pub(super) unsafe fn start_of<T: Copy>(bytes: &[u8]) -> io::Result<T> {
    if bytes.len() < size_of::<T>() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: as many bytes lie there, and the caller says what they are.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Registers a service with a process of its own (CreateServiceW).
///
/// # Errors
/// Those of the calls: 1073 where it is there, 1072 where it is being deleted, 1057 where there is no such account.
pub fn service_create(new: &NewService<'_>) -> io::Result<()> {
    let manager = manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
    let (name, display) = (wide(OsStr::new(new.name))?, wide(OsStr::new(new.display_name))?);
    let image = wide(OsStr::new(new.image_path))?;
    let (account, password) = (optional(new.account)?, optional(new.password)?);
    // SAFETY: the manager is open; every text ends with a NUL or is null, where that means the default.
    Handle::of(unsafe {
        CreateServiceW(
            manager.0,
            name.as_ptr(),
            display.as_ptr(),
            SERVICE_QUERY_STATUS,
            SERVICE_WIN32_OWN_PROCESS,
            new.start.into(),
            SERVICE_ERROR_NORMAL,
            image.as_ptr(),
            ptr::null(),
            ptr::null_mut(),
            ptr::null(),
            pointer(&account),
            pointer(&password),
        )
    })?;
    Ok(())
}

/// Registers a service anew that is there already (ChangeServiceConfigW). On what it depends stays.
///
/// # Errors
/// Those of the calls.
pub fn service_change(new: &NewService<'_>) -> io::Result<()> {
    let service = open(new.name, SERVICE_CHANGE_CONFIG)?;
    let (display, image) = (wide(OsStr::new(new.display_name))?, wide(OsStr::new(new.image_path))?);
    let (account, password) = (optional(new.account)?, optional(new.password)?);
    // SAFETY: the service is open; every text ends with a NUL or is null, where that leaves what is there.
    check(unsafe {
        ChangeServiceConfigW(
            service.0,
            SERVICE_WIN32_OWN_PROCESS,
            new.start.into(),
            SERVICE_ERROR_NORMAL,
            image.as_ptr(),
            ptr::null(),
            ptr::null_mut(),
            ptr::null(),
            pointer(&account),
            pointer(&password),
            display.as_ptr(),
        )
    })
}

/// Changes how a service is started, and nothing else of it.
///
/// # Errors
/// Those of the calls.
pub fn service_set_start(name: &str, start: StartMode) -> io::Result<()> {
    let service = open(name, SERVICE_CHANGE_CONFIG)?;
    let same = SERVICE_NO_CHANGE;
    let no = ptr::null();
    // SAFETY: the service is open; null and SERVICE_NO_CHANGE leave what is there.
    check(unsafe { ChangeServiceConfigW(service.0, same, start.into(), same, no, no, ptr::null_mut(), no, no, no, no) })
}

/// Takes a service out of the registry. One that runs goes when it has stopped and nobody has it open any more.
///
/// # Errors
/// Those of the calls: 1060 where there is none, 1072 where that was asked for already.
pub fn service_delete(name: &str) -> io::Result<()> {
    let service = open(name, DELETE)?;
    // SAFETY: the service is open.
    check(unsafe { DeleteService(service.0) })
}

/// Has a service started, with arguments for its ServiceMain. Returns before it runs.
///
/// # Errors
/// Those of the calls: 1056 where it runs, 1053 where its process said nothing, 1058 where it is disabled, 1069 where its
/// account cannot log on, 2 where its program is not there.
pub fn service_start(name: &str, arguments: &[&str]) -> io::Result<()> {
    let service = open(name, SERVICE_START)?;
    let texts = arguments.iter().map(|text| wide(OsStr::new(text))).collect::<io::Result<Vec<_>>>()?;
    let pointers: Vec<PCWSTR> = texts.iter().map(|units| units.as_ptr()).collect();
    // SAFETY: the service is open; so many pointers lie there, each to a text that ends with a NUL.
    check(unsafe { StartServiceW(service.0, len_u32(&pointers), pointers.as_ptr()) })
}

/// Has a service told something. Returns once its handler has, which does not say that it has done it.
///
/// # Errors
/// Those of the calls: 1062 where it does not run, 1061 where it cannot be told now, 1052 where it does not want to be.
pub fn service_control(name: &str, command: ServiceCommand) -> io::Result<()> {
    let (rights, code) = match command {
        ServiceCommand::Stop => (SERVICE_STOP, SERVICE_CONTROL_STOP),
        ServiceCommand::ParamChange => (SERVICE_PAUSE_CONTINUE, SERVICE_CONTROL_PARAMCHANGE),
    };
    let service = open(name, rights)?;
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open; a pointer to a live structure.
    check(unsafe { ControlService(service.0, code, &raw mut status) })
}
