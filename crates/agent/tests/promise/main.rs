//! The promise, as a property: whatever faults come in whatever order, a model of graph and judge holds every point that
//! was taken in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../harness/items.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod items;
#[path = "../harness/model.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod model;

mod backends;
