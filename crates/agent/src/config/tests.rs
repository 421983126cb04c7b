//! The example file, the three dialects' files, and what is said about wrong ones.

use super::raw::{CHECK_KEYS, COUNTER_KEYS, KEYS};
use super::*;
use crate::gojson::{Member, Node, Value};

const EXAMPLE: &str = include_str!("../../../../cfg.example.json");

fn known() -> Known {
    Known {
        collectors: vec!["cpu", "df"],
        options: vec!["cores"],
        limits: vec![("volumes", 128, 4096)],
        tags: vec!["mount"],
    }
}

fn read(text: &str) -> Result<(Config, Vec<String>), String> {
    match parse(text.as_bytes(), "cfg.json", &known()) {
        Ok((config, warnings)) => Ok((config, warnings.iter().map(ToString::to_string).collect())),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn error_of(text: &str) -> String {
    read(text).unwrap_err()
}

#[track_caller]
fn warnings_of(text: &str) -> Vec<String> {
    read(text).unwrap().1
}

#[test]
fn the_example_is_the_defaults_with_addresses() {
    let (config, warnings) = read(EXAMPLE).unwrap();
    assert_eq!(warnings, [""; 0]);
    let mut expected = defaults::file();
    expected.heartbeat.addrs = vec!["127.0.0.1:6030".to_owned()];
    expected.transfer.addrs = vec!["127.0.0.1:8433".to_owned()];
    assert_eq!(config, expected);
}

fn members<'n, 'a>(node: &'n Node<'a>, section: &str) -> &'n [Member<'a>] {
    match &node.value {
        Value::Object(members) => members,
        other => panic!("{section}: {other:?}"),
    }
}

#[test]
fn the_example_has_every_key_of_the_reader() {
    let freedomkk = ["logfile"];
    let login = ["addr", "port", "username", "password", "encrypt"].map(|key| ("mssql", key));
    let other_spellings = [&[("heartbeat", "addrs"), ("transfer", "addr")][..], &login].concat();
    let root = Node::parse(EXAMPLE.as_bytes()).unwrap();
    for (section, keys) in KEYS.iter().filter(|(section, _)| !freedomkk.contains(section)) {
        let found = section.split('.').filter(|name| !name.is_empty()).fold(members(&root, ""), |within, name| {
            members(&within.iter().find(|m| m.key == name).unwrap_or_else(|| panic!("no {section}")).value, section)
        });
        for key in keys.iter().filter(|key| !(section.is_empty() && freedomkk.contains(key))) {
            let expected = !other_spellings.contains(&(section, key));
            assert_eq!(found.iter().any(|member| member.key == *key), expected, "{section}.{key}");
        }
    }
}

#[test]
fn the_manual_has_every_key_of_the_reader() {
    let manual = include_str!("../../../../docs/configuration.md");
    let sections: Vec<_> = KEYS.iter().map(|(section, _)| *section).collect();
    for (section, key) in KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key))) {
        let written = if section.is_empty() { format!("`{key}`") } else { format!("`{section}.{key}`") };
        let shortened = format!("`.{key}`");
        let found =
            |line: &str| line.contains(&written) || line.contains(&format!("`{section}.")) && line.contains(&shortened);
        assert!(sections.contains(&written.trim_matches('`')) || manual.lines().any(found), "{written}");
    }
    for key in COUNTER_KEYS {
        assert!(manual.lines().any(|line| line.starts_with(&format!("| `{key}` | "))), "{key} of collector.counters");
    }
}

#[test]
fn the_manual_has_every_key_of_a_check() {
    let manual = include_str!("../../../../docs/configuration.md");
    let (_, checks) = manual.split_once("| list, and key of its entries |").expect("a table");
    for (list, keys) in CHECK_KEYS {
        let (_, after) = checks.split_once(&format!("| `{list}`: ")).unwrap_or_else(|| panic!("{list}"));
        let cell = |row: &str| row.trim_start_matches("| ").split(" | ").next().unwrap_or_default().to_owned();
        let cells: Vec<String> = after.lines().map(cell).collect();
        let next = cells.iter().skip(1).position(|cell| !cell.starts_with('`') || cell.contains("`: `"));
        let cells = &cells[..=next.expect("an end")];
        for key in *keys {
            assert!(cells.iter().any(|cell| cell.contains(&format!("`{key}`"))), "{list}: {key}");
        }
    }
}

