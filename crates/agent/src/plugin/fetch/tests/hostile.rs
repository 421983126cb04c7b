//! Archives that would do harm, or are damaged: nothing of them is installed, and nothing is written elsewhere.

use super::*;

use proptest::prelude::*;

/// Why an archive is refused; the plugins that were there before still are, and nothing is beside them.
fn refused(archive: &[u8]) -> String {
    let mut host = Host::having(&zip(&[Entry::file("60_old", "old")]));
    host.update().unwrap();
    host.offer(archive);
    let why = host.refused();
    assert_eq!(host.files(), files(&[("60_old", "old")]), "{why}");
    assert_eq!(names(host.place.path()), ["plugin"], "{why}");
    why
}

fn both(entries: &[Entry]) -> [String; 2] {
    [refused(&gzip(&tar(entries))), refused(&zip(entries))]
}

#[test]
fn a_name_that_leads_elsewhere_or_is_another_on_windows_refuses_the_archive() {
    const UP: &str = "its path has a .. in its path, which would lead out of plugin.dir";
    const ROOT: &str = "its name is a path from the root";
    const COLON: &str = "its path has a : in its path, which stands for a drive or a stream";
    for (name, why) in [
        ("../x", UP),
        ("a/../../x", UP),
        ("a/..", UP),
        ("/x", ROOT),
        ("//server/share/x", ROOT),
        ("\\x", ROOT),
        ("\\\\server\\share\\x", ROOT),
        ("C:x", COLON),
        ("C:/x", COLON),
        ("x:y", COLON),
        ("a/x::$DATA", COLON),
        ("a\\..\\..\\x", "a control character"),
        ("a/x?", "a control character"),
        ("nul", "the name of a device"),
        ("a/COM1.txt", "the name of a device"),
        ("x.", "a dot or a blank"),
        ("a /x", "a dot or a blank"),
    ] {
        for told in both(&[Entry::file("60_new", "new"), Entry::file(name, "x")]) {
            assert!(told.starts_with(&format!("the entry {name:?}: ")) && told.contains(why), "{name}: {told}");
        }
        for told in both(&[Entry::dir(&format!("{name}/"))]) {
            assert!(told.contains(why), "{name}: {told}");
        }
    }
    let deep = "d/".repeat(17);
    for told in both(&[Entry::dir(&deep)]) {
        assert!(told.ends_with("its path has more than 16 parts or 180 bytes"), "{told}");
    }
    let no_text = Entry { name: b"\xb2\xe5\xbc\xfe".to_vec(), flags: 0, ..Entry::file("", "x") };
    assert!(refused(&gzip(&tar(std::slice::from_ref(&no_text)))).ends_with("its name is no UTF-8"));
    assert!(refused(&zip(&[no_text])).ends_with("make the archive with names in UTF-8"));
}

#[test]
fn links_and_devices_refuse_the_archive() {
    for (kind, name) in
        [(b'2', "a symbolic link"), (b'1', "a hard link"), (b'3', "a device"), (b'4', "a device"), (b'6', "a FIFO")]
    {
        let why = refused(&gzip(&tar(&[Entry::link("60_a", "/etc/passwd", kind), Entry::file("60_a/b", "x")])));
        assert_eq!(why, format!("the entry \"60_a\": it is {name}, which is not unpacked"));
    }
    for kind in [0o120_000, 0o020_000, 0o010_000, 0o140_000] {
        let entry = Entry { mode: kind | 0o777, ..Entry::file("60_a", "/etc/passwd") };
        assert_eq!(refused(&zip(&[entry])), "the entry \"60_a\": it is a link or a device, which is not unpacked");
    }
    let sparse = Entry { kind: b'S', ..Entry::file("a", "") };
    assert!(refused(&gzip(&tar(&[sparse]))).contains("a sparse file"));
    let sparse = Entry { kind: b'x', ..Entry::file("p", "22 GNU.sparse.major=1\n") };
    assert!(refused(&gzip(&tar(&[sparse, Entry::file("a", "")]))).contains("sparse"));
}

