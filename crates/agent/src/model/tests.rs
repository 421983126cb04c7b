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

#[test]
fn a_number_that_json_cannot_carry_is_no_sample() {
    assert_eq!(Finite::new(f64::NAN), None);
    assert_eq!(Finite::new(f64::INFINITY), None);
    assert_eq!(Finite::new(-0.5).map(Finite::get), Some(-0.5));
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

#[test]
fn tags_that_are_too_long_are_cut_where_it_hurts_least() {
    let long = "x".repeat(400);
    let tags = Tags::of(&[("mount", &long), ("fstype", "ext4")]);
    let Fit::Cut(cut) = tags.fit("df.bytes.total", true) else { panic!("not cut") };
    assert!(cut.as_str().ends_with(",fstype=ext4") && cut.as_str().starts_with("mount=xxxxxxxx"), "{cut:?}");
    assert_eq!("df.bytes.total".len() + 1 + cut.as_str().len(), 255);
    let Fit::Cut(again) = tags.fit("df.bytes.total", true) else { panic!("not cut") };
    assert_eq!(cut, again, "stable");
    // The end tells: two values that differ only there must not become one series.
    let Fit::Cut(other) = Tags::of(&[("mount", &format!("{long}y")), ("fstype", "ext4")]).fit("df.bytes.total", true)
    else {
        panic!("not cut")
    };
    assert_ne!(cut, other);
    assert_eq!(fnv1a("a"), 0xe40c_292c, "the published value of FNV-1a");
}

#[test]
fn characters_count_for_the_column_and_bytes_for_the_transfer() {
    let chinese = "\u{4EE5}".repeat(150);
    assert_eq!(Tags::of(&[("iface", &chinese)]).fit("net.if.in.bytes", true), Fit::AsItIs, "172 characters, 471 bytes");
    let Fit::Cut(cut) = Tags::of(&[("iface", &"\u{4EE5}".repeat(200))]).fit("net.if.in.bytes", true) else {
        panic!("621 bytes are more than a transfer takes")
    };
    assert!(cut.as_str().len() + "net.if.in.bytes".len() <= MAX_NAME);
}

#[test]
fn what_cannot_be_cut_is_too_long() {
    let metric = "m".repeat(300);
    assert_eq!(Tags::of(&[("a", "short")]).fit(&metric, true), Fit::TooLong);
    assert_eq!(Tags::raw("no pairs here").fit(&metric, true), Fit::TooLong);
    // A push goes as it is, up to what a transfer takes.
    assert_eq!(Tags::raw("a=b").fit(&metric, false), Fit::AsItIs);
    assert_eq!(Tags::raw("a".repeat(211)).fit(&metric, false), Fit::TooLong);
}

#[test]
fn blanks_make_no_other_series() {
    let with = sample("m", "iface=Local Area", 1.0, 0);
    assert_eq!(with.key(), sample("m", "iface=LocalArea", 1.0, 0).key());
    assert_ne!(with.key(), sample("m", "iface=LocalAreb", 1.0, 0).key());
}
