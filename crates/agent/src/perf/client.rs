//! What collectors ask of performance counters: objects by their English names, in groups that fail apart.
//!
//! A group is what one query of the system is made for, and what is left alone for a while after it failed: a collector opens
//! one for each product whose library it must trust. Who answers is a [`Source`]: the worker process, or a test.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::{Missing, Table};

/// What is wanted of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectQuery {
    /// English name.
    pub object: String,
    /// English names; empty: all that the object has.
    pub counters: Vec<String>,
}

impl ObjectQuery {
    pub fn new(object: impl Into<String>, counters: Vec<String>) -> ObjectQuery {
        ObjectQuery { object: object.into(), counters }
    }
}

/// One for each object that was asked for, in that order.
pub type Tables = Vec<Result<Table, Missing>>;

/// Why the process has no answer. The text of one cause stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unanswered {
    /// No table of names can be read, as on a host that has just been set up: that is no library's fault.
    #[error("the names of performance counters: {0}")]
    NoNames(String),
    #[error("{0}")]
    Failed(String),
}

/// Why there is no answer at all. The text of one cause stays the same from cycle to cycle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("performance counters are a thing of Windows")]
    Unsupported,
    #[error("not asked for a while, as it failed several times in a row")]
    Paused,
    /// Others had the process for as long as a turn is waited for.
    #[error("not asked, as other groups were asked for too long")]
    Crowded,
    #[error("no answer within {0} s; the process that asked was ended")]
    Late(u64),
    /// With how it ended.
    #[error("the process that asked {0}")]
    Died(String),
    #[error("{0}")]
    Failed(String),
}

/// Who answers. Calls block: for their turn (the time that a query has, and 2 s), for a process that starts (10 s), for the
/// answer (the time that a query has), and for the end of a process that gives none (2 s).
pub trait Source: Send + Sync {
    fn ask(&self, group: &str, objects: &[ObjectQuery]) -> Result<Tables, Refused>;

    /// English names of all objects and counters that begin so, in any case of letters; each once, sorted.
    fn names(&self, group: &str, prefix: &str) -> Result<Vec<String>, Refused>;

    /// One more group is open, or one fewer: what serves none may rest.
    fn opened(&self) {}
    fn closed(&self, _group: &str) {}
}

/// Where groups are opened.
#[derive(Clone)]
pub struct Perf(Arc<dyn Source>);

impl Perf {
    pub fn new(source: impl Source + 'static) -> Perf {
        Perf(Arc::new(source))
    }

    /// Of a system without them.
    pub fn none() -> Perf {
        Perf::new(Nobody)
    }

    pub fn open(&self, group: impl Into<String>) -> Counters {
        self.0.opened();
        Counters { source: self.0.clone(), group: group.into() }
    }
}

/// One open group.
pub struct Counters {
    source: Arc<dyn Source>,
    group: String,
}

impl Counters {
    /// # Errors
    /// Where nothing was answered; what is missing of an answer stands in it.
    pub fn ask(&self, objects: &[ObjectQuery]) -> Result<Tables, Refused> {
        self.source.ask(&self.group, objects)
    }

    /// # Errors
    /// Where no table of names can be read.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>, Refused> {
        self.source.names(&self.group, prefix)
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        self.source.closed(&self.group);
    }
}

struct Nobody;

impl Source for Nobody {
    fn ask(&self, _: &str, _: &[ObjectQuery]) -> Result<Tables, Refused> {
        Err(Refused::Unsupported)
    }

    fn names(&self, _: &str, _: &str) -> Result<Vec<String>, Refused> {
        Err(Refused::Unsupported)
    }
}
