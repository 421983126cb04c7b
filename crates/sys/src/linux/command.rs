//! What each process of the host was started as: `/proc/PID/comm` and `cmdline`. A process that ends while it is looked at is
//! absent. Source: proc_pid_comm(5), proc_pid_cmdline(5).

use super::process::show;
use super::{Host, files};
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

impl Host {
    /// Tells each process whose name `wanted` accepts, and its command line: its arguments with nothing between them. The name
    /// is what the kernel keeps of it, 15 bytes. Bytes that are not UTF-8 are replaced. What has no command line is absent:
    /// threads of the kernel, and what has ended and is not yet waited for. Only Windows tells errors of single processes.
    ///
    /// # Errors
    /// `/proc` cannot be listed.
    pub fn command_lines(
        &mut self,
        wanted: &mut dyn FnMut(&str) -> bool,
        each: &mut dyn FnMut(&str, io::Result<&str>),
    ) -> io::Result<()> {
        let Host { root, file, path, name, .. } = self;
        let proc = root.dir().and_then(|dir| files::open_dir(dir, "proc")).map_err(|e| root.name("proc", &e))?;
        let mut line = String::new();
        let told = files::each_entry(&proc, |entry| {
            let Some(pid) = files::numbered(entry, "") else { return };
            if !read(&proc, pid, "comm", path, file) {
                return;
            }
            show(file.trim_ascii(), name);
            if !wanted(name) || !read(&proc, pid, "cmdline", path, file) || file.is_empty() {
                return;
            }
            file.retain(|byte| *byte != 0);
            show(file, &mut line);
            each(name, Ok(&line));
        });
        told.map_err(|e| root.name("proc", &e))?;
        self.release();
        Ok(())
    }
}

/// A command line may be longer than what one read of it gives.
fn read(proc: &OwnedFd, pid: u32, what: &str, path: &mut String, into: &mut Vec<u8>) -> bool {
    path.clear();
    // Writing to a String does not fail.
    let _ = write!(path, "{pid}/{what}");
    files::read(proc.as_fd(), path, into).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::fixture;

    fn told(host: &mut Host, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        host.command_lines(&mut |name| wanted(name), &mut |name, line| {
            seen.push((name.to_owned(), line.unwrap().to_owned()));
        })
        .unwrap();
        seen.sort();
        seen
    }

    #[test]
    fn arguments_have_nothing_between_them_and_kernel_threads_are_absent() {
        let long = "x\0".repeat(50_000);
        let (_dir, mut host) = fixture::host(&[
            ("proc/1/comm", "java\n"),
            ("proc/1/cmdline", "/bin/java\0-c\0x y\0"),
            ("proc/2/comm", "kthreadd\n"),
            ("proc/2/cmdline", ""),
            ("proc/30/comm", "long\n"),
            ("proc/30/cmdline", &long),
            ("proc/31/comm", "ended\n"),
            ("proc/self/comm", "no\n"),
        ]);
        let pair = |name: &str, line: String| (name.to_owned(), line);
        let java = pair("java", "/bin/java-cx y".to_owned());
        assert_eq!(told(&mut host, |_| true), [java.clone(), pair("long", "x".repeat(50_000))]);
        assert_eq!(told(&mut host, |name| name == "java"), [java]);
    }

    // With NULs alone a command line is none of nothing: the kernel has one for this process.
    #[test]
    fn a_process_whose_arguments_are_empty_has_a_command_line() {
        let (_dir, mut host) = fixture::host(&[("proc/1/comm", "a\n"), ("proc/1/cmdline", "\0")]);
        assert_eq!(told(&mut host, |_| true), [("a".to_owned(), String::new())]);
    }

    #[test]
    fn this_process_is_told() {
        let own: String = std::env::args().collect();
        assert!(told(&mut Host::new("/"), |_| true).iter().any(|(_, line)| *line == own));
    }
}
