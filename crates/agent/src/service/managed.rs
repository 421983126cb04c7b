//! The service as an upgrade sees it: what is registered, stopped and started.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use falcon_sys::types::{ServiceState, StartMode};

use super::control::{start_service, stop_service};
use super::place::protect_program;
use super::{Failure, NAME, registered, told};
use crate::config::Loaded;
use crate::upgrade::{Agent, Manager};

/// Finds the registered service; `file` is another configuration than it is registered with.
pub(crate) fn managed(file: Option<&Path>) -> Result<Agent, Failure> {
    if !falcon_sys::is_administrator()? {
        return Err(Failure::NotAdministrator);
    }
    let (registration, command) = registered()?;
    let registered = command.own_config().ok_or_else(|| {
        anyhow!("nothing was changed: the service {NAME} is not this agent's: {}", registration.image_path)
    })?;
    if registration.start == StartMode::Disabled {
        return Err(anyhow!(
            "nothing was changed: the service is disabled, and would not start again; `falcon-agent update --startup auto` enables it"
        )
        .into());
    }
    let config = file.map_or(Ok(registered), std::path::absolute)?;
    let program = PathBuf::from(&command.program);
    let status = told(falcon_sys::service_status(NAME), "the service cannot be asked")?.ok_or(Failure::NotInstalled)?;
    // Wine shows the last process of a service that died.
    let runs = status.state != ServiceState::Stopped && falcon_sys::is_alive(status.pid);
    Ok(Agent {
        manager: Box::new(Windows { account: registration.account }),
        dir: program.parent().map(Path::to_owned),
        program,
        config: Some(config),
        pid: runs.then_some(status.pid),
        is_stale: false,
        environment: None,
        log: None,
        unit: None,
    })
}

struct Windows {
    account: String,
}

impl Manager for Windows {
    fn stop(&mut self) -> anyhow::Result<()> {
        let status = falcon_sys::service_status(NAME)?.context("the service is gone")?;
        if status.state == ServiceState::Stopped
            || status.state == ServiceState::Running && !falcon_sys::is_alive(status.pid)
        {
            return Ok(());
        }
        match stop_service(NAME) {
            Ok(_) => {}
            // A service that does not do as it is told.
            Err(error) if falcon_sys::is_alive(status.pid) => {
                falcon_sys::end_process(status.pid, true).with_context(|| error.to_string())?;
            }
            Err(error) => return Err(anyhow!("{error}")),
        }
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<u32> {
        start_service().map(|started| started.pid).map_err(|error| anyhow!("{error}"))
    }

    fn runs(&self, pid: u32) -> bool {
        let status = falcon_sys::service_status(NAME).ok().flatten();
        status.is_some_and(|status| status.state == ServiceState::Running && status.pid == pid)
            && falcon_sys::is_alive(pid)
    }

    fn give_rights(&self, to: &Path) -> anyhow::Result<()> {
        protect_program(to, &self.account)
    }

    fn notes(&self, _pid: u32, loaded: &Loaded) -> Option<PathBuf> {
        loaded.notes_dir()
    }
}
