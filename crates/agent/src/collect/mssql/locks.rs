//! `mssql.locks.*`, `.latches.*`.

use super::table::{DETAIL, LOCK_RESOURCES, Label, Object, Rows, shown, small, total};
use crate::collect::Class;
use crate::perf::meter::Line;

const LOCKS: &str = "Locks";
const LATCHES: &str = "Latches";

pub(super) const OBJECTS: &[Object] = &[
    Object::new(LOCKS, &LOCK_LINES),
    Object::new(LOCKS, &RESOURCE_LINES).rows(Rows::Each, Label::With("resource", small)).class(Class::Detail),
    Object::new(LATCHES, &LATCH_LINES),
    Object::new(LATCHES, &LATCH_DETAIL).class(Class::Detail),
];

const REQUESTS: &[&str] = &["Lock Requests/sec"];
const TIMEOUTS: &[&str] = &["Lock Timeouts/sec"];
const NONZERO: &[&str] = &["Lock Timeouts (timeout > 0)/sec"];
const WAITS: &[&str] = &["Lock Waits/sec"];
const DEADLOCKS: &[&str] = &["Number of Deadlocks/sec"];
const WAIT_TIME: &[&str] = &["Lock Wait Time (ms)"];
const AVERAGE: &[&str] = &["Average Wait Time (ms)"];

const LOCK_LINES: [Line; 7] = [
    total(LOCKS, "mssql.locks.requests", "locks", REQUESTS),
    total(LOCKS, "mssql.locks.timeouts", "locks", TIMEOUTS),
    total(LOCKS, "mssql.locks.timeouts.nonzero", "locks", NONZERO)
        .meaning("without those that were not to be waited for"),
    total(LOCKS, "mssql.locks.waits", "locks", WAITS),
    total(LOCKS, "mssql.locks.deadlocks", "deadlocks", DEADLOCKS),
    total(LOCKS, "mssql.locks.wait_time", "ms", WAIT_TIME)
        .meaning("the graph shows milliseconds that were waited in a second"),
    shown(LOCKS, "mssql.locks.wait_time.avg", "ms", AVERAGE).meaning("of a wait, in the interval"),
];

const fn of_resource(name: &'static str, unit: &'static str, counters: &'static [&'static str]) -> Line {
    total(LOCKS, name, unit, counters).tagged(&["instance", "resource"]).option(LOCK_RESOURCES)
}

/// Names of their own: an alarm on the sum must not take in its parts.
const RESOURCE_LINES: [Line; 7] = [
    of_resource("mssql.locks.resource.requests", "locks", REQUESTS),
    of_resource("mssql.locks.resource.timeouts", "locks", TIMEOUTS),
    of_resource("mssql.locks.resource.timeouts.nonzero", "locks", NONZERO),
    of_resource("mssql.locks.resource.waits", "locks", WAITS),
    of_resource("mssql.locks.resource.deadlocks", "deadlocks", DEADLOCKS),
    of_resource("mssql.locks.resource.wait_time", "ms", WAIT_TIME),
    shown(LOCKS, "mssql.locks.resource.wait_time.avg", "ms", AVERAGE)
        .tagged(&["instance", "resource"])
        .option(LOCK_RESOURCES),
];

const LATCH_LINES: [Line; 3] = [
    total(LATCHES, "mssql.latches.waits", "latches", &["Latch Waits/sec"]),
    total(LATCHES, "mssql.latches.wait_time", "ms", &["Total Latch Wait Time (ms)"]),
    shown(LATCHES, "mssql.latches.wait_time.avg", "ms", &["Average Latch Wait Time (ms)"])
        .meaning("of a wait, in the interval"),
];

const LATCH_DETAIL: [Line; 3] = [
    shown(LATCHES, "mssql.latches.super", "latches", &["Number of SuperLatches"]).option(DETAIL),
    total(LATCHES, "mssql.latches.super.promotions", "latches", &["SuperLatch Promotions/sec"]).option(DETAIL),
    total(LATCHES, "mssql.latches.super.demotions", "latches", &["SuperLatch Demotions/sec"]).option(DETAIL),
];
