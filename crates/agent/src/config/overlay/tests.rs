use super::*;
use crate::config::{Dialect, NameSet, load};

fn known() -> Known {
    Known { collectors: vec!["cpu", "df"], options: vec!["cores"], limits: vec![("volumes", 128, 4096)], tags: vec![] }
}

/// `cfg.json` with files over it, named `0`, `1`, ...
fn over(main: &str, overlays: &[&str]) -> Parsed {
    let overlays: Vec<Overlay> = (0..)
        .zip(overlays)
        .map(|(n, text)| Overlay { file: format!("{n}"), bytes: Ok(text.as_bytes().to_vec()) })
        .collect();
    parse_over(main.as_bytes(), "cfg.json", &overlays, &known()).unwrap()
}

/// The warnings as they are shown.
fn told(parsed: &Parsed) -> Vec<String> {
    parsed.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn objects_are_merged_and_all_else_is_replaced_and_null_leaves_it() {
    let parsed = over(
        r#"{"hostname": "a", "debug": true, "transfer": {"addrs": ["t:1", "t:2"], "interval": 60},
            "default_tags": {"room": "1", "rack": "2"}, "ignore": {"x": true, "y": true},
            "collector": {"cpu": false, "intervals": {"cpu": 60, "df": 300}, "counters": [{"object": "A"}]},
            "http": {"limits": {"rate": 5, "items": 10}}}"#,
        &[
            r#"{"HostName": "b", "debug": null, "transfer": {"Addrs": ["t:3"]}, "default_tags": {"room": "3", "Rack": "4"},
                "ignore": {"x": false}, "collector": {"intervals": {"df": 600}, "counters": [{"object": "B"}]}}"#,
            r#"{"transfer": null, "http": {"limits": {"rate": 7}}, "collector": {"CPU": true, "cores": true}}"#,
        ],
    );
    assert_eq!((told(&parsed), parsed.overlays), (vec![], vec!["0".to_owned(), "1".to_owned()]));
    let config = parsed.config;
    assert_eq!((config.hostname.as_str(), config.debug), ("b", true));
    assert_eq!((config.transfer.addrs, config.transfer.interval), (vec!["t:3".to_owned()], 60));
    let tags: Vec<(&str, &str)> =
        config.default_tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("Rack", "4"), ("rack", "2"), ("room", "3")]);
    assert_eq!(config.ignore.iter().collect::<Vec<_>>(), ["y"]);
    assert_eq!((config.http.limits.rate, config.http.limits.items), (7, 10));
    assert_eq!(config.collector.intervals, [("cpu".to_owned(), 60), ("df".to_owned(), 600)].into());
    assert_eq!(config.collector.counters.iter().map(|set| set.object.as_str()).collect::<Vec<_>>(), ["B"]);
    assert!(config.collector.is_on("cpu", false) && config.collector.is_on("cores", false));
}

