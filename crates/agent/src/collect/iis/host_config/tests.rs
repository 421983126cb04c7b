use super::*;

/// As Windows Server writes it: a byte order mark, CR LF, comments (one with a site in it), attributes that are missing or empty.
const REAL: &[u8] = include_bytes!("../../../../tests/fixtures/iis/applicationHost.config");

fn sites(config: &HostConfig) -> Vec<(&str, Vec<&str>)> {
    config.sites.iter().map(|site| (site.name.as_str(), site.pools.iter().map(String::as_str).collect())).collect()
}

fn parse_file(bytes: &[u8]) -> Result<HostConfig, String> {
    HostConfig::parse(&crate::config::decode(bytes))
}

#[test]
fn a_real_file_with_a_mark_comments_and_missing_attributes() {
    let config = parse_file(REAL).unwrap();
    assert_eq!(config.pools, ["DefaultAppPool", ".NET v4.5", "商店 & Co"]);
    let expected = [
        ("Default Web Site", vec!["common"]),
        ("商店", vec![".net v4.5", "common", "商店 & co"]),
        ("intranet", vec!["intranet", "wiki"]),
        ("ftp only", vec![]),
    ];
    assert_eq!(sites(&config), expected);
    let alone: Vec<&str> = config.alone().map(|site| site.name.as_str()).collect();
    assert_eq!(alone, ["intranet"], "a site without an application uses nothing, and the others share a pool");
}

#[test]
fn utf_16_is_read_as_well() {
    let text = crate::config::decode(REAL).into_owned();
    for (mark, bytes) in [([0xFF, 0xFE], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xFE, 0xFF], u16::to_be_bytes)] {
        let file: Vec<u8> = mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect();
        assert_eq!(parse_file(&file), parse_file(REAL));
    }
}

fn with_sites(sites: &str) -> String {
    format!("<configuration><system.applicationHost><sites>{sites}</sites></system.applicationHost></configuration>")
}

#[test]
fn without_any_default_a_pool_is_the_one_that_iis_has() {
    let config = HostConfig::parse(&with_sites("<site name='a'><application/></site>")).unwrap();
    assert_eq!(sites(&config), [("a", vec!["defaultapppool"])]);
}

#[test]
fn a_namespace_changes_nothing() {
    let text = with_sites("<site name='a'><application applicationPool='B'/></site>")
        .replace("<configuration>", "<configuration xmlns=\"http://schemas.microsoft.com/.NetConfiguration/v2.0\">");
    assert_eq!(sites(&HostConfig::parse(&text).unwrap()), [("a", vec!["b"])]);
}

#[test]
fn two_hundred_sites_of_which_every_second_has_its_pool_alone() {
    let site = |n: usize| {
        let pool = if n.is_multiple_of(2) { format!("pool{n}") } else { "shared".to_owned() };
        format!("<site name='s{n}' id='{n}'><application path='/' applicationPool='{pool}'/></site><!-- {n} -->")
    };
    let config = HostConfig::parse(&with_sites(&(0..200).map(site).collect::<String>())).unwrap();
    assert_eq!(config.sites.len(), 200);
    let alone: Vec<&str> = config.alone().map(|site| site.name.as_str()).collect();
    assert_eq!((alone.len(), alone[0], alone[99]), (100, "s0", "s198"));
}

#[test]
fn what_is_no_such_file_is_an_error_and_no_map() {
    for text in ["", " ", "{}", "<a", "<configuration/>", "<a/>", "<configuration><system.applicationHost>", "\u{feff}"]
    {
        assert!(HostConfig::parse(text).is_err(), "{text}");
    }
    let empty = HostConfig::parse("<configuration><system.applicationHost/></configuration>");
    assert_eq!(empty, Ok(HostConfig::default()));
    // Cut at every byte of it.
    let text = crate::config::decode(REAL);
    for end in (0..text.len() - 30).filter(|end| text.is_char_boundary(*end)) {
        assert!(HostConfig::parse(&text[..end]).is_err(), "{end}");
    }
}

/// The parser before the present one called itself for every level: a small file ended the whole process.
#[test]
fn a_hundred_thousand_levels_overflow_no_stack() {
    let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    let small = std::thread::Builder::new().stack_size(128 << 10);
    let parse = move || {
        let text = with_sites(&format!("<site name='a'>{}<application/></site>", deep(100_000)));
        HostConfig::parse(&text).map(|config| config.sites.len())
    };
    assert_eq!(small.spawn(parse).unwrap().join().unwrap(), Ok(1));
}

#[test]
fn entities_are_refused_and_so_is_what_takes_forever() {
    let bomb = format!(
        "<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"{}\">]>{}",
        "&x;".repeat(100),
        with_sites("<site name='&y;'/>")
    );
    assert!(HostConfig::parse(&bomb).unwrap_err().contains("DTD"), "{:?}", HostConfig::parse(&bomb));
    assert!(HostConfig::parse(&with_sites("<site name='&y;'/>")).is_err());

    let attributes: String = (0..200_000).map(|n| format!(" a{n}=''")).collect();
    let told = HostConfig::parse(&with_sites(&format!("<site{attributes}/>"))).unwrap_err();
    assert!(told.contains("1000 attributes"), "{told}");
    let spaces: String = (0..60_000).map(|n| format!("<a xmlns:n{n}='x{n}'>")).collect();
    assert!(HostConfig::parse(&with_sites(&spaces)).unwrap_err().contains("namespaces"));
    let nodes = "<a/>".repeat(MOST_NODES as usize);
    assert!(HostConfig::parse(&with_sites(&nodes)).is_err());
}

#[test]
fn variables_in_a_path_are_those_of_the_environment() {
    let of = |name: &str| (name == "SystemDrive").then(|| "C:".to_owned());
    for (text, path) in [
        (r"%SystemDrive%\shared", r"C:\shared"),
        (r"\\server\share", r"\\server\share"),
        (r"%None%\%SystemDrive%", r"%None%\C:"),
        ("100%", "100%"),
        ("%%", "%%"),
        ("", ""),
    ] {
        assert_eq!(expanded(text, of), path);
    }
}

#[test]
fn a_file_is_read_only_where_its_time_or_size_has_changed_and_up_to_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    assert_eq!(look(directory.path(), None), Ok(Found::Gone(path.clone())));
    fs::write(&path, with_sites("<site name='a'/>")).unwrap();
    let Ok(Found::New(version, config)) = look(directory.path(), None) else { panic!("not read") };
    assert_eq!(config.sites.len(), 1);
    assert_eq!(look(directory.path(), Some(&version)), Ok(Found::Same));
    // Written anew with the same text: read anew, by its time alone.
    File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(matches!(look(directory.path(), Some(&version)), Ok(Found::New(..))));

    let sparse = File::create(&path).unwrap();
    sparse.set_len(MOST_BYTES + 1).unwrap();
    let Err(unread) = look(directory.path(), None) else { panic!("too long") };
    assert!(!unread.is_shared && unread.why.contains("more than 16777216 bytes"), "{unread:?}");
}
