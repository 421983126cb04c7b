//! Sites that have their pools alone.

use super::*;

const FILE: &str = "applicationHost.config";

/// Sites with the pools of their applications.
fn file(sites: &[(&str, &[&str])]) -> String {
    let mut text = String::from("<configuration><system.applicationHost><applicationPools>");
    let mut pools: Vec<&str> = sites.iter().flat_map(|(_, pools)| pools.iter().copied()).collect();
    pools.sort_unstable();
    pools.dedup();
    for pool in pools {
        text.push_str(&format!("<add name=\"{pool}\" />"));
    }
    text.push_str("</applicationPools><sites>");
    for (name, pools) in sites {
        let application = |pool: &&str| format!("<application path=\"/\" applicationPool=\"{pool}\" />");
        let applications: String = pools.iter().map(application).collect();
        text.push_str(&format!("<site name=\"{name}\">{applications}</site>"));
    }
    text.push_str("</sites></system.applicationHost></configuration>");
    text
}

fn sites(said: &BTreeMap<String, f64>) -> Vec<(&str, f64)> {
    said.iter().filter_map(|(name, value)| Some((name.strip_prefix("site.")?, *value))).collect()
}

#[test]
fn a_site_with_its_own_pools_has_what_they_use_and_a_shared_pool_is_nobodys() {
    let mut iis = Iis::new();
    let text = file(&[
        ("Own Site", &["Own", "Own2"]),
        ("One", &["Shared"]),
        ("Two", &["shared", "OnlyTwo"]),
        ("Idle", &["NoWorker"]),
        ("Three, four", &["P"]),
    ]);
    iis.write(FILE, &text);
    for (pid, pool) in [(11, "Own"), (12, "Own2"), (13, "Shared"), (14, "OnlyTwo"), (15, "p")] {
        iis.run(pid, pool, 1);
    }
    let first = iis.cycle(None);
    let private = [("mem.private Idle", 0.0), ("mem.private Own_Site", 2023.0), ("mem.private Three__four", 1015.0)];
    assert_eq!(sites(&first), private);
    iis.run(11, "Own", 7);
    iis.run(12, "Own2", 4);
    let said = iis.cycle(Some(60));
    assert_eq!((said["site.cpu.percent Own_Site"], said["site.cpu.percent Idle"]), (15.0, 0.0));
    assert_eq!(said["cpu.percent Shared"], 0.0, "the pool is told of all the same");
    assert!(said.contains_key("mem.private NoWorker"), "a pool that only the configuration names");
    assert!(iis.problems().is_empty() && !iis.remarks().contains(&FILE));
}

#[test]
fn two_hundred_sites_with_a_pool_each() {
    let names: Vec<String> = (0..200).map(|n| format!("site {n}")).collect();
    let pools: Vec<String> = (0..200).map(|n| format!("pool {n}")).collect();
    let each: Vec<[&str; 1]> = pools.iter().map(|pool| [pool.as_str()]).collect();
    let all: Vec<(&str, &[&str])> = names.iter().zip(&each).map(|(name, pools)| (name.as_str(), &pools[..])).collect();
    let mut iis = Iis::new();
    iis.write(FILE, &file(&all));
    for (pid, pool) in (1000..).zip(&pools) {
        iis.run(pid, pool, 1);
    }
    iis.cycle(None);
    let said = iis.cycle(Some(60));
    let of_site = |n: u32| said[&format!("site.mem.private site_{n}")];
    assert_eq!((of_site(0), of_site(7), of_site(199)), (2000.0, 2007.0, 2199.0));
    assert_eq!(said.len(), 200 * (6 + 2) + 6);
}

