//! The agent as a library: `main.rs` is a thin shell around it, so that tests, benches and fuzz targets reach everything.
#![forbid(unsafe_code)]

pub mod adopt;
pub mod app;
pub mod assigned;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod exposition;
pub mod falcon;
pub mod gojson;
pub mod guard;
pub mod http;
pub mod hub;
pub mod isolate;
pub mod log;
pub mod model;
pub mod perf;
pub mod plugin;
pub mod push;
pub mod queue;
mod say;
pub mod schedule;
pub mod service;
pub mod stats;
pub mod tick;
pub mod trusted;
pub mod upgrade;
mod web;
