//! Where an answer ends in a stream of bytes: the same whether they come at once or one by one, and where the parser says.
#![no_main]

use falcon_agent::gojson::{Framer, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let at_once = Framer::new().push(data);
    let mut framer = Framer::new();
    let one_by_one = data.iter().enumerate().find_map(|(before, byte)| match framer.push(&[*byte]) {
        Ok(end) => end.map(|end| Some(before + end)),
        Err(_) => Some(None),
    });
    assert_eq!(one_by_one, at_once.as_ref().map_or(Some(None), |end| end.map(Some)));
    let mut parser = Parser::new(data);
    if data.starts_with(b"{") && parser.skip().is_ok() {
        assert_eq!(at_once, Ok(Some(parser.offset())));
    }
});
