//! `url.check.*`: whether web servers answer as they should: those that hbs assigned (`url.check.health`), and those of
//! `checks.urls`. Says nothing without them.
//!
//! A few at a time ([`turns`]), each with its own time limit, on a runtime of this collector ([`crate::web`]). A
//! cycle has an end of its own ([`deadline`]): what gets no turn before it, or was cut off by it, has no value, for nothing is
//! known of it, and the next cycle begins there. Kept between two cycles are the runtime and what this host trusts; no
//! connection is.

mod turns;

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::runtime::Runtime;

use super::{Collector, Context, Cx, Lane, Spec};
use crate::app;
use crate::assigned::Assigned;
use crate::assigned::check::UrlCheck;
use crate::config::checks::{self, Statuses};
use crate::config::{NameSet, WebAddress, without_login};
use crate::model::{Metric, Sets, Tags};
use crate::web::client::{Ask, Asked, Client};
use crate::web::tls::Verdict;
use turns::{Turn, take_turns};

/// The longest time limit of a check, in seconds.
const LONGEST_S: u32 = 60;
/// A cycle of a shorter step may take as long as one of this: its checks have their time, and the buckets it spans no value.
const LEAST_STEP_S: u32 = 60;
/// What a cycle leaves of its step, so that the next one begins in its own bucket.
const SPARE_S: u32 = 5;

const HTTP: &str = "a request by HTTP(S)";
const CERTIFICATE: &str = "the certificate that the server shows";

const HEALTH: Metric = Metric::gauge("url.check.health", "1", Sets::ALL, "a HEAD request by HTTP(S)")
    .tags(&["url", "timeout", "src"])
    .help("assigned by hbs: 1 where the URL is answered with 200 in time, by a server whose certificate is verified");
const UP: Metric = Metric::gauge("url.check.up", "1", Sets::EXTENDED, HTTP)
    .tags(&["url"])
    .help("of `checks.urls`: 1 where it is answered in time, with the status and the body that it should have, by a server whose certificate is verified");
const STATUS: Metric = Metric::gauge("url.check.status", "1", Sets::EXTENDED, HTTP)
    .tags(&["url"])
    .help("of `checks.urls`: status of the answer; none without one");
const TIME: Metric = Metric::gauge("url.check.time", "ms", Sets::EXTENDED, HTTP)
    .tags(&["url"])
    .help("of `checks.urls`: from the question for the name to the answer's head, or, with `body`, to what was looked for in its body or the end of it");
const DAYS: Metric = Metric::gauge("url.check.cert.days", "days", Sets::EXTENDED, CERTIFICATE).tags(&["url"]).help(
    "of `checks.urls`: until the server's certificate expires, also where it fails verification; negative afterwards",
);
const VERIFIED: Metric = Metric::gauge("url.check.cert.ok", "1", Sets::EXTENDED, CERTIFICATE)
    .tags(&["url"])
    .help("of `checks.urls`: 1 where what this host trusts verifies the server's certificate for this name and time; none where that cannot be found out");

const CONFIGURED: [Metric; 5] = [UP, STATUS, TIME, DAYS, VERIFIED];

pub(super) const SPEC: Spec = Spec {
    name: "url",
    check: "",
    lane: Lane::Url,
    rates: false,
    metrics: &[HEALTH, UP, STATUS, TIME, DAYS, VERIFIED],
    options: &[],
    open: |cx: &Context| Ok(Some(Box::new(Urls::new(cx, Client::of_system())))),
};

/// How long a cycle may take.
pub(crate) fn deadline(step: u32) -> Duration {
    Duration::from_secs(deadline_s(step).into())
}

fn deadline_s(step: u32) -> u32 {
    step.max(LEAST_STEP_S) - SPARE_S
}

/// What a check may take of a cycle: a bit less than all of it, so that the first are late rather than cut off.
fn longest_s(step: u32) -> u32 {
    LONGEST_S.min(deadline_s(step) - 1)
}

