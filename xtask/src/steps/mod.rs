//! The steps of `cargo xtask test`: the list is the order.

mod api;
mod artefacts;
mod fuzz;
mod go;
mod idle;
mod lint;
mod page;
mod tests;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Result, bail};

pub use artefacts::{build_all, build_linux, build_windows, print_imports};

use crate::ledger::{Ledger, Passed};
use crate::toolchain::SourceRust;
use crate::tools::{self, Need};
use crate::workspace::Workspace;

pub struct Step {
    pub name: &'static str,
    /// One line for `--list`.
    pub about: &'static str,
    /// Those of the steps in `uses` come with them.
    needs: &'static [Need],
    /// Steps that build what this one uses; `--only` runs them too, so that nothing stale is tested.
    uses: &'static [&'static str],
    run: fn(&Cx<'_>) -> Result<Passed>,
}

/// What a step may know.
pub struct Cx<'a> {
    pub ws: &'a Workspace,
    /// Fault rounds and long fuzzing.
    pub long: bool,
}

impl Cx<'_> {
    /// The compiler of what is shipped; [`Need::SourceRust`] has made sure of it.
    fn rust(&self) -> Result<SourceRust> {
        SourceRust::get()
    }
}

const LINUX: &[Need] = &[Need::SourceRust, Need::Python, Need::Zig];
const WINDOWS: &[Need] = &[Need::SourceRust, Need::Mingw];

