//! Which instances there are, whether they run, and what one costs another.

use super::*;
use crate::perf::client::Refused;

const EXTENDED: &str = r#"{"collector": {"names": ["extended"]}}"#;

fn connections(fake: &Fake, object: &str, number: u64) {
    fake.set(object, Ok(table(0, &[("User Connections", LARGE)], &[("", &[number])])));
}

// Counters of an instance that was stopped stay where they are, with the last numbers.
#[test]
fn a_stopped_instance_is_down_and_nothing_else() {
    let mut rig = Rig::typical(EXTENDED);
    connections(&rig.fake, "SQLServer:General Statistics", 5);
    connections(&rig.fake, "MSSQL$Prod:General Statistics", 7);
    rig.facts(|facts| facts.processes = vec![process(10, 0)]);
    let collected = rig.cycle();
    let of_prod = |collected: &Collected| -> Vec<String> {
        said(collected).into_keys().filter(|name| name.contains("instance=Prod")).collect()
    };
    assert_eq!(of_prod(&collected), ["mssql.up{instance=Prod}"]);
    assert!(collected.problems.is_empty(), "{:?}", collected.problems);
    assert!(rig.fake.asked().iter().all(|(group, _)| group == "mssql:MSSQLSERVER"));
    rig.facts(|facts| facts.services[1] = ("MSSQL$Prod", 4, 20));
    let told = said(&rig.cycle());
    assert_eq!(told.get("mssql.general.user_connections{instance=Prod}"), Some(&7.0));
    assert_eq!(told.get("mssql.general.user_connections{instance=MSSQLSERVER}"), Some(&5.0));
    assert_eq!(told.get("mssql.perf.available{instance=Prod}"), Some(&1.0));
    assert_eq!((told.get("mssql.uptime{instance=Prod}"), rig.fake.open_groups()), (None, 2));
    rig.facts(|facts| facts.services = vec![("MSSQLSERVER", 2, 0), ("MSSQL$Prod", 7, 20)]);
    let down = said(&rig.cycle());
    let wanted = [("mssql.up{instance=MSSQLSERVER}", 0.0), ("mssql.up{instance=Prod}", 0.0)];
    assert_eq!(down, wanted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    assert_eq!(rig.fake.open_groups(), 0);
}

#[test]
fn an_instance_is_found_by_any_of_its_three_traces_and_once() {
    let facts = Facts {
        registered: vec!["Prod"],
        services: vec![("MSSQL$PROD", 4, 1), ("mssqlserver", 4, 2), ("MSSQL$Other", 1, 0)],
        ..Facts::default()
    };
    let mut rig = Rig::new(EXTENDED, facts);
    connections(&rig.fake, "MSSQL$prod:General Statistics", 1);
    connections(&rig.fake, "MSSQL$Left:General Statistics", 1);
    let wanted = [("MSSQLSERVER", 1.0), ("Left", 0.0), ("Other", 0.0), ("Prod", 1.0)];
    let wanted: BTreeMap<String, f64> =
        wanted.into_iter().map(|(name, up)| (format!("mssql.up{{instance={name}}}"), up)).collect();
    let mut said = said(&rig.cycle());
    said.retain(|name, _| name.starts_with("mssql.up"));
    assert_eq!(said, wanted);
}

#[test]
fn instances_are_looked_for_every_ten_minutes() {
    let mut rig = Rig::typical(EXTENDED);
    let ups = |rig: &mut Rig| names(&rig.cycle(), "mssql.up").len();
    assert_eq!(ups(&mut rig), 2);
    rig.facts(|facts| {
        facts.registered = vec!["MSSQLSERVER", "New"];
        facts.services = vec![("MSSQLSERVER", 4, 10), ("MSSQL$New", 4, 12)];
    });
    for minute in 1..10 {
        let names = names(&rig.cycle(), "mssql.up");
        assert!(names.iter().all(|name| !name.contains("New")), "minute {minute}");
    }
    assert_eq!(names(&rig.cycle(), "mssql.up"), ["mssql.up{instance=MSSQLSERVER}", "mssql.up{instance=New}"]);
    // What cannot be looked at takes nothing away.
    rig.facts(|facts| {
        facts.registry_fails = true;
        facts.services = vec![("MSSQL$NEW", 4, 12)];
    });
    for _ in 0..10 {
        assert_eq!(ups(&mut rig), 2);
    }
    let collected = rig.cycle();
    assert_eq!(collected.problems[0], ("registered instances of SQL Server".to_owned(), "no registry".to_owned()));
}

// Each host of a failover cluster but one said that its SQL Server was down.
#[test]
fn a_clustered_instance_that_does_not_run_here_is_not_down() {
    let mut rig = Rig::typical(EXTENDED);
    rig.facts(|facts| facts.clustered = vec!["MSSQLSERVER", "Prod"]);
    assert_eq!(names(&rig.cycle(), "mssql.up"), ["mssql.up{instance=MSSQLSERVER}"]);
    rig.facts(|facts| facts.services = vec![("MSSQLSERVER", 1, 0), ("MSSQL$Prod", 4, 20)]);
    assert_eq!(names(&rig.cycle(), "mssql.up"), ["mssql.up{instance=Prod}"]);
}

// Version and edition were read, and nobody saw them.
#[test]
fn what_setup_tells_of_an_instance_is_kept_for_the_log() {
    let mut rig = Rig::typical(EXTENDED);
    rig.facts(|facts| {
        (facts.clustered, facts.edition) = (vec!["Prod"], Some("Standard Edition"));
        facts.services.push(("MSSQL$Other", 1, 0));
    });
    rig.cycle();
    let about = |rig: &Rig| -> Vec<String> {
        let all = rig.collector.instances.iter();
        all.map(|instance| format!("{}: {}", instance.name, instance.about)).collect()
    };
    let told = [
        "MSSQLSERVER: version 15.0.4316.3, Standard Edition (MSSQL15.MSSQLSERVER), not clustered",
        "Prod: version 15.0.4316.3, Standard Edition (MSSQL15.Prod), of a failover cluster",
        "Other: not registered by setup",
    ];
    assert_eq!(about(&rig), told);
    // What cannot be read changes nothing.
    rig.facts(|facts| facts.registry_fails = true);
    (0..10).for_each(|_| drop(rig.cycle()));
    assert_eq!(about(&rig), told);
}

// Those beyond the bound were in no count, and which ones they were changed with what else was found.
#[test]
fn over_the_bound_instances_are_left_out_counted_and_told_once() {
    let file = r#"{"collector": {"names": ["extended"], "limits": {"instances": 2}}}"#;
    let registered = vec!["B", "C", "D"];
    let mut rig = Rig::new(file, Facts { registered, ..Facts::default() });
    let told = |rig: &mut Rig| {
        let collected = rig.cycle();
        let remarks: Vec<String> = collected.remarks.iter().map(|(what, _)| what.clone()).collect();
        let left_out = rig.stats.series_dropped[Guarded::Instances as usize].get();
        (names(&collected, "mssql.up").concat(), left_out, remarks)
    };
    let many = vec!["too many instances".to_owned()];
    let (b, c) = ("mssql.up{instance=B}", "mssql.up{instance=C}");
    assert_eq!(told(&mut rig), (format!("{b}{c}"), 1, many.clone()));
    rig.facts(|facts| facts.registered = vec!["A", "B", "C", "D"]);
    for _ in 0..9 {
        assert_eq!(told(&mut rig), (format!("{b}{c}"), 1, many.clone()));
    }
    assert_eq!(told(&mut rig), (format!("{b}{c}"), 2, many));
    assert_eq!(Guarded::Instances.default_limit(), 50);
}

#[test]
fn where_nothing_is_installed_that_is_remarked_if_it_is_meant_to_be() {
    for (enabled, remarks) in [("true", 1), ("\"auto\"", 0)] {
        let file = format!(r#"{{"collector": {{"names": ["extended"]}}, "mssql": {{"enabled": {enabled}}}}}"#);
        let mut rig = Rig::new(&file, Facts::default());
        let collected = rig.cycle();
        assert_eq!((collected.samples.len(), collected.remarks.len()), (0, remarks), "{enabled}");
        assert!(collected.problems.is_empty());
    }
}

#[test]
fn what_one_version_lacks_and_what_is_damaged_costs_itself_alone() {
    let mut rig = Rig::typical(EXTENDED);
    connections(&rig.fake, "SQLServer:General Statistics", 5);
    rig.fake.set("SQLServer:Locks", Err(Missing::Unserved));
    rig.fake.set("SQLServer:Latches", Err(Missing::Unnamed));
    let broken = Table { left_out: 1, ..table(0, &[("Page life expectancy", LARGE)], &[("", &[77])]) };
    rig.fake.set("SQLServer:Buffer Manager", Ok(broken));
    let collected = rig.cycle();
    let said = said(&collected);
    assert_eq!(said.get("mssql.general.user_connections{instance=MSSQLSERVER}"), Some(&5.0));
    assert_eq!(said.get("mssql.buffer.page_life_expectancy{instance=MSSQLSERVER}"), Some(&77.0));
    let what: Vec<&str> = collected.problems.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(what, ["SQLServer:Buffer Manager", "SQLServer:Locks"]);
    assert_eq!(rig.cycle().problems, collected.problems, "the same words in each cycle");
}

#[test]
fn an_instance_that_is_refused_is_a_problem_of_its_own() {
    let mut rig = Rig::typical(EXTENDED);
    rig.facts(|facts| facts.services[1] = ("MSSQL$Prod", 4, 20));
    connections(&rig.fake, "MSSQL$Prod:General Statistics", 7);
    rig.fake.refuse("mssql:MSSQLSERVER", Some(Refused::Paused));
    let collected = rig.cycle();
    let told = said(&collected);
    assert_eq!(told.get("mssql.perf.available{instance=MSSQLSERVER}"), Some(&0.0));
    assert_eq!(told.get("mssql.up{instance=MSSQLSERVER}"), Some(&1.0));
    assert_eq!(told.get("mssql.general.user_connections{instance=Prod}"), Some(&7.0));
    assert_eq!(collected.problems.len(), 1);
    assert_eq!(collected.problems[0].0, "counters of SQL Server instance MSSQLSERVER");
    // Without any object it is none of the versions: its counters were never registered.
    rig.fake.refuse("mssql:MSSQLSERVER", None);
    let collected = rig.cycle();
    assert_eq!(said(&collected).get("mssql.perf.available{instance=MSSQLSERVER}"), Some(&0.0));
    assert!(collected.problems[0].1.contains("lodctr"), "{:?}", collected.problems);
}

// Each start of SQL Server logged that its counters were to be registered, as it runs before it has any.
#[test]
fn an_instance_that_has_just_begun_need_not_have_counters_yet() {
    let mut rig = Rig::typical(EXTENDED);
    let begun = |rig: &mut Rig, age_s| {
        rig.facts(|facts| facts.processes = vec![Proc { age_s, ..process(10, 0) }]);
        let collected = rig.cycle();
        let available = said(&collected).get("mssql.perf.available{instance=MSSQLSERVER}").copied();
        (available, collected.problems.len())
    };
    assert_eq!(begun(&mut rig, 179.0), (None, 0));
    assert_eq!(begun(&mut rig, 180.0), (Some(0.0), 1));
    connections(&rig.fake, "SQLServer:General Statistics", 5);
    rig.fake.set("SQLServer:Locks", Err(Missing::Unserved));
    assert_eq!(begun(&mut rig, 1.0), (Some(1.0), 0));
    assert_eq!(begun(&mut rig, 181.0), (Some(1.0), 1));
    // One that does not answer is told of at any age.
    rig.fake.refuse("mssql:MSSQLSERVER", Some(Refused::Late(10)));
    assert_eq!(begun(&mut rig, 1.0), (Some(0.0), 1));
}

/// Three that run: A, B and C.
fn three() -> Rig {
    let services = vec![("MSSQL$A", 4, 1), ("MSSQL$B", 4, 2), ("MSSQL$C", 4, 3)];
    let rig = Rig::new(EXTENDED, Facts { services, ..Facts::default() });
    for instance in ["A", "B", "C"] {
        connections(&rig.fake, &format!("MSSQL${instance}:General Statistics"), 1);
    }
    rig
}

/// Which were asked since the last call, in their order.
fn asked(rig: &Rig) -> String {
    rig.fake.asked().into_iter().map(|(group, _)| group.replace("mssql:", "")).collect()
}

// Three providers that hang would have taken the deadline of the whole collector, and what the others said with it.
#[test]
fn after_two_that_do_not_answer_the_rest_comes_first_in_the_next_cycle() {
    let mut rig = three();
    for group in ["mssql:A", "mssql:B"] {
        rig.fake.refuse(group, Some(Refused::Late(10)));
    }
    let collected = rig.cycle();
    assert_eq!((asked(&rig), collected.problems.len()), ("AB".to_owned(), 3));
    assert_eq!(collected.problems[2], ("counters of SQL Server instance C".to_owned(), SPENT.to_owned()));
    assert_eq!(names(&collected, "mssql.up").len(), 3);
    rig.cycle();
    assert_eq!(asked(&rig), "CAB");
}

// Only verdicts counted: a list of services that takes its time and a query that waits for its turn took the deadline too.
#[test]
fn time_that_goes_by_without_a_verdict_counts_too() {
    let mut rig = three();
    rig.cycle();
    asked(&rig);
    rig.facts(|facts| facts.services_take = Some((rig.hand.clone(), 5)));
    rig.hand.each_takes(6);
    let said = names(&rig.cycle(), "mssql.general.user_connections");
    assert_eq!((asked(&rig), said.len()), ("AB".to_owned(), 2), "{said:?}");
    rig.cycle();
    assert_eq!(asked(&rig), "CA");
}

#[test]
fn while_the_manager_of_services_is_busy_the_last_states_count() {
    let mut rig = Rig::typical(EXTENDED);
    connections(&rig.fake, "SQLServer:General Statistics", 5);
    rig.facts(|facts| facts.services_fail = true);
    let (result, collected) = rig.try_cycle();
    assert!(result.is_err() && collected.samples.is_empty(), "nothing is known");
    rig.facts(|facts| facts.services_fail = false);
    rig.cycle();
    rig.facts(|facts| facts.services_fail = true);
    let collected = rig.cycle();
    let told = said(&collected);
    assert_eq!(told.get("mssql.general.user_connections{instance=MSSQLSERVER}"), Some(&5.0));
    assert_eq!(told.get("mssql.up{instance=MSSQLSERVER}"), None, "what is not known is not said");
    assert_eq!(collected.problems, [("services".to_owned(), "busy".to_owned())]);
}

#[test]
fn jobs_are_asked_for_while_the_agent_service_runs() {
    let mut rig = Rig::typical(EXTENDED);
    rig.fake.set("SQLAgent:Jobs", Ok(table(0, &[("Active jobs", LARGE)], &[("Alerts", &[1]), ("_Total", &[2])])));
    connections(&rig.fake, "SQLServer:General Statistics", 5);
    let active = "mssql.agent.jobs.active{instance=MSSQLSERVER}";
    assert_eq!(said(&rig.cycle()).get(active), Some(&2.0));
    rig.facts(|facts| facts.services[2] = ("SQLSERVERAGENT", 1, 0));
    rig.fake.asked();
    let told = said(&rig.cycle());
    assert_eq!(
        (told.get(active), told.get("mssql.general.user_connections{instance=MSSQLSERVER}")),
        (None, Some(&5.0))
    );
    assert!(rig.fake.asked()[0].1.iter().all(|query| query.object != "SQLAgent:Jobs"));
    // They are another provider's: they go on without the engine's, which are missed once for all.
    rig.facts(|facts| facts.services[2] = ("SQLSERVERAGENT", 4, 11));
    rig.fake.set("SQLServer:General Statistics", Err(Missing::Unserved));
    let collected = rig.cycle();
    let told = said(&collected);
    let available = "mssql.perf.available{instance=MSSQLSERVER}";
    assert_eq!((told.get(active), told.get(available), collected.problems.len()), (Some(&2.0), Some(&0.0), 1));
}

#[test]
fn processor_time_is_that_of_the_instances_own_process() {
    let mut rig = Rig::typical(EXTENDED);
    rig.facts(|facts| {
        facts.services[1] = ("MSSQL$Prod", 4, 20);
        facts.processes = vec![process(20, 100), process(10, 100), process(30, 9)];
    });
    let cpu = "mssql.process.cpu.percent{instance=MSSQLSERVER}";
    assert_eq!(said(&rig.cycle()).get(cpu), None);
    rig.facts(|facts| facts.processes = vec![process(20, 100), process(10, 190)]);
    let told = said(&rig.cycle());
    assert_eq!((told.get(cpu), told.get("mssql.process.cpu.percent{instance=Prod}")), (Some(&150.0), Some(&0.0)));
    // A new process under the same pid has no time before.
    rig.facts(|facts| facts.processes = vec![Proc { created: 8, ..process(10, 1) }]);
    let told = said(&rig.cycle());
    assert_eq!((told.get(cpu), told.contains_key("mssql.uptime{instance=Prod}")), (None, false));
}

// A manager of services that took five seconds moved five seconds of processor time into the minute before.
#[test]
fn processor_time_is_read_before_anything_that_takes_its_time() {
    let mut rig = Rig::typical(EXTENDED);
    rig.facts(|facts| facts.processes = vec![process(10, 100)]);
    rig.cycle();
    rig.facts(|facts| {
        facts.processes = vec![process(10, 130)];
        facts.used_meanwhile_s = 5;
    });
    assert_eq!(said(&rig.cycle()).get("mssql.process.cpu.percent{instance=MSSQLSERVER}"), Some(&50.0));
    // A cycle without a list of services is part of the interval.
    rig.facts(|facts| (facts.processes, facts.used_meanwhile_s) = (vec![process(10, 190)], 0));
    rig.collector.services = None;
    rig.facts(|facts| facts.services_fail = true);
    assert!(rig.try_cycle().0.is_err());
    rig.facts(|facts| facts.services_fail = false);
    assert_eq!(said(&rig.cycle()).get("mssql.process.cpu.percent{instance=MSSQLSERVER}"), Some(&50.0));
}
