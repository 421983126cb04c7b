//! The engine of plugins of an agent: begun where a configuration switches plugins on, kept over a reload that leaves its own
//! settings, and ended with everything that it runs.

use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Collecting;
use super::task::supervise;
use crate::config::Loaded;
use crate::plugin::engine::{self, Engine, Fetch, Fetcher, Hands, Outlet, Runner, Scanner};
use crate::plugin::fetch::{self, Source};
use crate::plugin::perform::{Terms, perform_and_keep};
use crate::plugin::{Settings, files};
use crate::push;

/// For runs to end: they are asked 20 times a second whether they are to.
const RUNS: Duration = Duration::from_millis(1500);

/// What outlives a configuration.
#[derive(Default)]
pub(super) struct Plugins {
    /// `None`: they are off.
    running: Option<Running>,
    /// Engines that have ended, with something that did not.
    left: Vec<Arc<Engine>>,
}

struct Running {
    engine: Arc<Engine>,
    task: JoinHandle<()>,
    whose: Whose,
}

/// What an engine cannot change: its directory, and how many run at once.
type Whose = (PathBuf, usize);

impl Plugins {
    /// Goes on with an engine that there is already, or begins one; none where plugins are off.
    pub fn follow(&mut self, loaded: &Loaded, collecting: &Collecting) {
        let outlet = outlet(loaded, collecting);
        if let Some(running) = &self.running {
            return running.engine.go_on(outlet);
        }
        let Some((dir, at_once)) = whose(loaded) else { return };
        let (scanned, begun, runtime) = (dir.clone(), Once::new(), Handle::current());
        let scan: Scanner = Box::new(move |bindings| {
            // On the thread that looks, for it may take a moment.
            begun.call_once_force(|_| fetch::recover(&scanned));
            files::scan(&scanned, bindings)
        });
        let drive = Box::new(move |task| runtime.block_on(task));
        let hands = Hands { scan, begin: Box::new(engine::thread), drive };
        self.left.retain(|engine| !engine.is_over());
        let (stats, before) = (collecting.stats.clone(), self.left.clone());
        let engine = Engine::new(dir.clone(), at_once, hands, outlet, stats, before);
        let runs = engine.clone();
        let task = supervise("plugins", move || runs.clone().run());
        self.running = Some(Running { engine, task, whose: (dir, at_once) });
    }

    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.running.as_ref().map(|running| running.engine.clone())
    }

    /// Ends what cannot go on with this configuration.
    pub async fn make_way(&mut self, loaded: &Loaded) {
        if self.running.as_ref().is_some_and(|running| whose(loaded).as_ref() != Some(&running.whose)) {
            self.stop().await;
        }
    }

    /// Ends what runs, and waits for it a moment. Where that is given up, it is to be asked for again.
    pub async fn stop(&mut self) {
        let Some(Running { engine, task, .. }) = &mut self.running else { return };
        task.abort();
        // The engine has one master at a time.
        if !task.is_finished() {
            let _ = task.await;
        }
        engine.clone().stop(RUNS).await;
        if !engine.is_over() {
            self.left.push(engine.clone());
        }
        self.running = None;
    }
}

/// The directory whose version is reported to hbs; `None`: plugins are off.
pub(super) fn reported(loaded: &Loaded) -> Option<PathBuf> {
    whose(loaded).map(|(dir, _)| dir)
}

/// `None`: plugins are off.
fn whose(loaded: &Loaded) -> Option<Whose> {
    let settings = Settings::of(loaded);
    loaded.config.plugin.enabled.then_some((settings.dir, settings.at_once))
}

fn outlet(loaded: &Loaded, collecting: &Collecting) -> Outlet {
    let (settings, identity) = (Arc::new(Settings::of(loaded)), collecting.identity.clone());
    let default_tags = push::default_tags(&loaded.config);
    let used = settings.clone();
    let run: Runner = Arc::new(move |plugin, stop, room| {
        let terms = Terms { endpoint: identity.endpoint().unwrap_or_default().into(), default_tags };
        perform_and_keep(plugin, &used, &terms, stop, room)
    });
    let source = Source::of(&loaded.config);
    let fetch: Fetcher = Arc::new(move |what, stop| match what {
        Fetch::Update => fetch::update(&source, &settings, stop),
        Fetch::Reset => fetch::reset(&source, &settings, stop),
    });
    let assigned = collecting.shared.context.assigned.clone();
    Outlet { hub: collecting.hub.clone(), assigned, run, fetch }
}
