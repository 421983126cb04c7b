//! The Open-Falcon servers: what is sent to them, and how they answer.

pub mod connection;
pub mod hbs;
pub mod rpc;
pub mod transfer;
pub mod wire;
