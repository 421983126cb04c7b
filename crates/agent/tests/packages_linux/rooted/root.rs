//! The root: what is written goes to memory. `systemctl` is a script that notes how it was called, so that nothing on this
//! machine is started; it fails where a test says so.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, unmount};
use tempfile::TempDir;

use crate::harness::process::{Ended, run};
use crate::{FIRST, plain, sources};

const SYSTEMCTL: &str = "#!/bin/sh
echo \"$*\" >>/systemctl.log
[ ! -e /systemctl.fails ] || case $1 in start | restart | try-restart) exit 1 ;; esac
";

pub struct Root {
    dir: TempDir,
    at: PathBuf,
}

impl Root {
    /// With a systemd at work, as packages see it.
    pub fn new() -> Root {
        let root = Root::bare();
        fs::create_dir_all(root.path("/run/systemd/system")).unwrap();
        let _ = fs::remove_file(root.path("/bin/systemctl"));
        root.script("/usr/bin/systemctl", SYSTEMCTL);
        root
    }

    /// As this machine is, but for its policy, for it is an image or a container, perhaps.
    pub fn bare() -> Root {
        let dir = tempfile::tempdir().unwrap();
        mount("packages", dir.path(), "tmpfs", MountFlags::empty(), None)
            .expect("a namespace in which this may mount: `unshare --mount`, as root");
        let [upper, work, at] = ["upper", "work", "root"].map(|name| dir.path().join(name));
        for folder in [&upper, &work, &at] {
            fs::create_dir(folder).unwrap();
        }
        let options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
        let options = CString::new(options).unwrap();
        mount("packages", &at, "overlay", MountFlags::empty(), options.as_c_str()).expect("an overlay over /");
        for name in ["proc", "sys", "dev"] {
            mount_bind_recursive(Path::new("/").join(name), at.join(name)).expect("a name space of its own");
        }
        let root = Root { dir, at };
        let _ = fs::remove_file(root.path("/usr/sbin/policy-rc.d"));
        root
    }

    /// A path outside of it that goes with it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn path(&self, absolute: &str) -> PathBuf {
        self.at.join(absolute.trim_start_matches('/'))
    }

    pub fn script(&self, path: &str, text: &str) {
        let path = self.path(path);
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Brings a file in, under `/packages`; its path there.
    pub fn bring(&self, file: &Path) -> String {
        fs::create_dir_all(self.path("/packages")).unwrap();
        let path = format!("/packages/{}", file.file_name().unwrap().to_str().unwrap());
        fs::copy(file, self.path(&path)).unwrap();
        path
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = plain("chroot");
        command.arg(&self.at).args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// With standard input that nobody answers from.
    pub fn run(&self, args: &[&str]) -> Ended {
        run(self.command(args))
    }

    /// How `systemctl` was called since this was asked last.
    pub fn systemctl(&self) -> Vec<String> {
        let log = self.path("/systemctl.log");
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        calls.lines().map(str::to_owned).collect()
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Mode and owner, in the way of `ls -n`.
    pub fn mode(&self, path: &str) -> (u32, u32, u32) {
        let meta = fs::metadata(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (meta.mode() & 0o7777, meta.uid(), meta.gid())
    }

    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = unmount(&self.at, UnmountFlags::DETACH);
        let _ = unmount(self.dir.path(), UnmountFlags::DETACH);
    }
}

/// What every package leaves on a host that had none.
pub fn is_installed(root: &Root, unit: &str) {
    assert_eq!(root.mode("/usr/bin/falcon-agent"), (0o755, 0, 0));
    assert_eq!(root.mode(unit), (0o644, 0, 0));
    assert_eq!(root.mode("/etc/falcon-agent/cfg.json"), (0o640, 0, 0));
    assert_eq!(root.mode("/var/lib/falcon-agent"), (0o700, 0, 0));
    let first = fs::read_to_string(sources(FIRST)).unwrap();
    for file in ["/etc/falcon-agent/cfg.json", "/usr/share/falcon-agent/cfg.json"] {
        assert_eq!(root.read(file), first, "{file}");
    }
}

/// What `falcon-agent upgrade` leaves beside the program.
pub const LEFT: [&str; 4] = [
    "/usr/bin/falcon-agent.old",
    "/usr/bin/falcon-agent.new",
    "/usr/bin/falcon-agent.failed",
    "/usr/bin/falcon-agent.unproven",
];

/// What an administrator and the agent write.
pub fn write_own(root: &Root) {
    fs::write(root.path("/etc/falcon-agent/cfg.json"), "{\"hostname\":\"mine\"}").unwrap();
    fs::create_dir_all(root.path("/var/lib/falcon-agent/queue")).unwrap();
    fs::write(root.path("/var/lib/falcon-agent/queue/1.log"), "points").unwrap();
    for name in LEFT {
        fs::write(root.path(name), "an agent").unwrap();
    }
}

pub fn has_own(root: &Root) -> bool {
    root.read("/etc/falcon-agent/cfg.json") == "{\"hostname\":\"mine\"}"
        && root.read("/var/lib/falcon-agent/queue/1.log") == "points"
        && root.mode("/etc/falcon-agent/cfg.json") == (0o640, 0, 0)
}
