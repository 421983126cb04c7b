//! The engine of plugins of an agent: begun where a configuration switches plugins on, kept over a reload that leaves its own
//! settings, and ended with everything that it runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Collecting;
use super::agent::supervise;
use crate::config::{self, Loaded};
use crate::plugin::engine::{self, Engine, Fetch, Fetcher, Hands, Outlet, Runner, Scanner};
use crate::plugin::fetch::{self, Source};
use crate::plugin::perform::{Terms, perform_and_keep};
use crate::plugin::{Settings, files};
use crate::push;

/// For runs to end: they are asked 20 times a second whether they are to.
const RUNS: Duration = Duration::from_millis(1500);

pub(super) struct Plugins {
    engine: Arc<Engine>,
    task: JoinHandle<()>,
    /// For which settings it is, and where their paths count from.
    whose: (config::Plugin, PathBuf),
}

impl Plugins {
    /// Goes on with one that there is already, or begins one; none where plugins are off.
    pub fn follow(before: Option<Plugins>, loaded: &Loaded, collecting: &Collecting) -> Option<Plugins> {
        if !loaded.config.plugin.enabled {
            return None;
        }
        let outlet = outlet(loaded, collecting);
        if let Some(plugins) = before {
            plugins.engine.go_on(outlet);
            return Some(plugins);
        }
        let settings = Settings::of(loaded);
        let (dir, at_once) = (settings.dir.clone(), settings.at_once);
        let scanned = dir.clone();
        let scan: Scanner = Box::new(move |bindings| files::scan(&scanned, bindings));
        let source = Source::of(&loaded.config);
        let fetch: Fetcher = Box::new(move |what, stop| match what {
            Fetch::Update => fetch::update(&source, &settings, stop),
            Fetch::Reset => fetch::reset(&source, &settings, stop),
        });
        let hands = Hands { scan, fetch, begin: Box::new(engine::thread) };
        let engine = Engine::new(dir, at_once, hands, outlet, collecting.stats.clone());
        let runs = engine.clone();
        let task = supervise("plugins", move || runs.clone().run());
        Some(Plugins { engine, task, whose: whose(loaded) })
    }

    pub fn engine(&self) -> Arc<Engine> {
        self.engine.clone()
    }

    /// Whether it can go on with this configuration.
    pub fn fits(&self, loaded: &Loaded) -> bool {
        self.whose == whose(loaded)
    }

    /// Ends what runs, and waits for it a moment.
    pub async fn stop(self) {
        self.task.abort();
        // The engine has one master at a time.
        let _ = self.task.await;
        self.engine.stop(RUNS).await;
    }
}

/// The directory whose version is reported to hbs; `None`: plugins are off.
pub(super) fn reported(loaded: &Loaded) -> Option<PathBuf> {
    loaded.config.plugin.enabled.then(|| Settings::of(loaded).dir)
}

fn whose(loaded: &Loaded) -> (config::Plugin, PathBuf) {
    (loaded.config.plugin.clone(), loaded.base().to_owned())
}

fn outlet(loaded: &Loaded, collecting: &Collecting) -> Outlet {
    let (settings, identity) = (Settings::of(loaded), collecting.identity.clone());
    let default_tags = push::default_tags(&loaded.config);
    let run: Runner = Arc::new(move |plugin, stop| {
        let terms = Terms { endpoint: identity.endpoint().unwrap_or_default().into(), default_tags };
        perform_and_keep(plugin, &settings, &terms, stop)
    });
    let assigned = collecting.shared.context.assigned.clone();
    Outlet { hub: collecting.hub.clone(), assigned, run }
}
