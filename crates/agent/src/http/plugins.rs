//! `/plugins` for everybody, as the Go agent answers it and with what each plugin is about; `/plugin/update` and `/plugin/reset`
//! for those whom [`access`](super::access) lets in, with the Go agent's words.
//!
//! Who may not update gets 403, not the 200 of [`admin`](super::admin): a script that only looks at the status notices.

use std::sync::Arc;

use super::Site;
use super::access;
use super::answer::{Response, plain};
use super::api::data;
use super::routes::Asked;
use crate::plugin::engine::Fetch;

pub(super) const PLUGINS: &str = "/plugins";
pub(super) const UPDATE: &str = "/plugin/update";
pub(super) const RESET: &str = "/plugin/reset";

/// Whether a path fetches plugins.
pub(super) fn fetches(path: &str) -> bool {
    [UPDATE, RESET].contains(&path)
}

/// What programs have said is for those only who may change the agent.
pub(super) fn shown(site: &Site, asked: &Asked) -> Response {
    let whole = access::privilege(site, asked).is_ok();
    data(site.plugins.as_ref().map(|engine| engine.shown(whole)).unwrap_or_default())
}

pub(super) async fn fetch(site: Arc<Site>, what: Fetch) -> Response {
    let engine = site.plugins.clone();
    // It may take minutes, in which this server may get a successor.
    drop(site);
    match engine {
        Some(engine) => plain(engine.fetch(what).await.err().as_deref().unwrap_or("success")),
        None => plain("plugin not enabled"),
    }
}
