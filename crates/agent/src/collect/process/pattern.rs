//! Which processes a configured name fits.

use std::borrow::Cow;

use crate::model::Platform;

/// What the kernel of Linux keeps of a name (TASK_COMM_LEN, less the NUL).
const COMM: usize = 15;

/// One name, as processes are compared with it.
pub(super) enum Pattern {
    /// The name as it was written; and without `.exe`, for one configuration serves hosts of both systems.
    Linux([Linux; 2]),
    /// In small letters and without `.exe`.
    Windows(String),
}

pub(super) struct Linux {
    name: String,
    /// What the kernel would keep of it.
    cut: String,
}

impl Pattern {
    pub(super) fn new(name: &str, platform: Platform) -> Pattern {
        match platform {
            Platform::Linux => Pattern::Linux([Linux::new(name), Linux::new(without_exe(name))]),
            Platform::Windows => Pattern::Windows(lower(without_exe(name)).collect()),
        }
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        match self {
            Pattern::Linux(patterns) => patterns.iter().any(|pattern| pattern.fits(name)),
            Pattern::Windows(key) => lower(without_exe(name)).eq(key.chars()),
        }
    }
}

impl Linux {
    fn new(name: &str) -> Linux {
        Linux { name: name.to_owned(), cut: cut(name).into_owned() }
    }

    /// `name` is the whole name of a process, or what the kernel keeps of it; so is what was configured.
    fn fits(&self, name: &str) -> bool {
        self.name == name || self.cut == name || self.name.len() == COMM && self.name == cut(name)
    }
}

/// Cut within a character, the kernel's name is shown with the replacement character, and so is this one.
fn cut(name: &str) -> Cow<'_, str> {
    String::from_utf8_lossy(name.as_bytes().get(..COMM).unwrap_or(name.as_bytes()))
}

fn lower(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn without_exe(name: &str) -> &str {
    let end = name.len().saturating_sub(".exe".len());
    match (name.get(..end), name.get(end..)) {
        (Some(stem), Some(extension)) if extension.eq_ignore_ascii_case(".exe") => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_compares_what_the_kernel_keeps_of_a_name() {
        let fits = |name: &str, comm: &str| Pattern::new(name, Platform::Linux).fits(comm);
        assert!(fits("nginx", "nginx") && !fits("nginx", "nginx.exe") && !fits("nginx", "Nginx"));
        assert!(fits("systemd-journald", "systemd-journal") && fits("systemd-journal", "systemd-journal"));
        assert!(!fits("systemd-journa", "systemd-journal"));
        // The whole name, where the command line tells it.
        assert!(fits("systemd-journald", "systemd-journald") && fits("systemd-journal", "systemd-journald"));
        assert!(!fits("systemd-journalx", "systemd-journald") && !fits("systemd-journa", "systemd-journald"));
        // 15 bytes end within the last character of both.
        let cut = String::from_utf8_lossy(&"服务器监控程序".as_bytes()[..15]).into_owned();
        assert!(fits("服务器监控程序", &cut));
        let cut = String::from_utf8_lossy(&"a服务器监控程序".as_bytes()[..15]).into_owned();
        assert!(cut.ends_with('\u{FFFD}') && fits("a服务器监控程序", &cut));
    }

    // A name with `.exe`, as the agents of Windows have it, fitted nothing on Linux.
    #[test]
    fn one_configuration_serves_both_systems() {
        let fits = |name: &str, comm: &str| Pattern::new(name, Platform::Linux).fits(comm);
        assert!(fits("java.exe", "java") && fits("java.EXE", "java") && fits("java.exe", "java.exe"));
        assert!(!fits("java", "java.exe") && !fits("java.exe", "Java") && !fits("java.exe", "java.e"));
        assert!(fits("systemd-journald.exe", "systemd-journal") && fits("averylongname.exe", "averylongname.e"));
    }

    #[test]
    fn windows_compares_without_case_and_extension() {
        let fits = |name: &str, image: &str| Pattern::new(name, Platform::Windows).fits(image);
        for name in ["w3wp", "w3wp.exe", "W3WP.EXE"] {
            assert!(fits(name, "w3wp.exe") && fits(name, "W3wp.Exe") && fits(name, "w3wp") && !fits(name, "w3wp2.exe"));
        }
        assert!(fits("УТИЛИТА", "утилита.exe") && fits("服务", "服务.EXE") && !fits(".exe", "a.exe"));
        assert!(fits("exe", "exe") && !fits("a", "a.exe.exe") && !fits("a", ""));
    }
}
