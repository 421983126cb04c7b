//! What of the plugins hbs is told: the commit that is checked out, read without git, which the Go agent starts with every
//! heartbeat; or the hash of the archive that they came in.
//!
//! Sources: gitrepository-layout(5), git-worktree(1).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::marker::Marker;

/// Bytes of a file; one of packed references has a line for each branch and tag.
const MOST_BYTES: u64 = 4 << 20;
/// Of references that lead to another.
const MOST_STEPS: usize = 5;
/// What the Go agent tells of a directory that is no clone.
const NONE: &str = "Error:exit status 128";

/// `sha256:` and a hash of an archive, a commit of a clone, or what the Go agent says of neither.
pub fn version(dir: &Path) -> String {
    if let Some(commit) = Repository::of(dir).and_then(|repository| repository.head()) {
        return commit;
    }
    Marker::read(dir).map_or_else(|| NONE.to_owned(), |marker| format!("sha256:{}", marker.sha256))
}

struct Repository {
    /// Of this checkout.
    own: PathBuf,
    /// Of all checkouts of the clone.
    common: PathBuf,
}

impl Repository {
    fn of(dir: &Path) -> Option<Repository> {
        let git = dir.join(".git");
        let own = if git.is_dir() { git } else { dir.join(text(&git)?.strip_prefix("gitdir:")?.trim()) };
        let common = text(&own.join("commondir")).map_or_else(|| own.clone(), |common| own.join(common.trim()));
        Some(Repository { own, common })
    }

    fn head(&self) -> Option<String> {
        let mut said = text(&self.own.join("HEAD"))?;
        for _ in 0..MOST_STEPS {
            let Some(name) = said.trim().strip_prefix("ref:") else { return commit(said.trim()) };
            let name = name.trim();
            if !name.starts_with("refs/") || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return None;
            }
            match text(&self.own.join(name)).or_else(|| text(&self.common.join(name))) {
                Some(next) => said = next,
                None => return self.packed(name),
            }
        }
        None
    }

    fn packed(&self, name: &str) -> Option<String> {
        let packed = text(&self.common.join("packed-refs"))?;
        let lines = packed.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, of)| of.trim() == name).find_map(|(id, _)| commit(id))
    }
}

/// Of SHA-1 or SHA-256.
fn commit(text: &str) -> Option<String> {
    (matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

fn text(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(file).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const A: &str = "0123456789abcdef0123456789abcdef01234567";
    const B: &str = "89abcdef0123456789abcdef0123456701234567";

    fn wrote(dir: &Path, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let file = dir.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        version(dir)
    }

    #[test]
    fn the_commit_that_is_checked_out_is_found_wherever_git_keeps_it() {
        for (files, commit) in [
            (&[(".git/HEAD", A)][..], A),
            (&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", B)], B),
            (
                &[
                    (".git/HEAD", "ref: refs/heads/a/b\n"),
                    (
                        ".git/packed-refs",
                        &format!("# pack-refs with: peeled\n{A} refs/heads/a\n{B} refs/heads/a/b\n^{A}\n"),
                    ),
                ],
                B,
            ),
            // What was written last is not packed.
            (
                &[
                    (".git/HEAD", "ref: refs/heads/x\n"),
                    (".git/refs/heads/x", A),
                    (".git/packed-refs", &format!("{B} refs/heads/x\n")),
                ],
                A,
            ),
            // Of a worktree, and of a submodule.
            (
                &[
                    (".git", "gitdir: repo/worktrees/w\n"),
                    ("repo/worktrees/w/HEAD", "ref: refs/heads/w\n"),
                    ("repo/worktrees/w/commondir", "../..\n"),
                    ("repo/refs/heads/w", B),
                ],
                B,
            ),
            (
                &[
                    (".git/HEAD", "ref: refs/heads/s"),
                    (".git/refs/heads/s", "ref: refs/heads/t"),
                    (".git/refs/heads/t", A),
                ],
                A,
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            assert_eq!(wrote(dir.path(), files), commit, "{files:?}");
        }
    }

    #[test]
    fn what_has_no_commit_is_told_as_the_go_agent_tells_it() {
        for files in [
            &[][..],
            &[("60_a.sh", "x")],
            &[(".git/HEAD", "ref: refs/heads/main\n")],
            &[(".git/HEAD", "ref: refs/../../secret"), ("secret", A)],
            &[(".git/HEAD", "ref: refs/heads/x"), (".git/refs/heads/x", "ref: refs/heads/x")],
            &[(".git/HEAD", "0123")],
            &[(".git", "gitdir: nowhere")],
            &[(".git", "")],
            &[(".falcon-plugin.json", "{}")],
        ] {
            let dir = tempfile::tempdir().unwrap();
            assert_eq!(wrote(dir.path(), files), NONE, "{files:?}");
        }
    }

    #[test]
    fn the_hash_of_an_archive_is_a_version() {
        let dir = tempfile::tempdir().unwrap();
        let hash = "ab".repeat(32);
        Marker { url: "http://h/p.zip".to_owned(), sha256: hash.clone() }.write(dir.path(), &[]).unwrap();
        assert_eq!(version(dir.path()), format!("sha256:{hash}"));
    }
}
