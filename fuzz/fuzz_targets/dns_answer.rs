//! What a name server, or whatever answers in its place, sends back.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    falcon_agent::collect::fuzz_dns_answer(data);
});
