//! A network of a test's own, on Linux: the test starts itself again within a namespace and goes on there.
//!
//! `unshare` of util-linux makes it, as root or where a user may make namespaces; `ip` of iproute2 sets it up.

use std::net::IpAddr;
use std::process::Command;

use super::process::{Ended, run};

/// Set in the process that runs within.
const WITHIN: &str = "FALCON_TEST_NAMESPACE";

/// Whether this is the process within the namespace, where nothing but loopback is up; if not, that is started, and has passed
/// when this answers. `test` is its whole name, with its modules.
pub fn is_within(test: &str) -> bool {
    if std::env::var_os(WITHIN).is_some() {
        ip(&["link", "set", "lo", "up"]);
        return true;
    }
    const WAYS: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];
    let unshare = |way: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(way);
        unshare
    };
    let works = |way: &&&[&str]| unshare(way).arg("true").output().expect("`unshare` of util-linux").status.success();
    let way = WAYS.iter().find(works).expect("a network namespace: `unshare --net`, as root or with --map-root-user");
    let mut again = unshare(way);
    again.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(WITHIN, "1");
    let Ended { code, out, err } = run(again);
    assert!(code == Some(0) && out.contains("1 passed"), "within the namespace:\n{out}\n{err}");
    false
}

/// Gives this host of the namespace an address that is none of loopback's.
pub fn give_address(address: IpAddr) {
    ip(&["address", "add", &address.to_string(), "dev", "lo"]);
}

fn ip(args: &[&str]) {
    let status = Command::new("ip").args(args).status().expect("`ip` of iproute2");
    assert!(status.success(), "ip {args:?}: {status}");
}
