//! What hbs binds: a directory or file below `plugin.dir`, with arguments for a file. The grammar is the Go agent's
//! (falcon-plus, modules/agent/plugins/plugins.go) with its escapes working; a path that could lead elsewhere on any
//! system is refused before any file is looked for.

use std::borrow::Cow;

/// A day. What runs less often is a task of the system's scheduler.
pub const MOST_CYCLE_S: u32 = 86_400;
/// Bytes of a binding: hbs has room for 255 characters.
const MOST_SPEC: usize = 4096;
/// Windows opens these in any directory, whatever follows the first dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// One line of what hbs has bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Parts of the path below `plugin.dir`, at least one.
    pub parts: Vec<String>,
    pub args: Vec<String>,
    /// As they are written.
    pub written_args: String,
}

impl Binding {
    /// The path with `/`.
    pub fn path(&self) -> String {
        self.parts.join("/")
    }

    /// How one file is known that is bound by itself.
    pub fn key(&self) -> String {
        format!("{}({})", self.path(), self.written_args)
    }
}

/// Why a binding leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("names nothing below plugin.dir")]
    Empty,
    #[error("is longer than {MOST_SPEC} bytes")]
    TooLong,
    #[error("has a .. in its path, which would lead out of plugin.dir")]
    Up,
    #[error("is a path from the root or of a share: paths count from plugin.dir")]
    Root,
    #[error("has a : in its path, which stands for a drive or a stream")]
    Colon,
    #[error("has a control character, or one of < > \" | ? * in its path, which Windows takes in no name")]
    Character,
    #[error("has a name that ends in a dot or a blank, which Windows drops")]
    End,
    #[error("has the name of a device of Windows in its path")]
    Device,
    #[error("has a NUL among its arguments, where they would end")]
    Nul,
}

/// Reads a binding.
///
/// # Errors
/// Its path is none below `plugin.dir`.
pub fn parse(spec: &str) -> Result<Binding, Unfit> {
    if spec.len() > MOST_SPEC {
        return Err(Unfit::TooLong);
    }
    let (path, written_args) = match split(spec) {
        Some((path, args)) => (path, args),
        None => (spec, ""),
    };
    let parts = parts(path)?;
    if written_args.contains('\0') {
        return Err(Unfit::Nul);
    }
    Ok(Binding { parts, args: args(written_args), written_args: written_args.to_owned() })
}

/// The text before the last `(` that has a `)` after it, and what stands between them.
fn split(spec: &str) -> Option<(&str, &str)> {
    let close = spec.rfind(')')?;
    let (before, _) = spec.split_at_checked(close)?;
    before.rsplit_once('(')
}

fn parts(path: &str) -> Result<Vec<String>, Unfit> {
    let path: Cow<'_, str> = if path.contains('\\') { path.replace('\\', "/").into() } else { path.into() };
    let path = path.trim();
    if path.starts_with("//") {
        return Err(Unfit::Root);
    }
    // The Go agent trims these of a directory, and files joined with a `/` too many are found all the same.
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        return Err(Unfit::Empty);
    }
    parts.into_iter().map(|part| fit(part).map(|()| part.to_owned())).collect()
}

/// Whether a name is the same one on every system.
///
/// # Errors
/// Why not.
pub fn fit(name: &str) -> Result<(), Unfit> {
    if name == ".." {
        return Err(Unfit::Up);
    }
    if name.contains(':') {
        return Err(Unfit::Colon);
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '<' | '>' | '"' | '|' | '?' | '*' | '/' | '\\')) {
        return Err(Unfit::Character);
    }
    if name.ends_with(['.', ' ']) {
        return Err(Unfit::End);
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|n| {
            let mut chars = n.chars();
            matches!((chars.next(), chars.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
    };
    if DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        return Err(Unfit::Device);
    }
    Ok(())
}

/// Splits arguments at commas; `\,` is one. Each is trimmed of blanks, then of `"`, then of `'`.
fn args(written: &str) -> Vec<String> {
    let (mut args, mut arg, mut chars) = (Vec::new(), String::new(), written.chars().peekable());
    let trimmed = |arg: &str| arg.trim().trim_matches('"').trim_matches('\'').to_owned();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&',').is_some() => arg.push(','),
            ',' => args.push(trimmed(&std::mem::take(&mut arg))),
            _ => arg.push(c),
        }
    }
    // After a last comma, and between two parentheses, there is nothing.
    let last = trimmed(&arg);
    if !last.is_empty() || args.is_empty() && !arg.is_empty() {
        args.push(last);
    }
    args
}

