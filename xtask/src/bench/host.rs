//! What one cycle of host metrics costs: processor time, memory, series. First on the host as it is, then on one with far
//! more of everything (see [`super::crowd`]), without and with processes to watch.
//!
//! The shipped executable collects every second and sends nothing; its processor time is read from `/proc/PID/stat` over
//! [`CYCLES`] cycles. Where a cycle costs more than [`DEAR`], each collector is measured alone.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::INSIDE;
use super::crowd::Crowd;
use crate::agent::{Agent, free_address, get};
use crate::child::Run;
use crate::steps::build_linux;
use crate::toolchain::{SourceRust, in_path};
use crate::workspace::Workspace;

const CYCLES: u32 = 30;
/// Of one collector alone: there are many.
const CYCLES_ALONE: u32 = 10;
/// The step: a second.
const STEP: Duration = Duration::from_secs(1);
/// Of starting: the first cycles open, allocate and learn.
const WARM_UP: Duration = Duration::from_secs(3);
/// What a cycle on the full host should stay below.
const DEAR: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

/// # Errors
/// When it is not root or a tool is missing.
pub fn run(ws: &Workspace) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "this bench makes namespaces, interfaces and mounts of its own, which only root may; nothing was done"
    );
    for (tool, package) in [("unshare", "util-linux"), ("ip", "iproute2")] {
        ensure!(in_path(tool), "{tool} is missing (Debian: {package})");
    }
    build_linux(ws, SourceRust::get()?)?;
    let folder = ws.target("bench");
    fs::create_dir_all(&folder)?;
    println!("\n{:<36} {:>8} {:>10} {:>7} {:>8}  longest lane", "", "ms CPU", "", "", "");
    println!("{:<36} {:>8} {:>10} {:>7} {:>8}  ms", "", "a cycle", "its own %", "series", "RSS kB");
    measure("this host", &ws.linux_exe(), &folder, json!({}), CYCLES)?;
    // The standard input ends with this program, and with it the world that it made.
    let mut command = Run::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe()?)
        .args([INSIDE, "crowd"])
        .arg(ws.linux_exe())
        .arg(&folder)
        .into_command();
    let mut child = command.stdin(Stdio::piped()).spawn().context("unshare")?;
    let input = child.stdin.take();
    let status = child.wait()?;
    drop(input);
    ensure!(status.success(), "the full host: {status}");
    Ok(())
}

/// The part that runs in namespaces of its own, as their first process: all others end with it.
///
/// # Errors
/// Names what could not be made or measured.
pub fn in_the_crowd(exe: &Path, folder: &Path) -> Result<()> {
    thread::spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    let crowd = Crowd::gather(folder)?;
    let plain = measure("full host", exe, folder, json!({}), CYCLES)?;
    let one = json!({ "process": ["falcon-agent"] });
    let watching = measure("full host, one process watched", exe, folder, one, CYCLES)?;
    // What nobody asks for: it shows what a watched process costs.
    measure("full host, 5,000 processes watched", exe, folder, json!({ "process": ["sleep"] }), CYCLES)?;
    if plain.max(watching) > DEAR {
        println!("\neach collector alone, the agent's own metrics and what it costs to be there included:");
        let names = collectors(&Run::new(exe).args(["collect", "--help"]).output()?)?;
        for only in &names {
            let others = names.iter().filter(|name| *name != only && *name != "agent");
            let mut switches: Map<String, Value> = others.map(|name| (name.clone(), json!(false))).collect();
            if only == "process" {
                switches.insert("process".to_owned(), json!(["falcon-agent"]));
            }
            measure(only, exe, folder, Value::Object(switches), CYCLES_ALONE)?;
        }
    }
    drop(crowd);
    Ok(())
}

