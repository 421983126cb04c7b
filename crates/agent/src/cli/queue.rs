//! `falcon-agent queue`: what waits for a transfer. Asks the running agent; where none answers, works on the files.
//!
//! Only an agent that is of this configuration counts: where that names a `state_dir`, it keeps its queue there. Else it is
//! the agent that says where, for it was started with a `STATE_DIRECTORY` that this process does not know.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use serde_json::Value;

use super::table::Named;
use crate::app::{QUEUE_DIR, runtime};
use crate::clock;
use crate::config::Loaded;
use crate::falcon::connection::tcp;
use crate::http::client;
use crate::http::queue::{PROOF, PROOF_FILE};
use crate::log::span;
use crate::queue::log::{Log, Verified};
use crate::queue::storage::{Directory, Storage, Unusable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Status,
    Verify,
    Purge,
}

impl What {
    pub const ALL: &[Named<What>] = &[
        ("status", "How many points wait, since when, and what was lost", What::Status),
        ("verify", "Read every record on disk and check it", What::Verify),
        ("purge", "Throw away everything that waits", What::Purge),
    ];

    fn path(self) -> &'static str {
        match self {
            What::Status => "/queue",
            What::Verify => "/queue/verify",
            What::Purge => "/queue/purge",
        }
    }
}

/// Figures are at hand.
const GREETING: Duration = Duration::from_secs(10);
/// A verification may have to read some GB.
const PATIENCE: Duration = Duration::from_secs(300);
/// The answer is a few lines.
const MOST_BYTES: usize = 1 << 20;

pub fn run(loaded: &Loaded, what: What) -> anyhow::Result<String> {
    let config = &loaded.config;
    let state = loaded.state_dir().filter(|_| config.queue.enabled);
    let Some(dir) = state.map(|state| state.join(QUEUE_DIR)) else {
        bail!(
            "this configuration keeps no queue on disk: `queue.enabled` is false, or there is neither a cfg.json nor a STATE_DIRECTORY"
        );
    };
    // First, for only the agent knows what it holds in memory, and a shell does not know the `STATE_DIRECTORY` of a service.
    let untold = match runtime()?.block_on(ask(loaded, &dir, what)) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    match Directory::open_left(&dir) {
        Ok(Some(directory)) => on_files(directory, &dir, what, "no agent uses it; told by its files"),
        Ok(None) => Ok(format!("{} is not there: nothing waits on disk ({untold:#})\n", dir.display())),
        Err(Unusable::Held(_)) if what == What::Purge => {
            Err(untold.context("an agent runs; to purge without it, stop it first"))
        }
        Err(Unusable::Held(_)) => {
            let how = format!("an agent runs and does not tell; told by its files ({untold:#})");
            on_files(Directory::look_at(&dir), &dir, what, &how)
        }
        Err(error) => Err(error.into()),
    }
}

/// `dir` is where this configuration, as this process sees it, keeps its queue.
async fn ask(loaded: &Loaded, dir: &Path, what: What) -> anyhow::Result<String> {
    let config = &loaded.config;
    ensure!(config.http.enabled && !config.http.listen.is_empty(), "an agent of this configuration has no HTTP server");
    let first = call(loaded, What::Status, None, GREETING).await?;
    let theirs = PathBuf::from(first.get("dir").and_then(Value::as_str).unwrap_or_default());
    let is_ours = theirs == dir || config.state_dir.is_empty() && theirs.is_absolute() && theirs.ends_with(QUEUE_DIR);
    ensure!(
        is_ours,
        "the agent that answers keeps its queue in {}, this configuration in {}",
        theirs.display(),
        dir.display()
    );
    let data = match what {
        What::Status => first,
        What::Verify => call(loaded, what, None, PATIENCE).await?,
        What::Purge => {
            let proof = Proof::put(&theirs)?;
            call(loaded, what, Some(&proof), PATIENCE).await?
        }
    };
    Ok(told(&data, &theirs))
}

/// What the agent says of its queue.
async fn call(loaded: &Loaded, what: What, proof: Option<&Proof>, patience: Duration) -> anyhow::Result<Value> {
    let answer = tokio::time::timeout(patience, request(loaded, what, proof)).await;
    let (status, body) = answer.with_context(|| format!("no answer within {} s", patience.as_secs()))??;
    let text = String::from_utf8_lossy(&body);
    ensure!(status == StatusCode::OK, "the agent says {status}: {}", text.trim());
    let mut answer: Value = serde_json::from_str(&text).context("not the answer of a falcon-agent")?;
    answer.get_mut("data").map(Value::take).context("not the answer of a falcon-agent")
}

