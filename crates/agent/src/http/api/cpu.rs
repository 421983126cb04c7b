//! How many processors there are, how fast, and how busy they were over one second.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use falcon_sys::Host;
use serde_json::{Value, json};

use super::super::Site;
use super::super::answer::Response;
use super::{NOT_PREPARED, Told, data, message, number, told};
use crate::collect::cpu::{Shares, shares};
use crate::model::Platform;

/// Between two readings, as the Go agent's sampler has it.
const SECOND: Duration = Duration::from_secs(1);

/// `None`: no processor time has passed.
pub(super) type Usage = Option<Shares>;

fn measure(host: &mut Host) -> io::Result<Usage> {
    let before = host.cpu_stat()?.times;
    thread::sleep(SECOND);
    let now = host.cpu_stat()?.times;
    Ok((before != now).then(|| shares(&before, &now, Platform::CURRENT)))
}

async fn measured(site: &Site) -> Told<Shares> {
    let usage = site.facts.ask(&site.facts.cpu, measure).await?;
    usage.ok_or_else(|| NOT_PREPARED.to_owned())
}

pub(super) async fn usage(site: Arc<Site>) -> Response {
    told(measured(&site).await.map(|shares| object(&shares)))
}

pub(super) async fn page(site: Arc<Site>) -> Response {
    told(measured(&site).await.map(|shares| [row(&shares)]))
}

pub(super) fn object(of: &Shares) -> Value {
    json!({
        "busy": number(of.busy),
        "guest": number(of.guest),
        "idle": number(of.idle),
        "iowait": number(of.iowait),
        "irq": number(of.irq),
        "nice": number(of.nice),
        "softirq": number(of.softirq),
        "steal": number(of.steal),
        "system": number(of.system),
        "user": number(of.user),
    })
}

pub(super) fn row(of: &Shares) -> [String; 10] {
    [of.idle, of.busy, of.user, of.nice, of.system, of.iowait, of.irq, of.softirq, of.steal, of.guest]
        .map(|share| format!("{share:.1}%"))
}

/// Of the host: also where the agent itself may use fewer.
pub(super) async fn processors(site: &Site) -> Told<u32> {
    site.facts.ask(&site.facts.processors, |host| Ok(host.cpu_stat()?.count)).await
}

pub(super) async fn count(site: Arc<Site>) -> Response {
    told(processors(&site).await)
}

/// A text, as it stands in `/proc/cpuinfo`; the mean of the processors, for they differ from one moment to the next. Where the
/// system does not tell it, `EOF` is what the Go agent says.
pub(super) async fn mhz(site: Arc<Site>) -> Response {
    let mhz = site.facts.ask(&site.facts.mhz, |host| host.cpu_mhz().map(|mhz| format!("{mhz:.3}")));
    mhz.await.map_or_else(|_| message("EOF"), data)
}
