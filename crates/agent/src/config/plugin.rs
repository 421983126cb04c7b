//! `plugin`: where plugins lie, where they come from, and what they may use.
//!
//! The address of an archive, and what is to tell that it is the right one, are kept as they are written, also where they fit none:
//! left out, they would let in what the administrator meant to keep out, as whatever `plugin.git` names, which nothing verifies.

use serde::Serialize;

use super::raw::RawPlugin;
use super::reader::Spot;
use super::report::Report;
use super::validate::{bounded, or};
use super::{PageUrl, RepoUrl, WebAddress, defaults};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plugin {
    pub enabled: bool,
    /// Never empty.
    pub dir: String,
    pub git: RepoUrl,
    /// Of an archive, .zip or .tar.gz, in whose place `git` is not asked; empty: none.
    pub url: PageUrl,
    /// Of that archive, in hexadecimal; empty: what is signed with `key` tells it.
    pub sha256: String,
    /// In which `URL.sha256` is signed; empty: none.
    pub key: String,
    /// Never empty.
    pub logs: String,
    /// How many run at the same time, 1 to 64.
    pub at_once: u32,
    /// Of one: on Windows of all its processes together, on Linux of each; in units of 1,000,000 bytes, 16 to 65,536; 0: any.
    pub memory_mb: u32,
}

pub(super) fn plugin(raw: RawPlugin, default: Plugin, report: &mut Report<'_>) -> Plugin {
    let (least, most) = defaults::PLUGIN_MEMORY_MB;
    let url_at = raw.url.as_ref().map_or(0, |url| url.at);
    let plugin = Plugin {
        enabled: or(raw.enabled, default.enabled),
        dir: directory(raw.dir, default.dir, "plugin.dir", report),
        git: raw.git.map_or(default.git, |git| RepoUrl::new(git.value)),
        url: archive(raw.url, default.url, report),
        sha256: sha256(raw.sha256, default.sha256, report),
        key: key(raw.key, default.key, report),
        logs: directory(raw.logs, default.logs, "plugin.logs", report),
        at_once: bounded(
            raw.at_once,
            (1, defaults::PLUGINS_AT_ONCE_MAX, default.at_once),
            "",
            "plugin.at_once",
            report,
        ),
        memory_mb: match raw.memory_mb {
            Some(Spot { value: 0, .. }) => 0,
            limit => bounded(limit, (least, most, default.memory_mb), " MB", "plugin.memory_mb", report),
        },
    };
    if !plugin.url.is_empty() && plugin.sha256.is_empty() && plugin.key.is_empty() {
        let why =
            "nothing tells that the archive is the right one, and none is fetched; plugin.sha256 or plugin.key does";
        report.warn(url_at, "plugin.url", why);
    }
    plugin
}

/// The Go agent takes an empty one for the directory that it runs in, with all that lies there.
fn directory(raw: Option<Spot<String>>, default: String, path: &str, report: &mut Report<'_>) -> String {
    match raw {
        Some(Spot { value, at }) if value.trim().is_empty() => {
            report.warn(at, path, format!("is empty; {default} is used"));
            default
        }
        raw => or(raw, default),
    }
}

fn archive(raw: Option<Spot<String>>, default: PageUrl, report: &mut Report<'_>) -> PageUrl {
    let Some(Spot { value, at }) = raw else { return default };
    if !value.is_empty()
        && let Err(why) = WebAddress::parse(&value)
    {
        report.warn(at, "plugin.url", format!("{why}; nothing is fetched"));
    }
    PageUrl::new(value)
}

fn sha256(raw: Option<Spot<String>>, default: String, report: &mut Report<'_>) -> String {
    let Some(Spot { value, at }) = raw else { return default };
    let value = value.trim().to_ascii_lowercase();
    if !value.is_empty() && (value.len() != 64 || !value.bytes().all(|b| b.is_ascii_hexdigit())) {
        report.warn(at, "plugin.sha256", "is not 64 hexadecimal digits; no archive is taken");
    }
    value
}

