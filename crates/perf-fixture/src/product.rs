//! Objects by their names: a catalog that hands out indexes as an installer does, and what the products of Microsoft have.
//!
//! Each object has indexes of its own, so that one name stands in the table several times, as it does where each product
//! brings its own. Names and types are those that the products register; of SQL Server's many objects those that a default
//! collection reads, each with counters that it does not read besides.

use crate::kind::{
    AVERAGE_BULK, BULK_COUNT, COUNTER, ELAPSED_TIME, LARGE_RAW_BASE, LARGE_RAW_FRACTION, LARGE_RAWCOUNT, RAWCOUNT,
};
use crate::script::{Definition, Object, Row, Rows, Value};

/// A name and the type of what it names.
pub type Named<'a> = (&'a str, u32);

pub struct Catalog {
    first: u32,
    names: Vec<String>,
}

impl Catalog {
    /// Indexes are even from this one on.
    pub fn new(first: u32) -> Catalog {
        Catalog { first, names: Vec::new() }
    }

    fn add(&mut self, name: &str) -> u32 {
        self.names.push(name.to_owned());
        self.last()
    }

    pub fn first(&self) -> u32 {
        self.first
    }

    /// The last index that was handed out.
    pub fn last(&self) -> u32 {
        self.first + 2 * u32::try_from(self.names.len()).unwrap_or(0).saturating_sub(1)
    }

    pub fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        (self.first..).step_by(2).zip(self.names.iter().map(String::as_str))
    }

    pub fn object(&mut self, name: &str, counters: &[Named<'_>]) -> Shape {
        let index = self.add(name);
        let counter = |(name, kind): &Named<'_>| (self.add(name), (*name).to_owned(), *kind);
        let counters: Vec<(u32, String, u32)> = counters.iter().map(counter).collect();
        let names = counters.iter().map(|(_, name, _)| name.clone()).collect();
        Shape {
            index,
            names,
            counters: counters.iter().map(|(index, _, kind)| Definition::new(*index, *kind)).collect(),
        }
    }
}

/// An object without its values.
#[derive(Clone)]
pub struct Shape {
    pub index: u32,
    names: Vec<String>,
    pub counters: Vec<Definition>,
}

impl Shape {
    /// Values in the order of the counters; of one that is not named 0.
    fn values(&self, values: &[(&str, Value)]) -> Vec<Value> {
        for (name, _) in values {
            assert!(self.names.iter().any(|known| known == name), "no counter {name:?} in {:?}", self.names);
        }
        let value =
            |known: &String| values.iter().find(|(name, _)| name == known).map_or(Value::Is(0), |(_, value)| *value);
        self.names.iter().map(value).collect()
    }

    pub fn row(&self, name: &str, values: &[(&str, Value)]) -> Row {
        Row { name: name.to_owned(), unique_id: -1, values: self.values(values) }
    }

    fn with(&self, rows: Rows) -> Object {
        let (index, counters) = (self.index, self.counters.clone());
        Object { index, counters, rows, clock: None, code_page: 0, patches: Vec::new() }
    }

    pub fn many(&self, rows: Vec<Row>) -> Object {
        self.with(Rows::Many(rows))
    }

    pub fn one(&self, values: &[(&str, Value)]) -> Object {
        self.with(Rows::One(self.values(values)))
    }
}

pub const WEB_SERVICE: &[Named<'_>] = &[
    ("Total Bytes Sent", LARGE_RAWCOUNT),
    ("Bytes Sent/sec", BULK_COUNT),
    ("Total Bytes Received", LARGE_RAWCOUNT),
    ("Bytes Received/sec", BULK_COUNT),
    ("Total Bytes Transferred", LARGE_RAWCOUNT),
    ("Bytes Total/sec", BULK_COUNT),
    ("Total Files Sent", RAWCOUNT),
    ("Files Sent/sec", COUNTER),
    ("Total Files Received", RAWCOUNT),
    ("Files Received/sec", COUNTER),
    ("Current Anonymous Users", RAWCOUNT),
    ("Current NonAnonymous Users", RAWCOUNT),
    ("Total Anonymous Users", RAWCOUNT),
    ("Anonymous Users/sec", COUNTER),
    ("Total Logon Attempts", RAWCOUNT),
    ("Logon Attempts/sec", COUNTER),
    ("Current Connections", RAWCOUNT),
    ("Maximum Connections", RAWCOUNT),
    ("Total Connection Attempts (all instances)", RAWCOUNT),
    ("Connection Attempts/sec", COUNTER),
    ("Total Options Requests", RAWCOUNT),
    ("Options Requests/sec", COUNTER),
    ("Total Get Requests", RAWCOUNT),
    ("Get Requests/sec", COUNTER),
    ("Total Post Requests", RAWCOUNT),
    ("Post Requests/sec", COUNTER),
    ("Total Head Requests", RAWCOUNT),
    ("Head Requests/sec", COUNTER),
    ("Total Put Requests", RAWCOUNT),
    ("Put Requests/sec", COUNTER),
    ("Total Delete Requests", RAWCOUNT),
    ("Delete Requests/sec", COUNTER),
    ("Total Trace Requests", RAWCOUNT),
    ("Trace Requests/sec", COUNTER),
    ("Total Propfind Requests", RAWCOUNT),
    ("Propfind Requests/sec", COUNTER),
    ("Total Other Request Methods", RAWCOUNT),
    ("Other Request Methods/sec", COUNTER),
    ("Total Method Requests", RAWCOUNT),
    ("Total Method Requests/sec", COUNTER),
    ("Total CGI Requests", RAWCOUNT),
    ("CGI Requests/sec", COUNTER),
    ("Total ISAPI Extension Requests", RAWCOUNT),
    ("ISAPI Extension Requests/sec", COUNTER),
    ("Total Not Found Errors", RAWCOUNT),
    ("Not Found Errors/sec", COUNTER),
    ("Total Locked Errors", RAWCOUNT),
    ("Locked Errors/sec", COUNTER),
    ("Service Uptime", RAWCOUNT),
];

