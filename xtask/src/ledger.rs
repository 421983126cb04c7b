//! What was run, how long it took, what it proved.

use std::fmt;
use std::time::Duration;

/// What one step proved: tests that passed, and gates (checks that are one yes or no).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub tests: u64,
    pub gates: u64,
}

impl Passed {
    pub const GATE: Self = Self { tests: 0, gates: 1 };

    pub fn gates(gates: u64) -> Self {
        Self { tests: 0, gates }
    }

    pub fn tests(tests: u64) -> Self {
        Self { tests, gates: 0 }
    }
}

struct Row {
    step: &'static str,
    took: Duration,
    /// `None`: the step failed.
    passed: Option<Passed>,
}

#[derive(Default)]
pub struct Ledger {
    rows: Vec<Row>,
}

impl Ledger {
    pub fn add(&mut self, step: &'static str, took: Duration, passed: Option<Passed>) {
        self.rows.push(Row { step, took, passed });
    }

    /// Tests and gates together.
    pub fn passed(&self) -> u64 {
        self.rows.iter().filter_map(|row| row.passed).map(|passed| passed.tests + passed.gates).sum()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18} {:>8} {:>7} {:>6}", "step", "seconds", "tests", "gates")?;
        for row in &self.rows {
            write!(f, "{:<18} {:>8.1}", row.step, row.took.as_secs_f64())?;
            match row.passed {
                Some(Passed { tests, gates }) => writeln!(f, " {tests:>7} {gates:>6}")?,
                None => writeln!(f, " {:>14}", "FAILED")?,
            }
        }
        let took: Duration = self.rows.iter().map(|row| row.took).sum();
        writeln!(f, "{:<18} {:>8.1}", "total", took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_and_a_failure_counts_nothing() {
        let mut ledger = Ledger::default();
        ledger.add("fmt", Duration::from_millis(1500), Some(Passed::GATE));
        ledger.add("unit", Duration::from_secs(60), Some(Passed::tests(41)));
        ledger.add("size", Duration::ZERO, None);
        assert_eq!(ledger.passed(), 42);
        let lines: Vec<String> = ledger.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[1], "fmt                     1.5       0      1");
        assert_eq!(lines[2], "unit                   60.0      41      0");
        assert_eq!(lines[3], "size                    0.0         FAILED");
        assert_eq!(lines[4], "total                  61.5");
    }
}
