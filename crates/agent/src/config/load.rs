//! Finds the file, reads it within bounds, and runs it through the stages.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::model::Platform;

use super::overlay::{self, Parsed, Seen};
use super::report::{ConfigError, Warning};
use super::{Config, Known};

/// Bytes of a file that are still accepted.
pub const FILE_LIMIT: usize = 4 << 20;

/// The name looked for where none is given.
const FILE_NAME: &str = "cfg.json";

/// See [`Loaded::notes_dir`].
pub const NOTES_DIR: &str = "run";

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is no file.
    Standalone,
    /// An absolute path, good for a reload after a change of directory.
    File(PathBuf),
}

/// A configuration with what was found wanting in its file.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub source: Source,
    /// With those about overlays that are skipped.
    pub warnings: Vec<Warning>,
    /// Names of the overlays that are part of it, in their order.
    pub overlays: Vec<String>,
    /// What the files looked like before they were read; `None` where there are none.
    pub seen: Option<Seen>,
}

impl Loaded {
    /// Without overlays, or a look at the file.
    pub fn new(config: Config, source: Source, warnings: Vec<Warning>) -> Loaded {
        Loaded { config, source, warnings, overlays: Vec::new(), seen: None }
    }

    /// About overlays of which nothing is used.
    pub fn skipped(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().filter(|warning| warning.is_skipped)
    }

    /// Where relative paths of the file count from: its directory on Windows, where a service starts in System32; on Linux
    /// the working directory, as for the Go agent.
    pub fn base(&self) -> &Path {
        self.base_on(Platform::CURRENT)
    }

    fn base_on(&self, platform: Platform) -> &Path {
        self.dir().filter(|_| platform == Platform::Windows).unwrap_or(Path::new(""))
    }

    /// Where the agent keeps what outlives it: `state_dir` of the file, else the directory that systemd made for it
    /// (`STATE_DIRECTORY`), else, on Windows, beside the file and, on Linux, in `var` beside it. `None`: the agent stands alone
    /// and keeps nothing. The directory need not exist yet.
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.state_dir_on(Platform::CURRENT, std::env::var_os("STATE_DIRECTORY"))
    }

    fn state_dir_on(&self, platform: Platform, systemd: Option<OsString>) -> Option<PathBuf> {
        if !self.config.state_dir.is_empty() {
            return Some(self.base_on(platform).join(&self.config.state_dir));
        }
        // Of several directories, as StateDirectory= may name, the first is the agent's.
        let first = systemd.and_then(|dirs| std::env::split_paths(&dirs).next()).filter(|dir| dir.is_absolute());
        let beside = self.dir().map(|dir| match platform {
            Platform::Windows => dir.to_owned(),
            Platform::Linux => dir.join("var"),
        });
        first.or(beside)
    }

    /// Where small notes of the agent about itself are, in the state directory. On Windows in a directory of their own: the
    /// service's account may change that, and not the state directory, in which its program may lie.
    pub fn notes_dir(&self) -> Option<PathBuf> {
        self.notes_dir_with(std::env::var_os("STATE_DIRECTORY"))
    }

    /// The same of an agent that has this `STATE_DIRECTORY`.
    pub fn notes_dir_with(&self, systemd: Option<OsString>) -> Option<PathBuf> {
        let state = self.state_dir_on(Platform::CURRENT, systemd)?;
        Some(match Platform::CURRENT {
            Platform::Windows => state.join(NOTES_DIR),
            Platform::Linux => state,
        })
    }

    /// The directory of the file, if there is one.
    fn dir(&self) -> Option<&Path> {
        match &self.source {
            Source::File(path) => path.parent(),
            Source::Standalone => None,
        }
    }
}

/// Loads the file named on the command line, which must exist; else `cfg.json` in the working directory, else beside
/// the executable; else there is none and the agent stands alone. `known` are the names that
/// the section `collector` may use.
pub fn load(cli: Option<&Path>, known: &Known) -> Result<Loaded, ConfigError> {
    if let Some(path) = cli {
        return load_file(path, known);
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(FILE_NAME)));
    search([Some(PathBuf::from(FILE_NAME)), beside].into_iter().flatten(), known)
}

fn search(places: impl Iterator<Item = PathBuf>, known: &Known) -> Result<Loaded, ConfigError> {
    for path in places {
        match load_file(&path, known) {
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
    }
    Ok(Loaded::new(Config::standalone(), Source::Standalone, Vec::new()))
}

fn load_file(path: &Path, known: &Known) -> Result<Loaded, ConfigError> {
    let file = path.display().to_string();
    // Whatever changes from here on is seen at the next look.
    let seen = Some(Seen::look(path));
    let bytes = read(path, &file)?;
    let (overlays, remark) = overlay::read_all(path);
    let Parsed { config, mut warnings, overlays } = overlay::parse_over(&bytes, &file, &overlays, known)?;
    warnings.extend(remark);
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(Loaded { config, source: Source::File(path), warnings, overlays, seen })
}

pub(super) fn read(path: &Path, file: &str) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    // Asked before opening: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(ConfigError::NotAFile { file: file.to_owned() });
    }
    let mut bytes = Vec::new();
    // One byte more than is accepted, so that `parse` sees that there is more.
    File::open(path).map_err(unreadable)?.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Reads a file's bytes; `file` is its name for messages.
