//! `mssql.ag.*`, `mssql.agdb.*`: availability groups, where there are some.
//!
//! A primary has one row for each replica that it sends to, a secondary those of what it receives; queues of a secondary stand
//! on the secondary. What is 0 for ever is not said.

use super::table::{DETAIL, From, Label, Object, Rows, kilobytes, of, shown, total, underlined};
use crate::collect::Class;
use crate::perf::meter::Line;

const REPLICA: &str = "Availability Replica";
const DATABASE: &str = "Database Replica";
const REPLICA_TAGS: &[&str] = &["instance", "replica"];
const DB_TAGS: &[&str] = &["instance", "db"];

pub(super) const OBJECTS: &[Object] = &[
    Object::new(REPLICA, &REPLICA_LINES).rows(Rows::Each, Label::With("replica", underlined)),
    Object::new(DATABASE, &DATABASE_LINES).rows(Rows::Replicas, Label::With("db", underlined)).class(Class::Databases),
    Object::new(DATABASE, &DATABASE_DETAIL).rows(Rows::Replicas, Label::With("db", underlined)).class(Class::Detail),
];

const fn sent(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).tagged(REPLICA_TAGS).quiet()
}

const REPLICA_LINES: [Line; 9] = [
    sent("mssql.ag.bytes_received", "B", of!("Availability Replica", "Bytes Received from Replica/sec")),
    sent("mssql.ag.bytes_sent", "B", of!("Availability Replica", "Bytes Sent to Replica/sec")),
    sent("mssql.ag.bytes_sent_transport", "B", of!("Availability Replica", "Bytes Sent to Transport/sec")),
    sent("mssql.ag.sends", "messages", of!("Availability Replica", "Sends to Replica/sec")),
    sent("mssql.ag.sends_transport", "messages", of!("Availability Replica", "Sends to Transport/sec")),
    sent("mssql.ag.receives", "messages", of!("Availability Replica", "Receives from Replica/sec")),
    sent("mssql.ag.resent", "messages", of!("Availability Replica", "Resent Messages/sec")),
    sent("mssql.ag.flow_controls", "times", of!("Availability Replica", "Flow Control/sec")),
    sent("mssql.ag.flow_control_time", "ms", of!("Availability Replica", "Flow Control Time (ms/sec)")),
];

const fn queue(name: &'static str, from: From) -> Line {
    kilobytes(name, from).tagged(DB_TAGS)
}
const fn sum(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).tagged(DB_TAGS).quiet()
}

const DATABASE_LINES: [Line; 18] = [
    queue("mssql.agdb.log_send_queue", of!("Database Replica", "Log Send Queue"))
        .meaning("log that was not sent yet: what would be lost"),
    queue("mssql.agdb.recovery_queue", of!("Database Replica", "Recovery Queue"))
        .meaning("log that was not redone yet: what would be waited for"),
    queue("mssql.agdb.redo_remaining", of!("Database Replica", "Redo Bytes Remaining")),
    queue("mssql.agdb.undo_remaining", of!("Database Replica", "Log remaining for undo")).quiet(),
    queue("mssql.agdb.undo_total", of!("Database Replica", "Total Log requiring undo")).quiet(),
    shown("mssql.agdb.apply_pending", "blocks", of!("Database Replica", "Log Apply Pending Queue"))
        .tagged(DB_TAGS)
        .quiet(),
    shown("mssql.agdb.apply_ready", "blocks", of!("Database Replica", "Log Apply Ready Queue")).tagged(DB_TAGS).quiet(),
    sum("mssql.agdb.log_bytes_received", "B", of!("Database Replica", "Log Bytes Received/sec")),
    sum("mssql.agdb.file_bytes_received", "B", of!("Database Replica", "File Bytes Received/sec")),
    sum("mssql.agdb.redone_bytes", "B", of!("Database Replica", "Redone Bytes/sec")),
    sum("mssql.agdb.redones", "records", of!("Database Replica", "Redones/sec")),
    sum("mssql.agdb.redo_blocked", "times", of!("Database Replica", "Redo blocked/sec")),
    sum("mssql.agdb.mirrored_transactions", "transactions", of!("Database Replica", "Mirrored Write Transactions/sec")),
    sum("mssql.agdb.transaction_delay", "ms", of!("Database Replica", "Transaction Delay"))
        .meaning("that commits waited for the secondary; over mssql.agdb.mirrored_transactions: of one commit"),
    sum("mssql.agdb.group_commits", "commits", of!("Database Replica", "Group Commits/Sec")),
    sum("mssql.agdb.group_commit_time", "us", of!("Database Replica", "Group Commit Time")),
    sum("mssql.agdb.flow_controls", "times", of!("Database Replica", "Database Flow Controls/sec")),
    sum("mssql.agdb.flow_control_delay", "ms", of!("Database Replica", "Database Flow Control Delay")),
];

/// A running total that is off by default.
const fn off(name: &'static str, unit: &'static str, from: From) -> Line {
    sum(name, unit, from).option(DETAIL)
}

const DATABASE_DETAIL: [Line; 6] = [
    off("mssql.agdb.compression.compressed_bytes", "B", of!("Database Replica", "Log Bytes Compressed/sec")),
    off("mssql.agdb.compression.decompressed_bytes", "B", of!("Database Replica", "Log Bytes Decompressed/sec")),
    off("mssql.agdb.compression.cache_hits", "blocks", of!("Database Replica", "Log Compression Cache hits/sec")),
    off("mssql.agdb.compression.cache_misses", "blocks", of!("Database Replica", "Log Compression Cache misses/sec")),
    off("mssql.agdb.compression.compressions", "blocks", of!("Database Replica", "Log Compressions/sec")),
    off("mssql.agdb.compression.decompressions", "blocks", of!("Database Replica", "Log Decompressions/sec")),
];
