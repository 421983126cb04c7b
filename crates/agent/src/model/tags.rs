//! Tags: what tells the series of one name from each other, as they are cleaned, compared, and cut to fit the servers.

use std::sync::Arc;

/// Tags as they go out: `k=v,k=v`, or nothing. A clone costs nothing: a collector makes those of a thing once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<str>>);

impl Tags {
    pub const NONE: Tags = Tags(None);

    /// Tags of the agent's own metrics: each value cleaned by [`clean`].
    pub fn of(pairs: &[(&str, &str)]) -> Tags {
        let mut text = String::new();
        for (key, value) in pairs {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
            text.push('=');
            clean(value, &mut text);
        }
        Tags::raw(text)
    }

    /// Tags that somebody else wrote (a push): sent as they are.
    pub fn raw(text: impl Into<String>) -> Tags {
        let text = text.into();
        Tags((!text.is_empty()).then(|| text.into()))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// The pairs as the transfer reads them: U+0020 removed, split at `,`, cut at the first `=`, parts without `=` left out.
    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.as_str().split(',').filter_map(|part| {
            let part = part.replace(' ', "");
            part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        })
    }

    /// What identifies the series on the servers: the pairs sorted by key, the last of equal keys.
    pub fn canonical(&self) -> String {
        let map: std::collections::BTreeMap<_, _> = self.pairs().collect();
        let mut text = String::with_capacity(self.as_str().len());
        for (key, value) in map {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&key);
            text.push('=');
            text.push_str(&value);
        }
        text
    }

    /// `defaults` (already `k=v,k=v`, sorted) appended, so that they win over own tags of the same key as they do with
    /// the Go agent, where the transfer keeps the last of two.
    pub fn with_defaults(self, defaults: &str) -> Tags {
        if defaults.is_empty() {
            self
        } else if self.0.is_none() {
            Tags::raw(defaults)
        } else {
            Tags::raw(format!("{},{defaults}", self.as_str()))
        }
    }
}

/// Bytes of a metric's name and its tags that a transfer takes together.
pub const MAX_NAME: usize = 510;
/// Bytes that the names of the agent's own metrics stay within.
pub const MAX_METRIC: usize = 64;
/// Characters that are left for tags in the column of graph's index, which holds 255 of `metric/tags`.
const MAX_TAGS: usize = 255 - 1 - MAX_METRIC;
/// Bytes of `_` and eight hexadecimal digits.
const HASH: usize = 9;
/// Of a value that is cut, at least so many bytes stay readable.
const READABLE: usize = 8;

/// Whether a series' name fits the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    AsItIs,
    /// With the longest values cut.
    Cut(Tags),
    TooLong,
}

impl Tags {
    /// Whether these tags fit: `metric` and tags within [`MAX_NAME`] bytes, and the agent's `own` within [`MAX_TAGS`]
    /// characters, whatever the metric, so that all series of a thing have the same tags. The longest value of own tags gives
    /// way first: its end becomes `_` and a hash of all of it, the same on every host and at every start.
    pub fn fit(&self, metric: &str, own: bool) -> Fit {
        let tags = self.as_str();
        let fits = |bytes: usize, chars: usize| bytes <= MAX_NAME - MAX_METRIC && chars <= MAX_TAGS;
        let (mut bytes, mut chars) = (tags.len(), tags.chars().count());
        if metric.len() + bytes <= MAX_NAME && (!own || fits(bytes, chars)) {
            return Fit::AsItIs;
        }
        if !own || metric.len() > MAX_METRIC {
            return Fit::TooLong;
        }
        let mut parts: Vec<(String, bool)> = tags.split(',').map(|part| (part.to_owned(), false)).collect();
        while !fits(bytes, chars) {
            let longest = parts.iter_mut().filter(|(_, cut)| !cut).max_by_key(|(part, _)| part.len());
            let Some((part, cut)) = longest else { return Fit::TooLong };
            *cut = true;
            let Some(value) = part.find('=').map(|equals| equals + 1) else { continue };
            let hash = fnv1a(part.get(value..).unwrap_or_default());
            let (bytes_before, chars_before) = (part.len(), part.chars().count());
            let (others_bytes, others_chars) = (bytes - bytes_before, chars - chars_before);
            let mut left = chars_before;
            while part.len() > value + READABLE && !fits(others_bytes + part.len() + HASH, others_chars + left + HASH) {
                part.pop();
                left -= 1;
            }
            part.push_str(&format!("_{hash:08x}"));
            (bytes, chars) = (others_bytes + part.len(), others_chars + left + HASH);
        }
        let parts: Vec<String> = parts.into_iter().map(|(part, _)| part).collect();
        Fit::Cut(Tags::raw(parts.join(",")))
    }
}

/// FNV-1a of 32 bits: the same in every version of this program, which the standard library's hashes do not promise.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The one rule for tag values from outside (adapter names, mount points): what would split a tag, break an expression
/// or make graph drop the series becomes `_`. Blanks stay: the transfer removes them, as it always did.
pub fn clean(value: &str, into: &mut String) {
    into.extend(value.chars().map(|c| match c {
        ',' | '=' | '\'' | '"' | '>' | '\u{FFFD}' => '_',
        c if is_printable(c) => c,
        _ => '_',
    }));
}

/// What graph takes for printable: no controls, no formats as a zero-width space, no blanks but U+0020.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The standard library's table of it shows in what it escapes; behind another character it leaves combining marks alone.
    let mut bytes = [b'a'; 5];
    let len = bytes.get_mut(1..).map_or(0, |rest| c.encode_utf8(rest).len());
    let text = bytes.get(..=len).and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.is_some_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests;
