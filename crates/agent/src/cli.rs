//! The command line: the Go agent's flags and our verbs.

mod check;
mod collect;
mod plugin;
mod queue;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use tokio::sync::mpsc;

use crate::app::{self, LogTo, Signal};
use crate::collect as collectors;
use crate::model::Platform;
use crate::perf::reader::{Reader, Registry};
use crate::perf::worker;
use crate::service::{self, Removal, Wanted};
use crate::{config, guard};

#[derive(Parser, Debug)]
#[command(
    name = "falcon-agent",
    about = "Open-Falcon agent: collects this host's metrics, sends them to a transfer, reports to hbs, takes pushes on :1988",
    after_help = "Without a verb the agent runs in the foreground (run). The Go agent's flags -c=FILE, -check and -v work too.",
    disable_version_flag = true,
    disable_help_subcommand = true
)]
struct Args {
    /// Configuration file [default: cfg.json here, then beside the executable, else the built-in standalone configuration]
    #[arg(short = 'c', value_name = "FILE", global = true, overrides_with = "file", allow_hyphen_values = true)]
    file: Option<PathBuf>,
    /// Print the version and end
    #[arg(short = 'v', long)]
    version: bool,
    /// Try every collector of this platform once, print ok or fail for each, and end
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Verbs of the Windows service are named on Linux too, where they say what to use instead.
const NO_SERVICE: bool = matches!(Platform::CURRENT, Platform::Linux);

#[derive(Subcommand, Debug, PartialEq)]
enum Verb {
    /// Run in the foreground (what happens without a verb)
    Run,
    /// Run in the foreground (the name that the Python agent has for it)
    #[command(hide = NO_SERVICE)]
    Debug,
    /// Register the service, take over an older agent of this host, and leave it to `start`
    #[command(hide = NO_SERVICE)]
    Install(Wanted),
    /// Bring the registration of the service up to date with this program and these options
    #[command(hide = NO_SERVICE)]
    Update(Wanted),
    /// Stop and remove the service; configuration, queue and logs stay
    #[command(hide = NO_SERVICE, alias = "remove")]
    Uninstall(Removal),
    /// Start the service and wait until it runs
    #[command(hide = NO_SERVICE)]
    Start,
    /// Stop the service and wait until it has stopped
    #[command(hide = NO_SERVICE)]
    Stop,
    /// Stop the service, if it runs, and start it
    #[command(hide = NO_SERVICE)]
    Restart,
    /// Let the service read its configuration again, and tell the outcome
    #[command(hide = NO_SERVICE)]
    Reload,
    /// Tell whether the service runs, and how it is registered
    #[command(hide = NO_SERVICE)]
    Status,
    /// What the service control manager starts
    #[command(hide = true)]
    Service,
    /// The process that the agent asks for performance counters
    #[command(hide = true)]
    PerfWorker,
    /// Collect once (two samples a second apart, so that rates exist) and print it
    Collect {
        /// table: for people; json: the array that a transfer would get; prometheus: text exposition format
        #[arg(long, value_enum, default_value_t = collect::Format::Table)]
        format: collect::Format,
        /// Only this collector
        #[arg(long, value_name = "COLLECTOR", value_parser = clap::builder::PossibleValuesParser::new(collectors::names()))]
        only: Option<String>,
    },
    /// What waits for a transfer, in memory and on disk
    Queue {
        #[arg(value_enum, default_value_t = queue::What::Status)]
        what: queue::What,
    },
    /// Try a plugin
    #[command(subcommand)]
    Plugin(plugin::What),
    /// Print the effective configuration as JSON, every default filled in, secrets hidden; warnings, the files of cfg.d that are
    /// part of it and its agent.config.crc go to standard error
    Config,
}

/// The whole program. `signals` are asked for inside the runtime.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    signals: impl FnOnce() -> io::Result<mpsc::Receiver<Signal>> + Send + 'static,
) -> ExitCode {
    let args = normalise(args);
    if args.len() <= 1 && falcon_sys::started_by_double_click() {
        return service::explain();
    }
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help goes to standard output with 0, a usage error to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if args.version {
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("FALCON_BUILD_COMMIT"));
        return done(show(&format!("Open-Falcon falcon-agent version {version}, build {commit}\n")));
    }
    if args.check {
        return done(check::run());
    }
    let (file, verb) = (args.file, args.verb.unwrap_or(Verb::Run));
    let told = match &verb {
        Verb::Service => return service::run(file),
        Verb::PerfWorker => return worker_main(),
        Verb::Install(wanted) => service::install(file.as_deref(), wanted),
        Verb::Update(wanted) => service::update(file.as_deref(), wanted),
        Verb::Uninstall(removal) => service::uninstall(file.as_deref(), removal),
        Verb::Start => service::start(),
        Verb::Stop => service::stop(),
        Verb::Restart => service::restart(),
        Verb::Reload => service::reload(),
        Verb::Status => service::status(),
        Verb::Run | Verb::Debug | Verb::Collect { .. } | Verb::Queue { .. } | Verb::Plugin(_) | Verb::Config => {
            return on_configuration(file, verb, signals);
        }
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("falcon-agent: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// What `perf::link` starts.
fn worker_main() -> ExitCode {
    worker::run(|| Reader::new(Registry::default()))
}

fn on_configuration(
    file: Option<PathBuf>,
    verb: Verb,
    signals: impl FnOnce() -> io::Result<mpsc::Receiver<Signal>> + Send + 'static,
) -> ExitCode {
    let loaded = match config::load(file.as_deref(), &collectors::known()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("falcon-agent: {error}");
            return ExitCode::FAILURE;
        }
    };
    match verb {
        Verb::Collect { format, only } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(collect::run(loaded, format, only.as_deref()))
        }
        Verb::Queue { what } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(queue::run(&loaded, what).and_then(|text| show(&text)))
        }
        Verb::Plugin(plugin::What::Run { format, path, args }) => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(plugin::run(loaded, format, &path, args, Box::new(signals)))
        }
        Verb::Config => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            loaded.overlays.iter().for_each(|file| eprintln!("with {file}"));
            eprintln!("agent.config.crc: {}", loaded.config.crc());
            done(show(&format!("{}\n", loaded.config.to_json())))
        }
        _ => {
            let exit = Arc::new(|code: u8| std::process::exit(code.into()));
            let host =
                app::Host { signals: Box::new(signals), log: LogTo::Console, managed: guard::is_managed(), exit };
            app::run(loaded, host).map_or_else(|error| done(Err(error)), ExitCode::from)
        }
    }
}

