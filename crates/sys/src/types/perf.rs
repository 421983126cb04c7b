//! Performance counters, and products that have some.

/// Where the names of objects and counters are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerfNames {
    /// The English ones: `Counter` of HKEY_PERFORMANCE_TEXT.
    Text,
    /// The English ones: `Counter 009` of HKEY_PERFORMANCE_DATA.
    Data,
    /// The English ones: `Counter` of the key `Perflib\009`.
    Registry,
    /// Those of the host's language: `Counter` of the key `Perflib\CurrentLanguage`.
    CurrentLanguage,
}

/// An instance of SQL Server as its setup registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlInstance {
    /// `MSSQLSERVER` for the default instance.
    pub name: String,
    /// What its keys and directories are named after (`MSSQL15.PROD`, `MSSQL.1`): no name can be told from it.
    pub id: String,
    /// With its patches (`15.0.4316.3`), where setup wrote it.
    pub version: Option<String>,
    /// Of a failover cluster: it runs on one of several hosts, and is registered on all of them.
    pub is_clustered: bool,
}
