//! The command line: the Go agent's flags and our verbs.

mod check;
mod collect;
mod queue;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::app::{self, Stop};
use crate::collect as collectors;
use crate::config;

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

#[derive(Subcommand, Debug, PartialEq)]
enum Verb {
    /// Run in the foreground (what happens without a verb)
    Run,
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
    /// Print the effective configuration as JSON, every default filled in, secrets hidden; warnings go to standard error
    Config,
}

/// The whole program. `stop` is asked for inside the runtime; it tells when the agent is to end.
pub fn main(args: impl IntoIterator<Item = OsString>, stop: impl FnOnce() -> std::io::Result<Stop>) -> ExitCode {
    let args = match Args::try_parse_from(normalise(args)) {
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
    let loaded = match config::load(args.file.as_deref(), &collectors::known()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("falcon-agent: {error}");
            return ExitCode::FAILURE;
        }
    };
    match args.verb.unwrap_or(Verb::Run) {
        Verb::Run => app::run(loaded, stop).map_or_else(|error| done(Err(error)), ExitCode::from),
        Verb::Collect { format, only } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(collect::run(loaded, format, only.as_deref()))
        }
        Verb::Queue { what } => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(queue::run(&loaded, what).and_then(|text| show(&text)))
        }
        Verb::Config => {
            loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            done(show(&format!("{}\n", loaded.config.to_json())))
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

/// Go's flag syntax in clap's: `-check`, `-c=FILE`, `--c FILE`, `-v=false`. Values are left alone.
fn normalise(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut is_value = true; // the program's own name
    for arg in args {
        let text = arg.to_str().unwrap_or_default();
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        if std::mem::take(&mut is_value) {
            out.push(arg);
            continue;
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
    out
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
