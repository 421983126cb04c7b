//! `adopt`: takes over the configuration of an agent in another directory, and stops it; `configure`: puts values into the
//! configuration of this one.
//!
//! * What can be found wrong is found before anything is changed: the new file lies ready before the old agent is stopped, and takes
//!   its place afterwards.
//! * What the old agent made of its file by where and how it ran stands in the new one: its endpoint, and its relative paths.
//! * Nothing of the old agent is changed, so that it can be started again.

mod running;
mod target;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::collect;
use crate::config::edit::{Asked, Edited, Text, Values};
use crate::config::file::Staged;
use crate::config::{self, Known};
use crate::model::Platform;
use crate::plugin::place;
use crate::say::say;
use crate::service::Failure;
use running::Process;
use target::Target;

/// Where an agent has its configuration, in its directory.
const PLACES: [&str; 3] = ["cfg.json", "config/cfg.json", "agent/config/cfg.json"];

/// Keys with paths in them, which count from the working directory.
const PATHS: [&[&str]; 7] = [
    &["plugin", "dir"],
    &["plugin", "logs"],
    &["log", "file"],
    &["logfile"],
    &["state_dir"],
    &["http", "tls", "cert"],
    &["http", "tls", "key"],
];

/// Takes over the agent in a directory.
pub fn adopt(dir: &Path, file: Option<&Path>, keep_running: bool) -> Result<(), Failure> {
    let root = Path::new("/");
    // On Windows agents are services, which are taken over by `install`.
    let is_looked_for = Platform::CURRENT == Platform::Linux;
    let dir = std::path::absolute(dir)?;
    ensure_dir(&dir)?;
    let running = if is_looked_for { running::of(root, &dir) } else { Vec::new() };
    ensure_one(&running)?;
    let source = source(&dir, &running)?;
    let base = base(&dir, &source, running.first());
    let target = Target::find(file)?;
    let composed = compose(&source, &base, &target.file, running.first(), &collect::known())?;
    composed.edited.warnings.iter().for_each(|warning| say(&warning.to_string()));

    // From here on things change.
    let staged = match composed.is_so {
        true => None,
        false => Some(unchanged(Staged::new(&target.file, &composed.edited.text), &target.file)?),
    };
    let kept = if composed.is_so || composed.is_first { None } else { keep(&target.file)? };
    let mut stopped = Vec::new();
    let change = || {
        for process in running.iter().filter(|_| !keep_running) {
            process.stop(root)?;
            say(&format!("stopped {}, pid {}", process.program(), process.pid));
            stopped.push(process);
        }
        staged.map_or(Ok(()), |staged| written(staged.commit(), &target.file))
    };
    if let Err(why) = change() {
        if !is_gone(&why) {
            let _ = kept.as_ref().map(fs::remove_file);
        }
        return Err(undone(&stopped, &base, &target.file, why));
    }
    match composed.is_so {
        false => {
            say(&format!("wrote {}: a copy of {}{}", target.file.display(), source.display(), composed.with));
            kept.iter().for_each(|kept| say(&format!("what was there is {}", kept.display())));
        }
        true => say(&format!("{} is so already", target.file.display())),
    }
    for process in running.iter().filter(|process| !process.is_certain) {
        say(&format!(
            "{}, pid {}: is not run by root or whom {} belongs to: its -c, working directory and FALCON_ENDPOINT do not count",
            process.program(),
            process.pid,
            dir.display()
        ));
    }
    remarks(&composed, &target).iter().for_each(|remark| say(remark));
    let starters = if is_looked_for { running::starters(root, &[&dir, &base]) } else { Vec::new() };
    for file in starters {
        say(&format!("{} names the old agent and may start it again: look at it", file.display()));
    }
    if let (true, Some(process)) = (keep_running, running.first()) {
        let (program, pid) = (process.program(), process.pid);
        say(&format!(
            "{program} runs on, pid {pid}: two agents with one endpoint spoil each other's series, so stop it first"
        ));
    }
    say(&format!("to start this agent: {}", target.start));
    if let Some(back) = back(&dir, &base, running.first()) {
        say(&format!("to go back: stop this agent, then: {back}"));
    }
    Ok(())
}

/// Puts values into this agent's configuration, or into a first one.
pub fn configure(file: Option<&Path>, asked: &Asked) -> Result<(), Failure> {
    let values = asked.values().context("nothing was changed")?;
    let (target, known) = (Target::find(file)?, collect::known());
    let name = target.file.display().to_string();
    if asked.is_empty() {
        say(&format!("no value is given: {name} stays as it is"));
        return Ok(());
    }
    let now = existing(&target.file)?;
    let bytes = now.as_deref().unwrap_or(config::FIRST.as_bytes());
    let edited = values.put(bytes, &name, &known).context("nothing was changed")?;
    edited.warnings.iter().for_each(|warning| say(&warning.to_string()));
    let keys = values.keys().join(", ");
    if now.as_deref().is_some_and(|now| config::decode(now) == edited.text) {
        say(&format!("{name} is so already: {keys}"));
    } else {
        unchanged(Staged::new(&target.file, &edited.text).and_then(Staged::commit), &target.file)?;
        say(&format!("wrote {name}, with {keys}"));
    }
    if let Ok(loaded) = config::load(Some(&target.file), &known) {
        for key in values.missed(&loaded.config) {
            say(&format!("{key}: a file of cfg.d says otherwise, which counts"));
        }
    }
    Ok(())
}

