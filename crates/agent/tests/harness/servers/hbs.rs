//! What an hbs says that is told what to say: to each call what the test set last, and by itself as the hbs of falcon-plus does
//! (modules/hbs/rpc/agent.go): the whole list with its checksum and the time, or nothing but these where the caller has it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::{Server, Shared};
use crate::harness::now;

pub const REPORT: &str = "Agent.ReportStatus";
pub const BUILTIN: &str = "Agent.BuiltinMetrics";
pub const TRUSTABLE: &str = "Agent.TrustableIps";
pub const PLUGINS: &str = "Agent.MinePlugins";

#[derive(Default)]
pub(super) struct Script {
    /// Metrics and tags, in hbs's order.
    assigned: Vec<(String, String)>,
    trustable: String,
    plugins: Vec<String>,
    /// How far its clock is from this machine's.
    ahead_s: i64,
    /// Said to a call instead of what would be.
    fixed: BTreeMap<&'static str, Value>,
    /// Method and argument of each call, in order.
    calls: Vec<(String, Value)>,
}

impl Script {
    fn checksum(&self) -> String {
        if self.assigned.is_empty() {
            return String::new();
        }
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &self.assigned).hash(&mut hasher);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }

    fn result(&self, method: &str, argument: &Value) -> Value {
        if let Some(fixed) = self.fixed.get(method) {
            return fixed.clone();
        }
        let time_s = now() + self.ahead_s;
        match method {
            BUILTIN => {
                let checksum = self.checksum();
                let metrics = self.assigned.iter().filter(|_| argument["Checksum"] != json!(checksum));
                let metrics: Vec<Value> =
                    metrics.map(|(metric, tags)| json!({ "Metric": metric, "Tags": tags })).collect();
                json!({ "Metrics": metrics, "Checksum": checksum, "Timestamp": time_s })
            }
            TRUSTABLE => json!(self.trustable),
            PLUGINS => json!({ "Plugins": self.plugins, "Timestamp": time_s }),
            _ => json!({ "code": 0 }),
        }
    }

    fn answer(&mut self, text: &str) -> Vec<u8> {
        let call: Value = serde_json::from_str(text).expect("read before");
        let (method, argument) = (call["method"].as_str().unwrap_or_default().to_owned(), call["params"][0].clone());
        let answer = json!({ "id": call["id"], "result": self.result(&method, &argument), "error": null });
        self.calls.push((method, argument));
        format!("{answer}\n").into_bytes()
    }
}

impl Shared {
    /// What the script has for a call, if there is one.
    pub(super) fn scripted(&self, text: &str) -> Option<Vec<u8>> {
        self.hbs.lock().unwrap().as_mut().map(|script| script.answer(text))
    }
}

/// A [`Server`] that plays hbs.
pub struct Hbs(Server);

impl Hbs {
    /// One that assigns nothing.
    pub fn start() -> Hbs {
        let server = Server::good();
        *server.shared.hbs.lock().unwrap() = Some(Script::default());
        Hbs(server)
    }

    /// Where it listens, goes down and comes up, and how it fails.
    pub fn server(&self) -> &Server {
        &self.0
    }

    pub fn addr(&self) -> &str {
        &self.0.addr
    }

    fn script<T>(&self, look: impl FnOnce(&mut Script) -> T) -> T {
        look(self.0.shared.hbs.lock().unwrap().as_mut().expect("set at the start"))
    }

    /// Metrics with tags; all that was assigned before is not any more.
    pub fn assigns(&self, checks: &[(&str, &str)]) {
        let mut assigned: Vec<_> =
            checks.iter().map(|(metric, tags)| ((*metric).to_owned(), (*tags).to_owned())).collect();
        assigned.sort();
        self.script(|script| script.assigned = assigned);
    }

    pub fn trusts(&self, text: &str) {
        self.script(|script| text.clone_into(&mut script.trustable));
    }

    pub fn runs(&self, plugins: &[&str]) {
        self.script(|script| script.plugins = plugins.iter().map(|name| (*name).to_owned()).collect());
    }

    /// Sets its clock.
    pub fn is_ahead(&self, seconds: i64) {
        self.script(|script| script.ahead_s = seconds);
    }

    /// From now on it says this to a method, whatever else it is told.
    pub fn says(&self, method: &'static str, result: Value) {
        self.script(|script| _ = script.fixed.insert(method, result));
    }

    /// No longer.
    pub fn speaks_freely(&self) {
        self.script(|script| script.fixed.clear());
    }

    /// What it would send for its assignment.
    pub fn checksum(&self) -> String {
        self.script(|script| script.checksum())
    }

    /// The arguments of each call of a method, in order.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        self.calls_after(0, method)
    }

    /// Those after so many calls of any method.
    pub fn calls_after(&self, count: usize, method: &str) -> Vec<Value> {
        self.script(|script| {
            let of = script.calls.iter().skip(count).filter(|(called, _)| called == method);
            of.map(|(_, argument)| argument.clone()).collect()
        })
    }

    /// How many calls came.
    pub fn count(&self) -> usize {
        self.script(|script| script.calls.len())
    }
}
