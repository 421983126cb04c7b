use super::ask::ask_all;
use super::packet::{Times, answer, at_once};
use super::*;
use crate::collect::Collected;
use crate::collect::tests::with_cx;
use crate::config::Config;
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::thread::JoinHandle;

/// 2023-11-14.
const NOW_US: i64 = 1_700_000_000_000_000;
const GOOD: u8 = 0x24;
const UNSYNCHRONISED: u8 = 0xe4;
/// An answer that does come is not waited for so long.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);
const SECOND: Duration = Duration::from_secs(1);

struct Fixed;

impl WallClock for Fixed {
    fn now_us(&self) -> i64 {
        NOW_US
    }
}

/// A time server on loopback.
struct Fake {
    socket: UdpSocket,
}

impl Fake {
    fn new() -> Fake {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(LONG)).expect("set");
        Fake { socket }
    }

    fn address(&self) -> String {
        self.socket.local_addr().expect("bound").to_string()
    }

    /// Answers the next question with these packets, made of its number.
    fn answers(&self, packets: impl FnOnce(u64) -> Vec<Vec<u8>> + Send + 'static) -> JoinHandle<()> {
        let socket = self.socket.try_clone().expect("cloned");
        std::thread::spawn(move || {
            let mut question = [0; 512];
            let (length, from) = socket.recv_from(&mut question).expect("a question");
            assert_eq!((length, question[0]), (48, 0x23));
            let nonce = u64::from_be_bytes(question[40..48].try_into().expect("eight"));
            for packet in packets(nonce) {
                socket.send_to(&packet, from).expect("sent");
            }
        })
    }

    /// Answers with a clock that is `ahead_us` ahead.
    fn tells(&self, ahead_us: i64) -> JoinHandle<()> {
        self.answers(move |nonce| vec![good(nonce, ahead_us)])
    }

    /// Whether nobody asks; on loopback a question is there as soon as it is sent.
    fn is_left_alone(&self) -> bool {
        self.socket.set_nonblocking(true).expect("set");
        let asked = self.socket.recv_from(&mut [0; 512]);
        self.socket.set_nonblocking(false).expect("set");
        asked.is_err()
    }
}

fn good(nonce: u64, ahead_us: i64) -> Vec<u8> {
    answer(GOOD, 2, *b"GPS\0", nonce, at_once(NOW_US + ahead_us)).to_vec()
}

fn asked(server: &Fake, wait: Duration) -> Answer {
    ask(&server.address(), wait, &Fixed)
}

#[test]
fn a_server_ahead_is_a_positive_offset() {
    for (ahead_us, ahead_ms) in [(5_000_000, 5000.0), (-86_400_000_000, -86_400_000.0)] {
        let server = Fake::new();
        let thread = server.tells(ahead_us);
        let read = asked(&server, LONG).expect("a reading");
        thread.join().expect("no panic");
        // This host's clock stands still, and the server took no time: its stamp lies in the middle of the way.
        assert!((read.offset_ms + read.delay_ms / 2.0 - ahead_ms).abs() < 0.001, "{read:?}");
        assert!(read.delay_ms >= 0.0);
    }
}

#[test]
fn what_is_no_answer_does_not_hide_the_one_that_is() {
    let server = Fake::new();
    let thread = server.answers(|nonce| {
        let foreign = good(nonce ^ 1, 7_000_000);
        let mut echo = good(nonce, 8_000_000);
        echo[0] = 0x23;
        vec![
            Vec::new(),
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            foreign,
            echo,
            vec![0x24; 1000],
            good(nonce, 1_000_000),
        ]
    });
    let read = asked(&server, LONG).expect("a reading");
    thread.join().expect("no panic");
    assert!((read.offset_ms + read.delay_ms / 2.0 - 1000.0).abs() < 0.001, "{read:?}");
}

