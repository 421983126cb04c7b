//! `iis.*`: web sites and application pools of IIS.

pub(super) mod host_config;
pub(super) mod pools;
mod workers;
