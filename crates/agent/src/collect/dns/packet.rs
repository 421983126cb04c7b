//! Questions to a name server and what comes back, as bytes; pure.
//!
//! Facts: RFC 1035 (4.1, 2.3.4). A question is one name and one type, class IN, with recursion desired. An answer counts where it
//! repeats the number and the question; of its records only their types are looked at.

use crate::config::checks::Record;

const HEADER: usize = 12;
/// Of a name on the wire, with the length of each label and the end.
const MOST_NAME: usize = 255;
const MOST_LABEL: usize = 63;
/// Type and class.
const TAIL: usize = 4;
const CLASS_IN: [u8; 2] = [0, 1];

/// Flags of an answer: that it is one, its kind of question, that it was cut, its code.
const ANSWER: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const CUT: u16 = 0x0200;
const CODE: u16 = 0x000F;
const RECURSION_DESIRED: u16 = 0x0100;

/// One question, without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Name, type and class as on the wire.
    wire: Vec<u8>,
    record: u16,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// There is such a record; or the answer was too long for a datagram.
    Found,
    /// The server has none; why.
    None(String),
    /// No answer to this question. The answer may still come.
    Foreign(&'static str),
}

impl Question {
    /// `name`: labels between dots, with or without the dot of the root.
    pub(super) fn new(name: &str, record: Record) -> Result<Question, String> {
        let mut wire = Vec::with_capacity(name.len() + 2 + TAIL);
        let name = if name == "." { "" } else { name.strip_suffix('.').unwrap_or(name) };
        for label in name.split('.').filter(|_| !name.is_empty()) {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=MOST_LABEL).contains(&usize::from(*length)));
            let Some(length) = length else {
                return Err(format!("is no name: a label has 1 to {MOST_LABEL} bytes"));
            };
            if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("is no name: write it in ASCII, as xn--fiqs8s".to_owned());
            }
            wire.push(length);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        if wire.len() > MOST_NAME {
            return Err(format!("is no name: it has more than {} bytes", MOST_NAME - 2));
        }
        let record = record.number();
        wire.extend(record.to_be_bytes().into_iter().chain(CLASS_IN));
        Ok(Question { wire, record })
    }

    pub(super) fn packet(&self, id: u16) -> Vec<u8> {
        let counts = [1_u16, 0, 0, 0];
        let head = [id, RECURSION_DESIRED].into_iter().chain(counts).flat_map(u16::to_be_bytes);
        head.chain(self.wire.iter().copied()).collect()
    }

    pub(super) fn read(&self, packet: &[u8], id: u16) -> Reply {
        let Some(header) = packet.first_chunk::<HEADER>() else { return Reply::Foreign("an answer too short") };
        let mut fields =
            header.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
        let mut field = || fields.next().unwrap_or(0);
        let (its_id, flags, questions, answers) = (field(), field(), field(), field());
        if its_id != id || flags & ANSWER == 0 || flags & OPCODE != 0 {
            return Reply::Foreign("an answer to another question");
        }
        let code = flags & CODE;
        let rest = packet.get(HEADER..).unwrap_or_default();
        // A server that does not even read a question may leave it out.
        if questions == 0 && code != 0 {
            return Reply::None(refusal(code));
        }
        let Some((question, records)) = rest.split_at_checked(self.wire.len()) else {
            return Reply::Foreign("an answer too short");
        };
        // Case is of no meaning, and the numbers of type and class have none.
        if questions != 1 || !question.eq_ignore_ascii_case(&self.wire) {
            return Reply::Foreign("an answer to another question");
        }
        if code != 0 {
            return Reply::None(refusal(code));
        }
        if flags & CUT != 0 {
            return Reply::Found;
        }
        match has_record(records, answers, self.record) {
            Some(true) => Reply::Found,
            Some(false) => Reply::None("there is no such record".to_owned()),
            None => Reply::Foreign("an answer that cannot be read"),
        }
    }
}

/// Whether one of so many records has this type; `None` where they are not all there.
fn has_record(mut records: &[u8], count: u16, wanted: u16) -> Option<bool> {
    let mut found = false;
    for _ in 0..count {
        let behind = behind_name(records)?;
        // Type, class, time to live, length of the data.
        let [t0, t1, _, _, _, _, _, _, l0, l1] = *behind.first_chunk::<10>()?;
        found |= u16::from_be_bytes([t0, t1]) == wanted;
        records = behind.get(10 + usize::from(u16::from_be_bytes([l0, l1]))..)?;
    }
    Some(found)
}

/// What follows a name: labels, and the end or a pointer, which is not followed.
fn behind_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, rest) = bytes.split_first()?;
        bytes = match length {
            0 => return Some(rest),
            1..=63 => rest.get(usize::from(*length)..)?,
            0xC0.. => return rest.get(1..),
            _ => return None,
        };
    }
}

fn refusal(code: u16) -> String {
    match code {
        1 => "the server cannot read the question (FORMERR)".to_owned(),
        2 => "the server failed (SERVFAIL)".to_owned(),
        3 => "there is no such name (NXDOMAIN)".to_owned(),
        4 => "the server does not know such questions (NOTIMP)".to_owned(),
        5 => "the server refused (REFUSED)".to_owned(),
        other => format!("the server answered with code {other}"),
    }
}

