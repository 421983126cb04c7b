//! What the agent and its process for performance counters say to each other: frames over two pipes.
//!
//! A frame is its length (u32, little-endian) and a JSON text of that length, at most [`MOST_BYTES`]. The agent begins; each of
//! its frames is answered by one, with the same number; the first pair says who is there. Whatever else comes is no answer, and
//! the process is ended: nobody can tell where its next frame would begin.

use std::io::{self, ErrorKind, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client::{ObjectQuery, Tables, Unanswered};

/// Of a frame: several times what 200 sites have to tell with all their counters. What is made of a frame may need seven
/// times its bytes, and that in the agent.
pub const MOST_BYTES: usize = 4 << 20;

/// What both sides must be.
const NAME: &str = "falcon-agent perf-worker";
/// Counts up where a frame changes: the executable may be replaced while the agent runs.
const VERSION: u32 = 3;

/// The first frame of either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    name: String,
    version: u32,
}

impl Hello {
    pub fn own() -> Hello {
        Hello { name: NAME.to_owned(), version: VERSION }
    }

    /// # Errors
    /// What the other side is instead.
    pub fn check(&self) -> io::Result<()> {
        if *self == Hello::own() {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::InvalidData, format!("it speaks version {}, not {VERSION}", self.version)))
    }
}

/// What the agent begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    pub hello: Hello,
    /// Nothing of the system ends the process with the agent: it is to see to that itself.
    pub is_loose: bool,
    /// Resident memory that it should stay below.
    pub memory_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    pub query: Query,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    Ask(Vec<ObjectQuery>),
    /// English names that begin so.
    Names(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub id: u64,
    /// Resident memory of the process, where it can tell.
    pub rss_bytes: Option<u64>,
    /// Services whose counters are switched off, where an object has a name and nobody answers for it.
    pub disabled: Vec<String>,
    /// What is loaded is unloaded before the next request is read: what happens then is not of whoever asks next.
    pub closes: bool,
    /// Or why there is none.
    pub reply: Result<Reply, Unanswered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    Tables(Tables),
    Names(Vec<String>),
}

/// A frame with this.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] where it is longer than a frame may be.
pub fn frame(what: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; size_of::<u32>()];
    serde_json::to_writer(&mut frame, what)?;
    let len = frame.len() - size_of::<u32>();
    if len > MOST_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("{len} bytes are more than a frame may have")));
    }
    let len = u32::try_from(len).map_err(|_| ErrorKind::InvalidInput)?.to_le_bytes();
    frame.iter_mut().zip(len).for_each(|(byte, of)| *byte = of);
    Ok(frame)
}

/// # Errors
/// Those of writing.
pub fn send(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(frame)?;
    to.flush()
}

/// What a frame holds; `None` where the other side has ended between two of them.
///
/// # Errors
/// [`ErrorKind::InvalidData`] of a length that no frame has, [`ErrorKind::UnexpectedEof`] within a frame, those of reading.
pub fn receive(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut len = Vec::with_capacity(size_of::<u32>());
    from.by_ref().take(size_of::<u32>() as u64).read_to_end(&mut len)?;
    if len.is_empty() {
        return Ok(None);
    }
    let len = u32::from_le_bytes(len.try_into().map_err(|_| ErrorKind::UnexpectedEof)?) as usize;
    if len > MOST_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("{len} bytes are more than a frame may have")));
    }
    // Room is made for what comes, not for what is announced.
    let mut body = Vec::new();
    from.take(len as u64).read_to_end(&mut body)?;
    if body.len() < len { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(Some(body)) }
}

