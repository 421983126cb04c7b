//! The API of the finished Linux executable, asked by schemathesis what `docs/openapi.json` says of it.
//!
//! The agent wants a token, so that requests without it are a part of what is asked. Twice, for answers come in two forms: as
//! the Go agent gives them, and as JSON. Which checks run, and why others do not: `xtask/schemathesis/schemathesis.toml`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::Cx;
use crate::agent::{Agent, free_address};
use crate::child::Run;
use crate::ledger::Passed;
use crate::tools::SCHEMATHESIS;

const API: &str = "docs/openapi.json";
const SETTINGS: &str = "xtask/schemathesis/schemathesis.toml";
const HOOKS: &str = "xtask/schemathesis";
const TOKEN: &str = "correct-horse-battery";

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Ten times what a run takes.
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub fn run(cx: &Cx<'_>) -> Result<Passed> {
    let folder = cx.ws.target("api");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let http = free_address()?;
    // A transfer that nobody is: the queue and its routes are there, and nothing leaves.
    let config = json!({
        "hostname": "api",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false, "addrs": [free_address()?.to_string()] },
        "http": { "listen": http.to_string(), "token": TOKEN },
    });
    let file = folder.join("cfg.json");
    fs::write(&file, config.to_string())?;
    let mut agent = Agent::start(Run::new(cx.ws.linux_exe()).arg("-c").arg(&file), &folder)?;
    agent.until_healthy(http, Instant::now() + STARTS_WITHIN)?;
    for accept in ["*/*", "application/json"] {
        println!("Accept: {accept}");
        let ask = Run::new(SCHEMATHESIS.path(cx.ws)).arg("--config-file").arg(cx.ws.path(SETTINGS)).arg("run");
        let ask = ask.arg(cx.ws.path(API)).args(["--no-color", "--url"]).arg(format!("http://{http}"));
        let ask = ask.args(["-H", &format!("Accept: {accept}"), "-H", &format!("Authorization: Bearer {TOKEN}")]);
        // What it keeps for a next run goes to the folder it is in.
        let ask = ask.dir(&folder).env("PYTHONPATH", cx.ws.path(HOOKS)).env("PYTHONDONTWRITEBYTECODE", "1");
        let ask = ask.env("SCHEMATHESIS_HOOKS", "hooks").env("no_proxy", "*").env("NO_PROXY", "*");
        ask.limit(LIMIT).show()?;
        agent.still_runs()?;
    }
    let output = agent.output();
    ensure!(!output.contains("panicked"), "a handler panicked\n{output}");
    agent.interrupt()?;
    Ok(Passed::gates(2))
}
