//! Which program runs a file. Linux decides by its first line; Windows knows no such line, so its programs are found here by
//! the end of a file's name, then by that line.
//!
//! No shell ever sees an argument. Interpreters are looked for where an administrator has put them: in the directory of
//! Windows, in the registry of this computer, in the directories of PATH on a drive; never in the current one. Sources: execve(2);
//! Microsoft's about_PowerShell_exe and Cscript; PEP 514 for Python's keys.

mod windows;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::model::Platform;

/// What is read of a file for its first line: the kernel reads 256 bytes.
const HEAD: u64 = 512;
const ELF: &[u8] = b"\x7FELF";
const UTF8_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// How a file is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    interpreter: Option<PathBuf>,
    platform: Platform,
}

/// How a file, whose path is absolute, is run with these arguments.
///
/// # Errors
/// Why it cannot be, and the way out.
pub fn launch(file: &Path, args: &[String]) -> Result<Launch, String> {
    let head = head(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "is not there any more".to_owned(),
        _ => format!("cannot be read: {error}; the agent's user needs the right to"),
    })?;
    match Platform::CURRENT {
        Platform::Windows => windows::launch(&file.to_string_lossy(), &head, args, &windows::Host),
        Platform::Linux => {
            let mode = falcon_sys::mode_bits(file).map_err(|error| format!("its mode cannot be read: {error}"))?.mode;
            let interpreter = interpreter(&head, mode, &|path| path.exists())?;
            let args = args.iter().map(OsString::from).collect();
            Ok(Launch { program: file.to_owned(), args, interpreter, platform: Platform::Linux })
        }
    }
}

impl Launch {
    /// The program that reads the file, where it is not the file itself: who can change it can change what runs.
    pub fn interpreter(&self) -> Option<&Path> {
        self.interpreter.as_deref()
    }

    /// Whether it is a batch file with an argument of several lines.
    fn breaks_lines(&self) -> bool {
        self.interpreter.is_none() && self.args.iter().any(|arg| arg.to_string_lossy().contains(['\r', '\n']))
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command
    }

    /// Why the system did not start it in this directory.
    pub fn explain(&self, error: &io::Error, cwd: &Path) -> String {
        // Windows tells of it with a word of its own (ERROR_DIRECTORY).
        if let Err(at_directory) = enter(cwd)
            && (at_directory.kind() == error.kind() || error.kind() == io::ErrorKind::NotADirectory)
        {
            return format!(
                "is to run in {}, which the agent's user may not enter, or which is not there: {error}",
                cwd.display()
            );
        }
        match (self.platform, error.kind(), error.raw_os_error()) {
            (Platform::Linux, _, Some(8)) => format!("is no program of this host: {error}"),
            (Platform::Linux, _, Some(13)) => format!(
                "may not be run by the agent's user, nor what its first line names, or it lies on a file system that is \
                 mounted noexec: {error}"
            ),
            (Platform::Windows, _, Some(193 | 216)) => {
                format!("is no program of this Windows, or a damaged one: {error}")
            }
            (Platform::Windows, _, Some(740)) => {
                format!("asks to be run by an administrator, which nobody is there to allow: {error}")
            }
            // Of the standard library: it passes nothing to a batch file that cmd.exe would take for something else.
            (Platform::Windows, io::ErrorKind::InvalidInput, _) if self.breaks_lines() => {
                format!("has an argument that no batch file can be given (a line break): {error}")
            }
            (_, io::ErrorKind::ExecutableFileBusy, _) => {
                format!("is still being written, and is run again in its next cycle: {error}")
            }
            (_, io::ErrorKind::NotFound, _) => {
                format!(
                    "is there, but what it needs to start is not (as the loader of a program for another libc): {error}"
                )
            }
            _ => format!("cannot be started: {error}"),
        }
    }
}

/// Whether one may run in a directory; the empty one is where the agent runs.
fn enter(cwd: &Path) -> io::Result<()> {
    if cwd.as_os_str().is_empty() { Ok(()) } else { cwd.join(".").metadata().map(drop) }
}

