//! The metric naming schemes of the agents that this one replaces.

use serde::{Deserialize, Serialize};

/// One scheme of names and tags; several may be sent side by side (`collector.names`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NameSet {
    /// The Linux agent of falcon-plus.
    #[serde(rename = "falcon")]
    Falcon,
    /// The Python Windows-Agent.
    #[serde(rename = "windows-agent")]
    WindowsAgent,
    /// The Go windows-agent of freedomkk.
    #[serde(rename = "freedomkk")]
    FreedomKk,
    /// The Go windows agent of LeonZYang.
    #[serde(rename = "leonzyang")]
    LeonZYang,
    /// Names that no other agent has.
    #[serde(rename = "extended")]
    Extended,
}

impl NameSet {
    pub const ALL: [Self; 5] = [Self::Falcon, Self::WindowsAgent, Self::FreedomKk, Self::LeonZYang, Self::Extended];

    /// As written in `cfg.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Falcon => "falcon",
            Self::WindowsAgent => "windows-agent",
            Self::FreedomKk => "freedomkk",
            Self::LeonZYang => "leonzyang",
            Self::Extended => "extended",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::NameSet;

    #[test]
    fn the_name_is_what_serde_writes() {
        for set in NameSet::ALL {
            assert_eq!(serde_json::to_value(set).unwrap(), set.name());
            assert_eq!(NameSet::from_name(&set.name().to_uppercase()), Some(set));
        }
        assert_eq!(NameSet::from_name("falcons"), None);
    }
}
