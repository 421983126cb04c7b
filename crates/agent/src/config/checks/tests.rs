use super::read::MOST;
use super::*;
use crate::config::{Config, Known, Warning, parse};

fn read(checks: &str) -> (Config, Vec<Warning>) {
    parse(format!("{{\"checks\": {checks}}}").as_bytes(), "cfg.json", &Known::default()).unwrap()
}

#[test]
fn an_entry_is_the_text_that_is_needed_or_an_object() {
    let (config, warnings) = read(
        r#"{"ports": [80, "443/TCP", {"port": "53", "protocol": "udp"}, null],
            "processes": ["nginx", {"cmdline": "-c x=y,z"}], "directories": "/var/log",
            "urls": ["h/x", {"url": "https://u:p@h", "name": "shop", "method": "head", "status": [204, "300-399"], "timeout": 5,
                             "verify": false}],
            "ping": ["[::1]", {"host": "gw", "count": 10, "timeout": 200}], "tcp": ["db:3306"],
            "dns": ["example.com", {"name": "example.com", "server": "::1", "type": "aaaa"}]}"#,
    );
    assert_eq!(warnings, []);
    let checks = &config.checks;
    let protocols = [(80, Protocol::Any), (443, Protocol::Tcp), (53, Protocol::Udp)];
    assert_eq!(checks.ports, protocols.map(|(port, protocol)| Port { port, protocol }));
    let process = |name: &str, cmdline: &str| Process { name: name.to_owned(), cmdline: cmdline.to_owned() };
    assert_eq!(checks.processes, [process("nginx", ""), process("", "-c x=y,z")]);
    assert_eq!(checks.directories, ["/var/log"]);
    assert_eq!(checks.ping[0], Ping { host: "::1".to_owned(), count: 4, timeout: 1000 });
    assert_eq!(checks.ping[1], Ping { host: "gw".to_owned(), count: 10, timeout: 200 });
    assert_eq!(checks.tcp, [Tcp { address: "db:3306".to_owned(), timeout: 1000 }]);
    assert_eq!((checks.dns[1].server.as_str(), checks.dns[1].record.number()), ("[::1]:53", 28));
    assert_eq!((checks.urls[0].method.as_str(), checks.urls[0].status[0].contains(200)), ("GET", true));
    let shop = &checks.urls[1];
    assert_eq!((shop.method.as_str(), shop.verify, shop.timeout), ("HEAD", false, 5));
    assert!(
        shop.status.iter().any(|range| range.contains(302)) && !shop.status.iter().any(|range| range.contains(200))
    );
    assert!(!config.to_json().contains("u:p"), "{}", config.to_json());
    // What is shown is read as the same.
    let (again, _) = parse(config.to_json().as_bytes(), "cfg.json", &Known::default()).unwrap();
    assert_eq!((again.checks.ports, again.checks.dns), (checks.ports.clone(), checks.dns.clone()));
    assert_eq!(again.checks.urls[1].status, shop.status);
}

#[test]
fn an_entry_that_cannot_be_used_costs_itself_alone() {
    let (config, warnings) = read(
        r#"{"ports": [0, "x", 80, "80/sctp", 80], "processes": [{}, {"name": " "}], "directories": [{"path": ""}],
            "urls": ["ftp://x", {"url": "h", "status": "99", "timeout": 0}, {"url": "h", "method": "HEAD", "body": "x"}],
            "ping": ["a/b", "[]", {"host": "h", "count": 99}], "tcp": ["db", ":80"], "dns": [{"name": "x", "server": "a:b:c"}]}"#,
    );
    let checks = config.checks;
    assert_eq!((checks.ports.len(), checks.processes.len(), checks.directories.len()), (1, 0, 0));
    assert_eq!((checks.urls.len(), checks.urls[0].timeout), (1, 10));
    assert_eq!((checks.ping.len(), checks.ping[0].count, checks.tcp.len(), checks.dns.len()), (1, 20, 0, 0));
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "ports[0]",
        "ports[1]",
        "ports[3].protocol",
        "ports[3]",
        "ports[4]",
        "processes[0]",
        "processes[1]",
        "directories[0]",
        "urls[0]",
        "urls[1].status",
        "urls[1].timeout",
        "urls[2]",
        "ping[0]",
        "ping[1]",
        "ping[2].count",
        "tcp[0]",
        "tcp[1]",
        "dns[0]",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, path) in told.iter().zip(expected) {
        assert!(told.contains(&format!("checks.{path}: ")), "{told}: {path}");
    }
}

// Hosts were configured to be asked, and never were.
#[test]
fn what_no_set_has_a_name_for_is_told() {
    let text = |names: &str| {
        format!(
            r#"{{"collector": {{"names": ["{names}"]}}, "checks": {{"ports": [80, "53/udp"], "ping": ["h"], "tcp": ["h:1"],
                "dns": ["n"]}}}}"#
        )
    };
    let told = |names| {
        let (_, warnings) = parse(text(names).as_bytes(), "cfg.json", &Known::default()).unwrap();
        warnings.into_iter().filter(|warning| warning.text.contains("`extended`")).map(|w| w.path).collect::<Vec<_>>()
    };
    assert_eq!(told("falcon"), ["checks.ports", "checks.ping", "checks.tcp", "checks.dns"]);
    assert!(told("extended").is_empty());
}

#[test]
fn a_list_that_is_none_is_an_error_and_a_long_one_is_cut() {
    for bad in [r#"{"ports": [[80]]}"#, r#"{"ports": true}"#, r#"{"ping": [{"count": "x", "host": "h"}]}"#] {
        assert!(parse(format!("{{\"checks\": {bad}}}").as_bytes(), "cfg.json", &Known::default()).is_err(), "{bad}");
    }
    let many: Vec<String> = (1..=300).map(|port| port.to_string()).collect();
    let (config, warnings) = read(&format!("{{\"ports\": [{}], \"tcp\": false}}", many.join(",")));
    assert_eq!((config.checks.ports.len(), warnings.len()), (MOST, 1));
}
