//! Plays a worker process of IIS: `w3wp.exe -ap "Pool A" --busy 500 --bytes 50000000` computes for 500 of every 1,000
//! milliseconds and holds 50,000,000 bytes, until it is ended. What it does not know it ignores, as `-v "v4.0"`.

use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Short enough that a measurement of a second sees many.
const ROUND: Duration = Duration::from_millis(20);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)?.parse::<u32>().ok()
    };
    let busy = ROUND * number("--busy").unwrap_or(0).min(1000) / 1000;
    // Written to, or it would take no memory.
    let held = vec![1u8; number("--bytes").unwrap_or(0) as usize];
    loop {
        let begin = Instant::now();
        while begin.elapsed() < busy {
            black_box(&held);
        }
        sleep(ROUND.saturating_sub(begin.elapsed()));
    }
}
