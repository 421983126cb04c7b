//! Values put into the text of a `cfg.json`: those that `install`, `configure` and `adopt` are given.
//!
//! * Nothing else of the text changes, comments, order and indentation included. What was in another encoding is UTF-8 afterwards.
//! * A key is found as the reader finds it: in any case, and of one that stands twice the last. One that is missing comes first in
//!   its section.
//! * What comes out has been read back: it says exactly what was asked for, or there is an error that names the key.

use std::collections::BTreeMap;

use anyhow::{anyhow, ensure};

use super::address::{listen, to_connect};
use super::defaults::{HBS_PORT, INTERVAL_MAX_S, TRANSFER_PORT};
use super::{Config, Known, Warning, decode, parse};
use crate::gojson::{Node, Value, key_is};

/// Options of `install` and `configure` as they were given, without blanks around them; empty ones are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(Vec<(&'static str, String)>);

/// Names of the options.
pub const OPTIONS: [&str; 6] = ["transfer", "hbs", "endpoint", "listen", "interval", "tags"];

impl Asked {
    pub fn of<'g>(given: impl Fn(&'static str) -> Option<&'g str>) -> Asked {
        let some = |name| Some((name, given(name)?.trim().to_owned()));
        Asked(OPTIONS.into_iter().filter_map(some).filter(|(_, text)| !text.is_empty()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// # Errors
    /// Names the option, and says what it wants.
    pub fn values(&self) -> anyhow::Result<Values> {
        let mut values = Values::default();
        for (name, text) in &self.0 {
            values.read(name, text).map_err(|why| anyhow!("--{name}: {why}"))?;
        }
        Ok(values)
    }
}

/// What a `cfg.json` is to say; what is `None` or empty stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    transfer: Vec<String>,
    hbs: Vec<String>,
    pub endpoint: Option<String>,
    listen: Option<String>,
    interval: Option<u32>,
    tags: BTreeMap<String, String>,
    /// Texts of other keys, each with the names of its sections and its own.
    pub texts: Vec<(&'static [&'static str], String)>,
}

/// A text with the values in it, and what it means.
#[derive(Debug)]
pub struct Edited {
    pub text: String,
    pub config: Config,
    pub warnings: Vec<Warning>,
}

