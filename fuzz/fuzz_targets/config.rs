//! cfg.json, as an administrator may have left it, and after each byte 0x1E a file of cfg.d: any bytes are answered with a
//! configuration or a located error.
#![no_main]

use falcon_agent::config::{Overlay, parse_over};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut files = data.split(|byte| *byte == 0x1e);
    let main = files.next().unwrap_or_default();
    let overlays: Vec<Overlay> =
        files.take(8).map(|bytes| Overlay { file: "cfg.d/a.json".to_owned(), bytes: Ok(bytes.to_vec()) }).collect();
    let _ = parse_over(main, "cfg.json", &overlays, &falcon_agent::collect::known());
});
