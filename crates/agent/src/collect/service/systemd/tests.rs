use super::*;
use crate::collect::tests::with_cx;
use crate::collect::{Collected, Guarded};
use crate::config::Config;
use crate::model::Sets;
use std::fs;

/// As `systemctl show` of systemd 252 writes it.
const SHOWN: &str = "\
Id=nginx.service
Names=nginx.service
LoadState=loaded
ActiveState=active

Id=ssh.service
Names=ssh.service sshd.service
LoadState=loaded
ActiveState=reloading

Id=nope.service
Names=nope.service
LoadState=not-found
ActiveState=inactive

Id=php7.4-fpm.service
Names=php7.4-fpm.service
LoadState=loaded
ActiveState=failed

Id=php8.2-fpm.service
Names=php8.2-fpm.service
LoadState=masked
ActiveState=inactive

Id=fstrim.timer
Names=fstrim.timer
LoadState=loaded
ActiveState=activating
";

fn wanted(names: &[&str]) -> Vec<Wanted> {
    names.iter().map(|name| Wanted::new(name, Platform::Linux)).collect()
}

fn rows_of(names: &[&str], shown: &str) -> (Vec<(String, u32)>, Collected) {
    let (rows, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| rows(cx, &wanted(names), &parse(shown)));
    (rows.into_iter().map(|row| (row.name, row.state)).collect(), said)
}

fn pairs(rows: &[(&str, u32)]) -> Vec<(String, u32)> {
    rows.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
}

#[test]
fn units_are_read_whatever_the_order_and_what_else_is_said() {
    let units = parse(SHOWN);
    assert_eq!(units.len(), 6);
    assert!(units[1].is_called("sshd.service") && units[1].is_called("ssh.service") && !units[1].is_called("ssh"));
    let mixed =
        parse("ActiveState=active\nMore=a=b\nno pair\nNames=a.service\nId=a.service\nLoadState=loaded\n\n\n\nX=1\n");
    let expected = Unit {
        id: "a.service".into(),
        names: vec!["a.service".into()],
        load: "loaded".into(),
        active: "active".into(),
    };
    assert_eq!(mixed, [expected]);
    assert_eq!((parse(""), parse("\n\n"), parse("Id=")), (vec![], vec![], vec![]));
}

#[test]
fn every_state_of_a_unit_has_its_number() {
    let state = |active: &str| Unit { active: active.to_owned(), ..Unit::default() }.state();
    let words =
        ["inactive", "failed", "maintenance", "activating", "deactivating", "active", "reloading", "refreshing"];
    assert_eq!(words.map(state), [1, 1, 1, 2, 3, 4, 4, 4].map(Some));
    assert_eq!((state(""), state("Active")), (None, None));
}

#[test]
fn a_unit_has_the_name_it_was_asked_for() {
    let (rows, said) = rows_of(&["sshd", "nginx.service", "php*", "fstrim.timer", "*ssh", "nope", "no*"], SHOWN);
    let expected = [("sshd", 4), ("nginx", 4), ("fstrim.timer", 2), ("php7.4-fpm", 1), ("php8.2-fpm", 1)].as_slice();
    assert_eq!(rows, pairs(expected));
    let missing: Vec<&str> = said.remarks.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!((missing, said.problems.len()), (vec!["service nope", "service no*"], 0));
}

#[test]
fn an_unknown_state_is_told_and_nothing_is_made_of_it() {
    let (rows, said) = rows_of(&["a"], "Id=a.service\nLoadState=loaded\nActiveState=dreaming\n");
    assert_eq!((rows, said.problems.len(), said.remarks.len()), (vec![], 1, 0));
}

/// `systemctl` refuses all units where one has no name of a unit.
#[test]
fn what_is_no_name_of_a_unit_is_not_asked_for() {
    for good in ["nginx.service", "getty@tty1.service", "getty@*.service", r"dev-disk\x2dby.mount", "*.service"] {
        assert!(is_unit_name(good), "{good}");
    }
    for bad in
        ["getty@.service", "服务.service", "a b.service", "a/b.service", "a[bc].service", ".service", "a$b.service"]
    {
        assert!(!is_unit_name(bad), "{bad}");
    }
    assert!(!is_unit_name(&format!("{}.service", "x".repeat(248))));
    let (rows, said) = rows_of(&["服务", "nginx"], SHOWN);
    assert_eq!((rows, said.remarks.len()), (pairs(&[("nginx", 4)]), 1));
}

