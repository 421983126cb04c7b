//! What is said about a file: errors and warnings that name the place and the key.

use std::borrow::Cow;
use std::fmt;

use crate::gojson::{self, Node, Value};

/// A file with thousands of unknown keys is the wrong file; it need not fill the log as well.
const WARNING_LIMIT: usize = 100;

/// Keys whose values never appear in a message.
const SECRET: &[&str] = &["mssql.username", "mssql.password", "plugin.git", "plugin.url", "http.token"];

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
    /// Nothing of the file is used: an overlay's.
    pub is_skipped: bool,
}

impl Warning {
    /// An overlay is left out, for this.
    pub(super) fn skipped(file: &str, error: &ConfigError) -> Warning {
        let (place, path, why) = match error {
            ConfigError::Unreadable { source, .. } => (None, "", format!("cannot be read: {source}")),
            ConfigError::NotAFile { .. } => (None, "", "is not a regular file".to_owned()),
            ConfigError::TooBig { limit, .. } => (None, "", format!("more than {limit} bytes in all")),
            ConfigError::Empty { .. } => (None, "", "is empty".to_owned()),
            ConfigError::Syntax { line, column, message, .. } => (Some((*line, *column)), "", message.clone()),
            ConfigError::Value { line, column, path, message, .. } => {
                (Some((*line, *column)), path.as_str(), message.clone())
            }
        };
        Warning {
            file: file.to_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            path: path.to_owned(),
            text: format!("{why}; nothing of this file is used"),
            is_skipped: true,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        // As errors have it, for it is one.
        if let Some(column) = self.column.filter(|_| self.is_skipped) {
            write!(f, "{column}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.text)
    }
}

/// One file of several that lie over each other. Offsets count through all of them, each a byte longer than its text: so they tell
/// which file they are of.
struct Layer<'t> {
    file: &'t str,
    text: &'t str,
    start: usize,
}

/// Knows the files while they are being read.
pub(super) struct Report<'t> {
    first: Layer<'t>,
    more: Vec<Layer<'t>>,
    /// With their offsets.
    warnings: Vec<(usize, Warning)>,
    left_out: usize,
}

/// How far a report had come.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    warnings: usize,
    left_out: usize,
}

impl<'t> Report<'t> {
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { first: Layer { file, text, start: 0 }, more: Vec::new(), warnings: Vec::new(), left_out: 0 }
    }

    /// What is read from here on is of this file, from the offset on that is answered.
    pub fn lay(&mut self, file: &'t str, text: &'t str) -> usize {
        let below = self.top();
        let start = below.start + below.text.len() + 1;
        self.more.push(Layer { file, text, start });
        start
    }

    fn top(&self) -> &Layer<'t> {
        self.more.last().unwrap_or(&self.first)
    }

    /// Whether something stands in a file below the one that is being read.
    pub fn is_below(&self, offset: usize) -> bool {
        offset < self.top().start
    }

    pub fn mark(&self) -> Mark {
        Mark { warnings: self.warnings.len(), left_out: self.left_out }
    }

    /// Forgets the warnings since then.
    pub fn back_to(&mut self, mark: Mark) {
        self.warnings.truncate(mark.warnings);
        self.left_out = mark.left_out;
    }

    /// A warning about the value or key at `offset`.
    pub fn warn(&mut self, offset: usize, path: &str, text: impl Into<String>) {
        self.push(Some(offset), path, text.into());
    }

    /// A warning about the file that is being read as a whole.
    pub fn remark(&mut self, text: String) {
        self.push(None, "", text);
    }

    fn push(&mut self, offset: Option<usize>, path: &str, text: String) {
        if self.warnings.len() >= WARNING_LIMIT {
            self.left_out += 1;
            return;
        }
        let at = offset.unwrap_or(self.top().start);
        let (file, line, column) = self.place(at);
        let warning = Warning {
            file: file.to_owned(),
            line: offset.map(|_| line),
            column: offset.map(|_| column),
            path: path.to_owned(),
            text,
            is_skipped: false,
        };
        self.warnings.push((at, warning));
    }

    /// In the order of the files.
    pub fn into_warnings(mut self) -> Vec<Warning> {
        // What is said of a whole file comes before what is said of its first byte.
        self.warnings.sort_by_key(|(at, warning)| (*at, warning.line));
        let mut warnings: Vec<Warning> = self.warnings.into_iter().map(|(_, warning)| warning).collect();
        if self.left_out > 0 {
            warnings.push(Warning {
                file: self.first.file.to_owned(),
                line: None,
                column: None,
                path: String::new(),
                text: format!("{} more warnings are not shown", self.left_out),
                is_skipped: false,
            });
        }
        warnings
    }

    /// Of the file that is being read.
    pub fn syntax(&self, error: &gojson::Error) -> ConfigError {
        let (file, line, column) = self.place(self.top().start + error.offset);
        ConfigError::Syntax { file: file.to_owned(), line, column, message: error.message.clone() }
    }

    pub fn error(&self, offset: usize, path: &str, message: impl Into<String>) -> ConfigError {
        let (file, line, column) = self.place(offset);
        ConfigError::Value { file: file.to_owned(), line, column, path: path.to_owned(), message: message.into() }
    }

    pub fn wrong_type(&self, node: &Node<'_>, path: &str, wanted: &str) -> ConfigError {
        self.error(node.offset, path, format!("expected {wanted}, found {}", described(node, SECRET.contains(&path))))
    }

    /// File, line and column of a byte. A line ends at LF, CR LF or CR.
    fn place(&self, offset: usize) -> (&'t str, u32, u32) {
        let layer = self.more.iter().rfind(|layer| layer.start <= offset).unwrap_or(&self.first);
        let (mut line, mut column) = (1, 1);
        let mut after_cr = false;
        for (at, c) in layer.text.char_indices() {
            if at >= offset - layer.start {
                break;
            }
            match c {
                '\n' if after_cr => {}
                '\n' | '\r' => (line, column) = (line + 1, 1),
                _ => column += 1,
            }
            after_cr = c == '\r';
        }
        (layer.file, line, column)
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
        assert_eq!(places, [("f", 1, 1), ("f", 1, 2), ("f", 2, 1), ("f", 3, 1), ("f", 4, 1)]);
        assert_eq!(report.place(usize::MAX), ("f", 4, 2));
    }

    #[test]
    fn an_offset_tells_its_file_up_to_the_end_of_the_text() {
        let mut report = Report::new("a", "1\n2");
        assert_eq!((report.lay("b", ""), report.lay("c", "x\ny")), (4, 5));
        let places = [0, 2, 3, 4, 5, 7, 8].map(|offset| report.place(offset));
        let expected = [("a", 1, 1), ("a", 2, 1), ("a", 2, 2), ("b", 1, 1), ("c", 1, 1), ("c", 2, 1), ("c", 2, 2)];
        assert_eq!(places, expected);
        assert!(report.is_below(4) && !report.is_below(5));
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
