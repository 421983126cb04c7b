//! `mssql.tran.*`: transactions of the whole instance, and the versions of rows that they keep in tempdb.

use super::table::{DETAIL, Object, kilobytes, shown, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const TRANSACTIONS: &str = "Transactions";

pub(super) const OBJECTS: &[Object] =
    &[Object::new(TRANSACTIONS, &LINES), Object::new(TRANSACTIONS, &DETAIL_LINES).class(Class::Detail)];

const LINES: [Line; 4] = [
    shown(TRANSACTIONS, "mssql.tran.active", "transactions", &["Transactions"]),
    shown(TRANSACTIONS, "mssql.tran.longest_running", "s", &["Longest Transaction Running Time"])
        .meaning("age of the oldest transaction, where one reads versions of rows"),
    kilobytes(TRANSACTIONS, "mssql.tran.tempdb_free", &["Free Space in tempdb (KB)"]),
    kilobytes(TRANSACTIONS, "mssql.tran.version_store.size", &["Version Store Size (KB)"])
        .quiet()
        .meaning("in tempdb; from its first use on"),
];

const DETAIL_LINES: [Line; 8] = [
    shown(TRANSACTIONS, "mssql.tran.snapshot", "transactions", &["Snapshot Transactions"]).option(DETAIL),
    shown(TRANSACTIONS, "mssql.tran.nonsnapshot", "transactions", &["NonSnapshot Version Transactions"]).option(DETAIL),
    shown(TRANSACTIONS, "mssql.tran.update_snapshot", "transactions", &["Update Snapshot Transactions"]).option(DETAIL),
    shown(TRANSACTIONS, "mssql.tran.update_conflict_ratio", "%", &["Update conflict ratio"]).option(DETAIL),
    total(TRANSACTIONS, "mssql.tran.version_store.units_created", "units", &["Version Store unit creation"])
        .quiet()
        .option(DETAIL),
    total(TRANSACTIONS, "mssql.tran.version_store.truncated", "units", &["Version Store unit truncation"])
        .quiet()
        .option(DETAIL),
    total(TRANSACTIONS, "mssql.tran.version.generation_rate", "B", &["Version Generation rate (KB/s)"])
        .times(1024.0)
        .quiet()
        .option(DETAIL)
        .meaning("what was written to the version store; the graph shows it per second"),
    total(TRANSACTIONS, "mssql.tran.version.cleanup_rate", "B", &["Version Cleanup rate (KB/s)"])
        .times(1024.0)
        .quiet()
        .option(DETAIL)
        .meaning("what was removed from the version store; the graph shows it per second"),
];