#[test]
fn garbage_and_other_questions_answers_are_no_answer() {
    let server = Fake::new();
    let thread = server.answers(|nonce| vec![good(nonce.wrapping_add(1), 0), vec![0xFF; 47]]);
    let refusal = asked(&server, SHORT);
    thread.join().expect("no panic");
    assert!(matches!(refusal, Err(Refusal::Silent(_))), "{refusal:?}");
}

/// It ends although there is always something to read.
#[test]
fn a_flood_is_given_up() {
    let server = Fake::new();
    let thread = server.answers(|nonce| vec![good(!nonce, 0); 200]);
    let refusal = asked(&server, LONG);
    thread.join().expect("no panic");
    let Err(Refusal::Silent(why)) = refusal else { panic!("{refusal:?}") };
    assert_eq!(why, "an answer to another question");
}

#[test]
fn a_silent_server_is_waited_for_and_given_up() {
    let server = Fake::new();
    let Err(Refusal::Silent(why)) = asked(&server, SHORT) else { panic!("nobody answered") };
    assert_eq!(why, "no answer in 30 ms");
    assert!(!server.is_left_alone(), "it was asked");
    assert!(server.is_left_alone(), "once");
    assert!(matches!(ask("", SHORT, &Fixed), Err(Refusal::Silent(_))));
    assert!(matches!(ask("127.0.0.1:0", SHORT, &Fixed), Err(Refusal::Silent(_))));
}

// Two silent addresses took twice the time, which the third and the fourth server did not have: they were told as names
// that are not resolved, and counted as hung.
#[test]
fn all_addresses_of_a_server_share_its_time() {
    let (first, second) = (Fake::new(), Fake::new());
    let addresses = [&first, &second].map(|fake| fake.socket.local_addr().expect("bound"));
    let Err(Refusal::Silent(why)) = ask_all("ntp:123", &addresses, SHORT, &Fixed) else { panic!("nobody answered") };
    assert!(!first.is_left_alone() && !second.is_left_alone());
    assert_eq!(why, format!("{}: no answer in 15 ms", addresses[1]));
    // Where the first one cannot be reached the second one is asked.
    let nobody = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let thread = second.tells(0);
    assert!(ask_all("ntp:123", &[nobody, addresses[1]], LONG, &Fixed).is_ok());
    thread.join().expect("no panic");
    let servers = u32::try_from(SERVERS).expect("few");
    assert!(PATIENCE * servers / (servers - 1) + WAIT < DEADLINE, "the last one asked has its time");
}

