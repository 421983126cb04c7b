//! A thin shell around the library: the signals of the platform, and the exit code.
#![forbid(unsafe_code)]

use std::io;
#[cfg(unix)]
use std::io::IsTerminal as _;
use std::process::ExitCode;

use falcon_agent::app::Signal;
use tokio::sync::mpsc;

fn main() -> ExitCode {
    falcon_agent::cli::main(std::env::args_os(), signals)
}

/// SIGTERM (service managers), SIGINT (Ctrl-C), SIGHUP: the terminal was closed, or, where there is none, the configuration is
/// to be read again; under nohup it stays ignored.
#[cfg(unix)]
fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    let at_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    let (to, signals) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                _ = term.recv() => Signal::Stop("SIGTERM"),
                _ = int.recv() => Signal::Stop("SIGINT"),
                Some(_) = async { hup.as_mut()?.recv().await } => match at_terminal {
                    true => Signal::Stop("the terminal was closed"),
                    false => Signal::Reload,
                },
            };
            if to.send(signal).await.is_err() {
                return;
            }
        }
    });
    Ok(signals)
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
fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut c, mut brk, mut close, mut shutdown) = (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
    let (to, signals) = mpsc::channel(4);
    tokio::spawn(async move {
        let why = tokio::select! {
            _ = c.recv() => "Ctrl-C",
            _ = brk.recv() => "Ctrl-Break",
            _ = close.recv() => "the console was closed",
            _ = shutdown.recv() => "the system shuts down",
        };
        let _ = to.send(Signal::Stop(why)).await;
    });
    Ok(signals)
}
