//! `mssql.tran.*`: transactions of the whole instance, and the versions of rows that they keep in tempdb.

use super::table::{DETAIL, Object, kilobytes, of, shown, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const TRANSACTIONS: &str = "Transactions";

pub(super) const OBJECTS: &[Object] =
    &[Object::new(TRANSACTIONS, &LINES), Object::new(TRANSACTIONS, &DETAIL_LINES).class(Class::Detail)];

const LINES: [Line; 4] = [
    shown("mssql.tran.active", "transactions", of!("Transactions", "Transactions")),
    shown("mssql.tran.longest_running", "s", of!("Transactions", "Longest Transaction Running Time"))
        .meaning("age of the oldest transaction, where one reads versions of rows"),
    kilobytes("mssql.tran.tempdb_free", of!("Transactions", "Free Space in tempdb (KB)")),
    kilobytes("mssql.tran.version_store.size", of!("Transactions", "Version Store Size (KB)"))
        .quiet()
        .meaning("in tempdb; from its first use on"),
];

const DETAIL_LINES: [Line; 8] = [
    shown("mssql.tran.snapshot", "transactions", of!("Transactions", "Snapshot Transactions")).option(DETAIL),
    shown("mssql.tran.nonsnapshot", "transactions", of!("Transactions", "NonSnapshot Version Transactions"))
        .option(DETAIL),
    shown("mssql.tran.update_snapshot", "transactions", of!("Transactions", "Update Snapshot Transactions"))
        .option(DETAIL),
    shown("mssql.tran.update_conflict_ratio", "%", of!("Transactions", "Update conflict ratio")).option(DETAIL),
    total("mssql.tran.version_store.units_created", "units", of!("Transactions", "Version Store unit creation"))
        .quiet()
        .option(DETAIL),
    total("mssql.tran.version_store.truncated", "units", of!("Transactions", "Version Store unit truncation"))
        .quiet()
        .option(DETAIL),
    total("mssql.tran.version.generation_rate", "B", of!("Transactions", "Version Generation rate (KB/s)"))
        .times(1024.0)
        .quiet()
        .option(DETAIL)
        .meaning("what was written to the version store; the graph shows it per second"),
    total("mssql.tran.version.cleanup_rate", "B", of!("Transactions", "Version Cleanup rate (KB/s)"))
        .times(1024.0)
        .quiet()
        .option(DETAIL)
        .meaning("what was removed from the version store; the graph shows it per second"),
];
