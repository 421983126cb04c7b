use super::*;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A directory with files that nobody else can change.
fn tree(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    dir
}

fn look(dir: &TempDir, bindings: &[&str]) -> Scan {
    scan(dir.path(), &bindings.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn keys(scan: &Scan) -> Vec<&str> {
    scan.plugins.iter().map(|plugin| plugin.key.as_str()).collect()
}

fn why<'s>(scan: &'s Scan, what: &str) -> &'s str {
    let left = scan.left.iter().find(|left| left.what == what);
    &left.unwrap_or_else(|| panic!("{what} is not among {:?}", scan.left)).why
}

#[test]
fn a_directory_runs_what_lies_in_it_and_has_a_cycle_in_its_name() {
    let dir = tree(&[
        "sys/ntp/60_ntp.py",
        "sys/ntp/5_b",
        "sys/ntp/lib.py",
        "sys/ntp/0_never",
        "sys/ntp/below/60_x",
        "sys/60_y",
    ]);
    let found = look(&dir, &["/sys/ntp/"]);
    assert_eq!(keys(&found), ["sys/ntp/5_b", "sys/ntp/60_ntp.py"]);
    let ntp = &found.plugins[1];
    assert_eq!((ntp.path.as_str(), ntp.cycle_s, ntp.args.len()), ("sys/ntp/60_ntp.py", 60, 0));
    assert!(ntp.mtime_s > 1_600_000_000);
    assert!(why(&found, "sys/ntp/lib.py").contains("60_name"));
    assert!(why(&found, "sys/ntp/0_never").contains("a cycle of 0 s is none"));
    assert_eq!(found.left.len(), 2);
}

#[test]
fn a_file_that_is_bound_by_itself_runs_once_for_each_of_its_arguments_and_not_with_its_directory() {
    let dir = tree(&["sys/60_a.sh", "sys/30_b.sh", "sys/0_c.sh", "sys/60"]);
    let found = look(&dir, &["sys", "sys/60_a.sh(x,y)", "sys/60_a.sh", "sys/0_c.sh", "sys/60"]);
    assert_eq!(keys(&found), ["sys/30_b.sh", "sys/60()", "sys/60_a.sh()", "sys/60_a.sh(x,y)"]);
    assert_eq!(found.plugins[3].args, ["x", "y"]);
    assert_eq!(found.plugins[3].written_args, "x,y");
    // Its directory would have said the same; a reason is told once.
    assert!(why(&found, "sys/0_c.sh()").contains("a cycle of 0 s"));
    assert_eq!(found.left.len(), 1);
}

/// "Update success", and nothing ran: neither the page nor the log said why.
#[test]
fn what_does_not_run_is_told_with_the_reason() {
    let dir = tree(&["sys/60_a.sh"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let bindings = ["sys/60_b.sh", "../sys", "C:x", r"..\x", "empty", "sys/60_a.sh:stream", ""];
    let found = look(&dir, &bindings);
    assert!(found.plugins.is_empty());
    assert_eq!(why(&found, "sys/60_b.sh"), "is not there");
    assert!(why(&found, "../sys").contains(".."));
    assert!(why(&found, "C:x").contains("drive"));
    assert!(why(&found, r"..\x").contains(".."));
    assert_eq!(why(&found, "empty"), "is an empty directory");
    assert!(why(&found, "sys/60_a.sh:stream").contains("stream"));
    assert_eq!(found.left.len(), bindings.len());
    let missing = scan(&dir.path().join("none"), &["sys".to_owned()]);
    assert!(why(&missing, "sys").contains("plugin.dir"), "{missing:?}");
}

/// A portal that bound `sys` for what lies in `sys/ntp` was told nothing.
#[test]
fn a_directory_of_directories_runs_nothing_and_says_so() {
    let dir = tree(&["sys/ntp/60_ntp.py", "both/below/60_a", "both/60_b"]);
    let found = look(&dir, &["sys", "both"]);
    assert_eq!(keys(&found), ["both/60_b"]);
    assert!(why(&found, "sys").contains("no file") && found.left.len() == 1, "{found:?}");
}

#[test]
fn what_is_bound_twice_runs_once() {
    let dir = tree(&["sys/60_a"]);
    let found = look(&dir, &["sys", "/sys/", "sys//", "sys/60_a(x)", "./sys/60_a(x)"]);
    assert_eq!((keys(&found), found.left.len()), (vec!["sys/60_a(x)"], 0));
    // Its arguments are the same, however they are written.
    let found = look(&dir, &["sys/60_a(x)", "sys/60_a( x )"]);
    assert!(why(&found, "sys/60_a( x )").contains("sys/60_a(x)"));
    assert_eq!(keys(&found), ["sys/60_a(x)"]);
}

/// For a moment, while a new tree takes the place of the old one: all that ran was ended.
#[test]
fn a_directory_that_is_away_is_not_an_empty_one() {
    let dir = tree(&["60_a"]);
    let found = scan(&dir.path().join("none"), &["60_a".to_owned()]);
    assert!(found.away.as_deref().is_some_and(|why| why.contains("is not there")), "{found:?}");
    assert_eq!(look(&dir, &["60_b"]).away, None);
}

#[test]
fn nothing_bound_is_nothing() {
    assert_eq!(look(&tree(&["60_a"]), &[]), Scan::default());
}

#[test]
fn a_change_is_seen_by_the_second() {
    let dir = tree(&["60_a"]);
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
    fs::File::options().write(true).open(dir.path().join("60_a")).unwrap().set_modified(at).unwrap();
    assert_eq!(look(&dir, &["60_a"]).plugins[0].mtime_s, 1_700_000_000);
}

#[test]
fn a_host_has_so_many_plugins_and_the_rest_is_told() {
    let names: Vec<String> = (0..MOST_PLUGINS + 2).map(|n| format!("d/60_{n:04}")).collect();
    let dir = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let found = look(&dir, &["d"]);
    assert_eq!((found.plugins.len(), found.left.len()), (MOST_PLUGINS, 2));
    assert!(why(&found, "d/60_1001").contains("1000 others"));
}

#[test]
fn one_file_is_found_for_who_runs_it_by_hand() {
    let dir = tree(&["sys/60_a.sh", "sys/lib"]);
    let found = |spec: &str| find(dir.path(), &spec::parse(spec).unwrap().parts);
    assert!(found("sys/60_a.sh(x)").unwrap().ends_with("sys/60_a.sh"));
    assert!(found("sys/lib").is_ok());
    assert_eq!(found("sys").unwrap_err(), "is a directory");
    assert_eq!(found("sys/60_b.sh").unwrap_err(), "is not there");
}
