//! Series follow what happens on the host: a load of known size is laid on it, and what arrives at the transfer is looked
//! at. Others work on this host too, so what is laid on is large and what is asked for is less.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use rustix::fs::FallocateFlags;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::is_windows;
use crate::harness::items::Item;
use crate::harness::peer::Peer;
use crate::now;

/// The values of a series from a stamp on, in the order of arrival.
fn values(peer: &Peer, metric: &str, tags: &str, from: i64) -> Vec<f64> {
    let is_asked = |item: &Item| item.metric == metric && item.tags == tags && item.timestamp >= from;
    peer.items().into_iter().filter(is_asked).map(|item| item.value).collect()
}

/// Waits for a value that was measured from now on.
fn wait_for(peer: &Peer, agent: &Agent, metric: &str, tags: &str, fits: impl Fn(f64) -> bool) -> f64 {
    // The cycle of this second may have been measured before.
    let from = now() + 1;
    peer.wait(&format!("{metric} {tags} that fits"), agent, || {
        values(peer, metric, tags, from).into_iter().find(|value| fits(*value))
    })
}

#[test]
fn work_makes_processors_busy_and_the_load_rise() {
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("busy"));
    let processors = wait_for(&peer, &agent, "cpu.cnt", "", |count| count >= 1.0);
    let ends = AtomicBool::new(false);
    // A process may be bound to some of them.
    let threads = thread::available_parallelism().expect("it is known").get();
    thread::scope(|scope| {
        // Also when the test fails: the threads are waited for.
        let _end = Ends(&ends);
        for _ in 0..threads {
            scope.spawn(|| {
                while !ends.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let share = 100.0 * f64::from(u32::try_from(threads).unwrap()) / processors;
        let busy = wait_for(&peer, &agent, "cpu.busy", "", |busy| busy >= share * 0.7);
        assert!(busy <= 100.0, "{busy}");
        let idle = wait_for(&peer, &agent, "cpu.idle", "", |idle| idle <= 100.0 - share * 0.7);
        assert!(idle >= 0.0, "{idle}");
        wait_for(&peer, &agent, "cpu.user", "", |user| user >= share * 0.3);
        // A minute's mean moves at once; on Windows it is the agent's own.
        wait_for(&peer, &agent, "load.1min", "", |load| load > 0.05);
        for metric in ["load.5min", "load.15min"] {
            wait_for(&peer, &agent, metric, "", |load| load >= 0.0);
        }
    });
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn listeners_and_connections_are_counted() {
    // Far more than the tests beside this one have open, and still within 1,024 files.
    const LISTENERS: usize = 400;
    const PAIRS: usize = 200;
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("sockets"));
    let listeners: Vec<TcpListener> =
        (0..LISTENERS).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let address = listeners[0].local_addr().expect("an address");
    let pair = |_| (TcpStream::connect(address).expect("connected"), listeners[0].accept().expect("accepted").0);
    let pairs: Vec<_> = (0..PAIRS).map(pair).collect();
    wait_for(&peer, &agent, "ss.listen", "", |count| count >= 400.0);
    wait_for(&peer, &agent, "ss.estab", "", |count| count >= 400.0);
    drop((pairs, listeners));
    wait_for(&peer, &agent, "ss.listen", "", |count| count < 400.0);
    wait_for(&peer, &agent, "ss.estab", "", |count| count < 400.0);
}

/// A directory and the tags of the file system that holds it; `None` where all of them are kinds that are left out.
fn volume(items: &[Item]) -> Option<(PathBuf, String)> {
    let mount = |item: &Item| {
        item.tags.strip_prefix("mount=").and_then(|tags| Some(tags.rsplit_once(",fstype=")?.0.to_owned()))
    };
    let mut mounts: Vec<(String, String)> = items
        .iter()
        .filter(|item| item.metric == "df.bytes.free")
        .map(|item| (mount(item).expect("two tags"), item.tags.clone()))
        .collect();
    if is_windows() {
        let drive = PathBuf::from(std::env::var_os("WINEPREFIX").expect("the harness asks for it")).join("drive_c");
        return mounts.into_iter().find(|(mount, _)| mount == "C:").map(|(_, tags)| (drive, tags));
    }
    let dir = fs::canonicalize(env!("CARGO_TARGET_TMPDIR")).expect("cargo makes it");
    let table = fs::read_to_string("/proc/self/mountinfo").expect("proc(5)");
    // Not every mount is shown: the one that holds the directory is the longest of all.
    let holder = table.lines().filter_map(|line| line.split(' ').nth(4)).filter(|point| dir.starts_with(point));
    let holder = holder.max_by_key(|point| point.len()).expect("the root");
    mounts.retain(|(mount, _)| mount == holder);
    mounts.pop().map(|(_, tags)| (dir, tags))
}

#[test]
fn a_large_file_takes_space_and_gives_it_back() {
    const BYTES: u64 = 512 << 20;
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("space"));
    let first = peer.wait("a cycle with file systems", &agent, || {
        let items = peer.items();
        let rows = items.iter().any(|item| item.metric.starts_with("df."));
        (rows || peer.cycles().len() >= 5).then_some(items)
    });
    let Some((dir, tags)) = volume(&first) else {
        assert!(!is_windows(), "Wine has C:");
        return;
    };
    let half = BYTES as f64 / 2.0;
    let free = |fits: &dyn Fn(f64) -> bool| wait_for(&peer, &agent, "df.bytes.free", &tags, fits);
    // Others write and delete beside this: it is tried until both steps are seen.
    peer.wait("space to go and come back", &agent, || {
        let before = free(&|_| true);
        let file = tempfile::tempfile_in(&dir).expect("a file");
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES).expect("512 MiB of space");
        let full = free(&|_| true);
        drop(file);
        let after = free(&|_| true);
        (full <= before - half && after >= full + half).then_some(())
    });
}

