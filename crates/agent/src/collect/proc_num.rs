//! `proc.num`: how many processes fit what hbs assigned, or `checks.processes` names. Says nothing without them.
//!
//! Linux: a process has a command line, so threads of the kernel are none; `name` is all of what the kernel keeps of its name
//! (15 bytes), `cmdline` a part of its arguments with nothing between them (`java -c x` is `java-cx`), as the Go agent compares
//! them. Windows: `name` is the image's, with or without `.exe`, in any case; `cmdline` a part of the command line as it is or
//! without its blanks, so that a strategy that was made for Linux fits too. With neither every process fits.
//!
//! Source: `/proc/PID/comm`, `cmdline`; SYSTEM_PROCESS_INFORMATION, NtQueryInformationProcess, the process's PEB.

use std::sync::Arc;

use falcon_sys::Host;

use super::{Collector, Context, Cx, Lane, Spec, float};
use crate::assigned::Assigned;
use crate::assigned::check::ProcessCheck;
use crate::model::{Metric, Platform, Sets};

const NUM: Metric = Metric::gauge(
    "proc.num",
    "processes",
    Sets::ALL,
    "/proc/PID/comm, cmdline; SYSTEM_PROCESS_INFORMATION and the command line of each process",
)
.tags(&["name", "cmdline"])
.help("assigned by hbs, or of `checks.processes`: processes of this name whose command line has this in it");

/// What Linux keeps of a name.
const COMM: usize = 15;

pub(super) const SPEC: Spec = Spec {
    name: "proc_num",
    check: "ps aux",
    lane: Lane::Host,
    rates: false,
    metrics: &[NUM],
    options: &[],
    open: |cx: &Context| {
        let (host, assigned) = (cx.host.clone(), cx.assigned.clone());
        Ok(Some(Box::new(Counted { host, assigned })))
    },
};

struct Counted {
    host: Host,
    assigned: Arc<Assigned>,
}

impl Collector for Counted {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let checks = self.assigned.checks();
        if checks.processes.is_empty() || !cx.wants(&NUM) {
            return Ok(());
        }
        let mut counts: Vec<Count<'_>> = checks.processes.iter().map(Count::new).collect();
        let platform = Platform::CURRENT;
        let mut wanted = |name: &str| checks.processes.iter().any(|check| has_name(check, name, platform));
        let mut shorter = String::new();
        self.host.command_lines(&mut wanted, &mut |name, line| {
            let line = line.ok();
            shorter.clear();
            shorter.extend(line.unwrap_or_default().chars().filter(|c| !c.is_whitespace()));
            counts.iter_mut().for_each(|count| count.add(name, line, &shorter, platform));
        })?;
        emit(cx, &counts, platform);
        Ok(())
    }
}

/// One check while processes pass by.
struct Count<'a> {
    check: &'a ProcessCheck,
    fit: u64,
    /// Of this name, and its command line is not known.
    hidden: bool,
}

