//! Which lines are worth writing: each distinct problem once, then its number in ten minutes.
//!
//! Pure: the caller brings the lines and the time, any clock that never goes back. Invariants: of a text that is held back
//! the number is told at the end of its ten minutes or of the agent, none is forgotten; so many texts are remembered and no
//! more. What the details of the work are (DEBUG) passes, for who asks for it wants to see it.

use std::time::Duration;

use crate::config::Level;

use super::line::Line;
use super::span;

/// A text that comes again within this is not written again.
pub(super) const WINDOW: Duration = Duration::from_secs(600);
/// Texts that are remembered: of problems, and of all else.
const MOST_TEXTS: usize = 256;
/// Of a text that is no problem, or whose problem was over in between, so many are written in [`WINDOW`]: one every ten
/// seconds.
const MOST_WRITTEN: u32 = 60;

/// Lines that say a problem is over, each with the problems it means: when one of these comes again it is news.
const OVER: &[(&str, &[&str])] = &[
    ("C002", &["C001", "C003"]),
    ("H001", &["H002"]),
    ("H010", &["H011"]),
    ("H012", &["H013"]),
    ("K002", &["K001"]),
    ("K003", &["K001"]),
    ("K004", &["K001"]),
    ("K008", &["K006", "K007"]),
    ("L003", &["L002"]),
    ("N001", &["N002"]),
    ("Q002", &["Q005"]),
    ("Q004", &["Q003"]),
    ("Q013", &["Q012"]),
    ("R002", &["R003", "R004"]),
    ("T002", &["T003"]),
    ("U011", &["U010"]),
    ("U016", &["U015"]),
    ("U023", &["U022"]),
    ("U025", &["U024"]),
];

/// Answers to somebody who asked, and may ask again: what is wrong with a configuration.
const ANSWERS: [&str; 3] = ["F002", "F004", "F006"];

#[derive(Debug, Default)]
pub(super) struct Quiet {
    problems: Vec<Told>,
    /// Apart from the problems, which none of these may push out.
    others: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    line: Line,
    /// Its window began then.
    since: Duration,
    written: u32,
    held: u64,
    /// A line has said so since it was written.
    over: bool,
}

impl Told {
    /// What was held back, as one line.
    fn summary(&mut self, now: Duration) -> Option<Line> {
        let held = std::mem::take(&mut self.held);
        let times = if held == 1 { "once".to_owned() } else { format!("{held} times") };
        let time = span(now.saturating_sub(self.since).as_secs());
        (held > 0).then(|| {
            let Line { level, code, text, .. } = &self.line;
            Line::new(*level, code, format_args!("{text} (repeated {times} in {time})"))
        })
    }

    fn end(&self) -> Duration {
        self.since + WINDOW
    }
}

impl Quiet {
    /// Whether this line is written; before it, the number of what had to be forgotten for it.
    pub fn pass(&mut self, line: &Line, now: Duration) -> (Option<Line>, bool) {
        if line.level > Level::Info {
            return (None, true);
        }
        if let Some((_, problems)) = OVER.iter().find(|(code, _)| *code == line.code) {
            let problems = self.problems.iter_mut().filter(|told| problems.contains(&told.line.code));
            problems.for_each(|told| told.over = true);
        }
        let is_problem = line.level <= Level::Warn && !ANSWERS.contains(&line.code);
        let texts = if is_problem { &mut self.problems } else { &mut self.others };
        if let Some(told) = texts.iter_mut().find(|told| told.line.text == line.text && told.line.code == line.code) {
            let again = told.written < MOST_WRITTEN && (!is_problem || told.over);
            if again {
                told.written += 1;
                told.over = false;
            } else {
                told.held += 1;
            }
            return (None, again);
        }
        let oldest = texts.iter().enumerate().min_by_key(|(_, told)| (told.held > 0, told.since)).map(|(at, _)| at);
        let forgotten = match oldest {
            Some(at) if texts.len() >= MOST_TEXTS => texts.swap_remove(at).summary(now),
            _ => None,
        };
        texts.push(Told { line: line.clone(), since: now, written: 1, held: 0, over: false });
        (forgotten, true)
    }

    /// When [`due`](Quiet::due) will have something to say.
    pub fn next(&self) -> Option<Duration> {
        self.all().filter(|told| told.held > 0).map(Told::end).min()
    }

    /// What was held back in windows that have ended. A text that goes on is counted in a new one.
    pub fn due(&mut self, now: Duration) -> Vec<Line> {
        let mut due = Vec::new();
        for texts in [&mut self.problems, &mut self.others] {
            texts.retain_mut(|told| {
                if now < told.end() {
                    return true;
                }
                let summary = told.summary(now);
                (told.since, told.written) = (now, 1);
                let goes_on = summary.is_some();
                due.extend(summary);
                goes_on
            });
        }
        due
    }

