//! `falcon-agent plugin run`: one plugin in the foreground, as the agent would run it, and what would be sent.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, Instant};

use super::collect;
use super::table::Named;
use crate::app::{self, Collecting, Signal};
use crate::config::Loaded;
use crate::hub::{self, Origin};
use crate::log;
use crate::model::Sample;
use crate::plugin::perform::{End, Performed, Stop, Terms, most_time, perform, prepared};
use crate::plugin::spec::{self, Binding, Cycle};
use crate::plugin::{Plugin, Settings, files};
use crate::push::{self, Batch};

#[derive(Debug, PartialEq)]
pub enum What {
    Run { format: Format, path: String, args: Vec<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
}

impl Format {
    pub const ALL: &[Named<Format>] =
        &[("table", "For people", Format::Table), ("json", "The array that a transfer would get", Format::Json)];
}

/// Of a file whose name tells none.
const CYCLE_S: u32 = 60;
/// Between two words about one that still runs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Refused items that are named.
const MOST_REFUSED: usize = 20;

pub type Signals = Box<dyn FnOnce() -> std::io::Result<mpsc::Receiver<Signal>> + Send>;

pub fn run(loaded: Loaded, format: Format, path: &str, args: Vec<String>, signals: Signals) -> anyhow::Result<()> {
    log::init(log::Setup::console(loaded.config.log_level()));
    let settings = Settings::of(&loaded);
    let (plugin, remark) = find(&settings.dir, path, args)?;
    if let Some(remark) = remark {
        eprintln!("{}: {remark}", plugin.path);
    }
    let runtime = app::runtime()?;
    let collecting = Collecting::new(loaded.config, None);
    let endpoint = collecting.identity.endpoint()?;
    eprint!("{}", begun(&plugin, &settings));
    let default_tags = push::default_tags(&collecting.config);
    let terms = Terms { endpoint: Arc::from(endpoint.as_str()), default_tags };
    // Nothing is kept of what it says: a file of who gives the command could not be replaced by the agent's user.
    let performed = runtime.block_on(performed(plugin.clone(), settings, terms, signals))?;
    runtime.shutdown_background();
    eprint!("{}", told(&performed));
    let batch = performed.batch.map_err(|why| anyhow!("plugin {}: {why}", plugin.path))?;
    let Some(batch) = batch else {
        bail!(
            "plugin {}: it printed nothing, so that nothing would be sent; it is to print an array of items",
            plugin.path
        )
    };
    eprint!("{}", remarks(&batch, &endpoint));
    let samples = collecting.hub.prepare(batch.samples, Origin::Pushed);
    log::drain();
    let count = samples.len();
    super::show(&match format {
        Format::Table => hub::table(&samples),
        Format::Json => collect::json(&samples, &endpoint) + "\n",
    })?;
    if count == 0 {
        bail!("plugin {}: nothing of what it printed would be sent", plugin.path)
    }
    Ok(())
}

/// What is named, and what is to be said of its name.
fn find(dir: &Path, written: &str, args: Vec<String>) -> anyhow::Result<(Plugin, Option<String>)> {
    let mut binding = match below(dir, Path::new(written)) {
        Some(parts) => Binding { parts, args: Vec::new(), written_args: String::new() },
        None if Path::new(written).is_absolute() => {
            bail!("{written}: does not lie in plugin.dir ({}), and nothing else is run", dir.display())
        }
        None => spec::parse(written).map_err(|why| anyhow!("{written}: {why}"))?,
    };
    if !args.is_empty() {
        if !binding.written_args.is_empty() {
            bail!("{written}: has arguments, and others follow it: give them in one way");
        }
        let escaped: Vec<String> = args.iter().map(|arg| arg.replace(',', r"\,")).collect();
        (binding.args, binding.written_args) = (args, escaped.join(","));
    }
    files::find(dir, &binding.parts).map_err(|why| anyhow!("plugin {}: {why}", binding.path()))?;
    let (key, path) = (binding.key(), binding.path());
    let (cycle_s, remark) = match Cycle::of_named(binding.parts.last().map_or("", String::as_str)) {
        Cycle::Every(cycle_s) => (cycle_s, None),
        Cycle::No | Cycle::Never(_) => {
            let most = spec::MOST_CYCLE_S;
            let remark = format!(
                "its name does not begin with the seconds of its cycle, 1 to {most}, as 60_name: bound by hbs it would not \
                 run; here it has {CYCLE_S} s"
            );
            (CYCLE_S, Some(remark))
        }
    };
    let Binding { args, written_args, .. } = binding;
    Ok((Plugin { key, path, args, written_args, cycle_s, mtime_s: 0 }, remark))
}

/// Of a file that is named as the system names it, its path below the directory. What it leads to itself is not looked at here.
fn below(dir: &Path, path: &Path) -> Option<Vec<String>> {
    let name = path.file_name()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = fs::canonicalize(parent).ok()?.join(name);
    fs::symlink_metadata(&real).ok()?;
    let rest = real.strip_prefix(fs::canonicalize(dir).ok()?).ok()?;
    let parts: Vec<String> = rest.iter().map(|part| part.to_str().map(str::to_owned)).collect::<Option<_>>()?;
    parts.iter().all(|part| spec::fit(part).is_ok()).then_some(parts).filter(|parts| !parts.is_empty())
}

/// A signal ends the run with its whole tree.
async fn performed(plugin: Plugin, settings: Settings, terms: Terms, signals: Signals) -> anyhow::Result<Performed> {
    let mut signals = signals().context("signals")?;
    let stop = Stop::default();
    let (to, mut over) = oneshot::channel();
    let end = stop.clone();
    let work = move || _ = to.send(perform(&plugin, &settings, &terms, &end));
    thread::Builder::new().name("plugin".to_owned()).spawn(work).context("no thread for it")?;
    let began = Instant::now();
    let mut words = time::interval_at(began + PATIENCE, PATIENCE);
    loop {
        tokio::select! {
            performed = &mut over => return performed.context("its thread has ended"),
            Some(Signal::Stop(why)) = signals.recv() => {
                eprintln!("{why}: it is ended");
                stop.stop();
            }
            _ = words.tick() => eprintln!("still runs after {} s", began.elapsed().as_secs()),
        }
    }
}

/// What is run, a line each. Where it cannot be, that is told of the run.
fn begun(plugin: &Plugin, settings: &Settings) -> String {
    let command =
        prepared(plugin, settings).map_or_else(|_| String::new(), |launch| format!("runs {:?}\n", launch.command()));
    let ms = most_time(plugin.cycle_s).as_millis();
    format!("{command}as a plugin with a cycle of {} s, which may run for {ms} ms\n", plugin.cycle_s)
}

/// How a run went, a line each.
fn told(performed: &Performed) -> String {
    let Performed { took, end, stderr, remark, .. } = performed;
    let end = match end {
        End::Exited(code) => format!("exit code {code}"),
        End::Killed(signal) => format!("ended by signal {signal}"),
        End::Late | End::TooMuch | End::Stopped => "ended by the agent".to_owned(),
        End::NotStarted(_) => "not started".to_owned(),
    };
    let mut text = format!("{end} after {} ms\n", took.as_millis());
    if let Some(remark) = remark {
        let _ = writeln!(text, "{remark}");
    }
    if !stderr.trim().is_empty() {
        text.push_str("it said on standard error:\n");
        for line in stderr.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// What is to be known of its items, a line each.
fn remarks(batch: &Batch, endpoint: &str) -> String {
    let mut text = String::new();
    for (index, why) in batch.refused.iter().take(MOST_REFUSED) {
        let _ = writeln!(text, "item {index} would not be sent: {}", why.as_str());
    }
    let untold = batch.refused_total().saturating_sub(MOST_REFUSED);
    if untold > 0 {
        let _ = writeln!(text, "and {untold} more would not be sent");
    }
    let is_foreign = |sample: &&Sample| sample.endpoint.as_deref().is_some_and(|of| of != endpoint);
    let mut foreign = batch.samples.iter().filter(is_foreign);
    if let Some(first) = foreign.next() {
        let (count, of) = (foreign.count() + 1, first.endpoint.as_deref().unwrap_or_default());
        let _ = writeln!(text, "items of another endpoint than {endpoint}: {count}, the first of {of}");
    }
    if batch.small_steps > 0 {
        let _ = writeln!(
            text,
            "items of a step below 30 s, which transfers raise to 30 s, losing points: {}",
            batch.small_steps
        );
    }
    if batch.future > 0 {
        let _ = writeln!(text, "items with a timestamp more than a minute ahead: {}", batch.future);
    }
    text
}
