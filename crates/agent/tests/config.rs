//! `config::parse` against files nobody wrote by hand.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use falcon_agent::collect::known;
use falcon_agent::config::{Config, Dialect, Overlay, Parsed, parse, parse_over};
use proptest::prelude::*;

const FILES: [&str; 4] = [
    include_str!("../../../cfg.example.json"),
    include_str!("fixtures/config/windows-agent.json"),
    include_str!("fixtures/config/linux-agent.json"),
    include_str!("fixtures/config/freedomkk.json"),
];

/// What the effective configuration reads back as: equal, but for secrets and the dialect.
fn read_back(config: &Config) -> (Config, Config) {
    let text = config.to_json();
    let (back, _) = parse(text.as_bytes(), "effective", &known()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (visible(config.clone()), visible(back))
}

fn visible(mut config: Config) -> Config {
    config.dialect = Dialect::Falcon;
    config.http.token = Default::default();
    config.plugin.git = Default::default();
    config.plugin.url = Default::default();
    config.mssql.username = Default::default();
    config.mssql.password = Default::default();
    config
}

/// A file with others over it.
fn over(main: &[u8], overlays: &[&[u8]]) -> Parsed {
    let overlay = |bytes: &&[u8]| Overlay { file: "cfg.d/a.json".to_owned(), bytes: Ok(bytes.to_vec()) };
    let overlays: Vec<Overlay> = overlays.iter().map(overlay).collect();
    parse_over(main, "cfg.json", &overlays, &known()).unwrap()
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any::<String>(), 0..4)
}

/// A file of every key, with values in and out of range.
fn any_file() -> impl Strategy<Value = serde_json::Value> {
    let map = prop::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    let address = "[a-z0-9:,\\[\\]： .]{0,12}";
    let addresses = prop::collection::vec(address, 0..4);
    (
        (any::<bool>(), any::<String>(), texts(), texts(), map, addresses),
        (
            any::<i64>(),
            -5i64..200_000,
            any::<u32>(),
            address,
            any::<bool>(),
            prop::sample::subsequence(vec!["falcon", "leonzyang", "extended"], 0..=3),
        ),
    )
        .prop_map(|((flag, text, list, ignore, tags, addrs), (wide, near, seconds, listen, extra, names))| {
            let mut file = serde_json::json!({
                "debug": flag, "hostname": text, "ip": text,
                "plugin": {
                    "enabled": flag, "dir": text, "git": text, "url": listen, "sha256": text, "key": text, "logs": text,
                    "at_once": near, "memory_mb": wide,
                },
                "heartbeat": {"enabled": flag, "addr": addrs, "interval": near, "timeout": wide},
                "transfer": {"enabled": flag, "addrs": addrs, "interval": wide, "timeout": near},
                "http": {
                    "enabled": flag, "listen": listen, "backdoor": flag, "token": text, "allow": addrs, "hosts": list,
                    "tls": {"cert": text}, "limits": {
                        "body": wide, "in_flight": near, "items": seconds, "connections": near, "header_timeout": wide,
                        "body_timeout": near, "rate": near,
                    },
                },
                "collector": {
                    "ifacePrefix": list, "ifacePrefixIgnore": list, "mountPoint": list, "names": names,
                    "intervals": {"df": seconds, "cpu": near, "none": 1}, "limits": {"series": wide, "counters": near},
                    "counters": [
                        {"object": text, "counters": list, "instances": ignore, "exclude": list, "metric": listen},
                        {"object": "Web Service", "counters": text, "metric": text, "tags": tags},
                        {"counters": []},
                    ],
                },
                "service": {"names": list, "alive": text},
                "default_tags": tags, "ignore": ignore,
                "log": {"file": text, "max_mb": near, "keep": wide, "level": text},
            });
            if extra {
                file["logfile"] = text.clone().into();
                file["iis"] = serde_json::json!({"enabled": flag, "websites": list});
                file["mssql"] = serde_json::json!({"port": near, "username": text, "password": text, "instance": list});
            }
            file
        })
}

#[test]
fn every_shipped_file_reads_back_as_it_was_effective() {
    for file in FILES {
        let (config, _) = parse(file.as_bytes(), "cfg.json", &known()).unwrap();
        let (before, after) = read_back(&config);
        assert_eq!(before, after);
    }
    let (before, after) = read_back(&Config::standalone());
    assert_eq!(before, after);
}

proptest! {
    #[test]
    fn the_effective_configuration_reads_back(file in any_file()) {
        let (config, _) = parse(file.to_string().as_bytes(), "cfg.json", &known()).unwrap();
        prop_assert!((1..=86_400).contains(&config.transfer.interval));
        prop_assert!(config.transfer.timeout <= 86_400_000);
        prop_assert!(!config.collector.names.is_empty());
        let (before, after) = read_back(&config);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_file_over_itself_is_what_it_was(file in any_file()) {
        let text = file.to_string();
        let (alone, _) = parse(text.as_bytes(), "cfg.json", &known()).unwrap();
        let twice = over(text.as_bytes(), &[b"{}", text.as_bytes(), b"{\"debug\": 1}", text.as_bytes()]);
        prop_assert_eq!(twice.overlays.len(), 3);
        prop_assert_eq!(twice.config, alone);
    }

    /// Whatever stood below a file that says everything.
    #[test]
    fn of_a_file_over_another_all_is_in_effect(below in any_file(), mut file in any_file()) {
        // Apart from what is merged by keys of the user's own, and what the upper file need not have.
        for key in ["default_tags", "logfile", "iis", "mssql"] {
            file.as_object_mut().unwrap().remove(key);
        }
        let (mut alone, _) = parse(file.to_string().as_bytes(), "cfg.json", &known()).unwrap();
        let mut both = over(below.to_string().as_bytes(), &[file.to_string().as_bytes()]).config;
        // By dialect, which is that of the file below.
        (alone.dialect, alone.collector.names, alone.service.alive) =
            (both.dialect, both.collector.names.clone(), both.service.alive);
        (both.default_tags, both.iis, both.mssql) = (alone.default_tags.clone(), alone.iis.clone(), alone.mssql.clone());
        prop_assert_eq!(both, alone);
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _result = parse(&bytes, "cfg.json", &known());
        let parsed = over(FILES[0].as_bytes(), &[&bytes]);
        prop_assert!(parsed.overlays.len() + parsed.warnings.iter().filter(|warning| warning.is_skipped).count() == 1);
    }

    /// One wrong byte, a piece gone, or a piece of one file within another.
    #[test]
    fn no_damage_to_a_file_causes_a_panic(
        which in 0..FILES.len(), other in 0..FILES.len(), cut in any::<prop::sample::Index>(),
        length in 0usize..40, byte in any::<u8>(), bom in any::<bool>(),
    ) {
        let mut bytes = FILES[which].as_bytes().to_vec();
        let donor = FILES[other].as_bytes();
        let at = cut.index(bytes.len());
        let end = (at + length).min(bytes.len());
        let from = cut.index(donor.len());
        let piece: Vec<u8> = donor[from..(from + length).min(donor.len())].to_vec();
        bytes.splice(at..end, piece);
        if let Some(b) = bytes.get_mut(at) { *b = byte; }
        if bom { bytes.splice(0..0, [0xff, 0xfe]); }
        if let Ok((config, warnings)) = parse(&bytes, "cfg.json", &known()) {
            prop_assert!(warnings.len() <= 101);
            let (before, after) = read_back(&config);
            prop_assert_eq!(before, after);
        }
    }
}
