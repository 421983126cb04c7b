//! What of an answer stands in a golden file: all of it, but for what differs from moment to moment and from machine to machine.

use serde_json::Value;

use crate::harness::http::Answer;
use crate::harness::is_windows;

/// The facts of a host that stands still: each byte of them is known.
const STILL: [&str; 11] = [
    "/page/diskio",
    "/page/memory",
    "/page/system/loadavg",
    "/proc/cpu/mhz",
    "/proc/cpu/num",
    "/proc/kernel/hostname",
    "/proc/kernel/maxfiles",
    "/proc/kernel/maxproc",
    "/proc/kernel/version",
    "/proc/memory",
    "/proc/system/loadavg",
];

/// Status and headers of an answer, less those that say when and how long.
pub fn head(answer: &Answer) -> String {
    let lines = answer.head.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let name = name.to_ascii_lowercase();
        // It changes with each change of the page.
        let value = if name == "etag" { "..." } else { value };
        (!["connection", "content-length", "date"].contains(&name.as_str())).then(|| format!("  {name}: {value}"))
    });
    format!("{}{}", answer.status, lines.collect::<String>())
}

/// Its body.
pub fn shown(path: &str, answer: &Answer) -> String {
    let text = ["\"version\":\"", "\"dir\":\"", "\"state\":\""]
        .iter()
        .fold(answer.text(), |text, member| blank(&text, member));
    let upto = |end: &str| text.split_once(end).map(|(before, _)| format!("{before}{end}..."));
    match path {
        _ if answer.status != 200 => None,
        "/" => upto("<html lang=\"en\">"),
        _ if path.starts_with("/ui/") && path.contains('.') => Some("...".to_owned()),
        "/ui/series" => upto("\"metrics\":{").map(|text| shape(&text)),
        "/ui/history" => upto("[[").map(|text| shape(&text)),
        "/version" => upto("@").map(|version| shape(&version)),
        "/workdir" => upto("\"data\":\""),
        "/config" | "/config/reload" => upto("\"data\":{"),
        "/ui/live" => None,
        "/ui/state" => upto("\"health\":{").map(|state| shape(&state)),
        "/page/df" if is_windows() => Some(shape(&one_row(&answer.json()))),
        // Whether Wine has a physical drive is the machine's.
        "/page/diskio" if is_windows() => upto("\"data\":"),
        _ if STILL.contains(&path) && !is_windows() => None,
        _ => Some(shape(&text)),
    }
    .unwrap_or(text)
}

/// Without the text that begins so: it is the build's, this run's, or how busy the machine is.
fn blank(text: &str, begin: &str) -> String {
    let Some((before, rest)) = text.split_once(begin) else { return text.to_owned() };
    let (_, after) = rest.split_once('"').expect("an end");
    format!("{before}{begin}...\"{after}")
}

/// How many drives Wine has is the machine's.
fn one_row(answer: &Value) -> String {
    format!(r#"{{"msg":{},"data":[{},...]}}"#, answer["msg"], answer["data"][0])
}

/// The text with 0 for each number, of which within texts the places after the point are kept, and U for the unit of a size.
fn shape(text: &str) -> String {
    let is_json = text.starts_with('{');
    let (mut out, mut quoted) = (String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '"' && !out.ends_with('\\');
        let in_text = quoted || !is_json;
        let is_name = out.chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_');
        if !c.is_ascii_digit() {
            out.push(c);
            continue;
        }
        if is_name {
            // `sda1`, `Avg1min`.
            out.push(c);
            continue;
        }
        let more = |next: &char| next.is_ascii_digit() || !in_text && "eE+-.".contains(*next);
        while chars.next_if(more).is_some() {}
        let after_point = in_text && out.ends_with('.');
        out.push('0');
        if in_text && !after_point && chars.next_if_eq(&'.').is_some() {
            out.push('.');
            while chars.next_if(char::is_ascii_digit).is_some() {
                out.push('0');
            }
            out.extend(chars.next_if(|unit| "BKMGTP".contains(*unit)).map(|_| 'U'));
        }
    }
    out
}

#[test]
fn numbers_have_a_shape() {
    for (text, expected) in [
        (r#"{"Avg1min":0.52,"n":-12,"e":1e-7,"s":"sda1"}"#, r#"{"Avg1min":0,"n":-0,"e":0,"s":"sda1"}"#),
        (r#"{"data":["12.5%","104.3G","7","3 days 21 hours"]}"#, r#"{"data":["0.0%","0.0U","0","0 days 0 hours"]}"#),
        ("2026-11-30 06:10:59", "0-0-0 0:0:0"),
        ("0.1.0@", "0.0.0@"),
    ] {
        assert_eq!(shape(text), expected);
    }
}