pub const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "rustfmt and gofmt have nothing to change",
        needs: &[Need::Go],
        uses: &[],
        run: lint::fmt,
    },
    Step {
        name: "unsafe",
        about: "no unsafe code outside crates/sys and the DLL of tests",
        needs: &[],
        uses: &[],
        run: lint::no_unsafe,
    },
    Step {
        name: "clippy-linux",
        about: "clippy without a warning, all targets",
        needs: &[],
        uses: &[],
        run: lint::clippy_linux,
    },
    Step {
        name: "clippy-windows",
        about: "the same for the Windows target",
        needs: &[Need::SourceRust, Need::WindowsClippy, Need::Mingw],
        uses: &[],
        run: lint::clippy_windows,
    },
    Step {
        name: "deny",
        about: "bans, licences and sources of dependencies",
        needs: &[Need::CargoDeny],
        uses: &[],
        run: lint::deny,
    },
    Step {
        name: "unit",
        about: "unit, integration and doc tests on Linux",
        needs: &[Need::Namespace],
        uses: &[],
        run: tests::unit,
    },
    Step {
        name: "gojson",
        about: "the decoding cases are what Go's encoding/json says",
        needs: &[Need::Go],
        uses: &[],
        run: go::json_cases,
    },
    Step {
        name: "executables",
        about: "every shipped executable, built side by side",
        needs: &[Need::SourceRust, Need::Python, Need::Zig, Need::Mingw],
        uses: &[],
        run: artefacts::all,
    },
    Step { name: "dist-linux", about: "release executable for Linux", needs: LINUX, uses: &[], run: artefacts::linux },
    Step {
        name: "dist-windows",
        about: "release executable for Windows 7 and later",
        needs: WINDOWS,
        uses: &[],
        run: artefacts::windows,
    },
    Step {
        name: "dist",
        about: "every package, packed from the executables",
        needs: &[Need::Dpkg, Need::Rpm, Need::Msitools],
        uses: &["executables"],
        run: artefacts::packages,
    },
    Step {
        name: "size",
        about: "executables of at most 5,000,000 bytes",
        needs: &[],
        uses: &["executables"],
        run: artefacts::size,
    },
    Step {
        name: "symbols",
        about: "the executables for Linux need an old glibc and nothing else, or nothing at all",
        needs: &[],
        uses: &["executables"],
        run: artefacts::symbols,
    },
    Step {
        name: "paths",
        about: "no executable holds a path of this machine",
        needs: &[],
        uses: &["executables"],
        run: artefacts::paths,
    },
    Step {
        name: "reproducible",
        about: "every package comes out the same when packed again; --long: when built again in another folder",
        needs: &[],
        uses: &["dist"],
        run: artefacts::reproducible,
    },
    Step {
        name: "imports",
        about: "the .exe imports only what Windows 7 has, and carries version, icon and the messages of its events",
        needs: WINDOWS,
        uses: &["dist-windows"],
        run: artefacts::imports,
    },
    Step {
        name: "static-linux",
        about: "the static executable in a root folder without any library",
        needs: &[Need::Namespace],
        uses: &["executables"],
        run: tests::static_linux,
    },
    Step {
        name: "peer",
        about: "the Go transfer and hbs: tests and build",
        needs: &[Need::Go],
        uses: &[],
        run: go::peer,
    },
    Step {
        name: "interop-linux",
        about: "the Linux executable against the Go peer",
        needs: &[Need::SourceRust, Need::Go],
        uses: &["dist-linux", "peer"],
        run: tests::interop_linux,
    },
    Step {
        name: "api",
        about: "schemathesis finds no answer of the Linux executable that docs/openapi.json does not describe",
        needs: &[Need::SourceRust, Need::Python, Need::Schemathesis],
        uses: &["dist-linux"],
        run: api::run,
    },
    Step {
        name: "prometheus",
        about: "promtool and Prometheus take what the Linux executable says at /metrics, and every declared name",
        needs: &[Need::SourceRust, Need::Prometheus],
        uses: &["dist-linux"],
        run: tests::prometheus,
    },
    Step {
        name: "browser",
        about: "no page of another site in Chromium ends or reloads the Linux executable",
        needs: &[Need::SourceRust, Need::Chromium],
        uses: &["dist-linux"],
        run: tests::browser,
    },
    Step {
        name: "page-linux",
        about: "Chromium looks at the page of the Linux executable",
        needs: &[Need::SourceRust, Need::Chromium, Need::Python, Need::Playwright],
        uses: &["dist-linux"],
        run: page::linux,
    },
    Step {
        name: "faults-linux",
        about: "the Linux executable under faults of transfers, network, disk and clients",
        needs: &[Need::SourceRust, Need::Go, Need::Namespace],
        uses: &["dist-linux", "peer"],
        run: tests::faults_linux,
    },
    Step {
        name: "packages-linux",
        about: "packages for Linux: installed, upgraded and removed in a root of their own, and measured inside the unit's bounds",
        needs: &[Need::Systemd, Need::Namespace, Need::Procps],
        uses: &["dist"],
        run: tests::packages_linux,
    },
    Step {
        name: "upgrade-linux",
        about: "`upgrade` to good and bad executables, by hand, by control and by systemctl, under load",
        needs: &[Need::Cc],
        uses: &["dist-linux"],
        run: tests::upgrade_linux,
    },
    Step {
        name: "unit-windows",
        about: "tests of sys and agent as Windows programs, under Wine",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine],
        uses: &[],
        run: tests::unit_windows,
    },
    Step {
        name: "interop-windows",
        about: "the shipped .exe under Wine against the Go peer",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine, Need::Go],
        uses: &["dist-windows", "peer"],
        run: tests::interop_windows,
    },
    Step {
        name: "page-windows",
        about: "the same page of the shipped .exe under Wine",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine, Need::Chromium, Need::Python, Need::Playwright],
        uses: &["dist-windows"],
        run: page::windows,
    },
    Step {
        name: "faults-windows",
        about: "the shipped .exe under Wine under the same faults",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine, Need::Go],
        uses: &["dist-windows", "peer"],
        run: tests::faults_windows,
    },
    Step {
        name: "service-windows",
        about: "the service under Wine: install, start, stop, takeover, reboot",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine, Need::Go],
        uses: &["dist-windows", "peer"],
        run: tests::service_windows,
    },
    Step {
        name: "upgrade-windows",
        about: "the same for the service under Wine",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine],
        uses: &["dist-windows"],
        run: tests::upgrade_windows,
    },
    Step {
        name: "packages-windows",
        about: "MSI and zip under Wine: installed in silence, upgraded, removed; what an administrator finds",
        needs: &[Need::Wine],
        uses: &["dist"],
        run: tests::packages_windows,
    },
    Step {
        name: "perf-windows",
        about: "performance counters under Wine: our providers' numbers at the Go peer, and providers at fault",
        needs: &[Need::SourceRust, Need::Mingw, Need::Wine, Need::Go],
        uses: &["dist-windows", "peer"],
        run: tests::perf_windows,
    },
    Step {
        name: "fuzz",
        about: "a fixed number of inputs for each fuzz target",
        needs: &[Need::CargoFuzz, Need::Cxx],
        uses: &[],
        run: fuzz::run,
    },
    Step {
        name: "idle",
        about: "memory, threads and descriptors of the executables at rest",
        needs: &[Need::Wine, Need::Go],
        uses: &["executables", "peer"],
        run: idle::run,
    },
];

