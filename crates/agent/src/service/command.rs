//! The command line of a registered service: composed with every path in quotes, for Windows runs `C:\Program.exe` for an
//! unquoted `C:\Program Files\...`; taken apart as programs take it apart (CommandLineToArgvW).

use std::path::{Path, PathBuf};

/// What the executable is called.
pub(super) const PROGRAM: &str = "falcon-agent.exe";

/// The program and its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    pub program: String,
    pub arguments: Vec<String>,
}

impl Command {
    /// Of this agent as a service. Neither path can have a quote in it: Windows has no such names.
    pub fn compose(program: &Path, config: &Path) -> String {
        format!("\"{}\" service -c \"{}\"", program.display(), config.display())
    }

    /// Without quotes around the program, it ends with its first `.exe`, or at the first blank.
    pub fn parse(line: &str) -> Command {
        let line = line.trim();
        let (program, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => {
                let exe = line.to_ascii_lowercase().find(".exe").map(|at| at + 4);
                let blank = || line.find([' ', '\t']).unwrap_or(line.len());
                line.split_at_checked(exe.unwrap_or_else(blank)).unwrap_or((line, ""))
            }
        };
        Command { program: program.to_owned(), arguments: arguments(rest) }
    }

    /// The configuration file of a service of this agent; `None`: it is none.
    pub fn own_config(&self) -> Option<PathBuf> {
        let is_ours = file_name(&self.program).eq_ignore_ascii_case(PROGRAM);
        let service = is_ours && self.arguments.iter().any(|argument| argument == "service");
        let config = || self.option("-c").map(PathBuf::from);
        service.then(config)?.or_else(|| Some(Path::new(&self.program).with_file_name("cfg.json")))
    }

    /// The value of an option, behind a blank or an equals sign; Go's flags may have one dash or two.
    pub fn option(&self, name: &str) -> Option<&str> {
        let bare = name.trim_start_matches('-');
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            let Some(given) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
            match given.split_once('=') {
                Some((key, value)) if key == bare => return Some(value),
                None if given == bare => return arguments.next().map(String::as_str),
                _ => {}
            }
        }
        None
    }
}

/// The last part of a Windows path, on every platform.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// Blanks separate, quotes keep together, and backslashes are themselves except in front of a quote.
pub(crate) fn arguments(line: &str) -> Vec<String> {
    let (mut found, mut now, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let mut slashes = 1;
                while chars.next_if_eq(&'\\').is_some() {
                    slashes += 1;
                }
                let before_quote = chars.peek() == Some(&'"');
                now.extend(std::iter::repeat_n('\\', if before_quote { slashes / 2 } else { slashes }));
                if before_quote && slashes % 2 == 1 {
                    chars.next();
                    now.push('"');
                }
                any = true;
            }
            '"' => {
                // Two inside of quotes are one that is meant.
                if quoted && chars.next_if_eq(&'"').is_some() {
                    now.push('"');
                } else {
                    quoted = !quoted;
                }
                any = true;
            }
            ' ' | '\t' if !quoted => {
                if std::mem::take(&mut any) {
                    found.push(std::mem::take(&mut now));
                }
            }
            c => {
                now.push(c);
                any = true;
            }
        }
    }
    if any {
        found.push(now);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_composed_is_quoted_and_taken_apart_again() {
        let (program, config) =
            (r"C:\Program Files\监控 代理\falcon-agent.exe", r"C:\ProgramData\falcon-agent\cfg.json");
        let line = Command::compose(Path::new(program), Path::new(config));
        assert_eq!(line, format!("\"{program}\" service -c \"{config}\""));
        let command = Command::parse(&line);
        assert_eq!(command.program, program);
        assert_eq!(command.arguments, ["service", "-c", config]);
        assert_eq!(command.own_config(), Some(config.into()));
    }

    #[test]
    fn programs_without_quotes_end_where_windows_ends_them() {
        let parse = |line: &str| {
            let Command { program, arguments } = Command::parse(line);
            (program, arguments.join("|"))
        };
        let pair = |program: &str, arguments: &str| (program.to_owned(), arguments.to_owned());
        assert_eq!(parse(r"C:\Program Files\a b\x.EXE -c d e"), pair(r"C:\Program Files\a b\x.EXE", "-c|d|e"));
        assert_eq!(
            parse(r"\SystemRoot\System32\svchost -k netsvcs"),
            pair(r"\SystemRoot\System32\svchost", "-k|netsvcs")
        );
        assert_eq!(parse(""), pair("", ""));
        assert_eq!(parse("\"unfinished"), pair("unfinished", ""));
        assert_eq!(parse("  x  "), pair("x", ""));
    }

    #[test]
    fn arguments_follow_the_rules_of_command_lines() {
        assert_eq!(
            arguments(r#"a "b c" d\e "f\\" g\"h "i""j" "" \\n "#),
            ["a", "b c", "d\\e", "f\\", "g\"h", "i\"j", "", r"\\n"]
        );
        assert_eq!(arguments("   "), Vec::<String>::new());
    }

    #[test]
    fn only_this_agent_as_a_service_is_ours() {
        let config = |line: &str| Command::parse(line).own_config();
        assert_eq!(
            config(r#""C:\a\Falcon-Agent.exe" service"#),
            Some(Path::new(r"C:\a\Falcon-Agent.exe").with_file_name("cfg.json"))
        );
        assert_eq!(config(r#""C:\a\falcon-agent.exe" service -c=x.json"#), Some("x.json".into()));
        for line in [r"C:\Python27\lib\PythonService.exe", r"C:\a\falcon-agent.exe run", r"C:\a\other.exe service -c x"]
        {
            assert_eq!(config(line), None, "{line}");
        }
    }

    #[test]
    fn options_are_found_as_go_reads_them() {
        let option =
            |line: &str| Command { program: String::new(), arguments: arguments(line) }.option("-c").map(str::to_owned);
        for line in ["-c a.json", "--c a.json", "-c=a.json", "x --c=a.json y"] {
            assert_eq!(option(line).as_deref(), Some("a.json"), "{line}");
        }
        assert_eq!((option("-cx a"), option("c a"), option("-c")), (None, None, None));
    }
}