/// The last line of minisign's public key file.
fn key(raw: Option<Spot<String>>, default: String, report: &mut Report<'_>) -> String {
    let Some(Spot { value, at }) = raw else { return default };
    let value = value.trim().to_owned();
    let of_key = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    if !value.is_empty() && (value.len() != 56 || !value.starts_with("RW") || !value.bytes().all(of_key)) {
        let why = "is no public key of minisign, 56 characters that begin with RW; no archive is taken";
        report.warn(at, "plugin.key", why);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Known, parse};
    use super::*;

    fn read(text: &str) -> (Config, Vec<String>) {
        let (config, warnings) = parse(text.as_bytes(), "cfg.json", &Known::default()).unwrap();
        (config, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn plugins_have_a_place_a_source_and_bounds() {
        let hash = "0123456789ABCDEF".repeat(4);
        let key = format!("RW{}", "Qf6LRCGA9i53ml+/".repeat(4))[..56].to_owned();
        let text = format!(
            r#"{{"plugin": {{"enabled": true, "dir": "p", "git": "https://g.example/p.git", "sha256": " {hash} ",
                "url": "https://me:hunter2@d.example/p.zip", "key": "{key}", "logs": "l", "at_once": 64, "memory_mb": 0}}}}"#
        );
        let (config, warnings) = read(&text);
        assert_eq!(warnings, [""; 0]);
        let plugin = Plugin {
            enabled: true,
            dir: "p".to_owned(),
            git: RepoUrl::new("https://g.example/p.git".to_owned()),
            url: PageUrl::new("https://me:hunter2@d.example/p.zip".to_owned()),
            sha256: hash.to_ascii_lowercase(),
            key,
            logs: "l".to_owned(),
            at_once: 64,
            memory_mb: 0,
        };
        assert_eq!(config.plugin, plugin);
        let shown = config.to_json();
        assert!(shown.contains("https://******@d.example/p.zip") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(read("{\"plugin\":{\"enabled\":true}}").1, [""; 0]);
        assert_eq!(read("{\"plugin\":{\"url\":\"\",\"sha256\":\"\",\"key\":\"\",\"git\":\"\"}}").1, [""; 0]);
        let error = parse(br#"{"plugin":{"url":987654321}}"#, "cfg.json", &Known::default()).unwrap_err().to_string();
        assert!(error.contains("plugin.url") && !error.contains("987654321"), "{error}");
    }

    /// An empty `plugin.dir` was the Go agent's own directory, and an address or a hash that is misspelt must not let another
    /// archive in, or what git has.
    #[test]
    fn of_plugins_what_cannot_be_used_is_told_and_opens_nothing() {
        let (config, warnings) = read(
            r#"{"plugin": {"dir": " ", "logs": "", "url": "ftp://me:hunter2@x/p.zip", "sha256": "abc", "key": "RWabc",
                "at_once": 0, "memory_mb": 15, "more": 1}}"#,
        );
        let Plugin { dir, logs, url, sha256, key, at_once, memory_mb, .. } = config.plugin;
        assert_eq!((dir.as_str(), logs.as_str(), at_once, memory_mb), ("./plugin", "./logs", 8, 512));
        assert_eq!(url.expose(), "ftp://me:hunter2@x/p.zip", "or plugin.git would be asked in its place");
        assert_eq!((sha256.as_str(), key.as_str()), ("abc", "RWabc"));
        assert_eq!(
            warnings,
            [
                "cfg.json:1: plugin.dir: is empty; ./plugin is used",
                "cfg.json:1: plugin.logs: is empty; ./logs is used",
                "cfg.json:1: plugin.url: only http and https are known; nothing is fetched",
                "cfg.json:1: plugin.sha256: is not 64 hexadecimal digits; no archive is taken",
                "cfg.json:1: plugin.key: is no public key of minisign, 56 characters that begin with RW; no archive is taken",
                "cfg.json:2: plugin.at_once: 0 is too small; 8 is used",
                "cfg.json:2: plugin.memory_mb: 15 is too small; 512 MB is used",
                "cfg.json:2: plugin.more: unknown key, ignored",
            ]
        );
        let (config, warnings) = read(r#"{"plugin":{"url":"d.example/p.zip","at_once":65,"memory_mb":70000}}"#);
        assert_eq!((config.plugin.at_once, config.plugin.memory_mb), (64, 65_536));
        assert!(warnings[0].contains("plugin.url: nothing tells that the archive is the right one"), "{warnings:?}");
    }
}
