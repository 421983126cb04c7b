//! Sources that are absent or fail.

use super::*;

#[test]
fn without_any_counters_pools_have_what_their_workers_use() {
    let mut iis = Iis::new();
    iis.run(11, "Pool A", 1);
    iis.run(12, "商店", 2);
    iis.cycle(None);
    iis.run(11, "Pool A", 31);
    iis.run(12, "商店", 8);
    let said = iis.cycle(Some(60));
    assert_eq!((said["cpu.percent Pool_A"], said["cpu.percent 商店"], said["cpu.percent _Total"]), (50.0, 10.0, 60.0));
    assert_eq!(said.len(), 3 * 6, "{said:?}");
    let told: Vec<&str> = iis.remarks();
    assert_eq!(told, ["counters of application pools", "applicationHost.config"]);
    assert!(iis.last.remarks[0].1.contains("APP_POOL_WAS, W3SVC_W3WP, HTTP Service Request Queues"));
    assert!(iis.problems().is_empty());
    // A queue's provider that dies costs the queues alone.
    iis.perf.refuse("iis.queues", Some(Refused::Paused));
    assert_eq!(iis.cycle(Some(60)).len(), 18);
    assert_eq!(iis.problems(), ["counters: HTTP Service Request Queues"]);
}

#[test]
fn without_command_lines_the_counters_tell_whose_a_worker_is() {
    let mut iis = Iis::new();
    iis.start(11, 11, 9000.0, 1, None);
    iis.served(0, &[("11_Pool_A", &[5, 0])]);
    iis.cycle(None);
    iis.start(11, 11, 9060.0, 7, None);
    let said = iis.cycle(Some(60));
    assert_eq!((said["cpu.percent Pool_A"], said["mem.private Pool_A"]), (10.0, 1011.0));
    assert!(iis.problems().is_empty());
}

/// A pool without a worker uses nothing; but one whose worker could not be told had a 0 as well.
#[test]
fn a_worker_of_nobody_knows_which_pool_leaves_idle_pools_without_numbers() {
    let mut iis = Iis::new();
    iis.was(0, &[("A", &[3, began(0, 9), 1, 0, 0, 0]), ("B", &[3, began(0, 9), 1, 0, 0, 0])]);
    iis.run(11, "A", 1);
    iis.start(12, 12, 9000.0, 1, None);
    iis.cycle(None);
    let said = iis.cycle(Some(60));
    assert_eq!(iis.problems(), ["the pool of a w3wp.exe"]);
    assert_eq!((said["mem.private A"], said["mem.private _Total"]), (1011.0, 2023.0), "the total is of all");
    assert!(!said.contains_key("mem.private B") && said.contains_key("state B"), "{said:?}");
}

/// Two workers could not be told for two reasons, and as their order changed each cycle logged another one.
#[test]
fn of_several_reasons_that_of_the_oldest_worker_is_told() {
    let mut iis = Iis::new();
    let mut told = Vec::new();
    for newest in [10, 12, 13] {
        iis.start(11, 50, 9000.0, 1, Some(String::new()));
        iis.start(newest, 60 + u64::from(newest), 9.0, 1, None);
        iis.cycle(None);
        told.extend(iis.last.problems.clone());
        iis.end(newest);
    }
    let one = ("the pool of a w3wp.exe".to_owned(), "its command line is empty".to_owned());
    assert_eq!(told, [one.clone(), one.clone(), one]);
}

#[test]
fn without_a_list_of_processes_the_counters_go_on_and_without_either_it_is_a_failure() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.was(0, &[("A", &[3, began(0, 9), 1, 0, 0, 0])]);
    iis.cycle(None);
    iis.host.0.lock().unwrap().is_blind = true;
    let said = iis.cycle(Some(60));
    assert_eq!(iis.problems(), ["processes"]);
    assert!(said.contains_key("state A") && !said.contains_key("mem.ws A"));
    iis.perf.remove(WAS);
    assert!(iis.try_cycle(Some(60)).is_err());
    // The interval is that since the list before.
    iis.host.0.lock().unwrap().is_blind = false;
    iis.run(11, "A", 19);
    assert_eq!(iis.cycle(Some(60))["cpu.percent A"], 10.0, "18 s of 180");
}

