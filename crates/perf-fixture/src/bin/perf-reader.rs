//! Asks for performance counters as the agent does, and prints the answer in hex: `perf-reader "10000 10002" [TIMES]`.
//! `perf-reader names` prints the table of names in the host's language.

use std::io;

use falcon_sys::PerfData;
use falcon_sys::types::PerfNames;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let query = words.next().unwrap_or_else(|| "names".to_owned());
    if query == "names" {
        let names = falcon_sys::perf_names(PerfNames::CurrentLanguage)?;
        println!("{}", String::from_utf16_lossy(&names).replace('\0', "\n").trim_end());
        return Ok(());
    }
    let times: usize = words.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut counters = PerfData::new();
    for _ in 0..times {
        let answer = counters.query(&query)?;
        println!("{} bytes", answer.len());
        for line in answer.chunks(32) {
            println!("{}", line.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
    Ok(())
}
