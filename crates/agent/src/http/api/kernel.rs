//! The endpoint, the kernel's version, and its limits (Linux).

use std::sync::Arc;

use falcon_sys::types::KernelLimits;

use super::super::Site;
use super::super::answer::Response;
use super::{data, message, told};

/// The name under which points are sent.
pub(super) fn hostname(site: &Site) -> Response {
    match site.identity.endpoint() {
        Ok(name) => data(name),
        Err(error) => message(&format!("{error:#}")),
    }
}

pub(super) async fn version(site: Arc<Site>) -> Response {
    told(site.facts.ask(&site.facts.version, falcon_sys::Host::kernel_version).await)
}

pub(super) async fn max_files(site: Arc<Site>) -> Response {
    limit(&site, |limits| limits.max_files).await
}

pub(super) async fn max_proc(site: Arc<Site>) -> Response {
    limit(&site, |limits| limits.max_proc).await
}

async fn limit(site: &Site, of: fn(&KernelLimits) -> Option<u64>) -> Response {
    let limits = site.facts.ask(&site.facts.limits, falcon_sys::Host::kernel_limits).await;
    told(limits.and_then(|limits| of(&limits).ok_or_else(|| "the kernel does not tell it".to_owned())))
}
