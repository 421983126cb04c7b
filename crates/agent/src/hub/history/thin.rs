//! Many points as few, while they come: the memory for a series is bounded however many points it has.
//!
//! They are thinned by time, all series of a request alike: series that say something at the same moments have the same stamps
//! afterwards, also where one of them was silent for a while, and can be added up.

use super::Points;

/// Points of a series that a chart can show.
pub(super) const MOST: usize = 1000;

/// What some series said, each in spans of the same length.
pub(super) struct Thinned {
    /// Seconds of a span.
    width: i64,
    series: Vec<Spans>,
}

struct Spans {
    /// Whether a mean stands for many points; else the last of them does.
    mean: bool,
    /// One for each span of which there are points, in the order of time.
    points: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    /// Of its last point.
    at: i64,
    value: f64,
    /// How many points it has.
    count: u32,
}

impl Thinned {
    /// For each series whether a mean stands for many of its points.
    pub fn new(means: impl Iterator<Item = bool>) -> Thinned {
        Thinned { width: 1, series: means.map(|mean| Spans { mean, points: Vec::new() }).collect() }
    }

    pub fn add(&mut self, place: usize, at: i64, value: f64) {
        let Some(series) = self.series.get_mut(place) else { return };
        series.add(Span { at, value, count: 1 }, self.width);
        while self.series.get(place).is_some_and(|series| series.points.len() > MOST) {
            self.width = self.width.saturating_mul(2);
            for series in &mut self.series {
                let narrow = std::mem::take(&mut series.points);
                narrow.into_iter().for_each(|span| series.add(span, self.width));
            }
        }
    }

    pub fn points(self) -> Vec<Points> {
        let points = |series: Spans| series.points.into_iter().map(|span| (span.at, span.value)).collect();
        self.series.into_iter().map(points).collect()
    }
}

impl Spans {
    /// Nearly all come in order.
    fn add(&mut self, new: Span, width: i64) {
        let number = |at: i64| at.div_euclid(width);
        let after = match self.points.last() {
            Some(last) if number(last.at) > number(new.at) => {
                self.points.partition_point(|span| number(span.at) <= number(new.at))
            }
            _ => self.points.len(),
        };
        let before = after.checked_sub(1).and_then(|before| self.points.get_mut(before));
        let Some(span) = before.filter(|span| number(span.at) == number(new.at)) else {
            return self.points.insert(after, new);
        };
        let count = span.count.saturating_add(new.count);
        if self.mean && width > 1 {
            let part = |of: Span| of.value * (f64::from(of.count) / f64::from(count));
            // Rounding may carry a sum of the largest numbers beyond them.
            span.value = (part(*span) + part(new)).clamp(f64::MIN, f64::MAX);
        } else if new.at >= span.at {
            span.value = new.value;
        }
        // Two of one second are one.
        span.count = if width > 1 { count } else { 1 };
        span.at = span.at.max(new.at);
    }
}