#[test]
fn a_file_that_changes_is_read_again_and_one_that_is_gone_is_forgotten() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.run(12, "B", 1);
    iis.write(FILE, &file(&[("One", &["A"]), ("Two", &["B"])]));
    assert_eq!(sites(&iis.cycle(None)), [("mem.private One", 1011.0), ("mem.private Two", 1012.0)]);
    iis.write(FILE, &file(&[("One", &["A"]), ("Two", &["B"]), ("Three", &["A"])]));
    assert_eq!(sites(&iis.cycle(None)), [("mem.private Two", 1012.0)]);
    // Somebody is in the middle of writing it: IIS goes on with what it has, and so does this.
    iis.write(FILE, "<configuration><system.applicationHost><sites><site name=");
    assert_eq!(sites(&iis.cycle(None)), [("mem.private Two", 1012.0)]);
    assert_eq!(iis.problems(), [FILE]);
    fs::remove_file(iis.directory.path().join(FILE)).unwrap();
    assert_eq!(sites(&iis.cycle(None)), []);
    assert!(iis.remarks().contains(&FILE) && iis.problems().is_empty());
    iis.write(FILE, &file(&[("One", &["A"])]));
    assert_eq!(sites(&iis.cycle(None)), [("mem.private One", 1011.0)]);
}

#[test]
fn a_shared_configuration_counts_and_one_out_of_reach_is_a_remark() {
    let mut iis = Iis::new();
    iis.run(11, "A", 1);
    iis.run(12, "B", 1);
    iis.write(FILE, &file(&[("Old", &["A"])]));
    let shared = tempfile::tempdir().unwrap();
    fs::write(shared.path().join(FILE), file(&[("New", &["B"])])).unwrap();
    let redirection = |enabled: &str, path: &str| {
        format!(
            "\u{feff}<configuration><configurationRedirection enabled=\"{enabled}\" path=\"{path}\" /></configuration>"
        )
    };
    let path = shared.path().to_str().unwrap();
    iis.write("redirection.config", &redirection("true", path));
    assert_eq!(sites(&iis.cycle(None)), [("mem.private New", 1012.0)]);
    iis.write("redirection.config", &redirection("false", path));
    assert_eq!(sites(&iis.cycle(None)), [("mem.private Old", 1011.0)]);
    // A path that goes through a file cannot be read by anybody.
    let blocked = shared.path().join(FILE).join("x");
    iis.write("redirection.config", &redirection("True", blocked.to_str().unwrap()));
    iis.cycle(None);
    assert!(iis.remarks().contains(&FILE) && iis.problems().is_empty(), "{:?}", iis.last);
    iis.write("redirection.config", "<configuration><configurationRedirection");
    iis.cycle(None);
    assert_eq!(iis.problems(), [FILE]);
}

#[test]
fn sites_are_chosen_as_everywhere_and_only_with_pools_that_are_told() {
    let mut iis = Iis::configured(|config| {
        config.iis.websites = vec!["shop*".to_owned(), "other".to_owned()];
        config.iis.exclude = vec!["*2".to_owned(), "hidden".to_owned()];
    });
    iis.write(FILE, &file(&[("Shop1", &["A"]), ("Shop2", &["B"]), ("blog", &["C"]), ("other", &["hidden"])]));
    for (pid, pool) in [(11, "A"), (12, "B"), (13, "C"), (14, "hidden")] {
        iis.run(pid, pool, 1);
    }
    let said = iis.cycle(None);
    assert_eq!(sites(&said), [("mem.private Shop1", 1011.0)]);
    assert!(said.contains_key("mem.private C"), "pools are not chosen by the list of sites");
}

/// The second of two sites that are one tag was left out, and neither counted nor told of by anybody.
#[test]
fn of_two_sites_that_are_one_tag_both_are_said_and_the_hub_tells_of_it() {
    let mut iis = Iis::new();
    iis.write(FILE, &file(&[("My Site", &["A"]), ("My_Site", &["B"])]));
    iis.run(11, "A", 1);
    iis.run(12, "B", 1);
    iis.cycle(None);
    let of_sites = iis.last.samples.iter().filter(|sample| sample.metric == "iis.site.mem.private");
    let said: Vec<(&str, f64)> = of_sites.map(|sample| (sample.tags.as_str(), sample.value.get())).collect();
    assert_eq!(said, [("site=My_Site", 1011.0), ("site=My_Site", 1012.0)]);
}
