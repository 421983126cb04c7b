//! Plugins: programs that an administrator puts into `plugin.dir` and hbs binds to this host. Each is run in its own period and
//! prints points, which go the way of pushed ones.
//!
//! What hbs says is a foreign text ([`spec`]) and leads to no file outside the directory ([`files`]), nor to one that
//! others could change ([`place`]). Sources: falcon-plus, modules/agent/plugins and modules/agent/cron/plugin.go.

pub mod engine;
pub mod fetch;
pub mod files;
pub mod launch;
pub mod output;
pub mod perform;
pub mod place;
pub mod run;
pub mod said;
pub mod spec;

use std::borrow::Cow;
use std::path::PathBuf;

use crate::config::Loaded;

/// Where plugins are, and what they may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of the plugins.
    pub dir: PathBuf,
    /// Of what they say on standard error.
    pub logs: PathBuf,
    /// Where they run.
    pub cwd: PathBuf,
    /// How many run at the same time, at least one.
    pub at_once: usize,
    /// For one run: of all its processes together on Windows, of each of them on Linux; `None`: any.
    pub memory_bytes: Option<u64>,
}

impl Settings {
    pub fn of(loaded: &Loaded) -> Settings {
        let (config, base) = (&loaded.config.plugin, loaded.base());
        Settings {
            dir: base.join(&config.dir),
            logs: base.join(&config.logs),
            cwd: base.to_owned(),
            at_once: usize::try_from(config.at_once).unwrap_or(1).max(1),
            memory_bytes: Some(u64::from(config.memory_mb) * 1_000_000).filter(|bytes| *bytes > 0),
        }
    }
}

/// A file that hbs has bound, and with what it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// By which it is known: the path, or `path(args)` of one that is bound by itself.
    pub key: String,
    /// Below `plugin.dir`, with `/`.
    pub path: String,
    pub args: Vec<String>,
    /// As hbs has written them.
    pub written_args: String,
    /// Seconds, 1 to [`spec::MOST_CYCLE_S`].
    pub cycle_s: u32,
    /// When the file was last changed, Unix seconds.
    pub mtime_s: i64,
}

/// A path as people and other programs write it: where a link leads, Windows tells with a prefix of its own.
pub fn plain(path: &str) -> Cow<'_, str> {
    match (path.strip_prefix(r"\\?\UNC\"), path.strip_prefix(r"\\?\")) {
        (Some(share), _) => format!(r"\\{share}").into(),
        (None, Some(path)) => path.into(),
        (None, None) => path.into(),
    }
}
