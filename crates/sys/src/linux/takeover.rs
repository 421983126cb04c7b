//! What the upgrade of a running agent asks of the system: to be alone at it, to end a process, and to start another one just
//! as that was started. Sources: flock(2), kill(2), setsid(2), sigaction(2), proc_pid_environ(5), proc_pid_fd(5), proc_pid_status(5),
//! pid_namespaces(7).

use super::store::open_log;
use crate::types::Started;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, setsid};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory that is held for one upgrade, until this is dropped.
#[derive(Debug)]
pub struct Alone {
    path: PathBuf,
    _file: File,
}

impl Drop for Alone {
    fn drop(&mut self) {
        // While it is held: who opened it meanwhile sees that it has the name no more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Holds a directory for one upgrade at a time: by a file that only its owner can open, or everybody could hold it.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where another has it; those of open(2) and flock(2).
pub fn hold_alone(dir: &Path) -> io::Result<Alone> {
    let path = dir.join("falcon-agent.upgrading");
    let mut options = File::options();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    loop {
        let file = options.open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let ours = file.metadata()?.ino();
        // One that was removed by who had it before holds nothing.
        if fs::symlink_metadata(&path).is_ok_and(|there| there.ino() == ours) {
            return Ok(Alone { path, _file: file });
        }
    }
}

/// Gives a file the owner and the mode of another.
///
/// # Errors
/// Those of stat(2), chown(2) and chmod(2).
pub fn take_rights(of: &Path, to: &Path) -> io::Result<()> {
    let (theirs, ours) = (fs::metadata(of)?, fs::metadata(to)?);
    if (theirs.uid(), theirs.gid()) != (ours.uid(), ours.gid()) {
        std::os::unix::fs::chown(to, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    // After the owner: a change of that takes bits of the mode away.
    fs::set_permissions(to, Permissions::from_mode(theirs.mode() & 0o7777))
}

/// Asks a process to end, or ends it where it stands.
///
/// # Errors
/// Those of kill(2), and [`io::ErrorKind::InvalidInput`] for what is no pid.
pub fn end_process(pid: u32, at_once: bool) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, if at_once { Signal::KILL } else { Signal::TERM })?)
}

/// Whether a process runs: one that has ended and is not yet waited for does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

/// Has a command start in a session of its own: no terminal that closes ends it.
pub fn set_apart(command: &mut Command) {
    // SAFETY: in the forked child it makes one system call without arguments: it allocates nothing and takes no lock that
    // another thread may have held.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(Into::into)) };
}

/// How a process was started.
///
/// # Errors
/// Those of reading it, which its own user and root may; [`io::ErrorKind::NotFound`] where there is no such process.
pub fn started_as(pid: u32) -> io::Result<Started> {
    let list = |name: &str| {
        let mut bytes = Vec::new();
        // ARG_MAX and more.
        File::open(format!("/proc/{pid}/{name}"))?.take(8 << 20).read_to_end(&mut bytes)?;
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        let words = bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
        Ok::<Vec<OsString>, io::Error>(words.collect())
    };
    let variable = |text: OsString| {
        let bytes = text.into_vec();
        let at = bytes.iter().position(|byte| *byte == b'=')?;
        let (name, value) = bytes.split_at(at);
        Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.get(1..)?.to_vec())))
    };
    let output = |fd: u8| {
        let link = format!("/proc/{pid}/fd/{fd}");
        let path = fs::read_link(&link).ok()?;
        // Of a file that was removed, or a pipe, there is no name to open.
        (fs::metadata(link).ok()?.is_file() && path.is_file()).then_some(path)
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    // Who owns its directory in /proc is another question: a process may say that it is not to be looked at.
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).ok_or(io::ErrorKind::InvalidData)
    };
    Ok(Started {
        arguments: list("cmdline")?,
        environment: list("environ")?.into_iter().filter_map(variable).collect(),
        dir: fs::read_link(format!("/proc/{pid}/cwd"))?,
        outputs: [output(1), output(2)],
        uid: number("Uid:")?,
        parent: number("PPid:")?,
        is_elsewhere: fs::read_link(format!("/proc/{pid}/ns/pid"))? != fs::read_link("/proc/self/ns/pid")?,
    })
}

