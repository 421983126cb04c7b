//! Agents that ran here before, and how one of them is put back.
//!
//! Exactly two are recognised: the Python agent, by the class that pywin32 registers with our own service name, and the Go
//! agent for Windows, by the program that nssm runs. Any other service of pywin32 or nssm is somebody else's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use falcon_sys::types::{NewService, Registration, RegistryKey, RegistryValue, ServiceState, StartMode};
use serde::{Deserialize, Serialize};

use super::command::{Command, arguments, file_name};
use super::{Failure, NAME, sddl, told, told_of};

/// Below HKEY_LOCAL_MACHINE.
pub(super) const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";
/// In the state directory of the agent that took over.
pub(super) const RECORD: &str = "replaced.json";
const PYTHON_CLASS: &str = "agent.AppServerSvc";
const GO_AGENT: &str = "windows-agent.exe";
/// Of a service's key, what only Windows writes.
const SYSTEMS_OWN: [&str; 2] = ["Security", "Enum"];

/// An older agent of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub kind: Kind,
    pub service: String,
    /// Its cfg.json.
    pub config: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A service of pywin32 under our own name.
    Python,
    /// A program that nssm runs, under any name.
    Nssm,
}

impl Old {
    /// What runs here, if any does: under our own name, and under those of others.
    pub fn find() -> Result<Vec<Old>, Failure> {
        let mut found = Vec::new();
        let (services, _) = told(falcon_sys::services(&|_| false), "the services cannot be listed")?;
        for falcon_sys::types::Service { name: service, .. } in services {
            let key = format!(r"{SERVICES}\{service}");
            let text =
                |below: &str, value: &str| falcon_sys::registry_text(&format!(r"{key}\{below}"), value).ok().flatten();
            if service.eq_ignore_ascii_case(NAME) {
                // Its directory holds cfg.json, or it is something else.
                let python = text("PythonClass", "").and_then(|class| Old::python(&class));
                found.extend(python.filter(|old| old.config.is_file()));
            } else if let Some(application) = text("Parameters", "Application") {
                let image = falcon_sys::registry_text(&key, "ImagePath").ok().flatten().unwrap_or_default();
                let [dir, parameters] =
                    ["AppDirectory", "AppParameters"].map(|value| text("Parameters", value).unwrap_or_default());
                // As nssm writes them, they may have variables in them.
                let [application, dir, parameters] =
                    [application, dir, parameters].map(|text| expanded(&text, variable));
                found.extend(Old::nssm(&service, &image, &application, &dir, &parameters));
            }
        }
        Ok(found)
    }

    /// By the value of the key PythonClass: the path of a module, and in it a class.
    fn python(class: &str) -> Option<Old> {
        let dir = class.strip_suffix(PYTHON_CLASS)?.strip_suffix(['\\', '/'])?;
        let config = PathBuf::from(format!(r"{dir}\cfg.json"));
        Some(Old { kind: Kind::Python, service: NAME.to_owned(), config })
    }

