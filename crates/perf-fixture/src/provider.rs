//! One query of a provider, from its script to the bytes in the caller's buffer, without a call of the system's.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::script::{Fault, Now, Script};

pub const SUCCESS: u32 = 0;
pub const MORE_DATA: u32 = 234;

/// What a query comes to. Bytes are written, and counted, only where the code is [`SUCCESS`].
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u32,
    pub bytes: Vec<u8>,
    pub objects: u32,
}

impl Answer {
    fn refusal(code: u32) -> Answer {
        Answer { code, bytes: Vec::new(), objects: 0 }
    }
}

/// What cannot be done by answering is left to the DLL.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(Answer),
    Hang,
    Crash,
    Exit,
}

/// Answers a query from the script beside the DLL, and writes it down there.
pub fn serve(dll: &Path, query: &str, room: usize, now: Now) -> Outcome {
    let script = Script::read(&dll.with_extension("json"));
    let note = match &script {
        Ok(_) => format!("{query}\n"),
        Err(error) => format!("no script: {error}\n"),
    };
    // One write, for two queries may be made at a time.
    let log = File::options().append(true).create(true).open(dll.with_extension("log"));
    let written = log.and_then(|mut log| log.write_all(note.as_bytes()));
    match (script, written) {
        (Ok(script), Ok(())) => respond(&script, query, room, now),
        _ => Outcome::Answered(Answer::refusal(1)),
    }
}

fn respond(script: &Script, query: &str, room: usize, now: Now) -> Outcome {
    let objects = script.answer(query, now);
    let fault = script.fault.filter(|_| !objects.is_empty());
    match fault {
        Some(Fault::Hang) => return Outcome::Hang,
        Some(Fault::Crash) => return Outcome::Crash,
        Some(Fault::Exit) => return Outcome::Exit,
        Some(Fault::Insatiable) => return Outcome::Answered(Answer::refusal(MORE_DATA)),
        Some(Fault::Error(code)) => return Outcome::Answered(Answer::refusal(code)),
        Some(Fault::Garbage(length)) => {
            return Outcome::Answered(fitting(garbage(length), 1, room));
        }
        Some(Fault::Leak(bytes)) => {
            // Written to, or it would take no memory.
            Vec::leak(vec![1u8; bytes]);
        }
        Some(Fault::Print) => {
            for _ in 0..100 {
                print!("a provider that talks\r\n\0{{\"v\":1}}\n");
                eprintln!("a provider that complains");
            }
        }
        None => {}
    }
    let count = u32::try_from(objects.len()).unwrap_or(u32::MAX);
    Outcome::Answered(fitting(objects.concat(), count, room))
}

fn fitting(bytes: Vec<u8>, objects: u32, room: usize) -> Answer {
    if bytes.len() > room { Answer::refusal(MORE_DATA) } else { Answer { code: SUCCESS, bytes, objects } }
}

/// The same at each call: xorshift64.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::kind;
    use crate::script::{Definition, Object, Rows, Value};
    use std::fs;

    fn script(fault: Option<Fault>) -> Script {
        let counters = vec![Definition::new(12, kind::RAWCOUNT)];
        let rows = Rows::One(vec![Value::Is(1)]);
        let object = Object { index: 10, counters, rows, clock: None, code_page: 0, patches: Vec::new() };
        Script { objects: vec![object], fault, began_ns: 0 }
    }

    fn code(fault: Option<Fault>, query: &str, room: usize) -> Option<u32> {
        match respond(&script(fault), query, room, Now::of_clock()) {
            Outcome::Answered(answer) => Some(answer.code),
            _ => None,
        }
    }

    #[test]
    fn a_fault_strikes_those_alone_who_ask_for_the_object() {
        assert_eq!(code(Some(Fault::Hang), "12", 4096), Some(SUCCESS));
        assert_eq!(code(Some(Fault::Hang), "10", 4096), None);
        assert_eq!(code(Some(Fault::Error(5)), "10", 4096), Some(5));
        assert_eq!(code(Some(Fault::Insatiable), "10", usize::MAX), Some(MORE_DATA));
        assert_eq!(code(Some(Fault::Garbage(100)), "10", 99), Some(MORE_DATA));
        assert_eq!(code(Some(Fault::Garbage(100)), "10", 100), Some(SUCCESS));
        assert_eq!(code(None, "10", 16), Some(MORE_DATA));
    }

    #[test]
    fn queries_are_written_down_and_a_script_that_is_none_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let dll = dir.path().join("iis.dll");
        assert_eq!(serve(&dll, "10", 4096, Now::of_clock()), Outcome::Answered(Answer::refusal(1)));
        script(None).write(&dll.with_extension("json")).unwrap();
        let Outcome::Answered(answer) = serve(&dll, "10 20", 4096, Now::of_clock()) else { panic!("it answers") };
        assert_eq!((answer.code, answer.objects, answer.bytes.len()), (SUCCESS, 1, 64 + 40 + 16));
        let log = fs::read_to_string(dll.with_extension("log")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert!(lines.len() == 2 && lines.first().unwrap().starts_with("no script: "), "{log}");
        assert_eq!(lines.last(), Some(&"10 20"));
    }
}
