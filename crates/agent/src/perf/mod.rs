//! Performance counters: from the bytes of an answer to numbers, on every platform and without a call.
//!
//! [`parse`] reads what HKEY_PERFORMANCE_DATA answers and selects the rows that are wanted ([`rows`]); [`formula`] says what a
//! counter's number means by its type, and [`meter`] ties it to a metric and remembers the reading before.

pub mod breaker;
pub mod child;
pub mod client;
pub mod formula;
pub mod link;
pub mod meter;
pub mod parse;
pub mod protocol;
pub mod rows;
pub mod turns;
pub mod worker;

#[cfg(test)]
pub(crate) mod fake;
