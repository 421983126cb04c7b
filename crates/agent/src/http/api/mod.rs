//! What the Go agent's pages and scripts ask of the host: `/page/*`, `/proc/*`, `/system/date`. Shapes, names and texts are
//! that agent's (falcon-plus, `modules/agent/http`); on Windows what it does not know is 0 or a message.
//!
//! The system is read on a thread that may be lost, one reading of a kind at a time: many who ask share an answer, and one
//! that hangs costs who waits for it a few seconds and no second thread.

mod cpu;
pub(super) mod disk;
mod kernel;
mod memory;
mod system;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use falcon_sys::Host;
use falcon_sys::types::KernelLimits;
use hyper::{StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use super::answer::{Response, answer};
use super::routes::{Route, at_once};
use super::ui::live::Live;
use crate::app::aside::Aside;
use crate::app::task;

/// How long an answer serves.
const FRESH: Duration = Duration::from_secs(1);
/// For a file of the system or a call.
const SOON: Duration = Duration::from_secs(5);
/// For what is not there yet, as the Go agent says it.
const NOT_PREPARED: &str = "not prepared";

/// What is known of the host, and how it is asked. It outlives a configuration: so do threads that hang.
pub struct Facts {
    host: Host,
    cpu: Arc<Fact<cpu::Usage>>,
    processors: Arc<Fact<u32>>,
    mhz: Arc<Fact<String>>,
    memory: Arc<Fact<memory::Memory>>,
    load: Arc<Fact<system::Load>>,
    limits: Arc<Fact<KernelLimits>>,
    version: Arc<Fact<String>>,
    df: disk::Df,
    disks: disk::Disks,
    pub(super) live: Arc<Live>,
}

impl Facts {
    pub fn new(host: Host) -> Facts {
        let disks = disk::Disks::new();
        Facts {
            live: Live::new(host.clone(), disks.probes()),
            host,
            cpu: Fact::new("page cpu"),
            processors: Fact::new("page cpus"),
            mhz: Fact::new("page mhz"),
            memory: Fact::new("page memory"),
            load: Fact::new("page load"),
            limits: Fact::new("page limits"),
            version: Fact::new("page kernel"),
            df: disk::Df::new(),
            disks,
        }
    }

    /// Asks the host.
    async fn ask<T: Clone + Send + 'static>(
        &self,
        fact: &Arc<Fact<T>>,
        question: impl FnOnce(&mut Host) -> std::io::Result<T> + Send + 'static,
    ) -> Told<T> {
        let mut host = self.host.clone();
        fact.tell(SOON, move || question(&mut host).map_err(|error| error.to_string())).await
    }
}

/// What was learned, or why it was not.
type Told<T> = Result<T, String>;

/// What was learned last, and when.
type Last<T> = (Instant, Told<T>);

/// One thing to be learned of the host.
struct Fact<T> {
    aside: Aside,
    last: Arc<Mutex<Option<Last<T>>>>,
}

impl<T: Clone + Send + 'static> Fact<T> {
    fn new(name: &'static str) -> Arc<Fact<T>> {
        Arc::new(Fact { aside: Aside::new(name), last: Arc::default() })
    }

    /// What was learned within the last second, else the answer to `question`, if it comes within `limit`.
    async fn tell(self: &Arc<Self>, limit: Duration, question: impl FnOnce() -> Told<T> + Send + 'static) -> Told<T> {
        // Who has hung up waits no more.
        let mut last = self.last.clone().lock_owned().await;
        if let Some((at, told)) = &*last
            && at.elapsed() < FRESH
        {
            return told.clone();
        }
        let fact = self.clone();
        // A task of its own: it goes on when who asked has hung up, and whoever asks next waits for it.
        let (back, answer) = oneshot::channel();
        task::spawn(async move {
            let told = fact.aside.ask(limit, question).await.unwrap_or_else(|error| Err(format!("{error:#}")));
            *last = Some((Instant::now(), told.clone()));
            // Who has hung up hears nothing.
            let _ = back.send(told);
        });
        answer.await.unwrap_or_else(|_| Err("failed by a defect".to_owned()))
    }
}

pub(super) static ROUTES: [Route; 17] = [
    Route { path: "/proc/cpu/num", answer: |site, _| Box::pin(cpu::count(site)) },
    Route { path: "/proc/cpu/mhz", answer: |site, _| Box::pin(cpu::mhz(site)) },
    Route { path: "/proc/cpu/usage", answer: |site, _| Box::pin(cpu::usage(site)) },
    Route { path: "/page/cpu/usage", answer: |site, _| Box::pin(cpu::page(site)) },
    Route { path: "/page/df", answer: |site, _| Box::pin(disk::df(site)) },
    Route { path: "/page/diskio", answer: |site, _| Box::pin(disk::io(site)) },
    Route { path: "/page/memory", answer: |site, _| Box::pin(memory::page(site)) },
    Route { path: "/proc/memory", answer: |site, _| Box::pin(memory::bytes(site)) },
    Route { path: "/page/system/loadavg", answer: |site, _| Box::pin(system::load_page(site)) },
    Route { path: "/proc/system/loadavg", answer: |site, _| Box::pin(system::load(site)) },
    Route { path: "/page/system/uptime", answer: |_, _| at_once(system::uptime_page()) },
    Route { path: "/proc/system/uptime", answer: |_, _| at_once(system::uptime()) },
    Route { path: "/system/date", answer: |_, _| at_once(system::date()) },
    Route { path: "/proc/kernel/hostname", answer: |site, _| at_once(kernel::hostname(&site)) },
    Route { path: "/proc/kernel/maxproc", answer: |site, _| Box::pin(kernel::max_proc(site)) },
    Route { path: "/proc/kernel/maxfiles", answer: |site, _| Box::pin(kernel::max_files(site)) },
    Route { path: "/proc/kernel/version", answer: |site, _| Box::pin(kernel::version(site)) },
];

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

/// `{"msg":"success","data":...}`.
pub(super) fn data(data: impl Serialize) -> Response {
    wrapped(&Envelope { msg: "success", data: Some(data) })
}

/// `{"msg":"..."}`: why there are no data.
pub(super) fn message(msg: &str) -> Response {
    wrapped(&Envelope::<()> { msg, data: None })
}

fn told<T: Serialize>(told: Told<T>) -> Response {
    told.map_or_else(|why| message(&why), data)
}

fn wrapped(body: &impl Serialize) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json; charset=UTF-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    // Plain data with text keys and finite numbers: there is nothing in it that serde_json can refuse.
    answer(StatusCode::OK, &headers, serde_json::to_vec(body).unwrap_or_default().into())
}

/// As Go writes it: 3 for 3.0.
fn number(value: f64) -> Value {
    /// Up to here every integer is a number of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { Value::from(value as i64) } else { Value::from(value) }
}
