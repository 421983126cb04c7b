use super::*;

#[test]
fn a_number_that_json_cannot_carry_is_no_sample() {
    assert_eq!(Finite::new(f64::NAN), None);
    assert_eq!(Finite::new(f64::INFINITY), None);
    assert_eq!(Finite::new(-0.5).map(Finite::get), Some(-0.5));
}

#[test]
fn blanks_make_no_other_series() {
    let with = sample("m", "iface=Local Area", 1.0, 0);
    assert_eq!(with.key(), sample("m", "iface=LocalArea", 1.0, 0).key());
    assert_ne!(with.key(), sample("m", "iface=LocalAreb", 1.0, 0).key());
}
