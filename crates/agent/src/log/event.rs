//! Which lines also go to the event log of Windows, and as which events.
//!
//! What an administrator must see who never opens the file: a start, an end, and what keeps points from arriving; nothing that
//! comes with a cycle. Invariants: an event keeps its number for ever, for rules are made of them; `windows/messages.mc`, which
//! becomes the message table of the executable, has exactly these (a test holds it to that).

use falcon_sys::types::EventKind;

/// One event, and the codes of the lines that are one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The "Event ID" of Event Viewer.
    number: u16,
    pub kind: EventKind,
    codes: &'static [&'static str],
}

const EVENTS: &[Event] = &[
    Event { number: 1, kind: EventKind::Info, codes: &["A001"] },
    Event { number: 2, kind: EventKind::Info, codes: &["A006", "A007", "A008"] },
    Event { number: 3, kind: EventKind::Warning, codes: &["A009", "A010"] },
    Event { number: 4, kind: EventKind::Error, codes: &["F001", "F004"] },
    Event { number: 5, kind: EventKind::Warning, codes: &["T003"] },
    Event { number: 6, kind: EventKind::Info, codes: &["T002"] },
    Event { number: 7, kind: EventKind::Warning, codes: &["Q003", "Q006"] },
    Event { number: 8, kind: EventKind::Error, codes: &["G002", "G003"] },
    Event { number: 9, kind: EventKind::Warning, codes: &["L001", "L002"] },
    Event { number: 10, kind: EventKind::Error, codes: &["S001"] },
];

impl Event {
    pub fn of(code: &str) -> Option<&'static Event> {
        EVENTS.iter().find(|event| event.codes.contains(&code))
    }

    /// As message tables count: the two highest bits are the severity.
    pub fn id(&self) -> u32 {
        let severity = match self.kind {
            EventKind::Info => 1,
            EventKind::Warning => 2,
            EventKind::Error => 3,
        };
        severity << 30 | u32::from(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A message that is missing shows as "The description for Event ID cannot be found".
    #[test]
    fn the_message_table_has_exactly_these_events() {
        let table = include_str!("../../windows/messages.mc");
        let value = |block: &str, key: &str| block.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let found: Vec<(u16, String)> = table
            .split("\n\n")
            .filter_map(|block| Some((value(block, "MessageId=")?.parse().unwrap(), value(block, "Severity=")?)))
            .collect();
        let name = |kind| match kind {
            EventKind::Info => "Informational",
            EventKind::Warning => "Warning",
            EventKind::Error => "Error",
        };
        let expected: Vec<_> = EVENTS.iter().map(|event| (event.number, name(event.kind).to_owned())).collect();
        assert_eq!(found, expected);
        let texts = table.lines().filter(|line| *line == "%1").count();
        assert_eq!(texts, EVENTS.len());
    }

    #[test]
    fn a_number_and_a_code_stand_once() {
        let numbers: BTreeSet<_> = EVENTS.iter().map(|event| event.number).collect();
        let codes: Vec<_> = EVENTS.iter().flat_map(|event| event.codes).collect();
        assert_eq!(numbers.len(), EVENTS.len());
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        assert_eq!(Event::of("F001").map(Event::id), Some(0xC000_0004));
        assert_eq!(Event::of("T002").map(Event::id), Some(0x4000_0006));
        assert_eq!(Event::of("C001"), None);
    }
}
