//! What is known of instances from cycle to cycle: the list of services as it was last read, which instances there are and how
//! many of them may be told of, and what setup tells of each.
//!
//! Of what cannot be read the state before counts.

use std::time::Duration;

use anyhow::Context as _;

use super::instance::Instance;
use super::{LOOK, Mssql, discovery};
use crate::collect::Cx;
use crate::perf::client::Counters;

impl Mssql {
    /// Lists the services; whether that is of now. Of a list that cannot be had the one before counts.
    pub(super) fn list(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<bool> {
        match (self.system.services(), &self.services) {
            (Ok(services), _) => {
                self.services = Some(services);
                Ok(true)
            }
            (Err(error), Some(_)) => {
                cx.problem("services", error);
                Ok(false)
            }
            (Err(error), None) => Err(error).context("services"),
        }
    }

    /// Looks for instances where it is time to. What it asked with is given back: as long as that is open, the process that
    /// answers does not end before instances ask it.
    pub(super) fn look(&mut self, elapsed: Option<Duration>) -> Option<Counters> {
        let since = self.looked.map(|since| since.saturating_add(elapsed.unwrap_or_default()));
        self.looked = since.filter(|since| *since < LOOK);
        if self.looked.is_some() {
            return None;
        }
        self.looked = Some(Duration::ZERO);
        let services = self.services.as_deref().unwrap_or_default();
        let counters = self.perf.open("mssql");
        let found = discovery::look(self.system.as_mut(), services, &counters, &self.budget);
        let mut names = found.names;
        if !found.is_whole {
            for name in self.names.drain(..) {
                if !names.iter().any(|found| found.eq_ignore_ascii_case(&name)) {
                    names.push(name);
                }
            }
        }
        self.names = names;
        if let Some(registered) = found.registered {
            self.registered = registered;
        }
        self.unread = found.unread;
        Some(counters)
    }

    /// Leaves as many instances as there may be.
    pub(super) fn choose(&mut self, cx: &mut Cx<'_>) {
        let mut names = self.names.clone();
        self.instances_guard.apply(cx, &mut names, |name| name.to_ascii_lowercase(), |_| 0);
        let is_it = |instance: &Instance, name: &String| instance.name.eq_ignore_ascii_case(name);
        self.instances.retain(|instance| names.iter().any(|name| is_it(instance, name)));
        for name in &names {
            if !self.instances.iter().any(|instance| is_it(instance, name)) {
                self.instances.push(Instance::new(name));
            }
        }
    }

    /// Takes over what setup tells of each, and logs what is new of it.
    pub(super) fn introduce(&mut self) {
        for instance in &mut self.instances {
            let registered = self.registered.iter().find(|it| it.name.eq_ignore_ascii_case(&instance.name));
            instance.is_clustered = registered.is_some_and(|registered| registered.is_clustered);
            let edition = registered.and_then(|registered| self.system.edition(&registered.id));
            let about = discovery::about(registered, edition.as_deref());
            if instance.about != about {
                crate::log::say!(Info, "M001", "mssql: instance {}: {about}", instance.name);
                instance.about = about;
            }
        }
    }
}
