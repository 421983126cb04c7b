//! A provider of performance counters for tests.

pub mod layout;
