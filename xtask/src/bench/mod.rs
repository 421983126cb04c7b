//! `cargo xtask bench`: figures, printed. Nothing here passes or fails: machines differ.

mod crowd;
mod host;
mod page;
mod perf;
mod replay;

use std::path::Path;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// The verb with which this program calls itself in a world of its own.
pub const INSIDE: &str = "bench-inside";

pub struct Bench {
    name: &'static str,
    about: &'static str,
    /// The step whose tools it needs.
    pub tools: &'static str,
    run: fn(&Workspace) -> Result<()>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "host",
        about: "what a cycle costs on this host and on one full of everything",
        tools: "dist-linux",
        run: host::run,
    },
    Bench {
        name: "page",
        about: "how soon the page and its first chart stand, and what crosses the wire for them",
        tools: "page-linux",
        run: page::run,
    },
    Bench {
        name: "perf",
        about: "what performance counters of a large host cost in a cycle",
        tools: "dist-linux",
        run: perf::run,
    },
    Bench {
        name: "replay",
        about: "how fast a day of backlog is taken, kept and sent",
        tools: "dist-linux",
        run: replay::run,
    },
];

pub fn list() {
    for bench in BENCHES {
        println!("{:<16} {}", bench.name, bench.about);
    }
}

pub fn find(name: &str) -> Option<&'static Bench> {
    BENCHES.iter().find(|bench| bench.name == name)
}

/// # Errors
/// When it cannot measure here; the message says what is missing.
pub fn run(bench: &Bench, ws: &Workspace) -> Result<()> {
    (bench.run)(ws)
}

/// What this program does for a bench when it has called itself.
///
/// # Errors
/// As [`run`].
pub fn inside(args: &[&str]) -> Result<()> {
    match args {
        ["crowd", exe, folder] => host::in_the_crowd(Path::new(exe), Path::new(folder)),
        ["connections", count] => crowd::hold(count.parse()?),
        _ => bail!("{INSIDE} is for this program itself"),
    }
}
