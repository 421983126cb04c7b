//! Builds `nvml.c`, for the tests of both crates: with the C compiler that Rust links with, so nothing more is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of this name with a `libnvidia-ml.so.1` in it that behaves as `how` says, unless its environment says
/// otherwise. `macros` as the compiler takes them: `-DONLY_OLD`.
pub fn build(folder: &Path, how: &str, macros: &[&str]) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/nvml/nvml.c");
    let library = folder.join("libnvidia-ml.so.1");
    let mut cc = Command::new("cc");
    // With a macro some of its functions are not needed.
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-shared", "-fPIC"]).args(macros);
    cc.arg(format!("-DHOW=\"{how}\"")).arg("-o").arg(&library).arg(source);
    let status = cc.status().unwrap_or_else(|error| panic!("cannot start {cc:?}: {error}"));
    assert!(status.success(), "{cc:?}: {status}");
    library
}
