use super::*;
use crate::collect::tests::{with_all, with_cx};
use crate::collect::{Collected, Guarded};
use crate::config::Config;
use crate::model::Sets;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STEP: Option<Duration> = Some(Duration::from_secs(60));

fn drive(name: &str, letters: &[&str]) -> Drive {
    Drive { name: name.to_owned(), letters: letters.iter().map(ToString::to_string).collect() }
}

/// A host whose drives a test sets, and how often it was asked for their list.
#[derive(Clone, Default)]
struct Fake {
    drives: Arc<Mutex<Vec<Drive>>>,
    /// Windows' code with which a drive refuses.
    refuses: Arc<Mutex<HashMap<String, i32>>>,
    listed: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
    list_fails: Arc<AtomicU64>,
}

impl Fake {
    fn of(drives: &[Drive]) -> (Fake, Drives) {
        let fake = Fake { drives: Arc::new(Mutex::new(drives.to_vec())), ..Fake::default() };
        let (list, io) = (fake.clone(), fake.clone());
        let asked = Asked { list: Arc::new(move || list.list()), io: Arc::new(move |name| io.io(name)) };
        let stats = Arc::new(Stats::default());
        let guard = Guard::new(Guarded::Disks, &Config::standalone(), &stats);
        (fake, Drives::asking(asked, guard, stats))
    }

    fn list(&self) -> List {
        self.listed.fetch_add(1, Relaxed);
        match self.list_fails.load(Relaxed) {
            0 => Ok(self.drives.lock().unwrap().clone()),
            _ => Err(io::Error::other("no list")),
        }
    }

    /// Each answer is ten seconds and ten reads after the one before.
    fn io(&self, name: &str) -> Answer {
        if let Some(code) = self.refuses.lock().unwrap().get(name) {
            return Err(match code {
                2 => io::ErrorKind::NotFound.into(),
                code => io::Error::from_raw_os_error(*code),
            });
        }
        let n = self.asked.fetch_add(1, Relaxed);
        Ok(DiskIo {
            name: name.to_owned(),
            clock_us: n * 10_000_000,
            idle_us: n * 5_000_000,
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
    let (_, mut drives) = Fake::of(&[
        drive("PhysicalDrive0", &["C:", "D:"]),
        drive("PhysicalDrive1", &["D:"]),
        drive("PhysicalDrive12", &[]),
    ]);
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
fn volumes_are_asked_only_for_the_names_that_need_them() {
    let (fake, mut drives) = Fake::of(&[drive("PhysicalDrive0", &["C:"])]);
    collect(&mut drives, Sets::FALCON, None);
    assert_eq!(fake.asked.load(Relaxed), 1);
    collect(&mut drives, Sets::LEONZYANG, STEP);
    assert_eq!(fake.asked.load(Relaxed), 3);
}

#[test]
fn drives_are_listed_every_ten_minutes() {
    let (fake, mut drives) = Fake::of(&[drive("PhysicalDrive0", &[])]);
    collect(&mut drives, Sets::FALCON, None);
    fake.drives.lock().unwrap().push(drive("PhysicalDrive1", &[]));
    for minute in 1..10 {
        assert_eq!(devices(&collect(&mut drives, Sets::FALCON, STEP)).len(), 1, "{minute}");
    }
    assert_eq!(fake.listed.load(Relaxed), 1);
    assert_eq!(devices(&collect(&mut drives, Sets::FALCON, STEP)).len(), 2);
    assert_eq!(fake.listed.load(Relaxed), 2);
}

#[test]
fn a_drive_that_is_pulled_out_is_forgotten_without_a_word() {
    let (fake, mut drives) = Fake::of(&[drive("PhysicalDrive0", &[]), drive("PhysicalDrive1", &[])]);
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
    let names = ["PhysicalDrive0", "PhysicalDrive1", "PhysicalDrive2", "PhysicalDrive3", "PhysicalDrive4"];
    let (fake, mut drives) = Fake::of(&names.map(|name| drive(name, &[])));
    for (name, code) in [(names[0], 1), (names[1], 50), (names[2], 21), (names[3], 5)] {
        fake.refuse(name, code);
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
    let (fake, mut drives) = Fake::of(&[drive("PhysicalDrive0", &[])]);
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
    let known = [drive("PhysicalDrive0", &[]), drive("PhysicalDrive1", &[])];
    let (_, mut drives) = Fake::of(&known);
    let answers = |newly| {
        let good = Ok(DiskIo { reads: 5, ..DiskIo::default() });
        vec![("PhysicalDrive0".to_owned(), Outcome::Late { newly }), ("PhysicalDrive1".to_owned(), Outcome::Done(good))]
    };
    for newly in [true, false] {
        let (_, said) = with_cx(Sets::FALCON, Platform::Windows, |cx| drives.report(cx, &known, answers(newly), false));
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

/// What a drive did over ten minutes is known when it answers again: by its own clock, not by the agent's.
#[test]
fn a_drive_that_answers_again_tells_the_mean_of_the_time_between() {
    let (_, mut drives) = Fake::of(&[drive("PhysicalDrive0", &[])]);
    collect(&mut drives, Sets::FALCON, None);
    let said = collect(&mut drives, Sets::FALCON, None);
    let util: Vec<_> = said.samples.iter().filter(|s| s.metric == "disk.io.util").map(|s| s.value.get()).collect();
    assert_eq!(util, [50.0]);
}
