//! Values of a tree read as the types a key wants. `null` is the same as not written; any other wrong type is an error.

use crate::gojson::{Member, Node, Value, key_is};

use super::raw::KEYS;
use super::report::{ConfigError, Report, shortened};

/// A value and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot<T> {
    pub value: T,
    pub at: usize,
}

type Read<T> = Result<Option<T>, ConfigError>;

/// Calls `each` with every member whose key [`KEYS`] has for this section (by Go's rule: exactly, else by folding),
/// its path and value. Other keys are warned about and passed over.
pub(super) fn section(
    node: &Node<'_>,
    path: &str,
    report: &mut Report<'_>,
    each: impl FnMut(&mut Report<'_>, &'static str, &Node<'_>, &str) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    section_with(node, path, &[], report, each)
}

/// The same, with keys beside those of [`KEYS`].
pub(super) fn section_with(
    node: &Node<'_>,
    path: &str,
    more: &[&'static str],
    report: &mut Report<'_>,
    mut each: impl FnMut(&mut Report<'_>, &'static str, &Node<'_>, &str) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    let keys = KEYS.iter().find(|(section, _)| *section == path).map_or(&[][..], |(_, keys)| keys);
    let keys = || keys.iter().chain(more);
    let mut seen: Vec<&str> = Vec::new();
    for Member { offset, key, value } in members(node, path, report)? {
        let full = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let exact = keys().find(|known| **known == key);
        let Some(&known) = exact.or_else(|| keys().find(|known| key_is(key, known))) else {
            report.warn(*offset, &full(&printable(key)), "unknown key, ignored");
            continue;
        };
        let full = full(known);
        if seen.contains(&known) {
            report.warn(*offset, &full, "given more than once; what comes later wins");
        } else {
            seen.push(known);
        }
        each(report, known, value, &full)?;
    }
    Ok(())
}

/// The members of a map with keys of the user's choice, each with its path.
pub(super) fn map<'n, 'a>(
    node: &'n Node<'a>,
    path: &str,
    report: &Report<'_>,
) -> Result<Vec<(&'n Member<'a>, String)>, ConfigError> {
    let members = members(node, path, report)?;
    Ok(members.iter().map(|member| (member, format!("{path}[\"{}\"]", printable(&member.key)))).collect())
}

fn members<'n, 'a>(node: &'n Node<'a>, path: &str, report: &Report<'_>) -> Result<&'n [Member<'a>], ConfigError> {
    match &node.value {
        Value::Null => Ok(&[]),
        Value::Object(members) => Ok(members),
        _ => Err(report.wrong_type(node, path, "an object")),
    }
}

pub(super) fn boolean(node: &Node<'_>, path: &str, report: &Report<'_>) -> Read<Spot<bool>> {
    match node.value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(Spot { value, at: node.offset })),
        _ => Err(report.wrong_type(node, path, "true or false")),
    }
}

pub(super) fn integer(node: &Node<'_>, path: &str, report: &Report<'_>) -> Read<Spot<i64>> {
    match node.value {
        Value::Null => Ok(None),
        Value::Number(literal) => match literal.parse() {
            Ok(value) => Ok(Some(Spot { value, at: node.offset })),
            Err(_) => Err(report.wrong_type(node, path, "an integer")),
        },
        _ => Err(report.wrong_type(node, path, "an integer")),
    }
}

pub(super) fn text(node: &Node<'_>, path: &str, report: &Report<'_>) -> Read<Spot<String>> {
    match &node.value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Spot { value: text.clone().into_owned(), at: node.offset })),
        _ => Err(report.wrong_type(node, path, "a string")),
    }
}

/// An array of strings.
pub(super) fn list(node: &Node<'_>, path: &str, report: &Report<'_>) -> Read<Vec<Spot<String>>> {
    match &node.value {
        Value::Null => Ok(None),
        Value::Array(items) => elements(items, path, report).map(Some),
        _ => Err(report.wrong_type(node, path, "an array of strings")),
    }
}

/// One string, an array of strings, or an object whose values are strings, taken in the order of its keys.
pub(super) fn strings(node: &Node<'_>, path: &str, report: &Report<'_>) -> Read<Vec<Spot<String>>> {
    match &node.value {
        Value::Array(items) => elements(items, path, report).map(Some),
        Value::Object(_) => {
            let mut members = map(node, path, report)?;
            members.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
            let texts = members.iter().map(|(member, path)| text(&member.value, path, report));
            texts.filter_map(Result::transpose).collect::<Result<_, _>>().map(Some)
        }
        Value::Null | Value::String(_) => Ok(text(node, path, report)?.map(|text| vec![text])),
        _ => Err(report.wrong_type(node, path, "a string, an array of strings or an object of strings")),
    }
}

fn elements(items: &[Node<'_>], path: &str, report: &Report<'_>) -> Result<Vec<Spot<String>>, ConfigError> {
    let texts = items.iter().enumerate().map(|(index, item)| text(item, &format!("{path}[{index}]"), report));
    texts.filter_map(Result::transpose).collect()
}

/// A key of the user's for a message: short, and on one line.
fn printable(key: &str) -> String {
    shortened(key).escape_debug().to_string()
}