/// Starts a program as another process was started: arguments, environment, directory, and what it prints is added to the
/// same files. In a session of its own, with nothing to read. Answers its pid.
///
/// # Errors
/// Those of starting it.
pub fn start_like(program: &Path, how: &Started) -> io::Result<u32> {
    let mut command = Command::new(program);
    // What may not be written to any more, as a log that the shell of another user opened, is no reason not to run.
    let output = |path: &Option<PathBuf>| {
        path.as_deref().and_then(|path| open_log(path).ok()).map_or_else(Stdio::null, Stdio::from)
    };
    let [out, err] = &how.outputs;
    if let [name, arguments @ ..] = how.arguments.as_slice() {
        command.arg0(AsRef::<OsStr>::as_ref(name)).args(arguments);
    }
    command.env_clear().envs(how.environment.iter().map(|(name, value)| (name, value))).current_dir(&how.dir);
    command.stdin(Stdio::null()).stdout(output(out)).stderr(output(err));
    set_apart(&mut command);
    Ok(command.spawn()?.id())
}

/// From now on no Ctrl-C, no SIGTERM and no end of a terminal ends this process. Its children are ended by them as ever.
pub fn heed_no_stop() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: all zeroes is a valid sigaction; the handler does nothing, and a handler, unlike SIG_IGN, is not inherited
        // over execve(2).
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_asked_to_end_and_none_that_cannot_be() {
        let mut child = std::process::Command::new("/bin/sleep").arg("600").spawn().unwrap();
        end_process(child.id(), false).unwrap();
        assert!(!child.wait().unwrap().success());
        for none in [0, u32::MAX] {
            assert!(end_process(none, false).is_err(), "{none}: a group of processes");
        }
    }

    #[test]
    fn one_alone_holds_a_directory_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let held = hold_alone(dir.path()).unwrap();
        assert_eq!(hold_alone(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // Any user who may read a directory can lock that: one could keep root from ever upgrading.
        let lock = fs::metadata(dir.path().join("falcon-agent.upgrading")).unwrap();
        assert_eq!(lock.mode() & 0o777, 0o600);
        drop(held);
        hold_alone(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_takes_the_mode_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&a, "").unwrap();
        fs::write(&b, "").unwrap();
        fs::set_permissions(&a, Permissions::from_mode(0o751)).unwrap();
        take_rights(&a, &b).unwrap();
        assert_eq!(fs::metadata(&b).unwrap().mode() & 0o7777, 0o751);
    }

    #[test]
    fn a_process_is_started_as_another_was() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, "first\n").unwrap();
        let how = Started {
            arguments: ["a name", "-c", "echo $0 $1 $X $PWD; exec sleep 60", "b", "c d"].map(OsString::from).to_vec(),
            environment: vec![("X".into(), "=y".into()), ("PATH".into(), "/usr/bin:/bin".into())],
            dir: dir.path().to_owned(),
            outputs: [Some(log.clone()), None],
            ..Started::default()
        };
        let pid = start_like(Path::new("/bin/sh"), &how).unwrap();
        let said = format!("first\nb c d =y {}\n", dir.path().display());
        while fs::read_to_string(&log).unwrap() != said || fs::read(format!("/proc/{pid}/comm")).unwrap() != b"sleep\n"
        {
            std::thread::yield_now();
        }
        let seen = started_as(pid).unwrap();
        assert_eq!((seen.dir, seen.outputs), (how.dir, how.outputs));
        assert_eq!(seen.arguments, ["sleep", "60"].map(OsString::from));
        assert!(seen.environment.contains(&("X".into(), "=y".into())));
        let own = started_as(std::process::id()).unwrap();
        assert_eq!((seen.uid, seen.parent, seen.is_elsewhere), (own.uid, std::process::id(), false));
        assert_eq!(own.uid, rustix::process::getuid().as_raw());
        end_process(pid, false).unwrap();
        assert!(is_alive(std::process::id()));
        while is_alive(pid) {
            std::thread::yield_now();
        }
        assert_eq!(end_process(0, true).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
