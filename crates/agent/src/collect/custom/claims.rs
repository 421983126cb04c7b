//! Which counter has a name: the first that asks for it, as long as the agent runs.
//!
//! The servers tell a COUNTER from a GAUGE of one name as two series, and an alarm means both.

use std::collections::{HashMap, HashSet};

use crate::collect::Spec;
use crate::model::Kind;

/// Names of counters that are remembered: a provider may invent new ones for ever.
const MOST: usize = 1 << 14;

pub(super) struct Claims {
    /// Names of the agent's other metrics.
    others: HashSet<String>,
    /// By the name in small letters, as the servers' index does not tell them from others.
    taken: HashMap<String, Claim>,
}

struct Claim {
    name: String,
    kind: Kind,
    object: String,
    counter: String,
}

impl Claims {
    pub(super) fn new(specs: &[Spec]) -> Claims {
        let others = specs.iter().flat_map(|spec| spec.metrics).map(|metric| metric.name.to_lowercase()).collect();
        Claims { others, taken: HashMap::new() }
    }

    /// # Errors
    /// Why the counter cannot be told of under this name.
    pub(super) fn claim(&mut self, name: &str, kind: Kind, object: &str, counter: &str) -> Result<(), String> {
        let key = name.to_lowercase();
        if self.others.contains(&key) {
            return Err(format!("left out: {name} is another metric of the agent; set `metric` of the entry"));
        }
        match self.taken.get(&key) {
            Some(claim) if claim.kind != kind => Err(format!(
                "left out: {name} is a {} already, of {} of {}",
                claim.kind.as_str(),
                claim.counter,
                claim.object
            )),
            Some(claim)
                if claim.object.eq_ignore_ascii_case(object) && !claim.counter.eq_ignore_ascii_case(counter) =>
            {
                Err(format!("left out: {name} is {} already", claim.counter))
            }
            Some(claim) if claim.name != name => Err(format!("left out: {name} is {} but for the case", claim.name)),
            Some(_) => Ok(()),
            None if self.taken.len() >= MOST => Err("left out: there are too many names".to_owned()),
            None => {
                let (name, object, counter) = (name.to_owned(), object.to_owned(), counter.to_owned());
                let claim = Claim { name, kind, object, counter };
                self.taken.insert(key, claim);
                Ok(())
            }
        }
    }
}