impl<'a> Count<'a> {
    fn new(check: &'a ProcessCheck) -> Count<'a> {
        Count { check, fit: 0, hidden: false }
    }

    /// `shorter`: the command line without its blanks.
    fn add(&mut self, name: &str, line: Option<&str>, shorter: &str, platform: Platform) {
        if !has_name(self.check, name, platform) {
            return;
        }
        let Some(part) = &self.check.cmdline else {
            self.fit += 1;
            return;
        };
        match line {
            // Protected processes show theirs to nobody: who names one alone cares.
            None => self.hidden |= self.check.name.is_some(),
            Some(line) => {
                let fits = line.contains(part) || (platform == Platform::Windows && shorter.contains(part));
                self.fit += u64::from(fits);
            }
        }
    }
}

fn has_name(check: &ProcessCheck, name: &str, platform: Platform) -> bool {
    let Some(wanted) = &check.name else { return true };
    match platform {
        Platform::Linux => name == wanted,
        Platform::Windows => {
            let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
            name == wanted || name.strip_suffix(".exe") == Some(&wanted)
        }
    }
}

fn emit(cx: &mut Cx<'_>, counts: &[Count<'_>], platform: Platform) {
    for Count { check, fit, hidden } in counts {
        cx.emit(&NUM, &check.tags, float(*fit));
        let long = check.name.as_ref().filter(|name| platform == Platform::Linux && name.len() > COMM);
        if let Some(name) = long {
            cx.remark(check.tags.as_str(), format!("no process is called {name}: Linux keeps {COMM} bytes of a name"));
        }
        if *hidden {
            let why = "the command line of a process of this name cannot be read; it is not counted";
            cx.problem(check.tags.as_str(), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned::BuiltinMetric;
    use crate::collect::Collected;
    use crate::collect::tests::with_cx;
    use crate::config::Config;

    fn assigned(tags: &[&str]) -> Arc<Assigned> {
        let assigned = Arc::<Assigned>::default();
        let metric = |tags: &&str| BuiltinMetric { metric: NUM.name.to_owned(), tags: (*tags).to_owned() };
        assigned.set_metrics(tags.iter().map(metric).collect());
        assigned
    }

    fn counted(tags: &[&str], processes: &[(&str, Option<&str>)], platform: Platform) -> Collected {
        let checks = assigned(tags).checks();
        let mut counts: Vec<Count<'_>> = checks.processes.iter().map(Count::new).collect();
        for (name, line) in processes {
            let shorter = line.unwrap_or_default().replace(' ', "");
            counts.iter_mut().for_each(|count| count.add(name, *line, &shorter, platform));
        }
        with_cx(Sets::FALCON, platform, |cx| emit(cx, &counts, platform)).1
    }

    fn said(collected: &Collected) -> Vec<(&str, f64)> {
        collected.samples.iter().map(|sample| (sample.tags.as_str(), sample.value.get())).collect()
    }

    #[test]
    fn on_linux_a_name_is_exact_and_a_command_line_has_nothing_between_its_arguments() {
        let processes = [
            ("java", Some("/bin/java-cxmain")),
            ("java", Some("/bin/java-cy")),
            ("Java", Some("java")),
            ("averyverylongna", Some("averyverylongname")),
        ];
        let tags = [
            "name=java",
            "cmdline=java-c",
            "name=java,cmdline=main",
            "name=jav",
            "name=",
            "",
            "cmdline=",
            "name=averyverylongname",
            "name=java,cmdline=-c x",
        ];
        let collected = counted(&tags, &processes, Platform::Linux);
        let values: Vec<f64> = said(&collected).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [2.0, 2.0, 1.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0]);
        assert!(said(&collected).iter().map(|(tags, _)| *tags).eq(tags), "tags are the strategy's own");
        assert_eq!(collected.remarks.len(), 1, "{:?}", collected.remarks);
    }

    #[test]
    fn on_windows_a_name_may_lack_its_ending_and_a_command_line_its_blanks() {
        let processes = [
            ("java.exe", Some("\"C:\\Java\\java.exe\" -c x -jar a.jar")),
            ("JAVA.EXE", Some("java -c y")),
            ("svchost.exe", None),
            ("System", None),
        ];
        let tags = [
            "name=java",
            "name=Java.exe",
            "name=java.ex",
            "cmdline=-c x",
            "cmdline=-cx-jar",
            "name=java,cmdline=-cy",
            "cmdline=JAVA",
            "",
            "name=system",
            "name=svchost",
            "cmdline=",
        ];
        let collected = counted(&tags, &processes, Platform::Windows);
        let values: Vec<f64> = said(&collected).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [2.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.0, 4.0, 1.0, 1.0, 2.0]);
        assert!(collected.problems.is_empty() && collected.remarks.is_empty());
        let collected = counted(&["name=svchost,cmdline=-k", "cmdline=-k"], &processes, Platform::Windows);
        let problems: Vec<&str> = collected.problems.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(problems, ["name=svchost,cmdline=-k"]);
    }

    #[test]
    fn processes_of_this_host_are_counted_and_nothing_without_an_assignment() {
        let assigned = assigned(&[]);
        let context = Context { assigned: assigned.clone(), ..crate::collect::tests::context(Config::standalone()) };
        let mut collector = (SPEC.open)(&context).unwrap().unwrap();
        let mut cycle = || with_cx(Sets::FALCON, Platform::CURRENT, |cx| collector.collect(cx).unwrap()).1;
        assert!(cycle().samples.is_empty());
        let metric = |tags: &str| BuiltinMetric { metric: NUM.name.to_owned(), tags: tags.to_owned() };
        assigned.set_metrics(vec![metric("cmdline=falcon_agent"), metric(""), metric("name=no.such.program")]);
        let collected = cycle();
        let said = said(&collected);
        assert!(said[0].1 >= 1.0 && said[1].1 >= said[0].1, "{said:?}");
        assert_eq!(said[2], ("name=no.such.program", 0.0));
    }
}