/// Prints a row; answers the processor time of a cycle.
fn measure(name: &str, exe: &Path, folder: &Path, collector: Value, cycles: u32) -> Result<Duration> {
    let http = free_address()?;
    let config = folder.join("cfg.json");
    let text = json!({
        "hostname": "bench",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false, "interval": STEP.as_secs() },
        "http": { "enabled": true, "listen": http.to_string() },
        "collector": collector,
    });
    fs::write(&config, text.to_string())?;
    let mut agent = Agent::start(Run::new(exe).arg("-c").arg(&config), folder)?;
    agent.until_healthy(http, Instant::now() + PATIENCE)?;
    thread::sleep(WARM_UP);
    let (from, before) = (Instant::now(), agent.cpu()?);
    thread::sleep(STEP * cycles);
    let (elapsed, after) = (from.elapsed(), agent.cpu()?);
    let usage = agent.usage()?;
    // Asked once and last: an answer is work too.
    let page = Page::parse(&get(http, "/ui/series")?)?;
    agent.interrupt()?;
    let cycle = (after - before).div_f64(elapsed.as_secs_f64() / STEP.as_secs_f64());
    println!(
        "{name:<36} {:>8.1} {:>10.1} {:>7} {:>8}  {}",
        cycle.as_secs_f64() * 1000.0,
        page.own_percent,
        page.series,
        usage.rss_kb,
        page.longest_lane_ms
    );
    if page.longest_lane_ms >= STEP.as_secs_f64() * 1000.0 {
        println!("  a lane takes longer than the step: there were fewer cycles than the figures suppose");
    }
    Ok(cycle)
}

/// What the agent says of itself to its page.
#[derive(Debug, PartialEq)]
struct Page {
    series: u64,
    own_percent: f64,
    longest_lane_ms: f64,
}

impl Page {
    fn parse(series: &str) -> Result<Self> {
        let answer: Value = serde_json::from_str(series)?;
        let rows = answer.get("series").and_then(Value::as_array).context("/ui/series has no series")?;
        let values = |metric: &str| -> Vec<f64> {
            let of = |row: &Value| (row.get(1)? == metric).then(|| row.get(3)?.as_f64())?;
            rows.iter().filter_map(of).collect()
        };
        let lanes = values("agent.collect.ms");
        ensure!(!lanes.is_empty(), "/ui/series has no agent.collect.ms");
        Ok(Self {
            series: rows.len() as u64,
            own_percent: *values("agent.cpu.percent").first().context("/ui/series has no agent.cpu.percent")?,
            longest_lane_ms: lanes.into_iter().fold(0.0, f64::max),
        })
    }
}

/// The values of `--only`, as the help lists them, on some lines.
fn collectors(help: &str) -> Result<Vec<String>> {
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = text
        .split_once("--only")
        .and_then(|(_, rest)| rest.split_once("[possible values: "))
        .and_then(|(_, rest)| rest.split_once(']'));
    let Some((names, _)) = names else { bail!("the help lists no collectors:\n{help}") };
    Ok(names.split(", ").map(|name| name.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_what_the_page_asks_for() {
        let series = json!({ "series": [
            [1, "agent.collect.ms", "group=df", 31, "GAUGE", 0, 10, ""],
            [2, "agent.collect.ms", "group=host", 7.5, "GAUGE", 0, 10, ""],
            [3, "agent.cpu.percent", "", 4.25, "GAUGE", 0, 10, ""],
        ]});
        let page = Page::parse(&series.to_string()).unwrap();
        assert_eq!(page, Page { series: 3, own_percent: 4.25, longest_lane_ms: 31.0 });
        assert!(Page::parse("{\"series\":[]}").is_err());
    }

    #[test]
    fn collectors_are_those_of_the_help() {
        let help = "  --format <F>  [possible values: json]\n  --only <NAME>  One [possible\n     values: agent, cpu,\n     df]\n";
        assert_eq!(collectors(help).unwrap(), ["agent", "cpu", "df"]);
        assert!(collectors("no list").is_err());
    }
}
