//! Being a service: the dispatcher, ServiceMain and the control handler.
//!
//! The handler and all it touches are static: the service control manager may call it as long as the process lives, also
//! after the end was reported, so nothing of it is ever freed. It holds one lock, in which nothing waits but the report to
//! the manager, and which keeps reports in the order of the states. What status follows from what is told by `lifecycle`.
//!
//! Source: Microsoft's reference of StartServiceCtrlDispatcher, RegisterServiceCtrlHandlerEx, HandlerEx and
//! SetServiceStatus.

use super::ffi::{check, last_error};
use crate::lifecycle::{Kept, Lifecycle};
use crate::types::{ServiceControl, ServiceExit};
use std::ffi::{OsString, c_void};
use std::os::windows::ffi::OsStringExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, ptr, slice, thread};
use windows_sys::Win32::Foundation::ERROR_PROCESS_ABORTED;
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_STATUS, SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS, SetServiceStatus,
    StartServiceCtrlDispatcherW,
};
use windows_sys::core::PWSTR;

/// How often a sign of life is given while something is pending.
const TICK: Duration = Duration::from_millis(500);

/// Start arguments, and units of one of them, that are read.
const MOST_ARGUMENTS: usize = 1024;
const MOST_UNITS: usize = 32 << 10;

type Main = Box<dyn FnOnce(Service, Vec<OsString>) + Send>;
type Listener = Arc<dyn Fn(ServiceControl) + Send + Sync>;

struct Inner {
    main: Option<Main>,
    life: Lifecycle,
    kept: Kept,
    listener: Option<Listener>,
    /// The thread that gives signs of life is there.
    ticking: bool,
}

static INNER: Mutex<Inner> =
    Mutex::new(Inner { main: None, life: Lifecycle::new(), kept: Kept::new(), listener: None, ticking: false });

/// What the manager knows this service by; null until it was told so. It needs no closing.
static HANDLE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

fn inner() -> MutexGuard<'static, Inner> {
    // Nothing that can panic is called in the lock.
    INNER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Tells the manager the state as it is. In the lock, for two reports must not overtake each other.
    fn report(&mut self) {
        let handle = HANDLE.load(Ordering::Acquire);
        if handle.is_null() {
            return;
        }
        let report = self.life.report();
        let status = SERVICE_STATUS {
            dwServiceType: SERVICE_WIN32_OWN_PROCESS,
            dwCurrentState: report.state,
            dwControlsAccepted: report.accepts,
            dwWin32ExitCode: report.win32_exit,
            dwServiceSpecificExitCode: report.specific_exit,
            dwCheckPoint: report.checkpoint,
            dwWaitHint: report.wait_hint_ms,
        };
        // A manager that does not take it is gone, and there is nobody else to tell.
        // SAFETY: the handle is the registration's, which lasts as long as the process; the structure lives through the
        // call, which only reads it.
        unsafe { SetServiceStatus(handle, &raw const status) };
        if self.life.is_pending() && !self.ticking {
            // Without the thread only the wait hint speaks.
            self.ticking = thread::Builder::new().name("service-ticks".to_owned()).spawn(tick).is_ok();
        }
    }
}

/// Gives signs of life until nothing is pending any more.
fn tick() {
    loop {
        thread::sleep(TICK);
        let mut inner = inner();
        if !inner.life.tick() {
            inner.ticking = false;
            return;
        }
        inner.report();
    }
}

/// The service that this process is. Clones are the same; any thread may tell and ask.
#[derive(Clone, Debug)]
pub struct Service(());

impl Service {
    /// Calls `f` for each control from now on, and at once for what came before. Stop, Shutdown and Preshutdown come at
    /// most once together, with STOP_PENDING reported before. `f` runs on the thread that all controls of this process
    /// come through: it hands on and returns.
    pub fn on_control(&self, f: impl Fn(ServiceControl) + Send + Sync + 'static) {
        let listener: Listener = Arc::new(f);
        let kept = {
            let mut inner = inner();
            inner.listener = Some(Arc::clone(&listener));
            inner.kept.take()
        };
        kept.for_each(|control| listener(control));
    }

    /// Reports RUNNING, unless a stop has begun meanwhile.
    pub fn running(&self) {
        let mut inner = inner();
        if inner.life.running() {
            inner.report();
        }
    }

    /// Reports STOP_PENDING, and that the next report may take so long. Signs of life are given meanwhile, for two
    /// minutes at most after each call.
    pub fn stop_pending(&self, wait_hint: Duration) {
        let mut inner = inner();
        if inner.life.stop_pending(u32::try_from(wait_hint.as_millis()).unwrap_or(u32::MAX)) {
            inner.report();
        }
    }

    /// Reports the end. Windows may end the process at once: everything else is done before.
    pub fn stopped(&self, exit: ServiceExit) {
        let mut inner = inner();
        if inner.life.stopped(exit) {
            inner.report();
        }
    }
}