#[test]
fn names_that_windows_takes_for_one_refuse_the_archive() {
    for (first, second, why) in [
        ("a", "A", "it differs from \"a\" by upper and lower case alone"),
        ("Sys/a", "sYS/b", "it differs from \"Sys\" by upper and lower case alone"),
        ("a", "a", "it is there twice"),
        ("a", "a/b", "it is there twice"),
        ("a/b", "a", "it is there twice"),
        ("É", "é", "it differs from \"É\" by upper and lower case alone"),
    ] {
        for told in both(&[Entry::file(first, "1"), Entry::file(second, "2")]) {
            assert!(told.ends_with(why), "{first} {second}: {told}");
        }
    }
}

#[test]
fn an_archive_of_nothing_or_with_names_of_the_agent_is_refused() {
    assert_eq!(both(&[]), ["it is empty", "it is empty"]);
    assert_eq!(both(&[Entry::dir("./")]), ["it is empty", "it is empty"]);
    for (name, own) in
        [(".git/hooks/x", ".git"), (".falcon-plugin.json", marker::MARKER), (".falcon-plugin.files", marker::LIST)]
    {
        let why = format!("it has {own}, which has a meaning of its own there");
        let below = Entry::file(&format!("top/{name}"), "x");
        assert_eq!(both(&[Entry::file(name, "x"), Entry::file("60_a", "x")]), [why.clone(), why.clone()]);
        assert_eq!(both(&[below]), [why.clone(), why]);
    }
}

#[test]
fn what_grows_beyond_the_limits_is_met_before_it_is_there() {
    let zeros = "\0".repeat((1 << 20) + 1);
    for told in both(&[Entry::file("60_a", &zeros)]) {
        assert_eq!(told, "the entry \"60_a\": the archive has more than 1048576 bytes unpacked");
    }
    let half = "\0".repeat(1 << 19);
    for told in both(&[Entry::file("a", &half), Entry::file("b", &half), Entry::file("c", "x")]) {
        assert_eq!(told, "the entry \"c\": the archive has more than 1048576 bytes unpacked");
    }
    // A header that says less than there is.
    let lie = Entry { size: Some(1), ..Entry::file("60_a", &zeros) };
    assert!(refused(&zip(&[lie])).ends_with("more than 1048576 bytes unpacked"));
    let many: Vec<Entry> = (0..101).map(|n| Entry::file(&format!("{n}"), "")).collect();
    for told in both(&many) {
        assert!(told.ends_with("the archive has more than 100 entries"), "{told}");
    }
    // Directories that only a path names are made all the same, and what only names the next entry takes time.
    let deep: Vec<Entry> = (0..26).map(|n| Entry::file(&format!("{n}/a/b/c"), "")).collect();
    let names: Vec<Entry> =
        (0..101).map(|_| Entry { kind: b'g', ..Entry::file("g", "20 comment=deadbeef\n") }).collect();
    for told in both(&deep).into_iter().chain([refused(&gzip(&tar(&names)))]) {
        assert!(told.ends_with("the archive has more than 100 entries"), "{told}");
    }
    // Of what is no entry, neither a name nor what follows the end.
    let name = Entry { kind: b'L', ..Entry::file("././@LongLink", &"x".repeat(70_000)) };
    assert!(refused(&gzip(&tar(&[name]))).ends_with("a record of it is too long"));
    let mut endless = tar(&[Entry::file("a", "x")]);
    endless.resize(endless.len() + (2 << 20), 0);
    assert_eq!(refused(&gzip(&endless)), "something follows its end");
}

