//! What a server, or whatever answers in its place, sends back on an RPC connection.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    falcon_agent::falcon::rpc::fuzz_answer(data);
});
