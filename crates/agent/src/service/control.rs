//! `start`, `stop`, `restart`, `reload`, `status`: each waits until it is so, and says what was found otherwise.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use falcon_sys::types::{Registration, ServiceCommand, ServiceSettings, ServiceState, ServiceStatus, StartMode};

use super::command::Command;
use super::{BAD_CONFIGURATION, Failure, NAME, code, on_windows, registered, told};
use crate::app::reload::Outcome;
use crate::config::{self, Loaded};
use crate::log::span;
use crate::say::say;
use crate::{clock, collect};

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(100);
/// A host that boots may take its time; Windows itself gives up after 30 s.
const START: Duration = Duration::from_secs(60);
/// A service that ends at once after it reported that it runs did not start.
const STAYS: Duration = Duration::from_secs(1);
/// The agent takes 5 s; what was there before it may take longer.
pub(super) const STOP: Duration = Duration::from_secs(30);
const RELOAD: Duration = Duration::from_secs(20);
/// Then it is said that something is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Starts the service and waits until it runs.
pub fn start() -> Result<(), Failure> {
    on_windows()?;
    let started = start_service()?;
    match started.already {
        true => say(&format!("{NAME} runs already")),
        false => say(&format!("{NAME} runs, pid {}", started.pid)),
    }
    Ok(())
}

/// A service that runs.
pub(super) struct Started {
    pub pid: u32,
    /// It did before.
    already: bool,
}

pub(super) fn start_service() -> Result<Started, Failure> {
    let (registration, command) = registered()?;
    if status_now()?.state == ServiceState::StopPending {
        wait_stopped(NAME)?;
    }
    let deadline = Instant::now() + STOP;
    while let Err(error) = falcon_sys::service_start(NAME, &[]) {
        match error.raw_os_error() {
            Some(code::ALREADY_RUNNING) => match status_now()? {
                status if status.state == ServiceState::Running => {
                    return Ok(Started { pid: status.pid, already: true });
                }
                // It has told of its end, and its process is still about to go.
                status
                    if matches!(status.state, ServiceState::Stopped | ServiceState::StopPending)
                        && Instant::now() < deadline =>
                {
                    sleep(GLANCE);
                }
                // Somebody else's start is on its way.
                _ => break,
            },
            Some(code::DISABLED) => {
                return Err(Failure::Failed(anyhow!(
                    "the service is disabled: `falcon-agent update --startup auto` enables it"
                )));
            }
            Some(code::LOGON_FAILED) => {
                return Err(Failure::Failed(anyhow!(
                    "Windows does not let the account {} start as a service: give its password anew with `falcon-agent update \
                     --user NAME --password-stdin`",
                    registration.account
                )));
            }
            Some(code::ACCESS_DENIED) => return Err(Failure::NotAdministrator),
            _ => {
                // A process that ended at once may be taken for one that could not be started; it has told why.
                let status = status_now()?;
                match (status.state, status.win32_exit) {
                    (ServiceState::Stopped, code::SPECIFIC) => return Err(Failure::Failed(why_not(&command, &status))),
                    (ServiceState::Stopped, _) => return told(Err(error), "the service cannot be started"),
                    _ => break,
                }
            }
        }
    }
    Ok(Started { pid: wait_running(&command)?.pid, already: false })
}

/// Stops the service and waits until it has stopped.
pub fn stop() -> Result<(), Failure> {
    on_windows()?;
    registered()?;
    match stop_service(NAME)? {
        true => say(&format!("{NAME} has stopped")),
        false => match ending(&status_now()?) {
            how if how.is_empty() => say(&format!("{NAME} does not run")),
            how => say(&format!(
                "{NAME} does not run{how}. Windows may be about to start it again, within 5 minutes; to keep it down: \
                 sc.exe config {NAME} start= disabled"
            )),
        },
    }
    Ok(())
}

/// Stops it if it runs, and starts it.
pub fn restart() -> Result<(), Failure> {
    stop()?;
    start()
}

/// Lets the running service read its configuration again; prints how that ended.
pub fn reload() -> Result<(), Failure> {
    on_windows()?;
    let (_, command) = registered()?;
    if status_now()?.state != ServiceState::Running {
        return Err(Failure::NotRunning);
    }
    let state = readable(configuration(&command))?.notes_dir().context("the configuration has no state directory")?;
    let before = Outcome::find(&state);
    told(falcon_sys::service_control(NAME, ServiceCommand::ParamChange), "the service cannot be told")?;
    let outcome: Option<Outcome> = wait(RELOAD, "the outcome of the reload", || {
        // The agent ended meanwhile, and nobody will answer.
        let runs = status_now()?.state == ServiceState::Running;
        match Outcome::find(&state).filter(|outcome| before.as_ref() != Some(outcome)) {
            None if !runs => Err(Failure::NotRunning),
            found => Ok(found),
        }
    })?;
    let Some(outcome) = outcome else {
        let file = Outcome::file(&state);
        return Err(Failure::Failed(anyhow!(
            "the service was told and did not answer within {} s (in {}); its log says more",
            RELOAD.as_secs(),
            file.display()
        )));
    };
    outcome.warnings.iter().for_each(|warning| say(&warning.to_string()));
    match outcome.ok {
        true => say(&outcome.text),
        false => return Err(Failure::Failed(anyhow!("nothing was changed: {}", outcome.text))),
    }
    Ok(())
}

