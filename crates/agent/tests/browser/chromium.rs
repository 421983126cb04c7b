//! The browser, with a profile of its own that ends with it.

use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::process::Process;

/// Names under which a page may lie: all of them are this host.
const NAMES: &str = "MAP *.example 127.0.0.1";

pub struct Chromium {
    process: Option<Process>,
    _profile: TempDir,
}

impl Chromium {
    /// Opens a page as its user does who types the address.
    pub fn open(url: &str) -> Chromium {
        let exe = std::env::var_os("FALCON_BROWSER").unwrap_or_else(|| {
            panic!("FALCON_BROWSER must name Chromium; `cargo xtask test --only browser` installs and names it")
        });
        let profile = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let mut command = Command::new(exe);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
        ]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-breakpad"]);
        // Pages open windows without a click.
        command.args(["--disable-popup-blocking", "--no-proxy-server", "--disable-dev-shm-usage"]);
        command
            .arg(format!("--host-resolver-rules={NAMES}"))
            .arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(url);
        Chromium { process: Some(Process::start(command)), _profile: profile }
    }

    /// What it complains of, for messages.
    pub fn state(&self) -> String {
        let said = self.process.as_ref().map(Process::err).unwrap_or_default();
        // That there is no desktop.
        said.lines().filter(|line| !line.contains("dbus")).map(|line| format!("{line}\n")).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends its own processes, and lets go of its profile.
        if let Some(process) = self.process.take() {
            process.signal(Signal::TERM);
            if !std::thread::panicking() {
                process.wait();
            }
        }
    }
}
