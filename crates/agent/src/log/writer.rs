//! The thread that writes: a bounded channel of lines on one side, the console, the file and the event log on the other.
//!
//! Invariants: who logs never waits, whatever stands still; a line that finds no room is counted, and the number told. What
//! one place cannot take the others still get, and they are told of it.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Level;
use falcon_sys::types::EventKind;

use super::Console;
use super::event::Event;
use super::file::{FileTarget, News, Rotating};
use super::line::Line;
use super::quiet::Quiet;
use super::recent;

/// Lines that wait for a place that does not take them.
pub(super) const MOST_LINES: usize = 1024;

/// How to reach the writer.
#[derive(Clone)]
pub(super) struct Sender {
    messages: SyncSender<Message>,
    lost: Arc<AtomicUsize>,
    wanted: Arc<Mutex<Option<Wanted>>>,
}

/// Where the file is to be from now on; `None`: nowhere.
type Wanted = Option<FileTarget>;

enum Message {
    Line(Line),
    /// There is something in `wanted`.
    Look,
    /// Everything before it is written; the receiver is told so.
    Mark(SyncSender<()>),
}

/// Takes the kind, the identifier and the text of an event.
pub(super) type Events = Box<dyn FnMut(EventKind, u32, &str) + Send>;

/// Where lines go.
pub(super) struct Writer {
    pub console: Option<(Console, Box<dyn Write + Send>)>,
    pub file: Option<Rotating>,
    pub events: Option<Events>,
    quiet: Quiet,
    begun: Instant,
}

impl Sender {
    pub fn start(writer: Writer) -> Sender {
        let (messages, waiting) = sync_channel(MOST_LINES);
        let sender = Sender { messages, lost: Arc::default(), wanted: Arc::default() };
        let (lost, wanted) = (sender.lost.clone(), sender.wanted.clone());
        let run = move || writer.run(&waiting, &lost, &wanted);
        // Without a thread for it there is no log; the agent's work goes on.
        let _ = std::thread::Builder::new().name("log".to_owned()).stack_size(256 * 1024).spawn(run);
        sender
    }

    pub fn line(&self, line: Line) {
        if self.messages.try_send(Message::Line(line)).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    pub fn file(&self, target: Option<FileTarget>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        // Without room for it the writer has lines before it, and looks with the next.
        let _ = self.messages.try_send(Message::Look);
    }

    /// Waits until what was sent before is written, but no longer than `limit`.
    pub fn drain(&self, limit: Duration) {
        let (reached, mark) = sync_channel(1);
        if self.messages.try_send(Message::Mark(reached)).is_ok() {
            let _ = mark.recv_timeout(limit);
        }
    }
}

impl Writer {
    pub fn new(
        console: Option<(Console, Box<dyn Write + Send>)>,
        file: Option<FileTarget>,
        events: Option<Events>,
    ) -> Writer {
        Writer { console, file: file.map(Rotating::new), events, quiet: Quiet::default(), begun: Instant::now() }
    }

    fn run(mut self, waiting: &Receiver<Message>, lost: &AtomicUsize, wanted: &Mutex<Option<Wanted>>) {
        loop {
            // Nothing held back: asleep until something is said.
            let message = match self.quiet.next() {
                None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => waiting.recv_timeout(at.saturating_sub(self.begun.elapsed())),
            };
            // Not held while the old file is closed, which may hang.
            let target = wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(target) = target {
                self.move_file(target);
            }
            let now = self.begun.elapsed();
            for summary in self.quiet.due(now) {
                self.write(&summary, now);
            }
            match message {
                Ok(Message::Line(line)) => {
                    let missing = lost.swap(0, Relaxed);
                    if missing > 0 {
                        let text = format_args!("({missing} lines were lost here: the log did not take them)");
                        self.say(&Line::new(Level::Warn, "L001", text), now);
                    }
                    self.say(&line, now);
                }
                Ok(Message::Mark(reached)) => {
                    for summary in self.quiet.finish(now) {
                        self.write(&summary, now);
                    }
                    if let Some((_, to)) = &mut self.console {
                        let _ = to.flush();
                    }
                    let _ = reached.try_send(());
                }
                Ok(Message::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn move_file(&mut self, target: Option<FileTarget>) {
        if self.file.as_ref().map(Rotating::target) != target.as_ref() {
            self.file = target.map(Rotating::new);
        }
    }

    /// Writes a line if it is worth it.
    fn say(&mut self, line: &Line, now: Duration) {
        let (forgotten, pass) = self.quiet.pass(line, now);
        for line in forgotten.iter().chain(pass.then_some(line)) {
            self.write(line, now);
        }
    }

    /// The file first: a console may stand still.
    fn write(&mut self, line: &Line, now: Duration) {
        recent::note(line);
        match self.file.as_mut().and_then(|file| file.write(&line.dated(), now)) {
            None => self.show(line),
            Some(News::Fails(why)) => {
                self.show(line);
                let text = format_args!("log: {why}; tried again with the lines that come");
                let line = Line::new(Level::Warn, "L002", text);
                let (forgotten, pass) = self.quiet.pass(&line, now);
                for line in forgotten.iter().chain(pass.then_some(&line)) {
                    recent::note(line);
                    self.show(line);
                }
            }
            Some(News::Works(lost)) => {
                self.show(line);
                let text = format_args!("log: the file is written again; {lost} lines are missing in it");
                self.say(&Line::new(Level::Info, "L003", text), now);
            }
        }
    }

    /// Everywhere but in the file.
    fn show(&mut self, line: &Line) {
        if let Some(report) = &mut self.events
            && let Some(event) = Event::of(line.code)
        {
            report(event.kind, event.id(), &format!("{} {}", line.code, line.text));
        }
        let is_enough = self.file.as_ref().is_some_and(Rotating::is_enough);
        if let Some((console, to)) = &mut self.console
            && !(console.spare && is_enough)
        {
            // Whole lines: two processes may share a terminal.
            let _ = to.write_all(console.dress(line).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
