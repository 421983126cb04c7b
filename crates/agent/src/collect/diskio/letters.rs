//! Windows: on which drives each letter lies, for the names that WMI and LeonZYang's agent give to drives.
//!
//! Each letter is asked apart, on a thread that may be lost. What does not answer is asked again in every cycle; until then
//! it lies where it lay before, at first nowhere.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::collect::Cx;
use crate::isolate::{Isolated, LEFT_ALONE, Outcome};
use crate::stats::Stats;

/// A letter slower than this no longer holds up the others.
const PATIENCE: Duration = Duration::from_millis(500);
/// With the deadline of the drives it stays within what a lane gives a collector.
const DEADLINE: Duration = Duration::from_secs(2);

/// Numbers of disks.
type Answer = io::Result<Vec<u32>>;
pub type Ask = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

pub struct Letters {
    ask: Ask,
    jobs: Isolated<Answer>,
    letters: BTreeMap<String, Letter>,
}

#[derive(Default)]
struct Letter {
    disks: Vec<u32>,
    is_told: bool,
}

impl Letters {
    pub fn new(ask: Ask) -> Letters {
        Letters { ask, jobs: Isolated::new("letter"), letters: BTreeMap::new() }
    }

    /// A new list: what is no longer in it is forgotten, and all are asked again.
    pub fn list(&mut self, letters: &[String]) {
        let mut before = std::mem::take(&mut self.letters);
        let keep = |letter: &String| {
            let disks = before.remove(letter).unwrap_or_default().disks;
            (letter.clone(), Letter { disks, is_told: false })
        };
        self.letters = letters.iter().map(keep).collect();
    }

    pub fn ask(&mut self, cx: &mut Cx<'_>, stats: &Stats) {
        let due = self.letters.iter().filter(|(_, letter)| !letter.is_told);
        let jobs = due.map(|(name, _)| {
            let (ask, asked) = (self.ask.clone(), name.clone());
            (name.clone(), move || ask(&asked))
        });
        let answers = self.jobs.run_all(jobs.collect(), PATIENCE, DEADLINE);
        self.take(cx, answers, stats);
    }

    fn take(&mut self, cx: &mut Cx<'_>, answers: Vec<(String, Outcome<Answer>)>, stats: &Stats) {
        for (name, outcome) in answers {
            let Some(letter) = self.letters.get_mut(&name) else { continue };
            match outcome {
                Outcome::Done(answer) => {
                    letter.is_told = true;
                    // One that refuses (a RAM disk) lies on no disk that is known.
                    if let Ok(disks) = answer {
                        letter.disks = disks;
                    }
                }
                unanswered => {
                    if let Err(why) = unanswered.answer(LEFT_ALONE, &stats.collect_hung) {
                        cx.problem(format!("letter {name}"), why);
                    }
                }
            }
        }
    }

    /// Those that lie, wholly or in part, on the drive of a number.
    pub fn on(&self, number: u32) -> impl Iterator<Item = &str> {
        let on_it = self.letters.iter().filter(move |(_, letter)| letter.disks.contains(&number));
        on_it.map(|(name, _)| name.as_str())
    }

    /// Those that lie on any drive, each once: a volume that spans disks has its letter on each.
    pub fn volumes(&self) -> impl Iterator<Item = &str> {
        self.letters.iter().filter(|(_, letter)| !letter.disks.is_empty()).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::{Platform, Sets};

    fn letters(names: &[&str]) -> Letters {
        let mut letters = Letters::new(Arc::new(|_| Ok(Vec::new())));
        letters.list(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        letters
    }

    fn take(letters: &mut Letters, name: &str, outcome: Outcome<Answer>, stats: &Stats) -> usize {
        let answers = vec![(name.to_owned(), outcome)];
        with_cx(Sets::FREEDOMKK, Platform::Windows, |cx| letters.take(cx, answers, stats)).1.problems.len()
    }

    fn on(letters: &Letters, number: u32) -> Vec<&str> {
        letters.on(number).collect()
    }

    /// One letter that hung cost the list of drives, and with it all of `disk.io.*`.
    #[test]
    fn a_letter_that_hangs_lies_where_it_lay_before() {
        let (mut letters, stats) = (letters(&["C:", "D:", "E:"]), Stats::default());
        assert_eq!(take(&mut letters, "C:", Outcome::Done(Ok(vec![0])), &stats), 0);
        assert_eq!(take(&mut letters, "D:", Outcome::Done(Ok(vec![1, 0])), &stats), 0);
        assert_eq!(take(&mut letters, "E:", Outcome::Late { newly: true }, &stats), 1);
        assert_eq!((on(&letters, 0), on(&letters, 1), on(&letters, 2)), (vec!["C:", "D:"], vec!["D:"], vec![]));
        assert_eq!(letters.volumes().collect::<Vec<_>>(), ["C:", "D:"]);
        letters.list(&["D:".to_owned(), "E:".to_owned()]);
        assert_eq!(take(&mut letters, "D:", Outcome::Late { newly: true }, &stats), 1);
        assert_eq!((on(&letters, 0), stats.collect_hung.get()), (vec!["D:"], 2));
        assert_eq!(take(&mut letters, "D:", Outcome::Done(Ok(vec![2])), &stats), 0);
        assert_eq!((on(&letters, 0), on(&letters, 2)), (vec![], vec!["D:"]));
    }

    #[test]
    fn only_what_has_not_answered_is_asked_again() {
        let mut letters = letters(&["C:", "D:"]);
        letters.ask = Arc::new(|name| match name {
            "C:" => Ok(vec![0]),
            _ => Err(io::Error::other("no volume")),
        });
        let asked = |letters: &mut Letters| {
            let (_, said) = with_cx(Sets::FREEDOMKK, Platform::Windows, |cx| letters.ask(cx, &Stats::default()));
            assert!(said.problems.is_empty());
        };
        asked(&mut letters);
        letters.ask = Arc::new(|_| Ok(vec![7]));
        asked(&mut letters);
        assert_eq!((on(&letters, 0), on(&letters, 7)), (vec!["C:"], vec![]));
        letters.list(&["C:".to_owned()]);
        asked(&mut letters);
        assert_eq!(on(&letters, 7), ["C:"]);
    }
}
