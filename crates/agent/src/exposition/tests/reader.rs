//! A reader that takes nothing but what the formats allow, and of OpenMetrics no more than the agent writes.

use std::collections::{BTreeMap, BTreeSet};

use super::Format;

pub(crate) struct Read {
    pub kind: String,
    pub help: String,
    pub unit: String,
    /// Name and labels of a sample, with its value.
    pub samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Families by the name in their TYPE.
pub(crate) fn read(text: &str, format: Format) -> BTreeMap<String, Read> {
    let open = format == Format::OpenMetrics;
    let text = match open {
        true => text.strip_suffix("# EOF\n").expect("an end"),
        false => text,
    };
    assert!(text.is_empty() || text.ends_with('\n'));
    let mut families: BTreeMap<String, Read> = BTreeMap::new();
    let mut series = BTreeSet::new();
    let mut lines = text.split_terminator('\n').peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
        assert!(is_name(name, true), "{line}");
        let help = unescaped(help, open);
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).expect(line);
        let allowed = if open { ["gauge", "counter", "unknown"] } else { ["gauge", "counter", "untyped"] };
        assert!(allowed.contains(&kind), "{name}: {kind}");
        let unit = lines.next_if(|line| line.starts_with("# UNIT ")).map_or("", |line| {
            assert!(open, "{line}");
            line.strip_prefix(&format!("# UNIT {name} ")).expect(line)
        });
        assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name}: {unit}");
        let total = if open && kind == "counter" { "_total" } else { "" };
        assert!(!open || !name.ends_with("_total"), "{name}");
        assert!(open || name.ends_with("_total") == (kind == "counter"), "{name}: {kind}");
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (sample, labels, value) = sample(line);
            assert_eq!(sample, format!("{name}{total}"), "{line}");
            assert!(series.insert((sample.clone(), labels.clone())), "twice: {line}");
            samples.push((sample, labels, value));
        }
        assert!(!samples.is_empty(), "nothing of {name}");
        let family = Read { kind: kind.to_owned(), help, unit: unit.to_owned(), samples };
        assert!(families.insert(name.to_owned(), family).is_none(), "{name} in two pieces");
    }
    families
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, true), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (key, value) = rest.split_once("=\"").expect(line);
            assert!(is_name(key, false) && !key.starts_with("__") && !["le", "quantile"].contains(&key), "{line}");
            let mut escaped = false;
            let end = value.char_indices().find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            let end = end.expect(line).0;
            assert!(end > 0, "{line}: an empty label is none");
            assert_eq!(labels.insert(key.to_owned(), unescaped(&value[..end], true)), None, "{line}");
            rest = &value[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect(line);
    }
    let value = rest.strip_prefix(' ').expect(line);
    assert!(!value.contains(' '), "{line}");
    let value: f64 = value.parse().expect(line);
    assert!(value.is_finite(), "{line}");
    (name.to_owned(), labels, value)
}

fn is_name(name: &str, colon: bool) -> bool {
    let is = |c: char| c.is_ascii_alphanumeric() || c == '_' || colon && c == ':';
    name.chars().all(is) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn unescaped(text: &str, quotes: bool) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('\\') => '\\',
                Some('"') if quotes => '"',
                other => panic!("\\{other:?} in {text}"),
            },
            '"' if quotes => panic!("a quote in {text}"),
            '\n' => unreachable!("lines"),
            c => c,
        });
    }
    plain
}