#[test]
fn there_is_nothing_to_ask_without_systemd() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("systemctl");
    let text = program.display().to_string();
    let find = |booted: &Path| Systemctl::find_in(booted, &["/no/such/program", &text]).map(|found| found.program);
    assert_eq!(find(dir.path()), None);
    fs::write(&program, "").unwrap();
    assert_eq!(find(dir.path()), Some(program.clone()));
    assert_eq!((find(&program), find(&dir.path().join("none"))), (None, None));
}

/// A shell script in the place of `systemctl`. Only Linux is sure to have a shell.
fn scripted(script: &str, deadline: Duration) -> Systemctl {
    let before = ["-c", script, "systemctl"].map(str::to_owned).to_vec();
    Systemctl { program: PathBuf::from("/bin/sh"), before, deadline }
}

const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_unit_that_a_pattern_fitted_is_asked_for_when_it_has_stopped() {
    if Platform::CURRENT != Platform::Linux {
        return;
    }
    // As systemd drops units, the second run shows only what is asked for by its name; `$0` and five words stand before.
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("first");
    let script = format!(
        r#"shift 5; show() {{ printf 'Id=%s\nNames=%s\nLoadState=%s\nActiveState=%s\n\n' "$1" "$1" "$2" "$3"; }}
           if [ -e {0} ]; then for unit; do case $unit in *'*'*) ;; *) show "$unit" loaded inactive;; esac; done
           else touch {0}; show redis.service loaded active; show redis@1.service loaded active; fi"#,
        first.display()
    );
    let (config, stats) = (Config::standalone(), Arc::new(Stats::default()));
    let guard = Guard::new(Guarded::Services, &config, &stats);
    let mut units = Units::new(scripted(&script, LONG), &["redis*".to_owned()], guard, stats);
    let mut collect = || {
        let (result, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| units.collect(cx));
        result.unwrap();
        let state = said.samples.iter().filter(|sample| sample.metric == "service.state");
        state.map(|sample| (sample.tags.as_str().to_owned(), sample.value.get())).collect::<Vec<_>>()
    };
    assert_eq!(collect(), [("name=redis".to_owned(), 4.0), ("name=redis@1".to_owned(), 4.0)]);
    assert_eq!(collect(), [("name=redis".to_owned(), 1.0)]);
    assert_eq!(collect(), [("name=redis".to_owned(), 1.0)]);
}

#[test]
fn a_program_that_fails_says_why() {
    if Platform::CURRENT != Platform::Linux {
        return;
    }
    let show = |script: &str| scripted(script, LONG).show(&["a".to_owned()]).unwrap_err().to_string();
    let told = show("echo Id=a.service; echo 'Failed to connect to bus: gone' >&2; echo more >&2; exit 1");
    assert!(told.ends_with("1: Failed to connect to bus: gone"), "{told}");
    assert!(
        show("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done").contains("said more")
    );
    let missing = Systemctl { program: "/no/such/program".into(), before: Vec::new(), deadline: LONG };
    assert_eq!(missing.show(&[]).unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// One that was left alone lived on, once a minute.
#[test]
fn a_program_that_does_not_end_is_killed_and_leaves_nothing() {
    if Platform::CURRENT != Platform::Linux {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (n, ending) in ["exec sleep 600", "exec >&- 2>&-; exec sleep 600"].into_iter().enumerate() {
        let file = dir.path().join(n.to_string());
        let script = format!("echo $$ > {}; echo Id=a.service; {ending}", file.display());
        let error = scripted(&script, Duration::from_millis(500)).show(&[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        // Where the machine is busy it may have been killed before it wrote this.
        let pid = fs::read_to_string(&file).unwrap_or_default();
        assert!(pid.is_empty() || !Path::new("/proc").join(pid.trim()).exists(), "{pid}");
    }
}
