//! The process for performance counters, with real processes: this executable plays it, with a provider that does what it is told
//! to; and the agent's executable. Linux; under Wine it is driven with a provider of counters.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, process, thread};

use falcon_agent::config;
use falcon_agent::perf::client::{Counters, ObjectQuery, Perf, Refused, Tables, Unanswered};
use falcon_agent::perf::link::{Launch, Link};
use falcon_agent::perf::protocol::{Answer, Begin, Hello, Query, Reply, Request, frame};
use falcon_agent::perf::rows::{Missing, Row, Table};
use falcon_agent::perf::worker::{self, Answers};
use falcon_agent::stats::Stats;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

const AGENT: &str = env!("CARGO_BIN_EXE_falcon-agent");
/// Where a file stands that the played agent has its process hold.
const HELD: &str = "FALCON_TEST_HELD";

/// A provider of the worst kind. The first object that is asked for says what it does.
struct Told {
    held: Vec<File>,
    /// What it holds when it is closed, and hangs.
    at_close: Option<String>,
}

impl Answers for Told {
    fn ask(&mut self, objects: &[ObjectQuery]) -> Result<Tables, Unanswered> {
        let (what, path) = objects[0].object.split_once(':').unwrap_or((&objects[0].object, ""));
        match what {
            "print" => {
                println!("{}", "a library that tells what it does\n".repeat(10_000));
                io::stdout().flush().unwrap();
            }
            "refuse" => return Err(Unanswered::Failed("access is denied".to_owned())),
            "nameless" => return Err(Unanswered::NoNames("not found".to_owned())),
            "exit" => process::exit(7),
            "abort" => process::abort(),
            "panic" => panic!("a defect"),
            // What is never given back.
            "grow" => grow(),
            "hang later" => {
                grow();
                self.at_close = Some(path.to_owned());
            }
            "hold" | "hang" => self.held.push(held(path)),
            _ => {}
        }
        if what == "hang" {
            loop {
                thread::park();
            }
        }
        let row = Row { instance: process::id().to_string(), values: Vec::new() };
        Ok(vec![Ok(Table { rows: vec![row], ..Table::default() }); objects.len()])
    }

    fn names(&mut self, prefix: &str) -> Result<Vec<String>, Unanswered> {
        Ok(vec![format!("{prefix} Service")])
    }

