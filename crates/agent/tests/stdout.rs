//! The verbs that print, where nobody reads.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::process::{Command, Stdio};

/// `falcon-agent collect | head -1` ended with a panic and a backtrace.
#[test]
fn a_reader_that_has_gone_is_no_fault() {
    for verb in [["--version"].as_slice(), &["--check"], &["config"], &["collect", "--only", "mem"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut agent = Command::new(env!("CARGO_BIN_EXE_falcon-agent"));
        agent.args(verb).current_dir(env!("CARGO_TARGET_TMPDIR")).stdout(writer).stderr(Stdio::piped());
        let output = agent.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb:?}: {}\n{errors}", output.status);
        assert!(!errors.contains("panicked"), "{verb:?}: {errors}");
    }
}
