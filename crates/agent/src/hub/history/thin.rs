//! Many points as few, while they come: the memory for a series is bounded however many points it has.

use super::Points;

/// Points of a series that a chart can show. Even.
pub(super) const MOST: usize = 1000;

/// Each point stands for as many of the series: their mean, or the last of them.
pub(super) struct Thinned {
    mean: bool,
    /// For how many each stands.
    each: u32,
    /// For how many the last stands; 0: for all it can, or there is none.
    held: u32,
    points: Points,
}

impl Thinned {
    pub fn new(mean: bool) -> Thinned {
        Thinned { mean, each: 1, held: 0, points: Vec::new() }
    }

    pub fn add(&mut self, at: i64, value: f64) {
        if self.held == 0 && self.points.len() == MOST {
            self.halve();
        }
        match self.points.last_mut().filter(|_| self.held > 0) {
            Some(last) => {
                let count = f64::from(self.held) + 1.0;
                // In an order in which no sum leaves the range of a float.
                let mean = last.1 * (f64::from(self.held) / count) + value / count;
                *last = (at, if self.mean { mean } else { value });
            }
            None => self.points.push((at, value)),
        }
        self.held = if self.held + 1 == self.each { 0 } else { self.held + 1 };
    }

    fn halve(&mut self) {
        let mean = self.mean;
        let both = |[first, second]: &[(i64, f64); 2]| {
            (second.0, if mean { first.1 / 2.0 + second.1 / 2.0 } else { second.1 })
        };
        self.points = self.points.as_chunks().0.iter().map(both).collect();
        self.each = self.each.saturating_mul(2);
    }

    /// Of two with one stamp the later stays. Nearly all come in order, and a sort of the library's would be kilobytes.
    pub fn points(self) -> Points {
        let mut sorted = Points::with_capacity(self.points.len());
        for point in self.points {
            let after = sorted.iter().rposition(|(at, _)| *at <= point.0);
            match after.and_then(|at| sorted.get_mut(at)).filter(|before| before.0 == point.0) {
                Some(same) => *same = point,
                None => sorted.insert(after.map_or(0, |at| at + 1), point),
            }
        }
        sorted
    }
}
