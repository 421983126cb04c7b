//! What is fetched as it should be, and what is not fetched.

use super::*;

#[test]
fn an_archive_of_either_kind_is_unpacked_whatever_its_name_says() {
    for archive in [gzip(&tar(&plugins("a"))), zip(&plugins("a"))] {
        let host = Host::having(&archive);
        host.update().unwrap();
        assert_eq!(host.files(), unpacked("a"));
        assert_eq!(version(&host.dir()), format!("sha256:{}", host.source.sha256));
        assert_eq!(names(host.place.path()), ["plugin"], "nothing is left");
        assert!(host.server.heads()[0].contains("authorization: Basic bWU6aHVudGVyMg=="));
    }
}

#[test]
fn what_other_programs_make_is_unpacked() {
    let mut builder = ::tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::best()));
    // Longer than a header has room for.
    let long = format!("{}/60_a.sh", "d".repeat(120));
    for (name, text) in [(long.as_str(), "a"), ("b", "b")] {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o755);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let host = Host::having(&builder.into_inner().unwrap().finish().unwrap());
    host.update().unwrap();
    assert_eq!(host.files(), files(&[(&long, "a"), ("b", "b")]));

    use std::io::Write as _;
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = ::zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    for (name, text) in [("插件/60_a.sh", "a"), ("b", "b")] {
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let host = Host::having(&writer.finish().unwrap().into_inner());
    host.update().unwrap();
    assert_eq!(host.files(), files(&[("插件/60_a.sh", "a"), ("b", "b")]));
}

#[test]
fn a_name_of_pax_and_one_of_two_parts_are_read() {
    let pax = |line: &str| {
        // With the digits of its own length.
        let length = line.len() + 5;
        Entry { kind: b'x', ..Entry::file("PaxHeaders/x", &format!("{length} {line}\n")) }
    };
    let global = Entry { kind: b'g', ..Entry::file("pax_global_header", "20 comment=deadbeef\n") };
    let long = format!("{}.sh", "é".repeat(60));
    let entries = [global, pax(&format!("path={long}")), Entry::file("short", "a"), Entry::file("b", "b")];
    let host = Host::having(&gzip(&tar(&entries)));
    host.update().unwrap();
    assert_eq!(host.files(), files(&[(&long, "a"), ("b", "b")]));
}

/// `tar | gzip` writes the bare header, `gzip FILE` the name, and others what else there may be.
#[test]
fn a_gzip_header_may_have_more_than_it_needs() {
    let bare = gzip(&tar(&plugins("a")));
    let more = [&[0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0][..], b"xyzplugins.tar\0a comment\0", &[0, 0]]
        .concat();
    let host = Host::having(&[&more, &bare[10..]].concat());
    host.update().unwrap();
    assert_eq!(host.files(), unpacked("a"));
    let endless = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &[b'x'; 5000]].concat();
    assert_eq!(Host::having(&endless).refused(), "it is no gzip file that can be read");
}

#[test]
fn a_single_directory_on_top_is_no_part_of_the_paths() {
    let entries =
        [Entry::dir("plugin-main/"), Entry::file("plugin-main/sys/60_a.sh", "a"), Entry::file("plugin-main/b", "b")];
    for archive in [gzip(&tar(&entries)), zip(&entries)] {
        let host = Host::having(&archive);
        host.update().unwrap();
        assert_eq!(host.files(), files(&[("b", "b"), ("sys/60_a.sh", "a")]));
    }
    // What hbs binds as `os` was found nowhere.
    for name in ["60_a.sh", "os/60_a.sh"] {
        let host = Host::having(&zip(&[Entry::file(name, "a")]));
        host.update().unwrap();
        assert_eq!(host.files(), files(&[(name, "a")]));
    }
}

#[test]
fn a_program_of_an_archive_that_knows_no_modes_is_told_by_how_it_begins() {
    let windows = |name, text| Entry { made_by: 0, ..Entry::file(name, text) };
    let entries = [windows("60_a.sh", "#!/bin/sh\n"), windows("b", "\x7fELF"), windows("c", "text"), windows("d", "")];
    let host = Host::having(&zip(&entries));
    host.update().unwrap();
    if crate::model::Platform::CURRENT == crate::model::Platform::Linux {
        let mode = |name: &str| falcon_sys::mode_bits(&host.dir().join(name)).unwrap().mode & 0o7777;
        assert_eq!(["60_a.sh", "b", "c", "d"].map(mode), [0o755, 0o755, 0o644, 0o644]);
        let host = Host::having(&zip(&[Entry::program("60_a.sh", "x"), Entry::file("b", "#!x"), Entry::dir("e/")]));
        host.update().unwrap();
        let mode = |name: &str| falcon_sys::mode_bits(&host.dir().join(name)).unwrap().mode & 0o7777;
        assert_eq!(["", "60_a.sh", "b", "e"].map(mode), [0o755, 0o755, 0o644, 0o755], "no setuid");
    }
}

/// Windows PowerShell 5.1's Compress-Archive writes `\` between directories, and what it made was refused.
#[test]
fn a_zip_of_windows_powershell_is_read() {
    let windows = |name, text| Entry { made_by: 0, ..Entry::file(name, text) };
    let host =
        Host::having(&zip(&[windows("sys\\60_a.ps1", "a"), windows("sys\\lib\\b", "b"), windows("empty\\", "")]));
    host.update().unwrap();
    assert_eq!(host.files(), files(&[("sys/60_a.ps1", "a"), ("sys/lib/b", "b")]));
    assert!(host.dir().join("empty").is_dir());
    for name in ["..\\x", "\\x", "a\\..\\..\\x", "C:\\x"] {
        let before = names(host.place.path());
        assert!(Host::having(&zip(&[windows(name, "x")])).refused().starts_with("the entry "), "{name}");
        assert_eq!(names(host.place.path()), before);
    }
}

