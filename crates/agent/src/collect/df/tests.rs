use super::choice::{listed, topmost};
use super::*;
use crate::collect::tests::with_cx;
use falcon_sys::types::Inodes;

fn mount(device: &str, path: &str, fstype: &str) -> Mount {
    Mount { device: device.into(), mount: path.into(), path: path.into(), fstype: fstype.into(), removable: false }
}

fn usage(total: u64, used: u64, free: u64) -> VolumeUsage {
    VolumeUsage { total_bytes: total, used_bytes: used, free_bytes: free, ..VolumeUsage::default() }
}

#[test]
fn pseudo_file_systems_are_left_out_and_a_device_is_shown_once_by_its_shortest_path() {
    let all = vec![
        mount("proc", "/proc", "proc"),
        mount("/dev/vda1", "/data/inner", "ext4"),
        mount("/dev/vda1", "/", "ext4"),
        mount("/dev/vda1", "/var/lib/docker", "xfs"),
        mount("tmpfs", "/run", "tmpfs"),
        mount("overlay", "/var/x", "overlay"),
        mount("server:/export", "/mnt/nfs", "nfs4"),
        mount("/dev/loop1", "/snap/core", "squashfs"),
        mount("gvfsd", "/home/x", "fuse.gvfsd-fuse"),
        mount("/dev/vdb", "/library", "xfs"),
    ];
    let shown: Vec<_> = shown_on_linux(all).into_iter().map(|m| (m.device, m.mount, m.fstype)).collect();
    assert_eq!(
        shown,
        [
            ("/dev/vda1".into(), "/".into(), "ext4".into()),
            ("server:/export".into(), "/mnt/nfs".into(), "nfs4".to_owned()),
        ]
    );
}

/// autofs under its NFS mount, and a share mounted twice: one series twice in a cycle, and a dead server asked twice.
#[test]
fn a_mount_point_is_shown_once_as_what_lies_on_top() {
    let all = vec![
        mount("systemd-1", "/mnt/a", "autofs"),
        mount("nas:/a", "/mnt/a", "nfs4"),
        mount("nas:/b", "/mnt/b", "nfs4"),
        mount("nas:/b", "/mnt/b", "nfs4"),
        mount("/dev/sdb1", "/mnt/c", "ext4"),
        mount("tmpfs", "/mnt/c", "tmpfs"),
    ];
    let shown: Vec<_> = shown_on_linux(all).into_iter().map(|m| (m.device, m.mount)).collect();
    assert_eq!(shown, [("nas:/a".into(), "/mnt/a".into()), ("nas:/b".into(), "/mnt/b".to_owned())]);
}

/// systemd's ProtectSystem and ProtectHome: a root on ZFS or NFS was there once more for each directory that they close.
#[test]
fn what_systemd_mounts_for_a_service_is_no_series_of_its_own() {
    let host = || {
        vec![
            mount("rpool/ROOT/a", "/", "zfs"),
            mount("rpool/home", "/home", "zfs"),
            mount("nas:/vol", "/mnt/one", "nfs4"),
            mount("nas:/vol", "/mnt/onetwo", "nfs4"),
            mount("/dev/sda2", "/usr/local", "ext4"),
        ]
    };
    let mut service = host();
    for (device, path, fstype) in [
        ("rpool/ROOT/a", "/usr", "zfs"),
        ("/dev/sda2", "/usr/local", "ext4"),
        ("rpool/ROOT/a", "/etc", "zfs"),
        ("rpool/home", "/home", "zfs"),
        ("rpool/ROOT/a", "/root", "zfs"),
    ] {
        service.push(mount(device, path, fstype));
    }
    let names = |all| -> Vec<String> {
        let mut names: Vec<String> = shown_on_linux(all).into_iter().map(|mount| mount.mount).collect();
        names.sort();
        names
    };
    assert_eq!(names(host()), ["/", "/home", "/mnt/one", "/mnt/onetwo", "/usr/local"]);
    assert_eq!(names(service), names(host()));
}

#[test]
fn three_hundred_mounts_are_all_shown() {
    let all = (0..300).map(|n| mount(&format!("/dev/sd{n}"), &format!("/data{n}"), "xfs")).collect();
    assert_eq!(shown_on_linux(all).len(), 300);
}

