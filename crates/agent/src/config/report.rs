//! What is said about a file: errors and warnings that name the place and the key.

use std::borrow::Cow;
use std::fmt;

use crate::gojson::{self, Node, Value};

/// A file with thousands of unknown keys is the wrong file; it need not fill the log as well.
const WARNING_LIMIT: usize = 100;

/// Keys whose values never appear in a message.
const SECRET: &[&str] = &["mssql.username", "mssql.password", "plugin.git", "http.token"];

/// Why a configuration cannot be used. Lines and columns count from 1, columns in characters of the decoded text.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: cannot be read: {source}")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}: is not a regular file")]
    NotAFile { file: String },
    #[error("{file}: larger than {limit} bytes, which is no configuration")]
    TooBig { file: String, limit: usize },
    #[error("{file}: the file is empty; copy cfg.example.json to begin with")]
    Empty { file: String },
    #[error("{file}:{line}:{column}: {message}")]
    Syntax { file: String, line: u32, column: u32, message: String },
    #[error("{file}:{line}:{column}: {path}{}{message}", if path.is_empty() { "" } else { ": " })]
    Value { file: String, line: u32, column: u32, path: String, message: String },
}

/// Something in a file that is not as it should be and does not stop the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub file: String,
    /// From 1; `None` where the whole file is meant.
    pub line: Option<u32>,
    /// In characters, from 1.
    pub column: Option<u32>,
    /// The key with the sections it is in, empty where the whole file is meant.
    pub path: String,
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.text)
    }
}

/// Knows the file while it is being read.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    warnings: Vec<Warning>,
    left_out: usize,
}

impl<'t> Report<'t> {
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, warnings: Vec::new(), left_out: 0 }
    }

    /// A warning about the value or key at `offset`.
    pub fn warn(&mut self, offset: usize, path: &str, text: impl Into<String>) {
        self.push(Some(offset), path, text.into());
    }

    /// A warning about the file as a whole.
    pub fn remark(&mut self, text: String) {
        self.push(None, "", text);
    }

    fn push(&mut self, offset: Option<usize>, path: &str, text: String) {
        if self.warnings.len() >= WARNING_LIMIT {
            self.left_out += 1;
            return;
        }
        let place = offset.map(|offset| self.place(offset));
        self.warnings.push(Warning {
            file: self.file.to_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            path: path.to_owned(),
            text,
        });
    }

    /// In the order of the file.
    pub fn into_warnings(mut self) -> Vec<Warning> {
        self.warnings.sort_by_key(|warning| (warning.line, warning.column));
        if self.left_out > 0 {
            let text = format!("{} more warnings are not shown", self.left_out);
            self.warnings.push(Warning {
                file: self.file.to_owned(),
                line: None,
                column: None,
                path: String::new(),
                text,
            });
        }
        self.warnings
    }

    pub fn syntax(&self, error: &gojson::Error) -> ConfigError {
        let (line, column) = self.place(error.offset);
        ConfigError::Syntax { file: self.file.to_owned(), line, column, message: error.message.clone() }
    }

    pub fn error(&self, offset: usize, path: &str, message: impl Into<String>) -> ConfigError {
        let (line, column) = self.place(offset);
        ConfigError::Value { file: self.file.to_owned(), line, column, path: path.to_owned(), message: message.into() }
    }

    pub fn wrong_type(&self, node: &Node<'_>, path: &str, wanted: &str) -> ConfigError {
        self.error(node.offset, path, format!("expected {wanted}, found {}", described(node, SECRET.contains(&path))))
    }

    /// Line and column of a byte. A line ends at LF, CR LF or CR.
    fn place(&self, offset: usize) -> (u32, u32) {
        let (mut line, mut column) = (1, 1);
        let mut after_cr = false;
        for (at, c) in self.text.char_indices() {
            if at >= offset {
                break;
            }
            match c {
                '\n' if after_cr => {}
                '\n' | '\r' => (line, column) = (line + 1, 1),
                _ => column += 1,
            }
            after_cr = c == '\r';
        }
        (line, column)
    }
}

fn described(node: &Node<'_>, secret: bool) -> Cow<'static, str> {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string().into(),
        Value::Number(_) if secret => "a number".into(),
        Value::Number(literal) => format!("the number {}", shortened(literal)).into(),
        Value::String(_) if secret => "a string".into(),
        Value::String(text) => format!("the string {:?}", shortened(text)).into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Enough of a foreign text to recognise it.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_every_kind_of_line_end() {
        let text = "中a\nb\r\nc\rd";
        let report = Report::new("f", text);
        let places: Vec<_> = ['中', 'a', 'b', 'c', 'd'].map(|c| report.place(text.find(c).unwrap())).into();
        assert_eq!(places, [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1)]);
        assert_eq!(report.place(usize::MAX), (4, 2));
    }

    #[test]
    fn warnings_are_bounded_and_the_rest_counted() {
        let mut report = Report::new("f", "");
        for _ in 0..WARNING_LIMIT + 7 {
            report.warn(0, "k", "x");
        }
        let warnings = report.into_warnings();
        assert_eq!(warnings.len(), WARNING_LIMIT + 1);
        assert_eq!(warnings[0].to_string(), "f:1: k: x");
        assert_eq!(warnings[WARNING_LIMIT].to_string(), "f: 7 more warnings are not shown");
    }
}
