//! `mssql.locks.*`, `.latches.*`.

use super::table::{DETAIL, From, LOCK_RESOURCES, Label, Object, Rows, of, shown, small, total};
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

const REQUESTS: From = of!("Locks", "Lock Requests/sec");
const TIMEOUTS: From = of!("Locks", "Lock Timeouts/sec");
const NONZERO: From = of!("Locks", "Lock Timeouts (timeout > 0)/sec");
const WAITS: From = of!("Locks", "Lock Waits/sec");
const DEADLOCKS: From = of!("Locks", "Number of Deadlocks/sec");
const WAIT_TIME: From = of!("Locks", "Lock Wait Time (ms)");
const AVERAGE: From = of!("Locks", "Average Wait Time (ms)");

const LOCK_LINES: [Line; 7] = [
    total("mssql.locks.requests", "locks", REQUESTS),
    total("mssql.locks.timeouts", "locks", TIMEOUTS),
    total("mssql.locks.timeouts.nonzero", "locks", NONZERO).meaning("without those that were not to be waited for"),
    total("mssql.locks.waits", "locks", WAITS),
    total("mssql.locks.deadlocks", "deadlocks", DEADLOCKS),
    total("mssql.locks.wait_time", "ms", WAIT_TIME)
        .meaning("the graph shows milliseconds that were waited in a second"),
    shown("mssql.locks.wait_time.avg", "ms", AVERAGE).meaning("of a wait, in the interval"),
];

const fn of_resource(name: &'static str, unit: &'static str, from: From) -> Line {
    total(name, unit, from).tagged(&["instance", "resource"]).option(LOCK_RESOURCES)
}

/// Names of their own: an alarm on the sum must not take in its parts.
const RESOURCE_LINES: [Line; 7] = [
    of_resource("mssql.locks.resource.requests", "locks", REQUESTS),
    of_resource("mssql.locks.resource.timeouts", "locks", TIMEOUTS),
    of_resource("mssql.locks.resource.timeouts.nonzero", "locks", NONZERO),
    of_resource("mssql.locks.resource.waits", "locks", WAITS),
    of_resource("mssql.locks.resource.deadlocks", "deadlocks", DEADLOCKS),
    of_resource("mssql.locks.resource.wait_time", "ms", WAIT_TIME),
    shown("mssql.locks.resource.wait_time.avg", "ms", AVERAGE).tagged(&["instance", "resource"]).option(LOCK_RESOURCES),
];

const LATCH_LINES: [Line; 3] = [
    total("mssql.latches.waits", "latches", of!("Latches", "Latch Waits/sec")),
    total("mssql.latches.wait_time", "ms", of!("Latches", "Total Latch Wait Time (ms)")),
    shown("mssql.latches.wait_time.avg", "ms", of!("Latches", "Average Latch Wait Time (ms)"))
        .meaning("of a wait, in the interval"),
];

const LATCH_DETAIL: [Line; 3] = [
    shown("mssql.latches.super", "latches", of!("Latches", "Number of SuperLatches")).option(DETAIL),
    total("mssql.latches.super.promotions", "latches", of!("Latches", "SuperLatch Promotions/sec")).option(DETAIL),
    total("mssql.latches.super.demotions", "latches", of!("Latches", "SuperLatch Demotions/sec")).option(DETAIL),
];