/// # Errors
/// [`ErrorKind::InvalidData`] where it is something else.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::fake;
    use crate::perf::rows::Missing;

    fn sent(what: &impl Serialize) -> Vec<u8> {
        let mut pipe = Vec::new();
        send(&mut pipe, &frame(what).unwrap()).unwrap();
        pipe
    }

    fn received<T: DeserializeOwned>(mut pipe: &[u8]) -> T {
        let body = receive(&mut pipe).unwrap().unwrap();
        assert_eq!(receive(&mut pipe).unwrap(), None);
        parse(&body).unwrap()
    }

    #[test]
    fn what_is_sent_is_what_is_received() {
        let mut table =
            fake::table(7, &[("Bytes", 0x0001_0100), ("Errors", 0x0041_0400)], &[("a\u{FFFD}\"b", &[u64::MAX, 0])]);
        table.rows[0].values[1] = None;
        let reply = Ok(Reply::Tables(vec![Ok(table), Err(Missing::Unnamed), Err(Missing::Damaged)]));
        let refused = ["access is denied", "not found"].map(str::to_owned);
        let refused = [Err(Unanswered::Failed(refused[0].clone())), Err(Unanswered::NoNames(refused[1].clone()))];
        for reply in [reply, Ok(Reply::Names(vec!["Web Service".to_owned()]))].into_iter().chain(refused) {
            let answer = Answer {
                id: u64::MAX,
                rss_bytes: Some(1 << 40),
                disabled: vec!["W3SVC".to_owned()],
                closes: true,
                reply,
            };
            assert_eq!(received::<Answer>(&sent(&answer)), answer);
        }
        let asks = Query::Ask(vec![ObjectQuery::new("Web Service", vec!["Bytes".to_owned()])]);
        for query in [asks, Query::Names("SQL".to_owned())] {
            let request = Request { id: 1, query };
            assert_eq!(received::<Request>(&sent(&request)), request);
        }
        let begin = Begin { hello: Hello::own(), is_loose: true, memory_bytes: 64_000_000 };
        assert_eq!(received::<Begin>(&sent(&begin)), begin);
    }

    #[test]
    fn one_frame_follows_another() {
        let mut pipe = [sent(&1), sent(&"x"), sent(&())].concat();
        pipe.truncate(pipe.len());
        let mut pipe = pipe.as_slice();
        for body in [&b"1"[..], b"\"x\"", b"null"] {
            assert_eq!(receive(&mut pipe).unwrap().unwrap(), body);
        }
        assert_eq!(receive(&mut pipe).unwrap(), None);
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_no_frame() {
        let whole = sent(&Hello::own());
        for len in 1..whole.len() {
            let error = receive(&mut &whole[..len]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{len}");
        }
    }

    #[test]
    fn what_a_large_host_has_to_tell_fits_four_times() {
        let columns: Vec<String> = (0..90).map(|n| format!("Current Anonymous Users and more {n}")).collect();
        let columns: Vec<(&str, u32)> = columns.iter().map(|name| (name.as_str(), 0x2002_0500)).collect();
        let names: Vec<String> = (0..=200).map(|n| format!("站点 www.customer-{n:03}.example.com")).collect();
        let rows: Vec<(&str, &[u64])> = names.iter().map(|name| (name.as_str(), &[u64::MAX; 90][..])).collect();
        let mut table = fake::table(7, &columns, &rows);
        let values = table.rows.iter_mut().flat_map(|row| &mut row.values).flatten();
        values.for_each(|raw| raw.base = Some(u64::MAX));
        let reply = Ok(Reply::Tables(vec![Ok(table)]));
        let answer = Answer { id: u64::MAX, rss_bytes: None, disabled: Vec::new(), closes: false, reply };
        let len = frame(&answer).unwrap().len();
        assert!((500_000..MOST_BYTES / 4).contains(&len), "{len}");
        assert_eq!(received::<Answer>(&sent(&answer)), answer);
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_received() {
        let long = "x".repeat(MOST_BYTES);
        assert_eq!(frame(&long).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(frame(&&long[2..]).unwrap().len(), MOST_BYTES + 4);
        // A provider that prints to the pipe: four of its letters are a length of a gigabyte.
        let error = receive(&mut &b"Hello, world"[..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(receive(&mut &u32::MAX.to_le_bytes()[..]).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_json_or_another_thing_is_no_answer() {
        for body in [&b""[..], b"{", b"\xFF", b"{}", b"[1]", br#"{"id":-1,"rss_bytes":null,"reply":{"Err":""}}"#] {
            assert_eq!(parse::<Answer>(body).unwrap_err().kind(), ErrorKind::InvalidData);
        }
        let other = Hello { version: VERSION + 1, ..Hello::own() };
        assert_eq!(other.check().unwrap_err().to_string(), "it speaks version 4, not 3");
        assert!(Hello { name: String::new(), ..Hello::own() }.check().is_err() && Hello::own().check().is_ok());
    }
}
