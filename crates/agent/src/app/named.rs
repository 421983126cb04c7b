//! What is odd about the name that this host has at the servers: told when the agent starts and when another configuration gives
//! it another name. Nothing is changed about it; what the name was before is kept in the file [`NAME`] of the agent's notes.
//!
//! hbs finds a host by its exact name, but its database takes names that differ by case for one: such a host is registered, and
//! nothing is assigned to it. graph drops what has characters in it that it does not print (modules/hbs/cache, modules/graph/api
//! of falcon-plus).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::aside::Aside;
use crate::model::is_printable;
use crate::queue::storage::write_anew;

const NAME: &str = "endpoint";
/// For the disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters that columns of hbs and graph hold.
const MOST_CHARS: usize = 255;
/// Bytes of a name that is kept; a longer one is not, and is told of anyway.
const MOST_BYTES: u64 = 4096;

pub(super) struct Named {
    disk: Aside,
    /// The name that was told of last, and where it is kept.
    last: Mutex<Option<(String, Option<PathBuf>)>>,
}

/// What an administrator should know of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Oddity {
    /// It was another one.
    Changed(String),
    /// It was, or the system has it, with other capitals.
    OtherCase(String),
    Local,
    Character(char),
    Blank,
    Long(usize),
}

impl Named {
    pub fn new() -> Arc<Named> {
        Arc::new(Named { disk: Aside::new("endpoint"), last: Mutex::default() })
    }

    /// Tells of a name that is not the last one, and keeps it in `dir`, which has the agent's notes. To be let through to its end: what
    /// was kept and not told is never told.
    pub async fn look(self: Arc<Self>, endpoint: String, dir: Option<PathBuf>) {
        let mut last = self.last.lock().await;
        if last.as_ref() == Some(&(endpoint.clone(), dir.clone())) {
            return;
        }
        let kept = match dir.clone() {
            Some(dir) => {
                let name = endpoint.clone();
                self.disk.ask(PATIENCE, move || exchange(&dir, &name)).await.and_then(|kept| Ok(kept?))
            }
            None => Ok(None),
        };
        let kept = kept.unwrap_or_else(|error| {
            crate::log::say!(Debug, "A022", "the name of this host is not kept: {error:#}");
            None
        });
        let before = last.take().map(|(name, _)| name);
        // Another directory is no news of the name.
        if before.as_ref() != Some(&endpoint) {
            let before = before.or(kept);
            for oddity in oddities(&endpoint, before.as_deref(), falcon_sys::hostname().ok().as_deref()) {
                tell(&endpoint, &oddity);
            }
        }
        *last = Some((endpoint, dir));
    }
}

