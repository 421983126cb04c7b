//! The agent as a library: `main.rs` is a thin shell around it, so that tests, benches and fuzz targets reach everything.
#![forbid(unsafe_code)]

pub mod config;
pub mod gojson;
