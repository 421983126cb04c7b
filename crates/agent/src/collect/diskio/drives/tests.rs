use super::*;
use crate::collect::tests::{with_all, with_cx};
use crate::collect::{Collected, Guarded};
use crate::config::Config;
use crate::model::Sets;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STEP: Option<Duration> = Some(Duration::from_secs(60));

/// A drive of a number, and the letters on it.
type Drive = (u32, &'static [&'static str]);

fn named(number: u32) -> String {
    format!("{DRIVE}{number}")
}

/// A host whose drives a test sets, and how often it was asked for their list.
#[derive(Clone, Default)]
struct Fake {
    drives: Arc<Mutex<Vec<Drive>>>,
    /// Windows' code with which a drive refuses.
    refuses: Arc<Mutex<HashMap<String, i32>>>,
    listed: Arc<AtomicU64>,
    letters_asked: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
    /// Which answer of a drive is next.
    minutes: Arc<Mutex<HashMap<String, u64>>>,
    list_fails: Arc<AtomicU64>,
}

impl Fake {
    fn of(drives: &[Drive]) -> (Fake, Drives) {
        let fake = Fake { drives: Arc::new(Mutex::new(drives.to_vec())), ..Fake::default() };
        let (list, letter, io) = (fake.clone(), fake.clone(), fake.clone());
        let asked = Asked {
            list: Box::new(move || list.list()),
            letter: Arc::new(move |name| Ok(letter.disks(name))),
            io: Arc::new(move |name| io.io(name)),
        };
        let stats = Arc::new(Stats::default());
        let guard = Guard::new(Guarded::Disks, &Config::standalone(), &stats);
        (fake, Drives::asking(asked, guard, stats))
    }

    fn list(&self) -> List {
        self.listed.fetch_add(1, Relaxed);
        match self.list_fails.load(Relaxed) {
            0 => {
                let drives = self.drives.lock().unwrap();
                let mut letters: Vec<_> =
                    drives.iter().flat_map(|(_, on_it)| *on_it).map(ToString::to_string).collect();
                letters.sort_unstable();
                letters.dedup();
                Ok(Names { physical: drives.iter().map(|(number, _)| named(*number)).collect(), letters })
            }
            _ => Err(io::Error::other("no list")),
        }
    }

    fn disks(&self, letter: &str) -> Vec<u32> {
        self.letters_asked.fetch_add(1, Relaxed);
        let drives = self.drives.lock().unwrap();
        drives.iter().filter(|(_, on_it)| on_it.contains(&letter)).map(|(number, _)| *number).collect()
    }

    /// Each answer is a minute, half of it busy, and ten reads after the one before.
    fn io(&self, name: &str) -> Answer {
        if let Some(code) = self.refuses.lock().unwrap().get(name) {
            return Err(match code {
                2 => io::ErrorKind::NotFound.into(),
                code => io::Error::from_raw_os_error(*code),
            });
        }
        self.asked.fetch_add(1, Relaxed);
        let mut minutes = self.minutes.lock().unwrap();
        let next = minutes.entry(name.to_owned()).or_default();
        let n = *next;
        *next += 1;
        Ok(DiskIo {
            name: name.to_owned(),
            clock_us: n * 60_000_000,
            idle_us: n * 30_000_000,
            reads: n * 10,
            ..DiskIo::default()
        })
    }

    fn refuse(&self, name: &str, code: i32) {
        self.refuses.lock().unwrap().insert(name.to_owned(), code);
    }
}

fn collect(drives: &mut Drives, sets: Sets, elapsed: Option<Duration>) -> Collected {
    let (result, said) = with_all(sets, Platform::Windows, elapsed, |cx| drives.collect(cx));
    result.expect("a list of drives");
    said
}

fn devices(said: &Collected) -> BTreeSet<&str> {
    said.samples.iter().map(|sample| sample.tags.as_str()).filter(|tags| !tags.is_empty()).collect()
}

