//! The most series that a host sends, and what is left out first where it has more.

/// What a series is about, from what always stays to what is left out first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Of the host itself, and of every module's totals.
    #[default]
    Totals,
    /// The default metrics of a database.
    Databases,
    /// Of a web site.
    Sites,
    /// Of an application pool.
    Pools,
    /// Of counters that the configuration names.
    Custom,
    /// What is off by default, of any of them.
    Detail,
}
