//! A thin shell around the library: the signals of the platform, and the exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use falcon_agent::app::Stop;

fn main() -> ExitCode {
    falcon_agent::cli::main(std::env::args_os(), stop)
}

/// SIGTERM (service managers), SIGINT (Ctrl-C), SIGHUP (the terminal was closed; under nohup it stays ignored).
#[cfg(unix)]
fn stop() -> std::io::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(Box::pin(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
            Some(_) = async { hup.as_mut()?.recv().await } => "the terminal was closed",
        }
    }))
}

/// Bit 0 of SigIgn in proc_pid_status(5).
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
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
