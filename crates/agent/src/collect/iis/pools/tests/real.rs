//! Processes of this very system (under Wine: of Windows), as IIS would start them.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// Linux keeps no quotes of a command line.
const POOL: &str = if matches!(Platform::CURRENT, Platform::Windows) { "Pool A" } else { "PoolA" };
const TAG: &str = if matches!(Platform::CURRENT, Platform::Windows) { "Pool_A" } else { "PoolA" };
const READY: &str = "the worker is busy";

/// Not a test but what [`a_busy_worker_is_found_by_its_command_line`] starts: it does nothing, as fast as it can, until its
/// standard input ends.
#[test]
#[ignore = "the program of another test"]
fn busy_worker() {
    let watch = || {
        let ended = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(i32::from(ended.is_err()));
    };
    std::thread::spawn(watch);
    let mut out = std::io::stdout();
    writeln!(out, "\n{READY}").unwrap();
    out.flush().unwrap();
    loop {
        std::hint::spin_loop();
    }
}

/// One process, which ends with this.
struct Running(Child);

impl Running {
    fn start(folder: &std::path::Path) -> Running {
        let program = folder.join("w3wp.exe");
        let this = std::env::current_exe().unwrap();
        // On Linux a copy that was just written cannot be run while another test starts a program of its own; under Wine the
        // name of a process is the first one that its file was opened by.
        match Platform::CURRENT {
            Platform::Linux => fs::hard_link(&this, &program).unwrap(),
            Platform::Windows => drop(fs::copy(&this, &program).unwrap()),
        }
        let mut command = Command::new(program);
        command.args(["collect::iis::pools::tests::real::busy_worker", "--exact", "--ignored", "--nocapture"]);
        command.args(["--", "-ap", POOL, "-v", "v4.0"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line == READY), "it ended before it began");
        Running(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_busy_worker_is_found_by_its_command_line() {
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let directory = tempfile::tempdir_in(beside).unwrap();
    let (inetsrv, elsewhere) = (directory.path().join("inetsrv"), directory.path().join("tools"));
    fs::create_dir(&inetsrv).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    let worker = Running::start(&inetsrv);
    let other = Running::start(&elsewhere);
    let mut iis = Iis::new();
    iis.pools.machine = Box::new(System(falcon_sys::Host::new("/")));
    iis.pools.workers = Workers::new(Facts::of_system());

    let first = iis.cycle(None);
    assert!(!first.contains_key(&format!("cpu.percent {TAG}")), "{first:?}");
    let (said, rounds) = loop {
        let said = iis.cycle(Some(1));
        let percent = said.get(&format!("cpu.percent {TAG}"));
        assert!(percent.is_some(), "{said:?}, {:?}, {:?}", iis.pools.table, iis.last);
        if percent.is_some_and(|percent| *percent > 0.0) {
            break (said, iis.pools.table.len());
        }
    };
    let of_pool = |name: &str| said[&format!("{name} {TAG}")];
    assert!(of_pool("mem.ws") > 0.0 && of_pool("threads") >= 2.0 && of_pool("cpu.host.percent") > 0.0, "{said:?}");
    assert!(rounds >= 2, "both were looked at");
    assert_eq!(of_pool("threads"), said["threads _Total"], "one that runs from elsewhere is none of IIS");
    drop((worker, other));
    let ended = iis.cycle(Some(1));
    assert!(ended.is_empty(), "no source names a pool any more: {ended:?}");
}
