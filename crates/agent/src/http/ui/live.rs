//! `/ui/live`: what the host does, one event a second, for as long as somebody watches.
//!
//! Invariants: one sampler serves all who watch; it begins with the first and ends with the last, and while nobody watches
//! nothing is read. Who takes events slowly gets the newest when he can take one, and nothing is kept for him. A stream ends
//! when the agent stops, when another configuration takes the site's place, and when its client goes or takes nothing any more. The host is read on a
//! thread that may be lost, of which there is one at most; a read that hangs costs the stream its values and nothing else.
//! Source: the HTML standard, "Server-sent events".

mod event;
mod reading;
mod top;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use falcon_sys::Host;
use falcon_sys::types::DiskIo;
use hyper::StatusCode;
use hyper::header::{self, HeaderName};
use tokio::sync::watch;
use tokio::time::Instant;

use self::reading::{Reading, Sampler};
use super::super::answer::{Refused, Response, answer, wants_json};
use super::super::api::disk::Probes;
use super::super::content::Content;
use super::super::routes::Asked;
use super::super::{Site, access};
use crate::app::aside::Aside;
use crate::app::task;
use crate::hub::Hub;
use crate::stats::{Count, Stats};

const SECOND: Duration = Duration::from_secs(1);
/// For one reading of the host; after it the stream goes on without its values.
const SOON: Duration = Duration::from_secs(3);
/// Who watch at the same time.
const MOST_WATCHERS: usize = 16;
/// Before one who found no place tries again.
const LATER: Duration = Duration::from_secs(10);

/// Says how soon a browser comes back whose stream ended.
const RETRY: Bytes = Bytes::from_static(b"retry: 3000\n\n");

/// All who watch, and what they are told. It outlives a configuration: so does a thread that hangs.
pub(in crate::http) struct Live {
    host: Host,
    disks: Probes<DiskIo>,
    aside: Aside,
    readings: Count,
    /// The newest event. Its receivers are those who watch.
    events: watch::Sender<Bytes>,
    runs: Mutex<Runs>,
}

struct Runs {
    /// `None`: no sampler runs.
    agent: Option<Agent>,
    /// When the host may be read again, whoever comes and goes.
    due: Instant,
    /// When its processes may be listed again.
    list_due: Option<std::time::Instant>,
}

/// What is told of the agent itself, by the configuration in effect.
#[derive(Clone)]
struct Agent {
    stats: Arc<Stats>,
    hub: Arc<Hub>,
}

impl Live {
    pub fn new(host: Host, disks: Probes<DiskIo>) -> Arc<Live> {
        let (events, readings) = (watch::channel(Bytes::new()).0, Count::default());
        let runs = Mutex::new(Runs { agent: None, due: Instant::now(), list_due: None });
        Arc::new(Live { host, disks, aside: Aside::new("page live"), readings, events, runs })
    }

    /// How many watch.
    pub fn watching(&self) -> usize {
        self.events.receiver_count()
    }