/// On Windows loopback is no interface that is reported.
#[test]
fn bytes_over_loopback_are_counted() {
    const BYTES: usize = 32 << 20;
    if is_windows() {
        return;
    }
    let peer = Peer::start();
    let agent = Agent::start(&peer.config("bytes"));
    let before = wait_for(&peer, &agent, "net.if.in.bytes", "iface=lo", |_| true);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let reader = thread::spawn(move || {
        let mut stream = listener.accept().expect("accepted").0;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an end")
    });
    TcpStream::connect(address).expect("connected").write_all(&vec![7; BYTES]).expect("sent");
    assert_eq!(reader.join().expect("it read"), BYTES);
    let least = before + BYTES as f64;
    wait_for(&peer, &agent, "net.if.in.bytes", "iface=lo", |bytes| bytes >= least);
    wait_for(&peer, &agent, "net.if.out.bits", "iface=lo", |bits| bits >= least * 8.0);
}

#[test]
fn processes_of_a_name_are_counted_and_measured() {
    const MORE: usize = 3;
    let peer = Peer::start();
    let mut config = peer.config("processes");
    config["collector"] = json!({ "process": ["falcon-agent", "no such program"] });
    let agent = Agent::start(&config);
    let wait = |metric: &str, fits: &dyn Fn(f64) -> bool| wait_for(&peer, &agent, metric, "name=falcon-agent", fits);
    assert!(wait("process.count", &|_| true) >= 1.0, "it is one itself");
    let alone = json!({ "hostname": "another", "transfer": { "interval": 1 } });
    let others: Vec<Agent> = (0..MORE).map(|_| Agent::start(&alone)).collect();
    let together = wait("process.count", &|count| count >= 4.0);
    wait_for(&peer, &agent, "sys.processes", "", |count| count >= together);
    wait("process.threads", &|threads| threads >= together);
    wait("process.uptime", &|age| (0.0..1e9).contains(&age));
    let memory = if is_windows() { "process.mem.ws" } else { "process.mem" };
    wait(memory, &|bytes| (4.0 * 500e3..1e12).contains(&bytes));
    wait("process.handles", &|handles| handles >= together);
    // What is asked for is work, of each of them.
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = Ends(&ends);
        for other in &others {
            scope.spawn(|| {
                while !ends.load(Relaxed) {
                    other.get("/ui/series");
                }
            });
        }
        let all = wait("process.cpu.all", &|percent| percent >= 1.0);
        assert!(all < 100_000.0, "{all}");
    });
    drop(others);
    wait("process.count", &|count| count < together);
    let none = values(&peer, "process.count", "name=no such program", 0);
    assert!(!none.is_empty() && none.iter().all(|count| *count == 0.0), "{none:?}");
    assert!(!peer.items().iter().any(|item| item.tags == "name=no such program" && item.metric != "process.count"));
}
