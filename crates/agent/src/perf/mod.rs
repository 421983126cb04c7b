//! Performance counters: from the bytes of an answer to numbers, on every platform.
//!
//! [`parse`] reads what HKEY_PERFORMANCE_DATA answers and selects the rows that are wanted ([`rows`]); [`formula`] says what a
//! counter's number means by its type, and [`meter`] ties it to a metric and remembers the reading before. So much is pure.
//!
//! The libraries that serve counters are not to be trusted: [`reader`] asks the system by English names ([`names`]), in a process of
//! its own, [`worker`]; [`link`] is the agent's side of that, behind what collectors see of it, [`client`].
//! Performance counters of others: from the bytes of an answer to numbers, on every platform and without a call; and the process
//! that asks for them, since it has to load what others wrote.
//!
//! [`parse`] reads what HKEY_PERFORMANCE_DATA answers and selects the rows that are wanted ([`rows`]); [`formula`] says what a
//! counter's number means by its type, and [`meter`] ties it to a metric and remembers the reading before. Collectors ask a
//! [`client`]; behind it [`link`] is the agent's side and [`worker`] the other one, with [`protocol`] between them.

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
pub mod worker;

#[cfg(test)]
pub(crate) mod fake;
