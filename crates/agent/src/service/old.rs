//! Agents that ran here before.
//!
//! Exactly two are recognised: the Python agent, by the class that pywin32 registers with our own service name, and the Go
//! agent for Windows, by the program that nssm runs. Any other service of pywin32 or nssm is somebody else's.

use std::path::PathBuf;

use falcon_sys::types::{ServiceState, StartMode};
use serde::{Deserialize, Serialize};

use super::command::{Command, arguments, file_name};
use super::{Failure, NAME, told};

/// Below HKEY_LOCAL_MACHINE.
pub(super) const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";
const PYTHON_CLASS: &str = "agent.AppServerSvc";
const GO_AGENT: &str = "windows-agent.exe";

/// An older agent of this host that is not switched off.
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
            } else if let Some(application) = text("Parameters", "Application")
                && !is_off(&service)
            {
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

/// It was taken over before, or switched off by its administrator.
fn is_off(service: &str) -> bool {
    let registration = falcon_sys::service_registration(service).ok().flatten();
    let runs = falcon_sys::service_status(service).ok().flatten().is_some_and(|now| now.state != ServiceState::Stopped);
    registration.is_some_and(|registration| registration.start == StartMode::Disabled) && !runs
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `%NAME%` replaced, where there is such a variable.
pub(crate) fn expanded(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
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
}