fn ensure_dir(dir: &Path) -> anyhow::Result<()> {
    ensure!(dir.is_dir(), "{}: is not a directory; the old agent's is wanted, with cfg.json in it", dir.display());
    Ok(())
}

/// One configuration can be taken over.
fn ensure_one(running: &[Process]) -> anyhow::Result<()> {
    let certain: Vec<&Process> = running.iter().filter(|process| process.is_certain).collect();
    let [first, more @ ..] = certain.as_slice() else { return Ok(()) };
    if more.iter().all(|process| (process.config(), &process.endpoint) == (first.config(), &first.endpoint)) {
        return Ok(());
    }
    let list: Vec<String> = certain
        .iter()
        .map(|process| {
            let config = process.config().unwrap_or_default();
            format!("{}, pid {}, with {}", process.program(), process.pid, config.display())
        })
        .collect();
    bail!(
        "nothing was changed: agents of several configurations run from it: {}; name the directory of one, or stop the others",
        list.join("; ")
    )
}

/// Why it was not done, with what has to be done by hand where agents were stopped before.
fn undone(stopped: &[&Process], base: &Path, file: &Path, why: Failure) -> Failure {
    let is_as_it_was = !is_gone(&why);
    if stopped.is_empty() {
        return match why {
            Failure::Failed(error) if is_as_it_was => Failure::Failed(error.context("nothing was changed")),
            why => why,
        };
    }
    let why = match why {
        Failure::NotAdministrator => "this needs the rights of root".to_owned(),
        why => why.to_string(),
    };
    let back: Vec<String> = stopped.iter().map(|process| again(base, process)).collect();
    let file = if is_as_it_was { format!("; {} is as it was", file.display()) } else { String::new() };
    Failure::Failed(anyhow!("{why}{file}; what was stopped starts again with: {}", back.join(" ")))
}

/// Whether a file was lost on the way (see [`Staged::commit`]).
fn is_gone(why: &Failure) -> bool {
    let Failure::Failed(error) = why else { return false };
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::Other)
}

/// The old agent's cfg.json: the one that it was started with, else the one in its place.
fn source(dir: &Path, running: &[Process]) -> anyhow::Result<PathBuf> {
    let started_with = running.iter().filter_map(Process::config);
    let places = PLACES.iter().map(|place| dir.join(place));
    let found = started_with.chain(places).find(|file| file.is_file());
    found.with_context(|| {
        let [first, more @ ..] = PLACES.map(|place| dir.join(place).display().to_string());
        format!("nothing was changed: there is no {first}, nor {}", more.join(", nor "))
    })
}

/// Where relative paths of its file count from.
fn base(dir: &Path, source: &Path, process: Option<&Process>) -> PathBuf {
    if let Some(cwd) = process.and_then(|process| process.cwd.clone()) {
        return cwd;
    }
    let above = dir.parent().filter(|above| dir.ends_with("agent") && above.join("open-falcon").is_file());
    match (Platform::CURRENT, above) {
        (Platform::Windows, _) => source.parent().unwrap_or(dir).to_owned(),
        // As the command `open-falcon` starts its agent.
        (Platform::Linux, above) => above.unwrap_or(dir).to_owned(),
    }
}

struct Composed {
    edited: Edited,
    /// For people: what is not as it was.
    with: String,
    /// The target says all this.
    is_so: bool,
    /// The target says nothing that anybody put there, or is not there.
    is_first: bool,
}

