//! What Windows has of services. Nothing here reads anything: Linux has systemd, which needs no code of the agent's.

use crate::types::{ServiceControl, ServiceExit};
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