#[test]
fn an_address_is_not_told_twice() {
    let nobody = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let told = |server: &str| match ask_all(server, &[nobody], LONG, &Fixed) {
        Err(Refusal::Silent(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(!told(&nobody.to_string()).contains("127.0.0.1"));
    assert!(told("localhost:123").starts_with(&format!("{nobody}: ")));
    let server = Fake::new();
    let mut host = Asking::new(&[&server]);
    host.ntp.servers[0].take(Outcome::Late { newly: true }, host.start, LONG);
    let problem = host.ntp.servers[0].problem.clone().expect("told");
    assert!(problem.contains("no answer") && problem.contains("not resolved"), "{problem}");
}

#[test]
fn what_a_server_says_of_itself_is_believed() {
    let server = Fake::new();
    let refusal = |flags: u8, stratum: u8, reference: &'static [u8; 4], times: Times| {
        let thread = server.answers(move |nonce| vec![answer(flags, stratum, *reference, nonce, times).to_vec()]);
        let refusal = asked(&server, LONG);
        thread.join().expect("no panic");
        refusal
    };
    let now = at_once(NOW_US);
    assert_eq!(refusal(UNSYNCHRONISED, 0, b"RATE", now), Err(Refusal::Kiss("RATE".to_owned())));
    for (flags, stratum, times) in [
        (GOOD, 0, now),
        (UNSYNCHRONISED, 3, now),
        (GOOD, 16, now),
        (GOOD, 2, Times { transmitted: 0, ..now }),
        (GOOD, 2, Times { received: now.received, transmitted: now.received.wrapping_add(3600 << 32) }),
    ] {
        let refusal = refusal(flags, stratum, b"\0\0\0\0", times);
        assert!(matches!(refusal, Err(Refusal::Unsynchronised(_))), "{flags} {stratum} {times:?}: {refusal:?}");
    }
}

/// The collector on these servers.
struct Asking {
    ntp: Ntp,
    start: Instant,
}

impl Asking {
    fn new(servers: &[&Fake]) -> Asking {
        let addresses = servers.iter().map(|server| server.address()).collect();
        let mut ntp = Ntp::new(addresses, Arc::new(Fixed), Arc::default());
        ntp.wait = SHORT;
        Asking { ntp, start: Instant::now() }
    }

    /// One cycle so long after the start.
    fn cycle(&mut self, after: Duration) -> (BTreeMap<String, f64>, Collected) {
        let now = self.start + after;
        self.ntp.ask(now);
        let sets = Sets::FALCON.and(Sets::EXTENDED);
        let (_, mut said) = with_cx(sets, Platform::Linux, |cx| self.ntp.report(cx, now));
        let samples = std::mem::take(&mut said.samples);
        (samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect(), said)
    }
}

fn sources(said: &BTreeMap<String, f64>) -> f64 {
    said["sys.ntp.sources"]
}

#[test]
fn a_server_is_asked_once_a_minute_and_said_in_every_cycle() {
    let server = Fake::new();
    let mut host = Asking::new(&[&server]);
    host.ntp.wait = LONG;
    let thread = server.tells(2_000_000);
    let (first, said) = host.cycle(Duration::ZERO);
    thread.join().expect("no panic");
    assert!(said.problems.is_empty() && (first["sys.ntp.offset"] - 2000.0).abs() < 1000.0 * LONG.as_secs_f64());
    assert_eq!((first.len(), sources(&first)), (2, 1.0), "the delay is an option");
    for after in [SECOND, 10 * SECOND, 58 * SECOND] {
        assert_eq!(host.cycle(after).0, first);
    }
    assert!(server.is_left_alone());
    let thread = server.tells(-3_000_000);
    let (second, _) = host.cycle(60 * SECOND);
    thread.join().expect("no panic");
    assert!(second["sys.ntp.offset"] < first["sys.ntp.offset"]);
}

#[test]
fn a_lost_answer_costs_nothing_and_a_dead_server_its_reading() {
    let server = Fake::new();
    let mut host = Asking::new(&[&server]);
    host.ntp.wait = LONG;
    let thread = server.tells(0);
    let (first, _) = host.cycle(Duration::ZERO);
    thread.join().expect("no panic");
    host.ntp.wait = SHORT;
    for after in [60, 61, 179] {
        let (said, collected) = host.cycle(after * SECOND);
        assert_eq!(said, first, "{after} s");
        assert_eq!(collected.problems.len(), 1, "it is told, and told again in cycles that do not ask");
    }
    let (said, _) = host.cycle(180 * SECOND);
    assert_eq!(said, BTreeMap::from([("sys.ntp.sources".to_owned(), 0.0)]));
}

#[test]
fn a_kiss_is_an_hour_of_peace() {
    let server = Fake::new();
    let mut host = Asking::new(&[&server]);
    host.ntp.wait = LONG;
    let kiss = |nonce| vec![answer(UNSYNCHRONISED, 0, *b"DENY", nonce, at_once(NOW_US)).to_vec()];
    let thread = server.answers(kiss);
    let (said, collected) = host.cycle(Duration::ZERO);
    thread.join().expect("no panic");
    assert_eq!((said.len(), sources(&said)), (1, 0.0));
    assert!(collected.problems[0].1.contains("left alone (DENY)"), "{:?}", collected.problems);
    for after in [60, 600, 3599] {
        assert_eq!(host.cycle(after * SECOND).1.problems, collected.problems);
    }
    assert!(server.is_left_alone());
    let thread = server.tells(0);
    assert_eq!(sources(&host.cycle(3600 * SECOND).0), 1.0);
    thread.join().expect("no panic");
}

#[test]
fn the_nearest_of_those_that_know_the_time_is_said() {
    let servers: Vec<Fake> = (0..6).map(|_| Fake::new()).collect();
    let mut host = Asking::new(&servers.iter().collect::<Vec<_>>());
    host.ntp.wait = LONG;
    assert_eq!(host.ntp.servers.len(), 4);
    let lost = |nonce| vec![answer(UNSYNCHRONISED, 0, *b"INIT", nonce, at_once(NOW_US)).to_vec()];
    let threads = [servers[0].tells(0), servers[1].answers(lost), servers[2].tells(0), servers[3].tells(0)];
    let (said, collected) = host.cycle(Duration::ZERO);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!((sources(&said), collected.problems.len()), (3.0, 1));
    assert!(collected.remarks[0].1.contains("2 are not"), "{:?}", collected.remarks);
    assert!(servers[4].is_left_alone() && servers[5].is_left_alone());
    // Which one is nearest is chance here: so it is decided.
    let delays = [30.0, f64::NAN, 10.0, 20.0];
    for (n, (server, delay_ms)) in host.ntp.servers.iter_mut().zip(delays).enumerate() {
        if let Some((reading, _)) = &mut server.reading {
            *reading = Reading { offset_ms: [7.0, 0.0, 8.0, 9.0][n], delay_ms };
        }
    }
    assert_eq!(host.cycle(SECOND).0["sys.ntp.offset"], 8.0);
}

/// The clock of the whole world was asked every minute by every host that nobody had set up.
#[test]
fn a_server_that_was_found_is_asked_every_ten_minutes() {
    let server = Fake::new();
    let address = server.address();
    let mut host = Asking::new(&[&server]);
    (host.ntp.pace, host.ntp.wait) = (FOUND, LONG);
    let thread = server.tells(2_000_000);
    let (first, _) = host.cycle(Duration::ZERO);
    thread.join().expect("no panic");
    for after in [59, 180, 599] {
        // A new list keeps what the old one knew.
        host.ntp.set_servers(vec![address.clone()]);
        assert_eq!(host.cycle(after * SECOND).0, first, "{after} s");
    }
    assert!(server.is_left_alone());
    host.ntp.wait = SHORT;
    assert_eq!(host.cycle(600 * SECOND).0, first);
    assert!(!server.is_left_alone(), "it was asked");
    host.ntp.set_servers(vec![Fake::new().address()]);
    assert_eq!(sources(&host.cycle(601 * SECOND).0), 0.0, "another server has no reading");
}

#[test]
fn a_host_whose_system_asks_nobody_says_nothing() {
    let found = Servers::asking(Arc::new(|| Ok(Vec::new())));
    let mut ntp = Ntp::finding(found, Arc::new(Fixed), Arc::default());
    let sets = Sets::FALCON.and(Sets::EXTENDED);
    let (result, said) = with_cx(sets, Platform::Windows, |cx| ntp.collect(cx));
    assert!(result.is_ok() && said.samples.is_empty() && said.problems.is_empty(), "{said:?}");
}

#[test]
fn without_servers_there_is_no_collector() {
    let mut config = Config::standalone();
    let mut opens = |servers: &[&str]| {
        config.collector.ntp = Some(servers.iter().map(ToString::to_string).collect());
        let context = crate::collect::tests::context(config.clone());
        (SPEC.open)(&context).expect("no failure").is_some()
    };
    assert!(!opens(&[]) && opens(&["ntp1:123"]));
}

#[test]
fn nobody_is_asked_for_what_no_name_set_says() {
    let server = Fake::new();
    let Asking { mut ntp, .. } = Asking::new(&[&server]);
    let (result, said) = with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| ntp.collect(cx));
    assert!(result.is_ok() && said.samples.is_empty() && server.is_left_alone());
}
