//! What shows or changes the agent itself: `/config`, `/config/reload` and `/exit`, for those whom [`access`](super::access)
//! lets in; `/ips` and `/workdir` for everybody, and `/run`, which never runs anything.
//!
//! The handlers only ask: what runs the agent does it, as it does what a signal asks for. Bodies are the Go agent's.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Response, answer, plain};
use super::api::{data, message};
use super::{Site, plugins};
use crate::config::Config;

/// What is asked of the agent through its port.
#[derive(Debug)]
pub enum Command {
    /// To end, as by a signal.
    Exit,
    /// To read its configuration again; answers the one that is then in effect, or why nothing was changed.
    Reload(oneshot::Sender<Reloaded>),
}

pub type Reloaded = Result<Box<Config>, String>;

/// Where commands go.
pub type Commands = mpsc::Sender<Command>;

/// Commands that wait to be heard.
pub const COMMANDS: usize = 8;

pub(super) const EXIT: &str = "/exit";
pub(super) const CONFIG: &str = "/config";
pub(super) const RELOAD: &str = "/config/reload";

/// Whether a path is for those only who may change the agent.
pub(super) fn is_for_few(path: &str) -> bool {
    path == CONFIG || changes(path)
}

/// Whether the agent is another after it.
pub(super) fn changes(path: &str) -> bool {
    [EXIT, RELOAD].contains(&path) || plugins::fetches(path)
}

/// What the others get.
pub(super) fn no_privilege(status: StatusCode) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    answer(status, &headers, Bytes::from_static(b"no privilege"))
}

pub(super) async fn exit(site: Arc<Site>) -> Response {
    match site.commands.send(Command::Exit).await {
        // The server ends after the answers that it owes.
        Ok(()) => plain("exiting..."),
        Err(_) => message("the agent ends already"),
    }
}

pub(super) fn config(site: &Site) -> Response {
    data(&site.config)
}

pub(super) async fn reload(site: Arc<Site>) -> Response {
    let (reply, outcome) = oneshot::channel();
    // Nothing of this server may be needed for its successor to begin.
    let commands = site.commands.clone();
    drop(site);
    if commands.send(Command::Reload(reply)).await.is_err() {
        return message("the agent ends");
    }
    match outcome.await {
        Ok(Ok(config)) => data(dump(&config)),
        Ok(Err(why)) => message(&why),
        Err(_) => message("the agent ends"),
    }
}

/// `null` until hbs has told; an empty list is that of an empty text, as the Go agent splits it.
pub(super) fn ips(site: &Site) -> Response {
    let shown = site.trusted.list().map(|listed| match listed.as_slice() {
        [] => vec![String::new()],
        listed => listed.iter().map(ToString::to_string).collect(),
    });
    data(shown.map_or(Value::Null, Value::from))
}

pub(super) fn workdir() -> Response {
    match std::env::current_exe() {
        Ok(exe) => data(exe.parent().unwrap_or(&exe).to_string_lossy()),
        Err(error) => message(&error.to_string()),
    }
}

pub(super) fn index() -> Response {
    answer(StatusCode::MOVED_PERMANENTLY, &[(header::LOCATION, "./")], Bytes::new())
}

/// The configuration as it may be seen, with `heartbeat.addr` as scripts for the Go agent look for it.
pub(super) fn dump(config: &Config) -> Value {
    let mut value = config.without_credentials().to_value();
    if let Some(heartbeat) = value.get_mut("heartbeat").and_then(Value::as_object_mut) {
        heartbeat.insert("addr".to_owned(), config.heartbeat.addrs.first().cloned().unwrap_or_default().into());
    }
    value
}
