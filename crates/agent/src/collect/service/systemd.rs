//! Linux: units of systemd, as `systemctl show` tells of them.
//!
//! That program finds the manager and speaks to it in whatever way its version has, as any user, which a client of our own
//! would have to do itself; its `KEY=VALUE` lines are made to be read (systemctl(1)). It is started by its absolute path,
//! without input, for so many seconds and so many bytes; then it is killed, and waited for.
//!
//! systemd drops a unit that has nothing to do any more, and then no pattern finds it: a unit that a pattern once fitted
//! is asked for by its name from then on, until it is no longer installed.

mod run;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::wanted::{SERVICE, Wanted};
use super::{Row, remark_missing, report};
use crate::collect::{Collector, Cx, Guard};
use crate::isolate::{Isolated, LEFT_ALONE};
use crate::model::Platform;
use crate::stats::Stats;

/// For the program; the thread that waits for it has twice as long.
const DEADLINE: Duration = Duration::from_secs(5);
/// Units that a pattern fitted once, at most.
const MOST_KNOWN: usize = 4096;
/// systemd allows no longer name (UNIT_NAME_MAX).
const MOST_NAME: usize = 255;

/// There while systemd is what started the host (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// Not the search path's: the agent runs as root.
const PROGRAMS: [&str; 3] = ["/usr/bin/systemctl", "/bin/systemctl", "/run/current-system/sw/bin/systemctl"];

/// The program and what stands before its own arguments, as a test may need.
#[derive(Clone, Debug)]
pub(super) struct Systemctl {
    program: PathBuf,
    before: Vec<String>,
    deadline: Duration,
}

impl Systemctl {
    pub fn find() -> Option<Systemctl> {
        Systemctl::find_in(Path::new(BOOTED), &PROGRAMS)
    }

    fn find_in(booted: &Path, programs: &[&str]) -> Option<Systemctl> {
        let program = programs.iter().map(Path::new).find(|program| booted.is_dir() && program.is_file())?;
        Some(Systemctl { program: program.to_owned(), before: Vec::new(), deadline: DEADLINE })
    }

    fn show(&self, units: &[String]) -> io::Result<Vec<Unit>> {
        let own = ["show", "--no-pager", "--no-ask-password", "--property=Id,Names,LoadState,ActiveState", "--"];
        let arguments = self.before.iter().map(String::as_str).chain(own).chain(units.iter().map(String::as_str));
        Ok(parse(&run::output(&self.program, arguments, self.deadline)?))
    }
}

/// What is told of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    id: String,
    /// Its id and what else it is called.
    names: Vec<String>,
    load: String,
    active: String,
}

/// Lines of `KEY=VALUE`, an empty one between two units. What has no name is passed over.
fn parse(text: &str) -> Vec<Unit> {
    let unit = |lines: &[&str]| {
        let mut unit = Unit::default();
        for (key, value) in lines.iter().filter_map(|line| line.split_once('=')) {
            match key {
                "Id" => value.clone_into(&mut unit.id),
                "Names" => unit.names = value.split_ascii_whitespace().map(str::to_owned).collect(),
                "LoadState" => value.clone_into(&mut unit.load),
                "ActiveState" => value.clone_into(&mut unit.active),
                _ => {}
            }
        }
        (!unit.id.is_empty()).then_some(unit)
    };
    let lines: Vec<&str> = text.lines().collect();
    lines.split(|line| line.is_empty()).filter_map(unit).collect()
}

impl Unit {
    fn is_installed(&self) -> bool {
        self.load != "not-found"
    }

    fn is_called(&self, name: &str) -> bool {
        self.id == name || self.names.iter().any(|other| other == name)
    }

    /// In the numbers of Windows.
    fn state(&self) -> Option<u32> {
        match self.active.as_str() {
            // `maintenance`: its files are being removed, which takes a unit that does not run.
            "inactive" | "failed" | "maintenance" => Some(1),
            "activating" => Some(2),
            "deactivating" => Some(3),
            "active" | "reloading" | "refreshing" => Some(4),
            _ => None,
        }
    }
}

