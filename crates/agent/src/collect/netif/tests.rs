use super::*;
use crate::collect::Collected;
use crate::collect::tests::with_cx;

fn named(name: &str) -> NetIf {
    NetIf { name: name.to_owned(), hardware: true, ..NetIf::default() }
}

fn shown(prefix: &[&str], hidden: &[&str], names: &[&str], platform: Platform) -> (Vec<String>, Collected) {
    let mut config = Config::standalone();
    config.collector.iface_prefix = prefix.iter().map(ToString::to_string).collect();
    config.collector.iface_prefix_ignore = hidden.iter().map(ToString::to_string).collect();
    let filter = Filter { config: Arc::new(config), platform };
    let all: Vec<NetIf> = names.iter().map(|name| named(name)).collect();
    with_cx(Sets::FALCON, platform, |cx| {
        // What was shown before is forgotten.
        let mut shown = vec![0, 7];
        filter.apply(&all, &mut shown, cx);
        shown.into_iter().map(|place| all[place].name.clone()).collect()
    })
}

#[test]
fn iface_prefix_is_a_prefix_on_linux_and_contained_on_windows() {
    let names = ["eth0", "veth1", "lo"];
    assert_eq!(shown(&["eth"], &[], &names, Platform::Linux).0, ["eth0"]);
    assert_eq!(shown(&["eth"], &[], &names, Platform::Windows).0, ["eth0", "veth1"]);
    assert_eq!(shown(&[], &[], &names, Platform::Linux).0, names);
    assert_eq!(shown(&[], &["th"], &names, Platform::Windows).0, ["lo"]);
}

#[test]
fn a_linux_list_copied_to_windows_is_ignored_with_a_warning() {
    let (names, collected) = shown(&["eth", "em"], &[], &["以太网", "Ethernet0 2"], Platform::Windows);
    assert_eq!(names, ["以太网", "Ethernet0 2"]);
    assert_eq!(collected.remarks[0].0, "collector.ifacePrefix");
    assert!(collected.remarks[0].1.contains("以太网"), "{:?}", collected.remarks);
    let (names, collected) = shown(&["eth", "em"], &[], &["wlan0"], Platform::Linux);
    assert!(names.is_empty() && collected.remarks.is_empty());
}

#[test]
fn a_link_that_changes_its_speed_makes_no_jump() {
    let mut link = Link::default();
    let mut now = NetIf { in_bytes: 1_000_000, speed_bits_per_s: Some(1_000_000), ..named("team") };
    link.advance(&now, 1);
    assert_eq!(link.in_percent, 800.0);
    now.speed_bits_per_s = Some(10_000_000);
    link.advance(&now, 1);
    assert_eq!(link.in_percent, 800.0, "no traffic, no change");
    now.in_bytes += 1_000_000;
    link.advance(&now, 1);
    assert_eq!(link.in_percent, 880.0);
    now.in_bytes = 10;
    link.advance(&now, 1);
    assert_eq!(link.in_percent, 0.0008, "counters that restart, restart");
}

// The bytes since boot came as one peak in the cycle in which the driver first told the speed.
#[test]
fn a_speed_that_becomes_known_late_makes_no_jump() {
    let mut link = Link::default();
    let mut now = NetIf { in_bytes: 1 << 40, out_bytes: 1 << 30, ..named("eth0") };
    link.advance(&now, 1);
    assert_eq!((link.in_percent, link.out_percent), (0.0, 0.0));
    now.speed_bits_per_s = Some(1_000_000_000);
    now.in_bytes += 125_000_000;
    link.advance(&now, 2);
    assert_eq!((link.in_percent, link.out_percent), (100.0, 0.0), "one second's worth of the link");
    now.speed_bits_per_s = None;
    now.in_bytes += 125_000_000;
    link.advance(&now, 3);
    now.speed_bits_per_s = Some(1_000_000_000);
    link.advance(&now, 4);
    assert_eq!(link.in_percent, 100.0, "what came at an unknown speed is no share of it");
}

#[test]
fn counters_that_step_back_make_no_peak_at_a_lower_speed() {
    let mut link = Link::default();
    let mut now = NetIf { in_bytes: 1 << 40, speed_bits_per_s: Some(100_000_000_000), ..named("bond0") };
    link.advance(&now, 1);
    let before = link.in_percent;
    now.in_bytes -= 1;
    now.speed_bits_per_s = Some(10_000_000);
    link.advance(&now, 2);
    assert_eq!(link.in_percent, before);
}

#[test]
fn an_unknown_speed_is_zero_on_linux_and_absent_on_windows() {
    let said =
        |platform| with_cx(Sets::FALCON, platform, |cx| emit(cx, &named("x"), &Link::new(&named("x")), platform)).1;
    let speed = |collected: Collected| collected.samples.into_iter().find(|s| s.metric == "net.if.speed.bits");
    let linux = said(Platform::Linux);
    assert_eq!(linux.samples.len(), 26);
    assert_eq!(speed(linux).map(|s| s.value.get()), Some(0.0));
    let windows = said(Platform::Windows);
    assert_eq!(speed(windows), None);
}

#[test]
fn the_python_agent_counts_tenths_of_a_megabit_under_interface() {
    let n = NetIf { in_bytes: 125_000, ..named("Local Area Connection 2") };
    let (_, said) = with_cx(Sets::WINDOWS_AGENT, Platform::Windows, |cx| {
        emit(cx, &n, &Link::new(&n), Platform::Windows);
    });
    assert_eq!(said.samples.len(), 8);
    assert_eq!(said.samples[0].metric, "net.if.in.mbits");
    assert_eq!(said.samples[0].tags.as_str(), "interface=Local Area Connection 2");
    assert_eq!(said.samples[0].value.get(), 10.0);
}
