use super::*;

fn read(metric: &str, tags: &str) -> (Checks, Vec<Refusal>) {
    let metric = BuiltinMetric { metric: metric.to_owned(), tags: tags.to_owned() };
    let (checks, refused) = Checks::read(&[metric], "here");
    (checks, refused.into_iter().map(|(_, refusal)| refusal).collect())
}

#[test]
fn a_port_is_one_pair_with_a_plain_number() {
    for (tags, port, emitted) in [
        ("port=8080", Some(8080), "port=8080"),
        ("anything=22", Some(22), "port=22"),
        ("=080", Some(80), "port=80"),
        ("port=+7", Some(7), "port=7"),
        ("port=0", Some(0), "port=0"),
        // The Go agent says of these that nobody listens there.
        ("port=65536", None, "port=65536"),
        ("port=-1", None, "port=-1"),
    ] {
        let (checks, refused) = read("net.port.listen", tags);
        let expected = PortCheck { port, protocol: Protocol::Any, tags: Tags::raw(emitted) };
        assert_eq!(checks.ports, [expected], "{tags}");
        assert!(refused.is_empty());
    }
    for tags in [
        "",
        "port",
        "8080",
        "port=",
        "port= 80",
        "port=80 ",
        "port=http",
        "port=1=2",
        "a=1,b=2",
        "port=1e3",
        "port=9223372036854775808",
        "port=0x50",
        "port=1_0",
        "port=８０",
    ] {
        let (checks, refused) = read("net.port.listen", tags);
        assert!(checks.ports.is_empty() && matches!(&refused[..], [Refusal::Malformed(_)]), "{tags}");
    }
}

#[test]
fn a_process_is_named_by_parts_that_begin_so() {
    let check = |name: Option<&str>, cmdline: Option<&str>, tags: &str| ProcessCheck {
        name: name.map(str::to_owned),
        cmdline: cmdline.map(str::to_owned),
        tags: Tags::raw(tags),
    };
    for (tags, name, cmdline) in [
        ("name=nginx", Some("nginx"), None),
        ("cmdline=-c /etc/a b", None, Some("-c /etc/a b")),
        ("name= nginx ,cmdline=\tx", Some("nginx"), Some("x")),
        ("name=a,name=b,cmdline=c,cmdline=d", Some("b"), Some("d")),
        ("cmdline=a=b", None, Some("a=b")),
        ("name=", Some(""), None),
        // A blank before the word makes it another one, and with none of the two every process fits.
        (" name=nginx", None, None),
        ("Name=nginx,user=x", None, None),
        ("", None, None),
    ] {
        let (checks, refused) = read("proc.num", tags);
        assert_eq!(checks.processes, [check(name, cmdline, tags)], "{tags}");
        assert_eq!(checks.processes[0].tags.as_str(), tags, "as they are");
        assert!(refused.is_empty());
    }
}

#[test]
fn a_directory_is_one_pair() {
    for (tags, path) in [("path=/var/log", "/var/log"), ("x= /a b ", "/a b"), ("path=-h", "-h"), ("path=/a,b", "/a,b")]
    {
        let expected = DirectoryCheck { path: path.to_owned(), tags: Tags::raw(format!("path={path}")) };
        assert_eq!(read("du.bs", tags).0.directories, [expected], "{tags}");
    }
    for tags in ["", "/var/log", "path=/a=b", "path=/a,x=b"] {
        assert!(matches!(&read("du.bs", tags).1[..], [Refusal::Malformed(_)]), "{tags}");
    }
}

#[test]
fn a_series_is_checked_once_and_what_is_not_known_is_passed_over() {
    let metric = |metric: &str, tags: &str| BuiltinMetric { metric: metric.to_owned(), tags: tags.to_owned() };
    let metrics = [
        metric("net.port.listen", "port=80"),
        metric("net.port.listen", "web=080"),
        metric("proc.num", "name=a"),
        metric("proc.num", "name=a"),
        metric("cpu.idle", ""),
    ];
    let (checks, refused) = Checks::read(&metrics, "here");
    assert_eq!((checks.ports.len(), checks.processes.len()), (1, 1));
    let refused: Vec<_> = refused.into_iter().map(|(_, refusal)| refusal).collect();
    assert_eq!(refused, [Refusal::Unknown]);
}

#[test]
fn a_url_is_the_first_of_two_pairs_and_its_last_time_limit_counts() {
    for (tags, url, timeout_s, emitted) in [
        ("url=http://x/a,timeout=3", "http://x/a", 3, "url=http://x/a,timeout=3,src=here"),
        ("a=x,b=+05", "x", 5, "url=x,timeout=5,src=here"),
        ("url= x,timeout=-1", " x", -1, "url= x,timeout=-1,src=here"),
    ] {
        let expected = UrlCheck { url: url.to_owned(), timeout_s, tags: Tags::raw(emitted) };
        assert_eq!(read("url.check.health", tags).0.urls, [expected], "{tags}");
    }
    for tags in [
        "",
        "url=x",
        "url=x,timeout",
        "url=x?a=b,timeout=3",
        "url=x,y,timeout=3",
        "url=x,timeout=3s",
        "url=x,timeout= 3",
    ] {
        assert!(matches!(&read("url.check.health", tags).1[..], [Refusal::Malformed(_)]), "{tags}");
    }
    let metric = |tags: &str| BuiltinMetric { metric: "url.check.health".to_owned(), tags: tags.to_owned() };
    let (checks, _) =
        Checks::read(&[metric("url=x,timeout=9"), metric("url=y,timeout=1"), metric("url=x,timeout=3")], "e");
    let told: Vec<_> = checks.urls.iter().map(|check| check.tags.as_str()).collect();
    assert_eq!(told, ["url=y,timeout=1,src=e", "url=x,timeout=3,src=e"]);
}

#[test]
fn what_hbs_and_the_configuration_both_ask_for_is_checked_once() {
    let config = configured::Checks {
        ports: vec![
            configured::Port { port: 80, protocol: Protocol::Any },
            configured::Port { port: 80, protocol: Protocol::Udp },
        ],
        processes: vec![configured::Process { name: "a=b".to_owned(), cmdline: "-c x,y".to_owned() }],
        directories: vec!["/a=b".to_owned()],
        ..configured::Checks::default()
    };
    let (mut checks, _) = read("net.port.listen", "port=80");
    checks.extend(&Checks::configured(&config));
    let told = |checks: Vec<&Tags>| checks.into_iter().map(|tags| tags.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(told(checks.ports.iter().map(|check| &check.tags).collect()), ["port=80", "port=80"]);
    assert_eq!(checks.ports.iter().map(|check| check.protocol).collect::<Vec<_>>(), [Protocol::Any, Protocol::Udp]);
    assert_eq!(told(checks.processes.iter().map(|check| &check.tags).collect()), ["name=a_b,cmdline=-c x_y"]);
    assert_eq!(checks.processes[0].name.as_deref(), Some("a=b"));
    assert_eq!((checks.directories[0].path.as_str(), checks.directories[0].tags.as_str()), ("/a=b", "path=/a_b"));
}
