//! A host full of everything, in namespaces that end with the process that made them.
//!
//! What it is made of is what the agent reads one by one: interfaces, mounts, processes, TCP sockets. Nothing of it is
//! seen by, or takes a name or a port from, the host around it; nothing outlives it, however it ends.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::INSIDE;
use crate::child::Run;

const INTERFACES: usize = 200;
const MOUNTS: usize = 1000;
/// Of them, those that become rows: with more the agent's page, of 10,000 series, would not show everything.
const SIZED: usize = 250;
const PROCESSES: usize = 5000;
/// Each has two sockets here.
const CONNECTIONS: usize = 25_000;

/// Descriptors that a process has for other things.
const SPARE: u64 = 100;

/// Everything that has to be held; it goes with the namespaces.
pub struct Crowd {
    _children: Vec<Child>,
}

impl Crowd {
    /// To be called in network, mount and process namespaces of its own.
    ///
    /// # Errors
    /// Names what could not be made.
    pub fn gather(folder: &Path) -> Result<Self> {
        let links = interfaces(folder)?;
        let types = mounts(folder)?;
        let mut children = connections()?;
        children.extend(processes()?);
        println!("{links}, {types}, {PROCESSES} processes, {} TCP sockets", 2 * CONNECTIONS);
        Ok(Self { _children: children })
    }
}

/// Dummy interfaces, or pairs of virtual Ethernet where the kernel has no dummies.
fn interfaces(folder: &Path) -> Result<String> {
    let dummies = Run::new("ip").args(["link", "add", "d0", "type", "dummy"]).succeeds();
    let mut batch = "link set lo up\n".to_owned();
    if dummies {
        (1..INTERFACES).for_each(|n| batch.push_str(&format!("link add d{n} type dummy\n")));
    } else {
        (0..INTERFACES / 2).for_each(|n| batch.push_str(&format!("link add a{n} type veth peer name b{n}\n")));
    }
    let file = folder.join("links");
    fs::write(&file, batch)?;
    Run::new("ip").arg("-batch").arg(&file).show().context("interfaces: the kernel has neither dummy nor veth")?;
    // That of the namespace around shows the interfaces there.
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None).context("/sys")?;
    Ok(format!("{INTERFACES} {} interfaces", if dummies { "dummy" } else { "veth" }))
}

/// File systems that hold nothing and are no kind that the agent leaves out unasked. Where the kernel has hugetlbfs some
/// have a size and become rows; a ramfs is asked as well, and then left out because its size is 0.
fn mounts(folder: &Path) -> Result<String> {
    let base = folder.join("mounts");
    fs::create_dir_all(&base)?;
    mount("base", &base, "ramfs", MountFlags::empty(), None).context("ramfs")?;
    let sized = if has_hugetlbfs(&fs::read_to_string("/proc/filesystems")?) { SIZED } else { 0 };
    for n in 0..MOUNTS {
        let (point, source) = (base.join(n.to_string()), format!("crowd-{n}"));
        fs::create_dir(&point)?;
        let mounted = if n < sized {
            mount(source, &point, "hugetlbfs", MountFlags::empty(), Some(c"size=4M"))
        } else {
            mount(source, &point, "ramfs", MountFlags::empty(), None)
        };
        mounted.with_context(|| format!("mount {n}"))?;
    }
    Ok(format!("{MOUNTS} mounts, {sized} of them with a size"))
}

fn has_hugetlbfs(filesystems: &str) -> bool {
    filesystems.lines().any(|line| line.split_ascii_whitespace().eq(["nodev", "hugetlbfs"]))
}

fn processes() -> Result<Vec<Child>> {
    let sleeper = |n| {
        let mut command = Run::new("sleep").arg("infinity").into_command();
        command.stdout(Stdio::null()).spawn().with_context(|| format!("process {n} of {PROCESSES}"))
    };
    (0..PROCESSES).map(sleeper).collect()
}

/// Processes that hold the connections, as many as the limit on descriptors asks for.
fn connections() -> Result<Vec<Child>> {
    let descriptors = raise_descriptors()?;
    let each = usize::try_from(descriptors.saturating_sub(SPARE) / 2)?.min(CONNECTIONS);
    ensure!(each > 0, "no more than {descriptors} descriptors are allowed");
    let mut holders = Vec::new();
    let mut left = CONNECTIONS;
    while left > 0 {
        let count = left.min(each);
        let mut command =
            Run::new(std::env::current_exe()?).args([INSIDE, "connections", &count.to_string()]).into_command();
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut ready = [0];
        let out = holder.stdout.as_mut().context("a pipe was asked for")?;
        out.read_exact(&mut ready).with_context(|| format!("{count} connections cannot be held"))?;
        holders.push(holder);
        left -= count;
    }
    Ok(holders)
}

/// The soft limit becomes the hard one; answers it.
fn raise_descriptors() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Holds this many connections with itself until its standard input ends.
///
/// # Errors
/// When there are not enough ports or descriptors.
pub fn hold(count: usize) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((TcpStream::connect(address)?, listener.accept()?));
    }
    let mut out = std::io::stdout();
    out.write_all(b"+")?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_known_by_its_whole_name() {
        assert!(has_hugetlbfs("nodev\tramfs\nnodev\thugetlbfs\n\text4\n"));
        assert!(!has_hugetlbfs("nodev\thugetlbfs2\n\thugetlbfs\n"));
    }
}