fn head(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// What the kernel would start for a file, `None` for the file itself.
fn interpreter(head: &[u8], mode: u32, exists: &dyn Fn(&Path) -> bool) -> Result<Option<PathBuf>, String> {
    if mode & 0o111 == 0 {
        return Err("is not executable: chmod +x it".to_owned());
    }
    let Some(line) = first_line(head) else {
        if head.is_empty() {
            return Err("is empty".to_owned());
        }
        if let Some(rest) = head.strip_prefix(UTF8_MARK)
            && rest.starts_with(b"#!")
        {
            return Err(
                "begins with a byte order mark, which Linux takes for a part of its first line: save it without"
                    .to_owned(),
            );
        }
        // What else the kernel refuses the C library would give to a shell, whose errors tell nothing.
        if !head.starts_with(ELF) {
            return Err("is no program of this host, nor has it a first line that names its interpreter: begin a script with one \
                        such as #!/bin/sh"
                .to_owned());
        }
        return Ok(None);
    };
    if line.ends_with('\r') {
        return Err(format!(
            "has the line ends of Windows, so that Linux looks for the interpreter `{}\\r`: convert it, as dos2unix does",
            line.trim_end()
        ));
    }
    let Some(program) = line.split([' ', '\t']).find(|part| !part.is_empty()) else {
        return Err("names no interpreter in its first line: begin it with one such as #!/bin/sh".to_owned());
    };
    let program = PathBuf::from(program);
    if !exists(&program) {
        return Err(format!(
            "names the interpreter {} in its first line, which is not there: install it, or change the line",
            program.display()
        ));
    }
    Ok(Some(program))
}

/// What stands behind `#!`.
fn first_line(head: &[u8]) -> Option<String> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Some(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &[u8], mode: u32) -> Result<Option<PathBuf>, String> {
        interpreter(head, mode, &|path| path == Path::new("/bin/sh"))
    }

    fn why(head: &[u8]) -> String {
        of(head, 0o755).unwrap_err()
    }

    #[test]
    fn linux_reads_the_first_line() {
        for head in ["#!/bin/sh\necho", "#! /bin/sh -e\n", "#!/bin/sh", "#!\t/bin/sh\t-e\r-\n"] {
            assert_eq!(of(head.as_bytes(), 0o100_755), Ok(Some(PathBuf::from("/bin/sh"))), "{head:?}");
        }
        assert_eq!(of(b"\x7FELF\x02\x01\x01\0\0", 0o755), Ok(None));
        assert_eq!(of(b"#!/bin/sh\n", 0o001), Ok(Some(PathBuf::from("/bin/sh"))));
    }

    /// A file without the right to be executed ended the Go agent.
    #[test]
    fn what_linux_cannot_run_says_what_is_missing() {
        assert_eq!(of(b"#!/bin/sh\n", 0o644).unwrap_err(), "is not executable: chmod +x it");
        assert_eq!(
            why(b"#!/usr/bin/python2.4 -u\nprint"),
            "names the interpreter /usr/bin/python2.4 in its first line, which is not there: install it, or change the line"
        );
        assert!(why(b"#!/bin/sh\r\necho\r\n").contains(r"`/bin/sh\r`: convert it"));
        assert!(why(b"\xEF\xBB\xBF#!/bin/sh\n").contains("byte order mark"));
        for head in [b"echo []\n".as_slice(), b"MZ\x90\0", b"\xD6\xF7\n"] {
            assert!(why(head).contains("begin a script with one such as #!/bin/sh"));
        }
        assert!(why(b"#!\n").contains("names no interpreter"));
        assert_eq!(why(b""), "is empty");
    }

    #[test]
    fn what_the_system_refuses_is_explained() {
        let explained = |platform, code| {
            let launch = Launch { program: PathBuf::from("x"), args: Vec::new(), interpreter: None, platform };
            launch.explain(&io::Error::from_raw_os_error(code), Path::new(""))
        };
        assert!(explained(Platform::Linux, 8).starts_with("is no program of this host"));
        assert!(explained(Platform::Windows, 193).starts_with("is no program of this Windows"));
        assert!(explained(Platform::Windows, 740).contains("administrator"));
        assert!(explained(Platform::Windows, 1).starts_with("cannot be started"));
        assert!(explained(Platform::Linux, 13).starts_with("may not be run by the agent's user"));
        assert!(explained(Platform::Linux, 1).starts_with("cannot be started"));
    }

    #[test]
    fn only_an_argument_with_a_line_break_is_told_of_as_one() {
        let explained = |arg: &str| {
            let (program, args) = (PathBuf::from("60_x.bat"), vec![OsString::from(arg)]);
            let launch = Launch { program, args, interpreter: None, platform: Platform::Windows };
            launch.explain(&io::ErrorKind::InvalidInput.into(), Path::new(""))
        };
        assert!(explained("a\nb").starts_with("has an argument that no batch file can be given (a line break)"));
        assert!(explained("a").starts_with("cannot be started"));
    }

    #[test]
    fn a_directory_that_is_not_there_is_the_reason_and_no_other() {
        let launch =
            Launch { program: PathBuf::from("x"), args: Vec::new(), interpreter: None, platform: Platform::CURRENT };
        let explained = |error: io::ErrorKind| launch.explain(&error.into(), Path::new("no such directory"));
        assert!(explained(io::ErrorKind::NotFound).starts_with("is to run in no such directory, which"));
        assert!(explained(io::ErrorKind::ExecutableFileBusy).starts_with("is still being written"));
    }
}