#[test]
fn only_what_is_said_is_asked_for_and_each_group_apart() {
    let mut iis = Iis::new();
    assert_eq!(iis.perf.open_groups(), 2);
    iis.cycle(None);
    let asked = iis.perf.asked();
    let groups: Vec<(&str, Vec<&str>)> = asked
        .iter()
        .map(|(group, queries)| (group.as_str(), queries.iter().map(|query| query.object.as_str()).collect()))
        .collect();
    assert_eq!(groups, [("iis.pools", vec![WAS, WORKER]), ("iis.queues", vec![QUEUE])]);
    assert_eq!(asked[0].1[1].counters, ["Total HTTP Requests Served", "Active Requests"]);
    assert_eq!(asked[1].1[0].counters, ["CurrentQueueSize", "ArrivalRate", "RejectedRequests", "MaxQueueItemAge"]);
}

/// Queries that first waited for their turn, and a slow disk, were longer than the lane waits: all of the cycle was lost.
#[test]
fn queues_are_not_asked_where_the_other_counters_took_all_the_time() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.was(0, &[("A", &[3, began(0, 9), 1, 0, 0, 0])]);
    iis.queues(0, &[("A", &[1, 5, 0, 0])]);
    let looks = Mutex::new(0);
    let clock = move || {
        let mut looks = looks.lock().unwrap();
        *looks += 1;
        Duration::from_secs(if *looks < 3 { 0 } else { 15 })
    };
    iis.pools.budget = Budget::on(&iis.config, Box::new(clock));
    let said = iis.cycle(None);
    assert!(said.contains_key("state A") && said.contains_key("mem.ws A") && !said.contains_key("queue.size A"));
    assert_eq!(iis.problems(), ["counters: HTTP Service Request Queues"]);
    assert_eq!(iis.perf.asked().len(), 1);
    assert_eq!(iis.cycle(Some(60))["queue.size A"], 1.0, "each run has its own time");
}

/// The list of pools came a cycle later than their queues, and the total of arrivals jumped by all that there ever were.
#[test]
fn queues_that_are_there_before_their_pools_are_known_make_no_jump() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.queues(0, &[("A", &[0, 100, 0, 0]), ("B", &[0, 9_000_000, 0, 0])]);
    assert_eq!(iis.cycle(None)["queue.arrivals _Total"], 100.0);
    iis.was(60, &[("A", &[3, began(0, 9), 1, 0, 0, 0]), ("B", &[3, began(0, 9), 1, 0, 0, 0])]);
    iis.queues(60, &[("A", &[0, 110, 0, 0]), ("B", &[0, 9_000_005, 0, 0])]);
    let said = iis.cycle(Some(60));
    assert_eq!((said["queue.arrivals B"], said["queue.arrivals _Total"]), (9_000_005.0, 115.0));
}

#[test]
fn a_damaged_object_is_told_and_costs_itself_alone() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.perf.set(WAS, Err(Missing::Damaged));
    iis.served(0, &[("11_A", &[5, 1])]);
    let said = iis.cycle(None);
    assert_eq!(iis.problems(), [WAS]);
    assert_eq!(said["requests.active A"], 1.0);
    let mut cut = table(0, &WAS_COLUMNS, &[("A", &[3, 0, 0, 0, 0, 0])]);
    cut.left_out = 2;
    iis.perf.set(WAS, Ok(cut));
    assert_eq!(iis.cycle(Some(60))["state A"], 3.0);
    assert_eq!(iis.problems(), [WAS]);
}

#[test]
fn it_is_opened_where_it_is_meant_to_be_or_where_iis_is() {
    let opens = |enabled: Switch| {
        let mut config = Config::standalone();
        config.iis.enabled = enabled;
        let context = Context { perf: Fake::default().perf(), ..crate::collect::tests::context(config) };
        open(&context).is_some()
    };
    assert!(opens(Switch::On) && !opens(Switch::Off));
    assert!(!opens(Switch::Auto), "neither Linux nor Wine has it");
}
