//! The configuration of an older agent for this one: its text as it is, comments included, in UTF-8, and in it the name that
//! the older agent reported, so that the host keeps its series.

use crate::config::decode;
use crate::gojson::{Member, Node, Value};

/// What became of an older agent's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pinned {
    pub text: String,
    /// The endpoint in it; `None`: the text is not one that a name can be put in.
    pub endpoint: Option<String>,
}

/// `name` is what the older agent reports where its file does not say.
pub(super) fn pin(bytes: &[u8], name: &str) -> Pinned {
    let text = decode(bytes);
    if let Some(named) = hostname_of(&text) {
        return Pinned { text: text.into_owned(), endpoint: Some(named) };
    }
    // A brace in a comment in front of the first one would be the wrong place: what was meant must be read back.
    match with_hostname(&text, name).filter(|text| hostname_of(text).as_deref() == Some(name)) {
        Some(text) => Pinned { text, endpoint: Some(name.to_owned()) },
        None => Pinned { text: text.into_owned(), endpoint: None },
    }
}

/// The endpoint that a file names.
fn hostname_of(text: &str) -> Option<String> {
    let Value::Object(members) = Node::parse(text.as_bytes()).ok()?.value else { return None };
    match &member(&members)?.value.value {
        Value::String(name) if !name.is_empty() => Some(name.to_string()),
        _ => None,
    }
}

/// Of keys that stand twice the last one counts, as Go has it.
fn member<'a, 't>(members: &'a [Member<'t>]) -> Option<&'a Member<'t>> {
    members.iter().rev().find(|member| member.key.eq_ignore_ascii_case("hostname"))
}

fn with_hostname(text: &str, name: &str) -> Option<String> {
    let Value::Object(members) = Node::parse(text.as_bytes()).ok()?.value else { return None };
    let quoted = serde_json::Value::from(name).to_string();
    match member(&members).map(|member| &member.value) {
        Some(Node { offset, value: Value::Null }) => replace(text, *offset, "null".len(), &quoted),
        Some(Node { offset, value: Value::String(_) }) => replace(text, *offset, "\"\"".len(), &quoted),
        Some(_) => None,
        None => {
            let comma = if members.is_empty() { "" } else { "," };
            replace(text, text.find('{')? + 1, 0, &format!("\n    \"hostname\": {quoted}{comma}"))
        }
    }
}

fn replace(text: &str, at: usize, len: usize, with: &str) -> Option<String> {
    let (before, rest) = text.split_at_checked(at)?;
    let (_, after) = rest.split_at_checked(len)?;
    Some(format!("{before}{with}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(text: &str) -> (String, Option<String>) {
        let Pinned { text, endpoint } = pin(text.as_bytes(), "WEB-01");
        (text, endpoint)
    }

    fn some(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn a_file_that_names_its_endpoint_stays_as_it_is() {
        let text = "{ // of the portal\n  \"hostname\": \"db 监控\", \"x\": 1 }";
        assert_eq!(pinned(text), (text.to_owned(), some("db 监控")));
        assert_eq!(pinned(r#"{"hostname":"","hostname":"b"}"#).1, some("b"));
    }

    #[test]
    fn an_empty_name_is_filled_in_and_everything_else_is_kept() {
        for (before, after) in [
            (r#"{"debug": true, "hostname": "" , "ip": ""}"#, r#"{"debug": true, "hostname": "WEB-01" , "ip": ""}"#),
            (r#"{"Hostname": null}"#, r#"{"Hostname": "WEB-01"}"#),
            ("{\"ip\": \"\"}", "{\n    \"hostname\": \"WEB-01\",\"ip\": \"\"}"),
            ("/* a */ {}", "/* a */ {\n    \"hostname\": \"WEB-01\"}"),
        ] {
            assert_eq!(pinned(before), (after.to_owned(), some("WEB-01")));
        }
    }

    #[test]
    fn notepads_files_become_utf_8() {
        let bytes: Vec<u8> =
            [0xFF, 0xFE].into_iter().chain(r#"{"hostname":""}"#.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(pin(&bytes, "甲"), Pinned { text: r#"{"hostname":"甲"}"#.to_owned(), endpoint: some("甲") });
    }

    #[test]
    fn where_no_name_can_be_put_the_text_is_left_alone() {
        for text in ["", "[1]", "{", "{\"hostname\": 7}", "// {\n{\"ip\": \"\"}"] {
            assert_eq!(pinned(text), (text.to_owned(), None), "{text}");
        }
    }
}
