//! Standard input and output as a channel of this process alone.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::fs::File;
use std::io;
use std::path::Path;

/// Takes standard input and output away from everybody else: they are read and written through the files that are returned,
/// and what others read and write there is `/dev/null`. Nothing that this process starts inherits them. Standard error stays:
/// where there is none, Rust has opened `/dev/null`. Once, before anything is printed or loaded.
///
/// # Errors
/// Those of the calls.
pub fn private_stdio() -> io::Result<(File, File)> {
    // Behind the three that programs expect to be something else.
    const FIRST: i32 = 3;
    let input = fcntl_dupfd_cloexec(io::stdin(), FIRST)?;
    let output = fcntl_dupfd_cloexec(io::stdout(), FIRST)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok((input.into(), output.into()))
}

/// From now on what this process says goes to the end of a file, which is made where there is none: standard output and error.
///
/// # Errors
/// The file cannot be opened, or the calls' own.
pub fn say_to(path: &Path) -> io::Result<()> {
    let file = File::options().append(true).create(true).open(path)?;
    dup2_stdout(&file)?;
    dup2_stderr(&file)?;
    Ok(())
}
