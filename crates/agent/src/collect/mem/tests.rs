use super::*;
use crate::collect::tests::{with_all, with_cx};
use crate::model::Platform;
use std::collections::BTreeMap;

fn said(emit: impl FnOnce(&mut Cx<'_>), platform: Platform) -> BTreeMap<String, f64> {
    with_all(Sets::FALCON.and(Sets::EXTENDED), platform, None, emit)
        .1
        .samples
        .into_iter()
        .map(|s| (s.metric.into_owned(), s.value.get()))
        .collect()
}

#[test]
fn a_host_without_swap_says_zero_percent_used_and_free() {
    let said = said(|cx| emit_swap(cx, &SwapInfo::default()), Platform::Linux);
    assert_eq!((said["mem.swapused.percent"], said["mem.swapfree.percent"]), (0.0, 0.0));
    assert_eq!(said["mem.swaptotal"], 0.0);
}

#[test]
fn used_is_never_negative() {
    let mem = MemInfo { total_bytes: 100, available_bytes: 130 };
    let said = said(|cx| emit_memory(cx, &mem), Platform::Linux);
    assert_eq!((said["mem.memused"], said["mem.memused.percent"], said["mem.memfree"]), (0.0, 0.0, 100.0));
}

#[test]
fn the_commit_charge_is_told_on_windows_only() {
    let commit = CommitInfo { total_bytes: 90, limit_bytes: 100, ..CommitInfo::default() };
    assert_eq!(said(|cx| emit_commit(cx, &commit), Platform::Windows)["mem.commit.percent"], 90.0);
    assert!(said(|cx| emit_commit(cx, &commit), Platform::Linux).is_empty());
    // Pools of 0 bytes were told where the system counts none.
    let names = |commit: &CommitInfo| said(|cx| emit_commit(cx, commit), Platform::Windows).into_keys().len();
    assert_eq!((names(&commit), names(&CommitInfo { cache_bytes: Some(1), peak_bytes: Some(2), ..commit })), (3, 5));
}

/// A host without readable page files was warned of them in every cycle, although no name was asked for.
#[cfg(unix)]
#[test]
fn what_no_name_set_says_is_neither_asked_nor_missed() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("proc")).expect("made");
    std::fs::write(dir.path().join("proc/meminfo"), "MemTotal: 10 kB\nMemAvailable: 4 kB\n").expect("written");
    let mut mem = Mem { host: Host::new(dir.path()) };
    for (sets, problems) in [(Sets::FREEDOMKK, 0), (Sets::FALCON, 1)] {
        let (result, said) = with_cx(sets, Platform::Linux, |cx| mem.collect(cx));
        result.expect("the memory itself");
        assert_eq!(said.problems.len(), problems, "{:?}", said.problems);
    }
}

#[test]
fn paging_is_told_on_windows_only() {
    let paging = Paging { faults: 1 << 33, pages_in: 30, pages_out: u64::MAX, free_ptes: 5, ..Paging::default() };
    let windows = said(|cx| emit_paging(cx, &paging), Platform::Windows);
    assert_eq!((windows["mem.page.faults"], windows["mem.page.in"]), ((1u64 << 33) as f64, 30.0));
    assert_eq!(windows["mem.page.total"], u64::MAX as f64, "held at the end of its range");
    assert_eq!((windows["mem.ptes.free"], windows.len()), (5.0, 7));
    assert!(said(|cx| emit_paging(cx, &paging), Platform::Linux).is_empty());
}

#[test]
fn page_lists_and_table_entries_are_off_by_default() {
    let (_, said) = with_cx(Sets::EXTENDED, Platform::Windows, |cx| {
        emit_paging(cx, &Paging::default());
        emit_lists(cx, &MemoryLists::default());
        emit_page_files(cx, &[PageFile { total_bytes: 1, ..PageFile::default() }]);
    });
    let names: Vec<_> = said.samples.iter().map(|s| s.metric.as_ref()).collect();
    assert_eq!(names, ["mem.page.faults", "mem.page.in", "mem.page.out", "mem.page.reads", "mem.page.writes"]);
}

#[test]
fn page_lists_in_bytes() {
    let lists = MemoryLists { standby_bytes: 4096, modified_bytes: 8192, free_zero_bytes: 0 };
    let said = said(|cx| emit_lists(cx, &lists), Platform::Windows);
    assert_eq!((said["mem.standby"], said["mem.modified"], said["mem.freezero"]), (4096.0, 8192.0, 0.0));
}

#[test]
fn each_page_file_has_its_share_and_an_empty_one_none() {
    let file = |name: &str, total_bytes, used_bytes| PageFile { name: name.to_owned(), total_bytes, used_bytes };
    let files = [file("C:/pagefile.sys", 200, 50), file("D:/none.sys", 0, 0), file("/swap,1", 10, 11)];
    let (_, said) = with_all(Sets::EXTENDED, Platform::Linux, None, |cx| emit_page_files(cx, &files));
    let said: Vec<_> = said.samples.iter().map(|s| (s.tags.as_str(), s.value.get())).collect();
    assert_eq!(said, [("pagefile=C:/pagefile.sys", 25.0), ("pagefile=/swap_1", 100.0)]);
}
