pub(crate) mod reader;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use self::reader::read;
use super::*;
use crate::collect;
use crate::model::{Metric, sample};

const BOTH: [Platform; 2] = [Platform::Linux, Platform::Windows];

fn text_of(samples: &[Sample], format: Format) -> String {
    let mut text = Exposition::new(Platform::Linux, "h", format);
    samples.iter().for_each(|sample| text.add(sample));
    text.text()
}

fn of(kind: Kind, metric: &str, tags: &str, value: f64) -> Sample {
    Sample { kind, ..sample(metric, tags, value, 60) }
}

fn samples() -> Vec<Sample> {
    let mut pushed = of(Kind::Derive, "订单.金额", "店=上海 \"一\"\\,k=a\nb", -0.0);
    pushed.endpoint = Some("web\"2\n".into());
    vec![
        of(Kind::Gauge, "agent.collect.ms", "group=host", 5.0),
        of(Kind::Counter, "net.if.in.bytes", "iface=eth0", 9e15),
        of(Kind::Counter, "net.if.in.bytes", "iface=lo", 1.0),
        of(Kind::Gauge, "df.inodes.total", "mount=/,fstype=ext4", 1.5),
        // The same again, and with another type.
        of(Kind::Counter, "net.if.in.bytes", " iface = lo ", 2.0),
        of(Kind::Gauge, "net-if-in-bytes", "", 2.0),
        pushed,
    ]
}

#[test]
fn the_text_format() {
    assert_eq!(
        text_of(&samples(), Format::Text),
        concat!(
            "# HELP falcon_agent_collect_seconds agent.collect.ms: time that the last cycle of a group of collectors took; from: counted by the agent\n",
            "# TYPE falcon_agent_collect_seconds gauge\n",
            "falcon_agent_collect_seconds{group=\"host\"} 0.005\n",
            "# HELP falcon_agent_metrics_left_out series that are not in this text: their family has another type, or their labels are there already\n",
            "# TYPE falcon_agent_metrics_left_out gauge\n",
            "falcon_agent_metrics_left_out 2\n",
            "# HELP falcon_df_inodes_total_value df.inodes.total (inodes): all; from: statvfs\n",
            "# TYPE falcon_df_inodes_total_value gauge\n",
            "falcon_df_inodes_total_value{fstype=\"ext4\",mount=\"/\"} 1.5\n",
            "# HELP falcon_net_if_in_bytes_total net.if.in.bytes: received; from: /proc/net/dev; MIB_IF_ROW2\n",
            "# TYPE falcon_net_if_in_bytes_total counter\n",
            "falcon_net_if_in_bytes_total{iface=\"eth0\"} 9000000000000000\n",
            "falcon_net_if_in_bytes_total{iface=\"lo\"} 1\n",
            "# HELP falcon_u8ba2u5355_u91d1u989d 订单.金额: not declared by the agent\n",
            "# TYPE falcon_u8ba2u5355_u91d1u989d untyped\n",
            "falcon_u8ba2u5355_u91d1u989d{endpoint=\"web\\\"2\\n\",k=\"a\\nb\",u5e97=\"上海\\\"一\\\"\\\\\"} 0\n",
        )
    );
}

#[test]
fn open_metrics() {
    let text = text_of(&samples(), Format::OpenMetrics);
    for part in [
        "# TYPE falcon_agent_collect_seconds gauge\n# UNIT falcon_agent_collect_seconds seconds\nfalcon_agent_collect_seconds{",
        "# TYPE falcon_net_if_in_bytes counter\n# UNIT falcon_net_if_in_bytes bytes\nfalcon_net_if_in_bytes_total{iface=\"eth0\"} 9000000000000000\n",
        "# TYPE falcon_u8ba2u5355_u91d1u989d unknown\nfalcon_u8ba2u5355_u91d1u989d{",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.ends_with(" 0\n# EOF\n"));
    let (text, open) = (read(&text_of(&samples(), Format::Text), Format::Text), read(&text, Format::OpenMetrics));
    assert_eq!(open["falcon_agent_collect_seconds"].unit, "seconds");
    let values = |families: BTreeMap<String, reader::Read>| -> Vec<_> {
        families.into_values().flat_map(|family| family.samples).map(|(name, labels, _)| (name, labels)).collect()
    };
    assert_eq!(values(text), values(open));
}

