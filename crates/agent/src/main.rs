//! A thin shell around the library: the signals of the platform, and the exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use falcon_agent::app::Stop;

fn main() -> ExitCode {
    falcon_agent::cli::main(std::env::args_os(), stop)
}

/// SIGTERM (service managers), SIGINT (Ctrl-C).
#[cfg(unix)]
fn stop() -> std::io::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }))
}

/// Ctrl-C, Ctrl-Break, the console's close button, and the system's shutdown.
#[cfg(windows)]
fn stop() -> std::io::Result<Stop> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut c, mut brk, mut close, mut shutdown) = (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = c.recv() => "Ctrl-C",
            _ = brk.recv() => "Ctrl-Break",
            _ = close.recv() => "the console was closed",
            _ = shutdown.recv() => "the system shuts down",
        }
    }))
}
