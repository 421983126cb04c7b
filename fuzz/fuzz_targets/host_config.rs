//! applicationHost.config of IIS.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    falcon_agent::collect::fuzz_host_config(data);
});
