//! Services of Windows: what the service control manager tells, and what it is told.

use std::time::Duration;

/// What the service control manager tells a service that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceControl {
    Stop,
    /// The system goes down and waits for few seconds.
    Shutdown,
    /// The system is about to go down, and waits as long as the registration says.
    Preshutdown,
    /// The configuration changed.
    ParamChange,
}

/// How a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceExit {
    Clean,
    /// A code of the service's own, shown beside ERROR_SERVICE_SPECIFIC_ERROR. 0 is [`ServiceExit::Clean`].
    Specific(u32),
    /// A code of Windows. 0 is [`ServiceExit::Clean`].
    Win32(u32),
}

/// What the service control manager can be asked to tell a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceCommand {
    Stop,
    ParamChange,
}

/// dwCurrentState of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    Stopped,
    StartPending,
    StopPending,
    Running,
    ContinuePending,
    PausePending,
    Paused,
    Other(u32),
}

impl From<u32> for ServiceState {
    fn from(state: u32) -> ServiceState {
        match state {
            1 => ServiceState::Stopped,
            2 => ServiceState::StartPending,
            3 => ServiceState::StopPending,
            4 => ServiceState::Running,
            5 => ServiceState::ContinuePending,
            6 => ServiceState::PausePending,
            7 => ServiceState::Paused,
            other => ServiceState::Other(other),
        }
    }
}

/// dwStartType of a service; whether an automatic start is delayed stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartMode {
    Boot,
    System,
    Auto,
    Manual,
    Disabled,
    Other(u32),
}

impl From<u32> for StartMode {
    fn from(start: u32) -> StartMode {
        match start {
            0 => StartMode::Boot,
            1 => StartMode::System,
            2 => StartMode::Auto,
            3 => StartMode::Manual,
            4 => StartMode::Disabled,
            other => StartMode::Other(other),
        }
    }
}

impl From<StartMode> for u32 {
    fn from(start: StartMode) -> u32 {
        match start {
            StartMode::Boot => 0,
            StartMode::System => 1,
            StartMode::Auto => 2,
            StartMode::Manual => 3,
            StartMode::Disabled => 4,
            StartMode::Other(other) => other,
        }
    }
}

/// SERVICE_STATUS_PROCESS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceStatus {
    pub state: ServiceState,
    /// 0 where no process runs it. Wine keeps that of a process that died.
    pub pid: u32,
    /// 0 after a clean end, 1077 where it never was started since boot, 1066 beside `specific_exit`.
    pub win32_exit: u32,
    pub specific_exit: u32,
    pub checkpoint: u32,
    pub wait_hint_ms: u32,
    /// SERVICE_ACCEPT_*.
    pub accepts: u32,
}

/// How a service is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub name: String,
    pub display_name: String,
    /// As it stands there: with or without quotes, with its arguments.
    pub image_path: String,
    pub start: StartMode,
    pub delayed: bool,
    /// `LocalSystem`, `NT SERVICE\name`, `DOMAIN\user`, ...
    pub account: String,
    /// SERVICE_WIN32_OWN_PROCESS (16) for most.
    pub kind: u32,
}

/// A service with a process of its own, to be registered or registered anew.
#[derive(Clone, Copy, Debug)]
pub struct NewService<'a> {
    pub name: &'a str,
    pub display_name: &'a str,
    /// Quoted where the path has blanks; with its arguments.
    pub image_path: &'a str,
    pub start: StartMode,
    /// `None`: LocalSystem, or the account that it has.
    pub account: Option<&'a str>,
    /// `None` also for accounts without one: virtual and managed ones, and those of the system.
    pub password: Option<&'a str>,
}

/// What is set beside the registration, each for itself.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    pub description: &'a str,
    /// Of an automatic start.
    pub delayed: bool,
    /// Restart after so long at the first, second, ... failure; the last one counts for all that follow.
    pub restarts: &'a [Duration],
    /// Without a failure for so long, the count begins anew.
    pub reset_after: Duration,
    /// Also where it reported its end, with an exit code other than 0.
    pub on_non_crash: bool,
    /// A SID of the service's own (`NT SERVICE\name`) in the token of its process: SERVICE_SID_TYPE_UNRESTRICTED.
    pub own_sid: bool,
    /// How long the system waits for it before it goes down.
    pub preshutdown: Duration,
}

/// [`Settings`] as they stand; `None` where this system does not keep such a thing (Wine).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    pub description: Option<String>,
    pub delayed: Option<bool>,
    pub recovery: Option<Recovery>,
    pub on_non_crash: Option<bool>,
    pub own_sid: Option<bool>,
    pub preshutdown: Option<Duration>,
}

/// What follows when a service fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// `None` where an action is something else than a restart (a command, a reboot, nothing).
    pub restarts: Vec<Option<Duration>>,
    pub reset_after: Duration,
}