/// The name of the last start, in whose place this one is put.
fn exchange(dir: &Path, endpoint: &str) -> io::Result<Option<String>> {
    let file = dir.join(NAME);
    let before = match File::open(&file) {
        Ok(open) => {
            let mut bytes = Vec::new();
            open.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
            String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.len() as u64 <= MOST_BYTES)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if before.as_deref() != Some(endpoint) && endpoint.len() as u64 <= MOST_BYTES {
        falcon_sys::create_private_dir(dir)?;
        write_anew(&file, &file.with_extension("new"), endpoint.as_bytes())?;
    }
    Ok(before)
}

/// `before`: at the last start; `system`: the host's own.
fn oddities(endpoint: &str, before: Option<&str>, system: Option<&str>) -> Vec<Oddity> {
    let mut found = Vec::new();
    let is_other_case = |other: &str| other != endpoint && other.to_lowercase() == endpoint.to_lowercase();
    match before {
        Some(before) if is_other_case(before) => found.push(Oddity::OtherCase(before.to_owned())),
        Some(before) if before != endpoint => found.push(Oddity::Changed(before.to_owned())),
        _ => found.extend(system.filter(|system| is_other_case(system)).map(|name| Oddity::OtherCase(name.to_owned()))),
    }
    let first = endpoint.split('.').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("localhost") || matches!(endpoint, "(none)" | "127.0.0.1" | "::1") {
        found.push(Oddity::Local);
    }
    let is_bad = |c: &char| !is_printable(*c) || matches!(c, '\'' | '"' | '>' | '\\' | '\u{FFFD}');
    found.extend(endpoint.chars().find(is_bad).map(Oddity::Character));
    if endpoint.contains(' ') {
        found.push(Oddity::Blank);
    }
    let chars = endpoint.chars().count();
    if chars > MOST_CHARS {
        found.push(Oddity::Long(chars));
    }
    found
}

fn tell(endpoint: &str, oddity: &Oddity) {
    match oddity {
        Oddity::Changed(before) => crate::log::say!(
            Warn,
            "A019",
            "this host is called {endpoint} now, and was called {before}: to the servers it is another host"
        ),
        Oddity::OtherCase(other) => crate::log::say!(
            Warn,
            "A020",
            "this host is called {endpoint}, and {other} before or by its system: hbs takes them for two hosts and its database \
             for one, so that no checks and plugins are assigned; `hostname` in cfg.json holds the name that hbs has"
        ),
        Oddity::Local => crate::log::say!(
            Warn,
            "A021",
            "this host is called {endpoint}, as others are: set `hostname` in cfg.json, or the system's name"
        ),
        Oddity::Character(c) => crate::log::say!(
            Warn,
            "A023",
            "this host is called {endpoint:?}, and graph and hbs do not take {c:?}; set `hostname` in cfg.json"
        ),
        Oddity::Blank => crate::log::say!(
            Warn,
            "A024",
            "this host is called {endpoint:?}: the servers' pages and scripts cut a name at its blanks; set `hostname` in cfg.json"
        ),
        Oddity::Long(chars) => crate::log::say!(
            Warn,
            "A025",
            "this host's name has {chars} characters, and hbs and graph keep {MOST_CHARS}; set `hostname` in cfg.json"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_servers_take_for_another_host_is_told() {
        let other = |name: &str| Oddity::OtherCase(name.to_owned());
        for (endpoint, before, system, expected) in [
            ("web1", None, Some("web1"), vec![]),
            ("web1", Some("web1"), Some("host7"), vec![]),
            ("web2", Some("web1"), Some("web2"), vec![Oddity::Changed("web1".to_owned())]),
            ("WEB1", Some("web1"), Some("WEB1"), vec![other("web1")]),
            ("web1", Some("web1"), Some("WEB1"), vec![other("WEB1")]),
            ("web1", None, Some("WEB1"), vec![other("WEB1")]),
            ("主机", Some("主机"), None, vec![]),
            ("localhost", None, None, vec![Oddity::Local]),
            ("Localhost.localdomain", None, None, vec![Oddity::Local]),
            ("localhosting", None, None, vec![]),
            ("(none)", None, None, vec![Oddity::Local]),
            ("o'hara", None, None, vec![Oddity::Character('\'')]),
            ("a\u{1}", None, None, vec![Oddity::Character('\u{1}')]),
            ("a b", None, None, vec![Oddity::Blank]),
            // Pasted from a page; graph drops every point of such a host.
            ("a\u{200B}", None, None, vec![Oddity::Character('\u{200B}')]),
            ("a\u{3000}b", None, None, vec![Oddity::Character('\u{3000}')]),
        ] {
            assert_eq!(oddities(endpoint, before, system), expected, "{endpoint} {before:?} {system:?}");
        }
        assert_eq!(oddities(&"x".repeat(256), None, None), [Oddity::Long(256)]);
    }

    #[test]
    fn the_name_of_the_last_start_is_found_and_a_damaged_one_is_none() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("run");
        assert_eq!(exchange(&dir, "web1").unwrap(), None);
        assert_eq!(exchange(&dir, "web2").unwrap(), Some("web1".to_owned()));
        assert_eq!(exchange(&dir, "web2").unwrap(), Some("web2".to_owned()));
        // It was "changed" at every start.
        assert_eq!(exchange(&dir, "web1 ").unwrap(), Some("web2".to_owned()));
        assert_eq!(exchange(&dir, "web1 ").unwrap(), Some("web1 ".to_owned()));
        for damaged in [&b""[..], b"\xFF", &[b'x'; 5000]] {
            std::fs::write(dir.join(NAME), damaged).unwrap();
            assert_eq!(exchange(&dir, "web3").unwrap(), None);
        }
        assert_eq!(exchange(&dir, "web3").unwrap(), Some("web3".to_owned()));
    }

    #[tokio::test]
    async fn a_name_is_told_of_once_and_a_reload_that_gives_another_is_a_change() {
        let home = tempfile::tempdir().unwrap();
        let named = Named::new();
        named.clone().look("web1".to_owned(), Some(home.path().to_owned())).await;
        std::fs::remove_file(home.path().join(NAME)).unwrap();
        named.clone().look("web1".to_owned(), Some(home.path().to_owned())).await;
        assert!(!home.path().join(NAME).exists(), "it was looked at already");
        named.clone().look("web2".to_owned(), Some(home.path().to_owned())).await;
        assert_eq!(std::fs::read_to_string(home.path().join(NAME)).unwrap(), "web2");
        named.clone().look("web3".to_owned(), None).await;
        assert_eq!(*named.last.lock().await, Some(("web3".to_owned(), None)));
        // Another state directory has the name too.
        let other = home.path().join("other");
        named.clone().look("web3".to_owned(), Some(other.clone())).await;
        assert_eq!(std::fs::read_to_string(other.join(NAME)).unwrap(), "web3");
    }
}
