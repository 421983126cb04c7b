use super::*;
use crate::collect::tests::with_cx;
use crate::config::Config;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

/// Began long ago.
fn old(pid: u32, name: &str) -> Proc {
    Proc {
        pid,
        name: name.to_owned(),
        created: u64::from(pid) * 10,
        age_s: 9000.0 + f64::from(pid),
        user_us: 1_000_000,
        kernel_us: 500_000,
        memory_bytes: Some(100),
        working_set_bytes: 80,
        threads: 4,
        handles: Some(10),
        read_bytes: Some(1000),
        written_bytes: Some(2000),
    }
}

/// One name over several cycles.
struct Name {
    watched: Watched,
    seen: Seen,
    platform: Platform,
}

impl Name {
    fn new(name: &str, platform: Platform) -> Name {
        Name { watched: Watched::new(name, platform), seen: Seen::default(), platform }
    }

    fn cycle(&mut self, table: &[Proc], elapsed: Option<Duration>) -> BTreeMap<String, f64> {
        self.seen.pass(elapsed);
        let gains = self.seen.advance(table);
        let (_, said) = with_cx(Sets::FALCON, self.platform, |cx| self.watched.report(cx, table, gains));
        assert_eq!(said.not_finite, 0);
        said.samples
            .into_iter()
            .map(|s| {
                let name = s.metric.strip_prefix("process.").expect("process.").to_owned();
                (name, s.value.get())
            })
            .collect()
    }
}

