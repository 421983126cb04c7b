//! What the agent takes from a host while it does its ordinary work: resident memory, threads, descriptors.
//!
//! Each shipped executable runs against the Go peer until two cycles of metrics have arrived, so the figures are those
//! of an agent that has collected, sent and been answered. Figures of a Wine process are read by its Linux pid.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::Cx;
use crate::agent::{Agent, Usage, free_address};
use crate::child::Run;
use crate::ledger::Passed;
use crate::peer::Peer;
use crate::wine::Session;

/// Promises of the product, see the README. Memory is promised for Linux: under Wine it holds Wine's own.
const MAX_THREADS: u64 = 12;
const MAX_RSS_KB_LINUX: u64 = 16 * 1024;

const STEP_SECONDS: u32 = 10;
const CYCLES: usize = 2;
/// For start, two cycles and whatever a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(180);

pub fn run(cx: &Cx<'_>) -> Result<Passed> {
    for (name, exe) in [("linux", cx.ws.linux_exe()), ("linux-static", cx.ws.linux_static_exe())] {
        let linux = at_rest(cx, name, |config| Run::new(&exe).arg("-c").arg(config))?;
        ensure!(linux.rss_kb <= MAX_RSS_KB_LINUX, "{name}: more than {MAX_RSS_KB_LINUX} kB resident");
    }
    let session = Session::start(cx.ws)?;
    at_rest(cx, "wine", |config| {
        let windows_path = format!("Z:{}", config.to_string_lossy().replace('/', "\\"));
        session.enter(Run::new("wine").arg(cx.ws.windows_exe()).arg("-c").arg(windows_path))
    })?;
    Ok(Passed::gates(5))
}

fn at_rest(cx: &Cx<'_>, name: &str, agent: impl Fn(&Path) -> Run) -> Result<Usage> {
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
    agent.interrupt()?;
    Ok(usage)
}

fn configuration(peer: &Peer, http: SocketAddr) -> serde_json::Value {
    json!({
        "hostname": "idle",
        "ip": "127.0.0.1",
        "plugin": { "enabled": false },
        "heartbeat": { "enabled": true, "addr": peer.hbs, "interval": STEP_SECONDS, "timeout": 1000 },
        "transfer": { "enabled": true, "addrs": [peer.transfer], "interval": STEP_SECONDS, "timeout": 1000 },
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
