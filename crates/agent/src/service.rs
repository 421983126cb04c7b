//! The agent as a Windows service: what the service control manager starts ([`run`]), and the verbs for administrators.
//!
//! Each verb can be given again: what is done already is said and is no failure. Each says what it did, one line a fact, and
//! ends with a code of [`Failure::code`]. On Linux, where systemd manages services, they say so.
//!
//! The service runs as `"EXE" service -c "CFG"` ([`command`]). Its name is the Python agent's, so that scripts and monitoring of
//! that find it; what ran there before is recognised in [`old`], and nothing else is touched.

mod command;
mod control;
mod directory;
mod first;
mod install;
mod managed;
mod old;
mod place;
mod remove;
mod replaced;
mod sddl;

use std::fmt;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Context as _;
use falcon_sys::Service;
use falcon_sys::types::{ServiceControl, ServiceExit};
use tokio::sync::mpsc;

use crate::app::{self, LOG_FILE, LOGS_DIR, LogTo, Signal};
use crate::collect;
use crate::config::edit::Asked;
use crate::config::{self, Config, ConfigError, Loaded};
use crate::guard::STAY;
use crate::model::Platform;
pub(crate) use command::{Command, arguments};
pub use control::{reload, restart, start, status, stop};
pub(crate) use directory::writers;
pub use install::{install, update};
pub(crate) use managed::managed;
pub(crate) use old::expanded;
pub use remove::uninstall;

/// Those of the Python agent.
pub const NAME: &str = "OpenFalconAgent";
pub const DISPLAY_NAME: &str = "Open-Falcon Windows Agent";
const DESCRIPTION: &str = "Collects this host's metrics for Open-Falcon: sends them to a transfer, reports to hbs, takes pushes on port 1988.";

/// The service-specific exit codes; those of the guard are the process's own.
const FAILED: u32 = 1;
const BAD_CONFIGURATION: u32 = 2;

/// The manager is told that the service runs no later than this, whatever keeps the configuration from being read.
const RUNNING_WITHIN: Duration = Duration::from_millis(700);

/// How the service is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startup {
    Auto,
    Delayed,
    Manual,
}

/// What `install` and `update` may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub startup: Option<Startup>,
    pub user: Option<String>,
    /// The account's password is one line of standard input.
    pub password_stdin: bool,
    /// What a configuration is to say that `install` makes.
    pub values: Asked,
    /// `install` starts it, too.
    pub start: bool,
    /// The configuration of a service that is not registered for this agent yet.
    pub first_config: Option<PathBuf>,
    /// What is said goes to this file.
    pub log: Option<PathBuf>,
}

/// What `uninstall` may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Put the older agent back that `install` took over.
    pub restore: bool,
    /// Remove configuration, queue and logs as well.
    pub purge: bool,
}

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    Failed(anyhow::Error),
    /// `status` of a service that does not run.
    NotRunning,
    NotInstalled,
    NotAdministrator,
    /// Of `upgrade`, with a code of its own.
    Upgrade(u8, anyhow::Error),
}

impl Failure {
    /// The exit code. 2 is wrong usage.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Failed(_) => 1,
            Failure::NotRunning => 3,
            Failure::NotInstalled => 4,
            Failure::NotAdministrator => 5,
            Failure::Upgrade(code, _) => *code,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(error) | Failure::Upgrade(_, error) => write!(f, "{error:#}"),
            Failure::NotRunning => write!(f, "the service {NAME} does not run; `falcon-agent start` starts it"),
            Failure::NotInstalled => write!(f, "there is no service {NAME}; `falcon-agent install` registers it"),
            Failure::NotAdministrator => f.write_str(match Platform::CURRENT {
                Platform::Windows => {
                    "this needs administrator rights: open a command prompt with \"Run as administrator\" and give the command again"
                }
                Platform::Linux => "nothing was changed: this needs the rights of root; give the command again with sudo",
            }),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Failed(error.into())
    }
}

/// Errors of the service control manager that mean something of their own here (winerror.h).
mod code {
    pub const ACCESS_DENIED: i32 = 5;
    /// Of Wine, where Windows has CANNOT_ACCEPT.
    pub const INVALID_CONTROL: i32 = 1052;
    pub const CANNOT_ACCEPT: i32 = 1061;
    pub const ALREADY_RUNNING: i32 = 1056;
    pub const DISABLED: i32 = 1058;
    pub const NO_SUCH_SERVICE: i32 = 1060;
    pub const NOT_ACTIVE: i32 = 1062;
    pub const SPECIFIC: u32 = 1066;
    pub const LOGON_FAILED: i32 = 1069;
    pub const MARKED_FOR_DELETE: i32 = 1072;
    pub const NOT_STARTED_BY_THE_MANAGER: i32 = 1063;
}

