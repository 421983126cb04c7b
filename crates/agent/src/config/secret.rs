//! Values that may stand in `cfg.json` and nowhere else.

use std::fmt;

use serde::{Serialize, Serializer};

use super::url::{split_scheme, without_credentials};

/// What is shown instead.
pub(super) const HIDDEN: &str = "******";

/// A text that neither `Debug` nor the effective configuration shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: to compare or to pass on, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { HIDDEN }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// An address of a repository that may carry a user name, password or token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RepoUrl(String);

impl RepoUrl {
    pub fn new(url: String) -> Self {
        Self(url)
    }

    /// The address as written, credentials included: for the program that fetches, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address without what stands before the last `@`, unless that is a bare user of ssh: rather a path too short
    /// than half a password that had an unescaped `/` or `@` in it.
    pub fn shown(&self) -> String {
        let (scheme, rest) = split_scheme(&self.0);
        match rest.rsplit_once('@') {
            Some((user, _)) if matches!(scheme, "" | "ssh://") && !user.contains([':', '@', '/']) => self.0.clone(),
            _ => without_credentials(&self.0),
        }
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for RepoUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// An address of a web page that may carry a user name, password or token; here a bare user is one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    pub fn new(url: String) -> Self {
        Self(url)
    }

    /// The address as written, credentials included: for whoever asks, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_credentials(&self.0))
    }
}

impl Serialize for PageUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&without_credentials(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_repository_are_hidden() {
        for (url, shown) in [
            ("https://github.com/open-falcon/plugin.git", "https://github.com/open-falcon/plugin.git"),
            ("https://user:p@ss/w@git.example/p.git", "https://******@git.example/p.git"),
            ("https://token@git.example/p.git", "https://******@git.example/p.git"),
            ("git@git.example:p.git", "git@git.example:p.git"),
            ("ssh://git@git.example/p.git", "ssh://git@git.example/p.git"),
            ("ssh://git:pw@git.example/p.git", "ssh://******@git.example/p.git"),
            ("user:pw@git.example:p.git", "******@git.example:p.git"),
            ("user:pw@git.example:p?from=https://x", "******@git.example:p?from=https://x"),
            ("", ""),
        ] {
            let url = RepoUrl::new(url.to_owned());
            assert_eq!(url.shown(), shown);
            assert_eq!(RepoUrl::new(shown.to_owned()).shown(), shown, "hiding twice changes nothing");
            assert_eq!(format!("{url:?}"), format!("{shown:?}"));
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "\"******\"");
        assert_eq!(serde_json::to_value(&secret).unwrap(), "******");
        assert_eq!(serde_json::to_value(Secret::default()).unwrap(), "");
    }
}