/// What `cargo xtask faults` runs.
pub const FAULTS: [&str; 2] = ["faults-linux", "faults-windows"];

/// The chosen steps and those they use, in the order of the list; all of them when nothing is chosen.
fn select(only: &[String]) -> Result<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    let mut names = BTreeSet::new();
    for name in only {
        let Some(step) = STEPS.iter().find(|step| step.name == name) else {
            bail!("there is no step {name:?}; --list shows them");
        };
        add(step, &mut names);
    }
    Ok(STEPS.iter().filter(|step| names.contains(step.name)).collect())
}

/// With what it uses, and what that uses.
fn add(step: &'static Step, names: &mut BTreeSet<&'static str>) {
    names.insert(step.name);
    STEPS.iter().filter(|used| step.uses.contains(&used.name)).for_each(|used| add(used, names));
}

fn needs(steps: &[&Step]) -> BTreeSet<Need> {
    steps.iter().flat_map(|step| step.needs).copied().collect()
}

/// Finds or installs what the named steps need, for one who does their work without them.
///
/// # Errors
/// As [`tools::ensure`], and for a step that there is not.
pub fn ensure_tools(ws: &Workspace, of: &[&str]) -> Result<()> {
    let of: Vec<String> = of.iter().map(|name| (*name).to_owned()).collect();
    tools::ensure(ws, &needs(&select(&of)?))
}

/// Runs the chosen steps up to the first failure and prints the ledger.
///
/// # Errors
/// When a step fails, is unknown or lacks a tool.
pub fn run(ws: &Workspace, only: &[String], long: bool) -> Result<()> {
    let steps = select(only)?;
    tools::ensure(ws, &needs(&steps))?;
    let cx = Cx { ws, long };
    let mut ledger = Ledger::default();
    for step in &steps {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)(&cx);
        let took = start.elapsed();
        ledger.add(step.name, took, result.as_ref().ok().copied());
        if let Err(error) = result {
            println!("\n{ledger}");
            return Err(error.context(format!(
                "step {} failed; to run it alone: cargo xtask test --only {}",
                step.name, step.name
            )));
        }
        println!("-- {}: {:.1} s", step.name, took.as_secs_f64());
    }
    println!("\n{ledger}\n{} passed, 0 failed", ledger.passed());
    Ok(())
}

pub fn list() {
    for step in STEPS {
        println!("{:<16} {}", step.name, step.about);
    }
}

#[cfg(test)]
mod list_tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        select(&only).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn what_a_step_uses_comes_with_it_and_before_it() {
        assert_eq!(names(&["interop-windows", "fmt"]), ["fmt", "dist-windows", "peer", "interop-windows"]);
        assert_eq!(names(&["dist"]), ["executables", "dist"]);
        assert_eq!(names(&[]).len(), STEPS.len());
        assert!(select(&["nothing".to_owned()]).is_err());
    }

    #[test]
    fn steps_use_only_steps_before_them() {
        for (index, step) in STEPS.iter().enumerate() {
            for name in step.uses {
                assert!(STEPS.iter().take(index).any(|before| before.name == *name), "{} uses {name}", step.name);
            }
        }
    }

    #[test]
    fn a_step_comes_with_the_needs_of_those_it_uses() {
        let needs = needs(&select(&["dist".to_owned()]).unwrap());
        assert!(needs.contains(&Need::Zig) && needs.contains(&Need::Mingw), "{needs:?}");
    }
}