#[test]
fn names_become_words() {
    for (metric, kind, family) in [
        ("TcpExt.TCPLossFailures", Kind::Counter, "falcon_tcp_ext_tcp_loss_failures"),
        ("TcpExt.DelayedACKLocked", Kind::Counter, "falcon_tcp_ext_delayed_ack_locked"),
        ("TcpExt.TCPSpuriousRTOs", Kind::Counter, "falcon_tcp_ext_tcp_spurious_rtos"),
        ("MsSQL.Uptime", Kind::Gauge, "falcon_freedomkk_mssql_uptime_seconds"),
        ("mssql.uptime", Kind::Gauge, "falcon_mssql_uptime_seconds"),
        ("MsSQL.Log_File(s)_Size_(KB)", Kind::Gauge, "falcon_freedomkk_mssql_log_files_size_bytes"),
        ("MsSQL.Batch_Requests/sec", Kind::Gauge, "falcon_freedomkk_mssql_batch_requests_per_second"),
        ("df.byte.free", Kind::Gauge, "falcon_windows_agent_df_byte_free_bytes"),
        ("df.bytes.free", Kind::Gauge, "falcon_df_free_bytes"),
        ("df.bytes.free.percent", Kind::Gauge, "falcon_df_bytes_free_percent"),
        ("cpu.idle", Kind::Gauge, "falcon_cpu_idle_percent"),
        ("disk.io.msec_total", Kind::Counter, "falcon_disk_io_seconds"),
        ("disk.io.read_count", Kind::Counter, "falcon_windows_agent_disk_io_read_count"),
        ("net.if.in.bits", Kind::Counter, "falcon_net_if_in_bit"),
        ("net.if.speed.bits", Kind::Gauge, "falcon_net_if_speed_bit_per_second"),
        ("mssql.user_counter", Kind::Gauge, "falcon_mssql_user_counters"),
        ("url.check.cert.days", Kind::Gauge, "falcon_url_check_cert_seconds"),
        ("gpu.count", Kind::Gauge, "falcon_gpu_count_value"),
        // What nobody has declared keeps its value, whatever its unit.
        ("app.latency.ms", Kind::Gauge, "falcon_app_latency_msec"),
        ("app.latencyMs", Kind::Gauge, "falcon_app_latency_msec"),
        ("app.kilobytes_per_sec", Kind::Gauge, "falcon_app_kilobyte_per_second"),
        ("a/s", Kind::Gauge, "falcon_a_per_second"),
        ("disk/sda", Kind::Gauge, "falcon_disk_sda"),
        ("% Processor Time", Kind::Gauge, "falcon_percent_processor_time"),
        ("m", Kind::Gauge, "falcon_mm"),
        ("x.sum", Kind::Derive, "falcon_x_sum_value"),
        ("total.total", Kind::Counter, "falcon_unnamed"),
        ("...", Kind::Gauge, "falcon_unnamed"),
        ("millikelvins", Kind::Gauge, "falcon_millikelvinx"),
    ] {
        assert_eq!(name(metric, kind, Platform::Windows).family, family, "{metric}");
    }
}

#[test]
fn units_are_base_units_with_the_value_converted() {
    for (metric, value, shown) in [
        ("sys.ntp.offset", 250.0, "falcon_sys_ntp_offset_seconds 0.25"),
        ("url.check.cert.days", 2.0, "falcon_url_check_cert_seconds 172800"),
        ("gpu.memory.total", 1.5, "falcon_gpu_memory_total_bytes 1572864"),
        ("cpu.mhz", 2400.0, "falcon_cpu_hertz 2400000000"),
        ("mem.memtotal", 1e300, "falcon_mem_memtotal_bytes 1e300"),
    ] {
        let text = text_of(&[of(Kind::Gauge, metric, "", value)], Format::Text);
        assert!(text.contains(&format!("\n{shown}\n")), "{metric}\n{text}");
    }
    let text = text_of(&[of(Kind::Gauge, "MsSQL.Total_Server_Memory_(KB)", "", f64::MAX)], Format::Text);
    assert!(text.ends_with("left_out 1\n"), "{text}");
}

#[test]
fn every_declared_name_has_a_family_of_its_own() {
    for platform in BOTH {
        let mut families: BTreeMap<String, (&str, Kind)> = BTreeMap::new();
        for Metric { name: metric, kind, .. } in collect::ALL.iter().flat_map(|spec| spec.metrics) {
            let name = name(metric, *kind, platform);
            let before = families.insert(name.family.clone(), (metric, *kind));
            assert!(before.is_none_or(|before| before == (*metric, *kind)), "{metric} {before:?}: {name:?}");
        }
        // Nor is one what OpenMetrics makes of a counter.
        for (family, (_, kind)) in &families {
            let has = |end: &str| families.contains_key(&format!("{family}{end}"));
            assert!(*kind != Kind::Counter || !has("_total") && !has("_created"), "{family}");
        }
    }
}