    fn disabled(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn close(&mut self) {
        println!("closed");
        if let Some(path) = self.at_close.take() {
            let _held = held(&path);
            loop {
                thread::park();
            }
        }
    }
}

fn grow() {
    Box::leak(vec![1_u8; 150_000_000].into_boxed_slice()).fill(2);
}

/// A file that nobody else has locked for as long as this process lives; it has the pid of the process.
fn held(path: &str) -> File {
    let file = File::create(path).unwrap();
    file.lock().unwrap();
    write!(&file, "{}", process::id()).unwrap();
    file
}

/// Waits until somebody holds a file, and tells who.
fn holder(path: &Path) -> u32 {
    loop {
        if let Ok(pid) = fs::read_to_string(path).unwrap_or_default().parse() {
            return pid;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until nobody holds it any more.
fn released(path: &Path) {
    File::open(path).unwrap().lock().unwrap();
}

#[test]
#[ignore = "played by the others"]
fn plays_the_worker() {
    // What the harness prints goes elsewhere.
    let pipe = File::options().write(true).open("/proc/self/fd/3").unwrap();
    rustix::stdio::dup2_stdout(&pipe).unwrap();
    drop(pipe);
    let code = worker::run(|| Told { held: Vec::new(), at_close: None });
    process::exit(i32::from(code != ExitCode::SUCCESS));
}

#[test]
#[ignore = "played by the others"]
fn plays_the_agent() {
    let what = env::var(HELD).unwrap();
    let bed = Bed::new(600, 64);
    let counters = bed.perf.open("g");
    let _ = counters.ask(&query(&what));
    loop {
        thread::park();
    }
}

fn this(plays: &str, behind: &str) -> Command {
    let script = format!("exec 3>&1 >/dev/null; exec \"$0\" --exact {plays} --ignored --nocapture {behind}");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env::current_exe().unwrap());
    command
}

struct Bed {
    perf: Perf,
    stats: Arc<Stats>,
    /// Seconds.
    now: Arc<AtomicU64>,
    started: Arc<AtomicUsize>,
}

impl Bed {
    /// With the process that is played here.
    fn new(timeout: u32, memory_mb: u32) -> Bed {
        Bed::with(timeout, memory_mb, || Ok(this("plays_the_worker", "")))
    }

    /// With a script.
    fn script(text: &str) -> Bed {
        let text = text.to_owned();
        Bed::with(60, 64, move || {
            let mut command = Command::new("sh");
            command.arg("-c").arg(&text);
            Ok(command)
        })
    }

    fn with(timeout: u32, memory_mb: u32, launch: impl Fn() -> io::Result<Command> + Send + Sync + 'static) -> Bed {
        let (now, stats, started) =
            (Arc::<AtomicU64>::default(), Arc::<Stats>::default(), Arc::<AtomicUsize>::default());
        let (clock, count) = (now.clone(), started.clone());
        let launch: Launch = Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            launch()
        });
        let config = config::Perf { timeout, memory_mb };
        let clock = move || Duration::from_secs(clock.load(Ordering::SeqCst));
        let perf = Perf::new(Link::new(&config, stats.clone(), launch, Box::new(clock)));
        Bed { perf, stats, now, started }
    }

    fn later(&self, s: u64) {
        self.now.fetch_add(s, Ordering::SeqCst);
    }

    /// Deaths, processes that were replaced, queries that were not made.
    fn counts(&self) -> (u64, u64, u64) {
        (self.stats.perf_deaths.get(), self.stats.perf_recycled.get(), self.stats.perf_refused.get())
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

fn query(what: &str) -> Vec<ObjectQuery> {
    vec![ObjectQuery::new(what, Vec::new())]
}

fn told(what: &str, path: &Path) -> Vec<ObjectQuery> {
    query(&format!("{what}:{}", path.display()))
}

/// Asks, and tells which process answered.
fn pid(counters: &Counters, what: &str) -> u32 {
    let tables = counters.ask(&query(what)).unwrap();
    tables[0].as_ref().unwrap().rows[0].instance.parse().unwrap()
}

fn dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("held");
    (dir, file)
}

#[test]
fn one_process_answers_all_groups_and_what_a_library_prints_is_no_answer() {
    let bed = Bed::new(60, 600);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    assert_eq!((bed.started(), bed.stats.perf_mem.get()), (0, None));
    let first = pid(&iis, "well");
    assert_eq!((pid(&mssql, "print"), pid(&iis, "print"), pid(&mssql, "well")), (first, first, first));
    assert_eq!(iis.names("Web").unwrap(), ["Web Service"]);
    assert_eq!(iis.ask(&[query("a"), query("b")].concat()).unwrap().len(), 2);
    assert!(bed.stats.perf_mem.get().unwrap() > 100_000);
    assert_eq!((bed.started(), bed.counts()), (1, (0, 0, 0)));
}

#[test]
fn a_library_that_ends_the_process_costs_one_query_and_one_count() {
    let bed = Bed::new(60, 600);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    let mut before = pid(&mssql, "well");
    let ends =
        [("exit", "ended (exit code 7)"), ("abort", "was ended (signal: 6 (SIGABRT)"), ("panic", "failed by a defect")];
    for (n, (what, how)) in ends.into_iter().enumerate() {
        let refused = iis.ask(&query(what)).unwrap_err();
        assert!(matches!(&refused, Refused::Died(text) if text.starts_with(how)), "{what}: {refused}");
        assert_eq!(bed.stats.perf_mem.get(), None);
        let after = pid(&mssql, "well");
        assert!(after != before && bed.stats.perf_mem.get().is_some());
        before = after;
        assert_eq!(bed.counts(), (n as u64 + 1, 0, 0));
    }
    // The other group is not left alone for it.
    assert_eq!(iis.ask(&query("well")).unwrap_err(), Refused::Paused);
    assert_eq!((pid(&mssql, "well"), bed.counts(), bed.started()), (before, (3, 0, 1), 4));
}

#[test]
fn a_library_that_hangs_is_ended_and_whoever_waits_for_a_turn_gets_it() {
    let bed = Bed::new(10, 600);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    pid(&iis, "well");
    let (_dir, file) = dir();
    thread::scope(|scope| {
        let hung = scope.spawn(|| iis.ask(&told("hang", &file)));
        let first = holder(&file);
        assert_ne!(pid(&mssql, "well"), first);
        assert_eq!(hung.join().unwrap().unwrap_err(), Refused::Late(10));
    });
    released(&file);
    assert_eq!((bed.counts(), bed.started()), ((1, 0, 0), 2));
}

// It was told as if the group that was not asked had failed, and its collector went on to wait for its other groups.
// A library hung as it was unloaded, and the breaker of whoever asked next was opened for it.
#[test]
fn what_hangs_as_it_is_unloaded_is_no_fault_of_the_group_that_asks_next() {
    let bed = Bed::new(5, 200);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    let (_dir, file) = dir();
    pid(&iis, "well");
    iis.ask(&told("hang later", &file)).unwrap();
    holder(&file);
    assert_eq!(mssql.ask(&query("well")).unwrap_err(), Refused::Late(5));
    released(&file);
    assert_eq!((bed.counts(), bed.started()), ((1, 0, 0), 1));
    for _ in 0..2 {
        assert!(matches!(mssql.ask(&query("refuse")), Err(Refused::Failed(_))));
    }
    pid(&mssql, "well");
}

#[test]
fn who_does_not_get_a_turn_is_told_so() {
    let (say, said) = mpsc::channel();
    let (go_on, gone_on) = mpsc::channel::<()>();
    let gone_on = Mutex::new(gone_on);
    let bed = Bed::with(0, 600, move || {
        say.send(()).unwrap();
        // Until the other has waited for its turn.
        let _ = gone_on.lock().unwrap().recv();
        Ok(Command::new("no such program"))
    });
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    thread::scope(|scope| {
        let first = scope.spawn(|| iis.ask(&query("well")));
        said.recv().unwrap();
        assert_eq!(mssql.ask(&query("well")).unwrap_err(), Refused::Crowded);
        drop(go_on);
        assert!(matches!(first.join().unwrap(), Err(Refused::Failed(_))));
    });
    assert_eq!(bed.counts(), (0, 0, 2));
}

#[test]
fn a_group_that_fails_three_times_is_left_alone_for_ten_minutes_then_twenty() {
    let bed = Bed::new(60, 600);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    let denied = Refused::Failed("access is denied".to_owned());
    for _ in 0..3 {
        assert_eq!(iis.ask(&query("refuse")).unwrap_err(), denied);
    }
    for (pause, refused) in [(600, 1), (1200, 2)] {
        bed.later(pause - 1);
        assert_eq!(iis.ask(&query("well")).unwrap_err(), Refused::Paused);
        assert_eq!(bed.counts(), (0, 0, refused));
        pid(&mssql, "well");
        bed.later(1);
        assert_eq!(iis.ask(&query("refuse")).unwrap_err(), denied);
    }
    bed.later(2400);
    pid(&iis, "well");
    assert_eq!(iis.ask(&query("refuse")).unwrap_err(), denied);
    pid(&iis, "well");
    // Nothing of it cost a process.
    assert_eq!(bed.started(), 1);
}

// At the first boot the tables of names were not there yet, and all groups were left alone for ten minutes.
#[test]
fn without_names_nobody_is_left_alone() {
    let bed = Bed::new(60, 600);
    let iis = bed.perf.open("iis");
    let nameless = Refused::Failed("the names of performance counters: not found".to_owned());
    (0..4).for_each(|_| assert_eq!(iis.ask(&query("nameless")).unwrap_err(), nameless));
    pid(&iis, "well");
    assert_eq!((bed.started(), bed.counts()), (1, (0, 0, 0)));
}

#[test]
fn a_breaker_outlives_its_group() {
    let bed = Bed::new(60, 600);
    let _other = bed.perf.open("other");
    let fails = || bed.perf.open("iis").ask(&query("refuse")).unwrap_err();
    (0..3).for_each(|_| assert_ne!(fails(), Refused::Paused));
    assert_eq!(fails(), Refused::Paused);
}

#[test]
fn a_process_that_grows_over_its_limit_is_replaced_also_soon_after_the_one_before() {
    let bed = Bed::new(60, 120);
    let iis = bed.perf.open("iis");
    let first = pid(&iis, "well");
    assert_eq!(pid(&iis, "grow"), first);
    assert_eq!((bed.counts(), bed.stats.perf_mem.get()), ((0, 1, 0), None));
    let second = pid(&iis, "well");
    assert_eq!((second != first, pid(&iis, "grow")), (true, second));
    assert_eq!((bed.counts(), bed.started()), ((0, 2, 0), 2));
}

#[test]
fn a_limit_that_is_too_small_for_any_process_costs_one_in_ten_minutes() {
    // Less than a process needs at first, by no more than it may grow for reasons of its own.
    let measured = Bed::new(60, 600);
    let counters = measured.perf.open("iis");
    pid(&counters, "well");
    let rss_mb = u32::try_from(measured.stats.perf_mem.get().unwrap() / 1_000_000).unwrap();
    let bed = Bed::new(60, rss_mb.saturating_sub(2).max(1));
    let iis = bed.perf.open("iis");
    let first = pid(&iis, "well");
    let second = pid(&iis, "well");
    assert_ne!(first, second);
    bed.later(599);
    assert_eq!((pid(&iis, "well"), bed.counts()), (second, (0, 1, 0)));
    bed.later(1);
    assert_eq!((pid(&iis, "well"), bed.counts()), (second, (0, 2, 0)));
    assert_ne!(pid(&iis, "well"), second);
}

#[test]
fn it_ends_with_the_last_open_group_and_with_whoever_could_open_one() {
    let bed = Bed::new(60, 600);
    let (iis, mssql) = (bed.perf.open("iis"), bed.perf.open("mssql"));
    let (_dir, file) = dir();
    iis.ask(&told("hold", &file)).unwrap();
    drop(iis);
    let first = holder(&file);
    assert_eq!(pid(&mssql, "well"), first);
    drop(mssql);
    released(&file);
    assert_eq!((bed.stats.perf_mem.get(), bed.counts()), (None, (0, 0, 0)));
    let again = bed.perf.open("iis");
    assert_ne!(pid(&again, "well"), first);
    again.ask(&told("hold", &file)).unwrap();
    drop((bed, again));
    released(&file);
}

#[test]
fn what_ended_while_nothing_was_asked_is_no_groups_fault() {
    let bed = Bed::new(60, 600);
    let iis = bed.perf.open("iis");
    let kill = |pid: u32| {
        let child = Pid::from_raw(pid.cast_signed()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
        waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    };
    let first = pid(&iis, "well");
    kill(first);
    assert_ne!(pid(&iis, "well"), first);
    assert_eq!(bed.counts(), (1, 0, 0));
    // Again and again: a new one is waited for.
    (0..2).for_each(|_| kill(pid(&iis, "well")));
    let refused = iis.ask(&query("well")).unwrap_err();
    assert!(refused.to_string().starts_with("nobody can ask for some minutes"), "{refused}");
    bed.later(59);
    assert_eq!(iis.ask(&query("well")).unwrap_err(), refused);
    bed.later(1);
    pid(&iis, "well");
    assert_eq!((bed.counts(), bed.started()), ((3, 0, 2), 4));
}

#[test]
fn what_is_no_process_of_this_agent_is_not_asked_and_not_started_again_at_once() {
    let old = r#"printf '\067\000\000\000{"name":"falcon-agent perf-worker","version":999999999}'; exec sleep 600"#;
    let wrong = [
        ("exit 0", "nobody can ask: the process for it ended by itself"),
        ("exit 3", "nobody can ask: the process for it ended (exit code 3)"),
        ("echo Hello, world; exec sleep 600", "nobody can ask: the process for it said what is no answer"),
        ("exec cat", "nobody can ask: the process for it is not of this agent"),
        ("printf '\\005\\000\\000\\000{'", "nobody can ask: the process for it ended by itself"),
        (old, "nobody can ask: the process for it is not of this agent and was ended: it speaks version 999999999"),
    ];
    for (script, expected) in wrong {
        let bed = Bed::script(script);
        let iis = bed.perf.open("iis");
        let refused = iis.ask(&query("well")).unwrap_err();
        assert!(matches!(&refused, Refused::Failed(why) if why.starts_with(expected)), "{script}: {refused}");
        assert_eq!(iis.ask(&query("well")).unwrap_err(), refused);
        assert_eq!((bed.started(), bed.counts()), (1, (1, 0, 2)));
        bed.later(1);
        assert_eq!(iis.ask(&query("well")).unwrap_err(), refused);
        bed.later(1);
        assert_eq!((iis.ask(&query("well")).unwrap_err(), bed.started()), (refused, 2));
        // Five failures, and yet none of the group.
        bed.later(1);
        assert_ne!(iis.ask(&query("well")).unwrap_err(), Refused::Paused);
        assert_eq!(bed.counts(), (3, 0, 5));
    }
}

// On a busy host a process needed most of the query's time to start, and the group that asked first was blamed for the rest.
#[test]
fn the_time_of_a_query_begins_when_there_is_a_process() {
    let bed = Bed::new(0, 600);
    let (_dir, file) = dir();
    assert_eq!(bed.perf.open("iis").ask(&told("hang", &file)).unwrap_err(), Refused::Late(0));
    assert_eq!((bed.started(), bed.counts()), (1, (1, 0, 0)));
}

#[test]
fn a_process_that_cannot_be_started_is_no_death() {
    let bed = Bed::with(60, 64, || Ok(Command::new("no such program")));
    let iis = bed.perf.open("iis");
    let refused = iis.ask(&query("well")).unwrap_err();
    assert!(refused.to_string().starts_with("nobody can ask: no process can be started for it: "), "{refused}");
    assert_eq!(bed.counts(), (0, 0, 1));
}

#[test]
fn what_is_no_answer_ends_the_process() {
    let (_dir, file) = dir();
    let answer = |id, tables: usize| {
        let reply = Ok(Reply::Tables(vec![Err(Missing::Unnamed); tables]));
        frame(&Answer { id, rss_bytes: None, disabled: Vec::new(), closes: false, reply }).unwrap()
    };
    let names = frame(&Answer {
        id: 1,
        rss_bytes: None,
        disabled: Vec::new(),
        closes: false,
        reply: Ok(Reply::Names(Vec::new())),
    })
    .unwrap();
    let bad = [answer(2, 1), answer(1, 2), names, b"Hello, world".to_vec(), frame(&"x").unwrap(), vec![0; 4]];
    for bad in bad {
        fs::write(&file, [frame(&Hello::own()).unwrap(), bad].concat()).unwrap();
        let bed = Bed::script(&format!("cat '{}'; exec sleep 600", file.display()));
        let iis = bed.perf.open("iis");
        let expected = Refused::Died("said what is no answer and was ended".to_owned());
        assert_eq!((iis.ask(&query("well")).unwrap_err(), bed.counts()), (expected.clone(), (1, 0, 0)));
        assert_eq!((iis.ask(&query("well")).unwrap_err(), bed.started()), (expected, 2));
    }
    let (good, hello) = (answer(1, 1), frame(&Hello::own()).unwrap());
    fs::write(&file, [hello.as_slice(), &good[..good.len() - 1]].concat()).unwrap();
    // What it is sent is read, for else it may have ended before.
    let begin = Begin { hello: Hello::own(), is_loose: true, memory_bytes: 64_000_000 };
    let request = Request { id: 1, query: Query::Ask(query("well")) };
    let (begin, request) = (frame(&begin).unwrap().len(), frame(&request).unwrap().len());
    let (path, rest) = (file.display(), hello.len() + 1);
    let bed = Bed::script(&format!(
        "head -c {begin} >&2; head -c {} '{path}'; head -c {request} >&2; tail -c +{rest} '{path}'; exit 5",
        hello.len()
    ));
    let cut = bed.perf.open("iis").ask(&query("well")).unwrap_err();
    assert_eq!(cut, Refused::Died("ended (exit code 5)".to_owned()));
}

/// It asked a library that hung, and the agent was killed: it stayed until somebody found it.
#[test]
fn it_ends_with_an_agent_that_is_killed_whatever_it_does() {
    for what in ["hold", "hang"] {
        let (_dir, file) = dir();
        let mut agent = this("plays_the_agent", "").env(HELD, format!("{what}:{}", file.display())).spawn().unwrap();
        let worker = holder(&file);
        assert_ne!(worker, agent.id());
        agent.kill().unwrap();
        assert_eq!(agent.wait().unwrap().signal(), Some(9));
        released(&file);
    }
}

#[test]
fn started_by_hand_it_says_in_a_line_what_it_is() {
    let explained = |code: Option<i32>, text: &str| {
        assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.starts_with("falcon-agent: perf-worker reads performance counters for the agent"), "{text}");
    };
    let mut worker = Command::new(AGENT);
    let output = worker.arg("perf-worker").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, b"");
    explained(output.status.code(), &String::from_utf8_lossy(&output.stderr));
    let (mut terminal, inner) = terminal();
    let mut worker = Command::new(AGENT);
    worker.arg("perf-worker").stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(inner);
    let status = worker.status().unwrap();
    drop(worker);
    let mut text = [0; 1000];
    let len = terminal.read(&mut text).unwrap();
    explained(status.code(), &String::from_utf8_lossy(&text[..len]));
    let help = Command::new(AGENT).arg("--help").output().unwrap();
    assert!(help.status.success() && !String::from_utf8_lossy(&help.stdout).contains("perf"));
}

/// Both ends of one.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&outer).unwrap();
    unlockpt(&outer).unwrap();
    let name = ptsname(&outer, Vec::new()).unwrap();
    let inner = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (outer.into(), inner)
}