#[test]
fn a_mount_list_of_linux_is_ignored_on_windows_with_a_warning() {
    let all = vec![mount("C:", "C:", ""), mount("D:", "D:", "")];
    let list = ["/".to_owned(), "/data".to_owned()];
    let (kept, said) = with_cx(Sets::FALCON, Platform::Windows, |cx| wanted(all.clone(), &list, Platform::Windows, cx));
    assert_eq!(kept.len(), 2);
    assert!(said.remarks[0].1.contains("C:, D:"), "{:?}", said.remarks);
    let list = [r"d:\".to_owned()];
    let (kept, said) = with_cx(Sets::FALCON, Platform::Windows, |cx| wanted(all.clone(), &list, Platform::Windows, cx));
    assert_eq!((kept.len(), kept[0].mount.as_str(), said.remarks.len()), (1, "D:", 0));
    let (kept, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| wanted(all, &list, Platform::Linux, cx));
    assert!(kept.is_empty(), "on Linux the list is meant as it stands");
    assert_eq!(said.remarks[0].1, "matches no mount of this host (C:, D:); none is reported");
}

#[test]
fn a_list_that_fits_nothing_is_told_with_few_of_many_mounts() {
    let all: Vec<Mount> = (0..300).map(|n| mount("x", &format!("/m{n}"), "xfs")).collect();
    let text = listed(&all);
    assert!(text.starts_with("/m0, /m1") && text.ends_with("/m19 and 280 more"), "{text}");
    assert_eq!(listed(&all[..20]).matches(", ").count(), 19);
    assert!(!listed(&all[..20]).contains("more") && listed(&[]).is_empty());
    let list = ["/m7/".to_owned()];
    let none = with_cx(Sets::FALCON, Platform::Linux, |cx| wanted(Vec::new(), &list, Platform::Linux, cx));
    assert!(none.1.remarks.is_empty(), "without mounts there is nothing to say of the list");
}

// What a later mount covers was asked through it: one file system's figures came under two names, and twice in the sums.
#[test]
fn what_lies_below_a_later_mount_is_not_reported() {
    let all = vec![
        mount("tmpfs", "/run", "tmpfs"),
        mount("/dev/sdb1", "/mnt/a", "xfs"),
        mount("/dev/sdc1", "/mnt/a/deep/er", "xfs"),
        mount("/dev/sdd1", "/mnt2", "xfs"),
        mount("/dev/vda1", "/", "ext4"),
        mount("nas:/x", "/mnt", "nfs4"),
        mount("/dev/sde1", "/mnt/b", "xfs"),
    ];
    let shown: Vec<_> = topmost(all).into_iter().map(|m| m.mount).collect();
    assert_eq!(shown, ["/run", "/mnt2", "/", "/mnt", "/mnt/b"], "the root comes behind what was moved into it");
}

// Two mounts that became one series were both in df.statistics.
#[test]
fn of_namesakes_the_first_is_reported_and_the_others_are_told() {
    let mut mounts = vec![
        mount("a", "/data,1", "xfs"),
        mount("b", "/data=1", "xfs"),
        mount("c", "/data 1", "xfs"),
        mount("d", "/data1", "xfs"),
        mount("e", "/data_1", "ext4"),
    ];
    let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| leave_out_namesakes(cx, &mut mounts));
    assert_eq!(mounts.iter().map(|m| m.device.as_str()).collect::<Vec<_>>(), ["a", "c", "e"]);
    assert_eq!(
        said.problems.iter().map(|p| p.0.as_str()).collect::<Vec<_>>(),
        ["mount \"/data=1\"", "mount \"/data1\""]
    );
}

#[test]
fn the_go_agents_figures() {
    let mut full = usage(1000, 600, 300);
    full.inodes = Some(Inodes { total: 50, used: 10, free: 40 });
    let (_, said) =
        with_cx(Sets::FALCON, Platform::Linux, |cx| emit(cx, &mount("/dev/vda1", "/my data", "ext4"), &full));
    let value = |name: &str| said.samples.iter().find(|s| s.metric == name).map(|s| s.value.get());
    assert_eq!(said.samples.len(), 10);
    assert_eq!(said.samples[0].tags.as_str(), "mount=/my data,fstype=ext4");
    assert_eq!(value("df.bytes.used.percent"), Some(600.0 * 100.0 / 900.0));
    assert_eq!(value("df.inodes.used"), Some(10.0));
    assert_eq!(value("df.inodes.free.percent"), Some(80.0));
}

#[test]
fn the_python_agent_knows_drives_but_no_folder_mounts() {
    let emit_it = |m: Mount| with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| emit(cx, &m, &usage(10, 4, 6))).1;
    let drive = emit_it(mount("C:", "C:", ""));
    assert_eq!(drive.samples.len(), 4);
    assert_eq!((drive.samples[0].metric.as_ref(), drive.samples[0].tags.as_str()), ("df.byte.total", "disk=C"));
    assert!(emit_it(mount(r"\\?\Volume{1}\", "C:/data", "")).samples.is_empty());
    assert!(emit_it(mount("server:/export", "/mnt", "nfs")).samples.is_empty());
    assert_eq!(emit_it(mount("/dev/vda1", "/", "ext4")).samples[0].tags.as_str(), "disk=/dev/vda1");
}

#[test]
fn a_dead_mount_costs_only_its_own_series() {
    let mounts = [mount("a", "/a", "nfs"), mount("b", "/b", "xfs"), mount("c", "/c", "xfs")];
    let answers = vec![
        ("/a".to_owned(), Outcome::Late { newly: true }),
        ("/b".to_owned(), Outcome::Done(Ok(usage(100, 50, 50)))),
        ("/c".to_owned(), Outcome::Done(Err(std::io::Error::other("Stale file handle")))),
    ];
    let stats = Stats::default();
    let (_, said) = with_cx(Sets::FALCON, Platform::Linux, |cx| report(cx, &mounts, answers, &stats));
    assert_eq!(said.samples.len(), 5 + 3);
    let problems: Vec<_> = said.problems.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(problems, ["mount \"/a\"", "mount \"/c\""]);
    assert_eq!(stats.collect_hung.get(), 1);
}
