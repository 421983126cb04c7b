//! cfg.json, as an administrator may have left it: any bytes are answered with a configuration or a located error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = falcon_agent::config::parse(data, "cfg.json", &falcon_agent::collect::known());
});
