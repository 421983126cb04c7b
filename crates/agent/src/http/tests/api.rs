//! What is told of the host, byte for byte.

use super::*;

fn json(answer: &str) -> &str {
    assert_eq!(header(answer, "content-type"), Some("application/json; charset=UTF-8"), "{answer}");
    assert_eq!(status(answer), 200, "{answer}");
    body(answer)
}

/// A host that stands still: on Linux its files lie below a directory.
#[cfg(unix)]
#[tokio::test]
async fn a_host_of_files_is_told_as_the_go_agent_told_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = |major: u8, name: &str, reads: u32| format!("{major} 0 {name} {reads} 0 8 1 1 0 8 1 0 2 2\n");
    for (file, text) in [
        ("proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nctxt 7\nprocs_running 3\n".to_owned()),
        (
            "proc/meminfo",
            "MemTotal: 8388608 kB\nMemFree: 1048576 kB\nMemAvailable: 7000000 kB\nBuffers: 1024 kB\n\
                          Cached: 2097152 kB\n"
                .to_owned(),
        ),
        ("proc/loadavg", "0.52 1.00 3.27 3/739 28141\n".to_owned()),
        ("proc/sys/kernel/pid_max", "32768\n".to_owned()),
        ("proc/sys/kernel/osrelease", "6.1.0-42-amd64\n".to_owned()),
        ("proc/sys/fs/file-max", "1618450\n".to_owned()),
        ("proc/sys/fs/file-nr", "3904\t0\t1618450\n".to_owned()),
        ("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2399.998\n".to_owned()),
        ("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/vdb1 /gone xfs rw 0 0\ntmpfs /run tmpfs rw 0 0\n".to_owned()),
        ("proc/diskstats", disk(8, "sda", 9) + &disk(8, "sda1", 9) + &disk(8, "sdb", 0)),
    ] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let server = server_on(Host::new(dir.path()), |_| {}).await;
    for (path, expected) in [
        ("/proc/cpu/num", r#"{"msg":"success","data":2}"#),
        ("/proc/cpu/mhz", r#"{"msg":"success","data":"2399.998"}"#),
        ("/proc/cpu/usage", r#"{"msg":"not prepared"}"#),
        ("/page/cpu/usage", r#"{"msg":"not prepared"}"#),
        ("/page/memory", r#"{"msg":"success","data":[8192,5119,3073]}"#),
        ("/proc/memory", r#"{"msg":"success","data":{"free":3222274048,"total":8589934592,"used":5367660544}}"#),
        ("/page/system/loadavg", r#"{"msg":"success","data":[[0.52,26],[1,50],[3.27,163]]}"#),
        (
            "/proc/system/loadavg",
            r#"{"msg":"success","data":{"Avg1min":0.52,"Avg5min":1,"Avg15min":3.27,"RunningProcesses":3,"TotalProcesses":739}}"#,
        ),
        ("/proc/kernel/hostname", r#"{"msg":"success","data":"h"}"#),
        ("/proc/kernel/maxproc", r#"{"msg":"success","data":32768}"#),
        ("/proc/kernel/maxfiles", r#"{"msg":"success","data":1618450}"#),
        ("/proc/kernel/version", r#"{"msg":"success","data":"6.1.0-42-amd64"}"#),
        (
            "/page/diskio",
            r#"{"msg":"success","data":[["sda","0","0","0","0","0.00","0.00","0.00","0.00","0.00","0.00","0.00%"]]}"#,
        ),
    ] {
        assert_eq!(json(&server.get(path).await), expected, "{path}");
    }
    // The root alone is there to be asked.
    let df: serde_json::Value = serde_json::from_str(json(&server.get("/page/df").await)).expect("JSON");
    assert_eq!(
        (&df["data"][0][0], &df["data"][0][5], &df["data"][0][10]),
        (&"/dev/vda1".into(), &"/".into(), &"ext4".into())
    );
    assert!(df["data"].as_array().is_some_and(|rows| rows.len() == 1 && rows[0].as_array().map(Vec::len) == Some(11)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_host_that_tells_nothing_is_told_so_with_status_200() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("proc")).expect("made");
    std::fs::write(dir.path().join("proc/mounts"), "").expect("written");
    let server = server_on(Host::new(dir.path()), |_| {}).await;
    assert_eq!(json(&server.get("/proc/cpu/mhz").await), r#"{"msg":"EOF"}"#);
    assert_eq!(json(&server.get("/page/df").await), r#"{"msg":"success","data":[]}"#);
    assert_eq!(json(&server.get("/page/diskio").await), r#"{"msg":"success","data":null}"#);
    assert_eq!(json(&server.get("/proc/kernel/maxproc").await), r#"{"msg":"the kernel does not tell it"}"#);
    for path in ["/proc/memory", "/proc/cpu/num", "/proc/kernel/version", "/page/system/loadavg", "/page/cpu/usage"] {
        let told = server.get(path).await;
        let told: serde_json::Value = serde_json::from_str(json(&told)).expect("JSON");
        assert!(
            told["msg"].as_str().is_some_and(|msg| msg.contains("proc/")) && told["data"].is_null(),
            "{path} {told}"
        );
    }
}

/// On any system, as it is.
#[tokio::test]
async fn this_host_is_told_in_the_same_shapes() {
    let server = server().await;
    let data = async |path: &str| {
        let answer = server.get(path).await;
        let told: serde_json::Value = serde_json::from_str(json(&answer)).expect("JSON");
        assert_eq!(told["msg"], "success", "{path} {told}");
        told["data"].clone()
    };
    assert!(data("/proc/cpu/num").await.as_u64() > Some(0));
    let memory = data("/proc/memory").await;
    assert!(memory["total"].as_u64() >= memory["used"].as_u64() && memory["free"].as_u64() > Some(0), "{memory}");
    assert_eq!(data("/page/memory").await.as_array().map(Vec::len), Some(3));
    let uptime = data("/proc/system/uptime").await;
    assert!(uptime["days"].is_u64() && uptime["hours"].is_u64() && uptime["mins"].is_u64(), "{uptime}");
    let text = data("/page/system/uptime").await;
    let text = text.as_str().map(|text| text.split(' ').skip(1).step_by(2).collect::<Vec<_>>());
    assert_eq!(text, Some(vec!["days", "hours", "minutes"]));
    let date = data("/system/date").await;
    assert!(date.as_str().is_some_and(|date| date.len() == 19 && date.is_char_boundary(10)), "{date}");
    assert!(data("/page/df").await.is_array());
    assert!(data("/proc/kernel/version").await.as_str().is_some_and(|version| version.contains('.')));
}

/// Windows has no averages: the collector's emulated ones are told.
#[tokio::test]
async fn loads_that_the_system_does_not_tell_are_those_that_were_collected() {
    let server = server().await;
    let now = crate::clock::unix_s();
    assert_eq!(server.site.hub.collected("load.1min", now), None);
    let sample = |metric: &'static str, value: f64| crate::model::Sample {
        metric: metric.into(),
        tags: crate::model::Tags::NONE,
        value: crate::model::Finite::new(value).expect("finite"),
        kind: crate::model::Kind::Gauge,
        at: now,
        step: 60,
        endpoint: None,
    };
    server.site.hub.ingest(vec![sample("load.1min", 1.5), sample("load.5min", 2.0)], now);
    assert_eq!(server.site.hub.collected("load.1min", now), Some(1.5));
    assert_eq!(server.site.hub.collected("load.1min", now + 86_400), None, "long ago");
}