/// An answer of these bytes, to any question: the entry of the fuzz target.
pub fn fuzz_answer(data: &[u8]) {
    let id = data.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    for record in [Record::A, Record::Aaaa, Record::Cname] {
        if let Ok(question) = Question::new("a.example", record) {
            let reply = question.read(data, id);
            assert!(data.len() >= HEADER || matches!(reply, Reply::Foreign(_)));
        }
    }
}

/// An answer for tests: the question as it was asked, and records of these types behind a pointer to its name.
#[cfg(test)]
pub(super) fn answer(question: &[u8], flags: u16, types: &[Record]) -> Vec<u8> {
    let mut packet = question.to_vec();
    packet[2..4].copy_from_slice(&flags.to_be_bytes());
    packet[6..8].copy_from_slice(&u16::try_from(types.len()).unwrap().to_be_bytes());
    for kind in types {
        packet.extend([0xC0, 12]);
        packet.extend(kind.number().to_be_bytes());
        packet.extend([0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: u16 = 0x8180;
    const ID: u16 = 0x1234;

    fn question() -> Question {
        Question::new("www.Example.com.", Record::A).unwrap()
    }

    fn told(flags: u16, types: &[Record]) -> Reply {
        question().read(&answer(&question().packet(ID), flags, types), ID)
    }

    #[test]
    fn a_question_is_as_the_rfc_has_it() {
        let expected = [b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07Example\x03com\0\0\x01\0\x01".as_slice()].concat();
        assert_eq!(question().packet(ID), expected);
        let root = Question::new(".", Record::Ns).unwrap();
        assert_eq!(root.packet(0)[HEADER..], [0, 0, 2, 0, 1]);
    }

    #[test]
    fn a_name_that_cannot_be_asked_for_is_refused_with_the_reason() {
        let label = "a".repeat(63);
        let long = [label.as_str(); 4].join(".");
        assert!(Question::new(&label, Record::A).is_ok() && Question::new("_sip._tcp.example", Record::Srv).is_ok());
        assert!(Question::new(&long[..253], Record::A).is_ok());
        for bad in ["a..b", ".a", "a b", "中国", &format!("{label}a"), &long[..254]] {
            let why = Question::new(bad, Record::A);
            assert!(why.as_ref().is_err_and(|why| why.starts_with("is no name")), "{bad}: {why:?}");
        }
    }

    #[test]
    fn a_record_of_that_type_is_found_behind_others() {
        assert_eq!(told(GOOD, &[Record::A]), Reply::Found);
        assert_eq!(told(GOOD, &[Record::Cname, Record::A]), Reply::Found);
        let none = Reply::None("there is no such record".to_owned());
        assert_eq!(
            (told(GOOD, &[]), told(GOOD, &[Record::Cname])),
            (none, Reply::None("there is no such record".to_owned()))
        );
        assert_eq!(told(GOOD | CUT, &[]), Reply::Found, "cut to nothing");
        // Names of other servers are compared without case, and written out.
        let mut shouted = answer(&question().packet(ID), GOOD, &[]).to_ascii_uppercase();
        shouted[..2].copy_from_slice(&ID.to_be_bytes());
        shouted[7] = 1;
        shouted.extend(b"\x01a\0\0\x01\0\x01\0\0\0\0\0\0");
        assert_eq!(question().read(&shouted, ID), Reply::Found);
    }

    #[test]
    fn a_server_that_has_nothing_says_why() {
        for (code, word) in
            [(1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (4, "NOTIMP"), (5, "REFUSED"), (9, "code 9")]
        {
            assert!(matches!(told(GOOD | code, &[]), Reply::None(why) if why.contains(word)), "{word}");
        }
        let mut bare = answer(&question().packet(ID), GOOD | 5, &[]);
        bare.truncate(HEADER);
        bare[5] = 0;
        assert!(matches!(question().read(&bare, ID), Reply::None(why) if why.contains("REFUSED")));
    }

    #[test]
    fn only_an_answer_to_this_question_counts() {
        let foreign = |packet: &[u8]| matches!(question().read(packet, ID), Reply::Foreign(_));
        let asked = question().packet(ID);
        assert!(foreign(&asked), "an echo");
        let good = answer(&asked, GOOD, &[Record::A]);
        assert!((0..good.len()).all(|length| foreign(&good[..length])));
        for place in [0, 1, 5, HEADER + 1, HEADER + 5, asked.len() - 3, asked.len() - 1] {
            let mut changed = good.clone();
            changed[place] ^= 0x11;
            assert!(foreign(&changed), "{place}");
        }
        assert!(matches!(told(GOOD | 0x0800, &[Record::A]), Reply::Foreign(_)), "no query");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_or_refused(packet in prop::collection::vec(any::<u8>(), 0..80)) {
            fuzz_answer(&packet);
        }

        /// As the above, but all the way into the records.
        #[test]
        fn whatever_records_a_server_sends(count: u16, records in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut packet = answer(&question().packet(ID), GOOD, &[]);
            packet[6..8].copy_from_slice(&count.to_be_bytes());
            packet.extend(&records);
            let reply = question().read(&packet, ID);
            prop_assert!(count > 0 || reply == Reply::None("there is no such record".to_owned()));
        }

        #[test]
        fn whatever_is_asked_for_fits_a_datagram(name in ".{0,300}") {
            if let Ok(question) = Question::new(&name, Record::A) {
                prop_assert!(question.packet(ID).len() <= HEADER + MOST_NAME + TAIL);
            }
        }
    }
}