#[test]
fn the_manual_has_every_option_and_limit_of_the_collectors() {
    let manual = include_str!("../../../../docs/configuration.md");
    let known = crate::collect::known();
    for name in known.options.iter().chain(known.limits.iter().map(|(name, ..)| name)) {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn collectors_are_switched_off_and_options_on() {
    let (config, warnings) = read(
        r#"{"collector": {"cpu": false, "CORES": true, "gpuu": true, "process": ["a.exe", " a.exe ", ""],
            "ntp": ["ntp1", "10.0.0.1:1123"], "limits": {"volumes": 9999, "nets": 3}}}"#,
    )
    .unwrap();
    assert!(!config.collector.is_on("cpu", true) && config.collector.is_on("cores", false));
    assert!(config.collector.is_on("df", true) && !config.collector.is_on("other", false));
    assert_eq!(config.collector.process, ["a.exe"]);
    assert_eq!(config.collector.ntp, Some(vec!["ntp1:123".to_owned(), "10.0.0.1:1123".to_owned()]));
    assert_eq!(config.collector.limits, [("volumes".to_owned(), 4096)].into());
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    let (config, _) = read(r#"{"collector": {"process": false, "ntp": false}}"#).unwrap();
    assert_eq!((config.collector.process.len(), config.collector.ntp), (0, Some(Vec::new())));
}

#[test]
fn counters_are_taken_as_they_are_named() {
    let (config, warnings) = read(
        r#"{"collector": {"counters": [
            {"object": " Web Service ", "counters": "Get*", "instances": ["a", "A ", "a"], "exclude": "b",
             "metric": "web.shop", "tags": {"team": "shop", "floor": 3}},
            null,
            {"OBJECT": "Memory"}]}}"#,
    )
    .unwrap();
    assert_eq!(warnings, [""; 0]);
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let web = CounterSet {
        object: "Web Service".to_owned(),
        counters: texts(&["Get*"]),
        instances: texts(&["a", "A"]),
        exclude: texts(&["b"]),
        metric: "web.shop".to_owned(),
        tags: [("team".to_owned(), "shop".to_owned()), ("floor".to_owned(), "3".to_owned())].into(),
    };
    let memory = CounterSet { object: "Memory".to_owned(), ..CounterSet::default() };
    assert_eq!(config.collector.counters, [web, memory]);
}

#[test]
fn of_counters_what_cannot_be_used_is_left_out_and_told() {
    let (config, warnings) = read(
        r#"{"collector": {"counters": [
{"counters": "x"},
{"object": "\\Processor(*)\\% Idle Time"},
{"object": "A", "counters": ["", "b\nb", "c"], "metric": "a..b", "more": 1},
{"object": "B", "metric": "ein_sehr_langer_name_der_kein_ende_nehmen_will"},
{"object": "C", "tags": {"instance": "x", "a b": "x", "": "x", "e": " ", "f": "x"}}]}}"#,
    )
    .unwrap();
    let objects: Vec<&str> = config.collector.counters.iter().map(|set| set.object.as_str()).collect();
    assert_eq!(objects, ["A", "B", "C"]);
    assert_eq!(config.collector.counters[0].counters, ["c"]);
    assert!(config.collector.counters.iter().all(|set| set.metric.is_empty()));
    assert_eq!(config.collector.counters[2].tags, [("f".to_owned(), "x".to_owned())].into());
    let places: Vec<String> =
        warnings.iter().map(|text| text.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "cfg.json:2 collector.counters[0]",
            "cfg.json:3 collector.counters[1].object",
            "cfg.json:4 collector.counters[2].counters",
            "cfg.json:4 collector.counters[2].counters",
            "cfg.json:4 collector.counters[2].metric",
            "cfg.json:4 collector.counters[2].more",
            "cfg.json:5 collector.counters[3].metric",
            "cfg.json:6 collector.counters[4].tags[\"instance\"]",
            "cfg.json:6 collector.counters[4].tags[\"a b\"]",
            "cfg.json:6 collector.counters[4].tags[\"\"]",
            "cfg.json:6 collector.counters[4].tags[\"e\"]",
        ]
    );
}

