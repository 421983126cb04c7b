//! Which lanes a configuration has, and what they take over from those in whose place they stand.
//!
//! * What a lane holds goes to the lane of the same step: only the clock that is believed in the end stamps it.
//! * No stamp is given twice for a series, also where its step changed: a lane follows all that its collectors stood in.

use std::collections::BTreeMap;

use super::stamps::Stamps;
use super::unit::Unit;
use super::{LaneTask, Shared, Sink};
use crate::collect::{Lane, Spec};
use crate::config::Config;
use crate::model::Platform;
use crate::tick::Timetable;

/// The collectors of each lane and step that occurs, in a fixed order.
pub type Places = BTreeMap<(Lane, u32), Vec<&'static Spec>>;

/// What a lane leaves that is no more: which buckets it took, and what it holds.
pub struct Mark {
    lane: Lane,
    step: u32,
    specs: Vec<&'static str>,
    stamps: Stamps,
}

impl Mark {
    fn is_of(&self, lane: Lane, step: u32) -> bool {
        self.lane == lane && self.step == step
    }

    fn concerns(&self, lane: Lane, step: u32, specs: &[&'static Spec]) -> bool {
        self.is_of(lane, step) || specs.iter().any(|spec| self.specs.contains(&spec.name))
    }
}

/// Where collectors stand by a configuration.
pub fn places(specs: impl IntoIterator<Item = &'static Spec>, config: &Config) -> Places {
    let mut places = Places::new();
    for spec in specs.into_iter().filter(|spec| spec.exists_on(Platform::CURRENT)) {
        let step = config.collector.intervals.get(spec.name).copied().unwrap_or(config.transfer.interval);
        places.entry((spec.lane, step)).or_default().push(spec);
    }
    places
}

/// The lanes for a configuration: one for each lane and step that occurs, in a fixed order.
pub fn lanes(specs: impl IntoIterator<Item = &'static Spec>, shared: &Shared) -> Vec<LaneTask> {
    lanes_after(&mut [], specs, shared)
}

/// The same, in the place of those whose marks these are.
pub fn lanes_after(
    earlier: &mut [Mark],
    specs: impl IntoIterator<Item = &'static Spec>,
    shared: &Shared,
) -> Vec<LaneTask> {
    let mut told = Vec::new();
    let task = |((lane, step), specs): ((Lane, u32), Vec<&'static Spec>)| {
        let fresh = Timetable::new(&shared.endpoint, step);
        let marks = earlier.iter().filter(|mark| mark.concerns(lane, step, &specs));
        let timetable = marks.fold(fresh, |timetable, mark| timetable.after(mark.stamps.own()));
        let mut stamps = Stamps::new(timetable);
        if let Some(same) = earlier.iter_mut().find(|mark| mark.is_of(lane, step)) {
            stamps.hold_on(&mut same.stamps);
        }
        let resumed = !stamps.timetable().is_new();
        let units: Vec<Unit> = specs.into_iter().map(Unit::new).collect();
        told.extend(units.iter().map(|unit| unit.told.clone()));
        LaneTask { lane, step, units, stamps, under_way: None, told: false, resumed, shared: shared.clone() }
    };
    let tasks = places(specs, &shared.context.config).into_iter().map(task).collect();
    shared.context.stats.units.replace(told);
    tasks
}

impl LaneTask {
    /// For the lane that stands in this one's place, which goes on with what is held; where `places` has none of this step,
    /// all is let go.
    pub fn hand_on(&mut self, places: &Places, sink: &mut Sink<'_>) -> Mark {
        self.break_off(sink);
        if !places.contains_key(&(self.lane, self.step)) {
            self.let_go(sink);
        }
        let specs = self.units.iter().map(|unit| unit.spec.name).collect();
        Mark { lane: self.lane, step: self.step, specs, stamps: self.stamps.take() }
    }
}