/// A name as its samples have it.
fn of_samples(metric: &str, kind: Kind, platform: Platform) -> String {
    name(metric, kind, platform).family + if kind == Kind::Counter { "_total" } else { "" }
}

#[test]
fn the_document_has_the_names_that_the_rule_makes() {
    let document = include_str!("../../../../docs/prometheus.md");
    let declared = || collect::ALL.iter().flat_map(|spec| spec.metrics);
    let mut seen = 0;
    for line in document.lines().filter(|line| line.starts_with("| `") && line.contains("| `falcon_")) {
        let parts: Vec<&str> = line.split('`').collect();
        let kind = declared().find(|metric| metric.name == parts[1]).map_or(Kind::Gauge, |metric| metric.kind);
        assert_eq!(of_samples(parts[1], kind, Platform::CURRENT), parts[3], "{line}");
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
    let names: BTreeSet<String> = BOTH
        .iter()
        .flat_map(|on| declared().map(|metric| of_samples(metric.name, metric.kind, *on)))
        .chain([LEFT_OUT.to_owned()])
        .collect();
    let queries = document.split("```promql").nth(1).and_then(|rest| rest.split("```").next()).expect("queries");
    let words = queries.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("falcon_")) {
        assert!(names.contains(word), "{word} is no name");
    }
}

#[test]
fn labels_are_of_the_tags() {
    let labels = |tags: &str| label::labels(&sample("m", tags, 1.0, 60), None);
    assert_eq!(labels(""), "");
    assert_eq!(labels("b=2,a=1,b=3"), r#"{a="1",b="3"}"#);
    assert_eq!(labels("le=1,quantile=2,endpoint=3,9a=4,__x=5,=6"), {
        r#"{tag_="6",tag_9a="4",tag___x="5",tag_endpoint="3",tag_le="1",tag_quantile="2"}"#
    });
    assert_eq!(labels("a.b=1,a-b=2,a_b=3"), r#"{a_b="2",a_b_="1",a_b__="3"}"#);
    assert_eq!(labels("empty=,x=1"), r#"{x="1"}"#);
    assert_eq!(labels("机房=1,.._=2"), r#"{tag____="2",u673au623f="1"}"#);
    let url = sample("url.check.health", "url=http://u:secret@h/x,timeout=5,src=web1", 1.0, 60);
    assert!(!label::labels(&url, None).contains("secret"));
    assert_eq!(label::labels(&sample("m", "endpoint=a", 1.0, 60), Some("b")), r#"{endpoint="b",tag_endpoint="a"}"#);
}

#[test]
fn ten_thousand_pushed_names_are_families_each() {
    let samples: Vec<Sample> = (0..10_000).map(|n| sample(&format!("job.{n}"), "a=1", f64::from(n), 60)).collect();
    assert_eq!(read(&text_of(&samples, Format::Text), Format::Text).len(), 10_001);
}

fn hostile() -> impl Strategy<Value = Sample> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "cpu",
            "total",
            "ms",
            "MB",
            "le",
            "count",
            "gauge",
            "bits",
            "s",
            "net.if.in.bytes",
            "agent.metrics.left_out",
            "created",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        "[a-cA-C._/%()\n\"\\\\ -]{0,6}",
    ];
    let name = (word.clone(), "[._]?", word.clone()).prop_map(|(a, between, b)| format!("{a}{between}{b}"));
    let tags = vec((word.clone(), word), 0..4).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(",")
    });
    let kind = prop::sample::select(vec![Kind::Gauge, Kind::Counter, Kind::Derive]);
    let endpoint = prop::option::of("\\PC{0,4}");
    (name, tags, kind, endpoint, prop::num::f64::NORMAL | prop::num::f64::ZERO).prop_map(
        |(metric, tags, kind, endpoint, value)| Sample {
            endpoint: endpoint.map(Into::into),
            ..of(kind, &metric, &tags, value)
        },
    )
}

proptest! {
    #[test]
    fn whatever_comes_is_read_and_counted(samples in vec(hostile(), 0..60)) {
        for format in [Format::Text, Format::OpenMetrics] {
            let families = read(&text_of(&samples, format), format);
            let left_out = families[LEFT_OUT].samples[0].2;
            let shown: usize = families.values().map(|family| family.samples.len()).sum();
            prop_assert_eq!(shown - 1 + left_out as usize, samples.len());
            let helped: BTreeSet<&str> = families.values().map(|family| family.help.as_str()).collect();
            prop_assert!(!helped.contains(""));
        }
    }
}
