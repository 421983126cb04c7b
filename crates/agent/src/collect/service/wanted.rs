//! Which services an entry of `service.names` means: `*` stands for any text, `?` for one character.
//!
//! Windows compares without regard to case, as its manager does; systemd's names are exact, and a name without the type of a
//! unit is that of a service.

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
    platform: Platform,
    /// Small letters on Windows.
    pattern: Vec<char>,
}

impl Wanted {
    pub fn new(written: &str, platform: Platform) -> Wanted {
        let has_type = UNIT_TYPES.iter().any(|kind| written.ends_with(kind));
        let full = match platform {
            Platform::Linux if !has_type => format!("{written}{SERVICE}"),
            Platform::Linux | Platform::Windows => written.to_owned(),
        };
        Wanted { written: written.to_owned(), pattern: comparable(&full, platform), full, platform }
    }

    pub fn list(written: &[String], platform: Platform) -> Vec<Wanted> {
        written.iter().map(|written| Wanted::new(written, platform)).collect()
    }

    pub fn is_pattern(&self) -> bool {
        self.full.contains(['*', '?'])
    }

    pub fn fits(&self, name: &str) -> bool {
        glob(&self.pattern, &comparable(name, self.platform))
    }
}

fn comparable(name: &str, platform: Platform) -> Vec<char> {
    match platform {
        Platform::Linux => name.chars().collect(),
        Platform::Windows => name.chars().flat_map(char::to_lowercase).collect(),
    }
}

/// Of several `*` only the last is ever tried again: a longer text for an earlier one gains nothing.
fn glob(mut pattern: &[char], mut text: &[char]) -> bool {
    let mut again: Option<(&[char], &[char])> = None;
    loop {
        match (pattern, text) {
            (['*', rest @ ..], _) => {
                again = Some((rest, text));
                pattern = rest;
            }
            ([one, rest @ ..], [first, left @ ..]) if *one == '?' || one == first => {
                (pattern, text) = (rest, left);
            }
            ([], []) => return true,
            _ => match again {
                Some((rest, [_, left @ ..])) => {
                    again = Some((rest, left));
                    (pattern, text) = (rest, left);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_any_text_or_one_character() {
        let fits = |pattern: &str, name: &str| Wanted::new(pattern, Platform::Windows).fits(name);
        assert!(fits("W3SVC", "w3svc") && fits("服务*", "服务甲") && fits("ÄB", "äb"));
        assert!(fits("MSSQL*", "MSSQL$PROD") && fits("mssql*", "MSSQLSERVER") && !fits("MSSQL*", "SQLBrowser"));
        assert!(fits("*", "") && fits("*", "a") && fits("**a*", "ba") && !fits("?", "") && fits("a?c", "abc"));
        assert!(
            fits("*ab*ab", "abxabab") && !fits("*ab*ab", "ab") && fits("a*b*c", "a.b.b.c") && !fits("a*b*c", "acb")
        );
        assert!(!fits("W3SVC", "W3SVC2") && !fits("W3SVC", "W3SV") && !fits("", "a"));
        assert!(fits("MSSQL$X", "mssql$x") && fits("a[b]", "A[B]"));
    }

    /// A pattern of many stars took the agent's time for as long as the universe lasts.
    #[test]
    fn many_stars_take_no_longer() {
        let pattern = format!("{}b", "a*".repeat(200));
        assert!(!Wanted::new(&pattern, Platform::Windows).fits(&"a".repeat(2000)));
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
