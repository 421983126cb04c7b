//! What runs a file. On Linux its first line says, and the examples are run; on Windows the end of its name, or that line.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;

use super::bed::{Bed, has_run, place, windows_stub};
use crate::harness::agent::{Agent, Home};
use crate::harness::is_windows;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins")
}

/// With a cycle of its own.
fn example(bed: &Bed, path: &str, name: &str) -> String {
    let to = format!("x/{name}");
    place(&bed.dir().join(&to), |file| _ = fs::copy(examples().join(path), file).expect("a copy"));
    to
}

/// A Redis that wants a password and knows two commands.
fn redis() -> String {
    const INFO: &str = "# Clients\r\nconnected_clients:7\r\nrole:master\r\n# Stats\r\ntotal_commands_processed:41\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let mut known = false;
            for line in lines {
                match line.as_str() {
                    "secret" => {
                        known = true;
                        write!(stream, "+OK\r\n").unwrap();
                    }
                    "INFO" if known => write!(stream, "${}\r\n{INFO}\r\n", INFO.len()).unwrap(),
                    "INFO" => write!(stream, "-NOAUTH Authentication required.\r\n").unwrap(),
                    _ => {}
                }
            }
        }
    });
    address
}

#[test]
fn the_examples_for_sh_and_python_do_what_they_say() {
    if is_windows() {
        // Wine has neither.
        return;
    }
    let bed = Bed::new("examples");
    let watched = bed.home.path().join("watched.log");
    fs::write(&watched, "1234567").unwrap();
    let password = bed.home.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    // What cannot be looked at is not told to be gone: a directory that nobody may enter, but this runs as root.
    let endless = bed.home.path().join("loop");
    std::os::unix::fs::symlink("loop", &endless).unwrap();
    let (watched, password, redis) = (watched.display(), password.display(), redis());
    let age = example(&bed, "os/60_file_age.sh", "2_file_age.sh");
    let python = example(&bed, "redis/60_redis.py", "5_redis.py");
    let bound = [
        format!("{age}({watched},{},/no/such/file)", endless.display()),
        age.clone(),
        format!("{python}({redis},{password})"),
        format!("{python}({redis})"),
    ];
    bed.hbs.runs(&bound.each_ref().map(String::as_str));
    let agent = bed.start();
    let value = |metric: &str, tags: &str| {
        agent.wait(&format!("{metric}/{tags}"), || {
            bed.items(metric).iter().rev().find(|item| item.tags == tags).map(|item| item.value as i64)
        })
    };
    assert_eq!(value("file.exists", &format!("path={watched}")), 1);
    assert_eq!(value("file.size", &format!("path={watched}")), 7);
    assert!((0..600).contains(&value("file.age", &format!("path={watched}"))));
    assert_eq!(value("file.exists", "path=/no/such/file"), 0);
    let tags = format!("address={redis}");
    assert_eq!(value("redis.connected_clients", &tags), 7);
    assert_eq!(value("redis.total_commands_processed", &tags), 41);
    let looked = has_run(&agent, &bound[0]);
    assert!(looked["stderr"].as_str().unwrap().contains("Too many levels of symbolic links"), "{looked:#}");
    assert!(bed.items("file.exists").iter().all(|item| !item.tags.ends_with("/loop")));
    // Without what they need they say so.
    let bare = has_run(&agent, &format!("{age}()"));
    assert!(bare["stderr"].as_str().unwrap().contains("no file is named"), "{bare:#}");
    let refused = has_run(&agent, &bound[3]);
    assert!(refused["stderr"].as_str().unwrap().contains("NOAUTH"), "{refused:#}");
    agent.wait("both of them", || bed.items("redis.up").iter().any(|item| item.value == 0.0).then_some(()));
    assert_eq!(agent.terminate().code, Some(0));
}

/// There is no PowerShell under Wine: that it is written for every one that there is, and for any code page.
#[test]
fn the_example_for_powershell_is_for_all_that_there_are() {
    let text = fs::read_to_string(examples().join("mssql/60_io_requests.ps1")).unwrap();
    assert!(text.is_ascii());
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let code = code.join("\n");
    for (of_later_ones, since) in
        [("ConvertTo-Json", "3.0"), ("[ordered]", "3.0"), ("[pscustomobject]", "3.0"), ("??", "7.0"), ("class ", "5.0")]
    {
        assert!(!code.contains(of_later_ones), "{of_later_ones} is of PowerShell {since}");
    }
    // Nothing that adds to standard output but what is meant to be there.
    assert_eq!(code.matches("[Console]::Out.Write(").count(), 1);
    assert!(!code.contains("Write-Host") && !code.contains("Write-Output"));
    for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
        let count = |wanted: char| code.matches(wanted).count();
        // In texts they are in pairs as well.
        assert_eq!(count(open), count(close), "{open}");
    }
    for part in
        ["MsSQL.IO_requests", "sys.dm_io_pending_io_requests", "'Integrated Security'] = $true", "FALCON_ENDPOINT"]
    {
        assert!(code.contains(part), "{part}");
    }
}

