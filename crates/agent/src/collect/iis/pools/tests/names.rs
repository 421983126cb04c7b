//! Which pools and queues are told of, and under which names.

use super::*;

#[test]
fn queues_of_other_programs_are_told_of_only_where_it_is_asked_for() {
    let rows: [(&str, &[u64]); 4] =
        [("poola", &[1, 5, 0, 0]), ("WinRM", &[2, 50, 1, 3]), ("---42", &[1, 1, 1, 1]), ("_Total", &[9, 9, 9, 9])];
    let mut iis = Iis::new();
    iis.run(11, "PoolA", 1);
    iis.queues(0, &rows);
    let said = iis.cycle(None);
    assert_eq!((said["queue.size PoolA"], said["queue.size _Total"]), (1.0, 1.0), "case does not count");
    assert!(!said.keys().any(|name| name.contains("WinRM") || name.contains("---")), "{said:?}");

    let mut iis = Iis::configured(|config| {
        config.collector.switches.insert(ALL_QUEUES, true);
    });
    iis.run(11, "PoolA", 1);
    iis.queues(0, &rows);
    let said = iis.cycle(None);
    let other = [("queue.arrivals", 50.0), ("queue.max_age", 3.0), ("queue.rejected", 1.0), ("queue.size", 2.0)];
    assert_eq!(of(&said, "WinRM"), expected(&other));
    assert_eq!(said["queue.size _Total"], 1.0, "of pools");
}

#[test]
fn a_pool_that_is_removed_and_made_again_is_one_series() {
    let mut iis = Iis::new();
    iis.was(0, &[("A", &[7, 0, 0, 9, 0, 0]), ("a", &[3, began(0, 5), 1, 2, 0, 0]), ("A", &[1, 0, 0, 1, 0, 0])]);
    let said = iis.cycle(None);
    assert_eq!((said["state a"], said["recycles a"], said["uptime a"]), (3.0, 2.0, 5.0));
    assert_eq!(said.keys().filter(|name| name.starts_with("state")).count(), 1, "{said:?}");
}

/// A pool was made again beside what was left of the old one; when it was stopped the old one's sums were told of as growth.
#[test]
fn of_two_pools_of_one_name_that_stand_still_the_one_that_ran_goes_on() {
    let mut iis = Iis::new();
    let rows = |state: u64, recycles: u64| [[7, 0, 0, 900, 0, 0], [state, 0, 0, recycles, 0, 0]];
    for (second, state, recycles) in [(0, 3, 2), (60, 5, 3), (120, 5, 3), (180, 3, 4)] {
        let [old, new] = rows(state, recycles);
        iis.was(second, &[("A", &old), ("A", &new)]);
        let said = iis.cycle((second > 0).then_some(60));
        let recycles = crate::collect::float(recycles);
        assert_eq!((said["recycles A"], said["recycles _Total"]), (recycles, recycles), "at {second}");
    }
}

#[test]
fn names_that_are_one_tag_are_one_series_and_a_pool_called_total_is_none() {
    let mut iis = Iis::new();
    for (pid, pool) in [(11, "a b"), (12, "a_b"), (13, "_Total"), (14, "a=b")] {
        iis.run(pid, pool, 1);
    }
    let said = iis.cycle(None);
    assert_eq!(said["mem.private a_b"], 1011.0);
    assert_eq!(said["mem.private _Total"], 4.0 * 1000.0 + 11.0 + 12.0 + 13.0 + 14.0);
    let left_out = iis.remarks().iter().filter(|what| what.starts_with("application pool ")).count();
    assert_eq!(left_out, 3);
    assert_eq!(iis.stats.collided.get(), 3 * 4, "memory, working set, handles and threads of each");
}

#[test]
fn excluded_pools_and_those_over_the_limit_are_in_the_total_alone() {
    let mut iis = Iis::configured(|config| {
        config.iis.exclude = vec!["test*".to_owned()];
        config.collector.limits.insert("pools".to_owned(), 2);
    });
    for (pid, pool) in [(11, "Test1"), (12, "a"), (13, "b"), (14, "c")] {
        iis.run(pid, pool, 1);
    }
    let said = iis.cycle(None);
    let told: Vec<&String> = said.keys().filter(|name| name.starts_with("threads ")).collect();
    assert_eq!(told, ["threads _Total", "threads a", "threads b"]);
    assert_eq!(said["threads _Total"], 80.0);
    assert!(iis.remarks().contains(&"too many pools"));
}
