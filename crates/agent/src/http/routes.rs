//! What is answered under which path, and the way of a request there: [`access`](super::access), the path's answer, and what HTTP
//! wants of every answer. `docs/openapi.json` describes these paths, all of them and no others.
//!
//! A path is compared as it was sent, without its query: nothing is decoded, and no slash is added or left out. Any method is
//! answered: the Go agent looks at none.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::answer::{Refused, Response, plain, wants_json};
use super::serve::Client;
use super::{HEALTH, Site, access, admin, api, health, metrics, plugins, push, queue, ui};
use crate::plugin::engine::Fetch;

/// What is asked, and by whom.
pub(super) struct Asked {
    pub request: Request<Incoming>,
    pub client: Client,
    /// See [`access::check`].
    pub trusted: bool,
}

/// One type for all, so that hyper is in the executable once.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A path and what answers there.
pub(super) struct Route {
    pub path: &'static str,
    pub answer: fn(Arc<Site>, Asked) -> Answering,
}

static OWN: [Route; 17] = [
    Route { path: "/index.html", answer: |_, _| at_once(admin::index()) },
    Route { path: "/metrics", answer: |site, asked| Box::pin(metrics::text(site, asked)) },
    Route { path: HEALTH, answer: |site, asked| at_once(health::handle(&site, &asked)) },
    Route { path: "/version", answer: |site, _| at_once(plain(&site.identity.version)) },
    Route { path: "/workdir", answer: |_, _| at_once(admin::workdir()) },
    Route { path: "/ips", answer: |site, _| at_once(admin::ips(&site)) },
    Route { path: admin::EXIT, answer: |site, _| Box::pin(admin::exit(site)) },
    Route { path: admin::CONFIG, answer: |site, _| at_once(admin::config(&site)) },
    Route { path: admin::RELOAD, answer: |site, _| Box::pin(admin::reload(site)) },
    Route { path: "/run", answer: |_, _| at_once(plain("/run disabled")) },
    Route { path: "/v1/push", answer: |site, asked| Box::pin(push::handle(site, asked)) },
    Route { path: plugins::PLUGINS, answer: |site, asked| at_once(plugins::shown(&site, &asked)) },
    Route { path: plugins::UPDATE, answer: |site, _| Box::pin(plugins::fetch(site, Fetch::Update)) },
    Route { path: plugins::RESET, answer: |site, _| Box::pin(plugins::fetch(site, Fetch::Reset)) },
    Route { path: "/queue", answer: |site, _| Box::pin(queue::status(site)) },
    Route { path: "/queue/verify", answer: |site, _| Box::pin(queue::verify(site)) },
    Route { path: "/queue/purge", answer: |site, asked| Box::pin(queue::purge(site, asked)) },
];

pub(super) fn routes() -> impl Iterator<Item = &'static Route> {
    OWN.iter().chain(&ui::assets::ROUTES).chain(&ui::ROUTES).chain(&api::ROUTES)
}

/// For what needs no waiting.
pub(super) fn at_once(response: Response) -> Answering {
    Box::pin(ready(response))
}

/// Answers a request. A body that nobody reads is given up before the answer is known.
pub(super) async fn answer(site: Arc<Site>, client: Client, request: Request<Incoming>) -> Response {
    let method = request.method().clone();
    let mut response = match access::check(&site, &request) {
        Ok(trusted) => routed(site, Asked { request, client, trusted }).await,
        Err(refused) => *refused,
    };
    if method == Method::CONNECT && response.status().is_success() {
        // There is no tunnel, and the answer that would open one has neither body nor length.
        *response.body_mut() = Default::default();
        return response;
    }
    // RFC 9110 8.6: of a 304 it would be the length of what the client has already.
    if let Some(length) = response.body().size_hint().exact()
        && response.status() != StatusCode::NOT_MODIFIED
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if method == Method::HEAD {
        *response.body_mut() = Default::default();
    }
    response
}

async fn routed(site: Arc<Site>, asked: Asked) -> Response {
    let path = asked.request.uri().path();
    let Some(route) = routes().find(|route| route.path == path) else {
        let refused = Refused::new(StatusCode::NOT_FOUND, "404 page not found");
        return refused.answer(wants_json(asked.request.headers()));
    };
    if admin::is_for_few(path)
        && let Err(refused) = access::few(&site, &asked)
    {
        return *refused;
    }
    (route.answer)(site, asked).await
}
