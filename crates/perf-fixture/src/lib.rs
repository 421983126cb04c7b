//! What providers of performance counters answer, written for tests.

pub mod layout;
