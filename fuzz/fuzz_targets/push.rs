//! The body of POST /v1/push: the one edge that anybody on the host may write to.
#![no_main]

use falcon_agent::push::Rules;
use libfuzzer_sys::fuzz_target;

/// Any fixed time will do; one in the present keeps timestamps of seeds on both sides of it.
const RULES: Rules = Rules { now: 1_795_363_645, items: 1000, default_tags: 8 };

fuzz_target!(|data: &[u8]| {
    let _ = falcon_agent::push::decode(data, &RULES);
});