/// How often a file runs, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    Every(u32),
    /// Its name has no number in front: it is no plugin, but may be what one needs.
    No,
    /// Not a period: 0, negative, or more than a day.
    Never(i64),
}

impl Cycle {
    /// Of a file in a directory that is bound: `60_name`.
    pub fn of_listed(name: &str) -> Cycle {
        name.split_once('_').map_or(Cycle::No, |(number, _)| Cycle::of(number))
    }

    /// Of a file that is bound by itself: also `60` alone.
    pub fn of_named(name: &str) -> Cycle {
        Cycle::of(name.split_once('_').map_or(name, |(number, _)| number))
    }

    /// As Go's Atoi reads a number: a sign, digits, and nothing else.
    fn of(number: &str) -> Cycle {
        let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Cycle::No;
        }
        match number.parse::<i64>() {
            Ok(cycle) => match u32::try_from(cycle) {
                Ok(cycle @ 1..=MOST_CYCLE_S) => Cycle::Every(cycle),
                _ => Cycle::Never(cycle),
            },
            Err(_) => Cycle::Never(if number.starts_with('-') { i64::MIN } else { i64::MAX }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(spec: &str) -> (String, Vec<String>) {
        let binding = parse(spec).unwrap_or_else(|why| panic!("{spec}: {why}"));
        (binding.path(), binding.args)
    }

    #[test]
    fn a_binding_is_a_path_with_arguments_or_without() {
        assert_eq!(read("sys/ntp"), ("sys/ntp".to_owned(), vec![]));
        assert_eq!(read("/sys/ntp/"), ("sys/ntp".to_owned(), vec![]));
        assert_eq!(read(r"sys\ntp\60_a.bat"), ("sys/ntp/60_a.bat".to_owned(), vec![]));
        let (path, args) = read("sys/ntp/60_ntp.py(a,\"b c\")");
        assert_eq!((path.as_str(), args), ("sys/ntp/60_ntp.py", vec!["a".to_owned(), "b c".to_owned()]));
        // The last opening parenthesis with a closing one after it counts, and what follows that is dropped.
        assert_eq!(read("a(b)/60_c.sh(d)e"), ("a(b)/60_c.sh".to_owned(), vec!["d".to_owned()]));
        assert_eq!(read("60_c.sh(d").0, "60_c.sh(d");
        assert_eq!(parse("x/60_c.sh( a )").unwrap().key(), "x/60_c.sh( a )");
        assert_eq!(parse("x/60_c.sh").unwrap().key(), "x/60_c.sh()");
    }

    /// The Go agent lost the escape in the first argument, and all but one in an argument.
    #[test]
    fn commas_are_escaped_wherever_they_stand() {
        let args = |written: &str| args(written).join("|");
        assert_eq!(args("a,b"), "a|b");
        assert_eq!(args(r"x,a\,b,y"), "x|a,b|y");
        assert_eq!(args(r"a\,b"), "a,b");
        assert_eq!(args(r"a,b\,c\,d"), "a|b,c,d");
        assert_eq!(args("a,"), "a");
        assert_eq!((args("a, "), args("a,\"\"")), ("a".to_owned(), "a".to_owned()));
        assert_eq!(super::args("\"\""), [""]);
        assert_eq!(args("a,,b"), "a||b");
        assert_eq!(args(""), "");
        assert_eq!(args(r#"a, "33 4", 'test.sh f\,d'"#), "a|33 4|test.sh f,d");
        assert_eq!(args(r"C:\x\,C:\y"), r"C:\x,C:\y");
        assert_eq!(args(r"f\, d"), "f, d");
        // No shell sees them.
        assert_eq!(args("$(x); & %PATH% `y` > z"), "$(x); & %PATH% `y` > z");
    }

    #[test]
    fn paths_that_lead_elsewhere_on_any_system_are_refused() {
        for (spec, why) in [
            ("", Unfit::Empty),
            ("/", Unfit::Empty),
            (" ./ ", Unfit::Empty),
            ("..", Unfit::Up),
            ("a/../../b", Unfit::Up),
            (r"..\x", Unfit::Up),
            (r"a\..\..\60_x", Unfit::Up),
            (r"\\server\share\60_x", Unfit::Root),
            ("//server/share", Unfit::Root),
            (r"\\?\C:\x", Unfit::Root),
            ("C:x", Unfit::Colon),
            (r"C:\x", Unfit::Colon),
            ("60_x.exe:stream", Unfit::Colon),
            ("60_x::$DATA", Unfit::Colon),
            ("a/60_x.", Unfit::End),
            ("a /60_x", Unfit::End),
            ("a/.../x", Unfit::End),
            ("a/\u{1}", Unfit::Character),
            ("a/60_*", Unfit::Character),
            ("CON", Unfit::Device),
            ("a/nul.txt", Unfit::Device),
            ("a/com1", Unfit::Device),
            ("a/LPT².x", Unfit::Device),
            ("aux .x/y", Unfit::Device),
            ("60_x(a\0b)", Unfit::Nul),
        ] {
            assert_eq!(parse(spec), Err(why), "{spec:?}");
        }
        assert_eq!(parse(&"x".repeat(MOST_SPEC + 1)), Err(Unfit::TooLong));
        for spec in ["console/60_x", "com/60_x", "com10/60_x", "..a/60_x", "系统/60_监控.py", "a b/60_x y"] {
            assert!(parse(spec).is_ok(), "{spec}");
        }
    }

    #[test]
    fn the_number_in_front_of_a_name_is_its_period() {
        assert_eq!(Cycle::of_listed("60_ntp.py"), Cycle::Every(60));
        assert_eq!(Cycle::of_listed("+5_x"), Cycle::Every(5));
        for name in ["60", "60.py", "ntp.py", "_60", "x_60", "6 0_x", "0x10_x", "60-x", ".git", "1.5_x"] {
            assert_eq!(Cycle::of_listed(name), Cycle::No, "{name}");
        }
        assert_eq!(
            (Cycle::of_named("60"), Cycle::of_named("60_x"), Cycle::of_named("x")),
            (Cycle::Every(60), Cycle::Every(60), Cycle::No)
        );
    }

    /// A ticker of 0 seconds ended the Go agent.
    #[test]
    fn a_period_that_is_none_is_no_reason_to_fall() {
        assert_eq!(Cycle::of_listed("0_x"), Cycle::Never(0));
        assert_eq!(Cycle::of_listed("-60_x"), Cycle::Never(-60));
        assert_eq!(Cycle::of_listed("86400_x"), Cycle::Every(86_400));
        assert_eq!(Cycle::of_listed("86401_x"), Cycle::Never(86_401));
        assert_eq!(Cycle::of_listed("99999999999999999999_x"), Cycle::Never(i64::MAX));
    }

    proptest! {
        #[test]
        fn no_binding_falls_or_leads_out(spec in "\\PC{0,40}") {
            if let Ok(binding) = parse(&spec) {
                prop_assert!(!binding.parts.is_empty());
                for part in &binding.parts {
                    prop_assert!(fit(part).is_ok() && part != "." && part != "..");
                }
            }
        }
    }
}
