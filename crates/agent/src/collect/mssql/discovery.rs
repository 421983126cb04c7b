//! Which instances there are, and what the system tells of them beside their counters.
//!
//! An instance is one that setup registered, one that has a service, or one whose counters have a name: any of the three may be
//! missing. The default instance is called MSSQLSERVER, as its service is. What could not be looked at takes nothing away.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use falcon_sys::Host;
use falcon_sys::types::{Proc, Service, SqlInstance};

use crate::collect::budget::Budget;
use crate::isolate::{Isolated, LEFT_ALONE};
use crate::perf::client::Counters;
use crate::stats::Stats;

pub(super) const DEFAULT: &str = "MSSQLSERVER";
/// Before the name of any other instance: of its service, and of its objects.
pub(super) const NAMED: &str = "MSSQL$";
/// Before the objects of the default instance.
pub(super) const OBJECTS: &str = "SQLServer:";
/// The image of the engine.
const IMAGE: &str = "sqlservr";

/// The manager of services answers in milliseconds; while one is being started that does not come back, it may not.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is asked of the system; a test answers itself.
pub(super) trait System: Send {
    fn registered(&mut self) -> io::Result<Vec<SqlInstance>>;
    /// As setup wrote it, by the name of the instance's keys.
    fn edition(&mut self, id: &str) -> Option<String>;
    fn services(&mut self) -> io::Result<Vec<Service>>;
    /// Those of SQL Server's engine.
    fn processes(&mut self, into: &mut Vec<Proc>) -> io::Result<()>;
}

pub(super) struct Windows {
    host: Host,
    stats: Arc<Stats>,
    probes: Isolated<io::Result<Vec<Service>>>,
}

impl Windows {
    pub(super) fn new(host: Host, stats: Arc<Stats>) -> Windows {
        Windows { host, stats, probes: Isolated::new("mssql") }
    }
}

impl System for Windows {
    fn registered(&mut self) -> io::Result<Vec<SqlInstance>> {
        falcon_sys::sql_instances()
    }

    fn edition(&mut self, id: &str) -> Option<String> {
        let setup = format!(r"SOFTWARE\Microsoft\Microsoft SQL Server\{id}\Setup");
        falcon_sys::registry_text(&setup, "Edition").ok().flatten()
    }

    fn services(&mut self) -> io::Result<Vec<Service>> {
        let job = || falcon_sys::services(&|_| false).map(|(services, _)| services);
        let answers = self.probes.run_all(vec![("services".to_owned(), job)], DEADLINE, DEADLINE);
        match answers.into_iter().next() {
            Some((_, outcome)) => outcome.answer(LEFT_ALONE, &self.stats.collect_hung),
            None => Err(io::Error::other("not asked")),
        }
    }

    fn processes(&mut self, into: &mut Vec<Proc>) -> io::Result<()> {
        let mut wanted = |name: &str| name.get(..IMAGE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(IMAGE));
        self.host.processes(&mut wanted, into)
    }
}

/// The service of the default instance.
const SERVICE: &str = r"SYSTEM\CurrentControlSet\Services\MSSQLSERVER";

/// Whether it is worth looking closer. By keys of the registry that answer at once, as the caller may not wait: the table of
/// names, which may hang, is the worker's to read. An instance that setup did not register is found here only as the default
/// one, for services cannot be listed by their keys; `mssql.enabled` finds the others.
pub(super) fn is_there() -> bool {
    is_any(falcon_sys::sql_instances(), falcon_sys::registry_text(SERVICE, "ObjectName"))
}

fn is_any(registered: io::Result<Vec<SqlInstance>>, account: io::Result<Option<String>>) -> bool {
    registered.is_ok_and(|instances| !instances.is_empty()) || matches!(account, Ok(Some(_)))
}

/// What a look around found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub names: Vec<String>,
    /// As setup tells of them, where that could be read.
    pub registered: Option<Vec<SqlInstance>>,
    /// Whether everything could be looked at.
    pub is_whole: bool,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
}

pub(super) fn look(system: &mut dyn System, services: &[Service], counters: &Counters, budget: &Budget) -> Found {
    let mut found = Found::default();
    match system.registered() {
        Ok(instances) => {
            instances.iter().for_each(|instance| found.add(&instance.name));
            found.registered = Some(instances);
        }
        Err(error) => found.unread.push(("registered instances of SQL Server".to_owned(), error.to_string())),
    }
    services.iter().filter_map(|service| of_service(&service.name)).for_each(|name| found.add(name));
    for prefix in [OBJECTS, NAMED] {
        let what = || "names of SQL Server's counters".to_owned();
        if !budget.has_room() {
            found.unread.push((what(), "not read, as others took all the time of the cycle".to_owned()));
            break;
        }
        match counters.names(prefix) {
            Ok(names) => names.iter().filter_map(|name| of_object(name)).for_each(|name| found.add(name)),
            Err(why) => {
                found.unread.push((what(), why.to_string()));
                break;
            }
        }
    }
    found.is_whole = found.unread.is_empty();
    found
}

/// What setup tells of an instance, in words.
pub(super) fn about(registered: Option<&SqlInstance>, edition: Option<&str>) -> String {
    let Some(SqlInstance { version, is_clustered, .. }) = registered else {
        return "not registered by setup".to_owned();
    };
    let version = version.as_deref().unwrap_or("unknown");
    let edition = edition.unwrap_or("unknown edition");
    format!("version {version}, {edition}, {}", if *is_clustered { "of a failover cluster" } else { "not clustered" })
}

impl Found {
    fn add(&mut self, name: &str) {
        let name = if name.eq_ignore_ascii_case(DEFAULT) { DEFAULT } else { name };
        if !name.is_empty() && !self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.names.push(name.to_owned());
        }
    }
}

fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (begin, rest) = text.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn of_service(service: &str) -> Option<&str> {
    if service.eq_ignore_ascii_case(DEFAULT) { Some(DEFAULT) } else { after(service, NAMED) }
}

fn of_object(object: &str) -> Option<&str> {
    match after(object, NAMED) {
        Some(rest) => rest.split_once(':').map(|(name, _)| name),
        None => after(object, OBJECTS).map(|_| DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_services_tell_which_instance_they_are_of() {
        let objects = ["SQLServer:Locks", "sqlserver:", "MSSQL$Prod:Databases", "MSSQL$X", "SQLAgent$X:Jobs", "甲"];
        assert_eq!(objects.map(of_object), [Some(DEFAULT), Some(DEFAULT), Some("Prod"), None, None, None]);
        let services = ["mssqlserver", "MSSQL$X", "MSSQLFDLauncher$X", "MSSQLServerOLAPService", "SQLAgent$X"];
        assert_eq!(services.map(of_service), [Some(DEFAULT), Some("X"), None, None, None]);
    }

    // The table of names was read for it where no instance is registered: on most hosts, every ten minutes, by a thread that
    // all collectors need.
    #[test]
    fn whether_to_look_is_told_by_setup_and_the_default_service_alone() {
        let registered =
            SqlInstance { name: "X".to_owned(), id: "MSSQL15.X".to_owned(), version: None, is_clustered: false };
        let fails = || io::Error::other("no registry");
        assert!(is_any(Ok(vec![registered]), Err(fails())));
        assert!(is_any(Err(fails()), Ok(Some("NT Service\\MSSQLSERVER".to_owned()))));
        assert!(!is_any(Ok(Vec::new()), Ok(None)) && !is_any(Err(fails()), Err(fails())));
    }
}
