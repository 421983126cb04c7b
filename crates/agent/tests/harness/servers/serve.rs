//! What happens on one connection, and what is kept of it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use socket2::SockRef;

use super::script::{Does, Fault, Manner, answer, read, refusal, say, with_id};
use super::{Call, START, Shared};
use crate::harness::GLANCE;
use crate::harness::items::Item;

impl Shared {
    pub(super) fn open(&self, stream: &TcpStream) -> Option<usize> {
        let mut connections = self.connections.lock().unwrap();
        if connections.down {
            return None;
        }
        let number = connections.opened;
        connections.opened += 1;
        connections.open.insert(number, stream.try_clone().ok()?);
        Some(number)
    }

    fn is_open(&self, number: usize) -> bool {
        let connections = self.connections.lock().unwrap();
        !connections.down && connections.open.contains_key(&number)
    }

    fn does(&self) -> Does {
        self.does.lock().unwrap().clone()
    }

    fn fault(&self) -> Option<Fault> {
        match self.does() {
            Does::Fails(fault) => Some(fault),
            Does::Answers(_) => None,
        }
    }

    pub(super) fn serve(&self, mut stream: TcpStream, number: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream.try_clone()?);
        // After an answer that nobody asked for, none is read as what it is: what comes then does not count.
        let mut spoilt = false;
        while self.fault() != Some(Fault::Closes) {
            // The first bytes are waited for: the fault is the one of the time when a call comes.
            if lines.fill_buf()?.is_empty() {
                return Ok(());
            }
            match self.fault() {
                Some(Fault::Deaf) => {
                    self.faulty();
                    return self.be_deaf(number);
                }
                Some(Fault::Resets) => {
                    self.faulty();
                    return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                }
                _ => {}
            }
            let mut text = String::new();
            if lines.read_line(&mut text)? == 0 || !text.ends_with('\n') {
                return Ok(());
            }
            let (id, items) = match read(&text) {
                Ok(read) => read,
                Err(error) => {
                    self.record.lock().unwrap().unreadable.push(format!("{error}: {text}"));
                    return Ok(());
                }
            };
            let manner = match self.does() {
                Does::Answers(manner) => manner,
                Does::Fails(Fault::LosesReply) if items.is_empty() => Manner::AtOnce,
                Does::Fails(fault) => {
                    self.faulty();
                    match fault {
                        Fault::LosesReply => {
                            self.keep(number, text, items, true, false);
                            return Ok(());
                        }
                        Fault::Says(bytes) => return say_last(stream, lines, &with_id(&bytes, id)),
                        Fault::NoMethod => {
                            stream.write_all(&refusal(id, "rpc: can't find service Transfer.Update"))?;
                        }
                        _ => {}
                    }
                    continue;
                }
            };
            if matches!(manner, Manner::Refusing(metric) if items.iter().any(|item| item.metric == metric)) {
                self.keep(number, text, items, false, false);
                stream.write_all(&refusal(id, "json: cannot unmarshal"))?;
                continue;
            }
            let answer = self.scripted(&text).unwrap_or_else(|| answer(id, &items, &manner));
            // Kept first: who has read the answer finds the call.
            let place = self.keep(number, text, items, !spoilt, !spoilt);
            spoilt |= manner == Manner::Twice;
            if let Err(error) = say(&mut stream, &answer, &manner) {
                self.unanswered(place);
                return Err(error);
            }
        }
        self.faulty();
        Ok(())
    }

    /// Holds a connection for as long as the fault lasts.
    fn be_deaf(&self, number: usize) -> io::Result<()> {
        while self.fault() == Some(Fault::Deaf) && self.is_open(number) {
            sleep(GLANCE);
        }
        Ok(())
    }

    fn faulty(&self) {
        self.record.lock().unwrap().faulty += 1;
    }

    /// Answers where it is kept.
    fn keep(&self, connection: usize, text: String, items: Vec<Item>, taken: bool, answered: bool) -> Option<usize> {
        let mut record = self.record.lock().unwrap();
        let at = START.elapsed();
        record.points += if taken { items.len() } else { 0 };
        if let Some(model) = &mut record.model {
            if taken {
                model.accept(at, &items);
            }
            return None;
        }
        record.calls.push(Call { at, connection, text, items, taken, answered });
        Some(record.calls.len() - 1)
    }

    fn unanswered(&self, place: Option<usize>) {
        if let Some(place) = place {
            self.record.lock().unwrap().calls[place].answered = false;
        }
    }
}

/// Words after which the connection ends, however much of the call is still to be read: that would turn the close into a
/// reset that takes the words away.
fn say_last(mut stream: TcpStream, mut calls: impl io::Read, words: &[u8]) -> io::Result<()> {
    stream.write_all(words)?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut calls, &mut io::sink()).map(drop)
}
