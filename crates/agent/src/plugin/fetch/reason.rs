//! Why git failed, among all that it says, and without the login that may be in it.

use crate::config::without_credentials;

/// The reason among what git said: its last error, with the line before it, which is that of ssh where there is one; else
/// simply what came last.
pub(super) fn last_words(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    // What git says to do then is more than its last error.
    let dubious = lines.iter().find(|line| line.contains("detected dubious ownership"));
    let way_out = lines.iter().find(|line| line.contains("--add safe.directory"));
    if let Some((line, way_out)) = dubious.zip(way_out) {
        return Some(format!("{line} ({})", way_out.trim()));
    }
    let is_error = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let Some(at) = lines.iter().rposition(is_error) else { return lines.last().map(|line| (*line).to_owned()) };
    let error = lines.get(at)?;
    let before = at.checked_sub(1).and_then(|before| lines.get(before));
    match before {
        Some(before) if error.starts_with("fatal: Could not read from remote") => Some(format!("{before} ({error})")),
        _ => Some((*error).to_owned()),
    }
}

/// Without the login of the address, and of any other.
pub(super) fn hidden(words: &str, url: &str, shown: &str) -> String {
    let words = if url.is_empty() { words.to_owned() } else { words.replace(url, shown) };
    let word = |word: &str| match word.find("://") {
        Some(_) if word.contains('@') => {
            let start = word.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(0);
            let (before, address) = word.split_at_checked(start).unwrap_or(("", word));
            format!("{before}{}", without_credentials(address))
        }
        _ => word.to_owned(),
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_what_git_said() {
        for (said, reason) in [
            ("", None),
            (
                "Cloning into 'p'...\nfatal: repository '/x' does not exist\n",
                Some("fatal: repository '/x' does not exist"),
            ),
            (
                "fatal: detected dubious ownership in repository at '/p'\nTo add an exception, call:\n\n\tgit config\n",
                Some("fatal: detected dubious ownership in repository at '/p'"),
            ),
            (
                "Host key verification failed.\r\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
                Some("Host key verification failed. (fatal: Could not read from remote repository.)"),
            ),
            (
                "error: Your local changes would be overwritten by merge:\n\ta\nPlease commit\nAborting\n",
                Some("error: Your local changes would be overwritten by merge:"),
            ),
            ("sh: ssh: not found\n", Some("sh: ssh: not found")),
            (
                "fatal: detected dubious ownership in repository at '/p/.git'\nTo add an exception, call:\n\n\tgit config \
                 --global --add safe.directory /p/.git\nfatal: Could not read from remote repository.\n\nPlease\n",
                Some(
                    "fatal: detected dubious ownership in repository at '/p/.git' (git config --global --add \
                     safe.directory /p/.git)",
                ),
            ),
        ] {
            assert_eq!(last_words(said).as_deref(), reason, "{said}");
        }
    }

    #[test]
    fn no_login_is_told() {
        let url = "https://me:hunter2@h/p.git";
        for (words, told) in [
            ("unable to access 'https://me:hunter2@h/p.git/': x", "unable to access 'https://******@h/p.git/': x"),
            ("unable to access 'https://it:hunter2@i/q/': x", "unable to access 'https://******@i/q/': x"),
            ("git@h: Permission denied", "git@h: Permission denied"),
        ] {
            assert_eq!(hidden(words, url, "https://******@h/p.git"), told);
        }
    }
}
