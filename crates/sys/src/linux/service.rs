//! What Windows has of services. Nothing here reads anything: Linux has systemd, which needs no code of the agent's.

use crate::types::{
    NewService, Registration, ServiceCommand, ServiceControl, ServiceExit, ServiceSettings, ServiceStatus, Settings,
    StartMode,
};
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

/// A service of Windows: there is none.
#[derive(Clone, Debug)]
pub struct Service(Infallible);

impl Service {
    /// Never called.
    pub fn on_control(&self, _f: impl Fn(ServiceControl) + Send + Sync + 'static) {
        match self.0 {}
    }

    /// Never called.
    pub fn running(&self) {
        match self.0 {}
    }

    /// Never called.
    pub fn stop_pending(&self, _wait_hint: Duration) {
        match self.0 {}
    }

    /// Never called.
    pub fn stopped(&self, _exit: ServiceExit) {
        match self.0 {}
    }
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn run_service(_main: Box<dyn FnOnce(Service, Vec<OsString>) + Send>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_status(_name: &str) -> io::Result<Option<ServiceStatus>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_registration(_name: &str) -> io::Result<Option<Registration>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_create(_new: &NewService<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_change(_new: &NewService<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_set_start(_name: &str, _start: StartMode) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_delete(_name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_start(_name: &str, _arguments: &[&str]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_control(_name: &str, _command: ServiceCommand) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
pub fn service_settings(_name: &str) -> io::Result<Option<ServiceSettings>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux has no service control manager: nothing is set.
pub fn service_settle(_name: &str, _settings: &Settings<'_>) -> Vec<(&'static str, io::Error)> {
    vec![("settings", io::ErrorKind::Unsupported.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_there_and_nothing_pretends_to_be() {
        let unsupported = |kind| kind == io::ErrorKind::Unsupported;
        assert!(unsupported(run_service(Box::new(|_, _| ())).unwrap_err().kind()));
        assert!(unsupported(service_status("sshd").unwrap_err().kind()));
        assert!(unsupported(service_control("sshd", ServiceCommand::Stop).unwrap_err().kind()));
        let settings = Settings {
            description: "",
            delayed: false,
            restarts: &[],
            reset_after: Duration::ZERO,
            on_non_crash: false,
            own_sid: false,
            preshutdown: Duration::ZERO,
        };
        let refused = service_settle("sshd", &settings);
        assert!(refused.iter().all(|(_, error)| unsupported(error.kind())) && refused.len() == 1);
    }
}