    /// All that was held back: the agent ends.
    pub fn finish(&mut self, now: Duration) -> Vec<Line> {
        self.problems.iter_mut().chain(&mut self.others).filter_map(|told| told.summary(now)).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Told> {
        self.problems.iter().chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, code: &'static str, text: &str) -> Line {
        Line::new(level, code, format_args!("{text}"))
    }

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| format!("{} {} {}", line.level, line.code, line.text)).collect()
    }

    /// The second reload of a file that was still wrong had no answer in the log.
    #[test]
    fn an_answer_is_given_each_time() {
        let mut quiet = Quiet::default();
        let refused = line(Level::Error, "F004", "reload: nothing was changed: cfg.json:3");
        assert!((0..3).all(|n| quiet.pass(&refused, at(n)) == (None, true)));
    }

    #[test]
    fn a_problem_is_written_once_and_then_counted() {
        let mut quiet = Quiet::default();
        let full = line(Level::Warn, "Q003", "full");
        assert_eq!(quiet.pass(&full, at(0)), (None, true));
        assert_eq!(quiet.next(), None);
        assert!((1..58).all(|s| quiet.pass(&full, at(s)) == (None, false)));
        assert_eq!(quiet.pass(&line(Level::Warn, "Q006", "full"), at(58)), (None, true), "another code is another");
        assert_eq!((quiet.next(), quiet.due(at(599)).len()), (Some(at(600)), 0));
        assert_eq!(texts(quiet.due(at(600))), ["WARN Q003 full (repeated 57 times in 10 min)"]);
        // It went on: silence, and one number every ten minutes.
        assert_eq!(quiet.pass(&full, at(700)), (None, false));
        assert_eq!(texts(quiet.due(at(1200))), ["WARN Q003 full (repeated once in 10 min)"]);
        assert_eq!((quiet.due(at(1800)).len(), quiet.next()), (0, None));
        assert_eq!(quiet.pass(&full, at(1800)), (None, true));
    }

    #[test]
    fn what_is_held_back_is_told_when_the_agent_ends() {
        let mut quiet = Quiet::default();
        let (gone, odd) = (line(Level::Error, "Q010", "gone"), line(Level::Info, "A005", "odd"));
        for _ in 0..3 {
            quiet.pass(&gone, at(0));
            quiet.pass(&odd, at(0));
        }
        assert_eq!(texts(quiet.finish(at(90))), ["ERROR Q010 gone (repeated 2 times in 90 s)"]);
        assert!(quiet.finish(at(90)).is_empty());
    }

    /// A log whose last word is "answers" while nothing does would send people elsewhere.
    #[test]
    fn a_problem_that_was_over_is_news_but_not_for_ever() {
        let mut quiet = Quiet::default();
        let (lost, back) = (line(Level::Warn, "T003", "lost"), line(Level::Info, "T002", "back"));
        let written = (0..100).filter(|s| {
            let (_, news) = quiet.pass(&lost, at(*s));
            let (_, again) = quiet.pass(&lost, at(*s));
            assert!(!again);
            quiet.pass(&back, at(*s));
            news
        });
        assert_eq!(written.count(), MOST_WRITTEN as usize);
        assert_eq!(
            texts(quiet.due(at(600))),
            ["WARN T003 lost (repeated 140 times in 10 min)", "INFO T002 back (repeated 40 times in 10 min)"]
        );
    }

    /// A share that hung twice in ten minutes was told once, and its log ended with "answers again".
    #[test]
    fn what_is_over_with_plugins_is_news_when_it_comes_again() {
        for (over, problem) in [("U011", "U010"), ("U016", "U015"), ("U023", "U022"), ("U025", "U024")] {
            let mut quiet = Quiet::default();
            let (lost, back) = (line(Level::Warn, problem, "lost"), line(Level::Info, over, "back"));
            let news = [&lost, &lost, &back, &lost].map(|line| quiet.pass(line, at(0)).1);
            assert_eq!(news, [true, false, true, true], "{problem}");
        }
    }

    #[test]
    fn news_are_held_back_only_where_they_flood_and_details_never() {
        let mut quiet = Quiet::default();
        let mut written = |level| (0..100).filter(|_| quiet.pass(&line(level, "A002", "x"), at(0)).1).count();
        assert_eq!((written(Level::Info), written(Level::Debug)), (MOST_WRITTEN as usize, 100));
    }

    #[test]
    fn the_memory_is_bounded_and_what_is_forgotten_is_told() {
        let mut quiet = Quiet::default();
        let first = line(Level::Warn, "X001", "first");
        quiet.pass(&first, at(0));
        quiet.pass(&first, at(0));
        // A text without repetitions goes before one with them.
        for n in 0..10 * MOST_TEXTS {
            let text = line(Level::Warn, "X001", &n.to_string());
            assert_eq!(quiet.pass(&text, Duration::from_millis(n as u64)), (None, true));
        }
        assert_eq!((quiet.problems.len(), quiet.next()), (MOST_TEXTS, Some(at(600))));
        for n in 0..MOST_TEXTS - 1 {
            let text = (10 * MOST_TEXTS - 1 - n).to_string();
            quiet.pass(&line(Level::Warn, "X001", &text), at(2));
        }
        let (forgotten, written) = quiet.pass(&line(Level::Warn, "X001", "new"), at(60));
        assert!(written);
        assert_eq!(texts(forgotten.into_iter().collect()), ["WARN X001 first (repeated once in 60 s)"]);
    }
}