#[test]
fn what_is_there_already_is_not_fetched_again_but_by_a_reset() {
    let mut host = Host::having(&zip(&plugins("a")));
    host.job().reset().unwrap();
    assert!(!host.dir().exists(), "nothing there is nothing to put back");
    host.update().unwrap();
    host.update().unwrap();
    assert_eq!(host.server.asked(), [ARCHIVE]);
    fs::write(host.dir().join("sys/60_a.sh"), "damaged").unwrap();
    host.job().reset().unwrap();
    assert_eq!(host.files(), unpacked("a"));
    host.offer(&zip(&plugins("b")));
    host.update().unwrap();
    assert_eq!(host.files(), unpacked("b"));
    assert_eq!(host.server.asked().len(), 3);
}

#[test]
fn redirects_are_followed_and_not_for_ever() {
    let moved = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let archive = zip(&plugins("a"));
    let mut host = Host::having(&archive);
    host.server.has(ARCHIVE, moved("/1"));
    host.server.has("/1", moved(&format!("http://{}/2", host.server.address)));
    host.server.has("/2", answer(&archive));
    host.update().unwrap();
    assert_eq!(host.server.asked(), [ARCHIVE, "/1", "/2"]);
    host.offer(b"other");
    host.server.has(ARCHIVE, moved(ARCHIVE));
    assert_eq!(host.refused(), "it is elsewhere, and elsewhere again, more than 5 times");
    host.server.has(ARCHIVE, b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert_eq!(host.refused(), "it is elsewhere, and the answer does not say where");
}

#[test]
fn what_does_not_come_whole_leaves_the_old_plugins() {
    let archive = gzip(&tar(&plugins("a")));
    let mut host = Host::having(&archive);
    host.update().unwrap();
    let other = gzip(&tar(&plugins("b")));
    host.offer(&other);
    host.server.has(ARCHIVE, answer(&archive));
    assert_eq!(host.refused(), format!("its SHA-256 is {}, and {} is expected", sha256(&archive), sha256(&other)));
    for cut in [0, 1, 100, other.len() - 1] {
        let whole = answer(&other);
        host.server.has(ARCHIVE, whole[..whole.len() - other.len() + cut].to_vec());
        assert!(host.refused().starts_with("it breaks off: "), "{cut}: {}", host.refused());
        // Nobody says how long it is.
        host.server.has(ARCHIVE, [b"HTTP/1.0 200 OK\r\n\r\n", &other[..cut]].concat());
        assert!(host.refused().starts_with("its SHA-256 is "), "{cut}");
    }
    host.server.has(ARCHIVE, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert_eq!(host.refused(), "the answer is 404, not 200");
    let long = vec![b'x'; 1 << 20];
    for head in ["HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        host.server.has(ARCHIVE, [head.as_bytes(), &long, b"x"].concat());
        assert_eq!(host.refused(), "it is longer than 1048576 bytes");
    }
    assert_eq!(host.files(), unpacked("a"));
    assert_eq!(version(&host.dir()), format!("sha256:{}", sha256(&archive)));
}

#[test]
fn a_server_that_hangs_and_an_agent_that_stops_end_it() {
    let mut host = Host::having(b"x");
    host.server.stays();
    host.server.has(ARCHIVE, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_vec());
    host.limits.time = Duration::from_millis(300);
    assert_eq!(host.refused(), "it takes longer than 0 s");
    host.limits.time = LIMITS.time;
    std::thread::scope(|scope| {
        let fetch = scope.spawn(|| host.refused());
        host.until("it is asked", || host.server.asked().len() == 2);
        host.stop.store(true, Ordering::Relaxed);
        assert_eq!(fetch.join().unwrap(), "stopped, for the agent stops");
    });
    drop(host.server);
}

#[test]
fn a_server_whose_certificate_fails_is_asked_for_nothing() {
    use crate::web::tests::server::{GOOD, Server as Tls, Shown};

    let authority = Authority::new();
    let mut host = Host::having(b"x");
    for (shown, why) in [
        (Shown { to: -1, from: -30, ..GOOD }, "certificate: it has expired"),
        // It has another archive.
        (GOOD, "its SHA-256 is "),
    ] {
        let server = Tls::showing(&authority, shown);
        host.source.url = PageUrl::new(format!("https://good.test:{}/p.zip", server.port()));
        let refused = Job { client: client(&authority), ..host.job() }.update().unwrap_err();
        assert!(refused.contains(why), "{refused}");
        assert_eq!(server.heads().len(), usize::from(why.starts_with("its")));
    }
}

/// A misspelt `plugin.url` had the plugins come from `plugin.git`, which nothing verifies.
#[test]
fn an_address_that_is_none_has_nothing_fetched() {
    let mut host = Host::having(&zip(&plugins("a")));
    host.source.git = RepoUrl::new(format!("http://{}/p.git", host.server.address));
    host.source.url = PageUrl::new("ftp://h/p.zip".to_owned());
    assert!(host.update().unwrap_err().ends_with("fail. error: only http and https are known"));
    assert!(host.server.asked().is_empty() && !host.dir().exists());
}
