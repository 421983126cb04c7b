//! Which services an entry of `service.names` means: a name or a [`Pattern`].
//!
//! Windows compares without regard to case, as its manager does; systemd's names are exact, and a name without the type of a
//! unit is that of a service.

use crate::collect::pattern::Pattern;
use crate::model::Platform;

/// What the name of a unit ends with (systemd.unit(5)).
const UNIT_TYPES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];
pub(super) const SERVICE: &str = ".service";

/// One entry of the configuration.
#[derive(Debug)]
pub(super) struct Wanted {
    /// As it was configured.
    pub written: String,
    /// As the system is asked for it: on Linux with its type.
    pub full: String,
    pattern: Pattern,
}

impl Wanted {
    pub fn new(written: &str, platform: Platform) -> Wanted {
        let has_type = UNIT_TYPES.iter().any(|kind| written.ends_with(kind));
        let full = match platform {
            Platform::Linux if !has_type => format!("{written}{SERVICE}"),
            Platform::Linux | Platform::Windows => written.to_owned(),
        };
        let pattern = match platform {
            Platform::Linux => Pattern::exact(&full),
            Platform::Windows => Pattern::caseless(&full),
        };
        Wanted { written: written.to_owned(), full, pattern }
    }

    pub fn list(written: &[String], platform: Platform) -> Vec<Wanted> {
        written.iter().map(|written| Wanted::new(written, platform)).collect()
    }

    pub fn is_pattern(&self) -> bool {
        self.pattern.is_open()
    }

    pub fn fits(&self, name: &str) -> bool {
        self.pattern.fits(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_counts_on_linux_alone() {
        let fits = |platform| Wanted::new("MSSQL*", platform).fits("mssql$prod.service");
        assert!(fits(Platform::Windows) && !fits(Platform::Linux));
    }

    #[test]
    fn a_unit_without_a_type_is_a_service() {
        let full = |written: &str| Wanted::new(written, Platform::Linux).full;
        assert_eq!(full("nginx"), "nginx.service");
        assert_eq!(full("nginx.service"), "nginx.service");
        assert_eq!(full("docker.socket"), "docker.socket");
        assert_eq!(full("php7.4-fpm"), "php7.4-fpm.service");
        assert_eq!(full("getty@*"), "getty@*.service");
        let fits = |written: &str, unit: &str| Wanted::new(written, Platform::Linux).fits(unit);
        assert!(fits("nginx", "nginx.service") && !fits("Nginx", "nginx.service") && !fits("nginx", "nginx.socket"));
        assert!(fits("*.timer", "fstrim.timer") && fits("php*", "php7.4-fpm.service"));
        assert!(Wanted::new("a*", Platform::Linux).is_pattern() && !Wanted::new("a", Platform::Linux).is_pattern());
    }
}