pub const APP_POOL_WAS: &[Named<'_>] = &[
    ("Current Application Pool State", RAWCOUNT),
    ("Current Application Pool Uptime", ELAPSED_TIME),
    ("Total Application Pool Recycles", RAWCOUNT),
    ("Current Worker Processes", RAWCOUNT),
    ("Maximum Worker Processes", RAWCOUNT),
    ("Total Worker Processes Created", RAWCOUNT),
    ("Total Worker Process Failures", RAWCOUNT),
    ("Total Worker Process Ping Failures", RAWCOUNT),
    ("Total Worker Process Shutdown Failures", RAWCOUNT),
    ("Total Worker Process Startup Failures", RAWCOUNT),
    ("Recent Worker Process Failures", RAWCOUNT),
];

pub const REQUEST_QUEUES: &[Named<'_>] = &[
    ("CurrentQueueSize", RAWCOUNT),
    ("MaxQueueItemAge", LARGE_RAWCOUNT),
    ("ArrivalRate", BULK_COUNT),
    ("RejectionRate", BULK_COUNT),
    ("RejectedRequests", LARGE_RAWCOUNT),
    ("CacheHitRate", BULK_COUNT),
];

pub const W3SVC_W3WP: &[Named<'_>] = &[
    ("Total HTTP Requests Served", RAWCOUNT),
    ("Requests / Sec", COUNTER),
    ("Active Requests", RAWCOUNT),
    ("Active Threads Count", RAWCOUNT),
];

pub const ASP_NET: &[Named<'_>] = &[
    ("Application Restarts", RAWCOUNT),
    ("Applications Running", RAWCOUNT),
    ("Requests Disconnected", RAWCOUNT),
    ("Requests Queued", RAWCOUNT),
    ("Requests Rejected", RAWCOUNT),
    ("Request Wait Time", RAWCOUNT),
    ("Request Execution Time", RAWCOUNT),
    ("Requests Current", RAWCOUNT),
    ("Worker Process Restarts", RAWCOUNT),
    ("Worker Processes Running", RAWCOUNT),
];

pub const ASP_NET_APPLICATIONS: &[Named<'_>] = &[
    ("Anonymous Requests", RAWCOUNT),
    ("Anonymous Requests/Sec", COUNTER),
    ("Errors Total", RAWCOUNT),
    ("Errors Unhandled During Execution", RAWCOUNT),
    ("Pipeline Instance Count", RAWCOUNT),
    ("Requests Executing", RAWCOUNT),
    ("Requests Failed", RAWCOUNT),
    ("Requests Not Found", RAWCOUNT),
    ("Requests Not Authorized", RAWCOUNT),
    ("Requests Succeeded", RAWCOUNT),
    ("Requests Timed Out", RAWCOUNT),
    ("Requests Total", RAWCOUNT),
    ("Requests/Sec", COUNTER),
    ("Sessions Active", RAWCOUNT),
    ("Sessions Abandoned", RAWCOUNT),
    ("Sessions Timed Out", RAWCOUNT),
    ("Sessions Total", RAWCOUNT),
    ("Cache Total Hits", RAWCOUNT),
    ("Cache Total Misses", RAWCOUNT),
];

