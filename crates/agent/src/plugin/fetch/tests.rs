//! Against web servers of this process and repositories of this disk.

mod archives;
mod fetched;
// Windows has no git where its tests run.
#[cfg(unix)]
mod git;
mod hostile;
mod server;
mod signed;
mod swapped;

use super::*;
use crate::web::tests::client;
use crate::web::tests::server::Authority;
use archives::{Entry, gzip, tar, zip};
use server::{Server, answer};

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ring::digest::{SHA256, digest};
use tempfile::TempDir;

const ARCHIVE: &str = "/files/plugins.tar.gz";
const PATIENCE: Duration = Duration::from_secs(60);

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A host that fetches from a server of its own.
struct Host {
    place: TempDir,
    server: Server,
    source: Source,
    stop: AtomicBool,
    limits: Limits,
    git: Option<PathBuf>,
}

impl Host {
    fn new() -> Host {
        let server = Server::start();
        let source = Source {
            git: RepoUrl::default(),
            url: PageUrl::new(format!("http://me:hunter2@{}{ARCHIVE}", server.address)),
            sha256: String::new(),
            key: String::new(),
        };
        let limits = Limits { archive: 1 << 20, unpacked: 1 << 20, entries: 100, patience: Duration::ZERO, ..LIMITS };
        let place = tempfile::tempdir().unwrap();
        Host { place, server, source, stop: AtomicBool::new(false), limits, git: None }
    }

    /// One whose archive is this, with its hash configured.
    fn having(archive: &[u8]) -> Host {
        let mut host = Host::new();
        host.offer(archive);
        host
    }

    fn offer(&mut self, archive: &[u8]) {
        self.server.has(ARCHIVE, answer(archive));
        self.source.sha256 = sha256(archive);
    }

    fn dir(&self) -> PathBuf {
        self.place.path().join("plugin")
    }

    fn job(&self) -> Job<'_> {
        Job {
            source: &self.source,
            dir: self.dir(),
            stop: &self.stop,
            limits: self.limits,
            end: Instant::now() + self.limits.time,
            client: client(&Authority::new()),
            git: self.git.clone(),
        }
    }

    fn update(&self) -> Result<(), String> {
        let done = self.job().update();
        if let Err(why) = &done {
            assert!(!why.contains("hunter2"), "{why}");
        }
        done
    }

    /// Why it failed; nothing is left beside the directory then.
    fn refused(&self) -> String {
        let why = self.update().unwrap_err();
        assert_eq!(names(self.place.path()).iter().filter(|name| name.contains(".new-")).count(), 0, "{why}");
        let begin = format!(
            "archive http://******@{}{ARCHIVE} in dir:{} fail. error: ",
            self.server.address,
            self.dir().display()
        );
        why.strip_prefix(&begin).unwrap_or_else(|| panic!("{why}")).to_owned()
    }

    /// Waits for what another thread or process does.
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{what}, in {}", self.place.path().display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        walk(&self.dir(), "", &mut files);
        files.remove(marker::MARKER);
        files.remove(marker::LIST);
        files
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn walk(dir: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for name in names(dir) {
        let (path, name) = (dir.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            walk(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn plugins(text: &str) -> Vec<Entry> {
    vec![
        Entry::dir("./"),
        Entry::dir("./sys/"),
        Entry::program("./sys/60_a.sh", text),
        Entry::file("./conf/a", "1"),
        Entry::file("README", ""),
    ]
}

fn unpacked(text: &str) -> BTreeMap<String, String> {
    files(&[("README", ""), ("conf/a", "1"), ("sys/60_a.sh", text)])
}