async fn request(loaded: &Loaded, what: What, proof: Option<&Proof>) -> anyhow::Result<(StatusCode, Bytes)> {
    ensure!(!loaded.config.http.tls.is_on(), "the agent speaks TLS alone (http.tls), and this verb does not");
    let address = address(&loaded.config.http.listen).await?;
    let stream = tcp(address).await.with_context(|| format!("no agent answers on {address}"))?;
    let (mut sender, mut connection) = client::open(stream).await?;
    let method = if what == What::Purge { Method::POST } else { Method::GET };
    let mut request = Request::builder().method(method).uri(what.path()).header(header::HOST, address.to_string());
    let token = &loaded.config.http.token;
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    if let Some(proof) = proof {
        request = request.header(PROOF, &proof.name);
    }
    let request = request.body(Empty::new())?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the agent's answer broke off: {error}"))?;
        Ok((status, body.to_bytes()))
    };
    client::driven(&mut connection, answer).await
}

/// Where an agent that listens like this is reached from its own host.
async fn address(listen: &str) -> anyhow::Result<SocketAddr> {
    let full = if listen.starts_with(':') { format!("127.0.0.1{listen}") } else { listen.to_owned() };
    let mut found = tokio::net::lookup_host(&full).await.with_context(|| full.clone())?;
    let mut address = found.next().with_context(|| format!("{full}: the name has no address"))?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv6() {
            std::net::Ipv6Addr::LOCALHOST.into()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        });
    }
    Ok(address)
}

/// A file in the queue's directory, which the agent takes for the right to empty it.
struct Proof {
    path: PathBuf,
    name: String,
}

impl Proof {
    fn put(dir: &Path) -> anyhow::Result<Proof> {
        let name =
            format!("{PROOF_FILE}{:016x}{:016x}", crate::falcon::connection::random(), u64::from(std::process::id()));
        let path = dir.join(&name);
        // Where the agent says: nothing that lies there already is written to.
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{} is not there: the agent has put nothing on disk", dir.display())
            }
            made => made.with_context(|| {
                format!("{}: only who may write there may purge the queue (root, an administrator)", dir.display())
            })?,
        };
        Ok(Proof { path, name })
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn on_files(storage: impl Storage, dir: &Path, what: What, how: &str) -> anyhow::Result<String> {
    let mut log = Log::open(storage, u64::MAX).with_context(|| dir.display().to_string())?;
    let mut text = format!("{} ({how})\n", dir.display());
    let (points, bytes) = (log.points(), log.bytes());
    let age = log.oldest().map(|taken| u64::try_from(clock::steady_s() - taken).unwrap_or(0));
    let oldest = age.map_or_else(String::new, |age| format!(", the oldest for {}", span(age)));
    match what {
        What::Status => {
            let _ = writeln!(text, "waiting  {points} points{oldest}");
            let _ = writeln!(text, "disk     {points} points, {bytes} bytes");
        }
        What::Verify => {
            let _ = writeln!(text, "waiting  {points} points{oldest}");
            text.push_str(&verified(&log.verify()?));
        }
        What::Purge => {
            let _ = writeln!(text, "purged   {} points", log.purge()?);
        }
    }
    Ok(text)
}

fn verified(found: &Verified) -> String {
    let Verified { segments, bytes, records, points, damaged, .. } = found;
    format!(
        "verified {segments} files, {bytes} bytes: {records} records of {points} points are whole, {} damaged ({} points)\n",
        damaged.records, damaged.points
    )
}

/// What a running agent answered.
fn told(data: &Value, dir: &Path) -> String {
    let number = |path: &str| data.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut text = format!("{} (told by the running agent)\n", dir.display());
    if let Some(purged) = data.get("purged").and_then(Value::as_u64) {
        let _ = writeln!(text, "purged   {purged} points");
    }
    let oldest = match number("/points") {
        0 => String::new(),
        _ => format!(", the oldest for {}", span(number("/oldest_s"))),
    };
    let _ = writeln!(text, "waiting  {} points{oldest}", number("/points"));
    let _ = writeln!(text, "memory   {} points, {} bytes", number("/memory/points"), number("/memory/bytes"));
    let _ = writeln!(text, "disk     {} points, {} bytes", number("/disk/points"), number("/disk/bytes"));
    if let Some(trouble) = data.pointer("/disk/trouble").and_then(Value::as_str) {
        let _ = writeln!(text, "trouble  {trouble}");
    }
    let lost = data.get("lost").and_then(Value::as_object).into_iter().flatten();
    let lost: Vec<String> = lost.filter(|(_, n)| n.as_u64() > Some(0)).map(|(why, n)| format!("{why} {n}")).collect();
    let _ = writeln!(
        text,
        "lost     {}",
        if lost.is_empty() { "nothing since it started".to_owned() } else { lost.join(", ") }
    );
    if data.get("verified").is_some() {
        let size = |path: &str| usize::try_from(number(path)).unwrap_or(usize::MAX);
        text.push_str(&verified(&Verified {
            segments: size("/verified/segments"),
            bytes: number("/verified/bytes"),
            records: size("/verified/records"),
            points: size("/verified/points"),
            damaged: crate::queue::log::Damaged {
                records: size("/verified/damaged_records"),
                points: size("/verified/damaged_points"),
            },
            oldest: None,
        }));
    }
    text
}
