use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_795_363_835;

const RULES: Rules = Rules { now: NOW, items: 1000, default_tags: 0 };

fn one(members: &str) -> Result<Batch, Refusal> {
    decode(format!("[{{{members}}}]").as_bytes(), &RULES)
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
        assert!(decode(body.as_bytes(), &RULES).is_err(), "{body}");
    }
}

#[test]
fn null_empty_and_trailing_bytes_are_fine() {
    for (body, invalid) in [("null", 0), ("[]", 0), ("[null]", 1), ("[] xyz", 0), ("[null,null]]]", 2)] {
        let batch = decode(body.as_bytes(), &RULES).expect(body);
        assert_eq!((batch.samples.len(), batch.refused_total()), (0, invalid), "{body}");
    }
}

#[test]
fn members_in_another_case_and_unknown_ones_are_understood() {
    let body =
        r#"[{"Endpoint":"h","METRIC":"m","Value":1,"Step":60,"CounterType":"COUNTER","Timestamp":7,"foo":[{}]}]"#;
    let batch = decode(body.as_bytes(), &RULES).expect("decodes");
    assert_eq!((batch.samples[0].kind, batch.samples[0].at), (Kind::Counter, 7));
}

#[test]
fn items_are_counted_as_they_stand_and_too_many_are_refused() {
    let rules = Rules { items: 3, ..RULES };
    assert_eq!(decode(b"[null,null,null]", &rules).expect("three").refused_total(), 3);
    assert_eq!(decode(b"[null,null,null,null]", &rules).err(), Some(Refusal::TooMany(3)));
    assert!(matches!(decode(b"[null,null,1,null]", &rules), Err(Refusal::Json(why)) if why.offset == 11));
}

/// Names are of whoever pushes: one with a line break wrote lines of its own into the log.
#[test]
fn the_first_of_each_reason_is_remembered_fit_for_a_log() {
    let long = "n".repeat(100);
    let body = format!(
        r#"[{{{}}},{{{}}},{{{}}}]"#,
        with(r#""step":0,"metric":"a\r\nb""#),
        with(&format!(r#""value":true,"metric":"{long}""#)),
        with(r#""step":0"#)
    );
    let batch = decode(body.as_bytes(), &RULES).expect("decodes");
    let step = &batch.invalid[&Invalid::Step];
    assert_eq!((step.count, step.index, step.name.as_str()), (2, 0, "h/a\u{fffd}\u{fffd}b"));
    let value = &batch.invalid[&Invalid::Value];
    assert_eq!((value.index, value.name.chars().count()), (1, 2 + 64 + 3));
    assert_eq!(batch.refused, [(0, Invalid::Step), (1, Invalid::Value), (2, Invalid::Step)]);
}

#[test]
fn what_servers_will_lose_is_counted() {
    let batch = |member: &str| one(&with(member)).expect(member);
    assert_eq!([1, 29, 30].map(|step| batch(&format!(r#""step":{step}"#)).small_steps), [1, 1, 0]);
    let ahead = |s: i64| batch(&format!(r#""timestamp":{}"#, NOW + s)).future;
    assert_eq!([0, 60, 61, 86_400].map(ahead), [0, 0, 1, 1]);
    assert_eq!(batch(r#""step":0,"timestamp":1999999999"#).future, 0, "it is left out");
}

#[test]
fn default_tags_must_fit_too() {
    let rules = Rules { default_tags: ",idc=bj".len(), ..RULES };
    let refused = |tags: usize| {
        let body = format!("[{{{}}}]", with(&format!(r#""tags":"{}""#, "t".repeat(tags))));
        decode(body.as_bytes(), &rules).expect("decodes").refused.first().map(|(_, why)| *why)
    };
    assert_eq!(
        [502, 503, 509].map(refused),
        [None, Some(Invalid::TooLongWithDefaults), Some(Invalid::TooLongWithDefaults)]
    );
    assert_eq!(refused(510), Some(Invalid::TooLong));
    let alone =
        format!(r#"[{{"endpoint":"h","metric":"{}","value":1,"step":60,"counterType":"GAUGE"}}]"#, "m".repeat(504));
    assert_eq!(decode(alone.as_bytes(), &rules).expect("decodes").samples.len(), 1, "no comma without tags");
}

proptest! {
    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&body, &RULES);
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
        let batch = decode(body.as_bytes(), &RULES).expect("valid JSON");
        prop_assert_eq!(batch.samples.len() + batch.refused_total(), 1);
        for sample in batch.samples {
            prop_assert!(sample.step > 0 && !sample.metric.is_empty() && sample.metric != "kernel.hostname");
            prop_assert!(sample.endpoint.is_some_and(|endpoint| !endpoint.is_empty()));
        }
    }
}
