use proptest::prelude::*;
use serde_json::json;

use super::*;

fn asked(options: &[(&'static str, &str)]) -> Asked {
    Asked::of(|name| options.iter().find(|(option, _)| *option == name).map(|(_, text)| *text))
}

fn put(text: &str, options: &[(&'static str, &str)]) -> anyhow::Result<Edited> {
    asked(options).values()?.put(text.as_bytes(), "cfg.json", &Known::default())
}

#[track_caller]
fn becomes(before: &str, options: &[(&'static str, &str)], after: &str) {
    let edited = put(before, options).unwrap_or_else(|error| panic!("{before}: {error}"));
    assert_eq!(edited.text, after);
}

#[test]
fn a_value_takes_the_place_of_the_old_one_and_nothing_else_changes() {
    becomes(
        "{\r\n  // who\r\n  \"Hostname\" : \"old\" , # x\r\n  \"ip\": \"\",\r\n}",
        &[("endpoint", " 新 ")],
        "{\r\n  // who\r\n  \"Hostname\" : \"新\" , # x\r\n  \"ip\": \"\",\r\n}",
    );
    becomes(r#"{"hostname": null}"#, &[("endpoint", "WEB-01")], r#"{"hostname": "WEB-01"}"#);
    becomes(
        r#"{"transfer": {"interval": 10, "addrs": ["x:1", "y:2"]}}"#,
        &[("interval", "30"), ("transfer", "a:1, b")],
        r#"{"transfer": {"interval": 30, "addrs": ["a:1", "b:8433"]}}"#,
    );
    becomes(
        r#"{"default_tags": {"a": "b"}}"#,
        &[("tags", "idc=bj,t=a=b")],
        r#"{"default_tags": { "idc": "bj", "t": "a=b" }}"#,
    );
}

#[test]
fn a_key_that_is_missing_comes_first_in_its_section_on_a_line_of_its_own_where_the_others_have_one() {
    let options = [("endpoint", "h")];
    for (before, after) in [
        (r#"{"ip": ""}"#, r#"{"hostname": "h", "ip": ""}"#),
        (r#"{ "ip": ""}"#, r#"{"hostname": "h", "ip": ""}"#),
        ("{}", r#"{ "hostname": "h" }"#),
        ("/* { */ {\n}", "/* { */ { \"hostname\": \"h\"\n}"),
        (
            "{ // { of the portal\r\n\t\"ip\": \"\"}",
            "{\r\n\t\"hostname\": \"h\", // { of the portal\r\n\t\"ip\": \"\"}",
        ),
        ("{\n/* c */ \"ip\": \"\"}", "{\n\"hostname\": \"h\",\n/* c */ \"ip\": \"\"}"),
    ] {
        becomes(before, &options, after);
    }
    becomes("{}", &[("listen", "1988")], r#"{ "http": { "listen": ":1988" } }"#);
    becomes(r#"{"transfer": null}"#, &[("interval", "10")], r#"{"transfer": { "interval": 10 }}"#);
}

#[test]
fn addresses_go_where_the_dialect_has_them() {
    let hbs = [("hbs", "h:1")];
    for (before, after) in [
        (r#"{"heartbeat": {"addr": "x:6030"}}"#, r#"{"heartbeat": {"addr": "h:1"}}"#),
        (r#"{"heartbeat": {"addr": ["x:6030", "y:1"]}}"#, r#"{"heartbeat": {"addr": ["h:1"]}}"#),
        (r#"{"heartbeat": {"addr": {"a": "x:1"}}}"#, r#"{"heartbeat": {"addr": ["h:1"]}}"#),
        (r#"{"heartbeat": {"addrs": "x:1"}}"#, r#"{"heartbeat": {"addrs": "h:1"}}"#),
        (r#"{"heartbeat": {"addr": "x:1", "addrs": ["y:1"]}}"#, r#"{"heartbeat": {"addr": "", "addrs": ["h:1"]}}"#),
        (r#"{"heartbeat": {"enabled": false, "addr": ""}}"#, r#"{"heartbeat": {"enabled": true, "addr": "h:1"}}"#),
        (r#"{"heartbeat": {"interval": 60}}"#, r#"{"heartbeat": {"addrs": ["h:1"], "interval": 60}}"#),
        // What comes later is laid over it.
        (
            r#"{"heartbeat": {"addrs": ["x:1"]}, "HeartBeat": {"enabled": false}}"#,
            r#"{"heartbeat": {"addrs": ["x:1"]}, "HeartBeat": {"addrs": ["h:1"], "enabled": true}}"#,
        ),
    ] {
        becomes(before, &hbs, after);
    }
    becomes(
        r#"{"heartbeat": {"addr": "x:6030"}}"#,
        &[("hbs", "a:1,b:2")],
        r#"{"heartbeat": {"addr": ["a:1", "b:2"]}}"#,
    );
}

/// A server that is off would be none of those that were asked for.
#[test]
fn what_is_given_an_address_is_switched_on() {
    let edited = put(
        r#"{"transfer": {"enabled": false}, "http": {"enabled": false}}"#,
        &[("transfer", "t:1"), ("listen", "0.0.0.0:80")],
    );
    let config = edited.expect("valid").config;
    assert!(config.transfer.enabled && config.http.enabled);
}

#[test]
fn files_of_notepad_and_of_a_chinese_windows_become_utf_8() {
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(r#"{"ip":""}"#.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let gbk = encoding_rs::GBK.encode("{\"ip\":\"\" /* 主机 */}").0.into_owned();
    let bom = b"\xEF\xBB\xBF{\"ip\":\"\"}".to_vec();
    for (bytes, end) in [(utf16, "}"), (gbk, " /* 主机 */}"), (bom, "}")] {
        let values = asked(&[("endpoint", "甲")]).values().expect("valid");
        let edited = values.put(&bytes, "cfg.json", &Known::default()).expect("valid");
        assert_eq!(edited.text, format!("{{\"hostname\": \"甲\", \"ip\":\"\"{end}"));
    }
}

#[test]
fn options_that_are_wrong_are_named_with_the_way_out() {
    for (option, text, why) in [
        (
            "transfer",
            "a:1,b:99999",
            "\"b:99999\": the port must be a number from 1 to 65535; HOST:PORT,HOST:PORT is wanted",
        ),
        ("transfer", ":8433", "there is no host"),
        ("transfer", ",", "is wanted"),
        ("hbs", "http://h:6030", "without a scheme"),
        ("endpoint", "a'b", "graph and hbs"),
        ("listen", "x:y", "as :1988"),
        ("listen", "10.0.0.1", "the port is missing"),
        ("interval", "0", "from 1 to 86400"),
        ("interval", "1m", "from 1 to 86400"),
        ("tags", "idc", "NAME=VALUE"),
        ("tags", "idc=", "NAME=VALUE"),
        ("tags", "a=b,a=c", "a is given twice"),
        ("tags", "a=\"b\"", "graph does not take"),
    ] {
        let error = asked(&[(option, text)]).values().expect_err(text).to_string();
        assert!(error.starts_with(&format!("--{option}: ")) && error.contains(why), "{error}");
    }
    let nothing = asked(&[("transfer", ""), ("tags", "  ")]);
    assert!(nothing.is_empty() && nothing.values().expect("none") == Values::default());
}

#[test]
fn a_text_that_cannot_say_it_is_refused() {
    for (text, why) in [
        ("", "empty"),
        ("[1]", "an object"),
        ("{", "cfg.json:1:"),
        ("{\"hostname\": 7}", "hostname"),
        ("{\"default_tags\": {\"a\": \"b\"}, \"Default_Tags\": {}}", "default_tags cannot be set in it"),
    ] {
        let error = put(text, &[("endpoint", "h"), ("tags", "c=d")]).expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

/// A path that was not made absolute was found by nobody: only numbers and lists had been looked at afterwards.
#[test]
fn a_text_that_does_not_stand_in_it_afterwards_is_named() {
    let values = Values { texts: vec![(&["strange", "deep"], "x".to_owned())], ..Values::default() };
    let error = values.put(b"{\"strange\": 7}", "cfg.json", &Known::default()).expect_err("no section");
    assert_eq!(error.to_string(), "cfg.json: strange.deep cannot be set in it; do it by hand");
    let edited = values.put(b"{\"strange\": {}}", "cfg.json", &Known::default()).expect("a section");
    assert_eq!(edited.text, "{\"strange\": { \"deep\": \"x\" }}");
}

/// Blanks and comments, as people have them between anything.
fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        " ",
        "\n    ",
        "\r\n\t",
        " // { \"hostname\": \"c\",\n",
        "/* } */",
        "\n# 注释, \"addrs\": [\n",
    ])
}

fn section(name: &'static str, keys: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = String> {
    let members = prop::sample::subsequence(keys.to_vec(), 0..=keys.len()).prop_shuffle();
    (members, prop::collection::vec(gap(), 16), any::<bool>(), any::<bool>()).prop_map(
        move |(members, gaps, upper, comma)| {
            let mut gaps = gaps.into_iter().cycle();
            let mut gap = || gaps.next().unwrap_or_default();
            let name = if upper { name.to_uppercase() } else { name.to_owned() };
            let body: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}\"{key}\"{}:{}{value}{}", gap(), gap(), gap(), gap()))
                .collect();
            let comma = if comma && !body.is_empty() { "," } else { "" };
            format!("{}\"{name}\"{}:{}{{{}{comma}{}}}", gap(), gap(), gap(), body.join(","), gap())
        },
    )
}

const SERVER: &[(&str, &str)] = &[
    ("enabled", "false"),
    ("addr", "\"x:1\""),
    ("addrs", "[ \"y:1\", /* , */ \"z:2\" ]"),
    ("Addrs", "{\"b\": \"m:1\"}"),
    ("interval", "20"),
    ("timeout", "null"),
    ("strange", "{\"enabled\": [1, {}]}"),
];

fn file() -> impl Strategy<Value = String> {
    let parts = (
        section("transfer", SERVER),
        section("heartbeat", SERVER),
        section(
            "http",
            &[("enabled", "false"), ("listen", "null"), ("backdoor", "false"), ("token", "\"0123456789abcdef\"")],
        ),
        section("default_tags", &[("a", "\"b\""), ("c", "\"d\"")]),
        prop::sample::select(vec![
            "\"hostname\": \"\"",
            "\"HOSTNAME\":\"h\"",
            "\"hostname\":null",
            "\"ip\": \"10.0.0.1\"",
            "\"plugin\": {\"dir\": \"./p\"}",
        ]),
        prop::sample::select(vec![
            "\"debug\": true",
            "\"ignore\": [\"cpu.busy\"]",
            "\"heartbeat\": {\"addrs\": [\"q:1\"]}",
            "\"transfer\": null",
        ]),
    );
    parts.prop_flat_map(|(a, b, c, d, e, f)| {
        let all = vec![a, b, c, d, e.to_owned(), f.to_owned()];
        let few = prop::sample::subsequence(all.clone(), 0..=all.len()).prop_shuffle();
        (gap(), few, gap()).prop_map(|(before, members, after)| format!("{before}{{{}{after}}}", members.join(",")))
    })
}

proptest! {
    #[test]
    fn whatever_the_file_looks_like_it_says_what_was_asked_for_and_all_else_as_before(text in file(), which in 1_usize..64) {
        let all = [
            ("transfer", "t1:1,t2"), ("hbs", "h1:1"), ("endpoint", "新 host"), ("listen", "127.0.0.1:99"),
            ("interval", "45"), ("tags", "idc=bj,role=web"),
        ];
        let options: Vec<_> = all.into_iter().enumerate().filter(|(n, _)| which >> n & 1 == 1).map(|(_, option)| option).collect();
        let (before, _) = parse(text.as_bytes(), "cfg.json", &Known::default()).expect("the generator makes no other");
        let values = asked(&options).values().expect("valid");
        let edited = values.put(text.as_bytes(), "cfg.json", &Known::default());
        let edited = edited.unwrap_or_else(|error| panic!("{text}\n{error}"));
        let mut expected = before;
        let given = |name: &str| options.iter().any(|(option, _)| *option == name);
        if given("transfer") {
            (expected.transfer.addrs, expected.transfer.enabled) = (vec!["t1:1".to_owned(), "t2:8433".to_owned()], true);
        }
        if given("hbs") {
            (expected.heartbeat.addrs, expected.heartbeat.enabled) = (vec!["h1:1".to_owned()], true);
        }
        if given("endpoint") {
            expected.hostname = "新 host".to_owned();
        }
        if given("listen") {
            (expected.http.listen, expected.http.enabled) = ("127.0.0.1:99".to_owned(), true);
        }
        if given("interval") {
            expected.transfer.interval = 45;
        }
        if given("tags") {
            expected.default_tags = [("idc", "bj"), ("role", "web")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        }
        prop_assert_eq!(&edited.config, &expected);
        let comments = |text: &str| text.matches("// {").count() + text.matches("/* }").count() + text.matches("# 注释").count();
        // Those within a value go with it.
        prop_assert!(given("tags") || comments(&text) == comments(&edited.text));
        // Once more it is a text that is so already.
        let again = values.put(edited.text.as_bytes(), "cfg.json", &Known::default()).expect("valid");
        prop_assert_eq!(again.text, edited.text);
    }
}

#[test]
fn the_first_configuration_takes_every_value() {
    let options = [
        ("transfer", "a:1,b:2"),
        ("hbs", "h"),
        ("endpoint", "e"),
        ("listen", ":99"),
        ("interval", "30"),
        ("tags", "k=v"),
    ];
    let edited = put(crate::config::FIRST, &options).expect("valid");
    assert_eq!(edited.warnings, []);
    let config = serde_json::to_value(&edited.config).expect("JSON");
    assert_eq!(config["transfer"]["addrs"], json!(["a:1", "b:2"]));
    assert_eq!(config["heartbeat"]["addrs"], json!(["h:6030"]));
    assert_eq!(edited.text.lines().count(), crate::config::FIRST.lines().count() + 1, "{}", edited.text);
}
