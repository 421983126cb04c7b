use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_795_363_835;

fn one(members: &str) -> Result<Batch, gojson::Error> {
    decode(format!("[{{{members}}}]").as_bytes(), NOW)
}

fn with(member: &str) -> String {
    format!(r#""endpoint":"h","metric":"m","value":1,"step":60,"counterType":"GAUGE","tags":"","timestamp":5,{member}"#)
}

fn invalid(member: &str) -> Option<Invalid> {
    one(&with(member)).expect(member).invalid.into_keys().next()
}

#[test]
fn a_good_item_is_taken_as_it_is() {
    let batch = one(&with(r#""tags":"k=v, x = y""#)).expect("decodes");
    let sample = &batch.samples[0];
    assert_eq!((sample.metric.as_ref(), sample.tags.as_str(), sample.at, sample.step), ("m", "k=v, x = y", 5, 60));
    assert_eq!(sample.endpoint.as_deref(), Some("h"));
}

#[test]
fn the_transfers_rules_one_by_one() {
    assert_eq!(invalid(r#""metric":"kernel.hostname""#), Some(Invalid::Hostname));
    assert_eq!(invalid(r#""metric":"""#), Some(Invalid::NoMetric));
    assert_eq!(invalid(r#""endpoint":"""#), Some(Invalid::NoEndpoint));
    assert_eq!(invalid(r#""counterType":"gauge""#), Some(Invalid::CounterType));
    assert_eq!(invalid(r#""step":0"#), Some(Invalid::Step));
    assert_eq!(invalid(r#""step":-1"#), Some(Invalid::Step));
    for value in
        ["null", "true", "[1]", "{}", "\"\"", "\"abc\"", "\" 1\"", "\"NaN\"", "\"+Inf\"", "\"1e400\"", "\"1_0\""]
    {
        assert_eq!(invalid(&format!(r#""value":{value}"#)), Some(Invalid::Value), "{value}");
    }
    assert_eq!(invalid(&format!(r#""tags":"{}""#, "t".repeat(509))), None);
    assert_eq!(invalid(&format!(r#""tags":"{}""#, "t".repeat(510))), Some(Invalid::TooLong));
}

/// Twelve pushes with endpoints of 7 MiB each pushed everything else out of the queue and held 100 MB.
#[test]
fn an_endpoint_has_a_length_too() {
    assert_eq!(invalid(&format!(r#""endpoint":"{}""#, "端".repeat(255))), None);
    assert_eq!(invalid(&format!(r#""endpoint":"{}""#, "端".repeat(256))), Some(Invalid::EndpointTooLong));
}

#[test]
fn numbers_in_strings_are_numbers() {
    for (text, number) in
        [("1.5", 1.5), ("-0", 0.0), ("1e3", 1000.0), ("0x1.8p3", 12.0), ("-0X10p-4", -1.0), ("+5", 5.0)]
    {
        let batch = one(&with(&format!(r#""value":"{text}""#))).expect(text);
        assert_eq!(batch.samples[0].value.get(), number, "{text}");
    }
}

#[test]
fn a_timestamp_that_the_transfer_would_replace_is_replaced_at_once() {
    for (timestamp, at) in [("0", NOW), ("-1", NOW), ("1795363835000", NOW), ("null", 5), ("1795370000", 1_795_370_000)]
    {
        let batch = one(&with(&format!(r#""timestamp":{timestamp}"#))).expect(timestamp);
        assert_eq!(batch.samples[0].at, at, "{timestamp}");
    }
}

#[test]
fn one_wrong_type_refuses_the_whole_body() {
    for member in
        [r#""step":60.0"#, r#""step":"60""#, r#""timestamp":"1""#, r#""tags":{}"#, r#""value":1e400"#, r#""metric":1"#]
    {
        assert!(one(&with(member)).is_err(), "{member}");
    }
    for body in ["{}", "", "  ", "[", "1", "\"x\"", "[1]", "\u{feff}[]"] {
        assert!(decode(body.as_bytes(), NOW).is_err(), "{body}");
    }
}

#[test]
fn null_empty_and_trailing_bytes_are_fine() {
    for (body, invalid) in [("null", 0), ("[]", 0), ("[null]", 1), ("[] xyz", 0), ("[null,null]]]", 2)] {
        let batch = decode(body.as_bytes(), NOW).expect(body);
        assert_eq!((batch.samples.len(), batch.invalid.values().sum::<usize>()), (0, invalid), "{body}");
    }
}

#[test]
fn members_in_another_case_and_unknown_ones_are_understood() {
    let body =
        r#"[{"Endpoint":"h","METRIC":"m","Value":1,"Step":60,"CounterType":"COUNTER","Timestamp":7,"foo":[{}]}]"#;
    let batch = decode(body.as_bytes(), NOW).expect("decodes");
    assert_eq!((batch.samples[0].kind, batch.samples[0].at), (Kind::Counter, 7));
}

proptest! {
    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&body, NOW);
    }

    #[test]
    fn what_is_taken_passes_the_transfers_rules(
        endpoint in ".{0,3}", metric in "(kernel[.]hostname|.{0,3})", step in -2i64..3, kind in "(GAUGE|COUNTER|DERIVE|gauge|)",
        value in "(1|-1[.]5|null|true|\"2\"|\"x\"|1e308)",
    ) {
        let (endpoint, metric) = (serde_json::json!(endpoint), serde_json::json!(metric));
        let body = format!(
            r#"[{{"endpoint":{endpoint},"metric":{metric},"step":{step},"counterType":"{kind}","value":{value}}}]"#
        );
        let batch = decode(body.as_bytes(), NOW).expect("valid JSON");
        prop_assert_eq!(batch.samples.len() + batch.invalid.values().sum::<usize>(), 1);
        for sample in batch.samples {
            prop_assert!(sample.step > 0 && !sample.metric.is_empty() && sample.metric != "kernel.hostname");
            prop_assert!(sample.endpoint.is_some_and(|endpoint| !endpoint.is_empty()));
        }
    }
}
