//! Command lines by a table of verbs ([`Spec`]), in the syntax of Go's flags and of pywin32's services.
//!
//! - `-name` and `--name` are one; a value follows or stands behind `=`; what is on or off takes Go's booleans (`-v=false`).
//! - Given twice, the last counts. Options of a verb may stand before it.
//! - Behind the last word of a verb that takes a `rest`, nothing is looked at.
//! - Only the configuration file may have a name that is no UTF-8, or that begins with `-` without being told by `=`.

use std::ffi::{OsStr, OsString};
use std::fmt;

use lexopt::Arg;

use super::table::{Choice, FILE, HELP, Opt, Spec, global};
use super::{Verb, help};

/// What a command line says.
#[derive(Default)]
pub struct Given {
    pub file: Option<OsString>,
    options: Vec<(&'static str, String)>,
    pub words: Vec<String>,
    pub rest: Vec<String>,
}

impl Given {
    pub fn text(&self, option: &str) -> Option<&str> {
        self.options.iter().rfind(|(name, _)| *name == option).map(|(_, value)| value.as_str())
    }

    pub fn is_on(&self, option: &str) -> bool {
        self.text(option) == Some(ON)
    }

    pub fn word(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }
}

/// As an option of that is on or off is kept.
const ON: &str = "true";

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Ended {
    /// It was asked for.
    Help(String),
    Wrong(String),
}

impl Ended {
    pub fn exit_code(&self) -> u8 {
        match self {
            Ended::Help(_) => 0,
            Ended::Wrong(_) => 2,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ended::Help(text) | Ended::Wrong(text)) = self;
        f.write_str(text)
    }
}

/// What is given, and which verb is to make what of it. The first of `args` is the program's own name.
pub fn parse(program: &'static Spec, args: Vec<OsString>) -> Result<(Given, Verb), Ended> {
    let mut parsing = Parsing { path: vec![program], at: program, given: Given::default() };
    parsing.all(args)?;
    let Parsing { at, given, .. } = &parsing;
    // Not before, for the same name may have other values with another verb.
    for (name, value) in &given.options {
        let of_verb =
            [program, at].into_iter().find_map(|verb| verb.options.iter().find(|option| option.name == *name));
        let Some(option) = of_verb else {
            return Err(parsing.wrong(&format!("'--{name}' does not belong to '{}'", at.name), None));
        };
        parsing.choose(value, &(option.choices)(), &option.written())?;
    }
    if let Some(missing) = at.words.get(given.words.len()).filter(|word| word.needed) {
        return Err(parsing.wrong(&format!("<{}> is missing", missing.name), None));
    }
    let Some(make) = at.make else { return Err(Ended::Wrong(help::of(&parsing.path))) };
    match make(given) {
        Ok(verb) => Ok((parsing.given, verb)),
        Err(why) => Err(parsing.wrong(why, None)),
    }
}

struct Parsing {
    /// The verbs so far; the first is the program.
    path: Vec<&'static Spec>,
    at: &'static Spec,
    given: Given,
}

impl Parsing {
    fn all(&mut self, args: Vec<OsString>) -> Result<(), Ended> {
        let mut parser = lexopt::Parser::from_iter(args);
        let mut only_words = false;
        loop {
            let mut raw = parser.raw_args().map_err(|error| self.wrong(&error.to_string(), None))?;
            if self.at.rest.is_some() && self.given.words.len() == self.at.words.len() {
                // Which may be written as well.
                raw.next_if(|first| first == "--" && !only_words);
                self.given.rest = raw.map(|arg| self.utf8(arg)).collect::<Result<_, _>>()?;
                return Ok(());
            }
            let written = raw.peek().unwrap_or_default().to_owned();
            only_words |= written == "--";
            if !only_words && let Some((option, value)) = self.of_go(&written) {
                let _ = raw.next();
                self.option(option, value, &mut parser)?;
                continue;
            }
            let written = written.to_string_lossy();
            let name = match parser.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Arg::Value(word))) => {
                    self.word(word)?;
                    continue;
                }
                Ok(Some(Arg::Short(letter))) => letter.to_string(),
                Ok(Some(Arg::Long(name))) => name.to_owned(),
                Err(error) => return Err(self.wrong(&error.to_string(), None)),
            };
            let option = self.find(&name).ok_or_else(|| self.unexpected(&written))?;
            let value = parser.optional_value();
            self.option(option, value, &mut parser)?;
        }
    }

    /// Go's `-name` and `-name=VALUE`, but for single letters.
    fn of_go(&self, written: &OsStr) -> Option<(&'static Opt, Option<OsString>)> {
        let text = written.to_str()?.strip_prefix('-').filter(|text| !text.starts_with('-'))?;
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.into())));
        // `-check` is never the file `heck`.
        let option = self.path.first()?.option(name).or_else(|| global(name)).filter(|_| name.len() > 1)?;
        Some((option, value))
    }

    /// Those of the verb, of verbs that may follow, and of every verb.
    fn find(&self, name: &str) -> Option<&'static Opt> {
        self.at.option(name).or_else(|| global(name))
    }

    fn option(
        &mut self,
        option: &'static Opt,
        value: Option<OsString>,
        parser: &mut lexopt::Parser,
    ) -> Result<(), Ended> {
        if option.name == HELP.name {
            return Err(Ended::Help(help::of(&self.path)));
        }
        if self.find(option.name).is_none() {
            return Err(self.unexpected(&option.written()));
        }
        let is_file = option.name == FILE.name;
        let value = match (value, option.value) {
            (None, None) => ON.into(),
            (Some(value), _) => value,
            (None, Some(_)) => {
                let next = parser
                    .try_raw_args()
                    .and_then(|mut raw| raw.next_if(|next| is_file || !next.as_encoded_bytes().starts_with(b"-")));
                next.ok_or_else(|| {
                    let told = if is_file { "" } else { "; one that begins with '-' is written behind '='" };
                    self.wrong(&format!("'{}' has no value{told}", option.written()), None)
                })?
            }
        };
        if is_file {
            self.given.file = Some(value);
            return Ok(());
        }
        let mut value = self.utf8(value)?;
        if option.value.is_none() {
            value = match value.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => ON.to_owned(),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => "false".to_owned(),
                _ => {
                    let why = format!("'--{}' is on or off: '{value}' is neither true nor false", option.name);
                    return Err(self.wrong(&why, None));
                }
            };
        }
        self.given.options.push((option.name, value));
        Ok(())
    }

    fn word(&mut self, word: OsString) -> Result<(), Ended> {
        let word = self.utf8(word)?;
        if let Some(verb) = self.at.verbs.iter().find(|verb| verb.is(&word)) {
            self.path.push(verb);
            self.at = verb;
            return Ok(());
        }
        if !self.at.verbs.is_empty() {
            let verbs = self.at.verbs.iter().filter(|verb| !verb.hidden).map(|verb| verb.name);
            return Err(self.wrong(&format!("there is no verb '{word}'"), similar(&word, verbs).map(str::to_owned)));
        }
        let Some(of) = self.at.words.get(self.given.words.len()) else { return Err(self.unexpected(&word)) };
        self.choose(&word, &(of.choices)(), of.name)?;
        self.given.words.push(word);
        Ok(())
    }

    fn choose(&self, value: &str, choices: &[Choice], of: &str) -> Result<(), Ended> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        if names.is_empty() || names.contains(&value) {
            return Ok(());
        }
        let why = format!("'{value}' is no value of '{of}'\n  [possible values: {}]", names.join(", "));
        Err(self.wrong(&why, similar(value, names.into_iter()).map(str::to_owned)))
    }

    fn utf8(&self, arg: OsString) -> Result<String, Ended> {
        arg.into_string().map_err(|arg| self.wrong(&format!("{} is no UTF-8", arg.display()), None))
    }

    fn unexpected(&self, written: &str) -> Ended {
        let name = written.trim_start_matches('-').split(['=', ' ']).next().unwrap_or_default();
        let options = self.at.options.iter().chain([&HELP]).map(|option| option.name);
        let similar = similar(name, options).filter(|_| written.starts_with('-')).map(|name| ["--", name].concat());
        self.wrong(&format!("'{written}' is not expected here"), similar)
    }

    fn wrong(&self, why: &str, similar: Option<String>) -> Ended {
        let tip = similar.map_or_else(String::new, |similar| format!("\n\n  did you mean '{similar}'?"));
        Ended::Wrong(format!("error: {why}{tip}\n\n{}\n\n'--help' tells more.\n", help::usage(&self.path)))
    }
}

/// What was meant, perhaps: the one begins with the other, or few letters differ.
fn similar<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |name: &&str| match written.len() > 2 && (name.starts_with(written) || written.starts_with(name)) {
        true => 0,
        false => distance(written, name),
    };
    let best = names.map(|name| (near(&name), name)).min_by_key(|(edits, _)| *edits);
    best.filter(|(edits, name)| edits * 5 <= name.len() * 2).map(|(_, name)| name)
}

/// Letters to change, add or leave out.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in (1..).zip(from.bytes()) {
        let (mut corner, mut left) = (above - 1, above);
        for (cell, of) in row.iter_mut().skip(1).zip(to.bytes()) {
            let edits = (corner + usize::from(letter != of)).min(left + 1).min(*cell + 1);
            (corner, left) = (*cell, edits);
            *cell = edits;
        }
        if let Some(first) = row.first_mut() {
            *first = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
