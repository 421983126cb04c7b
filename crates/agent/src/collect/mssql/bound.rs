//! How many databases are told of one by one, of all instances together: the largest first, and what was told of stays.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::table::is_total;
use super::{Answer, Mssql, databases};
use crate::collect::Cx;
use crate::perf::rows::Table;

impl Mssql {
    /// Leaves as many databases as there may be, of all instances together.
    pub(super) fn bound(&mut self, cx: &mut Cx<'_>, answers: &mut [Answer]) {
        if !databases::LINES.iter().any(|line| cx.wants(&line.metric)) {
            return;
        }
        let mut all: Vec<(usize, String, u64)> = Vec::new();
        let mut named: Vec<bool> = vec![false; self.named.len()];
        let mut is_any = false;
        for (n, answer) in answers.iter().enumerate() {
            let Some(table) = self.databases(answer) else { continue };
            is_any |= table.rows.iter().any(|row| !is_total(&row.instance));
            for ((_, pattern), named) in self.named.iter().zip(&mut named) {
                *named |= table.rows.iter().any(|row| pattern.fits(&row.instance));
            }
            let mut once = HashSet::new();
            let told = table.rows.iter().filter(|row| self.wishes.has(&row.instance) && once.insert(&row.instance));
            all.extend(told.map(|row| (n, row.instance.clone(), databases::data_size(table, row))));
        }
        for ((written, _), _) in self.named.iter().zip(named).filter(|(_, named)| is_any && !named) {
            cx.remark(format!("database {written}"), "fits none of the instances that run on this host");
        }
        let mut stay = all.clone();
        let name = |(n, name, _): &(usize, String, u64)| {
            let instance = answers.get(*n).and_then(|answer| self.instances.get(answer.place));
            format!("{}/{name}", instance.map_or("", |instance| instance.name.as_str()))
        };
        // Of those that run and did not answer nobody knows how many there are.
        let answered: HashSet<usize> =
            answers.iter().filter(|answer| self.databases(answer).is_some()).map(|answer| answer.place).collect();
        let unseen = self.instances.iter().enumerate();
        let unseen = unseen.filter(|(place, instance)| instance.is_running && !answered.contains(place));
        let unseen: Vec<String> = unseen.map(|(_, instance)| format!("{}/", instance.name)).collect();
        let is_unseen = |name: &str| unseen.iter().any(|instance| name.starts_with(instance));
        self.guard.apply_seen(cx, &mut stay, name, |(_, _, size)| Reverse(*size), is_unseen);
        if stay.len() == all.len() {
            return;
        }
        let stay: HashSet<(usize, String)> = stay.into_iter().map(|(n, name, _)| (n, name)).collect();
        for (n, name, _) in all {
            let key = (n, name);
            if !stay.contains(&key)
                && let Some(answer) = answers.get_mut(n)
            {
                answer.left_out.insert(key.1);
            }
        }
    }

    fn databases<'a>(&self, answer: &'a Answer) -> Option<&'a Table> {
        let place = self.instances.get(answer.place)?.place_of(databases::DATABASES)?;
        answer.tables.get(place)?.as_ref().ok()
    }
}