struct Urls {
    assigned: Arc<Assigned>,
    configured: Vec<Configured>,
    /// What the administrator should know of the configuration.
    remarks: Vec<(String, &'static str)>,
    client: Arc<Client>,
    /// Made for the first check.
    runtime: Option<Runtime>,
    /// The check that gets the first turn.
    first: usize,
}

/// An entry of `checks.urls`.
struct Configured {
    what: String,
    tags: Tags,
    status: Vec<Statuses>,
    limit_s: u32,
    ask: Ask,
}

enum Check<'a> {
    Assigned(&'a UrlCheck),
    Configured(&'a Configured),
}

impl Urls {
    fn new(cx: &Context, client: Client) -> Urls {
        let (mut configured, mut remarks) = (Vec::<Configured>::new(), Vec::new());
        for url in &cx.config.checks.urls {
            let Some(check) = Configured::of(url) else { continue };
            if configured.iter().any(|other| other.tags == check.tags) {
                remarks.push((
                    check.what,
                    "another entry has the same tag; it is left out until it has a `name` of its own",
                ));
            } else {
                configured.push(check);
            }
        }
        if !configured.is_empty() && !cx.config.collector.names.contains(&NameSet::Extended) {
            remarks
                .push(("checks.urls".to_owned(), "its metrics are of the set `extended`, which collector.names lacks"));
        }
        Urls { assigned: cx.assigned.clone(), configured, remarks, client: Arc::new(client), runtime: None, first: 0 }
    }
}

/// By whoever ends or reloads the agent, on its event loop, where no runtime may be waited for. This one has nothing to do.
impl Drop for Urls {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Configured {
    /// `None`: no URL, which the reader of the configuration has told.
    fn of(url: &checks::Url) -> Option<Configured> {
        let shown = if url.name.is_empty() { without_login(url.url.expose()) } else { url.name.clone() };
        let ask = Ask {
            address: WebAddress::parse(url.url.expose()).ok()?,
            method: Method::from_bytes(url.method.as_bytes()).ok()?,
            body: url.body.clone(),
            verify: url.verify,
        };
        Some(Configured {
            tags: Tags::of(&[("url", &shown)]),
            what: format!("checks.urls {shown}"),
            status: url.status.clone(),
            limit_s: url.timeout,
            ask,
        })
    }

    fn report(&self, cx: &mut Cx<'_>, asked: Asked) {
        let Asked { certificate, status, took, mut failure } = asked;
        if let Some(status) = status {
            cx.emit(&STATUS, &self.tags, f64::from(status));
            if !self.status.iter().any(|expected| expected.contains(status)) {
                failure = Some(format!("it answers {status}"));
            }
        }
        if let Some(took) = took {
            cx.emit(&TIME, &self.tags, took.as_secs_f64() * 1000.0);
        }
        if let Some(seen) = certificate {
            match seen.verdict {
                Verdict::Good => cx.emit(&VERIFIED, &self.tags, 1.0),
                Verdict::Bad(_) => cx.emit(&VERIFIED, &self.tags, 0.0),
                Verdict::Unknown(_) => {}
            }
            match seen.days {
                Ok(days) => cx.emit(&DAYS, &self.tags, days),
                Err(why) => cx.remark(format!("{} certificate", self.what), why),
            }
            if let Some(why) = seen.verdict.why().filter(|_| failure.is_none()) {
                cx.remark(self.what.as_str(), format!("certificate: {why}"));
            }
        }
        cx.emit(&UP, &self.tags, bool(failure.is_none()));
        if let Some(why) = failure {
            cx.problem(self.what.as_str(), why);
        }
    }
}

impl Check<'_> {
    fn what(&self) -> String {
        match self {
            Check::Assigned(check) => without_login(&check.url),
            Check::Configured(check) => check.what.clone(),
        }
    }

    /// What to ask, and within which time.
    fn ask(&self, cx: &mut Cx<'_>) -> Result<(Ask, Duration), String> {
        let (ask, limit_s) = match self {
            Check::Configured(check) => (check.ask.clone(), check.limit_s.into()),
            Check::Assigned(check) => {
                let address = WebAddress::parse(&check.url).map_err(|why| format!("cannot be asked for: {why}"))?;
                (Ask { address, method: Method::HEAD, body: String::new(), verify: true }, check.timeout_s)
            }
        };
        if limit_s <= 0 {
            return Err("its time limit leaves no time".to_owned());
        }
        let longest = longest_s(cx.tick.step);
        if limit_s > longest.into() {
            let why = format!("its time limit is more than a cycle has for one; {longest} s are used");
            cx.remark(format!("{} timeout", self.what()), why);
        }
        Ok((ask, Duration::from_secs(u32::try_from(limit_s).unwrap_or(longest).min(longest).into())))
    }

    fn report(&self, cx: &mut Cx<'_>, asked: Asked) {
        let check = match self {
            Check::Configured(check) => return check.report(cx, asked),
            Check::Assigned(check) => check,
        };
        let wrong = asked.status.filter(|status| *status != 200).map(|status| format!("it answers {status}"));
        let failure = asked.failure.or(wrong);
        cx.emit(&HEALTH, &check.tags, bool(failure.is_none()));
        if let Some(why) = failure {
            cx.problem(self.what(), why);
        }
    }
}

impl Collector for Urls {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        for (what, why) in &self.remarks {
            cx.remark(what.as_str(), why);
        }
        let assigned = self.assigned.checks();
        let assigned = assigned.urls.iter().filter(|_| cx.wants(&HEALTH)).map(Check::Assigned);
        let is_wanted = CONFIGURED.iter().any(|metric| cx.wants(metric));
        let configured = self.configured.iter().filter(|_| is_wanted).map(Check::Configured);
        let checks: Vec<Check<'_>> = assigned.chain(configured).collect();
        if checks.is_empty() {
            return Ok(());
        }
        let mut asks = Vec::with_capacity(checks.len());
        let mut answers: Vec<Option<Asked>> = checks.iter().map(|_| None).collect();
        let first = self.first % checks.len();
        let order = || (first..checks.len()).chain(0..first);
        for n in order() {
            let (Some(check), Some(answer)) = (checks.get(n), answers.get_mut(n)) else { continue };
            match check.ask(cx) {
                Ok((ask, limit)) => asks.push(Turn { n, ask, limit }),
                Err(why) => *answer = Some(Asked { failure: Some(why), ..Asked::default() }),
            }
        }
        let runtime = match &self.runtime {
            Some(runtime) => runtime,
            None => self.runtime.insert(app::runtime()?),
        };
        let time = deadline(cx.tick.step);
        for (n, asked) in runtime.block_on(take_turns(&self.client, asks, time)) {
            if let Some(answer) = answers.get_mut(n) {
                *answer = Some(asked);
            }
        }
        let mut missed = None;
        for n in order() {
            let (Some(check), Some(answer)) = (checks.get(n), answers.get_mut(n)) else { continue };
            match answer.take() {
                Some(asked) => check.report(cx, asked),
                None => {
                    missed.get_or_insert(n);
                }
            }
        }
        if missed.is_some() {
            let why = format!(
                "not all get their turn within {} s; those that do not are left out: shorter time limits are of use",
                time.as_secs()
            );
            cx.problem("checks of a cycle", why);
        }
        // Who has waited longest is first.
        self.first = missed.unwrap_or(0);
        Ok(())
    }
}

fn bool(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[cfg(test)]
mod tests;