#[test]
fn each_name_set_knows_a_drive_by_its_own_name() {
    let (_, mut drives) = Fake::of(&[(0, &["C:", "D:"]), (1, &["D:"]), (12, &[])]);
    let three = ["device=PhysicalDrive0", "device=PhysicalDrive1", "device=PhysicalDrive12"];
    assert_eq!(devices(&collect(&mut drives, Sets::FALCON, None)), three.into());
    assert_eq!(devices(&collect(&mut drives, Sets::WINDOWS_AGENT, STEP)), three.into());
    let said = collect(&mut drives, Sets::FREEDOMKK, STEP);
    assert_eq!(devices(&said), ["device=0 C: D:", "device=1 D:", "device=12"].into());
    assert_eq!(said.samples.len(), 3 * 7);
    let said = collect(&mut drives, Sets::LEONZYANG, STEP);
    assert_eq!(devices(&said), ["device=C:", "device=D:"].into());
    let names: BTreeSet<_> = said.samples.iter().map(|sample| sample.metric.as_ref()).collect();
    assert_eq!(names, LEONZYANG.map(|metric| metric.name).into());
    // A shared name is said once: as the agent that was there before named the drive.
    let said = collect(&mut drives, Sets::FREEDOMKK.and(Sets::FALCON), STEP);
    let util: BTreeSet<_> =
        said.samples.iter().filter(|s| s.metric == "disk.io.util").map(|s| s.tags.as_str()).collect();
    assert_eq!(util, ["device=0 C: D:", "device=1 D:", "device=12"].into());
}

#[test]
fn letters_and_volumes_are_asked_only_for_the_names_that_need_them() {
    let (fake, mut drives) = Fake::of(&[(0, &["C:"])]);
    let asked = || (fake.asked.load(Relaxed), fake.letters_asked.load(Relaxed));
    collect(&mut drives, Sets::FALCON, None);
    assert_eq!(asked(), (1, 0));
    collect(&mut drives, Sets::FREEDOMKK, STEP);
    assert_eq!(asked(), (2, 1));
    collect(&mut drives, Sets::LEONZYANG, STEP);
    assert_eq!(asked(), (4, 1), "a letter that told its drives is not asked again");
}

#[test]
fn drives_are_listed_every_ten_minutes() {
    let (fake, mut drives) = Fake::of(&[(0, &[])]);
    collect(&mut drives, Sets::FALCON, None);
    fake.drives.lock().unwrap().push((1, &[]));
    for minute in 1..10 {
        assert_eq!(devices(&collect(&mut drives, Sets::FALCON, STEP)).len(), 1, "{minute}");
    }
    assert_eq!(fake.listed.load(Relaxed), 1);
    assert_eq!(devices(&collect(&mut drives, Sets::FALCON, STEP)).len(), 2);
    assert_eq!(fake.listed.load(Relaxed), 2);
}

#[test]
fn a_drive_that_is_pulled_out_is_forgotten_without_a_word() {
    let (fake, mut drives) = Fake::of(&[(0, &[]), (1, &[])]);
    collect(&mut drives, Sets::FALCON, None);
    fake.refuse("PhysicalDrive1", 2);
    let said = collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!((devices(&said).len(), said.problems.len()), (1, 0));
    // It stands in the next list as well: so it is no drive that was pulled out.
    let said = collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!((fake.listed.load(Relaxed), said.problems.len()), (2, 1));
    fake.drives.lock().unwrap().pop();
    let said = collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!((fake.listed.load(Relaxed), said.problems.len(), drives.devices.len()), (3, 0, 1));
    collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!(fake.listed.load(Relaxed), 3);
}

#[test]
fn a_drive_that_refuses_costs_its_own_figures_only() {
    let (fake, mut drives) = Fake::of(&[0, 1, 2, 3, 4].map(|number| -> Drive { (number, &[]) }));
    for (number, code) in [(0, 1), (1, 50), (2, 21), (3, 5)] {
        fake.refuse(&named(number), code);
    }
    let said = collect(&mut drives, Sets::FALCON, None);
    assert_eq!(devices(&said), ["device=PhysicalDrive4"].into());
    let told: Vec<_> = said.remarks.iter().map(|(what, why)| (what.as_str(), why.contains("diskperf -Y"))).collect();
    assert_eq!(told, [("drive PhysicalDrive0", true), ("drive PhysicalDrive1", true)]);
    let problems: Vec<_> = said.problems.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(problems, ["drive PhysicalDrive3"], "an empty card reader is none");
}

#[test]
fn while_the_list_fails_the_old_one_serves() {
    let (fake, mut drives) = Fake::of(&[(0, &[])]);
    fake.list_fails.store(1, Relaxed);
    let (result, _) = with_cx(Sets::FALCON, Platform::Windows, |cx| drives.collect(cx));
    assert!(result.unwrap_err().to_string().contains("no list"));
    fake.list_fails.store(0, Relaxed);
    collect(&mut drives, Sets::FALCON, STEP);
    fake.list_fails.store(1, Relaxed);
    let said = collect(&mut drives, Sets::FALCON, Some(LIST_AGAIN));
    assert_eq!((devices(&said).len(), said.problems.len()), (1, 1));
}

