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
