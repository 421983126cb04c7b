//! How an older agent was registered when it was taken over, kept in [`RECORD`], and how it is put back.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use falcon_sys::types::{NewService, Registration, RegistryKey, RegistryValue, ServiceState, StartMode};
use serde::{Deserialize, Serialize};

use super::old::{Kind, Old, SERVICES};
use super::{Failure, sddl, told_of};
use crate::say::say;

/// In the state directory of the agent that took over.
pub(super) const RECORD: &str = "replaced.json";
/// Of a service's key, what only Windows writes.
const SYSTEMS_OWN: [&str; 2] = ["Security", "Enum"];

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
            Ok(owner) => ensure!(
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
        if kept.is_empty() { Ok(()) } else { Replaced::write(&kept, state) }
    }

    /// Those that could not be put back stay.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn keep(left: &[Replaced], state: &Path) -> anyhow::Result<()> {
        if left.is_empty() { Ok(Replaced::forget(state)?) } else { Replaced::write(left, state) }
    }

    fn write(all: &[Replaced], state: &Path) -> anyhow::Result<()> {
        let file = state.join(RECORD);
        fs::write(&file, serde_json::to_string_pretty(all)?).with_context(|| file.display().to_string())
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
                Ok(()) => say(&format!("{} is started again", self.describe())),
                Err(error) => say(&format!("{} cannot be started again: {error}", self.describe())),
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
    use crate::service::NAME;

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
