//! What a server is told to do, and how that looks on the wire.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;

use crate::harness::items::Item;

/// What a server does with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    Answers(Manner),
    Fails(Fault),
}

/// How a good answer is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Manner {
    AtOnce,
    /// As slow a line as there is: packets of one byte.
    Bytewise,
    /// In one packet with a second one that nobody asked for.
    Twice,
    /// With a `Message` of so many bytes.
    Padded(usize),
    Late(Duration),
    /// So many of the items were `Invalid`.
    Invalid(usize),
    /// Calls with an item of this metric get an error instead, as from a server that cannot decode them.
    Refusing(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Takes points and closes without an answer, and answers whatever else is asked: only here may a point come twice.
    LosesReply,
    /// Writes this, in which `$ID` is the call's id, and closes.
    Says(Vec<u8>),
    /// Reads on and never writes nor closes.
    Silent,
    /// Neither reads, nor writes, nor closes: half of a connection whose other half is gone.
    Deaf,
    /// Reads the beginning of a call and resets the connection.
    Resets,
    /// Accepts and closes.
    Closes,
    /// Knows no such method.
    NoMethod,
}

pub const GOOD: Does = Does::Answers(Manner::AtOnce);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    #[serde(rename = "method")]
    _method: String,
    params: [Vec<Item>; 1],
    id: u64,
}

#[derive(Deserialize)]
struct Other {
    id: u64,
}

/// Id and points of a call; one that is no `Transfer.Update` has none.
pub(super) fn read(text: &str) -> serde_json::Result<(u64, Vec<Item>)> {
    if text.starts_with(r#"{"method":"Transfer.Update","#) {
        let Update { params: [items], id, .. } = serde_json::from_str(text)?;
        return Ok((id, items));
    }
    let Other { id } = serde_json::from_str(text)?;
    Ok((id, Vec::new()))
}

pub(super) fn answer(id: u64, items: &[Item], manner: &Manner) -> Vec<u8> {
    if items.is_empty() {
        return format!("{{\"id\":{id},\"result\":{{\"code\":0}},\"error\":null}}\n").into_bytes();
    }
    let (message, invalid) = match manner {
        Manner::Padded(bytes) => ("o".repeat(*bytes), 0),
        Manner::Invalid(count) => ("ok".to_owned(), *count),
        _ => ("ok".to_owned(), 0),
    };
    let total = items.len();
    let result = format!("{{\"Message\":\"{message}\",\"Total\":{total},\"Invalid\":{invalid},\"Latency\":0}}");
    format!("{{\"id\":{id},\"result\":{result},\"error\":null}}\n").into_bytes()
}

pub(super) fn refusal(id: u64, error: &str) -> Vec<u8> {
    format!("{{\"id\":{id},\"result\":null,\"error\":\"{error}\"}}\n").into_bytes()
}

pub(super) fn say(stream: &mut TcpStream, answer: &[u8], manner: &Manner) -> io::Result<()> {
    match manner {
        Manner::Bytewise => answer.iter().try_for_each(|byte| stream.write_all(&[*byte])),
        Manner::Twice => stream.write_all(&answer.repeat(2)),
        Manner::Late(pause) => {
            sleep(*pause);
            stream.write_all(answer)
        }
        _ => stream.write_all(answer),
    }
}

/// The same with the call's id for the mark.
pub(super) fn with_id(bytes: &[u8], id: u64) -> Vec<u8> {
    const MARK: &[u8] = b"$ID";
    match bytes.windows(MARK.len()).position(|window| window == MARK) {
        Some(place) => [&bytes[..place], id.to_string().as_bytes(), &bytes[place + MARK.len()..]].concat(),
        None => bytes.to_vec(),
    }
}
