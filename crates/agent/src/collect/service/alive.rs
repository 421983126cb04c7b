//! The Python agent's `*.alive`, without tags: one service each, under whatever name its version has.
//!
//! That agent asked whether there is such a service, not whether it runs: `service.alive` chooses between the two. It knew no
//! switch for its modules and sent 0 also from hosts that never had the service; this one does where the configuration says
//! that the host is meant to have it.

use falcon_sys::types::Service;

use super::IS_RUNNING;
use super::wanted::Wanted;
use crate::config::{Alive, Config, Switch};
use crate::model::{Metric, On, Platform, Sets};

const fn python(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, "1", Sets::WINDOWS_AGENT, "EnumServicesStatusExW").on(On::Windows).help(help)
}

pub(super) const W3SVC: Metric =
    python("service.alive", "1: W3SVC runs, or with `service.alive` `exists` is installed; so for all *.alive");
pub(super) const MSSQLSERVER: Metric = python("MSSQLSERVER.alive", "of SQL Server's default instance");
pub(super) const SQL_SERVER_AGENT: Metric = python("SQLServerAgent.alive", "of the agent of that instance");
pub(super) const SQL_BROWSER: Metric = python("SQLBrowser.alive", "of SQL Server Browser");
pub(super) const REPORT_SERVER: Metric =
    python("ReportServer.alive", "of any instance or version of Reporting Services, or of Power BI Report Server");
pub(super) const MS_DTS_SERVER: Metric = python("MSDtsServer.alive", "of any version of Integration Services");

/// What that agent had a module for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Module {
    Iis,
    Sql,
}

const LEGACY: [(&Metric, Module, &[&str]); 6] = [
    (&W3SVC, Module::Iis, &["W3SVC"]),
    (&MSSQLSERVER, Module::Sql, &["MSSQLSERVER"]),
    (&SQL_SERVER_AGENT, Module::Sql, &["SQLServerAgent"]),
    (&SQL_BROWSER, Module::Sql, &["SQLBrowser"]),
    (
        &REPORT_SERVER,
        Module::Sql,
        &["ReportServer", "ReportServer$*", "SQLServerReportingServices", "PowerBIReportServer"],
    ),
    (&MS_DTS_SERVER, Module::Sql, &["MsDtsServer*"]),
];

pub(super) struct Legacy {
    meaning: Alive,
    /// The host is meant to have what the module is about.
    has_iis: bool,
    has_sql: bool,
    services: Vec<(&'static Metric, Module, Vec<Wanted>)>,
}

impl Legacy {
    pub fn new(config: &Config) -> Legacy {
        let wanted = |names: &[&str]| names.iter().map(|name| Wanted::new(name, Platform::Windows)).collect();
        Legacy {
            meaning: config.service.alive,
            has_iis: config.iis.enabled == Switch::On,
            has_sql: config.mssql.enabled == Switch::On,
            services: LEGACY.into_iter().map(|(metric, module, names)| (metric, module, wanted(names))).collect(),
        }
    }

    /// What is said of these services.
    pub fn values(&self, installed: &[Service]) -> impl Iterator<Item = (&'static Metric, f64)> {
        self.services.iter().filter_map(|(metric, module, wanted)| {
            let is_it = |service: &&Service| wanted.iter().any(|wanted| wanted.fits(&service.name));
            let found = || installed.iter().filter(is_it);
            let is_meant = match module {
                Module::Iis => self.has_iis,
                Module::Sql => self.has_sql,
            };
            let is_there = found().next().is_some();
            let is_alive = match self.meaning {
                Alive::Running => found().any(|service| service.state == IS_RUNNING),
                Alive::Exists => is_there,
            };
            (is_there || is_meant).then_some((*metric, f64::from(u8::from(is_alive))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn values(file: &str, services: &[(&str, u32)]) -> Vec<(&'static str, f64)> {
        let (config, _) = parse(file.as_bytes(), "cfg.json", &crate::collect::known()).unwrap();
        let services: Vec<Service> = services
            .iter()
            .map(|(name, state)| Service {
                name: (*name).to_owned(),
                state: *state,
                exit_code: 0,
                pid: None,
                is_template: false,
                start: None,
            })
            .collect();
        Legacy::new(&config).values(&services).map(|(metric, value)| (metric.name, value)).collect()
    }

    const SQL: [(&str, u32); 5] =
        [("W3SVC", 1), ("MSSQLSERVER", 4), ("SQLSERVERAGENT", 2), ("MsDtsServer130", 4), ("MSSQL$X", 4)];

    #[test]
    fn alive_is_running_or_with_the_python_agents_file_installed() {
        let names = ["service.alive", "MSSQLSERVER.alive", "SQLServerAgent.alive", "MSDtsServer.alive"];
        let of = |values: [f64; 4]| names.into_iter().zip(values).collect::<Vec<_>>();
        assert_eq!(values("{}", &SQL), of([0.0, 1.0, 0.0, 1.0]));
        assert_eq!(values(r#"{"ignore": []}"#, &SQL), of([1.0; 4]));
        assert_eq!(values(r#"{"ignore": [], "service": {"alive": "running"}}"#, &SQL), of([0.0, 1.0, 0.0, 1.0]));
    }

    #[test]
    fn what_is_not_installed_is_absent_unless_the_host_is_meant_to_have_it() {
        for file in ["{}", r#"{"ignore": []}"#, r#"{"ignore": [], "iis": {"enabled": false}}"#] {
            assert_eq!(values(file, &[("Spooler", 4)]), [], "{file}");
        }
        let iis = r#"{"ignore": [], "iis": {"enabled": true}}"#;
        assert_eq!(values(iis, &[]), [("service.alive", 0.0)]);
        assert_eq!(values(iis, &[("w3svc", 1)]), [("service.alive", 1.0)]);
        let sql = values(r#"{"ignore": [], "mssql": {"enabled": true}}"#, &SQL);
        let none: Vec<&str> = sql.iter().filter(|(_, value)| *value == 0.0).map(|(name, _)| *name).collect();
        assert_eq!((sql.len(), none), (6, vec!["SQLBrowser.alive", "ReportServer.alive"]));
    }

    #[test]
    fn reporting_services_is_alive_while_one_of_its_names_is() {
        for name in ["ReportServer$A", "reportserver", "SQLServerReportingServices", "PowerBIReportServer"] {
            assert_eq!(values("{}", &[(name, 4)]), [("ReportServer.alive", 1.0)], "{name}");
        }
        assert_eq!(values("{}", &[("ReportServer", 1), ("ReportServer$A", 4)]), [("ReportServer.alive", 1.0)]);
        assert_eq!(values("{}", &[("ReportServer", 1), ("ReportServer$A", 7)]), [("ReportServer.alive", 0.0)]);
        assert_eq!(values("{}", &[("ReportServerX", 4)]), []);
    }
}