pub fn parse(bytes: &[u8], file: &str, known: &Known) -> Result<(Config, Vec<Warning>), ConfigError> {
    let parsed = overlay::parse_over(bytes, file, &[], known)?;
    Ok((parsed.config, parsed.warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_the_command_line_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let error = load(Some(&dir.path().join("none.json")), &Known::default()).unwrap_err();
        assert!(matches!(&error, ConfigError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound));
        assert!(error.to_string().contains("none.json"), "{error}");
        assert!(matches!(load(Some(dir.path()), &Known::default()), Err(ConfigError::NotAFile { .. })));
    }

    #[test]
    fn the_first_place_with_a_file_wins_and_a_bad_file_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let [near, far] = ["near.json", "far.json"].map(|name| dir.path().join(name));
        let both = || [near.clone(), far.clone()].into_iter();
        assert_eq!(search(both(), &Known::default()).unwrap().source, Source::Standalone);
        fs::write(&far, "{\"hostname\":\"far\"}").unwrap();
        let loaded = search(both(), &Known::default()).unwrap();
        assert_eq!((loaded.source, loaded.config.hostname.as_str()), (Source::File(far.clone()), "far"));
        fs::write(&near, "{").unwrap();
        assert!(matches!(search(both(), &Known::default()), Err(ConfigError::Syntax { .. })));
    }

    fn loaded(state_dir: &str, source: Source) -> Loaded {
        let config = Config { state_dir: state_dir.to_owned(), ..Config::standalone() };
        Loaded::new(config, source, Vec::new())
    }

    #[test]
    fn the_state_is_where_the_file_says_else_where_systemd_says_else_by_the_file() {
        let root = std::path::absolute("/").unwrap();
        let (lib, etc) = (root.join("lib"), root.join("etc"));
        let file = || Source::File(etc.join("cfg.json"));
        let several = std::env::join_paths([&lib, &root.join("other")]).unwrap();
        let absolute = root.join("state").display().to_string();
        for platform in [Platform::Linux, Platform::Windows] {
            let dir = |configured: &str, systemd: Option<PathBuf>, source: Source| {
                loaded(configured, source).state_dir_on(platform, systemd.map(PathBuf::into_os_string))
            };
            assert_eq!(dir(&absolute, Some(lib.clone()), file()), Some(root.join("state")));
            assert_eq!(dir("", Some(several.clone().into()), file()), Some(lib.clone()));
            assert_eq!(dir("", Some(lib.clone()), Source::Standalone), Some(lib.clone()));
            let beside = if platform == Platform::Windows { etc.clone() } else { etc.join("var") };
            for unusable in [None, Some(PathBuf::new()), Some(PathBuf::from("lib"))] {
                assert_eq!(dir("", unusable.clone(), file()), Some(beside.clone()));
                assert_eq!(dir("", unusable, Source::Standalone), None);
            }
        }
    }

    /// A service of Windows starts in System32: a certificate beside cfg.json was looked for there.
    #[test]
    fn relative_paths_count_from_the_file_on_windows_and_from_the_working_directory_on_linux() {
        let root = std::path::absolute("/").unwrap();
        let file = loaded("state", Source::File(root.join("etc").join("cfg.json")));
        assert_eq!(file.base_on(Platform::Windows), root.join("etc"));
        assert_eq!(file.base_on(Platform::Linux), Path::new(""));
        assert_eq!(file.state_dir_on(Platform::Windows, None), Some(root.join("etc").join("state")));
        assert_eq!(file.state_dir_on(Platform::Linux, None), Some(PathBuf::from("state")));
        let alone = loaded("", Source::Standalone);
        assert_eq!(alone.base_on(Platform::Windows), Path::new(""));
    }

    #[test]
    fn empty_and_huge_files_are_refused() {
        for empty in [&b""[..], b" \r\n\t", b"\xef\xbb\xbf\n", b"\xff\xfe"] {
            assert!(matches!(parse(empty, "cfg.json", &Known::default()), Err(ConfigError::Empty { .. })), "{empty:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cfg.json");
        let fill = |length: usize| fs::write(&path, format!("{{{}}}", " ".repeat(length - 2))).unwrap();
        fill(FILE_LIMIT);
        assert!(load(Some(&path), &Known::default()).is_ok());
        fill(FILE_LIMIT + 1);
        assert!(matches!(load(Some(&path), &Known::default()), Err(ConfigError::TooBig { .. })));
    }
}
