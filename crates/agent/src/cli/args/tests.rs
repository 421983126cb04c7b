use super::super::verbs::PROGRAM;
use super::*;

fn wrong(line: &str) -> String {
    match parse(&PROGRAM, line.split(' ').map(OsString::from).collect()) {
        Err(Ended::Wrong(text)) => text,
        Err(Ended::Help(text)) => panic!("{line}: {text}"),
        Ok((_, verb)) => panic!("{line}: {verb:?}"),
    }
}

/// Options of verbs are looked for before it is known which verb it is.
#[test]
fn an_option_has_one_form_whatever_verbs_it_belongs_to() {
    fn all<'a>(verb: &'a Spec, into: &mut Vec<(&'static str, &'a Opt)>) {
        into.extend(verb.options.iter().flat_map(|option| {
            [option.name].into_iter().chain(option.aliases.iter().copied()).map(move |name| (name, option))
        }));
        verb.verbs.iter().for_each(|verb| all(verb, into));
    }
    let mut options = vec![("c", &FILE), ("h", &HELP), ("help", &HELP)];
    all(&PROGRAM, &mut options);
    for (name, option) in &options {
        for (other, of) in &options {
            let form = |option: &Opt| (option.name, option.value, option.short);
            assert!(name != other || form(option) == form(of), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_the_way_out() {
    for (line, parts) in [
        ("a nope", &["error: there is no verb 'nope'", "Usage: falcon-agent [OPTIONS] [COMMAND]"][..]),
        ("a colect", &["did you mean 'collect'?"]),
        ("a collectors", &["did you mean 'collect'?"]),
        ("a collect --formt json", &["'--formt' is not expected here", "did you mean '--format'?"]),
        ("a collect --only cup", &["'cup' is no value of '--only <COLLECTOR>'", "agent, cpu, mem"]),
        ("a collect --only diskoi", &["did you mean 'diskio'?"]),
        ("a collect --format", &["'--format <FORMAT>' has no value", "behind '='"]),
        ("a collect --format -x", &["'--format <FORMAT>' has no value"]),
        ("a install --user --password-stdin", &["'--user <NAME>' has no value"]),
        ("a install --password-stdin", &["'--user <NAME>'", "Usage: falcon-agent install [OPTIONS]"]),
        ("a --startup auto run", &["'--startup' does not belong to 'run'"]),
        ("a --format prometheus plugin run x", &["'prometheus' is no value", "table, json]"]),
        ("a run -v", &["'-v' is not expected here"]),
        ("a run -check", &["is not expected here"]),
        ("a -v=maybe", &["'--version' is on or off: 'maybe'"]),
        ("a -c", &["'-c <FILE>' has no value"]),
        ("a queue empty", &["'empty' is no value of 'WHAT'", "status, verify, purge"]),
        ("a queue status x", &["'x' is not expected here"]),
        ("a plugin", &["Try a plugin", "Commands:"]),
        ("a plugin walk x", &["there is no verb 'walk'", "Usage: falcon-agent plugin [OPTIONS] <COMMAND>"]),
        ("a plugin run", &["<PATH> is missing", "Usage: falcon-agent plugin run [OPTIONS] <PATH> [ARGS]..."]),
    ] {
        let text = wrong(line);
        for part in parts {
            assert!(text.contains(part), "{line}: {part} is missing in:\n{text}");
        }
    }
    assert!(!wrong("a nope").contains("did you mean"));
}

#[test]
fn a_value_may_begin_with_a_dash_where_it_is_told_from_an_option() {
    let user = |line: &str| {
        let parsed = parse(&PROGRAM, line.split(' ').map(OsString::from).collect());
        parsed.unwrap_or_else(|error| panic!("{line}: {error}")).0.text("user").map(str::to_owned)
    };
    assert_eq!(user("a install --user=-x"), Some("-x".to_owned()));
    assert_eq!(user("a install -user=a=b --user c"), Some("c".to_owned()));
}
