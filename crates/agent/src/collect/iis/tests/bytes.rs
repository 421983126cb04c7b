//! From the bytes of a provider to points.

use falcon_perf_fixture::layout::{self, Counter as Written, Instance, Instances, Times};

use super::*;
use crate::perf::parse;

const NAMES: [(u32, &str); 4] =
    [(12, "Total Bytes Sent"), (14, "Total Get Requests"), (16, "Get Requests/sec"), (18, "Service Uptime")];

/// `Web Service` as W3SVC lays it out: bytes of 64 bits, requests of 32 under both names, uptime.
fn web_service(minute: u64, sites: &[(&str, [u64; 4])]) -> Table {
    let counter = |index, kind, size| Written { index, kind, size };
    let object = layout::Object {
        index: 10,
        counters: vec![
            counter(12, NUMBER | 0x100, 8),
            counter(14, NUMBER, 4),
            counter(16, COUNTER, 4),
            counter(18, NUMBER, 4),
        ],
        instances: Instances::Many(sites.iter().map(|(name, values)| Instance::new(name, values)).collect()),
        ticks: minute * 60,
        ticks_per_s: 1,
        code_page: 0,
    };
    let times = Times { ticks: minute * 60, ticks_per_s: 1, ns100: 132_000_000_000_000_000 };
    let bytes = layout::answer(times, &[object.bytes()]);
    let name = |index| NAMES.iter().find(|(known, _)| *known == index).map(|(_, name)| *name);
    parse::table(&parse::parse(&bytes).unwrap(), &[10], name).unwrap()
}

#[test]
fn sites_of_one_name_wraps_and_long_sums_survive_the_way() {
    let fake = Fake::default();
    let mut collector = iis(&fake, "{}");
    let mut said = |minute, sites: &[(&str, [u64; 4])]| {
        fake.set("Web Service", Ok(web_service(minute, sites)));
        let said = cycle(&mut collector, Sets::ALL);
        ["site=_Total", "site=网店"].map(|tags| {
            ["iis.bytes.sent", "iis.requests.get", "iis.service.uptime"].map(|metric| value(&said, metric, tags))
        })
    };
    let wide = 1 << 40;
    let rows = [
        ("_Total", [wide, 4_294_967_290, 4_294_967_290, 900]),
        ("网店", [7, 7, 7, 0]),
        ("网店", [wide, 4_294_967_290, 4_294_967_290, 600]),
    ];
    let both = |bytes: f64, gets: f64, uptime: [f64; 2]| uptime.map(|s| [Some(bytes), Some(gets), Some(s)]);
    assert_eq!(said(1, &rows), both(1_099_511_627_776.0, 4_294_967_290.0, [900.0, 600.0]));
    let rows = [("_Total", [wide + 5, 4, 4, 960]), ("网店", [7, 7, 7, 0]), ("网店", [wide + 5, 4, 4, 660])];
    assert_eq!(said(2, &rows), both(1_099_511_627_781.0, 4_294_967_300.0, [960.0, 660.0]));
}
