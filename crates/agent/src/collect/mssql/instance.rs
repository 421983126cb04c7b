//! One instance: what is asked of it in one query, and the sheets that remember it.

use std::collections::{HashMap, HashSet};

use falcon_sys::types::Service;

use super::discovery::{DEFAULT, NAMED, OBJECTS};
use super::process::Engine;
use super::table::{Label, Object, Rows, is_total};
use super::{databases, engine, pools, waits};
use crate::collect::pattern::Choice;
use crate::collect::{Class, Cx};
use crate::model::Tags;
use crate::perf::client::{Counters, ObjectQuery, Perf, Refused, Tables};
use crate::perf::meter::{Sheet, counters};
use crate::perf::rows::{Missing, Row, Table};

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

/// Lines of one object, with where its answer stands.
struct Part {
    object: &'static Object,
    query: usize,
    sheet: Sheet,
    /// By the names of rows; `None` where another one has these tags.
    tags: HashMap<String, Option<Tags>>,
}

impl Instance {
    pub(super) fn new(name: &str) -> Instance {
        Instance {
            name: name.to_owned(),
            tags: Tags::of(&[("instance", name)]),
            engine: Engine::default(),
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
            asked.parts.push(Part { object, query, sheet: Sheet::new(object.lines), tags: HashMap::new() });
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
    pub(super) fn say(&mut self, cx: &mut Cx<'_>, tables: &Tables, wishes: &Wishes, left_out: &HashSet<String>) {
        let Some(Asked { parts, .. }) = &mut self.plan else { return };
        for part in parts {
            if let Some(Ok(table)) = tables.get(part.query) {
                part.say(cx, table, &self.name, &self.tags, wishes, left_out);
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

impl Part {
    fn say(
        &mut self,
        cx: &mut Cx<'_>,
        table: &Table,
        instance: &str,
        own: &Tags,
        wishes: &Wishes,
        left_out: &HashSet<String>,
    ) {
        let Part { object, sheet, tags, .. } = self;
        let other = match object.rows {
            Rows::Waits => Some(waits::transposed(table)),
            Rows::Pools if !wishes.all_pools && !pools::are_more(table) => return,
            Rows::Pools => Some(pools::since_before(table.clone())),
            // A sum alone is that of nothing.
            Rows::Replicas if table.rows.iter().all(|row| is_total(&row.instance)) => return,
            _ => None,
        };
        let table = other.as_ref().unwrap_or(table);
        if tags.len() > 2 * table.rows.len() + 16 {
            tags.clear();
        }
        let mut page = sheet.open(table);
        for row in &table.rows {
            if !is_told(object.rows, &row.instance, wishes, left_out) {
                continue;
            }
            let tags = match object.label {
                Label::None => Tags::NONE,
                Label::Instance => own.clone(),
                Label::With(..) | Label::Only(_) => {
                    let Some(tags) = tags_of(cx, object.label, tags, table, row, instance) else { continue };
                    tags
                }
            };
            // The sum of a kind is a total of its instance.
            let is_sum = is_total(&row.instance) && object.class == Class::Databases;
            cx.class(if is_sum { Class::Totals } else { object.class });
            page.emit(cx, row, &row.instance, &tags);
        }
    }
}

fn is_told(rows: Rows, row: &str, wishes: &Wishes, left_out: &HashSet<String>) -> bool {
    let is_single = || wishes.has(row) && !left_out.contains(row);
    match rows {
        Rows::Total => row.is_empty() || is_total(row),
        Rows::Each => !is_total(row),
        Rows::All | Rows::Waits | Rows::Pools => true,
        Rows::Databases | Rows::Replicas => is_total(row) || is_single(),
        Rows::SingleDatabases => is_single(),
        Rows::NamedDatabases => is_total(row) || wishes.choice.names(row) && is_single(),
    }
}

/// The tags of a row, made once. Of two rows that would have the same the first is told of.
fn tags_of(
    cx: &mut Cx<'_>,
    label: Label,
    known: &mut HashMap<String, Option<Tags>>,
    table: &Table,
    row: &Row,
    instance: &str,
) -> Option<Tags> {
    if let Some(tags) = known.get(&row.instance) {
        return tags.clone();
    }
    let tags = match label {
        Label::With(key, write) => Tags::of(&[("instance", instance), (key, &write(&row.instance))]),
        Label::Only(key) => Tags::of(&[(key, &row.instance)]),
        Label::None | Label::Instance => return None,
    };
    let has_these = |other: &&Row| {
        let theirs = known.get(&other.instance).and_then(Option::as_ref);
        other.instance != row.instance && theirs.is_some_and(|theirs| *theirs == tags)
    };
    let tags = match table.rows.iter().find(has_these) {
        None => Some(tags),
        Some(other) => {
            cx.remark(
                format!("{} of SQL Server instance {instance}", row.instance),
                format!("is not told of, as {} has the same tags", other.instance),
            );
            None
        }
    };
    known.insert(row.instance.clone(), tags.clone());
    tags
}
