//! What systemd says of an agent's unit.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// That of the packages.
pub(super) const UNIT: &str = "falcon-agent.service";

/// The arguments in what `systemctl show` says of ExecStart, where the program is this one:
/// `{ path=/usr/bin/falcon-agent ; argv[]=/usr/bin/falcon-agent -c /etc/x ; ignore_errors=no ; ... }`.
pub(super) fn command_of(line: &str, program: &Path) -> Option<Vec<OsString>> {
    let argv = line.split(" ; ").find_map(|part| part.trim().strip_prefix("argv[]="))?;
    let words: Vec<OsString> = argv.split_whitespace().map(OsString::from).collect();
    let first = fs::canonicalize(words.first()?).ok()?;
    (first == program).then_some(words)
}

/// A session of sshd or cron may be a part of their unit: only whose main process it is, is its unit.
pub(super) fn of(pid: u32) -> Option<String> {
    all_of(pid).find(|unit| main_pid(unit) == Some(pid))
}

/// Which it may be of.
pub(super) fn all_of(pid: u32) -> impl Iterator<Item = String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let named: Vec<String> = groups.lines().filter_map(named_in).map(str::to_owned).collect();
    named.into_iter().chain([UNIT.to_owned()])
}

/// `0::/system.slice/falcon-agent.service`
fn named_in(line: &str) -> Option<&str> {
    line.rsplit(['/', ':']).find(|part| part.ends_with(".service"))
}

pub(super) fn main_pid(unit: &str) -> Option<u32> {
    show(unit, "MainPID")?.parse().ok().filter(|pid| *pid != 0)
}

/// One property of a unit; `None` where there is no systemd, or nothing is told.
pub(super) fn show(unit: &str, property: &str) -> Option<String> {
    let mut command = Command::new("systemctl");
    command.args(["show", "-p", property, unit]).stdin(Stdio::null()).stderr(Stdio::null());
    falcon_sys::set_apart(&mut command);
    let told = command.output().ok().filter(|told| told.status.success())?;
    let text = String::from_utf8_lossy(&told.stdout);
    let value = text.trim().strip_prefix(property)?.strip_prefix('=')?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_in_every_form_of_cgroups() {
        for (line, unit) in [
            ("0::/system.slice/falcon-agent.service", Some("falcon-agent.service")),
            ("1:name=systemd:/system.slice/system-x.slice/x@1.service/payload", Some("x@1.service")),
            ("0::/user.slice/user-1000.slice/session-2.scope", None),
            ("2:cpu,cpuacct:/", None),
        ] {
            assert_eq!(named_in(line), unit, "{line}");
        }
    }

    #[test]
    fn the_command_of_a_unit_is_read_where_it_is_this_program() {
        let line = "{ path=/bin/sh ; argv[]=/bin/sh -c /etc/falcon-agent/cfg.json ; ignore_errors=no ; pid=0 }";
        let sh = fs::canonicalize("/bin/sh").unwrap_or_default();
        let words = command_of(line, &sh).unwrap_or_default();
        if sh.is_absolute() {
            assert_eq!(crate::cli::agent_of(words).flatten(), Some("/etc/falcon-agent/cfg.json".into()));
        }
        assert_eq!(command_of(line, Path::new("/usr/bin/falcon-agent")), None);
        assert_eq!(command_of("", &sh), None);
    }
}
