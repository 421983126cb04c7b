use std::path::Path;

use super::*;
use crate::service::{Removal, Startup};

fn parse(line: &str) -> Result<(Option<PathBuf>, Verb), Ended> {
    verbs::parse(line.split(' ').map(OsString::from).collect())
}

fn verb(line: &str) -> Verb {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).1
}

#[test]
fn the_go_agents_flags_work() {
    for line in [
        "a -c cfg.json",
        "a -c=cfg.json",
        "a --c cfg.json",
        "a --c=cfg.json",
        "a run -c cfg.json",
        "a -c x -c cfg.json",
    ] {
        let (file, verb) = parse(line).expect(line);
        assert_eq!((file.as_deref(), verb), (Some(Path::new("cfg.json")), Verb::Run), "{line}");
    }
    for line in ["a -check", "a --check", "a -check=true", "a -check=1"] {
        assert_eq!(verb(line), Verb::Check, "{line}");
    }
    for line in ["a -v", "a --v", "a -version", "a --version", "a -v=true"] {
        assert_eq!(verb(line), Verb::Version, "{line}");
    }
    assert_eq!(parse("a -v=false -check=0").expect("valid"), (None, Verb::Run));
    assert_eq!(parse("a -c -check").expect("a file may have any name").0, Some("-check".into()));
}

#[test]
fn verbs_and_their_options() {
    assert_eq!(verb("a run"), Verb::Run);
    assert_eq!(verb("a config"), Verb::Config);
    let collect = Verb::Collect { format: collect::Format::Json, only: Some("cpu".to_owned()) };
    assert_eq!(verb("a -c x collect --format json --only cpu"), collect);
}

#[test]
fn what_follows_the_path_of_a_plugin_is_the_plugins() {
    let run = |line: &str| match parse(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
        (file, Verb::Plugin(plugin::What::Run { format, path, args })) => {
            (format == plugin::Format::Json, path, args.join(" "), file.is_some())
        }
        other => panic!("{line}: {other:?}"),
    };
    let expected = |json: bool, args: &str, file: bool| (json, "60_x.sh".to_owned(), args.to_owned(), file);
    assert_eq!(run("a plugin run 60_x.sh"), expected(false, "", false));
    assert_eq!(run("a plugin run 60_x.sh a -b"), expected(false, "a -b", false));
    assert_eq!(run("a -c plugin plugin run --format json 60_x.sh -v -c x"), expected(true, "-v -c x", true));
    assert_eq!(run("a plugin run -c=x -format json 60_x.sh -- --help -- y"), expected(true, "--help -- y", true));
    for line in ["a plugin", "a plugin run", "a plugin walk 60_x.sh", "a plugin run --format xml 60_x.sh"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn options_of_the_service_stand_before_or_after_the_verb() {
    let wanted = |line: &str| match verb(line) {
        Verb::Install(wanted) | Verb::Update(wanted) => wanted,
        other => panic!("{line}: {other:?}"),
    };
    for line in [
        "a --startup manual --user x install",
        "a --startup=manual install --user=x",
        "a install --startup manual --username x",
        "a -c install --startup manual --user x install",
        "a --user x -c=cfg.json --startup manual update",
    ] {
        let wanted = wanted(line);
        assert_eq!((wanted.startup, wanted.user.as_deref()), (Some(Startup::Manual), Some("x")), "{line}");
    }
    let removal = |line: &str| match verb(line) {
        Verb::Uninstall(removal) => removal,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(removal("a --purge remove"), Removal { restore: false, purge: true });
    assert_eq!(removal("a uninstall --restore"), Removal { restore: true, purge: false });
    for line in ["a --startup never install", "a --startup auto run", "a --startup", "a install --password x"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn what_a_configuration_is_to_say_is_given_to_install_alone_and_empty_is_not_given() {
    let given = ["a", "install", "--transfer", " t:1,u:2 ", "--hbs", "", "--tags=a=b", "--start"];
    let Ok((_, Verb::Install(wanted))) = verbs::parse(given.into_iter().map(OsString::from).collect()) else {
        panic!("it is one")
    };
    let expected = [("transfer", "t:1,u:2"), ("tags", "a=b")];
    assert_eq!(
        wanted.values,
        config::edit::Asked::of(|name| expected.iter().find(|(n, _)| *n == name).map(|(_, t)| *t))
    );
    assert!(wanted.start && wanted.user.is_none());
    assert_eq!(parse("a update --transfer t:1").expect_err("for install").exit_code(), 2);
}

#[test]
fn what_is_said_goes_to_a_file_where_install_and_start_are_given_one() {
    let file = Some(PathBuf::from("x.log"));
    assert_eq!(verb("a start --log x.log"), Verb::Start { log: file.clone() });
    assert_eq!(verb("a start"), Verb::Start { log: None });
    assert_eq!(verb("a install --log=x.log"), Verb::Install(Wanted { log: file, ..Wanted::default() }));
    assert_eq!(parse("a stop --log x.log").expect_err("for others").exit_code(), 2);
}

/// A package gave each value as a word of its own: one that begins with a dash was wrong usage, before there was a log to tell it.
#[test]
fn a_package_gives_each_value_behind_its_option() {
    let given = ["a", "install", "--first-config=c.json", "--endpoint=-web 01", "--hbs=", "--log="];
    let Ok((None, Verb::Install(wanted))) = verbs::parse(given.into_iter().map(OsString::from).collect()) else {
        panic!("it is one, and none for every verb")
    };
    let values = config::edit::Asked::of(|name| (name == "endpoint").then_some("-web 01"));
    let first_config = Some(PathBuf::from("c.json"));
    assert_eq!(wanted, Wanted { first_config, values, ..Wanted::default() });
    assert_eq!(parse("a update --first-config c.json").expect_err("for install").exit_code(), 2);
}

#[test]
fn wrong_usage_is_exit_code_two_and_help_zero() {
    for line in ["a -nope", "a nope", "a collect --only nope", "a collect --format xml", "a -v=maybe", "a -c"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
    for line in ["a -h", "a --help", "a -help", "a collect --help"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 0, "{line}");
    }
}

#[test]
fn help_explains_every_verb() {
    let help = parse("a --help").expect_err("help").to_string();
    for word in ["run", "collect", "config", "-c", "--check", "--version"] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
}
