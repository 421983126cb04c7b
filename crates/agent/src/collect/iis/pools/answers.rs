//! What is asked of the counters of pools, and the rows of the answers: each with the pool that it is of.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use falcon_sys::types::Proc;

use super::super::super::budget::{Budget, SPENT};
use super::super::host_config::{HostConfig, key};
use super::super::workers::{Worker, split_instance};
use super::TOTAL;
use super::metrics::{QUEUE, QUEUE_LINES, RUNNING, STATE, WAS, WAS_LINES, WORKER, WORKER_LINES};
use super::sums::{Line, Part, Process, counters};
use crate::collect::Cx;
use crate::perf::client::{Counters, ObjectQuery};
use crate::perf::rows::{Missing, Row, Table};

/// Queues that have no name.
const UNNAMED: &str = "---";

/// The tables of `APP_POOL_WAS`, `W3SVC_W3WP` and the queues. What the system does not have is told once.
pub(super) fn ask_all(cx: &mut Cx<'_>, budget: &Budget, pools: &Counters, queues: &Counters) -> [Option<Table>; 3] {
    let mut absent = Vec::new();
    let queries = [query(cx, WAS, &WAS_LINES), query(cx, WORKER, &WORKER_LINES)];
    let [was, worker] = ask(cx, budget, pools, queries, &mut absent);
    let queries = [query(cx, QUEUE, &QUEUE_LINES)];
    let [queue] = ask(cx, budget, queues, queries, &mut absent);
    if !absent.is_empty() {
        let why = format!("{}: not served here; what the workers use is told all the same", absent.join(", "));
        cx.remark("counters of application pools", why);
    }
    [was, worker, queue]
}

fn query(cx: &Cx<'_>, object: &str, lines: &[Line]) -> ObjectQuery {
    ObjectQuery::new(object, counters(lines.iter().filter(|line| cx.wants(&line.metric))))
}

/// The tables of one group; what the system does not have is only listed.
fn ask<const N: usize>(
    cx: &mut Cx<'_>,
    budget: &Budget,
    group: &Counters,
    queries: [ObjectQuery; N],
    absent: &mut Vec<String>,
) -> [Option<Table>; N] {
    let answers =
        if budget.has_room() { group.ask(&queries).map_err(|why| why.to_string()) } else { Err(SPENT.to_owned()) };
    let mut answers = match answers {
        Ok(answers) => answers.into_iter(),
        Err(why) => {
            cx.problem(format!("counters: {}", queries.map(|query| query.object).join(", ")), why);
            return [const { None }; N];
        }
    };
    queries.map(|query| match answers.next()? {
        Ok(table) => {
            if table.left_out > 0 {
                cx.problem(query.object, "some of its rows or counters are damaged, or too many");
            }
            Some(table)
        }
        Err(Missing::Unnamed | Missing::Unserved) => {
            absent.push(query.object);
            None
        }
        Err(why) => {
            cx.problem(query.object, why);
            None
        }
    })
}

/// Of workers: the row, and the pid and pool in its name.
pub(super) type WorkerRow<'a> = (&'a Row, u32, &'a str);

pub(super) fn worker_rows(table: Option<&Table>) -> Vec<WorkerRow<'_>> {
    let mut of_workers = Vec::new();
    for row in table.into_iter().flat_map(|table| &table.rows) {
        if let Some((pid, pool)) = split_instance(&row.instance) {
            of_workers.push((row, pid, pool));
        }
    }
    of_workers
}

pub(super) fn worker_part<'a>((row, pid, pool): WorkerRow<'a>, table: &[Proc]) -> Part<'a> {
    let process = table.iter().find(|process| process.pid == pid);
    let process = process.map(|found| Process { created: found.created, age_s: found.age_s });
    Part { row, key: row.instance.clone(), pool: key(pool), process }
}

/// Which one of equal names was told of, of those that there were several of.
pub(super) type Chosen = HashMap<String, usize>;

/// One row of each name, in their order, without the provider's own sum. A pool that was removed and made again may be there
/// twice: the one that runs counts. Where none or several run it is the one that was told of before: another one's sums would
/// be taken for growth.
pub(super) fn one_of_each<'a>(table: &'a Table, chosen: &mut Chosen) -> Vec<&'a Row> {
    let state = table.column(STATE);
    let runs = |row: &Row| {
        let value = state.and_then(|state| *row.values.get(state)?);
        value.is_some_and(|raw| raw.value == RUNNING)
    };
    let (mut names, mut places) = (Vec::<(String, Vec<&Row>)>::new(), HashMap::<String, usize>::new());
    for row in table.rows.iter().filter(|row| row.instance != TOTAL && !row.instance.starts_with(UNNAMED)) {
        let key = key(&row.instance);
        match places.get(&key).and_then(|place| names.get_mut(*place)) {
            Some((_, equal)) => equal.push(row),
            None => {
                places.insert(key.clone(), names.len());
                names.push((key, vec![row]));
            }
        }
    }
    chosen.retain(|key, _| {
        let equal = places.get(key).and_then(|place| names.get(*place));
        equal.is_some_and(|(_, equal)| equal.len() > 1)
    });
    let one = |(key, mut equal): (String, Vec<&'a Row>)| {
        if equal.len() == 1 {
            return equal.pop();
        }
        let before = chosen.get(&key).copied().unwrap_or(0);
        let best =
            (0..equal.len()).max_by_key(|n| (equal.get(*n).is_some_and(|row| runs(row)), *n == before, Reverse(*n)))?;
        chosen.insert(key, best);
        Some(equal.swap_remove(best))
    };
    names.into_iter().filter_map(one).collect()
}

pub(super) fn parts<'a>(rows: &[&'a Row]) -> Vec<Part<'a>> {
    let part = |row: &&'a Row| Part { row, key: key(&row.instance), pool: key(&row.instance), process: None };
    rows.iter().map(part).collect()
}

/// Every pool that a source names, each once, with its key.
pub(super) fn known<'a>(
    was: &[&'a Row],
    config: &'a HostConfig,
    found: &'a [Worker],
    worker_rows: &[WorkerRow<'a>],
) -> Vec<(String, &'a str)> {
    let of_process = |worker: &'a Worker| match worker {
        Worker::Of(pool) => Some(pool.as_str()),
        Worker::Foreign | Worker::Unknown(_) => None,
    };
    let names = was.iter().map(|row| row.instance.as_str());
    let names = names.chain(config.pools.iter().map(String::as_str));
    let names = names.chain(found.iter().filter_map(of_process));
    let names = names.chain(worker_rows.iter().map(|(_, _, pool)| *pool));
    let mut seen = HashSet::new();
    names.map(|name| (key(name), name)).filter(|(key, _)| seen.insert(key.clone())).collect()
}
