//! Conditions of Windows Installer, as far as the package has them: its documentation's "Conditional Statement Syntax".

use std::iter::Peekable;
use std::vec::IntoIter;

/// Whether a condition holds where these properties are set.
pub fn holds(condition: &str, properties: &[(&str, &str)]) -> bool {
    let mut parser = Parser { left: tokens(condition).into_iter().peekable(), properties };
    let holds = parser.any();
    assert_eq!(parser.left.next(), None, "{condition}");
    holds
}

/// Words, texts with their quotation marks, signs.
fn tokens(condition: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = condition.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').expect("the end of a text") + 2,
            '(' | ')' => 1,
            c if c.is_alphanumeric() => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            _ => rest.find(|c: char| !"~<>=".contains(c)).expect("another value"),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Parser<'a> {
    left: Peekable<IntoIter<String>>,
    properties: &'a [(&'a str, &'a str)],
}

impl Parser<'_> {
    fn is(&mut self, token: &str) -> bool {
        self.left.next_if(|next| next == token).is_some()
    }

    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.is("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.is("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.is("NOT") {
            return !self.one();
        }
        if self.is("(") {
            let holds = self.any();
            assert!(self.is(")"), "a parenthesis is not closed");
            return holds;
        }
        let value = self.value();
        let Some(sign) = self.left.next_if(|next| next.starts_with(['~', '<', '>', '='])) else {
            return !value.is_empty();
        };
        let (mut value, mut other) = (value, self.value());
        let sign = sign.strip_prefix('~').map_or(sign.as_str(), |sign| {
            (value, other) = (value.to_lowercase(), other.to_lowercase());
            sign
        });
        match sign {
            "=" => value == other,
            "><" => value.contains(&other),
            ">>" => value.ends_with(&other),
            ">=" => value.parse::<u32>().expect("a number") >= other.parse().expect("a number"),
            _ => panic!("{sign}"),
        }
    }

    fn value(&mut self) -> String {
        let token = self.left.next().expect("a value");
        if let Some(text) = token.strip_prefix('"') {
            return text.trim_end_matches('"').to_owned();
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            return token;
        }
        let set = self.properties.iter().find(|(name, _)| *name == token);
        set.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let set = [("A", "x"), ("I", r"C:\Dir\"), ("S", r#""c:\dir\a.exe" -c"#)];
    for (condition, expected) in [
        ("A", true),
        ("NOT A OR NOT B", true),
        ("B AND B OR A", true),
        ("A OR B AND B", true),
        ("(A OR B) AND B", false),
        ("S ~>< I", true),
        ("S >< I", false),
        ("B ~>< I", false),
        ("I >> \"\\\" AND NOT (A = \"X\")", true),
        ("B OR 7 >= 7", true),
        ("A=\"x\" AND NOT B=\"x\"", true),
    ] {
        assert_eq!(holds(condition, &set), expected, "{condition}");
    }
}