/// Prints how the service is and how it is registered.
pub fn status() -> Result<(), Failure> {
    on_windows()?;
    let (registration, command) = registered()?;
    let status = status_now()?;
    let settings = falcon_sys::service_settings(NAME).ok().flatten().unwrap_or_default();
    say(describe(&registration, &command, &status, &settings).trim_end());
    let loaded = configuration(&command).ok();
    for skipped in loaded.iter().flat_map(Loaded::skipped) {
        say(&format!("  {:<14} {skipped}", "overlay"));
    }
    let outcome = loaded.and_then(|loaded| Outcome::find(&loaded.notes_dir()?));
    if let Some(outcome) = outcome {
        let ago = u64::try_from(clock::wall_s() - outcome.at).unwrap_or(0);
        let how = if outcome.ok { "" } else { "refused: " };
        say(&format!("  last reload    {} ago: {how}{}", span(ago), outcome.text));
    }
    if status.state == ServiceState::Running { Ok(()) } else { Err(Failure::NotRunning) }
}

fn describe(
    registration: &Registration,
    command: &Command,
    status: &ServiceStatus,
    settings: &ServiceSettings,
) -> String {
    let mut text = format!("{} ({}): ", registration.name, registration.display_name);
    let _ = match status.state {
        ServiceState::Running => writeln!(text, "running, pid {}", status.pid),
        ServiceState::Stopped => writeln!(text, "stopped{}", ending(status)),
        ServiceState::StartPending => writeln!(text, "starting"),
        ServiceState::StopPending => writeln!(text, "stopping"),
        other => writeln!(text, "{other:?}"),
    };
    let start = match (registration.start, registration.delayed) {
        (StartMode::Auto, true) => "automatic, delayed".to_owned(),
        (StartMode::Auto, false) => "automatic".to_owned(),
        (StartMode::Manual, _) => "by hand".to_owned(),
        (StartMode::Disabled, _) => "disabled".to_owned(),
        (other, _) => format!("{other:?}"),
    };
    let config = command.own_config().map_or_else(|| "not this agent's".to_owned(), |path| path.display().to_string());
    for (what, value) in [
        ("start", start),
        ("account", registration.account.clone()),
        ("program", command.program.clone()),
        ("configuration", config),
    ] {
        let _ = writeln!(text, "  {what:<14} {value}");
    }
    if let Some(recovery) = &settings.recovery {
        let restarts: Vec<String> = recovery
            .restarts
            .iter()
            .map(|after| after.map_or_else(|| "no restart".to_owned(), |after| span(after.as_secs())))
            .collect();
        let restarts =
            if restarts.is_empty() { "none".to_owned() } else { format!("restart after {}", restarts.join(", ")) };
        let _ = writeln!(text, "  {:<14} {restarts}", "recovery");
    }
    text
}

/// `, exit code 2: configuration error`
fn ending(status: &ServiceStatus) -> String {
    match (status.win32_exit, status.specific_exit) {
        // Never started since boot, or stopped in good order.
        (0 | 1077, _) => String::new(),
        (code::SPECIFIC, BAD_CONFIGURATION) => format!(", exit code {BAD_CONFIGURATION}: its configuration is wrong"),
        (code::SPECIFIC, 75) => ", exit code 75: ended by the guard (see `guard` in cfg.json)".to_owned(),
        (code::SPECIFIC, specific) => format!(", exit code {specific}"),
        (win32, _) => {
            let error = std::io::Error::from_raw_os_error(win32.cast_signed());
            format!(", {error}")
        }
    }
}

fn status_now() -> Result<ServiceStatus, Failure> {
    status_of(NAME)?.ok_or(Failure::NotInstalled)
}

fn status_of(name: &str) -> Result<Option<ServiceStatus>, Failure> {
    told(falcon_sys::service_status(name), "the service cannot be asked")
}

/// Stops any service; answers whether it ran.
pub(super) fn stop_service(name: &str) -> Result<bool, Failure> {
    let deadline = Instant::now() + STOP;
    loop {
        match falcon_sys::service_control(name, ServiceCommand::Stop) {
            Ok(()) => break,
            Err(error) => match error.raw_os_error() {
                Some(code::NOT_ACTIVE) => return Ok(false),
                // It starts, or stops already.
                Some(code::CANNOT_ACCEPT | code::INVALID_CONTROL) if Instant::now() < deadline => {
                    match status_of(name)?.map(|status| status.state) {
                        None | Some(ServiceState::Stopped) => return Ok(true),
                        Some(ServiceState::StopPending) => break,
                        _ => sleep(GLANCE),
                    }
                }
                _ => told(Err(error), &format!("the service {name} cannot be stopped"))?,
            },
        }
    }
    wait_stopped(name)?;
    Ok(true)
}

