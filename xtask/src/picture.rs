//! `cargo xtask picture`: the pictures of the page in `docs/`.
//!
//! What is seen on them is real, and nothing of this machine: the shipped executable runs in namespaces of its own, among
//! processes that are copies of this program under the names of servers and that work, hold memory, write and answer. Chromium
//! and the transfer are on the other side of a link, in a second network that leads nowhere either. `web/tools/picture.py`
//! makes all of it; this file is what it starts inside.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{MountFlags, mount};

use crate::child::Run;
use crate::steps::build_linux;
use crate::toolchain::SourceRust;
use crate::tools::page_tool;
use crate::workspace::Workspace;

/// The verb with which this program calls itself in a world of its own.
pub const INSIDE: &str = "picture-inside";

/// The processes of the host on the picture: name, share of a processor in percent, memory in MB.
const SERVERS: [(&str, u32, usize); 7] = [
    ("mysqld", 14, 420),
    ("nginx", 6, 24),
    ("nginx", 4, 24),
    ("php-fpm", 9, 96),
    ("php-fpm", 7, 88),
    ("redis-server", 3, 150),
    ("rsyslogd", 1, 12),
];
/// The one that answers requests, and the one that writes to the disk.
const PORT: u16 = 80;
const WRITTEN: usize = 1 << 20;

const BEAT: Duration = Duration::from_millis(50);
/// How long a load takes to rise and fall.
const SWELL_SECONDS: f64 = 47.0;

/// # Errors
/// When there are no namespaces to be had, or the page never stands.
pub fn run(ws: &Workspace) -> Result<()> {
    ensure!(
        Run::new("true").started_by("unshare", &WORLD).succeeds(),
        "`unshare {}` gives no namespaces here (root may): the picture would show this machine. Nothing was done",
        WORLD.join(" ")
    );
    build_linux(ws, SourceRust::get()?)?;
    let folder = ws.target("picture");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let tool = page_tool(ws, "picture.py").arg(std::env::current_exe()?).arg(&folder).arg(ws.path("docs"));
    // Its own network, so that the other end of the link is in none of this machine's.
    tool.started_by("unshare", &["--net", "--mount"]).show()
}

const WORLD: [&str; 7] = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// # Errors
/// Names what could not be made.
pub fn inside(args: &[&str]) -> Result<()> {
    match args {
        ["world", exe, folder] => world(Path::new(exe), Path::new(folder)),
        ["server", name, percent, megabytes] => server(name, percent.parse()?, megabytes.parse()?),
        _ => bail!("{INSIDE} is for this program itself"),
    }
}

/// The first process of the world: it begins with the first line that it is told, and all ends with it.
fn world(exe: &Path, folder: &Path) -> Result<()> {
    let mut told = BufReader::new(std::io::stdin());
    ensure!(told.read_line(&mut String::new())? > 0, "nobody says that the network is there");
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None).context("/sys")?;
    let mut children = Vec::new();
    for (name, percent, megabytes) in SERVERS {
        let copy = folder.join(name);
        if !copy.exists() {
            fs::copy(std::env::current_exe()?, &copy)?;
        }
        let args = [INSIDE, "server", name, &percent.to_string(), &megabytes.to_string()].map(str::to_owned);
        children.push(start(Run::new(&copy).args(args), folder)?);
    }
    children.push(start(Run::new(exe).arg("run"), folder)?);
    told.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn start(run: Run, folder: &Path) -> Result<Child> {
    let mut command = run.dir(folder).into_command();
    command.stdout(fs::File::options().create(true).append(true).open(folder.join("output.txt"))?);
    command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))
}

/// Works as much as it is told, up and down, and holds memory.
fn server(name: &str, percent: u32, megabytes: usize) -> Result<()> {
    // Not zeroes, which would not be held.
    let held = vec![1_u8; megabytes << 20];
    if name == "nginx" {
        // Of two the second has no port left, as its workers.
        if let Ok(listener) = TcpListener::bind(("0.0.0.0", PORT)) {
            thread::spawn(move || listener.incoming().flatten().try_for_each(answer));
        }
    }
    let begin = Instant::now();
    let mut beat = 0_u64;
    loop {
        let swell = (begin.elapsed().as_secs_f64() / SWELL_SECONDS * std::f64::consts::TAU).sin();
        let share = f64::from(percent) / 100.0 * (1.0 + 0.6 * swell + 0.3 * jitter(beat));
        let busy = BEAT.mul_f64(share.clamp(0.0, 1.0));
        let start = Instant::now();
        while start.elapsed() < busy {
            std::hint::black_box(held.iter().step_by(4096).take(512).map(|&byte| u64::from(byte)).sum::<u64>());
        }
        if name == "mysqld" && beat.is_multiple_of(8) {
            let mut file = fs::File::create("table")?;
            file.write_all(held.get(..WRITTEN).unwrap_or_default())?;
            file.sync_all()?;
        }
        thread::sleep(BEAT.saturating_sub(start.elapsed()));
        beat += 1;
    }
}

/// A line is a number of bytes, and is answered with as many.
fn answer(stream: TcpStream) -> Result<()> {
    let mut back = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        back.write_all(&vec![b'.'; line?.parse::<usize>()?.min(WRITTEN * 8)])?;
    }
    Ok(())
}

/// Between -1 and 1, never the same for long.
fn jitter(beat: u64) -> f64 {
    let mixed = beat.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    mixed as f64 / f64::from(1 << 23) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_swings_around_what_it_is_told() {
        let beats: Vec<f64> = (0..1000).map(jitter).collect();
        assert!(beats.iter().all(|beat| (-1.0..=1.0).contains(beat)));
        assert!((beats.iter().sum::<f64>() / 1000.0).abs() < 0.1);
    }

    #[test]
    fn as_many_bytes_come_back_as_were_asked_for() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || answer(listener.accept().unwrap().0));
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"3\n2\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = String::new();
        client.read_to_string(&mut back).unwrap();
        assert_eq!(back, ".....");
        server.join().unwrap().unwrap();
    }
}