/// Objects of an instance of SQL Server, whose names follow its prefix.
pub const SQL_SERVER: &[(&str, &[Named<'_>])] = &[
    (
        "Buffer Manager",
        &[
            ("Buffer cache hit ratio", LARGE_RAW_FRACTION),
            ("Buffer cache hit ratio base", LARGE_RAW_BASE),
            ("Page lookups/sec", BULK_COUNT),
            ("Free list stalls/sec", BULK_COUNT),
            ("Database pages", LARGE_RAWCOUNT),
            ("Target pages", LARGE_RAWCOUNT),
            ("Integral Controller Slope", LARGE_RAWCOUNT),
            ("Lazy writes/sec", BULK_COUNT),
            ("Readahead pages/sec", BULK_COUNT),
            ("Page reads/sec", BULK_COUNT),
            ("Page writes/sec", BULK_COUNT),
            ("Checkpoint pages/sec", BULK_COUNT),
            ("Background writer pages/sec", BULK_COUNT),
            ("Page life expectancy", LARGE_RAWCOUNT),
        ],
    ),
    (
        "Memory Manager",
        &[
            ("Connection Memory (KB)", LARGE_RAWCOUNT),
            ("Database Cache Memory (KB)", LARGE_RAWCOUNT),
            ("Free Memory (KB)", LARGE_RAWCOUNT),
            ("Lock Memory (KB)", LARGE_RAWCOUNT),
            ("Memory Grants Outstanding", LARGE_RAWCOUNT),
            ("Memory Grants Pending", LARGE_RAWCOUNT),
            ("SQL Cache Memory (KB)", LARGE_RAWCOUNT),
            ("Stolen Server Memory (KB)", LARGE_RAWCOUNT),
            ("Target Server Memory (KB)", LARGE_RAWCOUNT),
            ("Total Server Memory (KB)", LARGE_RAWCOUNT),
        ],
    ),
    (
        "SQL Statistics",
        &[
            ("Batch Requests/sec", BULK_COUNT),
            ("SQL Compilations/sec", BULK_COUNT),
            ("SQL Re-Compilations/sec", BULK_COUNT),
            ("SQL Attention rate", BULK_COUNT),
        ],
    ),
    (
        "General Statistics",
        &[
            ("User Connections", LARGE_RAWCOUNT),
            ("Logical Connections", LARGE_RAWCOUNT),
            ("Processes blocked", LARGE_RAWCOUNT),
            ("Transactions", LARGE_RAWCOUNT),
            ("Logins/sec", BULK_COUNT),
            ("Logouts/sec", BULK_COUNT),
        ],
    ),
    (
        "Access Methods",
        &[
            ("Full Scans/sec", BULK_COUNT),
            ("Index Searches/sec", BULK_COUNT),
            ("Page Splits/sec", BULK_COUNT),
            ("Worktables From Cache Ratio", LARGE_RAW_FRACTION),
            ("Worktables From Cache Base", LARGE_RAW_BASE),
        ],
    ),
    (
        "Locks",
        &[
            ("Lock Requests/sec", BULK_COUNT),
            ("Lock Timeouts/sec", BULK_COUNT),
            ("Number of Deadlocks/sec", BULK_COUNT),
            ("Lock Waits/sec", BULK_COUNT),
            ("Lock Wait Time (ms)", BULK_COUNT),
            ("Average Wait Time (ms)", AVERAGE_BULK),
            ("Average Wait Time Base", LARGE_RAW_BASE),
        ],
    ),
    (
        "Databases",
        &[
            ("Data File(s) Size (KB)", LARGE_RAWCOUNT),
            ("Log File(s) Size (KB)", LARGE_RAWCOUNT),
            ("Log File(s) Used Size (KB)", LARGE_RAWCOUNT),
            ("Percent Log Used", LARGE_RAWCOUNT),
            ("Active Transactions", LARGE_RAWCOUNT),
            ("Transactions/sec", BULK_COUNT),
            ("Write Transactions/sec", BULK_COUNT),
            ("Log Flushes/sec", BULK_COUNT),
            ("Log Bytes Flushed/sec", BULK_COUNT),
            ("Log Growths", LARGE_RAWCOUNT),
        ],
    ),
    (
        "Wait Statistics",
        &[
            ("Lock waits", LARGE_RAWCOUNT),
            ("Log buffer waits", LARGE_RAWCOUNT),
            ("Log write waits", LARGE_RAWCOUNT),
            ("Network IO waits", LARGE_RAWCOUNT),
            ("Page IO latch waits", LARGE_RAWCOUNT),
            ("Wait for the worker", LARGE_RAWCOUNT),
        ],
    ),
    ("SQL Errors", &[("Errors/sec", BULK_COUNT)]),
];

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn objects_have_indexes_of_their_own_and_names_may_stand_twice() {
        let mut catalog = Catalog::new(100);
        let one = catalog.object("A", &[("x", RAWCOUNT), ("y", BULK_COUNT)]);
        let two = catalog.object("B", &[("x", RAWCOUNT)]);
        let indexes: Vec<u32> = one.counters.iter().chain(&two.counters).map(|counter| counter.index).collect();
        assert_eq!((one.index, two.index, indexes), (100, 106, vec![102, 104, 108]));
        let names: Vec<(u32, &str)> = catalog.names().collect();
        assert_eq!(names, [(100, "A"), (102, "x"), (104, "y"), (106, "B"), (108, "x")]);
        assert_eq!((catalog.first(), catalog.last()), (100, 108));
        assert_eq!(one.row("r", &[("y", Value::Is(7))]).values, [Value::Is(0), Value::Is(7)]);
    }
}
