//! `Web Service`: each site and all of them together; and `Web Service Cache`, which is of the whole machine.
//!
//! A site that was removed and made anew, or stopped, may stand there twice: of equal names the one with the longest uptime
//! is told of, never a sum of them. Site names are cleaned as tags and blanks in them become `_`, as freedomkk's agent wrote
//! them. The row `_Total` is the first one of that name; a site that is called so is left out.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::cache::Cache;
use super::lines::{LOUD, MORE, SITES, STATE, UPTIME};
use super::{Asked, Part, cache, legacy, present, wanted};
use crate::collect::pattern::{Choice, Pattern};
use crate::collect::{Class, Context, Cx, Guard, Guarded};
use crate::config::NameSet;
use crate::model::Tags;
use crate::perf::client::{Counters, ObjectQuery, Refused};
use crate::perf::meter::Sheet;
use crate::perf::rows::{Row, Table};

const OBJECT: &str = "Web Service";
const TOTAL: &str = "_Total";

pub(super) struct Sites {
    counters: Counters,
    total: Sheet,
    sites: Sheet,
    more: Sheet,
    legacy: Sheet,
    cache: Cache,
    choice: Choice,
    /// Each of `websites`, to tell which of them fit nothing.
    websites: Vec<(String, Pattern)>,
    guard: Guard,
    /// By the name in the answer.
    tags: HashMap<String, Tags>,
    chosen: Chosen,
}

/// Which one of equal names was told of, of those that there were several of.
type Chosen = HashMap<String, usize>;

impl Sites {
    pub(super) fn new(cx: &Context) -> Sites {
        let iis = &cx.config.iis;
        let sends_zeros = cx.config.collector.names.contains(&NameSet::FreedomKk);
        Sites {
            counters: cx.perf.open("iis"),
            total: Sheet::new(&LOUD),
            sites: Sheet::new(if sends_zeros { &LOUD } else { &SITES }),
            more: Sheet::new(&MORE),
            legacy: Sheet::new(&legacy::WEB),
            cache: Cache::new(),
            choice: Choice::new(&iis.websites, &iis.exclude),
            websites: iis.websites.iter().map(|name| (name.clone(), Pattern::caseless(name))).collect(),
            guard: Guard::new(Guarded::Sites, &cx.config, &cx.stats),
            tags: HashMap::new(),
            chosen: Chosen::new(),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, table: &Table) {
        let mut more = self.more.open(table);
        if let Some(total) = table.rows.iter().find(|row| row.instance == TOTAL) {
            let tags = self.tags.entry(TOTAL.to_owned()).or_insert_with(|| site_tags(TOTAL));
            cx.class(Class::Totals);
            self.total.open(table).emit(cx, total, TOTAL, tags);
            self.legacy.open(table).emit(cx, total, TOTAL, &Tags::NONE);
            cx.class(Class::Detail);
            more.emit(cx, total, TOTAL, tags);
        }
        let is_told_apart = SITES.iter().chain(&MORE).any(|line| cx.wants(&line.metric)) || cx.wants(&STATE);
        if !is_told_apart {
            return;
        }
        let mut sites = distinct(table, &mut self.chosen);
        for (written, pattern) in &self.websites {
            if !sites.is_empty() && !sites.iter().any(|site| pattern.fits(&site.row.instance)) {
                cx.remark(format!("site {written}"), "fits no site of this host");
            }
        }
        sites.retain(|site| self.choice.fits(&site.row.instance));
        self.guard.apply(cx, &mut sites, |site| site.row.instance.clone(), |_| 0);
        for site in &sites {
            let name = &site.row.instance;
            if !self.tags.contains_key(name) {
                self.tags.insert(name.clone(), site_tags(name));
            }
        }
        self.tags.retain(|name, _| name == TOTAL || sites.iter().any(|site| site.row.instance == *name));
        let tagged = || sites.iter().filter_map(|site| Some((site, self.tags.get(&site.row.instance)?)));
        let mut page = self.sites.open(table);
        cx.class(Class::Sites);
        for (site, tags) in tagged() {
            page.emit(cx, site.row, &site.row.instance, tags);
        }
        cx.class(Class::Detail);
        for (site, tags) in tagged() {
            more.emit(cx, site.row, &site.row.instance, tags);
            if let Some(uptime) = site.uptime_s {
                cx.emit(&STATE, tags, f64::from(u8::from(uptime > 0)));
            }
        }
    }
}

impl Part for Sites {
    fn what(&self) -> &'static str {
        "counters of sites"
    }

    fn collect(&mut self, cx: &mut Cx<'_>) -> Result<Asked, Refused> {
        let mut queries = Vec::new();
        let mut counters = wanted(cx, SITES.iter().chain(&MORE).chain(&legacy::WEB));
        if cx.wants(&STATE) || !counters.is_empty() {
            if !counters.iter().any(|counter| counter == UPTIME) {
                counters.push(UPTIME.to_owned());
            }
            queries.push(ObjectQuery::new(OBJECT, counters));
        }
        let counters = cache::counters(cx);
        if !counters.is_empty() {
            queries.push(ObjectQuery::new(cache::OBJECT, counters));
        }
        if queries.is_empty() {
            return Ok(Asked::Nothing);
        }
        let answers = self.counters.ask(&queries)?;
        let mut is_served = true;
        for (query, answer) in queries.iter().zip(answers) {
            // Both are of one product: that it is not there is told once.
            if !is_served && answer.is_err() {
                continue;
            }
            let Some(table) = present(cx, &query.object, answer) else {
                is_served = false;
                continue;
            };
            if query.object == OBJECT {
                self.say(cx, &table);
            } else {
                self.cache.say(cx, &table);
            }
        }
        Ok(Asked::Something)
    }
}

fn site_tags(name: &str) -> Tags {
    Tags::of(&[("site", &name.replace(' ', "_"))])
}

struct Site<'a> {
    row: &'a Row,
    uptime_s: Option<u64>,
}

/// One row for each site, in the order in which their names come first. Where all of a name are stopped it is the one that was
/// told of before: another one's sums would be taken for growth.
fn distinct<'a>(table: &'a Table, chosen: &mut Chosen) -> Vec<Site<'a>> {
    let uptime = table.column(UPTIME);
    let mut names: Vec<(&str, Vec<Site<'a>>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for row in table.rows.iter().filter(|row| !row.instance.is_empty() && row.instance != TOTAL) {
        let uptime_s = uptime.and_then(|place| Some((*row.values.get(place)?)?.value));
        let site = Site { row, uptime_s };
        match places.get(row.instance.as_str()).and_then(|place| names.get_mut(*place)) {
            Some((_, equal)) => equal.push(site),
            None => {
                places.insert(&row.instance, names.len());
                names.push((&row.instance, vec![site]));
            }
        }
    }
    chosen.retain(|name, _| {
        let equal = places.get(name.as_str()).and_then(|place| names.get(*place));
        equal.is_some_and(|(_, equal)| equal.len() > 1)
    });
    let one = |(name, mut equal): (&str, Vec<Site<'a>>)| {
        if equal.len() == 1 {
            return equal.pop();
        }
        let before = chosen.get(name).copied().unwrap_or(0);
        let best = (0..equal.len())
            .max_by_key(|n| (equal.get(*n).and_then(|site| site.uptime_s), *n == before, Reverse(*n)))?;
        chosen.insert(name.to_owned(), best);
        Some(equal.swap_remove(best))
    };
    names.into_iter().filter_map(one).collect()
}
