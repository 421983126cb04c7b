//! `mssql.ag.*`, `mssql.agdb.*`: availability groups, where there are some.
//!
//! A primary has one row for each replica that it sends to, a secondary those of what it receives; queues of a secondary stand
//! on the secondary. What is 0 for ever is not said.

use super::table::{DETAIL, Label, Object, Rows, kilobytes, shown, total, underlined};
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

const fn sent(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    total(REPLICA, name, unit, counters).tagged(REPLICA_TAGS).quiet()
}

const REPLICA_LINES: [Line; 9] = [
    sent("mssql.ag.bytes_received", "B", &["Bytes Received from Replica/sec"]),
    sent("mssql.ag.bytes_sent", "B", &["Bytes Sent to Replica/sec"]),
    sent("mssql.ag.bytes_sent_transport", "B", &["Bytes Sent to Transport/sec"]),
    sent("mssql.ag.sends", "messages", &["Sends to Replica/sec"]),
    sent("mssql.ag.sends_transport", "messages", &["Sends to Transport/sec"]),
    sent("mssql.ag.receives", "messages", &["Receives from Replica/sec"]),
    sent("mssql.ag.resent", "messages", &["Resent Messages/sec"]),
    sent("mssql.ag.flow_controls", "times", &["Flow Control/sec"]),
    sent("mssql.ag.flow_control_time", "ms", &["Flow Control Time (ms/sec)"]),
];

const fn queue(name: &'static str, counters: &'static [&'static str]) -> Line {
    kilobytes(DATABASE, name, counters).tagged(DB_TAGS)
}
const fn sum(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    total(DATABASE, name, unit, counters).tagged(DB_TAGS).quiet()
}

const DATABASE_LINES: [Line; 18] = [
    queue("mssql.agdb.log_send_queue", &["Log Send Queue"]).meaning("log that was not sent yet: what would be lost"),
    queue("mssql.agdb.recovery_queue", &["Recovery Queue"])
        .meaning("log that was not redone yet: what would be waited for"),
    queue("mssql.agdb.redo_remaining", &["Redo Bytes Remaining"]),
    queue("mssql.agdb.undo_remaining", &["Log remaining for undo"]).quiet(),
    queue("mssql.agdb.undo_total", &["Total Log requiring undo"]).quiet(),
    shown(DATABASE, "mssql.agdb.apply_pending", "blocks", &["Log Apply Pending Queue"]).tagged(DB_TAGS).quiet(),
    shown(DATABASE, "mssql.agdb.apply_ready", "blocks", &["Log Apply Ready Queue"]).tagged(DB_TAGS).quiet(),
    sum("mssql.agdb.log_bytes_received", "B", &["Log Bytes Received/sec"]),
    sum("mssql.agdb.file_bytes_received", "B", &["File Bytes Received/sec"]),
    sum("mssql.agdb.redone_bytes", "B", &["Redone Bytes/sec"]),
    sum("mssql.agdb.redones", "records", &["Redones/sec"]),
    sum("mssql.agdb.redo_blocked", "times", &["Redo blocked/sec"]),
    sum("mssql.agdb.mirrored_transactions", "transactions", &["Mirrored Write Transactions/sec"]),
    sum("mssql.agdb.transaction_delay", "ms", &["Transaction Delay"])
        .meaning("that commits waited for the secondary; over mssql.agdb.mirrored_transactions: of one commit"),
    sum("mssql.agdb.group_commits", "commits", &["Group Commits/Sec"]),
    sum("mssql.agdb.group_commit_time", "us", &["Group Commit Time"]),
    sum("mssql.agdb.flow_controls", "times", &["Database Flow Controls/sec"]),
    sum("mssql.agdb.flow_control_delay", "ms", &["Database Flow Control Delay"]),
];

/// A running total that is off by default.
const fn off(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    sum(name, unit, counters).option(DETAIL)
}

const DATABASE_DETAIL: [Line; 6] = [
    off("mssql.agdb.compression.compressed_bytes", "B", &["Log Bytes Compressed/sec"]),
    off("mssql.agdb.compression.decompressed_bytes", "B", &["Log Bytes Decompressed/sec"]),
    off("mssql.agdb.compression.cache_hits", "blocks", &["Log Compression Cache hits/sec"]),
    off("mssql.agdb.compression.cache_misses", "blocks", &["Log Compression Cache misses/sec"]),
    off("mssql.agdb.compression.compressions", "blocks", &["Log Compressions/sec"]),
    off("mssql.agdb.compression.decompressions", "blocks", &["Log Decompressions/sec"]),
];
