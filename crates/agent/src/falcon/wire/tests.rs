use super::*;
use crate::model::sample;
use proptest::prelude::*;

#[test]
fn the_bytes_of_the_go_agent() {
    let mut out = Vec::new();
    encode_one(&sample("agent.alive", "", 1.0, 1_700_000_000), "h1", &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"endpoint":"h1","metric":"agent.alive","value":1,"step":60,"counterType":"GAUGE","tags":"","timestamp":1700000000}"#
    );
}

#[test]
fn numbers_are_as_short_as_gos() {
    let text = |value| {
        let mut out = Vec::new();
        number(value, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(text(270_553_174_016.0), "270553174016");
    assert_eq!(text(22.386_588_872_425_683), "22.386588872425683");
    assert_eq!(text(-0.0), "0");
    assert_eq!(text(1e21), "1e21");
    assert_eq!(text(1e-7), "1e-7");
    assert_eq!(text(0.000_001), "0.000001");
}

#[test]
fn frames_are_cut_at_five_hundred_items_and_at_64_kib() {
    let samples: Vec<_> = (0..501).map(|n| sample(&n.to_string(), "", 0.0, 60 * n)).collect();
    let sizes: Vec<_> = encode(&samples, "h", 7).iter().map(|frame| (frame.taken, frame.len())).collect();
    assert_eq!(sizes, [(7, 500), (7, 1)]);
    let long: Vec<_> = (0..300).map(|_| sample("m", &"t".repeat(450), 1.0, 60)).collect();
    assert!(encode(&long, "h", 7).iter().all(|frame| frame.body().len() < MAX_BODY));
}

proptest! {
    #[test]
    fn every_item_reads_back_as_what_was_said(
        items in prop::collection::vec((".{0,40}", ".{0,40}", prop::num::f64::NORMAL, 0i64..5_000_000_000), 1..20),
    ) {
        let samples: Vec<_> = items.iter().map(|(metric, tags, value, _)| sample(metric, tags, *value, 7)).collect();
        let frame = encode(&samples, "端点", 7).remove(0);
        let array: Vec<serde_json::Value> =
            serde_json::from_slice(&[b"[", frame.body(), b"]"].concat()).expect("valid JSON");
        prop_assert_eq!(array.len(), samples.len());
        for (json, sample) in array.iter().zip(&samples) {
            prop_assert_eq!(json["metric"].as_str(), Some(sample.metric.as_ref()));
            prop_assert_eq!(json["tags"].as_str(), Some(sample.tags.as_str()));
            prop_assert_eq!(json["value"].as_f64(), Some(sample.value.get()));
            prop_assert_eq!(json["endpoint"].as_str(), Some("端点"));
            prop_assert!(json["timestamp"].is_i64() && json["step"].is_i64());
        }
        let apart: Vec<_> = (0..frame.len()).filter_map(|n| frame.item(n)).collect();
        prop_assert_eq!(apart.join(&b','), frame.body());
        prop_assert_eq!(frame.item(frame.len()), None);
        let mut payload = Vec::new();
        frame.write_payload(&mut payload);
        prop_assert_eq!(Frame::from_payload(7, frame.len(), &payload), Some(frame));
    }
}
