use super::*;
use proptest::prelude::*;

#[test]
fn tag_values_lose_what_servers_refuse() {
    let tags = Tags::of(&[("iface", "本地连接 2"), ("mount", "C:/a,b='\"\r\n\u{1a}>")]);
    assert_eq!(tags.as_str(), "iface=本地连接 2,mount=C:/a_b_______");
}

#[test]
fn canonical_tags_are_those_of_the_transfer() {
    assert_eq!(Tags::raw("b=2, a = 1,junk,,a=3,=x,c=").canonical(), "=x,a=3,b=2,c=");
    assert_eq!(Tags::NONE.canonical(), "");
}

#[test]
fn default_tags_come_last_and_so_win() {
    let tags = Tags::raw("idc=own,x=1").with_defaults("idc=bj");
    assert_eq!(tags.as_str(), "idc=own,x=1,idc=bj");
    assert_eq!(tags.canonical(), "idc=bj,x=1");
    assert_eq!(Tags::NONE.with_defaults("idc=bj").as_str(), "idc=bj");
}

proptest! {
    #[test]
    fn cleaned_values_keep_one_pair_whatever_they_were(value in ".*") {
        let tags = Tags::of(&[("mount", &value)]);
        let pairs: Vec<_> = tags.pairs().collect();
        prop_assert_eq!(pairs.len(), 1);
        let refused = tags.as_str().contains(['\r', '\n', '\'', '"', '>', '\u{1a}']);
        prop_assert!(!refused, "{}", tags.as_str());
    }

    #[test]
    fn canonical_is_stable(text in "[a-c=, ]{0,24}") {
        let once = Tags::raw(text).canonical();
        prop_assert_eq!(Tags::raw(once.clone()).canonical(), once);
    }
}

fn cut(pairs: &[(&str, &str)], metric: &str) -> String {
    match Tags::of(pairs).fit(metric, true) {
        Fit::Cut(tags) => tags.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_that_are_too_long_are_cut_where_it_hurts_least() {
    let long = "x".repeat(400);
    let short = cut(&[("mount", &long), ("fstype", "ext4")], "df.bytes.total");
    assert!(short.ends_with(",fstype=ext4") && short.starts_with("mount=xxxxxxxx"), "{short}");
    assert_eq!(short.len(), 190, "which leaves 64 for the name and one for the slash");
    // The end tells: two values that differ only there must not become one series.
    assert_ne!(short, cut(&[("mount", &format!("{long}y")), ("fstype", "ext4")], "df.bytes.total"));
    assert_eq!(fnv1a("a"), 0xe40c_292c, "the published value of FNV-1a");
    let both = cut(&[("a", &long), ("b", &"y".repeat(300))], "m");
    assert!(both.len() <= 190 && both.contains(",b=yyyyyyyy"), "{both}");
}

/// One adapter of a long name came with nine different tags, one for each length of its metrics' names.
#[test]
fn all_series_of_a_thing_are_cut_alike() {
    let long = "x".repeat(250);
    assert_eq!(cut(&[("iface", &long)], "net.if.in.bytes"), cut(&[("iface", &long)], "net.if.out.carrier.errs"));
    let declared = crate::collect::ALL.iter().flat_map(|spec| spec.metrics);
    assert!(declared.into_iter().all(|metric| metric.name.len() <= MAX_METRIC));
}

#[test]
fn characters_count_for_the_column_and_bytes_for_the_transfer() {
    let chinese = "\u{4EE5}".repeat(140);
    assert_eq!(Tags::of(&[("iface", &chinese)]).fit("net.if.in.bytes", true), Fit::AsItIs, "146 characters, 426 bytes");
    let short = cut(&[("iface", &"\u{4EE5}".repeat(160))], "net.if.in.bytes");
    assert!(short.len() + MAX_METRIC <= MAX_NAME && short.chars().count() > 100, "{short}");
}

#[test]
fn what_cannot_be_cut_is_too_long() {
    let metric = "m".repeat(300);
    assert_eq!(Tags::of(&[("a", &"b".repeat(300))]).fit(&metric, true), Fit::TooLong);
    assert_eq!(Tags::raw("no pairs here,".repeat(20)).fit("m", true), Fit::TooLong);
    // A push goes as it is, up to what a transfer takes.
    assert_eq!(Tags::raw("a=b").fit(&metric, false), Fit::AsItIs);
    assert_eq!(Tags::raw("a".repeat(211)).fit(&metric, false), Fit::TooLong);
}

/// Graph drops a series with such a character without a word, and a Chinese keyboard types U+3000 into a name.
#[test]
fn what_cannot_be_printed_becomes_an_underscore() {
    let mut text = String::new();
    clean("a\u{3000}b\u{200b}c\u{a0}d\u{feff}e\u{e000}f\u{ad}g\u{2028}h\u{7f}", &mut text);
    assert_eq!(text, "a_b_c_d_e_f_g_h_");
    text.clear();
    clean("\u{672C}\u{5730} e\u{301} \u{1F600} \\ ~", &mut text);
    assert_eq!(text, "\u{672C}\u{5730} e\u{301} \u{1F600} \\ ~");
}
