//! Other hosts: trees of `/proc` and `/sys` that the agent reads below `NUX_ROOTFS`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::items::Item;
use super::process::{Ended, program, run};

/// A copy of a fixture that a test may change.
pub struct Host {
    dir: TempDir,
}

impl Host {
    pub fn typical() -> Host {
        Host::copy_of("host-typical")
    }

    /// One of `fixtures/kernels`.
    pub fn with_kernel(version: &str) -> Host {
        Host::copy_of(&format!("kernels/{version}"))
    }

    fn copy_of(fixture: &str) -> Host {
        let dir = tempfile::tempdir().expect("a directory");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        copy(&fixtures.join(fixture), &dir.path().join("root"));
        let host = Host { dir };
        host.mount_all();
        host
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Rewrites one file of the tree.
    pub fn change(self, file: &str, change: impl Fn(&str) -> String) -> Host {
        self.rewrite(file, change);
        self.mount_all();
        self
    }

    /// The same under the eyes of an agent that reads it: the file is replaced as a whole.
    pub fn rewrite(&self, file: &str, change: impl Fn(&str) -> String) {
        let path = self.root().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let new = self.dir.path().join("new");
        fs::write(&new, change(&text)).expect("writable");
        fs::rename(new, path).expect("in one directory tree");
    }

    pub fn remove(&self, file: &str) {
        let path = self.root().join(file);
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// Every mount point that is listed exists below the root, where the agent looks at it.
    fn mount_all(&self) {
        for table in ["proc/mounts", "proc/1/mounts"] {
            let table = fs::read_to_string(self.root().join(table)).unwrap_or_default();
            for mount in table.lines().filter_map(|line| line.split(' ').nth(1)) {
                let path = mount.replace("\\040", " ");
                fs::create_dir_all(self.root().join(path.trim_start_matches('/'))).expect("a directory");
            }
        }
    }

    /// One of the agent's verbs on this host, with this `cfg.json`.
    pub fn run(&self, config: &Value, args: &[&str]) -> Ended {
        let dir = tempfile::tempdir_in(self.dir.path()).expect("a directory");
        fs::write(dir.path().join("cfg.json"), config.to_string()).expect("a file");
        let mut command = program(dir.path(), args);
        command.env("NUX_ROOTFS", self.root());
        run(command)
    }

    /// What a transfer would get of one cycle. A GPU of the machine that runs the tests is not in the tree, and left out.
    pub fn collect(&self, config: &Value) -> Vec<Item> {
        let out = self.run(config, &["collect", "--format", "json"]).success();
        let json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        let gpu = |item: &Item| item.metric.starts_with("gpu.") || item.tags == "group=gpu";
        Item::parse_all(&json).into_iter().filter(|item| !gpu(item)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a fixture") {
        let (entry, to) = (entry.expect("readable"), to.to_owned());
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
