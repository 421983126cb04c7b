//! The decoder against Go's own word (`interop/gojsoncases` prints the fixture and explains its notation), against
//! `serde_json` where the two languages agree, and against bytes nobody meant to be JSON.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking, as tests do")]

use std::fmt::Write as _;

use falcon_agent::gojson::{Error, Framer, Node, Parser, Scalar, Token, key_is};
use proptest::prelude::*;

#[derive(Default)]
struct Item {
    endpoint: String,
    metric: String,
    value: Option<String>,
    step: i64,
    counter_type: String,
    tags: String,
    timestamp: i64,
}

/// Decodes as the Go program's struct does and prints in the fixture's notation.
fn decode(bytes: &[u8]) -> Result<String, Error> {
    let mut parser = Parser::new(bytes);
    let mut items: Vec<String> = Vec::new();
    let present = parser.array(|parser| {
        let mut item = Item::default();
        let present = parser.object(|parser, key| field(&mut item, parser, key))?;
        items.push(if present { print(&item) } else { "nil".to_owned() });
        Ok::<_, Error>(())
    })?;
    Ok(if present { format!("[{}]", items.join(";")) } else { "nil".to_owned() })
}

fn field(item: &mut Item, parser: &mut Parser<'_>, key: &str) -> Result<(), Error> {
    let (text, number) = match key {
        k if key_is(k, "endpoint") => (Some(&mut item.endpoint), None),
        k if key_is(k, "metric") => (Some(&mut item.metric), None),
        k if key_is(k, "counterType") => (Some(&mut item.counter_type), None),
        k if key_is(k, "tags") => (Some(&mut item.tags), None),
        k if key_is(k, "step") => (None, Some(&mut item.step)),
        k if key_is(k, "timestamp") => (None, Some(&mut item.timestamp)),
        k if key_is(k, "value") => {
            item.value = value(&parser.value()?);
            return Ok(());
        }
        _ => return parser.skip(),
    };
    if let Some(slot) = text
        && let Some(new) = parser.string()?
    {
        *slot = new.into_owned();
    }
    if let Some(slot) = number
        && let Some(new) = parser.integer()?
    {
        *slot = new;
    }
    Ok(())
}

fn value(scalar: &Scalar<'_>) -> Option<String> {
    Some(match scalar {
        Scalar::Null => return None,
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(number) => format!("n:{:016x}", number.to_bits()),
        Scalar::String(text) => format!("s:{}", escape(text)),
        Scalar::Array => "array".to_owned(),
        Scalar::Object => "object".to_owned(),
    })
}

fn print(item: &Item) -> String {
    let Item { endpoint, metric, value, step, counter_type, tags, timestamp } = item;
    let [endpoint, metric, counter_type, tags] = [endpoint, metric, counter_type, tags].map(|text| escape(text));
    let value = value.as_deref().unwrap_or("nil");
    format!("{endpoint},{metric},{value},{step},{counter_type},{tags},{timestamp}")
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b <= b' ' || b >= 0x7f || b"%&*,;".contains(&b) {
            write!(out, "%{b:02X}").unwrap();
        } else {
            out.push(char::from(b));
        }
    }
    out
}

/// The bytes of an input in the fixture's notation.
fn input(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in notation.split('&') {
        let (text, count) = piece.split_once('*').map_or((piece, 1), |(text, n)| (text, n.parse().unwrap()));
        let mut decoded = Vec::new();
        let mut parts = text.split('%');
        decoded.extend_from_slice(parts.next().unwrap().as_bytes());
        for part in parts {
            decoded.push(u8::from_str_radix(&part[..2], 16).unwrap());
            decoded.extend_from_slice(&part.as_bytes()[2..]);
        }
        bytes.extend(decoded.repeat(count));
    }
    bytes
}