/// What the service control manager answered, as a verb tells it; `what` was tried.
fn told<T>(result: io::Result<T>, what: &str) -> Result<T, Failure> {
    result.map_err(|error| match error.raw_os_error() {
        Some(code::ACCESS_DENIED) => Failure::NotAdministrator,
        Some(code::NO_SUCH_SERVICE) => Failure::NotInstalled,
        Some(code::MARKED_FOR_DELETE) => Failure::Failed(anyhow::anyhow!(
            "{what}: the service is being deleted; close services.msc and other programs that show it, then try again"
        )),
        _ => Failure::Failed(anyhow::Error::new(error).context(what.to_owned())),
    })
}

/// The same of another service than ours.
fn told_of<T>(result: io::Result<T>, what: &str) -> anyhow::Result<T> {
    result.with_context(|| what.to_owned())
}

/// Services of Linux are systemd's.
fn on_windows() -> Result<(), Failure> {
    match Platform::CURRENT {
        Platform::Windows => Ok(()),
        Platform::Linux => Err(Failure::Failed(anyhow::anyhow!(
            "this verb is for the Windows service; here systemd starts and stops the agent, or `falcon-agent run` in the foreground"
        ))),
    }
}

/// What the service control manager starts.
pub fn run(file: Option<PathBuf>) -> ExitCode {
    let main = Box::new(move |service: Service, _| serve(&service, file));
    match falcon_sys::run_service(main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.raw_os_error() == Some(code::NOT_STARTED_BY_THE_MANAGER) => {
            eprintln!(
                "falcon-agent: the verb `service` is for the service control manager; `falcon-agent start` starts the service, \
                 `falcon-agent run` runs the agent here"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("falcon-agent: {}", on_windows().err().map_or_else(|| error.to_string(), |why| why.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// From the start of the service to its end, which is reported last: the process may be ended with the report.
fn serve(service: &Service, file: Option<PathBuf>) {
    let (signal, signals) = mpsc::channel(16);
    let stopped = service.clone();
    service.on_control(move |control| {
        let why = match control {
            ServiceControl::Stop => "the service is stopped",
            ServiceControl::Shutdown | ServiceControl::Preshutdown => "the system shuts down",
            ServiceControl::ParamChange => {
                // The manager's thread must not wait. A place is kept for a stop, and a reload that finds none repeats some
                // that are there.
                if signal.capacity() > 1 {
                    let _ = signal.try_send(Signal::Reload);
                }
                return;
            }
        };
        let _ = signal.try_send(Signal::Stop(why));
        // Also where nobody hears of it: a file that is read from a dead share, an event loop that spins.
        let ended = stopped.clone();
        let _ = std::thread::Builder::new().name("stop".to_owned()).spawn(move || {
            std::thread::sleep(app::STOP);
            crate::log::drain();
            ended.stopped(ServiceExit::Clean);
            std::process::exit(0)
        });
    });
    let file = file.or_else(place::beside_program);
    let loaded = match load(service, file.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            tell_bad_configuration(&error, file.as_deref());
            return service.stopped(ServiceExit::Specific(BAD_CONFIGURATION));
        }
    };
    let ended = service.clone();
    let exit = Arc::new(move |code: u8| {
        ended.stopped(ending(code));
        std::process::exit(code.into())
    });
    let log = LogTo::Service(falcon_sys::EventSource::open(NAME).ok());
    let host = app::Host { signals: Box::new(move || Ok(signals)), log, managed: true, exit };
    match app::run(loaded, host) {
        Ok(code) => service.stopped(ending(code)),
        Err(error) => {
            crate::log::say!(Error, "S001", "the service failed: {error:#}");
            crate::log::drain();
            service.stopped(ServiceExit::Specific(FAILED));
        }
    }
}

/// How the manager is told of an end. One that is not to be started again is a stop in good order, for the manager restarts
/// what fails.
fn ending(code: u8) -> ServiceExit {
    match code {
        0 | STAY => ServiceExit::Clean,
        code => ServiceExit::Specific(code.into()),
    }
}

/// Reads the configuration. The service is reported as running when it is good, and when it is not read in time.
fn load(service: &Service, file: Option<&Path>) -> Result<Loaded, ConfigError> {
    let (read, reading) = sync_channel(1);
    let reader = std::thread::Builder::new().name("config".to_owned());
    let known = collect::known();
    let spawned = reader.spawn({
        let (file, known) = (file.map(Path::to_owned), known.clone());
        move || _ = read.send(config::load(file.as_deref(), &known))
    });
    if spawned.is_err() {
        let loaded = config::load(file, &known);
        service.running();
        return loaded;
    }
    let loaded = match reading.recv_timeout(RUNNING_WITHIN) {
        Ok(loaded) => loaded,
        Err(RecvTimeoutError::Timeout) => {
            service.running();
            reading.recv().unwrap_or_else(|_| config::load(file, &known))
        }
        Err(RecvTimeoutError::Disconnected) => config::load(file, &known),
    };
    if loaded.is_ok() {
        service.running();
    }
    loaded
}

/// In the event log, and in the log that a service has by default: no file could name another.
fn tell_bad_configuration(error: &ConfigError, file: Option<&Path>) {
    let config = Config::standalone();
    let beside = file.and_then(Path::parent).map(|dir| dir.join(LOGS_DIR).join(LOG_FILE));
    crate::log::init(crate::log::Setup {
        level: config.log_level(),
        console: None,
        file: beside.map(|path| crate::log::file(&config.log, path)),
        event_source: falcon_sys::EventSource::open(NAME).ok(),
    });
    crate::log::configuration_error(error);
    crate::log::drain();
}

/// For whoever double-clicked the program: what it is and what to do, until a key is pressed.
pub fn explain() -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("falcon-agent.exe"));
    println!("{}", explanation(&program));
    print!("Press Enter to close this window. ");
    let _ = io::stdout().flush();
    let _ = io::stdin().lock().read_line(&mut String::new());
    ExitCode::SUCCESS
}

/// Lines of at most eighty columns, but for the directory: that is what a console has.
fn explanation(program: &Path) -> String {
    let dir = program.parent().unwrap_or(program);
    format!(
        "This is falcon-agent {}, the Open-Falcon agent of this host. It has no\n\
         window: it is a service, controlled from a command prompt.\n\
         (本程序是 Open-Falcon 监控代理, 作为 Windows 服务运行, 请在命令提示符中使用)\n\n\
         Open a command prompt with \"Run as administrator\" (以管理员身份运行) and type:\n\n\
         \x20 cd /d \"{}\"\n\
         \x20 falcon-agent install      registers the service\n\
         \x20 falcon-agent start        starts it\n\
         \x20 falcon-agent run          runs it in that window, to look at\n\
         \x20 falcon-agent --help       tells everything else\n",
        app::VERSION,
        dir.display()
    )
}

/// The registered service and its command.
fn registered() -> Result<(falcon_sys::types::Registration, Command), Failure> {
    let found = told(falcon_sys::service_registration(NAME), "the service cannot be looked at")?;
    let registration = found.ok_or(Failure::NotInstalled)?;
    let command = Command::parse(&registration.image_path);
    Ok((registration, command))
}

/// The configuration that the service is registered with, where it is.
pub(crate) fn registered_config() -> Option<PathBuf> {
    registered().ok()?.1.own_config()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stop that the guard means to last was a failure to the manager, which started the agent again.
    #[test]
    fn only_ends_that_want_a_restart_are_failures_to_the_manager() {
        assert_eq!([ending(0), ending(STAY)], [ServiceExit::Clean; 2]);
        assert_eq!([ending(1), ending(crate::guard::AGAIN)], [ServiceExit::Specific(1), ServiceExit::Specific(75)]);
    }

    #[test]
    fn what_the_manager_answers_becomes_an_exit_code_and_a_way_out() {
        let code = |windows: i32| {
            let error: io::Result<()> = Err(io::Error::from_raw_os_error(windows));
            let failure = told(error, "the service cannot be started").expect_err("refused");
            (failure.code(), failure.to_string())
        };
        assert_eq!(code(5).0, 5);
        assert!(["Run as administrator", "sudo"].iter().any(|way_out| code(5).1.contains(way_out)));
        assert_eq!(code(1060).0, 4);
        assert!(code(1060).1.contains("falcon-agent install"));
        assert_eq!(code(1072).0, 1);
        assert!(code(1072).1.contains("services.msc"));
        assert!(code(1053).1.starts_with("the service cannot be started"));
        assert_eq!(told(Ok(7), "x").expect("passed on"), 7);
    }

    #[test]
    fn who_double_clicks_the_program_is_told_what_to_type() {
        let text = explanation(&Path::new("/opt/agent").join("falcon-agent.exe"));
        for command in
            ["cd /d \"/opt/agent\"", "falcon-agent install", "falcon-agent start", "falcon-agent run", "--help"]
        {
            assert!(text.contains(command), "{text}");
        }
    }
}
