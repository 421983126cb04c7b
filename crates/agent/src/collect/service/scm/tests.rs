use super::*;
use crate::collect::tests::{with_all, with_cx};
use crate::collect::{Collected, Guarded, known};
use crate::config::parse;
use crate::model::Sets;
use std::sync::{Mutex, mpsc};

const AUTO: ServiceStart = ServiceStart { mode: AUTOMATIC, delayed: false, triggered: false };

fn service(name: &str, state: u32, exit_code: u32) -> Service {
    Service { name: name.to_owned(), state, exit_code, pid: None, is_template: false, start: None }
}

fn starting(name: &str, state: u32, exit_code: u32, start: ServiceStart) -> Service {
    Service { start: Some(Ok(start)), ..service(name, state, exit_code) }
}

/// A collector of these services, of which each that is wanted starts automatically.
fn scm(file: &str, services: impl Fn() -> Vec<Service> + Send + Sync + 'static) -> Scm {
    let (config, _) = parse(file.as_bytes(), "cfg.json", &known()).unwrap();
    let ask = move |wants_start: &dyn Fn(&Service) -> bool| {
        let mut services = services();
        for service in services.iter_mut().filter(|service| wants_start(service)) {
            service.start.get_or_insert(Ok(AUTO));
        }
        Ok((services, Extent::Whole))
    };
    let stats = Arc::new(Stats::default());
    let guard = Guard::new(Guarded::Services, &config, &stats);
    Scm { since_boot: || BOOT, ..Scm::asking(Arc::new(ask), &config, guard, stats) }
}

fn said(collected: &Collected) -> Vec<(String, f64)> {
    let name = |sample: &crate::model::Sample| format!("{}/{}", sample.metric, sample.tags.as_str());
    collected.samples.iter().map(|sample| (name(sample), sample.value.get())).collect()
}

fn values(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[test]
fn configured_services_are_said_once_under_their_own_names() {
    let mut scm = scm(r#"{"service": {"names": ["w3svc", "MSSQL*", "W3*", "Nowhere", "No*"]}}"#, || {
        vec![service("W3SVC", 4, 0), service("MSSQL$A", 1, 0), service("Spooler", 4, 0), service("MSSQL,B", 2, 0)]
    });
    let (result, collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| scm.collect(cx));
    result.unwrap();
    let expected = values(&[
        ("service.running/name=W3SVC", 1.0),
        ("service.state/name=W3SVC", 4.0),
        ("service.running/name=MSSQL$A", 0.0),
        ("service.state/name=MSSQL$A", 1.0),
        ("service.running/name=MSSQL_B", 0.0),
        ("service.state/name=MSSQL_B", 2.0),
    ]);
    assert_eq!(said(&collected), expected);
    let remarks = [
        ("service Nowhere".to_owned(), "is not installed on this host".to_owned()),
        ("service No*".to_owned(), "fits no service of this host".to_owned()),
    ];
    assert_eq!(collected.remarks, remarks);
}

#[test]
fn what_should_run_and_does_not_is_counted() {
    let services = [
        starting("failed", 1, 1067, AUTO),
        starting("its own reason", 1, 1066, AUTO),
        starting("delayed", 1, 1067, ServiceStart { delayed: true, ..AUTO }),
        starting("never started", 1, 1077, AUTO),
        starting("done", 1, 0, AUTO),
        starting("runs", 4, 1067, AUTO),
        starting("on its way", 2, 1067, AUTO),
        starting("by events", 1, 1077, ServiceStart { triggered: true, ..AUTO }),
        starting("on demand", 1, 1077, ServiceStart { mode: 3, ..AUTO }),
        starting("disabled", 1, 1077, ServiceStart { mode: 4, ..AUTO }),
        Service { is_template: true, ..starting("for users", 1, 1077, AUTO) },
        Service { start: Some(Err(io::Error::from_raw_os_error(5))), ..service("secret", 1, 1067) },
        service("not asked", 1, 1067),
    ];
    assert_eq!(auto_stopped(&services, BOOT), 4);
    // Else each restart of a host would be an alarm.
    assert_eq!(auto_stopped(&services, BOOT - Duration::from_secs(1)), 2);
}

#[test]
fn how_a_service_starts_is_asked_only_where_it_is_said() {
    let services = || vec![service("A", 4, 0), service("B", 1, 1067), service("C", 1, 0)];
    let file = r#"{"service": {"names": ["A"]}}"#;
    let of = |sets: Sets| said(&with_cx(sets, Platform::Windows, |cx| scm(file, services).collect(cx)).1);
    let running = [("service.running/name=A", 1.0), ("service.state/name=A", 4.0)];
    assert_eq!(of(Sets::FALCON), values(&running));
    assert_eq!(of(Sets::EXTENDED), values(&[&running[..], &[("service.auto_stopped.count/", 1.0)]].concat()));
    let (_, all) = with_all(Sets::FALCON, Platform::Windows, None, |cx| scm(file, services).collect(cx));
    assert_eq!(said(&all), values(&[&running[..], &[("service.start_mode/name=A", 2.0)]].concat()));
}

#[test]
fn the_python_agents_names_are_said_in_its_set_alone() {
    let services = || vec![service("W3SVC", 1, 0)];
    let of = |file: &str, sets: Sets| said(&with_cx(sets, Platform::Windows, |cx| scm(file, services).collect(cx)).1);
    assert_eq!(of(r#"{"ignore": []}"#, Sets::WINDOWS_AGENT), values(&[("service.alive/", 1.0)]));
    assert_eq!(of("{}", Sets::WINDOWS_AGENT), values(&[("service.alive/", 0.0)]));
    assert_eq!(of(r#"{"ignore": []}"#, Sets::GO), []);
}

/// A service that keeps its rights from the agent cost the count of all others.
#[test]
fn a_service_that_may_not_be_read_costs_itself_alone() {
    let services = || {
        let refused =
            |name, code| Service { start: Some(Err(io::Error::from_raw_os_error(code))), ..service(name, 1, 1067) };
        vec![refused("secret", 5), refused("gone", 1060), refused("broken", 31), service("failed", 1, 1067)]
    };
    let (_, collected) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| scm("{}", services).collect(cx));
    assert_eq!(said(&collected), values(&[("service.auto_stopped.count/", 1.0)]));
    let told = |lines: &[(String, String)]| lines.iter().map(|(what, _)| what.clone()).collect::<Vec<_>>();
    assert_eq!(told(&collected.remarks), ["start of service secret"]);
    assert_eq!(told(&collected.problems), ["start of service broken"]);
}

#[test]
fn more_services_than_the_limit_are_left_out_and_told() {
    let file = r#"{"service": {"names": "*"}, "collector": {"limits": {"services": 2}}}"#;
    let services = || (0..5).map(|n| service(&format!("S{n}"), 4, 0)).collect();
    let (_, collected) = with_cx(Sets::FALCON, Platform::Windows, |cx| scm(file, services).collect(cx));
    assert_eq!((collected.samples.len(), collected.remarks.len()), (4, 1));
}

#[test]
fn a_manager_that_does_not_answer_is_an_error_and_is_not_asked_again_meanwhile() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let mut scm = scm("{}", move || {
        let _ = held.lock().unwrap().recv();
        Vec::new()
    });
    let ask = scm.ask.clone();
    let job = ("services".to_owned(), move || ask(&|_| false));
    scm.probes.run_all(vec![job], Duration::ZERO, Duration::ZERO);
    let (result, collected) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| scm.collect(cx));
    assert_eq!((result.unwrap_err().to_string().as_str(), collected.samples.len()), (LEFT_ALONE, 0));
    drop(release);
}
