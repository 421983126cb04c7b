//! `cargo xtask`: everything that is done to this repository by a program. It runs on Linux.

#![forbid(unsafe_code)]

mod agent;
mod bench;
mod child;
mod dist;
mod elf;
mod ledger;
mod pe;
mod peer;
mod picture;
mod rust_text;
mod steps;
mod toolchain;
mod tools;
mod wine;
mod workspace;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

use child::Run;
use toolchain::SourceRust;
use tools::Need;
use workspace::Workspace;

const HELP: &str = "\
cargo xtask VERB

  test [--long] [--only NAME,...]   run every check of the project, or the named steps
  test --list                       name the steps
  faults [--long]                   prove the promise: see CONTRIBUTING.md
  bench [NAME]                      measure the agent and print figures; without a name: which there are
  picture                           have Chromium make the pictures of the page in docs/
  dist                              build the executables and pack target/dist/
  imports                           print what the Windows executable imports
  wine [ARGS...]                    build the Windows executable and run it under Wine
";

/// Exit status for a command line that makes no sense, as the agent has it.
const USAGE: u8 = 2;

/// Exit status after Ctrl-C, SIGTERM or SIGHUP, as a shell has it for the first.
const STOPPED: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut args = args.iter().map(String::as_str);
    let verb = args.next();
    let rest: Vec<&str> = args.collect();
    let result = match verb {
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some("test") => match TestArgs::parse(&rest) {
            Ok(args) => test(&args),
            Err(error) => return usage(&error.to_string()),
        },
        Some("faults") => match TestArgs::parse(&rest) {
            Ok(args) if !args.list && args.only.is_empty() => {
                test(&TestArgs { only: steps::FAULTS.map(str::to_owned).into(), ..args })
            }
            _ => return usage("faults takes --long or nothing"),
        },
        Some("bench") => match rest.as_slice() {
            [] => {
                bench::list();
                Ok(())
            }
            [name] => match bench::find(name) {
                Some(chosen) => bench(chosen),
                None => return usage(&format!("there is no bench {name:?}")),
            },
            _ => return usage("bench takes one name"),
        },
        Some(bench::INSIDE) => bench::inside(&rest),
        Some(picture::INSIDE) => picture::inside(&rest),
        Some("picture") if rest.is_empty() => picture(),
        Some("dist") if rest.is_empty() => dist(),
        Some("imports") if rest.is_empty() => imports(),
        Some("wine") => wine(&rest),
        Some(verb @ ("dist" | "imports" | "picture")) => return usage(&format!("{verb} takes no arguments")),
        Some(verb) => return usage(&format!("unknown verb {verb:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    eprint!("xtask: {problem}\n\n{HELP}");
    ExitCode::from(USAGE)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct TestArgs {
    long: bool,
    list: bool,
    only: Vec<String>,
}

impl TestArgs {
    fn parse(args: &[&str]) -> Result<Self> {
        let mut parsed = Self::default();
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            match arg {
                "--long" => parsed.long = true,
                "--list" => parsed.list = true,
                "--only" => parsed.add_names(args.next().context("--only wants names")?),
                _ => match arg.strip_prefix("--only=") {
                    Some(names) => parsed.add_names(names),
                    None => bail!("test does not know {arg:?}"),
                },
            }
        }
        Ok(parsed)
    }

    fn add_names(&mut self, names: &str) {
        self.only.extend(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
    }
}

fn test(args: &TestArgs) -> Result<()> {
    if args.list {
        steps::list();
        return Ok(());
    }
    let ws = Workspace::find()?;
    let _lock = ws.lock()?;
    let of_handler = Workspace::find()?;
    ctrlc::set_handler(move || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        child::end_children();
        wine::end(&of_handler);
        std::process::exit(STOPPED);
    })?;
    let result = steps::run(&ws, &args.only, args.long);
    while INTERRUPTED.load(Ordering::SeqCst) {
        // The step failed because the handler took its children away; the handler is the one to leave.
        thread::park();
    }
    result
}

fn bench(chosen: &bench::Bench) -> Result<()> {
    let ws = Workspace::find()?;
    let _lock = ws.lock()?;
    steps::ensure_tools(&ws, &[chosen.tools])?;
    ctrlc::set_handler(|| {
        child::end_children();
        std::process::exit(STOPPED);
    })?;
    bench::run(chosen, &ws)
}

fn picture() -> Result<()> {
    let ws = Workspace::find()?;
    let _lock = ws.lock()?;
    steps::ensure_tools(&ws, &["page-linux"])?;
    tools::ensure(&ws, &BTreeSet::from([Need::Namespace]))?;
    ctrlc::set_handler(|| {
        child::end_children();
        std::process::exit(STOPPED);
    })?;
    picture::run(&ws)
}

fn dist() -> Result<()> {
    let ws = Workspace::find()?;
    let _lock = ws.lock()?;
    steps::ensure_tools(&ws, &["dist"])?;
    dist::dist(&ws, SourceRust::get()?)
}

fn imports() -> Result<()> {
    steps::print_imports(&Workspace::find()?)
}

fn wine(args: &[&str]) -> Result<()> {
    let ws = Workspace::find()?;
    let _lock = ws.lock()?;
    tools::ensure(&ws, &BTreeSet::from([Need::Wine, Need::SourceRust, Need::Mingw]))?;
    // An executable of yesterday would answer for the sources of today.
    steps::build_windows(&ws, SourceRust::get()?)?;
    let session = wine::Session::start(&ws)?;
    // Ctrl-C is for the agent; this program stays to end the session.
    ctrlc::set_handler(|| {})?;
    session.enter(Run::new("wine").arg(ws.windows_exe()).args(args)).unlimited().show()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_with_and_without_a_blank() {
        let parsed = TestArgs::parse(&["--long", "--only", "fmt,unit", "--only=size"]).unwrap();
        assert_eq!(
            parsed,
            TestArgs { long: true, list: false, only: vec!["fmt".into(), "unit".into(), "size".into()] }
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(TestArgs::parse(&["--quick"]).is_err());
        assert!(TestArgs::parse(&["--only"]).is_err());
        assert!(TestArgs::parse(&["fmt"]).is_err());
    }
}
