//! With the git that is installed, and repositories of this disk.

use super::*;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A host whose plugins come from a repository with one commit.
fn host() -> Host {
    let mut host = Host::new();
    host.git = super::super::git::installed(|name| std::env::var_os(name));
    assert!(host.git.is_some(), "these tests need git");
    let origin = host.place.path().join("origin");
    fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "-q", "-b", "main"]);
    commit(&origin, "60_a", "one");
    host.source.url = PageUrl::default();
    host.source.git = RepoUrl::new(format!("file://{}", origin.display()));
    host
}

impl Host {
    fn origin(&self) -> PathBuf {
        self.place.path().join("origin")
    }
}

/// As an administrator calls it.
fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    for (name, value) in [("user.name", "a"), ("user.email", "a@b"), ("commit.gpgsign", "false")] {
        command.args(["-c", &format!("{name}={value}")]);
    }
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let done = command.args(args).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn commit(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
    git(dir, &["add", "."]);
    git(dir, &["commit", "-q", "-m", text]);
}

fn text(host: &Host) -> String {
    fs::read_to_string(host.dir().join("60_a")).unwrap()
}

/// A git that does as it is told.
fn fake(host: &mut Host, script: &str) -> PathBuf {
    let git = host.place.path().join("fake git");
    // Written and closed in a process of its own: one that another test starts meanwhile would hold it open for writing.
    let mut write = Command::new("sh");
    let script = format!("case \"$*\" in *core.sshCommand*) exit 1; esac; {script}");
    write.args(["-c", "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(&git);
    assert!(write.arg(format!("#!/bin/sh\n{script}\n")).status().unwrap().success());
    host.git = Some(git.clone());
    git
}

/// The official package has an empty directory there, and the Go agent's first update failed until it was removed.
#[test]
fn a_clone_is_made_where_nothing_is_or_an_empty_directory() {
    for is_there in [false, true] {
        let host = host();
        if is_there {
            fs::create_dir(host.dir()).unwrap();
        }
        host.update().unwrap();
        assert_eq!(text(&host), "one");
        assert_eq!(version(&host.dir()), git(&host.origin(), &["rev-parse", "HEAD"]));
        // From a path of this disk too, which counts from the directory above.
        let source = Source { git: RepoUrl::new("./origin".to_owned()), ..host.source.clone() };
        Job { source: &source, dir: host.place.path().join("other"), ..host.job() }.update().unwrap();
        assert!(host.place.path().join("other/60_a").exists());
        let deep = Job { dir: host.place.path().join("a/b/plugin"), ..host.job() };
        deep.update().unwrap();
        assert!(deep.dir.join("60_a").exists(), "the directories above are made");
    }
}

#[test]
fn what_is_new_is_pulled_and_what_was_damaged_put_back() {
    let host = host();
    host.job().reset().unwrap();
    assert!(!host.dir().exists(), "nothing there is nothing to put back");
    host.update().unwrap();
    commit(&host.origin(), "60_a", "two");
    host.update().unwrap();
    assert_eq!(text(&host), "two");
    assert_eq!(version(&host.dir()), git(&host.origin(), &["rev-parse", "HEAD"]));
    git(&host.origin(), &["pack-refs", "--all"]);
    git(&host.dir(), &["pack-refs", "--all"]);
    assert_eq!(version(&host.dir()), git(&host.origin(), &["rev-parse", "HEAD"]));
    fs::write(host.dir().join("60_a"), "damaged").unwrap();
    host.job().reset().unwrap();
    assert_eq!(text(&host), "two");
    // What is not configured any more is pulled as it was cloned.
    commit(&host.origin(), "60_a", "three");
    let source = Source { git: RepoUrl::default(), ..host.source.clone() };
    Job { source: &source, ..host.job() }.update().unwrap();
    assert_eq!(text(&host), "three");
}

#[test]
fn a_failure_has_the_go_agents_words_and_gits() {
    let host = host();
    host.update().unwrap();
    let (dir, parent) = (host.dir().display().to_string(), host.place.path().display().to_string());
    commit(&host.origin(), "60_a", "theirs");
    commit(&host.dir(), "60_a", "ours");
    let why = host.update().unwrap_err();
    assert!(why.starts_with(&format!("git pull in dir:{dir} fail. error: exit status 128: fatal: ")), "{why}");
    assert_eq!(text(&host), "ours");

    fs::remove_dir_all(host.dir().join(".git")).unwrap();
    let why = host.update().unwrap_err();
    let told = format!("git clone in dir:{parent} fail. error: {dir} has things in it and is no clone of git: ");
    assert!(why.starts_with(&told), "{why}");
    let why = host.job().reset().unwrap_err();
    let told = format!("git reset --hard in dir:{dir} fail. error: exit status 128: fatal: not a git repository");
    assert!(why.starts_with(&told), "{why}");

    fs::remove_dir_all(host.dir()).unwrap();
    let of = |git: &str| {
        let source = Source { git: RepoUrl::new(git.to_owned()), ..host.source.clone() };
        let why = Job { source: &source, ..host.job() }.update().unwrap_err();
        assert!(!host.dir().exists() && !why.contains("hunter2"), "{why}");
        why.strip_prefix(&format!("git clone in dir:{parent} fail. error: ")).unwrap().to_owned()
    };
    assert_eq!(of(""), "neither plugin.git nor plugin.url says where plugins come from");
    for git in ["-x", "--upload-pack=/bin/x", "ext::sh -c http://x", "fd::17"] {
        assert_eq!(of(git), "plugin.git is no address of a repository");
    }
    assert!(of("file:///no/such/repository").starts_with("exit status 128: fatal: "));
    let why = of(&format!("http://me:hunter2@{}/p.git", host.server.address));
    assert!(why.starts_with("exit status 128: fatal: "), "{why}");
}

/// `git reset --hard` in a directory below a clone of something else reset that, where `plugin.dir` was written as `./plugin`:
/// git takes no ceiling that is not from the root.
#[test]
fn no_clone_above_the_directory_is_touched() {
    let host = host();
    let outer = host.origin();
    let plugin = outer.join("plugin");
    fs::create_dir(&plugin).unwrap();
    fs::write(plugin.join("mine"), "").unwrap();
    fs::write(outer.join("60_a"), "changed").unwrap();
    let up = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect::<PathBuf>();
    let relative = up.join(plugin.strip_prefix("/").unwrap());
    for dir in [plugin, relative] {
        let settings =
            crate::plugin::Settings { dir, logs: PathBuf::new(), cwd: PathBuf::new(), at_once: 1, memory_bytes: None };
        let why = Job::new(&host.source, &settings, &host.stop).reset().unwrap_err();
        assert!(why.contains("fatal: not a git repository"), "{why}");
        // The same with a clone that has lost its head.
        fs::create_dir_all(outer.join("plugin/.git")).unwrap();
        for done in [
            Job::new(&host.source, &settings, &host.stop).reset(),
            Job::new(&host.source, &settings, &host.stop).update(),
        ] {
            assert!(done.unwrap_err().contains("fatal: not a git repository"));
        }
        fs::remove_dir(outer.join("plugin/.git")).unwrap();
        assert_eq!(fs::read_to_string(outer.join("60_a")).unwrap(), "changed");
    }
}

#[test]
fn a_host_without_git_is_told_of_the_other_way() {
    let mut host = host();
    host.git = None;
    let why = host.update().unwrap_err();
    assert!(
        why.ends_with("no git is found in PATH: install it, or have plugins come as an archive (plugin.url)"),
        "{why}"
    );
}

#[test]
fn a_clone_that_others_can_change_is_not_pulled() {
    let host = host();
    host.update().unwrap();
    for own in [".git/config", ".git/hooks", ""] {
        let path = host.dir().join(own);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let why = host.update().unwrap_err();
        assert!(why.contains("can be changed by everybody"), "{why}");
        fs::set_permissions(&path, before).unwrap();
    }
    host.update().unwrap();
}

#[test]
fn git_asks_nobody_and_is_told_where_it_ends() {
    let mut host = host();
    let said = host.place.path().join("said");
    fake(
        &mut host,
        &format!(
            "{{ echo \"$@\"; pwd; \
             echo \"$GIT_TERMINAL_PROMPT,$GIT_ASKPASS,$GCM_INTERACTIVE,$GIT_CEILING_DIRECTORIES,$LC_ALL\"; \
             echo \"$GIT_ALLOW_PROTOCOL,$GIT_SSH_COMMAND\"; cat; }} > '{}'",
            said.display()
        ),
    );
    host.update().unwrap();
    let (place, url) = (host.place.path().display(), host.source.git.expose());
    let said = fs::read_to_string(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let staging = format!("{place}/plugin.new-1");
    assert!(lines[0].ends_with(&format!(" clone -- {url} {staging}/tree")), "{said}");
    let alone =
        [place.to_string(), format!("0,,never,{staging},C"), "https:http:ssh:git:file,ssh -oBatchMode=yes".to_owned()];
    assert_eq!(lines[1..], alone, "and nobody is at its input");
}

#[test]
fn a_git_that_hangs_fetches_too_much_or_talks_without_end_is_ended_with_its_children() {
    let mut host = host();
    let alive = host.place.path().join("pid");
    let child = format!("sleep 1000 & echo $! > '{}'; ", alive.display());
    let place = host.place.path().to_owned();
    let until_gone = |host: &Host| {
        host.until("what git started is gone", || {
            // The shell makes the file before it writes.
            let pid = fs::read_to_string(&alive).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            !pid.trim().is_empty() && (stat.is_empty() || stat.contains(") Z "))
        });
        fs::remove_file(&alive).unwrap();
    };
    fake(&mut host, &format!("{child} wait"));
    host.limits.time = Duration::from_millis(1500);
    assert!(host.update().unwrap_err().ends_with("fail. error: it takes longer than 1 s"));
    until_gone(&host);
    host.limits.time = LIMITS.time;
    for script in [
        "cd plugin.new-*/tree; head -c 2000000 /dev/zero > pack; wait",
        "cd plugin.new-*/tree; n=0; while [ $n -lt 60 ]; do : > $n; n=$((n+1)); done; wait",
    ] {
        fake(&mut host, &format!("{child} {script}"));
        (host.limits.clone, host.limits.files) = (1_000_000, 50);
        let why = host.update().unwrap_err();
        let told =
            format!("ended, for {} has more than 1000000 bytes or 50 files with its history", host.dir().display());
        assert!(why.ends_with(&told), "{why}");
        until_gone(&host);
        // A clone that is there in part would be pulled for ever.
        assert!(!host.dir().exists() && names(&place).iter().all(|name| !name.contains(".new-")));
    }
    // As much as it says, the reason is found at its end.
    fake(&mut host, "head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo 'fatal: enough' >&2; exit 3");
    assert!(host.update().unwrap_err().ends_with("fail. error: exit status 3: fatal: enough"));
    // What it left running does not hold the answer up.
    fake(&mut host, &format!("{child} echo 'fatal: left' >&2; exit 4"));
    assert!(host.update().unwrap_err().ends_with("fail. error: exit status 4: fatal: left"));
    until_gone(&host);
    fake(&mut host, &format!("{child} wait"));
    host.stop.store(true, Ordering::Relaxed);
    assert!(host.update().unwrap_err().ends_with("fail. error: stopped, for the agent stops"));
}

/// A deploy key that a clone has for itself (`core.sshCommand`) was not used.
#[test]
fn an_ssh_that_a_clone_has_for_itself_is_its_own() {
    let host = host();
    host.update().unwrap();
    let said = host.place.path().join("said");
    git(&host.dir(), &["config", "core.sshCommand", &format!("echo own > '{}'; false", said.display())]);
    git(&host.dir(), &["remote", "set-url", "origin", "ssh://git@no.invalid/p.git"]);
    assert!(host.update().is_err());
    assert_eq!(fs::read_to_string(said).unwrap(), "own\n");
}

#[test]
fn no_program_is_a_transport_whatever_a_clone_says() {
    let host = host();
    host.update().unwrap();
    let said = host.place.path().join("said");
    git(&host.dir(), &["config", "protocol.ext.allow", "always"]);
    git(&host.dir(), &["remote", "set-url", "origin", &format!("ext::touch {}", said.display())]);
    let why = host.update().unwrap_err();
    assert!(why.contains("transport 'ext' not allowed") && !said.exists(), "{why}");
}

/// A pull that was ended left `index.lock`, which refused every later one.
#[test]
fn a_git_that_is_ended_leaves_no_lock_of_its_own() {
    let mut host = host();
    host.update().unwrap();
    let own = host.git.clone();
    let lock = host.dir().join(".git/index.lock");
    let put = "echo x > .git/index.lock; trap '' TERM; while :; do sleep 0.05; done";
    fake(&mut host, put);
    host.limits.time = Duration::from_millis(1000);
    assert!(host.update().unwrap_err().contains("it takes longer than"));
    assert!(!lock.exists());
    // That of an administrator's git stays.
    fs::write(&lock, "").unwrap();
    assert!(host.update().unwrap_err().contains("it takes longer than"));
    assert!(lock.exists());
    fs::remove_file(&lock).unwrap();
    (host.git, host.limits.time) = (own, LIMITS.time);
    host.update().unwrap();
}