/// What systemd takes for the name of a unit, or a pattern of such: else one bad entry would cost all others. A template
/// (`getty@.service`) has instances only.
fn is_unit_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@*?".contains(c);
    name.len() <= MOST_NAME && !name.starts_with('.') && !name.contains("@.") && name.chars().all(is_allowed)
}

/// `nginx` of `nginx.service`; other units with their type.
fn shown(name: &str) -> &str {
    name.strip_suffix(SERVICE).unwrap_or(name)
}

type Answer = io::Result<Vec<Unit>>;

pub(super) struct Units {
    systemctl: Systemctl,
    wanted: Vec<Wanted>,
    /// Ids that a pattern fitted.
    known: BTreeSet<String>,
    guard: Guard,
    stats: Arc<Stats>,
    probes: Isolated<Answer>,
}

impl Units {
    pub fn new(systemctl: Systemctl, names: &[String], guard: Guard, stats: Arc<Stats>) -> Units {
        let wanted = Wanted::list(names, Platform::Linux);
        Units { systemctl, wanted, known: BTreeSet::new(), guard, stats, probes: Isolated::new("systemctl") }
    }

    fn list(&mut self) -> Answer {
        let wanted = self.wanted.iter().map(|wanted| &wanted.full).filter(|name| is_unit_name(name));
        let asked: Vec<String> = wanted.chain(&self.known).cloned().collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let systemctl = self.systemctl.clone();
        let job = move || systemctl.show(&asked);
        let answers = self.probes.run_all(vec![("systemctl".to_owned(), job)], 2 * DEADLINE, 2 * DEADLINE);
        match answers.into_iter().next() {
            Some((_, outcome)) => outcome.answer(LEFT_ALONE, &self.stats.collect_hung),
            None => Err(io::Error::other("not asked")),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, units: &[Unit]) {
        let rows = rows(cx, &self.wanted, units);
        let patterns = || self.wanted.iter().filter(|wanted| wanted.is_pattern());
        // Instances come and go under names of their own.
        let stays = |unit: &&Unit| unit.is_installed() && !unit.id.contains('@');
        let fits = |unit: &&Unit| patterns().any(|wanted| wanted.fits(&unit.id));
        let known = units.iter().filter(stays).filter(fits).map(|unit| unit.id.clone());
        self.known = known.take(MOST_KNOWN).collect();
        report(cx, &mut self.guard, rows);
    }
}

/// Each unit once: under the name it was asked for, and where a pattern found it, under its own.
fn rows(cx: &mut Cx<'_>, wanted: &[Wanted], units: &[Unit]) -> Vec<Row> {
    let (mut rows, mut said) = (Vec::new(), BTreeSet::new());
    let (patterns, names): (Vec<&Wanted>, Vec<&Wanted>) = wanted.iter().partition(|wanted| wanted.is_pattern());
    for wanted in names.into_iter().chain(patterns) {
        if !is_unit_name(&wanted.full) {
            cx.remark(format!("service {}", wanted.written), "is no name of a unit, or is that of a template");
            continue;
        }
        let is_it = |unit: &&Unit| {
            let is_it = if wanted.is_pattern() { wanted.fits(&unit.id) } else { unit.is_called(&wanted.full) };
            is_it && unit.is_installed()
        };
        let mut found = units.iter().filter(is_it).peekable();
        if found.peek().is_none() {
            remark_missing(cx, &wanted.written, wanted.is_pattern());
        }
        for unit in found.filter(|unit| said.insert(unit.id.clone())) {
            let name = if wanted.is_pattern() { &unit.id } else { &wanted.full };
            match unit.state() {
                Some(state) => rows.push(Row { name: shown(name).to_owned(), state, start_mode: None }),
                None => cx.problem(format!("unit {}", unit.id), format!("unknown state {:?}", unit.active)),
            }
        }
    }
    rows
}

impl Collector for Units {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let units = self.list()?;
        self.say(cx, &units);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