/// To standard output. A reader that has seen enough (`| head`) is no fault; a full disk is.
fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

fn done(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("falcon-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Go's flag syntax in clap's: `-check`, `-c=FILE`, `--c FILE`, `-v=false`. Values are left alone, and so is all that follows the
/// path of a plugin: it is the plugin's.
fn normalise(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut is_value = true; // the program's own name
    // Of `plugin run PATH`, those that have come.
    let mut words = 0;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        if std::mem::take(&mut is_value) {
            out.push(arg);
            continue;
        }
        if !text.starts_with('-') && (words > 0 || text == "plugin") {
            words += 1;
            if words == 3 {
                // Which may be written as well.
                let first = args.next().filter(|first| first != "--");
                out.extend([arg, "--".into()].into_iter().chain(first).chain(args));
                break;
            }
        }
        match (name, value) {
            ("-c" | "--c", value) => {
                out.push("-c".into());
                match value {
                    Some(file) => out.push(file.into()),
                    None => is_value = true,
                }
            }
            ("-format" | "--format" | "-only" | "--only", None) => {
                out.push(format!("--{}", name.trim_start_matches('-')).into());
                is_value = true;
            }
            ("-check" | "--check" | "-v" | "--v" | "-version" | "--version", value) => {
                let long = if name.ends_with("check") { "--check" } else { "--version" };
                match value {
                    None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => out.push(long.into()),
                    Some("0" | "f" | "F" | "false" | "FALSE" | "False") => {}
                    // clap says what is wrong with it.
                    Some(other) => out.push(format!("{long}={other}").into()),
                }
            }
            ("-help", None) => out.push("--help".into()),
            _ => out.push(arg),
        }
    }
    verb_first(out)
}

/// Options of the service's verbs that stand before the verb, as pywin32 wants them, with whether a value follows.
const EARLY: [(&str, bool); 6] = [
    ("--startup", true),
    ("--user", true),
    ("--username", true),
    ("--password-stdin", false),
    ("--restore", false),
    ("--purge", false),
];

/// Moves options of a verb that stand before it behind it, where clap wants them.
fn verb_first(args: Vec<OsString>) -> Vec<OsString> {
    let command = Args::command();
    let is_verb = |arg: &OsString| {
        let named = |verb: &clap::Command| verb.get_all_aliases().any(|alias| arg == alias) || arg == verb.get_name();
        command.get_subcommands().any(named)
    };
    let (mut before, mut early, mut rest) = (Vec::new(), Vec::new(), args.into_iter());
    while let Some(arg) = rest.next() {
        let text = arg.to_str().unwrap_or_default();
        let (name, has_value) = text.split_once('=').map_or((text, false), |(name, _)| (name, true));
        match EARLY.iter().find(|(option, _)| *option == name) {
            Some((_, takes)) => {
                early.push(arg);
                if *takes && !has_value {
                    early.extend(rest.next());
                }
            }
            None if text == "-c" => {
                before.push(arg);
                before.extend(rest.next());
            }
            None => {
                let is_verb = !before.is_empty() && is_verb(&arg);
                before.push(arg);
                if is_verb {
                    break;
                }
            }
        }
    }
    before.into_iter().chain(early).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(normalise(line.split(' ').map(OsString::from)))
    }

    #[test]
    fn the_go_agents_flags_work() {
        for line in [
            "a -c cfg.json",
            "a -c=cfg.json",
            "a --c cfg.json",
            "a --c=cfg.json",
            "a run -c cfg.json",
            "a -c x -c cfg.json",
        ] {
            let args = parse(line).expect(line);
            assert_eq!(args.file.as_deref(), Some(std::path::Path::new("cfg.json")), "{line}");
        }
        for line in ["a -check", "a --check", "a -check=true", "a -check=1"] {
            assert!(parse(line).expect(line).check, "{line}");
        }
        for line in ["a -v", "a --v", "a -version", "a --version", "a -v=true"] {
            assert!(parse(line).expect(line).version, "{line}");
        }
        let off = parse("a -v=false -check=0").expect("valid");
        assert!(!off.version && !off.check && off.verb.is_none());
        assert_eq!(parse("a -c -check").expect("a file may have any name").file, Some("-check".into()));
    }

    #[test]
    fn verbs_and_their_options() {
        assert_eq!(parse("a run").expect("run").verb, Some(Verb::Run));
        assert_eq!(parse("a config").expect("config").verb, Some(Verb::Config));
        let verb = parse("a -c x collect --format json --only cpu").expect("collect").verb;
        assert_eq!(verb, Some(Verb::Collect { format: collect::Format::Json, only: Some("cpu".to_owned()) }));
    }

    #[test]
    fn what_follows_the_path_of_a_plugin_is_the_plugins() {
        let run = |line: &str| match parse(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
            Args { verb: Some(Verb::Plugin(plugin::What::Run { format, path, args })), file, .. } => {
                (format == plugin::Format::Json, path, args.join(" "), file.is_some())
            }
            other => panic!("{line}: {other:?}"),
        };
        let expected = |json: bool, args: &str, file: bool| (json, "60_x.sh".to_owned(), args.to_owned(), file);
        assert_eq!(run("a plugin run 60_x.sh"), expected(false, "", false));
        assert_eq!(run("a plugin run 60_x.sh a -b"), expected(false, "a -b", false));
        assert_eq!(run("a -c plugin plugin run --format json 60_x.sh -v -c x"), expected(true, "-v -c x", true));
        assert_eq!(run("a plugin run -c=x -format json 60_x.sh -- --help -- y"), expected(true, "--help -- y", true));
        for line in ["a plugin", "a plugin run", "a plugin walk 60_x.sh", "a plugin run --format xml 60_x.sh"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn options_of_the_service_stand_before_or_after_the_verb() {
        let wanted = |line: &str| match parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).verb {
            Some(Verb::Install(wanted) | Verb::Update(wanted)) => wanted,
            other => panic!("{line}: {other:?}"),
        };
        for line in [
            "a --startup manual --user x install",
            "a --startup=manual install --user=x",
            "a install --startup manual --username x",
            "a -c install --startup manual --user x install",
            "a --user x -c=cfg.json --startup manual update",
        ] {
            let wanted = wanted(line);
            assert_eq!((wanted.startup, wanted.user.as_deref()), (Some(service::Startup::Manual), Some("x")), "{line}");
        }
        let removal = |line: &str| match parse(line).expect(line).verb {
            Some(Verb::Uninstall(removal)) => removal,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(removal("a --purge remove"), Removal { restore: false, purge: true });
        assert_eq!(removal("a uninstall --restore"), Removal { restore: true, purge: false });
        for line in ["a --startup never install", "a --startup auto run", "a --startup", "a install --password x"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn wrong_usage_is_exit_code_two_and_help_zero() {
        for line in ["a -nope", "a nope", "a collect --only nope", "a collect --format xml", "a -v=maybe", "a -c"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
        }
        for line in ["a -h", "a --help", "a -help", "a collect --help"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 0, "{line}");
        }
    }

    #[test]
    fn help_explains_every_verb() {
        let help = parse("a --help").expect_err("help").to_string();
        for word in ["run", "collect", "config", "-c", "--check", "--version"] {
            assert!(help.contains(word), "{word} is missing in:\n{help}");
        }
    }
}