fn wait_stopped(name: &str) -> Result<(), Failure> {
    let stopped = wait(STOP, &format!("{name} to stop"), || {
        Ok(status_of(name)?.is_none_or(|status| status.state == ServiceState::Stopped).then_some(()))
    })?;
    stopped.ok_or_else(|| Failure::Failed(anyhow!("{name} was told to stop and still runs after {} s", STOP.as_secs())))
}

fn wait_running(command: &Command) -> Result<ServiceStatus, Failure> {
    let mut since: Option<Instant> = None;
    let status = wait(START + STAYS, &format!("{NAME} to run"), || {
        let status = status_now()?;
        match status.state {
            ServiceState::Running => {
                let stays = since.get_or_insert_with(Instant::now).elapsed() >= STAYS;
                Ok(stays.then_some(status))
            }
            ServiceState::Stopped => Err(Failure::Failed(why_not(command, &status))),
            _ => Ok(None),
        }
    })?;
    status.ok_or_else(|| {
        Failure::Failed(anyhow!("{NAME} was told to start and does not run after {} s", START.as_secs()))
    })
}

/// Why a service that was started has stopped.
fn why_not(command: &Command, status: &ServiceStatus) -> anyhow::Error {
    // What it found wrong is found here again.
    let error = match configuration(command) {
        Err(error) => Some(error),
        Ok(_) if (status.win32_exit, status.specific_exit) == (code::SPECIFIC, BAD_CONFIGURATION) => {
            Some(anyhow!("its configuration was wrong, and is not any more: start it again"))
        }
        Ok(_) => None,
    };
    match error {
        Some(error) => error.context(format!("{NAME} did not start")),
        None => anyhow!("{NAME} did not start{}; its log and the event log say more", ending(status)),
    }
}

/// What the service reads.
pub(super) fn configuration(command: &Command) -> anyhow::Result<Loaded> {
    let Some(file) = command.own_config() else { bail!("{:?} is not this agent", command.program) };
    Ok(config::load(Some(&file), &collect::known())?)
}

/// Who may not read the configuration is no administrator.
fn readable(loaded: anyhow::Result<Loaded>) -> Result<Loaded, Failure> {
    loaded.map_err(|error| {
        let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
        match io.and_then(std::io::Error::raw_os_error) {
            Some(code::ACCESS_DENIED) => Failure::NotAdministrator,
            _ => Failure::Failed(error),
        }
    })
}

/// Asks until there is an answer; `None` after `limit`. What takes long is said.
fn wait<T>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let begun = Instant::now();
    let mut said = false;
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if begun.elapsed() >= limit {
            return Ok(None);
        }
        if begun.elapsed() >= PATIENCE && !std::mem::replace(&mut said, true) {
            say(&format!("waiting for {what}, {} s at most ...", limit.as_secs()));
        }
        sleep(GLANCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use falcon_sys::types::Recovery;

    fn stopped(win32_exit: u32, specific_exit: u32) -> ServiceStatus {
        let state = ServiceState::Stopped;
        ServiceStatus { state, pid: 0, win32_exit, specific_exit, checkpoint: 0, wait_hint_ms: 0, accepts: 0 }
    }

    #[test]
    fn a_status_tells_state_start_account_and_files() {
        let line = r#""C:\Program Files\a\falcon-agent.exe" service -c "C:\b\cfg.json""#;
        let registration = Registration {
            name: NAME.to_owned(),
            display_name: "Agent".to_owned(),
            image_path: line.to_owned(),
            start: StartMode::Auto,
            delayed: false,
            account: "LocalSystem".to_owned(),
            kind: 16,
        };
        let restarts = [5, 30, 300].map(|s| Some(Duration::from_secs(s))).to_vec();
        let recovery = Some(Recovery { restarts, reset_after: Duration::from_secs(86_400) });
        let settings = ServiceSettings { recovery, ..ServiceSettings::default() };
        let status = ServiceStatus { state: ServiceState::Running, pid: 7, ..stopped(0, 0) };
        let text = describe(&registration, &Command::parse(line), &status, &settings);
        assert_eq!(
            text,
            "OpenFalconAgent (Agent): running, pid 7\n  start          automatic\n  account        LocalSystem\n  program        \
             C:\\Program Files\\a\\falcon-agent.exe\n  configuration  C:\\b\\cfg.json\n  recovery       restart after 5 s, 30 s, 5 min\n"
        );
    }

    #[test]
    fn an_end_is_explained() {
        assert_eq!([ending(&stopped(0, 0)), ending(&stopped(1077, 0))], ["", ""]);
        assert!(ending(&stopped(1066, 2)).contains("configuration"));
        assert!(ending(&stopped(1066, 75)).contains("guard"));
        assert_eq!(ending(&stopped(1066, 9)), ", exit code 9");
        assert!(ending(&stopped(5, 0)).starts_with(", "));
    }
}
