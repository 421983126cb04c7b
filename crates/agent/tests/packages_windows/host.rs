//! A Windows host, and what the packages put there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::servers::Server;
use crate::machine::{Machine, SERVICE};
use crate::prefix::Prefix;

pub const PROGRAM: &str = r"C:\Program Files\falcon-agent";
pub const DATA: &str = r"C:\ProgramData\falcon-agent";

/// ERROR_INSTALL_FAILURE, which Windows answers for a launch condition as well, as Linux has it.
pub const REFUSED: i32 = 1603 & 0xFF;
/// ERROR_FUNCTION_FAILED, Wine's word for an action that failed: Windows answers 1603.
pub const FAILED: i32 = 1627 & 0xFF;

/// A file that `cargo xtask dist` makes.
pub fn package(end: &str) -> PathBuf {
    let folder = std::env::var_os("FALCON_DIST").expect("FALCON_DIST must name the folder of the packages");
    Path::new(&folder).join(format!("falcon-agent-{}{end}", env!("CARGO_PKG_VERSION")))
}

pub fn msi() -> PathBuf {
    package("-x64.msi")
}

pub fn next_msi() -> PathBuf {
    std::env::var_os("FALCON_MSI_NEXT").expect("FALCON_MSI_NEXT must name an MSI of a later version").into()
}

pub struct Host {
    pub machine: Machine,
}

impl Host {
    pub fn new() -> Host {
        Host { machine: Machine::without_agent(PROGRAM) }
    }

    fn prefix(&self) -> &Prefix {
        &self.machine.prefix
    }

    /// Runs msiexec in silence; answers its exit code.
    pub fn msiexec(&self, what: &str, package: &Path, properties: &[&str]) -> i32 {
        let package = format!("Z:{}", package.display()).replace('/', "\\");
        let arguments = [&[what, &package, "/qn", "/norestart", "/l*v", r"C:\msi.log"], properties].concat();
        self.prefix().run("msiexec", &arguments).code.expect("an exit code")
    }

    pub fn install(&self, package: &Path, properties: &[&str]) {
        assert_eq!(self.msiexec("/i", package, properties), 0, "{properties:?}\n{}", self.state());
    }

    pub fn remove(&self, package: &Path) {
        assert_eq!(self.msiexec("/x", package, &[]), 0, "{}", self.state());
    }

    /// The property for an address of this host's own.
    pub fn listen(&self) -> String {
        format!("LISTEN={}", self.machine.http())
    }

    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.prefix().on_linux(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn config(&self) -> Value {
        let text = self.text(&format!(r"{DATA}\cfg.json")).unwrap_or_else(|| panic!("no cfg.json\n{}", self.state()));
        serde_json::from_str(&text).expect("JSON")
    }

    pub fn has(&self, path: &str) -> bool {
        self.prefix().on_linux(path).exists()
    }

    /// What the service control manager starts.
    pub fn image(&self) -> Option<String> {
        self.machine.registration(SERVICE)?.text("ImagePath")
    }

    /// Waits for points of an endpoint.
    pub fn reports(&self, server: &Server, endpoint: &str) {
        let arrived = || server.items().into_iter().find(|item| item.endpoint == endpoint).map(drop);
        crate::harness::until(&format!("points of {endpoint}"), || self.state(), arrived);
    }

    /// For messages.
    pub fn state(&self) -> String {
        let read = |path: &str| self.text(path).unwrap_or_else(|| "none".to_owned());
        format!(
            "{}\ncfg.json: {}\ninstall.log: {}\nagent.log: {}",
            self.machine.state(),
            read(&format!(r"{DATA}\cfg.json")),
            read(&format!(r"{PROGRAM}\install.log")),
            read(&format!(r"{DATA}\logs\agent.log")),
        )
    }
}