fn compose(
    source: &Path,
    base: &Path,
    target: &Path,
    process: Option<&Process>,
    known: &Known,
) -> Result<Composed, Failure> {
    let name = source.display().to_string();
    let bytes = unchanged(fs::read(source), source)?;
    let (config, _) = config::parse(&bytes, &name, known).context("nothing was changed")?;
    let text = Text(config::decode(&bytes).into_owned());
    let values = |endpoint: Option<String>, whole: &dyn Fn(&[&str], &str) -> PathBuf| {
        let mut values = Values::default();
        values.keep_endpoint(&bytes, &name, known, endpoint);
        for path in PATHS {
            let default = match path {
                ["plugin", "dir"] if config.plugin.enabled => Some(config.plugin.dir.clone()),
                ["plugin", "logs"] if config.plugin.enabled => Some(config.plugin.logs.clone()),
                _ => None,
            };
            if let Some(relative) = text.text_at(path).or(default).filter(|path| Path::new(path).is_relative()) {
                values.texts.push((path, whole(path, &relative).display().to_string()));
            }
        }
        values
    };
    let put = |values: &Values| values.put(&bytes, &target.display().to_string(), known).context("nothing was changed");
    // As the Go agent has it: the file, else its environment, else the system.
    let endpoint = process.and_then(|process| process.endpoint.clone()).or_else(|| falcon_sys::hostname().ok());
    let from_base = |relative: &str| base.join(relative).components().collect();
    let mut values_now = values(endpoint.clone(), &|_, relative| from_base(relative));
    let mut edited = put(&values_now)?;
    let now = existing(target)?;
    if let Some(now) = now.as_deref().filter(|_| process.is_none_or(|process| !process.is_certain)) {
        // What an agent of it was when it ran, which stands there since it was adopted, is not to be found any more.
        let named = config::parse(now, "", known).ok().map(|(config, _)| config.hostname);
        let now = Text(config::decode(now).into_owned());
        let as_now = values(named.filter(|name| !name.is_empty()).or(endpoint), &|path, relative| {
            let whole = now.text_at(path).map(PathBuf::from).filter(|path| path.is_absolute());
            whole.unwrap_or_else(|| from_base(relative))
        });
        if let Ok(same) = put(&as_now)
            && same.text == now.0
        {
            (values_now, edited) = (as_now, same);
        }
    }
    let mut with = match edited.config.hostname.as_str() {
        "" => ", without a `hostname`".to_owned(),
        endpoint => [", endpoint ", endpoint].concat(),
    };
    for (path, text) in &values_now.texts {
        with.extend([", ", &path.join("."), " ", text]);
    }
    let first = config::parse(config::FIRST.as_bytes(), "", known).ok().map(|(config, _)| config);
    let is_first =
        now.as_ref().is_none_or(|now| config::parse(now, "", known).is_ok_and(|(config, _)| Some(config) == first));
    let is_so = now.is_some_and(|now| config::decode(&now) == edited.text);
    Ok(Composed { edited, with, is_so, is_first })
}

/// Copies what is there to a name beside it that is free. `None`: nothing is there.
fn keep(file: &Path) -> Result<Option<PathBuf>, Failure> {
    let Some(bytes) = existing(file)? else { return Ok(None) };
    for n in 1..1000 {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(if n == 1 { ".before-adopt".to_owned() } else { format!(".before-adopt.{n}") });
        let path = file.with_file_name(name);
        let mut copy = match falcon_sys::create_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => unchanged(made, &path)?,
        };
        let done =
            copy.write_all(&bytes).and_then(|()| copy.sync_all()).and_then(|()| falcon_sys::take_rights(file, &path));
        unchanged(done.inspect_err(|_| _ = fs::remove_file(&path)), &path)?;
        return Ok(Some(path));
    }
    Err(Failure::Failed(anyhow!("nothing was changed: {}: too many copies of it", file.display())))
}

/// `None`: it is not there.
fn existing(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => unchanged(read, file).map(Some),
    }
}

/// What came of a file before anything was changed, as a verb tells it.
fn unchanged<T>(result: io::Result<T>, file: &Path) -> Result<T, Failure> {
    written(result, file).map_err(|why| undone(&[], file, file, why))
}

/// What came of a file.
fn written<T>(result: io::Result<T>, file: &Path) -> Result<T, Failure> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::NotAdministrator,
        _ => Failure::Failed(anyhow::Error::new(error).context(file.display().to_string())),
    })
}

/// What keeps plugins from running as they did.
fn remarks(composed: &Composed, target: &Target) -> Vec<String> {
    let plugin = &composed.edited.config.plugin;
    let mut remarks = Vec::new();
    if !plugin.enabled {
        return remarks;
    }
    let dir = Path::new(&plugin.dir);
    if let Ok(real) = fs::canonicalize(dir)
        && let Err(why) = place::check(dir, &real)
    {
        remarks.push(format!("plugins will not run from plugin.dir until that is put right: {why}"));
    }
    for dir in [&plugin.dir, &plugin.logs] {
        let is_closed = ["/home/", "/root/", "/usr/", "/etc/"].iter().any(|closed| dir.starts_with(closed));
        if target.is_packages && is_closed {
            remarks.push(format!(
                "{dir}: the unit lets the agent only read there: `systemctl edit falcon-agent`, [Service], ReadWritePaths={dir}"
            ));
        }
    }
    remarks
}

fn again(base: &Path, process: &Process) -> String {
    let dir = process.cwd.as_deref().unwrap_or(base).display().to_string();
    format!("cd {} && {} &", running::quoted(&dir), process.command())
}

/// How the old agent is started again.
fn back(dir: &Path, base: &Path, process: Option<&Process>) -> Option<String> {
    let quoted = |path: &Path| running::quoted(&path.display().to_string());
    if let Some(process) = process {
        return Some(again(base, process));
    }
    let open_falcon = base.join("open-falcon");
    if open_falcon.is_file() {
        return Some(format!("cd {} && ./open-falcon start agent", quoted(base)));
    }
    let control = dir.join("control");
    control.is_file().then(|| format!("{} start", quoted(&control)))
}