#[test]
fn sums_of_all_that_fit_and_shares_of_one_processor() {
    let mut host = Name::new("java", Platform::Linux);
    let first = host.cycle(&[old(1, "java"), old(2, "sh"), old(3, "java")], None);
    let expected: BTreeMap<_, _> = [
        ("count", 2.0),
        ("handles", 20.0),
        ("io.read_bytes", 0.0),
        ("io.write_bytes", 0.0),
        ("mem", 200.0),
        ("threads", 8.0),
        ("uptime", 9003.0),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(first, expected, "no rates before the second cycle, and no working set of its own on Linux");
    let mut busy = old(1, "java");
    busy.user_us += 90_000_000;
    busy.kernel_us += 6_000_000;
    busy.read_bytes = Some(1500);
    let second = host.cycle(&[busy, old(2, "sh"), old(3, "java")], MINUTE);
    assert_eq!((second["cpu.all"], second["cpu.user"], second["cpu.sys"]), (160.0, 150.0, 10.0));
    assert_eq!((second["io.read_bytes"], second["io.write_bytes"]), (500.0, 0.0));
}

#[test]
fn a_process_that_ends_lowers_nothing_and_a_new_one_counts_from_its_start() {
    let mut host = Name::new("worker", Platform::Windows);
    host.cycle(&[old(1, "worker.exe"), old(2, "worker.exe")], None);
    // The pid of the one that ended is given again, to one that began within the interval.
    let mut young = Proc { created: 77, age_s: 3.0, ..old(2, "WORKER.EXE") };
    young.read_bytes = Some(300);
    let seen = host.cycle(&[old(1, "worker.exe"), young.clone()], MINUTE);
    assert_eq!(seen["cpu.all"], 2.5, "1.5 s of 60");
    assert_eq!((seen["io.read_bytes"], seen["io.write_bytes"], seen["mem.ws"]), (300.0, 2000.0, 160.0));
    young.read_bytes = Some(350);
    let seen = host.cycle(&[young], MINUTE);
    assert_eq!((seen["cpu.all"], seen["io.read_bytes"]), (0.0, 350.0));
}

#[test]
fn a_name_that_does_not_run_is_told_as_none_and_goes_on_where_it_was() {
    let mut host = Name::new("nginx", Platform::Linux);
    assert_eq!(host.cycle(&[], None), BTreeMap::from([("count".to_owned(), 0.0)]));
    let mut young = Proc { age_s: 10.0, ..old(5, "nginx") };
    assert_eq!(host.cycle(std::slice::from_ref(&young), MINUTE)["io.read_bytes"], 1000.0);
    assert_eq!(host.cycle(&[], MINUTE).len(), 1);
    (young.pid, young.created) = (6, 999);
    assert_eq!(host.cycle(&[young], MINUTE)["io.read_bytes"], 2000.0, "it never steps back");
}

/// It was there all the time under another name: what it did before is not what it does now.
#[test]
fn a_process_that_is_seen_late_is_no_spike() {
    let mut host = Name::new("nginx", Platform::Linux);
    host.cycle(&[], None);
    let seen = host.cycle(&[old(5, "nginx")], MINUTE);
    assert!(!seen.contains_key("cpu.all"));
    assert_eq!((seen["count"], seen["io.read_bytes"]), (1.0, 0.0));
    let seen = host.cycle(&[old(5, "nginx"), old(6, "nginx")], MINUTE);
    assert_eq!(seen["cpu.all"], 0.0, "of those that are known");
}

#[test]
fn what_one_process_keeps_to_itself_leaves_no_sum() {
    let mut host = Name::new("nginx", Platform::Linux);
    let mut dark = old(2, "nginx");
    (dark.handles, dark.read_bytes) = (None, None);
    host.cycle(&[old(1, "nginx"), dark.clone()], None);
    let mut read = old(1, "nginx");
    read.read_bytes = Some(1100);
    let seen = host.cycle(&[read.clone(), dark.clone()], MINUTE);
    assert!(!seen.contains_key("handles") && !seen.contains_key("io.read_bytes"));
    assert_eq!((seen["io.write_bytes"], seen["mem"]), (0.0, 200.0));
    dark.read_bytes = Some(u64::MAX);
    let seen = host.cycle(&[read, dark], MINUTE);
    assert_eq!(seen["io.read_bytes"], 100.0, "the first number that is told is only where to begin");
}

#[test]
fn a_cycle_without_a_list_makes_the_interval_longer() {
    let mut host = Name::new("nginx", Platform::Linux);
    host.cycle(&[old(1, "nginx")], None);
    host.seen.pass(MINUTE);
    let busy = Proc { user_us: 61_000_000, ..old(1, "nginx") };
    assert_eq!(host.cycle(std::slice::from_ref(&busy), MINUTE)["cpu.all"], 50.0);
    assert_eq!(host.cycle(&[busy], MINUTE)["cpu.all"], 0.0);
}

#[test]
fn odd_values_make_no_odd_numbers() {
    let mut host = Name::new("x", Platform::Linux);
    let most = Proc {
        user_us: u64::MAX,
        kernel_us: u64::MAX,
        memory_bytes: Some(u64::MAX),
        threads: u64::MAX,
        handles: Some(u64::MAX),
        read_bytes: Some(u64::MAX),
        age_s: 1.0,
        ..old(1, "x")
    };
    host.cycle(&[], None);
    let table = [most.clone(), Proc { pid: 2, ..most.clone() }];
    let seen = host.cycle(&table, MINUTE);
    assert_eq!((seen["mem"], seen["io.read_bytes"]), (float(u64::MAX), float(u64::MAX)));
    // Everything steps back, and the clock stands still.
    let seen = host.cycle(&[Proc { created: most.created, ..old(1, "x") }], Some(Duration::ZERO));
    assert!(!seen.contains_key("cpu.all"));
    assert_eq!(seen["io.read_bytes"], float(u64::MAX));
    let seen = host.cycle(&[Proc { user_us: 0, age_s: f64::NAN, ..old(1, "x") }], MINUTE);
    assert_eq!((seen["cpu.all"], seen["uptime"]), (0.0, 0.0));
}

#[test]
fn sql_servers_first_two_processes() {
    let pattern = Pattern::new(SQL_IMAGE, Platform::Windows);
    let mut seen = Seen::default();
    let mut said = |table: &[Proc], elapsed: Option<Duration>| -> Vec<(String, f64)> {
        seen.pass(elapsed);
        let gains = seen.advance(table);
        let run = |cx: &mut Cx<'_>| emit_sql(cx, &pattern, table, gains);
        let (_, said) = with_cx(Sets::WINDOWS_AGENT, Platform::Windows, run);
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
    };
    let (mut a, mut b) = (old(4, "sqlservr.exe"), old(9, "SQLSERVR.EXE"));
    assert!(said(&[a.clone(), old(1, "x.exe")], None).is_empty());
    a.kernel_us += 30_000_000;
    let first = ("sqlserver.proc.sqlservr.privileged_time".to_owned(), 50.0);
    assert_eq!(said(&[a.clone(), old(1, "x.exe")], MINUTE), [first]);
    assert_eq!(said(&[a.clone(), b.clone()], MINUTE).len(), 1, "the second is only seen now");
    a.kernel_us += 90_000_000;
    (b.user_us, b.kernel_us) = (b.user_us + 100_000_000, b.kernel_us + 100_000_000);
    let both = said(&[old(1, "x.exe"), a, b], MINUTE);
    assert_eq!(both[0].1, 100.0, "150 is cut");
    assert_eq!(both[1], ("sqlserver.proc.sqlservr.1.processor_time".to_owned(), 100.0));
    assert!(said(&[], MINUTE).is_empty());
}

#[test]
fn without_names_nobody_lists_processes() {
    let mut config = Config::standalone();
    let opens = |config: &Config| {
        let context = crate::collect::tests::context(config.clone());
        (SPEC.open)(&context).expect("no failure").is_some()
    };
    assert!(!opens(&config));
    config.collector.names = vec![NameSet::WindowsAgent];
    assert_eq!(opens(&config), Platform::CURRENT == Platform::Windows, "SQL Server's are asked for by the name set");
    (config.collector.names, config.collector.process) = (vec![NameSet::Falcon], vec!["sshd".to_owned()]);
    assert!(opens(&config));
}

/// This very test, on this very host.
#[test]
fn this_process_is_found() {
    let name = std::env::current_exe().expect("a path").file_name().expect("a name").to_string_lossy().into_owned();
    let mut config = Config::standalone();
    config.collector.process = vec![name.clone(), "no such program".to_owned()];
    let context = crate::collect::tests::context(config);
    let mut collector = (SPEC.open)(&context).expect("no failure").expect("there are names");
    let (result, said) = with_cx(Sets::EXTENDED, Platform::CURRENT, |cx| collector.collect(cx));
    result.expect("listed");
    let value = |metric: &str, name: &str| {
        let tags = Tags::of(&[("name", name)]);
        said.samples.iter().find(|s| s.metric == metric && s.tags == tags).map(|s| s.value.get())
    };
    assert!(value("process.count", &name).is_some_and(|count| count >= 1.0), "{name}: {:?}", said.samples);
    assert!(value("process.threads", &name).is_some_and(|threads| threads >= 1.0));
    assert_eq!(value("process.cpu.all", &name), None, "there is one reading only");
    assert_eq!(value("process.count", "no such program"), Some(0.0));
}
