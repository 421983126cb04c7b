//! Which `cfg.json` is this agent's, and how the agent that reads it is started.

use std::path::{Path, PathBuf};

use crate::model::Platform;
use crate::service;

/// Where the packages of Linux have them.
const PROGRAM: &str = "/usr/bin/falcon-agent";
const CONFIG: &str = "/etc/falcon-agent/cfg.json";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub file: PathBuf,
    /// For people.
    pub start: String,
    /// It is what the unit of the packages starts with.
    pub is_packages: bool,
}

impl Target {
    /// What is asked for, else the service's (Windows), else that of the package, else `config/cfg.json` of a directory that the
    /// program is in `bin` of, else `cfg.json` beside it.
    pub fn find(file: Option<&Path>) -> anyhow::Result<Target> {
        let program = std::env::current_exe()?;
        let file = file.map(std::path::absolute).transpose()?;
        Ok(Target::of(Platform::CURRENT, &program, service::registered_config(), file))
    }

    pub fn of(platform: Platform, program: &Path, registered: Option<PathBuf>, asked: Option<PathBuf>) -> Target {
        let dir = program.parent().unwrap_or(program);
        let folder = dir.parent().filter(|_| dir.ends_with("bin"));
        let of_package = || (program == Path::new(PROGRAM)).then(|| PathBuf::from(CONFIG));
        let of_folder = || Some(folder?.join("config").join("cfg.json"));
        let is_registered = registered.is_some();
        let file = asked.or(registered).or_else(of_package).or_else(of_folder);
        let file = file.unwrap_or_else(|| dir.join("cfg.json"));
        let is_packages = program == Path::new(PROGRAM) && file == Path::new(CONFIG);
        let shown = |path: &Path| super::running::quoted(&path.display().to_string());
        let control = folder.map(|folder| folder.join("control")).filter(|control| control.is_file());
        let start = match (platform, control) {
            (Platform::Windows, _) if is_registered => "falcon-agent restart".to_owned(),
            (Platform::Windows, _) => format!("falcon-agent install --start -c \"{}\"", file.display()),
            (Platform::Linux, _) if is_packages => "systemctl restart falcon-agent".to_owned(),
            (Platform::Linux, Some(control)) if of_folder().as_ref() == Some(&file) => {
                [&shown(&control), " restart"].concat()
            }
            (Platform::Linux, _) => [&shown(program), " run -c ", &shown(&file)].concat(),
        };
        Target { file, start, is_packages }
    }
}