#[test]
fn counters_have_bounds() {
    let names: Vec<String> = (0..300).map(|n| format!("\"n{n}\"")).collect();
    let tags: Vec<String> = (0..20).map(|n| format!("\"t{n}\": \"v\"")).collect();
    let entry = format!("{{\"object\": \"A\", \"counters\": [{}], \"tags\": {{{}}}}}", names.join(","), tags.join(","));
    let more: Vec<&str> = std::iter::once(entry.as_str()).chain(["{\"object\": \"B\"}"; 300]).collect();
    let (config, warnings) = read(&format!("{{\"collector\": {{\"counters\": [{}]}}}}", more.join(","))).unwrap();
    let first = &config.collector.counters[0];
    assert_eq!((config.collector.counters.len(), first.counters.len(), first.tags.len()), (256, 256, 16));
    assert_eq!(warnings.len(), 2 + 4, "{warnings:?}");
}

#[test]
fn services_are_named_once_and_alive_means_what_the_agent_before_meant() {
    let (config, warnings) = read(r#"{"service": {"names": ["W3SVC", " W3SVC ", "", "MSSQL*"]}}"#).unwrap();
    assert_eq!(config.service.names, ["W3SVC", "MSSQL*"]);
    assert_eq!((config.service.alive, warnings.len()), (Alive::Running, 1), "{warnings:?}");
    let alive = |text: &str| read(text).unwrap().0.service.alive;
    assert_eq!(alive(r#"{"ignore": ["cpu.busy"]}"#), Alive::Exists);
    assert_eq!(alive(r#"{"ignore": ["cpu.busy"], "service": {"alive": "Running"}}"#), Alive::Running);
    assert_eq!(alive(r#"{"logfile": "", "service": {"alive": "exists", "names": "W3SVC"}}"#), Alive::Exists);
    assert_eq!(read(r#"{"service": {"names": false}}"#).unwrap().0.service.names, [""; 0]);
    assert_eq!(
        warnings_of(r#"{"service": {"alive": "installed"}}"#),
        ["cfg.json:1: service.alive: expected running or exists, found \"installed\"; running is used"]
    );
}

/// With a section for IIS the Python agent's file was taken for another agent's, and all its names changed.
#[test]
fn sections_that_were_added_to_the_python_agents_file_leave_it_that() {
    let (config, _) = read(r#"{"ignore": [], "iis": {"enabled": true}, "mssql": {"enabled": true}}"#).unwrap();
    assert_eq!((config.dialect, config.service.alive), (Dialect::WindowsAgent, Alive::Exists));
    assert_eq!((config.iis.enabled, config.mssql.enabled), (Switch::On, Switch::On));
    assert_eq!(read(r#"{"ignore": [], "logfile": "a.log"}"#).unwrap().0.dialect, Dialect::FreedomKk);
}

#[test]
fn the_guards_limits_are_held_to_their_ranges_and_zero_is_one_of_them() {
    let (config, warnings) = read(r#"{"guard": {"enabled": false, "memory_mb": 0, "cpu_percent": 0}}"#).unwrap();
    assert_eq!(config.guard, Guard { enabled: false, memory_mb: 0, cpu_percent: 0 });
    assert_eq!(warnings, [""; 0]);
    let (config, warnings) = read(r#"{"guard": {"memory_mb": -1, "cpu_percent": 10001, "disk": 3}}"#).unwrap();
    assert_eq!(config.guard, Guard { enabled: true, memory_mb: 200, cpu_percent: 10_000 });
    assert_eq!(
        warnings,
        [
            "cfg.json:1: guard.memory_mb: -1 is too small; 200 MB is used",
            "cfg.json:1: guard.cpu_percent: 10001 is too large; 10000 % is used",
            "cfg.json:1: guard.disk: unknown key, ignored",
        ]
    );
}

#[test]
fn the_process_for_counters_has_ranges_for_its_time_and_memory() {
    let (config, warnings) = read(r#"{"perf": {"timeout": 60, "memory_mb": 16}}"#).unwrap();
    assert_eq!((config.perf, warnings), (Perf { timeout: 60, memory_mb: 16 }, vec![]));
    let (config, warnings) = read(r#"{"perf": {"timeout": 61, "memory_mb": 15, "memory": 1}}"#).unwrap();
    assert_eq!(config.perf, Perf { timeout: 60, memory_mb: 64 });
    assert_eq!(
        warnings,
        [
            "cfg.json:1: perf.timeout: 61 is too large; 60 s is used",
            "cfg.json:1: perf.memory_mb: 15 is too small; 64 MB is used",
            "cfg.json:1: perf.memory: unknown key, ignored",
        ]
    );
    assert_eq!(read("{}").unwrap().0.perf, Perf { timeout: 10, memory_mb: 64 });
}

#[test]
fn the_logs_file_is_named_in_the_old_spelling_too_and_debug_is_the_finest_level() {
    let (config, warnings) = read(
        r#"{"logfile": "old.log", "debug": true, "log": {"max_mb": 0, "keep": 1000, "level": "WARN", "size": 1}}"#,
    )
    .unwrap();
    assert_eq!(config.log, Log { file: "old.log".to_owned(), max_mb: 10, keep: 100, level: Level::Warn });
    assert_eq!(config.log_level(), Level::Debug);
    assert_eq!(
        warnings,
        [
            "cfg.json:1: log.max_mb: 0 is too small; 10 MB is used",
            "cfg.json:1: log.keep: 1000 is too large; 100 is used",
            "cfg.json:1: log.size: unknown key, ignored",
        ]
    );
    let (config, warnings) = read(r#"{"logfile": "old", "log": {"file": "new", "level": "loud"}}"#).unwrap();
    assert_eq!((config.log.file.as_str(), config.log_level()), ("new", Level::Info));
    assert_eq!(
        warnings,
        [
            "cfg.json:1: logfile: log.file is given too, and is used",
            "cfg.json:1: log.level: there is no level \"loud\"; the levels are error, warn, info, debug",
        ]
    );
}

#[test]
fn an_empty_object_is_the_defaults() {
    assert_eq!(read("{}"), Ok((defaults::file(), Vec::new())));
    let all_null: Vec<_> = KEYS[0].1.iter().map(|key| format!("\"{key}\": null")).collect();
    assert_eq!(read(&format!("{{{}}}", all_null.join(","))), Ok((defaults::file(), Vec::new())));
}

#[test]
fn the_python_agents_file_is_read() {
    let (config, warnings) = read(include_str!("../../tests/fixtures/config/windows-agent.json")).unwrap();
    assert_eq!(warnings, ["cfg.json:15: transfer.addrs: \"10.0.0.2:8433\" is given twice; the second is left out"]);
    assert_eq!(config.dialect, Dialect::WindowsAgent);
    assert_eq!(config.collector.names, [NameSet::WindowsAgent, NameSet::Extended]);
    assert_eq!(config.collector.iface_prefix_ignore, ["Loopback", "isatap"]);
    assert_eq!(config.ignore, ["cpu.busy", "mem.swapfree"].map(str::to_owned).into());
    assert_eq!((config.hostname.as_str(), config.debug), ("web-01", true));
    assert_eq!(
        (config.heartbeat.addrs, config.transfer.addrs),
        (vec!["10.0.0.1:6030".into()], vec!["10.0.0.2:8433".into()])
    );
}

#[test]
fn the_linux_agents_file_is_read() {
    let (config, warnings) = read(include_str!("../../tests/fixtures/config/linux-agent.json")).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.dialect, Dialect::Falcon);
    assert_eq!(config.collector.names, [NameSet::Falcon, NameSet::Extended]);
    assert_eq!(config.collector.iface_prefix, ["eth", "em", "ens"]);
    assert_eq!(config.collector.mount_point, ["/", "/data"]);
    assert_eq!(config.default_tags, [("idc".to_owned(), "bj".to_owned())].into());
    // `false` in the map is "not ignored".
    assert_eq!(config.ignore, ["cpu.busy", "df.bytes.free"].map(str::to_owned).into());
    assert_eq!((config.heartbeat.interval, config.heartbeat.timeout, config.transfer.timeout), (30, 2000, 500));
    assert_eq!(config.plugin.git.expose(), "https://git.example/plugin.git");
}

#[test]
fn freedomkks_file_is_read_and_its_login_shown_nowhere() {
    let text = include_str!("../../tests/fixtures/config/freedomkk.json");
    let (config, warnings) = read(text).unwrap();
    assert_eq!(
        warnings,
        [
            "cfg.json:16: mssql.username: not used: counters need no login; better remove the login from this file",
            "cfg.json:40: http.backdoor: never supported: it runs shell commands for whoever can reach the port",
        ]
    );
    assert_eq!(config.dialect, Dialect::FreedomKk);
    assert_eq!(config.collector.names, [NameSet::Falcon, NameSet::FreedomKk, NameSet::Extended]);
    assert_eq!(config.log, Log { file: "agent.log".to_owned(), ..defaults::file().log });
    assert_eq!(config.iis.websites, ["Default Web Site"]);
    for shown in [config.to_json(), format!("{config:?}"), warnings.join("\n")] {
        assert!(!shown.contains("hunter2") && !shown.contains("monitor"), "{shown}");
    }
    let shown: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
    assert_eq!(shown["mssql"]["password"], "******");
    // A wrong type must not put the password into the log either.
    assert_eq!(
        error_of("{\"mssql\":{\"password\":123456}}"),
        "cfg.json:1:22: mssql.password: expected a string, found a number"
    );
}

#[test]
fn a_wrong_type_names_place_key_and_both_types() {
    for (text, expected) in [
        (
            "{\n \"debug\": true,\n  \"transfer\": {\"interval\": \"60\"}}",
            "cfg.json:3:28: transfer.interval: expected an integer, found the string \"60\"",
        ),
        (
            "{\"transfer\": {\"interval\": 60.0}}",
            "cfg.json:1:27: transfer.interval: expected an integer, found the number 60.0",
        ),
        ("{\"hostname\": \"主机\", \"debug\": 1}", "cfg.json:1:29: debug: expected true or false, found the number 1"),
        ("{\"plugin\": []}", "cfg.json:1:12: plugin: expected an object, found an array"),
        ("[]", "cfg.json:1:1: expected an object, found an array"),
        (
            "{\"collector\":{\"mountPoint\":[\"/\",5]}}",
            "cfg.json:1:33: collector.mountPoint[1]: expected a string, found the number 5",
        ),
        (
            "{\"ignore\":{\"cpu.busy\":1}}",
            "cfg.json:1:23: ignore[\"cpu.busy\"]: expected true or false, found the number 1",
        ),
        (
            "{\"collector\":{\"counters\":{\"object\":\"Memory\"}}}",
            "cfg.json:1:26: collector.counters: expected an array of objects, found an object",
        ),
        (
            "{\"collector\":{\"counters\":[{\"object\":\"Memory\"},{\"object\":5}]}}",
            "cfg.json:1:57: collector.counters[1].object: expected a string, found the number 5",
        ),
        ("{\"default_tags\":{\"a\":true}}", "cfg.json:1:22: default_tags[\"a\"]: expected a string, found true"),
        (
            "{\"collector\":{\"names\":[\"falcon\",\"autohome\"]}}",
            "cfg.json:1:33: collector.names: there is no name set \"autohome\"; the sets are falcon, windows-agent, \
             freedomkk, leonzyang, extended",
        ),
        (
            "{\r\n \"debug\"：true\r\n}",
            "cfg.json:2:9: expected ':' after the key, found '：' (U+FF1A); use the ASCII character : instead",
        ),
        ("{\"debug\": true} x", "cfg.json:1:17: expected the end of the file, found 'x'"),
    ] {
        assert_eq!(error_of(text), expected);
    }
}

#[test]
fn unknown_keys_and_duplicates_are_told_with_their_path_and_line() {
    let text = "{\n\"HostName\": \"a\",\n\"collector\": {\n\"foo\\n\": 1},\n\"hostname\": \"b\", \"hostname\": null,\n\"Plugin\": {\"dir\": \"x\"}, \"plugin\": {\"logs\": \"y\"}}";
    let (config, warnings) = read(text).unwrap();
    assert_eq!(
        warnings,
        [
            "cfg.json:4: collector.foo\\n: unknown key, ignored",
            "cfg.json:5: hostname: given more than once; what comes later wins",
            "cfg.json:5: hostname: given more than once; what comes later wins",
            "cfg.json:6: plugin: given more than once; what comes later wins",
        ]
    );
    // As in Go: null changes nothing, and a section given twice is filled twice.
    assert_eq!((config.hostname.as_str(), config.plugin.dir.as_str(), config.plugin.logs.as_str()), ("b", "x", "y"));
}

#[test]
fn addresses_come_in_any_form() {
    for (form, expected) in [
        ("\"addr\": \"a:1, b\"", vec!["a:1", "b:8433"]),
        ("\"addrs\": [\"a:1\", null, \"\"], \"addr\": \"b:2\"", vec!["a:1", "b:2"]),
        ("\"addr\": {\"t2\": \"b:2\", \"t1\": \"a:1\"}", vec!["a:1", "b:2"]),
        ("\"addrs\": []", vec![]),
    ] {
        assert_eq!(read(&format!("{{\"transfer\": {{{form}}}}}")).unwrap().0.transfer.addrs, expected, "{form}");
    }
    let (config, warnings) = read("{\"heartbeat\":{\"addr\":\"hbs.example\"}}").unwrap();
    assert_eq!(config.heartbeat.addrs, ["hbs.example:6030"]);
    assert_eq!(warnings, ["cfg.json:1: heartbeat.addr: \"hbs.example\": has no port; read as \"hbs.example:6030\""]);
}

/// An address of IPv6 is cut or refused by hbs, and a quote breaks its SQL: the host never registers.
#[test]
fn what_hbs_and_graph_do_not_take_is_told() {
    let (config, warnings) = read(r#"{"ip": "fe80::1", "hostname": "o'web"}"#).unwrap();
    assert_eq!((config.ip.as_str(), config.hostname.as_str()), ("", "o'web"));
    assert!(warnings[0].contains("ip: \"fe80::1\"") && warnings[1].contains("hostname:"), "{warnings:?}");
    assert_eq!(warnings_of(r#"{"ip": "10.0.0.9", "hostname": "web 主机-1.example"}"#), [""; 0]);
    assert_eq!(warnings_of(r#"{"hostname": "web "}"#).len(), 1);
}

#[test]
fn values_out_of_range_are_replaced_and_told() {
    let text = "{\"heartbeat\":{\"interval\":0,\"timeout\":-1},\"transfer\":{\"interval\":9223372036854775807,\"timeout\":0},\
                \"mssql\":{\"port\":70000},\"http\":{\"listen\":\":1988x\"},\
                \"collector\":{\"intervals\":{\"df\":300,\"cpu\":0,\"gpu\":5},\"names\":[],\"ifacePrefix\":[\"\",\"eth\"]}}";
    let (config, warnings) = read(text).unwrap();
    assert_eq!((config.heartbeat.interval, config.heartbeat.timeout), (60, 1000));
    assert_eq!((config.transfer.interval, config.transfer.timeout), (86_400, 0));
    assert_eq!(config.collector.intervals, [("df".to_owned(), 300)].into());
    assert_eq!(config.collector.iface_prefix, ["eth"]);
    assert_eq!(config.collector.names, defaults::names(Dialect::FreedomKk));
    for (path, part) in [
        ("heartbeat.interval", "0 is too small; 60 s is used"),
        ("heartbeat.timeout", "-1 is too small; 1000 ms is used"),
        ("transfer.interval", "9223372036854775807 is too large; 86400 s is used"),
        ("mssql.port", "70000 is no port; it is left out"),
        ("collector.intervals[\"cpu\"]", "0 is too small; the collector follows transfer.interval"),
        ("collector.intervals[\"gpu\"]", "there is no such collector; the collectors are cpu, df"),
        ("collector.names", "the list is empty; falcon, freedomkk, extended is used"),
        ("collector.ifacePrefix", "an empty string is left out"),
    ] {
        let line = format!("cfg.json:1: {path}: {part}");
        assert!(warnings.contains(&line), "{line}\n{warnings:#?}");
    }
    assert!(warnings.iter().any(|w| w.contains("http.listen") && w.ends_with("\":1988\" is used")), "{warnings:#?}");
    assert_eq!(warnings.len(), 9);
}

#[test]
fn the_http_server_is_narrowed() {
    let text = r#"{"http": {"token": "0123456789abcdef", "allow": ["10.0.0.0/8"], "hosts": ["Agent.Example.", "a:1", ""],
                   "history_kb": 65537, "tls": {"cert": "a.pem"}, "limits": {"body": 9000000, "in_flight": 5, "connections": 5000, "rate": -1}}}"#;
    let (config, warnings) = read(text).unwrap();
    let Http { token, allow, hosts, tls, limits, .. } = &config.http;
    assert_eq!((token.expose(), tls.is_on()), ("0123456789abcdef", true));
    assert_eq!((allow.len(), hosts.as_slice()), (1, &["agent.example".to_owned()][..]));
    assert_eq!((limits.body, limits.in_flight, limits.connections, limits.rate), (9_000_000, 16 << 20, 4096, 0));
    for part in [
        "http.hosts: \"a:1\" is left out",
        "http.history_kb: 65537 is too large; 65536 kB is used",
        "http.limits.in_flight: 5 is too small; 16777216 bytes is used",
        "http.limits.connections: 5000 is too large; 4096 is used",
        "http.limits.rate: -1 is too small; 0 a second is used",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}\n{warnings:#?}");
    }
    assert_eq!(warnings.len(), 5);
    let (config, warnings) = read(r#"{"http": {"limits": {"body": 20000000}}}"#).unwrap();
    assert_eq!((config.http.limits.in_flight, warnings.len()), (20_000_000, 1), "{warnings:?}");
}

/// A tag can be the address of a page, with a password in it.
#[test]
fn an_address_with_credentials_is_hidden_wherever_it_stands() {
    let text = r#"{"default_tags":{"see":"http://me:hunter2@wiki.example/x","at":"a@b"},
        "plugin":{"dir":"ssh://me:hunter2@h/x"},"mssql":{"addr":"sqlserver://sa:hunter2@db"}}"#;
    let (config, _) = read(text).unwrap();
    let shown = config.to_json();
    assert!(!shown.contains("hunter2") && shown.contains("http://******@wiki.example/x"), "{shown}");
    assert!(shown.contains("a@b") && config.default_tags["see"].contains("hunter2"), "{shown}");
}

/// A token in a log is no token any more.
#[test]
fn a_token_is_never_shown_and_a_weak_one_is_told() {
    for (token, part) in [("hunter2", "can be guessed"), ("two words of blanks", "visible ASCII")] {
        let text = format!("{{\"http\":{{\"token\":\"{token}\"}}}}");
        let (config, warnings) = read(&text).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains(part) && !warnings[0].contains(token), "{warnings:?}");
        assert!(!config.to_json().contains(token) && !format!("{config:?}").contains(token));
    }
    let error = read(r#"{"http":{"token":987654321}}"#).unwrap_err().to_string();
    assert!(error.contains("http.token") && !error.contains("987654321"), "{error}");
    assert_eq!(warnings_of(r#"{"http":{"token":""}}"#), [""; 0]);
}

#[test]
fn steps_that_transfers_raise_are_told_only_where_something_is_sent() {
    let lost = "transfers raise steps below 30 s to 30 s: points of a step of 10 s are lost there";
    let sections = |addrs: &str| {
        format!(
            "{{\"transfer\":{{\"interval\":10,\"addrs\":[{addrs}]}},\"collector\":{{\"intervals\":{{\"df\":10}}}}}}"
        )
    };
    assert_eq!(
        warnings_of(&sections("\"a:1\"")),
        [format!("cfg.json:1: transfer.interval: {lost}"), format!("cfg.json:1: collector.intervals[\"df\"]: {lost}")]
    );
    assert_eq!(warnings_of(&sections("")), [""; 0]);
}

#[test]
fn numbers_in_default_tags_become_text() {
    let (config, warnings) = read("{\"default_tags\":{\"rack\":7,\"idc\":\"a,b\",\"\":\"x\",\"no\":null}}").unwrap();
    let expected = [("rack", "7"), ("idc", "a,b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(config.default_tags, expected.into());
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(read("{\"default_tags\":{\"rack\":7e2}}").is_err());
    let (_, warnings) = read("{\"default_tags\":{\"mount\":\"same\",\"q\":\"a>b\"}}").unwrap();
    assert!(
        warnings[0].contains("the agent's own metrics have this tag") && warnings[1].contains("graph"),
        "{warnings:?}"
    );
}

#[test]
fn the_encoding_is_remarked_on_once() {
    let (config, warnings) = parse(b"{\"hostname\":\"\xd6\xf7\xbb\xfa\",\n\"x\":1}", "c", &Known::default()).unwrap();
    assert_eq!(config.hostname, "主机");
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "c: the file is not valid UTF-8 and was read as GBK; UTF-8 is the usual encoding",
            "c:2: x: unknown key, ignored"
        ]
    );
}

#[test]
fn standing_alone_sends_nothing_and_listens_on_loopback() {
    let alone = Config::standalone();
    assert_eq!((alone.transfer.interval, alone.http.listen.as_str()), (10, "127.0.0.1:1988"));
    assert!(alone.transfer.addrs.is_empty() && alone.heartbeat.addrs.is_empty());
    assert_eq!(alone.collector.names, [NameSet::Falcon, NameSet::Extended]);
}
