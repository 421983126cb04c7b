//! Performance counters: from the bytes of an answer to numbers, on every platform and without a call.
//!
//! [`parse`] reads what HKEY_PERFORMANCE_DATA answers and selects the rows that are wanted ([`rows`]); [`formula`] says what a
//! counter's number means by its type, and [`meter`] ties it to a metric and remembers the reading before.

pub mod client;
pub mod formula;
pub mod meter;
pub mod names;
pub mod parse;
pub mod reader;
pub mod rows;

#[cfg(test)]
pub(crate) mod fake;
