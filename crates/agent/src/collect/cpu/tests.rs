use super::*;
use crate::collect::tests::{with_all, with_cx};
use std::collections::BTreeMap;

fn shares(before: CpuTimes, now: CpuTimes, sets: Sets, platform: Platform) -> BTreeMap<String, f64> {
    let (_, said) = with_cx(sets, platform, |cx| emit_shares(cx, &before, &now, platform));
    said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect()
}

#[test]
fn linux_shares_add_up_and_guest_is_not_counted_twice() {
    let before = CpuTimes::default();
    let now = CpuTimes {
        user: 30,
        nice: 10,
        system: 10,
        idle: 40,
        iowait: 4,
        irq: 1,
        softirq: 2,
        steal: 3,
        guest: 20,
        guest_nice: 5,
    };
    let said = shares(before, now, Sets::FALCON, Platform::Linux);
    assert_eq!(said["cpu.idle"], 40.0);
    assert_eq!(said["cpu.busy"], 60.0);
    assert_eq!(said["cpu.user"], 30.0);
    assert_eq!(said["cpu.guest"], 20.0);
    assert_eq!(said["cpu.steal"], 3.0);
    assert_eq!(said.len(), 10, "{said:?}");
}

#[test]
fn windows_counts_interrupts_within_system() {
    let now = CpuTimes { user: 20, system: 30, idle: 50, irq: 5, softirq: 10, ..CpuTimes::default() };
    let said = shares(CpuTimes::default(), now, Sets::FALCON, Platform::Windows);
    assert_eq!((said["cpu.system"], said["cpu.irq"], said["cpu.softirq"]), (30.0, 5.0, 10.0));
    assert_eq!(said["cpu.user"] + said["cpu.system"] + said["cpu.idle"], 100.0);
    assert!(!said.contains_key("cpu.iowait"));
    let zeros = shares(CpuTimes::default(), now, Sets::LEONZYANG, Platform::Windows);
    assert_eq!(zeros["cpu.iowait"], 0.0);
}

/// The Go agent subtracts unsigned: iowait going back by one tick made it say 1.8e19 percent.
#[test]
fn a_counter_that_steps_back_is_no_progress() {
    let before = CpuTimes { user: 100, idle: 1000, iowait: 50, ..CpuTimes::default() };
    let now = CpuTimes { user: 150, idle: 1050, iowait: 49, ..CpuTimes::default() };
    let said = shares(before, now, Sets::FALCON, Platform::Linux);
    assert_eq!((said["cpu.iowait"], said["cpu.idle"], said["cpu.user"]), (0.0, 50.0, 50.0));
}

#[test]
fn two_equal_readings_are_all_zero() {
    let times = CpuTimes { user: 1, idle: 2, ..CpuTimes::default() };
    assert!(shares(times, times, Sets::FALCON, Platform::Linux).values().all(|share| *share == 0.0));
}

#[test]
fn the_python_agents_name_for_a_sql_host_is_what_is_not_idle() {
    let now = CpuTimes { user: 20, system: 5, idle: 75, ..CpuTimes::default() };
    let said = shares(CpuTimes::default(), now, Sets::WINDOWS_AGENT, Platform::Windows);
    assert_eq!(said["sqlserver.processor_info.total.processor_time"], 25.0);
    let said = shares(CpuTimes::default(), now, Sets::WINDOWS_AGENT, Platform::Linux);
    assert_eq!(said.keys().collect::<Vec<_>>(), ["cpu.idle", "cpu.system", "cpu.user"]);
}

#[test]
fn totals_that_the_kernel_does_not_tell_are_absent() {
    let said = |stat: CpuStat, platform: Platform| {
        let sets = Sets::FALCON.and(Sets::EXTENDED);
        let (_, said) = with_cx(sets, platform, |cx| emit_totals(cx, &stat));
        said.samples.into_iter().map(|s| (s.metric.into_owned(), s.value.get())).collect::<BTreeMap<_, _>>()
    };
    let all =
        CpuStat { count: 4, context_switches: Some(1 << 40), interrupts: Some(7), dpcs: Some(9), ..CpuStat::default() };
    let windows = said(all, Platform::Windows);
    assert_eq!(windows["cpu.switches"], (1u64 << 40) as f64);
    assert_eq!((windows["cpu.dpcs"], windows.len()), (9.0, 4));
    assert!(!said(all, Platform::Linux).contains_key("cpu.dpcs"));
    let none = said(CpuStat { count: 4, ..CpuStat::default() }, Platform::Windows);
    assert_eq!(none.keys().collect::<Vec<_>>(), ["cpu.cnt"]);
}

fn core(group: u16, number: u32, idle: u64, total: u64) -> CoreTimes {
    CoreTimes { group, number, idle, total }
}

fn busy_cores(cores: &mut Cores, table: &[CoreTimes]) -> Vec<(String, f64)> {
    let (_, said) = with_all(Sets::EXTENDED, Platform::Windows, None, |cx| cores.emit(cx, table));
    said.samples.into_iter().map(|s| (s.tags.as_str().to_owned(), s.value.get())).collect()
}

#[test]
fn each_processor_by_group_and_number() {
    let mut cores = Cores::default();
    assert!(busy_cores(&mut cores, &[core(0, 0, 50, 100), core(1, 0, 0, 100)]).is_empty(), "no earlier reading");
    let said = busy_cores(&mut cores, &[core(0, 0, 75, 200), core(1, 0, 100, 200)]);
    assert_eq!(said, [("core=0_0".to_owned(), 75.0), ("core=1_0".to_owned(), 0.0)]);
}

#[test]
fn a_processor_that_goes_and_comes_starts_anew() {
    let mut cores = Cores::default();
    busy_cores(&mut cores, &[core(0, 0, 0, 100), core(0, 1, 0, 100)]);
    assert_eq!(busy_cores(&mut cores, &[core(0, 0, 0, 200)]).len(), 1);
    assert_eq!(cores.seen.len(), 1);
    assert_eq!(busy_cores(&mut cores, &[core(0, 0, 0, 300), core(0, 1, 0, 100)]).len(), 1);
}

#[test]
fn odd_times_of_a_processor_give_no_share_or_a_possible_one() {
    assert_eq!(core_busy(&core(0, 0, 5, 100), &core(0, 0, 5, 100)), None, "no time has passed");
    assert_eq!(core_busy(&core(0, 0, 5, 100), &core(0, 0, 5, 99)), None);
    assert_eq!(core_busy(&core(0, 0, 50, 100), &core(0, 0, 49, 200)), Some(100.0));
    assert_eq!(core_busy(&core(0, 0, 0, 100), &core(0, 0, u64::MAX, 200)), Some(0.0));
}
