use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::config::Source;
use crate::perf::client::{self, ObjectQuery, Refused, Tables};

/// Counts groups that are open, and whether anybody could open one.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl client::Source for Counted {
    fn ask(&self, _: &str, _: &[ObjectQuery]) -> Result<Tables, Refused> {
        Err(Refused::Unsupported)
    }

    fn names(&self, _: &str, _: &str) -> Result<Vec<String>, Refused> {
        Err(Refused::Unsupported)
    }

    fn opened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self, _: &str) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Of an agent that collects nothing.
fn loaded(debug: bool, timeout: u32) -> Loaded {
    let mut config = Config::standalone();
    (config.debug, config.perf.timeout, config.transfer.interval) = (debug, timeout, 60);
    (config.http.enabled, config.heartbeat.enabled) = (false, false);
    config.collector.switches = collect::ALL.iter().map(|spec| (spec.name, false)).collect();
    Loaded::new(config, Source::Standalone, Vec::new())
}

/// The process that reads counters ended with every reload, and all libraries of providers were loaded again.
#[tokio::test(start_paused = true)]
async fn a_process_for_counters_stays_over_a_reload_that_leaves_its_settings() {
    let (_hurry, hurries) = watch::channel(false);
    let open = Counted::default();
    let mut agent = Agent::start(&loaded(false, 7), "", tokio::sync::mpsc::channel(1).0);
    agent.lasting.perf = Perf::new(open.clone());
    let group = agent.lasting.perf.open("of a collector");
    let mut agent = agent.reload(&loaded(true, 7), hurries.clone()).await;
    drop(group);
    assert_eq!(open.0.load(Ordering::SeqCst), 1);
    // It is kept for one cycle and a little, in which collectors are opened again.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(open.0.load(Ordering::SeqCst), 1);
    tokio::time::sleep(OPENED + Duration::from_secs(1)).await;
    assert_eq!(open.0.load(Ordering::SeqCst), 0);
    // Another configuration has another one.
    let group = agent.lasting.perf.open("of a collector");
    assert_eq!(Arc::strong_count(&open.0), 2);
    agent = agent.reload(&loaded(true, 8), hurries).await;
    drop(group);
    assert_eq!(Arc::strong_count(&open.0), 1);
    agent.stop().await;
}
