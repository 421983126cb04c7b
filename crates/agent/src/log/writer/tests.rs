//! The writer with made-up consoles and event logs.

use super::*;
use std::fs;
use std::sync::PoisonError;

fn line(level: Level, code: &'static str, text: &str) -> Line {
    Line::new(level, code, format_args!("{text}"))
}

/// A console that is read from another side.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text);
        Ok(text.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Without the time.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line["2026-11-25 10:00:00 ".len()..].to_owned()).collect()
    }

    fn console(&self) -> Option<(Console, Box<dyn Write + Send>)> {
        Some((Console::default(), Box::new(self.clone())))
    }
}

fn drained(sender: &Sender) {
    sender.drain(Duration::from_secs(60));
}

/// A Go agent was seen at 781 MB because nobody read its pipe.
#[test]
fn a_console_that_takes_nothing_holds_nobody_up() {
    struct Stuck(SyncSender<()>, Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.try_send(());
            let _ = self.1.recv();
            Ok(text.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (release, held) = sync_channel::<()>(0);
    let (stuck, is_stuck) = sync_channel(1);
    let console: Box<dyn Write + Send> = Box::new(Stuck(stuck, held));
    let sender = Sender::start(Writer::new(Some((Console::default(), console)), None, None));
    sender.line(line(Level::Info, "X001", "first"));
    is_stuck.recv().expect("the writer stands in its first line");
    for _ in 0..MOST_LINES + 7 {
        sender.line(line(Level::Info, "X001", "line"));
    }
    assert_eq!(sender.lost.load(Relaxed), 7);
    drop(release);
}

#[test]
fn lines_that_found_no_room_are_told_with_the_next() {
    let shown = Shared::default();
    let sender = Sender::start(Writer::new(shown.console(), None, None));
    sender.lost.store(7, Relaxed);
    sender.line(line(Level::Info, "X001", "next"));
    drained(&sender);
    assert_eq!(shown.lines(), ["WARN L001 (7 lines were lost here: the log did not take them)", "INFO X001 next"]);
}

#[test]
fn a_problem_is_shown_once_and_its_number_at_the_end() {
    let shown = Shared::default();
    let sender = Sender::start(Writer::new(shown.console(), None, None));
    for _ in 0..5 {
        sender.line(line(Level::Warn, "X001", "full"));
    }
    drained(&sender);
    assert_eq!(shown.lines(), ["WARN X001 full", "WARN X001 full (repeated 4 times in 0 s)"]);
}

#[test]
fn the_file_can_be_moved_and_what_it_cannot_take_is_shown_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let target =
        |name: &str| FileTarget { path: dir.path().join(name), max_bytes: 10 << 20, keep: 5, is_stderr: false };
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let shown = Shared::default();
    let sender = Sender::start(Writer::new(shown.console(), Some(target("a.log")), None));
    sender.line(line(Level::Info, "X001", "one"));
    drained(&sender);
    sender.file(Some(target("b.log")));
    sender.line(line(Level::Info, "X001", "two"));
    drained(&sender);
    fs::create_dir(dir.path().join("c.log")).unwrap();
    sender.file(Some(target("c.log")));
    sender.line(line(Level::Info, "X001", "three"));
    sender.file(None);
    sender.line(line(Level::Info, "X001", "four"));
    drained(&sender);
    assert!(read("a.log").trim_end().ends_with("INFO X001 one") && read("a.log").lines().count() == 1);
    assert!(read("b.log").trim_end().ends_with("INFO X001 two") && read("b.log").lines().count() == 1);
    let lines = shown.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("INFO X001 ")).count(), 4, "{lines:?}");
}

#[test]
fn a_file_that_fails_is_told_everywhere_else_and_told_again_when_it_works() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs").join("agent.log");
    fs::write(dir.path().join("logs"), "").unwrap();
    let shown = Shared::default();
    let events = Arc::<Mutex<Vec<String>>>::default();
    let seen = events.clone();
    let report: Events = Box::new(move |kind, id, text| seen.lock().unwrap().push(format!("{kind:?} {id:x} {text}")));
    let target = FileTarget { path: path.clone(), max_bytes: 10 << 20, keep: 5, is_stderr: false };
    let mut writer = Writer::new(shown.console(), Some(target), Some(report));
    let at = Duration::from_secs;
    writer.say(&line(Level::Info, "A001", "begun"), at(0));
    fs::remove_file(dir.path().join("logs")).unwrap();
    writer.say(&line(Level::Info, "X001", "next"), at(10));
    let lines = shown.lines();
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(kinds, ["A001", "L002", "X001", "L003"]);
    assert!(lines[1].contains("agent.log: ") && lines[3].ends_with("again; 1 lines are missing in it"), "{lines:?}");
    let file: Vec<String> = fs::read_to_string(path).unwrap().lines().map(|line| line[20..].to_owned()).collect();
    assert_eq!(file, lines[2..]);
    let events = events.lock().unwrap();
    assert!(events.len() == 2 && events[1].starts_with("Warning 80000009 L002 log: "), "{events:?}");
    assert_eq!(events[0], "Info 40000001 A001 begun");
}

/// With `log.file` on a full disk or in a directory that is not there, and `>> app.log` besides, the agent said nothing anywhere.
#[test]
fn what_the_file_does_not_take_is_shown_on_a_spare_console_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::write(&logs, "").unwrap();
    let shown = Shared::default();
    let console = shown.console().map(|(_, to)| (Console { spare: true, ..Console::default() }, to));
    let target = FileTarget { path: logs.join("agent.log"), max_bytes: 10 << 20, keep: 5, is_stderr: false };
    let mut writer = Writer::new(console, Some(target), None);
    let at = Duration::from_secs;
    writer.say(&line(Level::Info, "X001", "one"), at(0));
    writer.say(&line(Level::Info, "X001", "two"), at(1));
    fs::remove_file(logs).unwrap();
    writer.say(&line(Level::Info, "X001", "three"), at(10));
    let lines = shown.lines();
    assert!(lines.len() == 3 && lines[1].starts_with("WARN L002 log: "), "{lines:?}");
    assert_eq!([&lines[0], &lines[2]], ["INFO X001 one", "INFO X001 two"]);
}
