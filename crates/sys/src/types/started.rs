//! A process as it was started.

use std::ffi::OsString;
use std::path::PathBuf;

/// What another process needs to be started alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// The first is its name.
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    pub dir: PathBuf,
    /// The files that standard output and error go to, where they are files.
    pub outputs: [Option<PathBuf>; 2],
    /// Who started it, whatever it has become since.
    pub uid: u32,
    pub parent: u32,
    /// It lives in another namespace of pids: in a container, seen from the host.
    pub is_elsewhere: bool,
}

impl Started {
    /// A variable of its environment.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}