impl Values {
    fn read(&mut self, option: &str, text: &str) -> Result<(), String> {
        let parts = || text.split([',', '，']).map(str::trim).filter(|part| !part.is_empty());
        match option {
            "transfer" => self.transfer = addresses(parts(), TRANSFER_PORT)?,
            "hbs" => self.hbs = addresses(parts(), HBS_PORT)?,
            "endpoint" if text.contains(|c: char| c.is_control() || matches!(c, '\'' | '"' | '>' | '\\')) => {
                return Err("graph and hbs do not take a quote, `>`, backslash or control character".to_owned());
            }
            "endpoint" => self.endpoint = Some(text.to_owned()),
            "listen" => {
                let (address, _) =
                    listen(text, 0).map_err(|why| format!("{text:?}: {why}; [HOST]:PORT is wanted, as :1988"))?;
                if address.ends_with(":0") {
                    return Err(format!("{text:?}: the port is missing; [HOST]:PORT is wanted, as :1988"));
                }
                self.listen = Some(address);
            }
            "interval" => {
                let seconds = text.parse().ok().filter(|seconds| (1..=INTERVAL_MAX_S).contains(seconds));
                let seconds = seconds
                    .ok_or_else(|| format!("{text:?}: a number of seconds from 1 to {INTERVAL_MAX_S} is wanted"))?;
                self.interval = Some(seconds);
            }
            _ => {
                for part in parts() {
                    let pair = part.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
                    let pair = pair.filter(|(name, value)| !name.is_empty() && !value.is_empty());
                    let (name, value) = pair.ok_or_else(|| format!("{part:?}: NAME=VALUE is wanted"))?;
                    if part.contains(|c: char| c.is_control() || "'\">".contains(c)) {
                        return Err(format!("{part:?}: graph does not take a quote, `>` or control character"));
                    }
                    if self.tags.insert(name.to_owned(), value.to_owned()).is_some() {
                        return Err(format!("{name} is given twice"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Keys that are given a value.
    pub fn keys(&self) -> Vec<&'static str> {
        let all = [
            ("transfer.addrs", !self.transfer.is_empty()),
            ("heartbeat.addrs", !self.hbs.is_empty()),
            ("hostname", self.endpoint.is_some()),
            ("http.listen", self.listen.is_some()),
            ("transfer.interval", self.interval.is_some()),
            ("default_tags", !self.tags.is_empty()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    /// Keys that have another value than the one that was asked for.
    pub fn missed(&self, config: &Config) -> Vec<&'static str> {
        let Config { transfer, heartbeat, http, .. } = config;
        let differs = |key: &&str| match *key {
            "transfer.addrs" => transfer.addrs != self.transfer || !transfer.enabled,
            "heartbeat.addrs" => heartbeat.addrs != self.hbs || !heartbeat.enabled,
            "hostname" => self.endpoint.as_ref() != Some(&config.hostname),
            "http.listen" => self.listen.as_ref() != Some(&http.listen) || !http.enabled,
            "transfer.interval" => self.interval != Some(transfer.interval),
            _ => config.default_tags != self.tags,
        };
        self.keys().into_iter().filter(differs).collect()
    }

    /// Where neither they nor the file name an endpoint, it is to be this: what the agent reported whose file it is, so that the
    /// host keeps its series.
    pub fn keep_endpoint(&mut self, bytes: &[u8], file: &str, known: &Known, name: Option<String>) {
        let names_none = parse(bytes, file, known).is_ok_and(|(config, _)| config.hostname.is_empty());
        if names_none && self.endpoint.is_none() {
            self.endpoint = name.filter(|name| !name.is_empty());
        }
    }

    /// Puts them into a text.
    ///
    /// # Errors
    /// `bytes` are no configuration, or none that says afterwards what it should.
    pub fn put(&self, bytes: &[u8], file: &str, known: &Known) -> anyhow::Result<Edited> {
        let (before, _) = parse(bytes, file, known)?;
        let mut text = Text(decode(bytes).into_owned());
        // Where it could not be done, it is missed below.
        let _ = self.put_all(&mut text, &before);
        let (config, warnings) = parse(text.0.as_bytes(), file, known)?;
        let unset = self.texts.iter().filter(|(path, value)| text.text_at(path).as_ref() != Some(value));
        let missed = unset.map(|(path, _)| path.join(".")).chain(self.missed(&config).into_iter().map(str::to_owned));
        let missed = missed.collect::<Vec<_>>().join(", ");
        ensure!(missed.is_empty(), "{file}: {missed} cannot be set in it; do it by hand");
        Ok(Edited { text: text.0, config, warnings })
    }

    fn put_all(&self, text: &mut Text, before: &Config) -> Option<()> {
        for (path, value) in &self.texts {
            text.put(path, &quoted(value))?;
        }
        if !self.transfer.is_empty() {
            text.server("transfer", &self.transfer, before.transfer.enabled)?;
        }
        if !self.hbs.is_empty() {
            text.server("heartbeat", &self.hbs, before.heartbeat.enabled)?;
        }
        if let Some(endpoint) = &self.endpoint {
            text.put(&["hostname"], &quoted(endpoint))?;
        }
        if let Some(listen) = &self.listen {
            text.put(&["http", "listen"], &quoted(listen))?;
            text.enable("http", before.http.enabled)?;
        }
        if let Some(interval) = self.interval {
            text.put(&["transfer", "interval"], &interval.to_string())?;
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> =
                self.tags.iter().map(|(name, value)| [&quoted(name), ": ", &quoted(value)].concat()).collect();
            text.put(&["default_tags"], &["{ ", &tags.join(", "), " }"].concat())?;
        }
        Some(())
    }
}

fn addresses<'t>(parts: impl Iterator<Item = &'t str>, port: u16) -> Result<Vec<String>, String> {
    let mut addresses = Vec::new();
    for part in parts {
        let address =
            to_connect(part, Some(port)).map_err(|why| format!("{part:?}: {why}; HOST:PORT,HOST:PORT is wanted"))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err("HOST:PORT,HOST:PORT is wanted".to_owned()) } else { Ok(addresses) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that is being changed.
pub(crate) struct Text(pub String);

impl Text {
    /// The text that a key has, where it has one that is not empty.
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        let node = Node::parse(self.0.as_bytes()).ok()?;
        match &find(&node, path)?.value {
            Value::String(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        }
    }

    /// Gives a key a value, with the sections it is in where they are missing.
    fn put(&mut self, path: &[&str], json: &str) -> Option<()> {
        let node = Node::parse(self.0.as_bytes()).ok()?;
        self.0 = spliced(&self.0, &node, path, json)?;
        Some(())
    }

    fn enable(&mut self, section: &str, is_enabled: bool) -> Option<()> {
        if is_enabled { Some(()) } else { self.put(&[section, "enabled"], "true") }
    }

    /// Under the key that the file has for them, and as one text where it had one and there is one.
    fn server(&mut self, section: &str, addresses: &[String], is_enabled: bool) -> Option<()> {
        let node = Node::parse(self.0.as_bytes()).ok()?;
        let [list, one] = ["addrs", "addr"].map(|key| find(&node, &[section, key]));
        let key = if list.is_none() && one.is_some() { "addr" } else { "addrs" };
        let was_text = list.or(one).is_some_and(|node| matches!(node.value, Value::String(_)));
        let has_both = list.is_some() && one.is_some();
        let texts: Vec<String> = addresses.iter().map(|address| quoted(address)).collect();
        let json = match texts.as_slice() {
            [text] if was_text => text.clone(),
            texts => ["[", &texts.join(", "), "]"].concat(),
        };
        if has_both {
            self.put(&[section, "addr"], "\"\"")?;
        }
        self.put(&[section, key], &json)?;
        self.enable(section, is_enabled)
    }
}

/// The value of a key, in whichever of its sections stands last and has it.
fn find<'n, 't>(node: &'n Node<'t>, path: &[&str]) -> Option<&'n Node<'t>> {
    match (path.split_first(), &node.value) {
        (None, Value::Null) => None,
        (None, _) => Some(node),
        (Some((key, rest)), Value::Object(members)) => {
            members.iter().rev().filter(|member| key_is(&member.key, key)).find_map(|member| find(&member.value, rest))
        }
        _ => None,
    }
}

fn spliced(text: &str, node: &Node<'_>, path: &[&str], json: &str) -> Option<String> {
    let replaced = |from: usize, to: usize, with: &str| Some([text.get(..from)?, with, text.get(to..)?].concat());
    let Some((key, rest)) = path.split_first() else { return replaced(node.offset, node.end, json) };
    let within = |rest: &[&str]| {
        rest.iter().rev().fold(json.to_owned(), |json, key| ["{ ", &quoted(key), ": ", &json, " }"].concat())
    };
    match &node.value {
        Value::Object(members) => match members.iter().rev().find(|member| key_is(&member.key, key)) {
            Some(member) => spliced(text, &member.value, rest, json),
            None => {
                let at = node.offset + 1;
                let member = [&quoted(key), ": ", &within(rest)].concat();
                replaced(at, at, &placed(text.get(at..)?, members.first().map(|first| first.offset - at), &member)?)
            }
        },
        Value::Null => replaced(node.offset, node.end, &within(path)),
        _ => None,
    }
}

/// A member as it goes behind an opening brace, with what follows that and how far away the first member is: on a line of its own
/// where that one is.
fn placed(behind: &str, first: Option<usize>, member: &str) -> Option<String> {
    let Some(first) = first else {
        let end = if behind.starts_with('}') { " " } else { "" };
        return Some([" ", member, end].concat());
    };
    let between = behind.get(..first)?;
    let Some((before, indent)) = between.rsplit_once('\n') else {
        let blank = if between.is_empty() { " " } else { "" };
        return Some([member, ",", blank].concat());
    };
    let indent = if indent.trim().is_empty() { indent } else { "" };
    let line_end = if before.ends_with('\r') { "\r\n" } else { "\n" };
    Some([line_end, indent, member, ","].concat())
}

#[cfg(test)]
mod tests;