    fn nssm(service: &str, image: &str, application: &str, dir: &str, parameters: &str) -> Option<Old> {
        let runner = file_name(&Command::parse(image).program).to_ascii_lowercase();
        if !runner.starts_with("nssm") || !file_name(application).eq_ignore_ascii_case(GO_AGENT) {
            return None;
        }
        // As nssm has it where none is set.
        let beside = application.strip_suffix(file_name(application)).unwrap_or_default();
        let dir = if dir.is_empty() { beside } else { dir }.trim_end_matches(['\\', '/']);
        let command = Command { program: application.to_owned(), arguments: arguments(parameters) };
        let config = command.option("-c").unwrap_or("cfg.json");
        let is_whole = config.starts_with(['\\', '/']) || config.get(1..2) == Some(":");
        let config = if is_whole { config.to_owned() } else { format!(r"{dir}\{config}") };
        Some(Old { kind: Kind::Nssm, service: service.to_owned(), config: config.into() })
    }

    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Python => format!("the Python agent of {}", self.config.display()),
            Kind::Nssm => format!("the Go agent of {}, nssm service {}", self.config.display(), self.service),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `%NAME%` replaced, where there is such a variable.
fn expanded(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once('%') {
        done.push_str(before);
        match behind.split_once('%').and_then(|(name, after)| Some((variable(name)?, after))) {
            Some((value, after)) => {
                done.push_str(&value);
                rest = after;
            }
            None => {
                done.push('%');
                rest = behind;
            }
        }
    }
    done + rest
}

/// How an older agent was registered: what [`Replaced::restore`] puts back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Replaced {
    kind: Kind,
    service: String,
    display_name: String,
    image_path: String,
    start: u32,
    account: String,
    /// It ran when it was taken over.
    ran: bool,
    /// The service's key, with everything below it.
    key: Tree,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tree {
    values: Vec<Value>,
    keys: Vec<(String, Tree)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    name: String,
    kind: u32,
    /// Base64.
    bytes: String,
}

impl From<RegistryKey> for Tree {
    fn from(key: RegistryKey) -> Tree {
        let value = |(name, value): (String, RegistryValue)| Value {
            name,
            kind: value.kind,
            bytes: STANDARD.encode(value.bytes),
        };
        let keys = key.keys.into_iter().filter(|(name, _)| !SYSTEMS_OWN.contains(&name.as_str()));
        Tree {
            values: key.values.into_iter().map(value).collect(),
            keys: keys.map(|(name, key)| (name, key.into())).collect(),
        }
    }
}

impl Tree {
    fn into_registry(self) -> anyhow::Result<RegistryKey> {
        let value = |Value { name, kind, bytes }: Value| -> anyhow::Result<_> {
            let bytes = STANDARD.decode(bytes).map_err(|error| anyhow!("value {name}: {error}"))?;
            Ok((name, RegistryValue { kind, bytes }))
        };
        let values = self.values.into_iter().map(value).collect::<anyhow::Result<_>>()?;
        let key = |(name, tree): (String, Tree)| Ok((name, tree.into_registry()?));
        Ok(RegistryKey { values, keys: self.keys.into_iter().map(key).collect::<anyhow::Result<_>>()? })
    }
}

impl Replaced {
    /// How it is registered now.
    pub fn of(old: &Old) -> Result<Replaced, Failure> {
        let what = format!("how {} is registered cannot be read", old.describe());
        let registration =
            told_of(falcon_sys::service_registration(&old.service), &what)?.ok_or_else(|| anyhow!(what.clone()))?;
        let key = told_of(falcon_sys::registry_tree(&format!(r"{SERVICES}\{}", old.service)), &what)?;
        let status = told_of(falcon_sys::service_status(&old.service), &what)?;
        let Registration { display_name, image_path, start, account, .. } = registration;
        Ok(Replaced {
            kind: old.kind,
            service: old.service.clone(),
            display_name,
            image_path,
            start: start.into(),
            account,
            ran: status.is_some_and(|status| status.state != ServiceState::Stopped),
            key: key.unwrap_or_default().into(),
        })
    }

    /// All that were taken over by an agent with this state directory.
    ///
    /// # Errors
    /// The record is there and cannot be read.
    pub fn load(state: &Path) -> anyhow::Result<Vec<Replaced>> {
        let file = state.join(RECORD);
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| file.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }

    /// The same, to be registered and started: whoever wrote it decides what runs as SYSTEM.
    ///
    /// # Errors
    /// The record is a stranger's, or cannot be read.
    pub fn load_own(state: &Path) -> anyhow::Result<Vec<Replaced>> {
        let file = state.join(RECORD);
        match falcon_sys::owner_of(&file) {
            Ok(owner) => anyhow::ensure!(
                owner.trusted && sddl::writers(&falcon_sys::access_of(&file)?, &[&owner.sid], 0).is_empty(),
                "{}: others than administrators can change it (its owner is {}), and what it says would run as SYSTEM: nothing \
                 is restored from it",
                file.display(),
                owner.sid
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
        Replaced::load(state)
    }

    /// Keeps them, each service once as it was first.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub fn save(found: Vec<Replaced>, state: &Path) -> anyhow::Result<()> {
        let mut all = Replaced::load(state)?;
        all.extend(found);
        let mut kept: Vec<Replaced> = Vec::new();
        for replaced in all {
            if !kept.iter().any(|known| known.service == replaced.service) {
                kept.push(replaced);
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let (file, text) = (state.join(RECORD), serde_json::to_string_pretty(&kept)?);
        fs::write(&file, text).with_context(|| file.display().to_string())
    }

    /// Those that could not be put back stay.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn keep(left: &[Replaced], state: &Path) -> anyhow::Result<()> {
        if left.is_empty() {
            return Ok(Replaced::forget(state)?);
        }
        let file = state.join(RECORD);
        fs::write(&file, serde_json::to_string_pretty(left)?).with_context(|| file.display().to_string())
    }

    pub fn forget(state: &Path) -> io::Result<()> {
        match fs::remove_file(state.join(RECORD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    pub fn is_python(&self) -> bool {
        self.kind == Kind::Python
    }

    /// Ours came in its place and did not get through: registers it again as it was.
    ///
    /// # Errors
    /// Those of the service control manager and the registry.
    pub fn put_back(&self) -> anyhow::Result<()> {
        let what = format!("the registration of {}", self.describe());
        let new = NewService {
            name: &self.service,
            display_name: &self.display_name,
            image_path: &self.image_path,
            start: StartMode::from(self.start),
            account: None,
            password: None,
        };
        told_of(falcon_sys::service_change(&new), &what)?;
        let key = self.key.clone().into_registry()?;
        told_of(falcon_sys::registry_write_tree(&format!(r"{SERVICES}\{}", self.service), &key), &what)
    }

    /// It was stopped, and nothing came in its place: starts it where it ran.
    pub fn resume(&self) {
        let now = falcon_sys::service_registration(&self.service).ok().flatten();
        if self.ran && now.is_some_and(|now| now.image_path == self.image_path) {
            match falcon_sys::service_start(&self.service, &[]) {
                Ok(()) => println!("{} is started again", self.describe()),
                Err(error) => println!("{} cannot be started again: {error}", self.describe()),
            }
        }
    }

    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Python => format!("the Python agent ({})", self.service),
            Kind::Nssm => format!("the Go agent (nssm service {})", self.service),
        }
    }

    /// Registers it as it was, and starts it where it ran. Our own service is gone by now. Answers what the administrator should
    /// know.
    pub fn restore(&self) -> anyhow::Result<Vec<String>> {
        let mut told_also = Vec::new();
        let (service, start) = (self.service.clone(), StartMode::from(self.start));
        let what = format!("service {service}");
        match self.kind {
            Kind::Nssm => told_of(falcon_sys::service_set_start(&service, start), &what)?,
            Kind::Python => {
                let new = NewService {
                    name: &service,
                    display_name: &self.display_name,
                    image_path: &self.image_path,
                    start,
                    account: None,
                    password: None,
                };
                told_of(falcon_sys::service_create(&new), &what)?;
                // The account too: its password is kept by Windows where it is the same, else it has to be given again.
                let key = self.key.clone().into_registry().context("the record of the older agent is damaged")?;
                told_of(falcon_sys::registry_write_tree(&format!(r"{SERVICES}\{service}"), &key), &what)?;
                if !self.account.eq_ignore_ascii_case("LocalSystem") {
                    told_also.push(format!(
                        "{service} ran as {}: give its password again in services.msc, Windows does not keep it",
                        self.account
                    ));
                }
            }
        }
        if self.ran {
            match falcon_sys::service_start(&service, &[]) {
                Ok(()) => told_also.push(format!("{service} is started again")),
                Err(error) => told_also.push(format!("{service} ran before and does not start: {error}")),
            }
        }
        Ok(told_also)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_agent_is_known_by_its_class() {
        let config = |class: &str| Old::python(class).map(|old| old.config.display().to_string());
        assert_eq!(config(r"C:\Windows-Agent\agent.AppServerSvc"), Some(r"C:\Windows-Agent\cfg.json".to_owned()));
        assert_eq!(config(r"D:/监控 代理/agent.AppServerSvc"), Some(r"D:/监控 代理\cfg.json".to_owned()));
        for other in
            [r"C:\x\myagent.AppServerSvc", r"C:\x\agent.AppServerSvc2", r"C:\x\agent.Other", "agent.AppServerSvc", ""]
        {
            assert_eq!(config(other), None, "{other}");
        }
    }

    #[test]
    fn the_go_agent_is_known_by_the_program_that_nssm_runs() {
        let config = |application: &str, dir: &str, parameters: &str| {
            let old = Old::nssm("falcon", r"C:\tools\nssm.exe", application, dir, parameters)?;
            Some(old.config.display().to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(config(r"C:\wa\windows-agent.exe", r"C:\wa", ""), some(r"C:\wa\cfg.json"));
        assert_eq!(config(r"C:\wa\Windows-Agent.EXE", "", ""), some(r"C:\wa\cfg.json"));
        assert_eq!(config(r"C:\wa\windows-agent.exe", r"D:\etc\", "-c prod.json"), some(r"D:\etc\prod.json"));
        assert_eq!(config("windows-agent.exe", r"C:\wa", r#"-c="E:\a b\cfg.json""#), some(r"E:\a b\cfg.json"));
        assert_eq!(config(r"C:\other\other.exe", r"C:\wa", ""), None);
        assert_eq!(config(r"C:\wa\windows-agent.exe.bak", r"C:\wa", ""), None);
        let not_nssm = Old::nssm("x", r"C:\srvany.exe", r"C:\wa\windows-agent.exe", "", "");
        assert_eq!(not_nssm, None);
    }

    /// nssm writes its paths as they were given, and Windows expands them when the service starts.
    #[test]
    fn variables_in_the_values_of_nssm_are_replaced() {
        let known = |name: &str| (name == "ProgramFiles").then(|| r"C:\Program Files".to_owned());
        assert_eq!(expanded(r"%ProgramFiles%\wa\windows-agent.exe", known), r"C:\Program Files\wa\windows-agent.exe");
        assert_eq!(expanded("100% of %NoSuch% %", known), "100% of %NoSuch% %");
        assert_eq!(expanded("", known), "");
    }

    #[test]
    fn a_record_holds_the_whole_key_and_each_service_as_it_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let value = |text: &str| ("".to_owned(), RegistryValue { kind: 1, bytes: text.as_bytes().to_vec() });
        let class = RegistryKey { values: vec![value("C:\\x\\agent.AppServerSvc\0")], keys: Vec::new() };
        let keys = vec![("PythonClass".to_owned(), class.clone()), ("Security".to_owned(), RegistryKey::default())];
        let key = RegistryKey { values: vec![value("\u{1}\u{2}")], keys };
        let replaced = |start| Replaced {
            kind: Kind::Python,
            service: NAME.to_owned(),
            display_name: "Open Falcon Windows Agent".to_owned(),
            image_path: "PythonService.exe".to_owned(),
            start,
            account: "LocalSystem".to_owned(),
            ran: true,
            key: key.clone().into(),
        };
        assert_eq!(Replaced::load(dir.path()).unwrap(), []);
        Replaced::save(vec![replaced(2)], dir.path()).unwrap();
        Replaced::save(vec![replaced(4)], dir.path()).unwrap();
        let kept = Replaced::load(dir.path()).unwrap();
        assert_eq!(kept, [replaced(2)]);
        let back = kept.into_iter().next().unwrap().key.into_registry().unwrap();
        assert_eq!(back, RegistryKey { values: key.values.clone(), keys: vec![("PythonClass".to_owned(), class)] });
        Replaced::forget(dir.path()).unwrap();
        Replaced::forget(dir.path()).unwrap();
        assert_eq!(Replaced::load(dir.path()).unwrap(), []);
        fs::write(dir.path().join(RECORD), "{").unwrap();
        assert!(Replaced::load(dir.path()).is_err());
    }
}