/// Runs `main` as the service that the service control manager started this process for, with the arguments of the start
/// (its name is not among them), on a thread of Windows; returns once that service has stopped. A `main` that returns or
/// panics without having reported its end has ended by ERROR_PROCESS_ABORTED. Once in a process.
///
/// # Errors
/// StartServiceCtrlDispatcherW's own; ERROR_FAILED_SERVICE_CONTROLLER_CONNECT (1063) where somebody else started it.
pub fn run_service(main: Box<dyn FnOnce(Service, Vec<OsString>) + Send>) -> io::Result<()> {
    inner().main = Some(main);
    // A service alone in its process is not looked up by its name.
    let mut name = [0];
    let table = [
        SERVICE_TABLE_ENTRYW { lpServiceName: name.as_mut_ptr(), lpServiceProc: Some(service_main) },
        SERVICE_TABLE_ENTRYW::default(),
    ];
    // SAFETY: the table ends with an empty entry and lives through the call, as its name does, which ends with a NUL.
    check(unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) })
}

/// # Safety
/// As Windows calls it: `count` pointers to strings that end with a NUL.
unsafe extern "system" fn service_main(count: u32, arguments: *mut PWSTR) {
    // SAFETY: as this function.
    let arguments = unsafe { read(count, arguments) };
    let name = [0];
    // SAFETY: the name ends with a NUL; the handler is a function, and has no context.
    let handle = unsafe { RegisterServiceCtrlHandlerExW(name.as_ptr(), Some(handler), ptr::null()) };
    if handle.is_null() {
        // Without a handle nothing can be said; the manager sees a process that ended sooner than one that is silent.
        std::process::exit(last_error().raw_os_error().unwrap_or(1));
    }
    HANDLE.store(handle, Ordering::Release);
    let main = {
        let mut inner = inner();
        inner.report();
        inner.main.take()
    };
    if let Some(main) = main {
        // What panicked has been told by the hook; to unwind into Windows would end the process without a report.
        catch_unwind(AssertUnwindSafe(|| main(Service(()), arguments))).ok();
    }
    Service(()).stopped(ServiceExit::Win32(ERROR_PROCESS_ABORTED));
}

/// # Safety
/// `arguments` has `count` pointers to strings that end with a NUL, or is null.
unsafe fn read(count: u32, arguments: *mut PWSTR) -> Vec<OsString> {
    if arguments.is_null() {
        return Vec::new();
    }
    // SAFETY: so many pointers lie there.
    let pointers = unsafe { slice::from_raw_parts(arguments, (count as usize).min(MOST_ARGUMENTS)) };
    // The first is the name of the service.
    let given = pointers.iter().skip(1).filter(|argument| !argument.is_null());
    given
        .map(|&argument| {
            // SAFETY: the string ends with a NUL, behind which nothing is read: `map_while` stops there.
            let units = (0..MOST_UNITS).map_while(|at| Some(unsafe { *argument.add(at) }).filter(|&unit| unit != 0));
            OsString::from_wide(&units.collect::<Vec<_>>())
        })
        .collect()
}

/// # Safety
/// None is needed: no pointer is looked at.
unsafe extern "system" fn handler(code: u32, _event: u32, _data: *mut c_void, _context: *mut c_void) -> u32 {
    let (reaction, listener) = {
        let mut inner = inner();
        let reaction = inner.life.control(code);
        if reaction.changed {
            inner.report();
        }
        let listener = inner.listener.clone();
        match reaction.deliver {
            Some(control) if listener.is_none() => inner.kept.keep(control),
            _ => {}
        }
        (reaction, listener)
    };
    if let (Some(control), Some(listener)) = (reaction.deliver, listener) {
        catch_unwind(AssertUnwindSafe(|| listener(control))).ok();
    }
    reaction.code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_no_manager_started_is_told_so() {
        let error = run_service(Box::new(|_, _| ())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(1063), "{error}");
    }

    #[test]
    fn start_arguments_are_those_behind_the_name() {
        let texts = ["OpenFalconAgent", "-c", "C:\\\u{7A0B}\u{5E8F} x\\cfg.json"];
        let mut wide: Vec<Vec<u16>> = texts.iter().map(|text| text.encode_utf16().chain([0]).collect()).collect();
        let mut pointers: Vec<PWSTR> = wide.iter_mut().map(|text| text.as_mut_ptr()).collect();
        pointers.push(ptr::null_mut());
        // SAFETY: four pointers, of which three are to strings that end with a NUL and one is null.
        let read_back = unsafe { read(4, pointers.as_mut_ptr()) };
        assert_eq!(read_back, [texts[1], texts[2]]);
        // SAFETY: null has no strings.
        assert_eq!(unsafe { read(3, ptr::null_mut()) }, Vec::<OsString>::new());
    }
}
