//! What is fetched as it should be, and what is not fetched.

use super::*;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::super::blake2b::blake2b;
use super::super::checksum::{of_name, verify};

const SUMS: &str = "/files/plugins.tar.gz.sha256";
const SIGNATURE: &str = "/files/plugins.tar.gz.sha256.minisig";

fn plugins(text: &str) -> Vec<Entry> {
    vec![
        Entry::dir("./"),
        Entry::dir("./sys/"),
        Entry::program("./sys/60_a.sh", text),
        Entry::file("./conf/a", "1"),
        Entry::file("README", ""),
    ]
}

fn unpacked(text: &str) -> BTreeMap<String, String> {
    files(&[("README", ""), ("conf/a", "1"), ("sys/60_a.sh", text)])
}

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
        while host.server.asked().len() < 2 {
            std::thread::yield_now();
        }
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

/// Signs as minisign does.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new(seed: u8) -> Signer {
        Signer(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> String {
        STANDARD.encode([b"Ed01234567", self.0.public_key().as_ref()].concat())
    }

    fn sign(&self, kind: &str, file: &[u8], comment: &str) -> String {
        let signed = if kind == "ED" { self.0.sign(&blake2b(file)) } else { self.0.sign(file) };
        let over_all = self.0.sign(&[signed.as_ref(), comment.as_bytes()].concat());
        let line = STANDARD.encode([kind.as_bytes(), b"01234567", signed.as_ref()].concat());
        let over_all = STANDARD.encode(over_all.as_ref());
        format!("untrusted comment: x\n{line}\ntrusted comment: {comment}\n{over_all}\n")
    }
}

#[test]
fn a_hash_counts_that_is_signed_and_of_this_name() {
    let archive = zip(&plugins("a"));
    let (mut host, signer) = (Host::having(&archive), Signer::new(7));
    (host.source.sha256, host.source.key) = (String::new(), signer.key());
    let good = format!("{}  other.zip\n{}  plugins.tar.gz\n", sha256(b""), sha256(&archive));
    let offer = |sums: &str, signature: String| {
        host.server.has(SUMS, answer(sums.as_bytes()));
        host.server.has(SIGNATURE, answer(signature.as_bytes()));
    };
    assert_eq!(host.refused(), ".sha256 beside it: the answer is 404, not 200");
    for (sums, signature, why) in [
        (good.as_str(), Signer::new(8).sign("ED", good.as_bytes(), "c"), "the signature is not of this file"),
        (&good, signer.sign("ED", b"another file", "c"), "the signature is not of this file"),
        (&good, signer.sign("Ed", b"another file", "c"), "the signature is not of this file"),
        (
            &good,
            signer.sign("ED", good.as_bytes(), "c").replace(": c", ": d"),
            "its trusted comment is not what was signed",
        ),
        (&good, signer.sign("EX", good.as_bytes(), "c"), "the signature is none of minisign"),
        (&good, String::new(), "the signature is none of minisign"),
    ] {
        offer(sums, signature);
        assert_eq!(host.refused(), format!(".sha256 beside it: {why}"));
    }
    let of_others = good.replace("plugins.tar.gz", "plugins.zip");
    offer(&of_others, signer.sign("ED", of_others.as_bytes(), "c"));
    assert_eq!(host.refused(), ".sha256 beside it: it has no line for \"plugins.tar.gz\"");
    assert!(!host.server.asked().contains(&ARCHIVE.to_owned()), "nothing was fetched that nothing tells of");
    for kind in ["ED", "Ed"] {
        offer(&good, signer.sign(kind, good.as_bytes(), "c"));
        host.update().unwrap();
        assert_eq!(host.files(), unpacked("a"));
    }
    assert_eq!(host.server.asked().iter().filter(|path| *path == ARCHIVE).count(), 1, "the hash told that it is there");
}

#[test]
fn without_a_hash_and_a_key_nothing_is_fetched() {
    let mut host = Host::having(&zip(&plugins("a")));
    host.source.sha256.clear();
    assert!(host.refused().starts_with("nothing tells what is in it: set plugin.sha256"));
    host.source.key = "RWQ".to_owned();
    host.server.has(SUMS, answer(b""));
    host.server.has(SIGNATURE, answer(b""));
    assert!(host.refused().ends_with("plugin.key is no public key of minisign (the second line of its file)"));
    assert!(!host.dir().exists());
}

/// Key and signatures are of jedisct1's minisign, as its library for Rust is tested with them.
#[test]
fn what_minisign_signed_is_verified() {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let plain = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
    let hashed = "untrusted comment: signature from minisign secret key\r\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\r\n\
        trusted comment: timestamp:1556193335\tfile:test\r\n\
        y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\r\n";
    for signature in [plain, hashed] {
        assert_eq!(verify(b"test", signature, key), Ok(()));
        assert_eq!(verify(b"Test", signature, key), Err("the signature is not of this file".to_owned()));
        let other = STANDARD.encode([b"Ed01234567", [1; 32].as_slice()].concat());
        assert_eq!(verify(b"test", signature, &other), Err("it is signed with another key than plugin.key".to_owned()));
    }
}

#[test]
fn a_file_of_checksums_is_read_as_sha256sum_writes_it() {
    let (a, b) = (sha256(b"a"), sha256(b"b"));
    let sums = format!("{a}  a.zip\n{b} *dir/b.zip\r\n{}  ./C d.zip\nshort  e\n{a}  f\n{b}  f\n", b.to_uppercase());
    for (name, hash) in
        [("a.zip", Some(&a)), ("C d.zip", Some(&b)), ("b.zip", None), ("e", None), ("f", None), ("", None)]
    {
        assert_eq!(of_name(sums.as_bytes(), name).ok().as_ref(), hash, "{name}");
    }
}