    /// How often the host was read since the agent began.
    pub fn readings(&self) -> u64 {
        self.readings.get()
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: there is no place.
    fn watch(self: &Arc<Live>, site: &Arc<Site>, asked: &Asked) -> Option<Feed> {
        let _one_at_a_time = self.lock();
        if self.watching() >= MOST_WATCHERS {
            return None;
        }
        let agent = Agent { stats: site.stats.clone(), hub: site.hub.clone() };
        let events = self.events.subscribe();
        let (sites, stop) = (asked.client.sites.clone(), asked.client.stop.clone());
        let watcher = Watcher { events, site: site.clone(), sites, stop };
        Some(Feed { begins: Some((self.clone(), agent, watcher)), next: None })
    }

    /// Somebody watches, and the sampler runs from now on.
    fn begin(self: &Arc<Live>, agent: Agent) {
        if self.lock().agent.replace(agent).is_none() {
            task::spawn(self.clone().run());
        }
    }

    /// What to tell of the agent, and whether it is time to; `None`: nobody watches any more, and the sampler is to end.
    fn goes_on(&self) -> Option<(Agent, bool)> {
        let (mut runs, now) = (self.lock(), Instant::now());
        if self.watching() == 0 {
            runs.agent = None;
        }
        let agent = runs.agent.clone()?;
        let is_due = now >= runs.due;
        if is_due {
            runs.due = now + SECOND;
        }
        Some((agent, is_due))
    }

    async fn run(self: Arc<Live>) {
        let mut kept: Option<Sampler> = None;
        loop {
            let due = self.lock().due;
            tokio::select! {
                () = self.events.closed() => {}
                () = tokio::time::sleep_until(due) => {}
            }
            let Some((agent, is_due)) = self.goes_on() else { return };
            if !is_due {
                // The last has left, and another has come.
                continue;
            }
            if !self.aside.is_out() {
                self.readings.add(1);
            }
            let begin = || Sampler::new(self.host.clone(), self.disks.clone(), self.lock().list_due);
            let mut sampler = kept.take().unwrap_or_else(begin);
            let read = move || {
                let reading = sampler.read();
                (sampler, reading)
            };
            let reading = match self.aside.ask(SOON, read).await {
                Ok((sampler, reading)) => {
                    self.lock().list_due = sampler.list_due();
                    kept = Some(sampler);
                    reading
                }
                // It hangs: what it had read is with it, and another begins anew when it has come back.
                Err(_) => Reading::default(),
            };
            self.events.send_replace(event::event(&reading, &agent.stats, &agent.hub));
        }
    }
}

/// The stream of one who watches. Nothing is read for it before it is asked for its first bytes, which an answer to HEAD
/// never is.
pub(in crate::http) struct Feed {
    begins: Option<(Arc<Live>, Agent, Watcher<Site>)>,
    next: Option<Next>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Watcher<Site>)>> + Send>>;

struct Watcher<T> {
    events: watch::Receiver<Bytes>,
    /// Of which it was asked, and the one in effect.
    site: Arc<T>,
    sites: watch::Receiver<Arc<T>>,
    stop: watch::Receiver<bool>,
}

impl<T> Watcher<T> {
    /// The next event, or that there is none any more.
    async fn next(mut self) -> Option<(Bytes, Watcher<T>)> {
        let told = tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => false,
            _ = self.sites.wait_for(|site| !Arc::ptr_eq(site, &self.site)) => false,
            told = self.events.changed() => told.is_ok(),
        };
        let event = told.then(|| self.events.borrow_and_update().clone())?;
        Some((event, self))
    }
}

impl Feed {
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some((live, agent, watcher)) = self.begins.take() {
            live.begin(agent);
            self.next = Some(Box::pin(watcher.next()));
            return Poll::Ready(Some(RETRY));
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let told = ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(told.map(|(event, watcher)| {
            self.next = Some(Box::pin(watcher.next()));
            event
        }))
    }
}

pub(super) fn watched(site: &Arc<Site>, asked: &Asked) -> Response {
    let headers = asked.request.headers();
    if !access::may_watch(headers) {
        site.stats.http_denied.add(1);
        let why = "a browser may watch for a page of this host only, and for its user";
        return Refused::new(StatusCode::FORBIDDEN, why).answer(wants_json(headers));
    }
    let Some(feed) = site.facts.live.watch(site, asked) else {
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, "as many watch as can; try again later");
        return refused.retry_after(LATER).answer(wants_json(headers));
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Proxies like nginx collect an answer before they pass it on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let mut response = answer(StatusCode::OK, &headers, Bytes::new());
    *response.body_mut() = Content::Live(feed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page in a tab that the browser does not draw took no events, and all of them waited for it.
    #[tokio::test]
    async fn who_takes_nothing_for_a_while_gets_the_newest_event_alone() {
        let (events, told) = watch::channel(Bytes::new());
        let site = Arc::new(());
        let (_current, sites) = watch::channel(site.clone());
        let (_stop, stop) = watch::channel(false);
        let watcher = Watcher { events: told, site, sites, stop };
        for event in ["a", "b", "c"] {
            events.send_replace(Bytes::from_static(event.as_bytes()));
        }
        let (event, watcher) = watcher.next().await.expect("an event");
        assert_eq!(event, "c");
        let none = tokio::time::timeout(Duration::from_millis(1), watcher.next()).await;
        assert!(none.is_err(), "another event");
    }

    /// A push whose body was slow held the site that had been replaced, and the stream told of an agent that was gone.
    #[tokio::test]
    async fn a_stream_ends_with_its_configuration_whoever_still_holds_that() {
        let (_events, told) = watch::channel(Bytes::new());
        let site = Arc::new(());
        let (current, sites) = watch::channel(site.clone());
        let (_stop, stop) = watch::channel(false);
        let watcher = Watcher { events: told, site: site.clone(), sites, stop };
        current.send_replace(Arc::new(()));
        assert!(watcher.next().await.is_none(), "another event");
    }
}