/// A role that wrote `addrs` over a file with `addr` added a server instead of naming another.
#[test]
fn what_has_two_spellings_is_replaced_under_either() {
    let addrs = |main: &str, overlay: &str| {
        let config = over(main, &[overlay]).config;
        (config.transfer.addrs, config.heartbeat.addrs)
    };
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        addrs(
            r#"{"transfer": {"addr": "a:1", "addrs": ["b:1"]}, "heartbeat": {"addrs": {"x": "h:1"}}}"#,
            r#"{"transfer": {"addrs": ["c:1"]}, "heartbeat": {"addr": "i:1"}}"#
        ),
        (list(&["c:1"]), list(&["i:1"]))
    );
    assert_eq!(addrs(r#"{"transfer": {"addr": "a:1"}}"#, r#"{"transfer": {"addrs": null}}"#).0, ["a:1"]);
    // Within one file both count, as ever.
    assert_eq!(addrs("{}", r#"{"transfer": {"addr": "a:1", "addrs": ["b:1"]}}"#).0, ["b:1", "a:1"]);
    let log = |main: &str, overlay: &str| {
        let parsed = over(main, &[overlay]);
        assert_eq!(told(&parsed), [""; 0]);
        parsed.config.log.file
    };
    assert_eq!(log(r#"{"logfile": "a"}"#, r#"{"log": {"file": ""}}"#), "");
    assert_eq!(log(r#"{"log": {"file": "a"}}"#, r#"{"logfile": "b"}"#), "b");
    assert_eq!(log(r#"{"log": {"file": "a"}}"#, r#"{"log": {"keep": 3}}"#), "a");
    let parsed = over(r#"{"ignore": ["a", "b"]}"#, &[r#"{"ignore": {"a": false, "c": true}}"#]);
    assert_eq!(parsed.config.ignore.iter().collect::<Vec<_>>(), ["b", "c"]);
    let parsed = over(r#"{"ignore": {"a": true}}"#, &[r#"{"ignore": ["c"]}"#]);
    assert_eq!(parsed.config.ignore.iter().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_bad_overlay_is_skipped_whole_and_the_others_stay() {
    let parsed = over(
        "{\"hostname\": \"a\",\n\"nonsense\": 1}",
        &[
            r#"{"default_tags": {"a": "1"}}"#,
            "{\"hostname\": \"b\", \"what\": 1,\n  \"transfer\": {\"interval\": \"often\"}}",
            "{\"hostname\": \"c\",\n \"debug\": }",
            "",
            "{\"hostname\": \"d\", \"collector\": {\n\"names\": [\"none\"]}}",
            "[]",
            "# a remark\n{\n\"default_tags\": {\"b\": \"2\"},\n \"transfer\": {\"interval\": 0, \"more\": 1},}",
        ],
    );
    assert_eq!((parsed.config.hostname.as_str(), parsed.config.transfer.interval), ("a", 60));
    assert_eq!(parsed.config.default_tags.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(parsed.overlays, ["0", "6"]);
    let told = told(&parsed);
    let expected = [
        "cfg.json:2: nonsense: ",
        "6:4: transfer.interval: 0 is too small",
        "6:4: transfer.more: ",
        "1:2:28: transfer.interval: expected an integer",
        "2:2:11: ",
        "3: is empty",
        "4:2:",
        "5:1:1: expected an object",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{expected:?}: {told}");
    }
    let skipped: Vec<_> = parsed.warnings.iter().filter(|warning| warning.is_skipped).collect();
    assert_eq!(skipped.iter().map(|warning| warning.file.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
    assert!(skipped.iter().all(|warning| warning.text.ends_with("; nothing of this file is used")), "{told:#?}");
    assert_eq!(skipped[3].path, "collector.names");
}

#[test]
fn one_that_cannot_be_read_is_named_with_the_reason() {
    let overlays = [
        ConfigError::Unreadable { file: "x".to_owned(), source: io::ErrorKind::PermissionDenied.into() },
        ConfigError::NotAFile { file: "x".to_owned() },
        ConfigError::TooBig { file: "x".to_owned(), limit: 7 },
    ];
    let overlays: Vec<Overlay> =
        overlays.into_iter().map(|error| Overlay { file: "o".to_owned(), bytes: Err(error) }).collect();
    let parsed = parse_over(b"{}", "cfg.json", &overlays, &known()).unwrap();
    assert_eq!(parsed.overlays, [""; 0]);
    let expected = [
        "o: cannot be read: permission denied; nothing of this file is used",
        "o: is not a regular file; nothing of this file is used",
        "o: more than 7 bytes in all; nothing of this file is used",
    ];
    assert_eq!(told(&parsed), expected);
}

/// What is wrong with `cfg.json` is told as its own fault, whatever lies over it.
#[test]
fn no_overlay_mends_what_is_wrong_below() {
    for main in ["{", "", r#"{"debug": 1}"#, r#"{"collector": {"names": ["none"]}}"#] {
        let good = br#"{"debug": true, "collector": {"names": ["falcon"]}}"#.to_vec();
        let overlay = Overlay { file: "0".to_owned(), bytes: Ok(good) };
        let error = parse_over(main.as_bytes(), "cfg.json", &[overlay], &known()).unwrap_err();
        assert!(error.to_string().starts_with("cfg.json:"), "{error}");
    }
}

#[test]
fn an_overlay_changes_nothing_about_whose_file_it_is() {
    let python = r#"{"ignore": ["cpu.busy"]}"#;
    let names = |main: &str, overlays: &[&str]| {
        let config = over(main, overlays).config;
        (config.dialect, config.collector.names)
    };
    let before = names(python, &[]);
    assert_eq!(before, (Dialect::WindowsAgent, vec![NameSet::WindowsAgent, NameSet::Extended]));
    assert_eq!(names(python, &[r#"{"plugin": {"enabled": false}, "logfile": "x", "ignore": {}}"#]), before);
    assert_eq!(names("{}", &[python, r#"{"mssql": {"port": 1433}}"#]), names("{}", &[]));
    assert_eq!(names(python, &[r#"{"collector": {"names": ["falcon"]}}"#]).1, [NameSet::Falcon]);
}

#[test]
fn the_crc_is_that_of_what_is_in_effect_and_of_nothing_else() {
    let crc = |main: &str, overlays: &[&str]| over(main, overlays).config.crc();
    let plain = crc(r#"{"hostname": "h"}"#, &[]);
    assert_eq!(crc("{\n// a remark\n\"hostname\": \"h\", \"debug\": false,}", &[]), plain);
    assert_eq!(crc("{}", &[r#"{"hostname": "h"}"#, "{"]), plain);
    assert_ne!(crc(r#"{"hostname": "i"}"#, &[]), plain);
    assert_ne!(crc(r#"{"hostname": "h"}"#, &[r#"{"transfer": {"interval": 30}}"#]), plain);
    let token = |token: &str| crc(&format!(r#"{{"http": {{"token": "{token}"}}}}"#), &[]);
    assert_eq!(token("abcdefghijklmnop"), token("ABCDEFGHIJKLMNOP"), "a secret could be guessed from it");
}

/// A directory with `cfg.json` and files of `cfg.d`.
fn home(overlays: &[(&str, &[u8])]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("cfg.json"), r#"{"hostname": "main"}"#).unwrap();
    fs::create_dir(home.path().join(OVERLAY_DIR)).unwrap();
    for (name, bytes) in overlays {
        fs::write(home.path().join(OVERLAY_DIR).join(name), bytes).unwrap();
    }
    home
}

/// Names of the files that were taken, and that were not.
fn names_of(loaded: &load::Loaded) -> (Vec<String>, Vec<String>) {
    let name = |file: &str| Path::new(file).file_name().unwrap().display().to_string();
    let taken = loaded.overlays.iter().map(|file| name(file)).collect();
    (taken, loaded.skipped().map(|warning| name(&warning.file)).collect())
}

#[test]
fn files_are_read_in_the_order_of_their_names_in_any_encoding() {
    let utf16: Vec<u8> = "\u{feff}{\"hostname\": \"主机\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let home = home(&[
        ("a.json", &utf16),
        ("B.JSON", br#"{"hostname": "B", "debug": true}"#),
        ("10.json", br#"{"hostname": "10", "ip": "10.0.0.1"}"#),
        ("9.json", br#"{"ip": "10.0.0.9"}"#),
        ("z.json.bak", b"{\"hostname\": \"z\"}"),
        (".z.json", b"{\"hostname\": \"z\"}"),
        ("z.json~", b"{\"hostname\": \"z\"}"),
        ("json", b"{\"hostname\": \"z\"}"),
    ]);
    fs::create_dir(home.path().join(OVERLAY_DIR).join("c.json")).unwrap();
    let loaded = load::load(Some(&home.path().join("cfg.json")), &known()).unwrap();
    let config = &loaded.config;
    assert_eq!((config.hostname.as_str(), config.ip.as_str(), config.debug), ("主机", "10.0.0.9", true));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names_of(&loaded), (names(&["10.json", "9.json", "B.JSON", "a.json"]), names(&["c.json"])));
    assert_eq!(loaded.warnings.len(), 2, "of the directory, and of UTF-16: {:?}", loaded.warnings);
}

#[test]
fn there_are_bounds_for_the_files_and_for_their_bytes() {
    let home = home(&[]);
    let put = |name: String, text: &str| fs::write(home.path().join(OVERLAY_DIR).join(name), text).unwrap();
    (0..70).for_each(|n| put(format!("{n:02}.json"), &format!("{{\"hostname\": \"{n}\"}}")));
    let load = || load::load(Some(&home.path().join("cfg.json")), &known()).unwrap();
    let loaded = load();
    assert_eq!((loaded.config.hostname.as_str(), loaded.overlays.len()), ("63", 64));
    let told: Vec<String> = loaded.skipped().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].ends_with("cfg.d: more than 64 files; 6 after 63.json are left out"),
        "{told:?}"
    );
    let half = |host: &str| format!("{{\"hostname\": \"{host}\"}}{}", " ".repeat(FILE_LIMIT / 2));
    put("00.json".to_owned(), &half("first"));
    put("01.json".to_owned(), &half("second"));
    put("62.json".to_owned(), "{");
    put("63.json".to_owned(), "{");
    let loaded = load();
    assert_eq!(loaded.config.hostname, "61");
    assert_eq!(names_of(&loaded).1, ["01.json", "62.json", "63.json", "cfg.d"]);
}

#[test]
fn a_look_sees_what_comes_goes_and_changes() {
    let home = home(&[("a.json", b"{}")]);
    let main = home.path().join("cfg.json");
    let file = |name: &str| home.path().join(OVERLAY_DIR).join(name);
    let mut before = Seen::look(&main);
    assert_eq!(load::load(Some(&main), &known()).unwrap().seen, Some(before.clone()));
    let mut differs = |what: &str| {
        let now = Seen::look(&main);
        assert_ne!(std::mem::replace(&mut before, now.clone()), now, "{what}");
    };
    fs::write(&main, "{} ").unwrap();
    differs("cfg.json has another size");
    fs::write(file("a.json"), "{ }").unwrap();
    differs("an overlay has another size");
    fs::File::options().write(true).open(file("a.json")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    differs("an overlay has another time");
    fs::write(file("b.json"), "{}").unwrap();
    differs("an overlay comes");
    fs::remove_file(file("b.json")).unwrap();
    differs("an overlay goes");
    fs::remove_dir_all(home.path().join(OVERLAY_DIR)).unwrap();
    differs("the directory goes");
    fs::remove_file(&main).unwrap();
    differs("cfg.json goes");
    assert_eq!(Seen::look(&main), before);
}
