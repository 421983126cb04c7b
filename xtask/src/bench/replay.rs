//! How fast a day of backlog goes: 1,440 cycles of 500 series are pushed into the shipped executable while its transfer is
//! away, and counted as they arrive when it is there: first as fast as can be, then at the pause that servers need.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::agent::{Agent, free_address, post};
use crate::child::Run;
use crate::steps::build_linux;
use crate::toolchain::SourceRust;
use crate::workspace::Workspace;

const CYCLES: u64 = 1440;
const SERIES: u64 = 500;
/// Seconds between two cycles, all of them past.
const STEP: u64 = 60;
const PATIENCE: Duration = Duration::from_secs(600);

/// # Errors
/// When the agent does not take or send everything.
pub fn run(ws: &Workspace) -> Result<()> {
    build_linux(ws, SourceRust::get()?)?;
    let folder = ws.target("bench");
    println!("\n{} points: {CYCLES} cycles of {SERIES} series\n", CYCLES * SERIES);
    println!("{:<28} {:>8} {:>8} {:>8} {:>9} {:>8}", "", "taken s", "disk MB", "sent s", "points/s", "RSS kB");
    measure("replay_pause 0", &ws.linux_exe(), &folder, json!(0))?;
    measure("replay_pause as it comes", &ws.linux_exe(), &folder, Value::Null)
}

fn measure(name: &str, exe: &Path, folder: &Path, pause: Value) -> Result<()> {
    let state = folder.join("var");
    if state.exists() {
        fs::remove_dir_all(&state)?;
    }
    fs::create_dir_all(folder)?;
    let (http, transfer) = (free_address()?, free_address()?);
    let config = folder.join("cfg.json");
    let text = json!({
        "hostname": "bench",
        "heartbeat": { "enabled": false },
        "transfer": { "enabled": false, "addrs": [transfer.to_string()], "replay_delay": 0, "replay_speed": 0,
                      "replay_pause": pause },
        "http": { "enabled": true, "listen": http.to_string() },
    });
    fs::write(&config, text.to_string())?;
    let mut agent = Agent::start(Run::new(exe).arg("-c").arg(&config), folder)?;
    agent.until_healthy(http, Instant::now() + PATIENCE)?;

    let start = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let first = (now / STEP - CYCLES) * STEP;
    let mut most_kb = 0;
    for cycle in 0..CYCLES {
        post(http, "/v1/push", body(cycle, first).as_bytes())?;
        most_kb = most_kb.max(agent.usage()?.rss_kb);
    }
    let taken = start.elapsed();
    let bytes: u64 =
        fs::read_dir(state.join("queue")).context("nothing is on the disk")?.map(size).sum::<Result<u64>>()?;

    let counted = Arc::<AtomicUsize>::default();
    let start = Instant::now();
    count(transfer, counted.clone())?;
    let (mut first, points) = (None, usize::try_from(CYCLES * SERIES)?);
    while counted.load(Ordering::SeqCst) < points {
        agent.still_runs()?;
        ensure!(
            start.elapsed() < PATIENCE,
            "{} of {points} arrived\n{}",
            counted.load(Ordering::SeqCst),
            agent.output()
        );
        if first.is_none() && counted.load(Ordering::SeqCst) > 0 {
            // The agent finds out at its next try.
            first = Some(Instant::now());
        }
        most_kb = most_kb.max(agent.usage()?.rss_kb);
        thread::sleep(Duration::from_millis(5));
    }
    let sent = first.unwrap_or(start).elapsed().as_secs_f64();
    println!(
        "{name:<28} {:>8.1} {:>8.1} {sent:>8.1} {:>9.0} {most_kb:>8}",
        taken.as_secs_f64(),
        bytes as f64 / 1e6,
        points as f64 / sent
    );
    agent.interrupt()
}

fn size(file: std::io::Result<fs::DirEntry>) -> Result<u64> {
    Ok(file?.metadata()?.len())
}

/// One push: every series at one time.
fn body(cycle: u64, first: u64) -> String {
    let at = first + cycle * STEP;
    let item = |series: u64| {
        format!(
            r#"{{"endpoint":"bench","metric":"bench.metric.{series}","value":{cycle},"step":{STEP},"counterType":"GAUGE","tags":"name=bench,series={series}","timestamp":{at}}}"#
        )
    };
    let items: Vec<String> = (0..SERIES).map(item).collect();
    format!("[{}]", items.join(","))
}

/// A transfer that counts points and keeps none.
fn count(address: SocketAddr, counted: Arc<AtomicUsize>) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let counted = counted.clone();
            // It ends with its connection.
            thread::spawn(move || serve(stream, &counted).is_ok());
        }
    });
    Ok(())
}

fn serve(mut stream: TcpStream, counted: &AtomicUsize) -> Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let (count, id) = read(&line).context("not a call")?;
        let result = format!(r#"{{"Message":"ok","Total":{count},"Invalid":0,"Latency":0}}"#);
        stream.write_all(format!("{{\"id\":{id},\"result\":{result},\"error\":null}}\n").as_bytes())?;
        counted.fetch_add(count, Ordering::SeqCst);
    }
    Ok(())
}

/// How many items a call has, and its id.
fn read(line: &str) -> Option<(usize, u64)> {
    let id = line.rsplit_once(r#""id":"#)?.1.trim_end_matches('}').parse().ok()?;
    Some((line.matches(r#"{"endpoint":"#).count(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_call_are_counted() {
        let call = format!(r#"{{"method":"Transfer.Update","params":[{}],"id":7}}"#, body(3, 60));
        assert_eq!(read(&call), Some((500, 7)));
        assert_eq!(read("no call"), None);
        assert!(body(3, 60).contains(r#""timestamp":240}"#));
    }
}
