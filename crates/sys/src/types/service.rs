//! Services of Windows: what the service control manager tells, and what it is told.

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
