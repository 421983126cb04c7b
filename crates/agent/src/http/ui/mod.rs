//! What the page at `/` is made of: its files, and what they ask for. Nothing here changes anything.

pub(super) mod assets;
mod history;
pub(super) mod live;
pub mod series;
mod state;

use hyper::{StatusCode, header};
use serde_json::{Map, Value};

use super::answer::{Response, answer};
use super::routes::{Route, at_once};

pub(super) static ROUTES: [Route; 4] = [
    Route { path: "/ui/series", answer: |site, asked| Box::pin(series::shown(site, asked)) },
    Route { path: "/ui/history", answer: |site, asked| Box::pin(history::shown(site, asked)) },
    Route { path: "/ui/state", answer: |site, asked| at_once(state::shown(&site, &asked)) },
    Route { path: "/ui/live", answer: |site, asked| at_once(live::watched(&site, &asked)) },
];

/// For what serde_json has a macro that makes code of every member.
fn object(members: Vec<(&str, Value)>) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// What is so only now.
fn json(body: impl Into<bytes::Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    answer(StatusCode::OK, &headers, body.into())
}
