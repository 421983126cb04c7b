//! The tar.gz, unpacked: what is in it, and as the folder `agent` of an Open-Falcon that its own command line starts.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::agent::free_address;
use crate::harness::servers::Server;
use crate::harness::{exe, until};
use crate::{FIRST, config, package, plain, sources, tool, works};

/// The folder as it was packed, under a name with blanks, with the executable under test.
pub struct Folder {
    dir: TempDir,
    name: String,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        let folder = Folder { dir: tempfile::tempdir().unwrap(), name: name.to_owned() };
        folder.unpack();
        let bin = folder.path().join("bin/falcon-agent");
        fs::remove_file(&bin).unwrap();
        copy(&exe(), &bin);
        folder
    }

    /// Over what is there already.
    pub fn unpack(&self) {
        fs::create_dir_all(self.path()).unwrap();
        let [archive, path] = [package("-linux-x64.tar.gz"), self.path()].map(|path| path.display().to_string());
        tool("tar", &["-xzf", &archive, "-C", &path, "--strip-components=1"]).success();
    }

    /// That a test and the agent in it name it the same way, too.
    pub fn path(&self) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(&self.name)
    }

    pub fn configure(&self, config: &Value) {
        fs::write(self.path().join("config/cfg.json"), config.to_string()).unwrap();
    }

    pub fn put(&self, below: &str, text: &str) {
        let path = self.path().join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path().join(below)).unwrap_or_default()
    }
}

/// By a process of its own: a child that another test starts just now would keep a file that is still open for writing from
/// being started.
pub fn copy(from: &Path, to: &Path) {
    tool("cp", &[&from.display().to_string(), &to.display().to_string()]).success();
}

#[test]
fn the_archive_has_the_layout_of_open_falcon_in_a_folder_with_the_version() {
    let archive = package("-linux-x64.tar.gz").display().to_string();
    let listed = tool("tar", &["--numeric-owner", "-tvzf", &archive]).success();
    let version = env!("CARGO_PKG_VERSION");
    let found: Vec<(&str, &str, &str)> = listed
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = fields[5].strip_prefix(&format!("falcon-agent-{version}/")).expect("all in one folder");
            (fields[0], fields[1], name)
        })
        .collect();
    let (texts, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(.., name)| ["docs/", "examples/"].iter().any(|folder| name.starts_with(folder)));
    let text = |name| ("-rw-r--r--", "0/0", name);
    let program = |name| ("-rwxr-xr-x", "0/0", name);
    let expected = [
        text("CHANGELOG.md"),
        text("CONTRIBUTING.md"),
        text("LICENSE"),
        text("README.md"),
        text("README.zh-CN.md"),
        program("bin/falcon-agent"),
        text("cfg.example.json"),
        text("config/cfg.first.json"),
        program("control"),
    ];
    // No folder: what is there keeps its mode and owner.
    assert_eq!(found, expected);
    assert!(texts.contains(&text("docs/operations.md")) && !texts.iter().any(|(.., name)| name.ends_with('/')));
    assert_eq!(Folder::new("x").read("config/cfg.first.json"), fs::read_to_string(sources(FIRST)).unwrap());
}

/// README.md was packed alone, and half of it said where to read on.
#[test]
fn what_the_documents_link_to_is_packed_with_them() {
    let unpacked = Folder::new("x");
    let folder = unpacked.path();
    let mut texts = ["README.md", "README.zh-CN.md", "CHANGELOG.md"].map(|name| folder.join(name)).to_vec();
    texts.extend(fs::read_dir(folder.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut links = 0;
    for file in texts.iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        for rest in fs::read_to_string(file).unwrap().split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap();
            if !link.is_empty() && !link.contains("://") {
                links += 1;
                assert!(file.parent().unwrap().join(link).exists(), "{link} in {}", file.display());
            }
        }
    }
    assert!(links > 20, "{links}");
}

/// Unpacked over an older version, as people do: the configuration and the points of that stay. Folders in the archive would
/// put an empty `plugin` in the place of a link, and open to everybody what was closed.
#[test]
fn a_newer_archive_leaves_configuration_and_state_of_an_older_one() {
    let folder = Folder::new("agent");
    for dir in ["config/var/queue", "plugin", "var"] {
        fs::create_dir_all(folder.path().join(dir)).unwrap();
    }
    let kept = ["config/cfg.json", "config/var/queue/1.log", "plugin/60_mine.sh", "var/app.log"];
    for name in kept {
        fs::write(folder.path().join(name), name).unwrap();
    }
    // As Open-Falcon has it, and as a careful administrator leaves it.
    let [plugin, moved, config] = ["plugin", "elsewhere", "config"].map(|name| folder.path().join(name));
    fs::rename(&plugin, &moved).unwrap();
    symlink(&moved, &plugin).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o750)).unwrap();
    folder.unpack();
    assert!(kept.iter().all(|name| folder.read(name) == *name));
    assert_eq!(fs::read_link(plugin).unwrap(), moved);
    assert_eq!(fs::metadata(config).unwrap().permissions().mode() & 0o777, 0o750);
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // One that has ended and was waited for is left alone by both calls.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As `open-falcon start agent` does: by absolute paths, from the root of all modules, with its output appended to a file.
fn start_as_open_falcon(root: &Path) -> Started {
    let agent = root.join("agent");
    let log = || File::options().append(true).create(true).open(agent.join("logs/agent.log")).unwrap();
    let mut command = plain(agent.join("bin/falcon-agent"));
    command.arg("-c").arg(agent.join("config/cfg.json")).current_dir(root);
    command.stdin(Stdio::null()).stdout(log()).stderr(log());
    Started(command.spawn().expect("a program"))
}

#[test]
fn the_open_falcon_command_line_starts_finds_and_stops_it_in_place_of_the_go_agent() {
    let (folder, server, listen) = (Folder::new("falcon/agent"), Server::good(), free_address());
    folder.configure(&config(&server, listen));
    let root = folder.path().parent().unwrap().to_owned();
    fs::create_dir_all(folder.path().join("logs")).unwrap();
    let mut agent = start_as_open_falcon(&root);
    let pid = agent.0.id().to_string();
    let whole = folder.path().join("bin/falcon-agent").display().to_string();
    let state = || folder.read("logs/agent.log");
    let found = || tool("pgrep", &["-f", &whole]).out.lines().any(|line| line == pid).then_some(());
    until("pgrep -f to find it", state, found);
    works(&server, listen, state);
    assert!(folder.path().join("config/var").is_dir(), "its state is beside cfg.json");
    assert!(state().contains(" A001 "), "{}", state());
    let control = folder.path().join("control");
    let control = |verb: &str| tool(&control.display().to_string(), &[verb]);
    // What started it is nobody's business but that there is one.
    let started = control("start");
    assert_eq!((started.code, started.out), (Some(0), format!("falcon-agent runs already, pid {pid}\n")));
    assert_eq!(control("status").code, Some(0));
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::TERM).unwrap();
    let ended = until("its end", state, || agent.0.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0), "{}", state());
    assert_eq!(control("status").code, Some(3));
    let mode = fs::metadata(folder.path().join("config/var")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
