//! Which processes a configured name fits.

use crate::model::Platform;

/// One name, as processes are compared with it.
pub(super) struct Pattern {
    key: String,
    platform: Platform,
}

impl Pattern {
    pub(super) fn new(name: &str, platform: Platform) -> Pattern {
        /// What the kernel keeps of a name (TASK_COMM_LEN, less the NUL).
        const COMM: usize = 15;
        let key = match platform {
            // Cut within a character, the kernel's name is shown with the replacement character, and so is this one.
            Platform::Linux => {
                String::from_utf8_lossy(name.as_bytes().get(..COMM).unwrap_or(name.as_bytes())).into_owned()
            }
            Platform::Windows => lower(without_exe(name)).collect(),
        };
        Pattern { key, platform }
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        match self.platform {
            Platform::Linux => self.key == name,
            Platform::Windows => lower(without_exe(name)).eq(self.key.chars()),
        }
    }
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
        // 15 bytes end within the last character of both.
        let cut = String::from_utf8_lossy(&"服务器监控程序".as_bytes()[..15]).into_owned();
        assert!(fits("服务器监控程序", &cut));
        let cut = String::from_utf8_lossy(&"a服务器监控程序".as_bytes()[..15]).into_owned();
        assert!(cut.ends_with('\u{FFFD}') && fits("a服务器监控程序", &cut));
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
