//! Wine sessions: a prefix below `target/`, a server that stays while tests come and go, and an end in every case.
//!
//! The first Wine process of a session hands its standard error on to services.exe and its kin, which live as long as
//! the session: started by a test it would keep that test's pipe open for ever. So a session is opened with /dev/null on
//! all three, before anything else runs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::child::Run;
use crate::workspace::Workspace;

/// How long an abandoned server outlives its last client, should this program be killed outright. Longer than any
/// build that may run between two Wine processes of one step.
const SERVER_LINGERS: Duration = Duration::from_secs(3600);

/// Where the template lies, and the prefixes of tests.
const TEMPLATES: &str = "wine-service";

pub struct Session {
    prefix: PathBuf,
}

impl Session {
    /// Boots the clone's prefix, creating it when it is absent or was left half made.
    ///
    /// # Errors
    /// When Wine cannot be started.
    pub fn start(ws: &Workspace) -> Result<Self> {
        end(ws);
        Self::boot(prefix(ws))
    }

    fn boot(prefix: PathBuf) -> Result<Self> {
        let session = Self { prefix };
        let whole = session.prefix.join("xtask-booted");
        if !whole.exists() && session.prefix.exists() {
            fs::remove_dir_all(&session.prefix).context("cannot remove a half made Wine prefix")?;
        }
        fs::create_dir_all(&session.prefix)?;
        let lingers = format!("-p{}", SERVER_LINGERS.as_secs());
        silent(&session.prefix, Run::new("wineserver").arg(lingers)).context("cannot start the Wine server")?;
        // Whatever runs first boots the prefix. `wineboot -i` would boot it a second time: with two service managers, each
        // call to one of them reaches either.
        silent(&session.prefix, Run::new("wine").args(["cmd", "/c", "exit"])).context("cannot boot the Wine prefix")?;
        fs::write(whole, "")?;
        Ok(session)
    }

    /// The System32 of this session's Windows.
    pub fn system32(&self) -> PathBuf {
        self.prefix.join("drive_c/windows/system32")
    }

    /// Gives a process what it needs to run in this session, or to start others in it.
    pub fn enter(&self, run: Run) -> Run {
        enter(&self.prefix, run)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        kill_server(&self.prefix);
    }
}

/// Makes the prefix of which tests of the service make their own, beside it; nothing runs in it, and what tests of before
/// left there is gone.
///
/// # Errors
/// When Wine cannot be started, or what was left cannot be removed.
pub fn template(ws: &Workspace) -> Result<PathBuf> {
    end(ws);
    let template = ws.target(TEMPLATES).join("template");
    for left in in_folder(&ws.target(TEMPLATES)).filter(|prefix| *prefix != template) {
        fs::remove_dir_all(&left).with_context(|| format!("cannot remove {}", left.display()))?;
    }
    // Booted each time, for after an update of Wine it is that which brings a prefix up to date.
    drop(Session::boot(template.clone())?);
    Ok(template)
}

/// Ends every process of the clone's prefixes, if there is any.
pub fn end(ws: &Workspace) {
    let own = std::iter::once(prefix(ws)).filter(|prefix| prefix.exists());
    own.chain(in_folder(&ws.target(TEMPLATES))).for_each(|prefix| kill_server(&prefix));
}

fn prefix(ws: &Workspace) -> PathBuf {
    ws.target("wine")
}

/// The prefixes in a folder that has nothing else.
fn in_folder(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// WINEPREFIX is always set, or Wine would act on the user's own prefix. No debug output, no offer to install Mono or
/// Gecko, no crash dialogue, no window.
fn enter(prefix: &Path, run: Run) -> Run {
    run.env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml,winedbg.exe=")
        .without_env("DISPLAY")
}

fn kill_server(prefix: &Path) {
    // The failure of a server that does not run is what is wanted.
    silent(prefix, Run::new("wineserver").arg("-k")).ok();
}

fn silent(prefix: &Path, run: Run) -> Result<()> {
    let mut command = enter(prefix, run).into_command();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{status}");
    Ok(())
}