#[test]
fn an_archive_that_lies_of_itself_is_refused() {
    for (entry, why) in [
        (Entry { size: Some(2), ..Entry::file("a", "x") }, "its length or checksum is another"),
        (Entry { size: Some(9), ..Entry::file("a", "0123456789") }, "its length or checksum is another"),
        (Entry { crc: Some(1), ..Entry::file("a", "x") }, "its length or checksum is another"),
        (Entry { crc: Some(1), method: 0, ..Entry::file("a", "x") }, "its length or checksum is another"),
        (Entry { flags: 1 | 1 << 11, ..Entry::file("a", "x") }, "it is encrypted"),
        (Entry { method: 14, ..Entry::file("a", "x") }, "compressed in a way that is not known here; deflate is"),
        (Entry { local_name: Some(b"b".to_vec()), ..Entry::file("a", "x") }, "another one than the directory's"),
        (Entry { content: b"x".to_vec(), ..Entry::dir("a/") }, "it is a directory with content"),
    ] {
        let told = refused(&zip(&[entry]));
        assert!(told.starts_with("the entry \"a") && told.contains(why), "{why}: {told}");
    }
    let good = zip(&[Entry::file("a", "x"), Entry::file("b", "y")]);
    let end = good.len() - 22;
    let changed = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[end + at..end + at + bytes.len()].copy_from_slice(bytes);
        refused(&bad)
    };
    assert!(changed(10, &[0xff; 2]).starts_with("it is a zip64 archive"));
    assert!(changed(16, &[0xff; 4]).starts_with("it is a zip64 archive"));
    assert_eq!(changed(8, &[1, 0, 1, 0]), "its directory has not as many entries as it says");
    assert_eq!(changed(4, &[1, 0]), "it is no zip archive of one whole file");
    assert_eq!(changed(12, &[1, 0, 0, 0]), "it is no zip archive of one whole file");
    assert_eq!(refused(&[b"x", &*good].concat()), "it is neither a .zip nor a .tar.gz");
    assert_eq!(refused(b""), "it is neither a .zip nor a .tar.gz");

    let packed = gzip(&tar(&[Entry::file("a", "x")]));
    let changed = |at: usize, byte: u8| {
        let mut bad = packed.clone();
        let at = if at < 10 { at } else { bad.len() - at + 10 };
        bad[at] ^= byte;
        refused(&bad)
    };
    assert_eq!(changed(2, 1), "it is no gzip file");
    assert_eq!(changed(3, 0x80), "it is no gzip file of a known kind");
    assert_eq!(changed(11, 1), "it is damaged: its checksum is another", "the length");
    assert_eq!(changed(18, 1), "it is damaged: its checksum is another");
    assert_eq!(refused(&[&*packed, b"x"].concat()), "something follows its end");
    let mut bare = tar(&[Entry::file("a", "x")]);
    bare[0] = b'b';
    assert!(refused(&gzip(&bare)).ends_with("a header's checksum is another"));
    assert!(refused(&gzip(b"text")).ends_with("it is cut short"));
}

#[test]
fn an_archive_that_is_cut_short_anywhere_is_refused() {
    let entries = [Entry::file("60_a", &"text ".repeat(40)), Entry::dir("d/"), Entry::file("d/b", "y")];
    for whole in [gzip(&tar(&entries)), zip(&entries)] {
        for cut in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            refused(&whole[..cut]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes are changed, nothing but the directory is written to, and it has the old or the new plugins.
    #[test]
    fn damaged_bytes_never_lead_elsewhere(
        is_zip: bool,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let entries = [Entry::file("60_a", &"text ".repeat(40)), Entry::program("d/b", "y")];
        let mut bare = if is_zip { zip(&entries) } else { tar(&entries) };
        for (at, byte) in changes {
            let at = at.index(bare.len());
            bare[at] = byte;
        }
        let place = tempfile::tempdir().unwrap();
        let (archive, tree) = (place.path().join("archive"), place.path().join("tree"));
        fs::write(&archive, if is_zip { bare } else { gzip(&bare) }).unwrap();
        fs::create_dir(&tree).unwrap();
        let host = Host::new();
        let _ = unpack::unpack(&host.job(), &archive, &tree);
        prop_assert_eq!(names(place.path()), ["archive", "tree"]);
    }
}
