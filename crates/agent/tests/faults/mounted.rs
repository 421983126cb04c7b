//! Disks that are full or cannot be written to: small file systems of their own. They need a mount namespace in which this
//! process may mount, so that nothing stays behind: `cargo xtask faults` runs these in one where the system gives one, and
//! says so where it does not.
//!
//! Linux only: Wine's server opens files outside of the namespace.

use std::fs;
use std::path::PathBuf;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::harness::agent::{Agent, Home};
use crate::harness::is_long;
use crate::harness::servers::Server;
use crate::load::Load;
use crate::quiet;

/// Some segments of the queue would never fit.
const BYTES: u64 = 1 << 20;

/// A file system of [`BYTES`] at an agent's `var`.
struct Disk {
    at: PathBuf,
    home: Home,
}

impl Disk {
    fn new() -> Disk {
        let home = Home::new();
        let at = home.path().join("var");
        fs::create_dir(&at).expect("a directory");
        let options = format!("size={BYTES},mode=0777");
        let options = std::ffi::CString::new(options).expect("no NUL");
        mount("faults", &at, "tmpfs", MountFlags::empty(), options.as_c_str())
            .expect("a namespace in which this may mount: `unshare --mount`, as root or with --map-root-user");
        Disk { at, home }
    }

    fn set(&self, flags: MountFlags) {
        mount_remount(&self.at, flags, c"").expect("it is mounted");
    }

    /// Leaves no room.
    fn fill(&self) {
        let size = usize::try_from(BYTES).unwrap();
        // It ends with an error, when nothing more fits.
        let _ = fs::write(self.at.join("full"), vec![7; size]);
    }

    fn empty(&self) {
        fs::remove_file(self.at.join("full")).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.at, UnmountFlags::DETACH);
    }
}

fn complaints(agent: &Agent) -> usize {
    agent.lines(" queue: ").into_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).count()
}

/// With a disk that takes nothing, points arrive from memory; once it takes something it is used again.
fn survives(disk: &Disk, breaks: impl Fn(&Disk), mends: impl Fn(&Disk)) {
    let (server, load) = (Server::good(), Load::new("app", 100));
    let agent = Agent::start_in(&disk.home, &quiet(&[&server.addr]));
    load.push(&agent, 1);
    load.all_arrive(&agent, &[&server]);
    breaks(disk);
    server.down();
    load.push(&agent, 5);
    agent.wait("a line about the disk", || (complaints(&agent) == 1).then_some(()));
    agent.assert_healthy();
    load.push(&agent, 5);
    server.up();
    load.all_arrive(&agent, &[&server]);
    assert_eq!(complaints(&agent), 1, "{}", agent.state());
    mends(disk);
    if is_long() {
        // It is tried again each minute.
        server.down();
        load.push(&agent, 5);
        for _ in 0..2 {
            // One wait is as long as its patience.
            let used = || (disk.home.queue_bytes() > 0).then_some(());
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| agent.wait("a disk in use", used))).is_ok() {
                break;
            }
        }
        assert!(disk.home.queue_bytes() > 0, "{}", agent.state());
        server.up();
        load.all_arrive(&agent, &[&server]);
    }
    assert_eq!(agent.terminate().code, Some(0));
}

#[test]
fn a_full_disk() {
    survives(&Disk::new(), Disk::fill, Disk::empty);
}

#[test]
fn a_disk_that_cannot_be_written_to() {
    survives(&Disk::new(), |disk| disk.set(MountFlags::RDONLY), |disk| disk.set(MountFlags::empty()));
}

/// More than the disk holds: what it took and what was in memory arrives, in order, and what is lost is counted.
#[test]
fn a_disk_that_fills_up_with_points() {
    let disk = Disk::new();
    let (server, load) = (Server::good(), Load::new("app", 500));
    let agent = Agent::start_in(&disk.home, &quiet(&[&server.addr]));
    server.down();
    // About 65 KB each, together a few times the disk and well within memory.
    load.push(&agent, 60);
    agent.wait("a line about the disk", || (complaints(&agent) == 1).then_some(()));
    agent.assert_healthy();
    server.up();
    load.all_arrive(&agent, &[&server]);
    assert_eq!(complaints(&agent), 1, "{}", agent.state());
    assert_eq!(agent.terminate().code, Some(0));
}
