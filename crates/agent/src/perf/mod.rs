//! Performance counters: from the bytes of an answer to numbers, on every platform.
//!
//! [`parse`] reads what HKEY_PERFORMANCE_DATA answers and selects the rows that are wanted ([`rows`]); [`formula`] says what a
//! counter's number means by its type, and [`meter`] ties it to a metric and remembers the reading before. So much is pure.
//!
//! The libraries that serve counters are not to be trusted: [`reader`] asks the system by English names ([`names`]), in a
//! process of its own, [`worker`]; [`link`] is the agent's side of that, behind what collectors see of it, [`client`].

pub mod breaker;
pub mod child;
pub mod client;
pub mod formula;
pub mod link;
pub mod meter;
pub mod names;
pub mod parse;
pub mod protocol;
pub mod reader;
pub mod rows;
pub mod turns;
pub mod upkeep;
pub mod worker;

#[cfg(test)]
pub(crate) mod fake;