/// Stubs of the interpreters write down what they are given; `.bat`, `.cmd` and `.vbs` are run by what Wine has.
#[test]
fn on_windows_each_kind_of_file_finds_what_runs_it() {
    if !is_windows() {
        return;
    }
    let bed = Bed::new("interpreters");
    let tools = Home::new();
    for name in ["python.exe", "perl.exe"] {
        place(&tools.path().join(name), |file| _ = fs::copy(windows_stub(), file).expect("a copy"));
    }
    let file = |name: &str, text: &str| {
        place(&bed.dir().join("x").join(name), |file| fs::write(file, text).expect("a file"));
        format!("x/{name}")
    };
    let point = |metric: &str| {
        format!(
            "echo [{{\"endpoint\":\"%FALCON_ENDPOINT%\",\"metric\":\"{metric}\",\"timestamp\":0,\"step\":1,\"value\":1,\
             \"counterType\":\"GAUGE\",\"tags\":\"a=%~1\"}}]\r\n"
        )
    };
    let of = |file: &str| format!("{file}(one,two words)");
    let echo = "WScript.Echo \"[{\"\"endpoint\"\":\"\"interpreters\"\",\"\"metric\"\":\"\"of.vbs\"\",\"\"timestamp\"\":0,\
                \"\"step\"\":1,\"\"value\"\":1,\"\"counterType\"\":\"\"GAUGE\"\",\"\"tags\"\":\"\"a=\" & WScript.Arguments(1) & \"\"\"}]\"\r\n";
    let files = [
        file("1_a.ps1", "exit 0\r\n"),
        file("1_b.py", "print('[]')\n"),
        file("1_c.sh", "#!/usr/bin/env perl -w\nprint '[]';\n"),
        file("2_d.bat", &format!("@echo off\r\n{}", point("of.bat"))),
        file("2_e.cmd", &format!("@{}", point("of.cmd"))),
        file("2_f.vbs", echo),
    ];
    let missing = [
        (file("1_g.rb", "#!/usr/bin/env ruby\nputs '[]'\n"), "ruby"),
        (file("1_h", "what is this\n"), "nor a first line"),
    ];
    let bound: Vec<String> = files.iter().chain(missing.iter().map(|(file, _)| file)).map(|file| of(file)).collect();
    bed.hbs.runs(&bound.iter().map(String::as_str).collect::<Vec<_>>());
    let path = format!("Z:{}", tools.path().display()).replace('/', "\\");
    let agent = Agent::launch_in(&bed.home, &bed.config(), |mut command| {
        // Wine puts it before the PATH of its registry.
        command.env("WINEPATH", path);
        command
    })
    .answering();
    let ends = |given: &[String], file: &str| {
        let [.., script, one, two] = given else { panic!("{given:?}") };
        assert!(script.replace('\\', "/").ends_with(file), "{given:?}");
        assert_eq!([one.as_str(), two.as_str()], ["one", "two words"]);
    };
    let given = bed.arguments(&agent, "powershell");
    ends(&given, &files[0]);
    assert_eq!(given[..6], ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]);
    ends(&bed.arguments(&agent, "python"), &files[1]);
    let given = bed.arguments(&agent, "perl");
    ends(&given, &files[2]);
    assert_eq!(given[0], "-w");
    for (metric, tags) in [("of.bat", "a=one"), ("of.cmd", "a=one"), ("of.vbs", "a=two words")] {
        bed.wait_for(&agent, metric);
        assert_eq!(bed.items(metric)[0].tags, tags);
    }
    for (file, what) in &missing {
        let shown = has_run(&agent, &of(file));
        assert!(shown["last_error"].as_str().unwrap().contains(what), "{shown:#}");
        assert_eq!(shown["end"], json!("not started"));
    }
    assert_eq!(agent.terminate().code, Some(0));
}