#[test]
fn decodes_every_case_as_go_does() {
    let cases = include_str!("fixtures/gojson-cases.txt");
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let (notation, expected) = line.split_once('\t').unwrap();
        let ours = decode(&input(notation));
        if ours.as_deref().unwrap_or("error") != expected {
            wrong.push(format!("{notation}\n  Go:   {expected}\n  ours: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.lines().count() >= 300, "the fixture has lost cases");
}

#[test]
fn a_type_error_names_what_was_found_and_wanted() {
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(Parser::new(b" \"60\"").integer().unwrap_err()),
        "expected an integer, found a string at byte 1"
    );
    assert_eq!(
        message(Parser::new(b"60.0").integer().unwrap_err()),
        "expected an integer, found the number 60.0 at byte 0"
    );
    assert_eq!(message(Parser::new(b"7").string().unwrap_err()), "expected a string, found a number at byte 0");
    assert_eq!(message(Parser::new(b"[]").bool().unwrap_err()), "expected a boolean, found an array at byte 0");
    let long = [b"1".repeat(1 << 20), b".0".to_vec()].concat();
    assert!(Parser::new(&long).integer().unwrap_err().message.len() < 100, "a message repeats no megabyte");
}

#[test]
fn the_offset_stands_after_the_first_value() {
    let mut parser = Parser::new(b" [1, {\"a\":2}]  xyz");
    assert_eq!(parser.peek(), Ok(Token::Array));
    assert_eq!(parser.offset(), 1);
    parser.skip().unwrap();
    assert_eq!(parser.offset(), 13);
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    let text = Parser::new("\"中文 plain\"".as_bytes()).string().unwrap().unwrap();
    assert!(matches!(text, std::borrow::Cow::Borrowed("中文 plain")));
}

#[test]
fn lenient_reading_takes_comments_and_trailing_commas() {
    let text = b"# top\n{ // one\n \"a\": /* two */ [1, 2, ], \"b\": {\"c\": null,}, } # end";
    let node = Node::parse(text).unwrap();
    let strict = Node::parse(b"     \n{       \n \"a\":           [1, 2  ], \"b\": {\"c\": null }  }      ").unwrap();
    assert_eq!(node, strict, "comments take no room in the offsets");
    for bad in ["[,]", "[1,,]", "{,}", "[1] /", "[1] /* x", "[1] 2", "/* x"] {
        assert!(Node::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// win-collector#14: a full-width colon made the agent fail with a message that did not show where.
#[test]
fn full_width_punctuation_is_named() {
    for (text, offset, expected) in [
        ("{\"a\"：1}", 4, "expected ':' after the key, found '：' (U+FF1A); use the ASCII character : instead"),
        ("{\"a\":1，\"b\":2}", 6, "expected ',' or '}', found '，' (U+FF0C); use the ASCII character , instead"),
        ("{“a”:1}", 1, "expected a key in double quotes, found '“' (U+201C); use the ASCII character \" instead"),
        ("｛}", 0, "expected a value, found '｛' (U+FF5B); use the ASCII character { instead"),
        ("[１]", 1, "expected a value, found '１' (U+FF11); use the ASCII character 1 instead"),
        ("[\u{3000}1]", 1, "expected a value, found the blank U+3000; use an ordinary space instead"),
        (
            "{\"a\": \"b”,\n}",
            12,
            "a string may not contain a line break: is its closing quote missing?; the string contains '”' (U+201D); \
             use the ASCII character \" instead",
        ),
    ] {
        let error = Node::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.offset, error.message.as_str()), (offset, expected), "{text}");
    }
}

#[test]
fn a_tree_is_bounded_in_depth_and_size() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(Node::parse(deep(64).as_bytes()).is_ok());
    assert!(Node::parse(deep(65).as_bytes()).is_err());
    let wide = |n: usize| format!("[{}0]", "0,".repeat(n - 2));
    assert!(Node::parse(wide(100_000).as_bytes()).is_ok());
    assert!(Node::parse(wide(100_001).as_bytes()).is_err());
}

/// Reads any value with the pull API, for comparison with serde_json.
fn tree(parser: &mut Parser<'_>) -> Result<serde_json::Value, Error> {
    Ok(match parser.peek()? {
        Token::Array => {
            let mut items = Vec::new();
            parser.array(|parser| tree(parser).map(|item| items.push(item)))?;
            items.into()
        }
        Token::Object => {
            let mut map = serde_json::Map::new();
            parser.object(|parser, key| {
                map.insert(key.to_owned(), tree(parser)?);
                Ok::<_, Error>(())
            })?;
            map.into()
        }
        _ => match parser.value()? {
            Scalar::Bool(value) => value.into(),
            Scalar::Number(number) => number.into(),
            Scalar::String(text) => text.into_owned().into(),
            _ => serde_json::Value::Null,
        },
    })
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Text that is nearly JSON: what a decoder is most likely to trip over.
fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\"", "null", "true", "1", "-", ".5", "e9", "\\ud83d", "//", "/*",
        "*/", "#", "\n", " ", "：", "“",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(word, 0..60).prop_map(|words| words.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn agrees_with_serde_json(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let mut parser = Parser::new(&text);
        prop_assert_eq!(&tree(&mut parser).unwrap(), &value);
        prop_assert_eq!(parser.offset(), text.len());
        let mut skipper = Parser::new(&text);
        skipper.skip().unwrap();
        prop_assert_eq!(skipper.offset(), text.len());
        prop_assert!(Node::parse(&text).is_ok());
        if value.is_object() {
            prop_assert_eq!(Framer::new().push(&text), Ok(Some(text.len())));
        }
    }

    /// What serde_json takes, and skips with the same end, is taken here; an error stays inside the input.
    #[test]
    fn no_bytes_cause_a_panic(bytes in json_like()) {
        let skipped = Parser::new(&bytes).skip();
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
            prop_assert_eq!(&skipped, &Ok(()));
        }
        let pulled = tree(&mut Parser::new(&bytes));
        let errors = [skipped.err(), pulled.err(), decode(&bytes).err(), Node::parse(&bytes).err()];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.offset <= bytes.len());
        }
        let _end = Framer::new().push(&bytes);
    }
}
