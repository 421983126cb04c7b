//! One instance: what is asked of it in one query; what becomes of the answer is a [`Part`]'s.

use std::collections::HashSet;

use falcon_sys::types::Service;

use super::discovery::{DEFAULT, NAMED, OBJECTS};
use super::part::{Part, View};
use super::process::Engine;
use super::table::{Label, Object, Rows, is_total};
use super::{databases, engine, waits};
use crate::collect::Cx;
use crate::collect::pattern::Choice;
use crate::model::Tags;
use crate::perf::client::{Counters, ObjectQuery, Perf, Refused, Tables};
use crate::perf::meter::counters;
use crate::perf::rows::Missing;
use crate::stats::Stats;

const AGENT: &str = "SQLSERVERAGENT";
const RUNNING: u32 = 4;

/// What the configuration leaves of an instance.
pub(super) struct Wishes {
    pub choice: Choice,
    pub all_pools: bool,
}

impl Wishes {
    /// Whether a database is told of one by one.
    pub(super) fn has(&self, database: &str) -> bool {
        !is_total(database) && !databases::is_resource(database) && self.choice.fits(database)
    }
}

pub(super) struct Instance {
    pub name: String,
    pub tags: Tags,
    pub engine: Engine,
    /// It runs on one of several hosts.
    pub is_clustered: bool,
    /// What the log has of it.
    pub about: String,
    /// When the manager was last asked.
    pub is_running: bool,
    pub pid: Option<u32>,
    /// It runs since so short a time that it need not have any counters yet.
    pub is_young: bool,
    agent_is_running: bool,
    /// While it runs.
    counters: Option<Counters>,
    /// What is asked of it, the agent service's object last; made when it first runs.
    plan: Option<Asked>,
}

struct Asked {
    parts: Vec<Part>,
    queries: Vec<ObjectQuery>,
    /// Whether the last one is of the agent service.
    has_jobs: bool,
}

impl Instance {
    pub(super) fn new(name: &str) -> Instance {
        Instance {
            name: name.to_owned(),
            tags: Tags::of(&[("instance", name)]),
            engine: Engine::default(),
            is_clustered: false,
            about: String::new(),
            is_running: false,
            pid: None,
            is_young: false,
            agent_is_running: false,
            counters: None,
            plan: None,
        }
    }

    pub(super) fn is_default(&self) -> bool {
        self.name == DEFAULT
    }

    /// The name of an object, as its provider registers it.
    pub(super) fn object(&self, object: &str) -> String {
        match (self.is_default(), object == engine::JOBS) {
            (true, false) => format!("{OBJECTS}{object}"),
            (true, true) => format!("SQLAgent:{object}"),
            (false, false) => format!("{NAMED}{}:{object}", self.name),
            (false, true) => format!("SQLAgent${}:{object}", self.name),
        }
    }

    /// Takes over what the manager of services tells of it.
    pub(super) fn look_up(&mut self, services: &[Service]) {
        let (own, agent) = if self.is_default() {
            (DEFAULT.to_owned(), AGENT.to_owned())
        } else {
            (format!("{NAMED}{}", self.name), format!("SQLAgent${}", self.name))
        };
        let find = |name: &str| {
            services.iter().find(|service| service.name.eq_ignore_ascii_case(name) && service.state == RUNNING)
        };
        self.pid = find(&own).and_then(|service| service.pid);
        self.is_running = find(&own).is_some();
        self.agent_is_running = find(&agent).is_some();
        if !self.is_running {
            // Nothing is asked of it: so its group may close, and the process that serves it with the last one.
            self.counters = None;
        }
    }

    /// One query for all of its objects.
    pub(super) fn ask(&mut self, cx: &Cx<'_>, perf: &Perf) -> Result<Tables, Refused> {
        if self.plan.is_none() {
            self.plan = Some(self.asked(cx));
        }
        let Some(plan) = &self.plan else { return Ok(Vec::new()) };
        let mut queries = plan.queries.as_slice();
        if let (true, false, [others @ .., _]) = (plan.has_jobs, self.agent_is_running, queries) {
            queries = others;
        }
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let counters = self.counters.get_or_insert_with(|| perf.open(format!("mssql:{}", self.name)));
        counters.ask(queries)
    }

    /// What name sets and options leave of the tables.
    fn asked(&self, cx: &Cx<'_>) -> Asked {
        let mut asked = Asked { parts: Vec::new(), queries: Vec::new(), has_jobs: false };
        let all = super::OBJECTS.iter().copied().flatten();
        // The jobs stand last.
        let (jobs, others): (Vec<&Object>, Vec<&Object>) = all.partition(|object| object.name == engine::JOBS);
        for object in others.into_iter().chain(jobs) {
            let is_legacy = !matches!(object.label, Label::Instance | Label::With(..));
            let wanted: Vec<_> = object.lines.iter().filter(|line| cx.wants(&line.metric)).collect();
            if wanted.is_empty() || is_legacy && !self.is_default() {
                continue;
            }
            let names = if object.rows == Rows::Waits { waits::counters() } else { counters(wanted) };
            let query = asked.query(self.object(object.name), names);
            asked.has_jobs |= object.name == engine::JOBS;
            asked.parts.push(Part::new(object, query));
        }
        asked
    }

    /// Where the answer for an object stands.
    pub(super) fn place_of(&self, object: &str) -> Option<usize> {
        let object = self.object(object);
        self.plan.as_ref()?.queries.iter().position(|query| query.object == object)
    }

    /// Whether the engine itself answered with anything.
    pub(super) fn is_there(&self, tables: &Tables) -> bool {
        let jobs = self.place_of(engine::JOBS);
        tables.iter().enumerate().any(|(place, table)| table.is_ok() && Some(place) != jobs)
    }

    /// What of an answer there should be, and is not.
    pub(super) fn tell_missing(&self, cx: &mut Cx<'_>, tables: &Tables) {
        let queries = self.plan.iter().flat_map(|plan| &plan.queries);
        for (query, table) in queries.zip(tables) {
            match table {
                // A version that has no such thing.
                Err(Missing::Unnamed) => {}
                Err(missing) => cx.problem(query.object.clone(), missing),
                Ok(table) if table.left_out > 0 => {
                    cx.problem(query.object.clone(), "not all of its rows and counters could be read");
                }
                Ok(_) => {}
            }
        }
    }

    /// Says what an answer has; `left_out` are databases beyond the bound.
    pub(super) fn say(
        &mut self,
        cx: &mut Cx<'_>,
        tables: &Tables,
        wishes: &Wishes,
        left_out: &HashSet<String>,
        stats: &Stats,
    ) {
        let Some(Asked { parts, .. }) = &mut self.plan else { return };
        let view = View { instance: &self.name, own: &self.tags, wishes, left_out, stats };
        for part in parts {
            if let Some(Ok(table)) = tables.get(part.query) {
                part.say(cx, table, &view);
            }
        }
    }
}

impl Asked {
    /// Where the query for an object stands, with these counters.
    fn query(&mut self, object: String, counters: Vec<String>) -> usize {
        let place = self.queries.iter().position(|query| query.object == object);
        let place = place.unwrap_or_else(|| {
            self.queries.push(ObjectQuery::new(object, Vec::new()));
            self.queries.len() - 1
        });
        if let Some(query) = self.queries.get_mut(place) {
            for counter in counters {
                if !query.counters.contains(&counter) {
                    query.counters.push(counter);
                }
            }
        }
        place
    }
}
