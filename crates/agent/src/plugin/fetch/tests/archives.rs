//! Archives as they should not be, and as they should.

pub(super) struct Entry {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    /// With the kind of the file, as zip has it.
    pub mode: u32,
    /// Of tar.
    pub kind: u8,
    pub link: Vec<u8>,
    /// Of zip: 0 or 8, or what nobody knows.
    pub method: u16,
    pub flags: u16,
    /// Who made it: 3 is Unix, 0 is Windows.
    pub made_by: u16,
    /// What the directory says in place of the truth.
    pub size: Option<u32>,
    pub crc: Option<u32>,
    pub local_name: Option<Vec<u8>>,
}

impl Entry {
    pub fn file(name: &str, content: &str) -> Entry {
        Entry {
            name: name.as_bytes().to_vec(),
            content: content.as_bytes().to_vec(),
            mode: 0o100_644,
            kind: b'0',
            link: vec![],
            method: 8,
            flags: 1 << 11,
            made_by: 3,
            size: None,
            crc: None,
            local_name: None,
        }
    }

    pub fn program(name: &str, content: &str) -> Entry {
        Entry { mode: 0o104_755, ..Entry::file(name, content) }
    }

    pub fn dir(name: &str) -> Entry {
        Entry { mode: 0o040_755, kind: b'5', ..Entry::file(name, "") }
    }

    pub fn link(name: &str, to: &str, kind: u8) -> Entry {
        let mut entry = Entry { mode: 0o120_777, kind, link: to.as_bytes().to_vec(), ..Entry::file(name, to) };
        if kind != b'2' {
            entry.content.clear();
        }
        entry
    }
}

fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, 6)
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&head[..], &deflate(bytes), &crc(bytes).to_le_bytes(), &length.to_le_bytes()].concat()
}

pub(super) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = vec![];
    for entry in entries {
        // Of a link it is no content.
        let content = if entry.kind == b'2' { &[][..] } else { &entry.content };
        bytes.extend(tar_head(entry, content.len()));
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize((bytes.len() + 1024).next_multiple_of(10_240), 0);
    bytes
}

fn tar_head(entry: &Entry, size: usize) -> [u8; 512] {
    let mut head = [0; 512];
    let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
    put(0, &entry.name);
    put(100, format!("{:07o}\0", entry.mode & 0o7777).as_bytes());
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[entry.kind]);
    put(157, &entry.link);
    put(257, b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head
}

pub(super) fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut central) = (vec![], vec![]);
    for entry in entries {
        let packed = if entry.method == 8 { deflate(&entry.content) } else { entry.content.clone() };
        let start = u32::try_from(bytes.len()).unwrap();
        let size = entry.size.unwrap_or(u32::try_from(entry.content.len()).unwrap());
        let common = [
            &entry.flags.to_le_bytes()[..],
            &entry.method.to_le_bytes(),
            &[0; 4],
            &entry.crc.unwrap_or(crc(&entry.content)).to_le_bytes(),
            &u32::try_from(packed.len()).unwrap().to_le_bytes(),
            &size.to_le_bytes(),
        ]
        .concat();
        let length = |name: &[u8]| u16::try_from(name.len()).unwrap().to_le_bytes();
        let local = entry.local_name.as_ref().unwrap_or(&entry.name);
        // An extra field that nobody needs, as Unix programs write them.
        bytes.extend([&b"PK\x03\x04\x14\0"[..], &common, &length(local), &[4, 0], local, b"xx\0\0", &packed].concat());
        central.extend(
            [
                b"PK\x01\x02",
                &(entry.made_by << 8 | 20).to_le_bytes()[..],
                &[20, 0],
                &common,
                &length(&entry.name),
                &[0; 8],
                &(if entry.made_by == 3 { entry.mode << 16 } else { 0x20 }).to_le_bytes(),
                &start.to_le_bytes(),
                &entry.name,
            ]
            .concat(),
        );
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let sizes = [central.len(), bytes.len()].map(|size| u32::try_from(size).unwrap().to_le_bytes());
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &sizes[0], &sizes[1], &[0, 0]].concat();
    [bytes, central, end].concat()
}

/// Programs of others make what is read here, and read what is made here.
#[test]
fn archives_are_what_other_programs_take_them_for() {
    use std::io::Read as _;

    let entries = [Entry::dir("d/"), Entry::program("d/60_a.sh", "#!/bin/sh\n"), Entry::file("d/b", &"x".repeat(3000))];
    let mut read = ::tar::Archive::new(flate2::read::GzDecoder::new(&*gzip(&tar(&entries)))).entries().unwrap().count();
    assert_eq!(read, 3);
    let packed = zip(&entries);
    let mut archive = ::zip::ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
    let mut text = String::new();
    archive.by_name("d/60_a.sh").unwrap().read_to_string(&mut text).unwrap();
    read = archive.len();
    assert_eq!((read, text.as_str()), (3, "#!/bin/sh\n"));
}