#[test]
fn a_drive_that_hangs_is_counted_once_and_the_others_go_on() {
    let (_, mut drives) = Fake::of(&[(0, &[]), (1, &[])]);
    let answers = |newly| {
        let good = Ok(DiskIo { reads: 5, ..DiskIo::default() });
        vec![("PhysicalDrive0".to_owned(), Outcome::Late { newly }), ("PhysicalDrive1".to_owned(), Outcome::Done(good))]
    };
    for newly in [true, false] {
        let (_, said) = with_cx(Sets::FALCON, Platform::Windows, |cx| drives.report(cx, answers(newly), false));
        assert_eq!(devices(&said), ["device=PhysicalDrive1"].into());
        assert_eq!(said.problems[0].0, "drive PhysicalDrive0");
        assert_eq!(drives.stats.collect_hung.get(), 1);
    }
}

#[test]
fn a_host_without_drives_says_nothing() {
    let (_, mut drives) = Fake::of(&[]);
    let said = collect(&mut drives, Sets::ALL, None);
    assert!(said.samples.is_empty() && said.problems.is_empty());
}

fn values(said: &Collected, metric: &str) -> Vec<f64> {
    said.samples.iter().filter(|s| s.metric == metric).map(|s| s.value.get()).collect()
}

/// What a drive did over ten minutes is known when it answers again: by its own clock, and by as many cycles.
#[test]
fn a_drive_that_answers_again_tells_the_mean_of_the_time_between() {
    let (fake, mut drives) = Fake::of(&[(0, &[])]);
    collect(&mut drives, Sets::FALCON, None);
    fake.refuse("PhysicalDrive0", 5);
    for _ in 1..5 {
        assert!(values(&collect(&mut drives, Sets::FALCON, STEP), "disk.io.util").is_empty());
    }
    fake.refuses.lock().unwrap().clear();
    fake.minutes.lock().unwrap().insert(named(0), 5);
    assert_eq!(values(&collect(&mut drives, Sets::FALCON, STEP), "disk.io.util"), [50.0]);
}

/// An hour that the clock of the wall was put forward was an hour in which the disk was busy.
#[test]
fn a_clock_that_is_set_is_no_work_of_the_drive() {
    let (fake, mut drives) = Fake::of(&[(0, &[])]);
    collect(&mut drives, Sets::FALCON, None);
    assert_eq!(values(&collect(&mut drives, Sets::FALCON, STEP), "disk.io.msec_total"), [30_000.0]);
    fake.minutes.lock().unwrap().insert(named(0), 62);
    let said = collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!((values(&said, "disk.io.msec_total"), values(&said, "disk.io.util")), (vec![30_000.0], vec![]));
    let said = collect(&mut drives, Sets::FALCON, STEP);
    assert_eq!((values(&said, "disk.io.msec_total"), values(&said, "disk.io.util")), (vec![60_000.0], vec![50.0]));
}

/// A drive that hung made the sum of the others look like a host at rest.
#[test]
fn the_sum_is_of_all_drives_or_absent() {
    let name = SQL_QUEUE.name;
    let (fake, mut drives) = Fake::of(&[(0, &[]), (1, &[])]);
    let mut sums = |refused: &[(u32, i32)]| {
        *fake.refuses.lock().unwrap() = refused.iter().map(|(number, code)| (named(*number), *code)).collect();
        values(&collect(&mut drives, Sets::WINDOWS_AGENT, STEP), name).len()
    };
    assert_eq!((sums(&[]), sums(&[])), (0, 1));
    assert_eq!(sums(&[(1, 5)]), 0, "one failed");
    assert_eq!((sums(&[(1, 21)]), sums(&[(1, 1)])), (1, 1), "an empty card reader, and one that counts nothing");
    // A third one, found by a later list, counts from its second reading on.
    fake.drives.lock().unwrap().push((2, &[]));
    while fake.listed.load(Relaxed) < 2 {
        assert_eq!(sums(&[]), 1);
    }
    assert_eq!((sums(&[]), fake.minutes.lock().unwrap()[&named(2)]), (1, 2));
}
