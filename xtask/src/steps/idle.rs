//! What the agent takes from a host while it does its ordinary work: resident memory, threads, descriptors.
//!
//! Each shipped executable runs against the Go peer until two cycles of metrics have arrived, so the figures are those
//! of an agent that has collected, sent and been answered; then as many points are pushed as its history has room for, and
//! memory is measured again. Figures of a Wine process are read by its Linux pid.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Cx;
use crate::agent::{Agent, Usage, free_address, get, post};
use crate::child::Run;
use crate::ledger::Passed;
use crate::peer::Peer;
use crate::wine::Session;

/// Promises of the product, see the README. Memory is promised for Linux: under Wine it holds Wine's own.
const MAX_THREADS: u64 = 12;
const MAX_RSS_KB_LINUX: u64 = 16 * 1024;

const STEP_SECONDS: u32 = 10;
const CYCLES: usize = 2;
/// For start and two cycles, and for a history to be filled, and whatever a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(180);
/// Series of a push, and how often each is in it: an ordinary host has so many series.
const SERIES: usize = 300;
const STAMPS: i64 = 5;
/// The stamps of the pushes begin so long ago: none is ahead of the clock.
const AGO_S: i64 = 3000;

pub fn run(cx: &Cx<'_>) -> Result<Passed> {
    for (name, exe) in [("linux", cx.ws.linux_exe()), ("linux-static", cx.ws.linux_static_exe())] {
        for usage in at_rest(cx, name, |config| Run::new(&exe).arg("-c").arg(config))? {
            ensure!(usage.rss_kb <= MAX_RSS_KB_LINUX, "{name}: more than {MAX_RSS_KB_LINUX} kB resident");
        }
    }
    let session = Session::start(cx.ws)?;
    at_rest(cx, "wine", |config| {
        let windows_path = format!("Z:{}", config.to_string_lossy().replace('/', "\\"));
        session.enter(Run::new("wine").arg(cx.ws.windows_exe()).arg("-c").arg(windows_path))
    })?;
    Ok(Passed::gates(7))
}

/// After some cycles, and with a full history.
fn at_rest(cx: &Cx<'_>, name: &str, agent: impl Fn(&Path) -> Run) -> Result<[Usage; 2]> {
    let folder = cx.ws.target("idle").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut peer = Peer::start(&cx.ws.peer_exe())?;
    let http = free_address()?;
    let config = folder.join("cfg.json");
    fs::write(&config, configuration(&peer, http).to_string())?;
    let mut agent = Agent::start(agent(&config), &folder)?;

    let deadline = Instant::now() + PATIENCE;
    agent.until_healthy(http, deadline)?;
    until_cycles(&mut agent, &mut peer, deadline)?;
    let usage = agent.usage()?;
    println!(
        "{name}: {} kB resident, {} threads, {} descriptors after {CYCLES} cycles",
        usage.rss_kb, usage.threads, usage.descriptors
    );
    ensure!(usage.threads <= MAX_THREADS, "{name}: more than {MAX_THREADS} threads");
    let pushes = fill_history(&mut agent, http, Instant::now() + PATIENCE)?;
    let full = agent.usage()?;
    println!("{name}: {} kB resident with a full history, after {pushes} pushes", full.rss_kb);
    agent.interrupt()?;
    Ok([usage, full])
}

/// Pushes numbers that nothing makes smaller until the first that came in, at the start, made room; answers how many times.
fn fill_history(agent: &mut Agent, http: SocketAddr, deadline: Instant) -> Result<i64> {
    let first = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())? - AGO_S;
    let (mut seed, mut pushes) = (1, 0);
    let began = asked(http, "/ui/state", "/history/from")?;
    while asked(http, "/ui/state", "/history/from")? <= began {
        if Instant::now() > deadline {
            bail!("{pushes} pushes did not fill the history\n{}", agent.output());
        }
        let stamps = pushes * STAMPS..(pushes + 1) * STAMPS;
        let items: Vec<Value> = stamps
            .flat_map(|n| (0..SERIES).map(move |series| (n, series)))
            .map(|(n, series)| {
                json!({
                    "endpoint": "idle", "metric": format!("idle.history.{series}"), "tags": "", "counterType": "GAUGE",
                    "step": 60, "timestamp": first + n, "value": number(&mut seed),
                })
            })
            .collect();
        post(http, "/v1/push", Value::from(items).to_string().as_bytes())?;
        pushes += 1;
        // What waits for the transfer is no history.
        while asked(http, "/queue", "/data/points")? > 0 {
            if Instant::now() > deadline {
                bail!("what was pushed is not sent\n{}", agent.output());
            }
            agent.still_runs()?;
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(pushes)
}

/// A number of an answer.
fn asked(http: SocketAddr, path: &str, pointer: &str) -> Result<i64> {
    let answer: Value = serde_json::from_str(&get(http, path)?)?;
    answer.pointer(pointer).and_then(Value::as_i64).with_context(|| format!("{path}: {answer}"))
}

/// From 1 to 2, with bits as of a die (xorshift64).
fn number(seed: &mut u64) -> f64 {
    for shift in [13, -7, 17] {
        *seed ^= if shift > 0 { *seed << shift } else { *seed >> -shift };
    }
    1.0 + (*seed >> 12) as f64 / (1_u64 << 52) as f64
}

fn configuration(peer: &Peer, http: SocketAddr) -> serde_json::Value {
    json!({
        "hostname": "idle",
        "ip": "127.0.0.1",
        "plugin": { "enabled": false },
        "heartbeat": { "enabled": true, "addr": peer.hbs, "interval": STEP_SECONDS, "timeout": 1000 },
        "transfer": { "enabled": true, "addrs": [peer.transfer], "interval": STEP_SECONDS, "timeout": 1000, "replay_pause": 0 },
        "http": { "enabled": true, "listen": http.to_string(), "backdoor": false },
        "collector": { "ifacePrefix": [], "mountPoint": [] },
    })
}

fn until_cycles(agent: &mut Agent, peer: &mut Peer, deadline: Instant) -> Result<()> {
    let mut stamps = std::collections::BTreeSet::new();
    while stamps.len() < CYCLES {
        if Instant::now() > deadline {
            bail!("{} of {CYCLES} cycles arrived\n{}", stamps.len(), agent.output());
        }
        agent.still_runs()?;
        if let Some(line) = peer.line(Duration::from_secs(1))? {
            let items = line.get("items").and_then(|items| items.as_array()).into_iter().flatten();
            stamps.extend(items.filter_map(|item| item.get("timestamp")?.as_i64()));
        }
    }
    Ok(())
}
