// Its ground are links and the file system of Linux, where it is of use.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::*;

/// A directory of an old agent, and a host that it is on.
struct Bed {
    root: tempfile::TempDir,
    dir: PathBuf,
}

impl Bed {
    fn new() -> Bed {
        let root = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(root.path()).unwrap().join("home/falcon");
        fs::create_dir_all(&dir).unwrap();
        Bed { root, dir }
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = fs::canonicalize(self.root.path()).unwrap().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn process(&self, pid: u32, exe: Option<&str>, args: &[&str]) {
        let line: String = args.iter().map(|arg| format!("{arg}\0")).collect();
        let cmdline = self.write(&format!("proc/{pid}/cmdline"), &line);
        self.write(&format!("proc/{pid}/environ"), "A=b\0FALCON_ENDPOINT=web-01\0");
        symlink(&self.dir, cmdline.with_file_name("cwd")).unwrap();
        if let Some(exe) = exe {
            symlink(exe, cmdline.with_file_name("exe")).unwrap();
        }
    }

    fn running(&self) -> Vec<Process> {
        running::of(self.root.path(), &self.dir)
    }

    fn compose(&self, source: &Path, process: Option<&Process>) -> Composed {
        let base = base(&self.dir, source, process);
        let target = self.root.path().join("etc/cfg.json");
        compose(source, &base, &target, process, &Known::default()).unwrap_or_else(|why| panic!("{why}"))
    }
}

#[test]
fn agents_of_the_directory_are_known_by_the_program_that_they_run() {
    let bed = Bed::new();
    let inside = |name: &str| bed.dir.join(name).display().to_string();
    let agent = inside("bin/falcon-agent");
    bed.process(11, Some(&agent), &[&agent, "-c", "a b.json"]);
    bed.process(12, Some(&format!("{agent} (deleted)")), &["./falcon-agent"]);
    // What a command line says counts only where the program is hidden from us.
    bed.process(13, Some("/usr/bin/python3"), &[&agent]);
    bed.process(9, None, &[&agent, "-c", "/tmp/theirs.json"]);
    bed.process(14, Some(&inside("bin/falcon-graph")), &["falcon-graph"]);
    bed.process(15, Some(&format!("{}2/falcon-agent", bed.dir.display())), &["falcon-agent"]);
    bed.process(16, Some(&std::env::current_exe().unwrap().display().to_string()), &["falcon-agent"]);
    bed.write("proc/version", "Linux");
    let running = bed.running();
    assert_eq!(running.iter().map(|process| process.pid).collect::<Vec<_>>(), [11, 12, 9]);
    assert_eq!(running[0].endpoint.as_deref(), Some("web-01"));
    assert_eq!(running[0].command(), format!("FALCON_ENDPOINT=web-01 {agent} -c 'a b.json'"));
    let configs: Vec<_> = running.iter().map(Process::config).collect();
    assert_eq!(configs, [Some(bed.dir.join("a b.json")), Some(bed.dir.join("cfg.json")), None]);
}

/// Anybody may run a program that others may read: root would take over what he wrote.
#[test]
fn how_a_stranger_started_it_does_not_count() {
    let bed = Bed::new();
    let program = bed.dir.join("falcon-agent").display().to_string();
    bed.process(11, Some(&program), &["falcon-agent", "-c", "/tmp/theirs.json"]);
    // Whoever is not root can give nothing away, and is spared this.
    if std::os::unix::fs::chown(bed.root.path().join("proc/11"), Some(65534), None).is_ok() {
        let running = bed.running();
        assert_eq!((running.len(), running[0].is_certain), (1, false));
        assert_eq!((running[0].config(), &running[0].cwd, &running[0].endpoint), (None, &None, &None));
        std::os::unix::fs::chown(&bed.dir, Some(65534), None).unwrap();
        assert!(bed.running()[0].is_certain);
    }
}

#[test]
fn the_file_that_it_was_started_with_comes_before_those_in_their_places() {
    let bed = Bed::new();
    let why = source(&bed.dir, &[]).unwrap_err().to_string();
    for place in PLACES {
        assert!(why.contains(&bed.dir.join(place).display().to_string()), "{why}");
    }
    let agent = bed.write("home/falcon/agent/config/cfg.json", "{}");
    assert_eq!(source(&bed.dir, &[]).unwrap(), agent);
    let near = bed.write("home/falcon/cfg.json", "{}");
    assert_eq!(source(&bed.dir, &[]).unwrap(), near);
    let program = bed.dir.join("falcon-agent").display().to_string();
    bed.process(11, Some(&program), &["falcon-agent", "-c=prod.json"]);
    assert_eq!(source(&bed.dir, &bed.running()).unwrap(), near);
    let prod = bed.write("home/falcon/prod.json", "{}");
    assert_eq!(source(&bed.dir, &bed.running()).unwrap(), prod);
}

#[test]
fn what_the_old_agent_made_of_its_file_by_where_it_ran_stands_in_the_new_one() {
    let bed = Bed::new();
    let text = "{\n    \"hostname\": \"\", // ours\n    \"plugin\": { \"enabled\": true, \"dir\": \"./plugin\" },\n    \"own\": [1]\n}";
    let file = bed.write("home/falcon/cfg.json", text);
    let program = bed.dir.join("falcon-agent").display().to_string();
    bed.process(11, Some(&program), &["falcon-agent"]);
    let running = bed.running();
    let composed = bed.compose(&file, running.first());
    let dir = bed.dir.display();
    let expected = format!(
        "{{\n    \"hostname\": \"web-01\", // ours\n    \"plugin\": {{\"logs\": \"{dir}/logs\", \"enabled\": true, \"dir\": \"{dir}/plugin\" }},\n    \"own\": [1]\n}}"
    );
    assert_eq!(composed.edited.text, expected);
    assert_eq!(composed.with, format!(", endpoint web-01, plugin.dir {dir}/plugin, plugin.logs {dir}/logs"));
    assert!(composed.is_first && !composed.is_so);
    bed.write("etc/cfg.json", &expected);
    let again = bed.compose(&file, running.first());
    assert!(again.is_so && !again.is_first);
    // Nothing tells any more how an agent ran that was stopped when its file was adopted: its endpoint became the host's name.
    assert!(bed.compose(&file, None).is_so);
    // As it stands a copy counts from elsewhere, and reports another endpoint.
    bed.write("etc/cfg.json", text);
    assert!(!bed.compose(&file, None).is_so);
    // What the package put there is nobody's.
    bed.write("etc/cfg.json", &format!("// of the package\n{}", config::FIRST));
    assert!(bed.compose(&file, None).is_first);

    let named = bed.write("home/falcon/named.json", r#"{"hostname": "db-01", "plugin": {"dir": "/opt/plugin"}}"#);
    assert_eq!(bed.compose(&named, running.first()).edited.text, fs::read_to_string(&named).unwrap());
    let bad = bed.write("home/falcon/bad.json", "{\n\"hostname\": 7}");
    let why = compose(&bad, &bed.dir, &bed.dir.join("x"), None, &Known::default()).err().map(|why| why.to_string());
    assert!(
        why.as_ref().is_some_and(|why| why.contains("nothing was changed") && why.contains("bad.json:2:")),
        "{why:?}"
    );
}

#[test]
fn relative_paths_of_an_agent_that_does_not_run_count_from_where_it_would() {
    let bed = Bed::new();
    let agent = bed.dir.join("agent");
    let file = bed.write("home/falcon/agent/config/cfg.json", "{}");
    assert_eq!(base(&agent, &file, None), agent);
    bed.write("home/falcon/open-falcon", "");
    assert_eq!(base(&agent, &file, None), bed.dir);
    assert_eq!(back(&agent, &bed.dir, None), Some(format!("cd {} && ./open-falcon start agent", bed.dir.display())));
    bed.write("home/falcon/agent/control", "");
    assert_eq!(back(&agent, &agent, None), Some(format!("{}/control start", agent.display())));
}

#[test]
fn what_may_start_the_old_agent_again_is_told() {
    let bed = Bed::new();
    let dir = bed.dir.display().to_string();
    let named = [
        bed.write("etc/systemd/system/falcon.service", &format!("ExecStart={dir}/bin/falcon-agent\n")),
        bed.write("etc/cron.d/falcon", &format!("* * * * * root cd {dir} && ./control start\n")),
        bed.write("etc/rc.local", &format!("{dir}\n")),
        bed.write("var/spool/cron/crontabs/root", &format!("@reboot '{dir}'")),
    ];
    bed.write("etc/crontab", &format!("* * * * * root {dir}-old/falcon-agent\n* * * * * root {dir}2/x\n"));
    bed.write("etc/cron.daily/other", "falcon-agent");
    fs::create_dir_all(bed.root.path().join("etc/systemd/system/multi-user.target.wants")).unwrap();
    let root = fs::canonicalize(bed.root.path()).unwrap();
    assert_eq!(running::starters(&root, &[&bed.dir]), named);
    assert_eq!(running::starters(&root, &[Path::new("/")]), Vec::<PathBuf>::new());
}

/// The one that was stopped last had its file taken, and the others were not said to be stopped for good.
#[test]
fn agents_of_several_configurations_are_listed_and_none_is_taken() {
    let bed = Bed::new();
    let program = bed.dir.join("falcon-agent").display().to_string();
    bed.process(11, Some(&program), &["falcon-agent"]);
    bed.process(12, Some(&program), &["./falcon-agent", "-c", "./cfg.json"]);
    ensure_one(&bed.running()).unwrap();
    bed.process(13, Some(&program), &["falcon-agent", "-c", "prod.json"]);
    let why = ensure_one(&bed.running()).unwrap_err().to_string();
    for word in ["nothing was changed", "pid 12", &format!("pid 13, with {}/prod.json", bed.dir.display())] {
        assert!(why.contains(word), "{word} is missing in {why}");
    }
}

/// "nothing was changed" was said when the second of two agents did not end.
#[test]
fn what_was_stopped_before_it_failed_is_told_with_the_way_back() {
    let bed = Bed::new();
    let program = bed.dir.join("falcon-agent").display().to_string();
    bed.process(11, Some(&program), &[&program]);
    let (running, file) = (bed.running(), Path::new("/etc/cfg.json"));
    let why = |stopped: &[&Process], why| undone(stopped, &bed.dir, file, why).to_string();
    assert_eq!(why(&[], Failure::Failed(anyhow!("no"))), "nothing was changed: no");
    assert!(matches!(undone(&[], &bed.dir, file, Failure::NotAdministrator), Failure::NotAdministrator));
    let back =
        format!("what was stopped starts again with: cd {} && FALCON_ENDPOINT=web-01 {program} &", bed.dir.display());
    for (failure, said) in
        [(Failure::Failed(anyhow!("no")), "no"), (Failure::NotAdministrator, "this needs the rights of root")]
    {
        let stopped: Vec<&Process> = running.iter().collect();
        assert_eq!(why(&stopped, failure), format!("{said}; /etc/cfg.json is as it was; {back}"));
    }
    let gone = || written(Err::<(), _>(io::Error::other("is gone")), file).unwrap_err();
    assert_eq!(why(&[], gone()), "/etc/cfg.json: is gone");
}

#[test]
fn a_file_that_was_somebodys_is_kept_each_time_under_a_name_of_its_own() {
    let bed = Bed::new();
    let file = bed.dir.join("cfg.json");
    assert_eq!(keep(&file).unwrap_or_default(), None);
    for (text, name) in [("1", "cfg.json.before-adopt"), ("2", "cfg.json.before-adopt.2")] {
        fs::write(&file, text).unwrap();
        assert_eq!(keep(&file).unwrap_or_default(), Some(bed.dir.join(name)));
        assert_eq!(fs::read_to_string(bed.dir.join(name)).unwrap(), text);
    }
    // A link that leads nowhere yet: root's copy was written where it led.
    symlink("elsewhere", bed.dir.join("cfg.json.before-adopt.3")).unwrap();
    assert_eq!(keep(&file).unwrap_or_default(), Some(bed.dir.join("cfg.json.before-adopt.4")));
    assert!(!bed.dir.join("elsewhere").exists());
}

#[test]
fn this_agents_file_lies_where_its_package_has_it() {
    let bed = Bed::new();
    bed.write("home/falcon/control", "");
    let folder = bed.dir.display().to_string();
    let of = |platform, program: &str, registered: Option<&str>, asked: Option<&str>| {
        let Target { file, start, .. } =
            Target::of(platform, Path::new(program), registered.map(PathBuf::from), asked.map(PathBuf::from));
        (file.display().to_string(), start)
    };
    let linux = |program: &str, asked: Option<&str>| of(Platform::Linux, program, None, asked);
    let both = |file: &str, start: &str| (file.to_owned(), start.to_owned());
    assert_eq!(
        linux("/usr/bin/falcon-agent", None),
        both("/etc/falcon-agent/cfg.json", "systemctl restart falcon-agent")
    );
    let program = format!("{folder}/bin/falcon-agent");
    assert_eq!(linux(&program, None), (format!("{folder}/config/cfg.json"), format!("{folder}/control restart")));
    assert_eq!(linux(&program, Some("/x/c d.json")), both("/x/c d.json", &format!("{program} run -c '/x/c d.json'")));
    assert_eq!(linux("/opt/falcon-agent", None), both("/opt/cfg.json", "/opt/falcon-agent run -c /opt/cfg.json"));
    let windows = |registered| of(Platform::Windows, "/p/falcon-agent.exe", registered, None);
    assert_eq!(windows(Some("/d/cfg.json")), both("/d/cfg.json", "falcon-agent restart"));
    assert_eq!(windows(None), both("/p/cfg.json", "falcon-agent install --start -c \"/p/cfg.json\""));
}

#[test]
fn words_of_a_shell_are_quoted_where_they_must() {
    for (word, quoted) in
        [("/a/b-c.json", "/a/b-c.json"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''"), ("$x", "'$x'")]
    {
        assert_eq!(running::quoted(word), quoted);
    }
}
