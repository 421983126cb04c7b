//! The form of the table of verbs: what parser ([`super::args`]) and help ([`super::help`]) read.

use super::args::Given;

/// A value that may be given, with a word about it or none.
pub type Choice = (&'static str, &'static str);
/// The same, with what it means.
pub type Named<T> = (&'static str, &'static str, T);

/// One entry is all that parser and help know of a verb; the program itself is the first.
pub struct Spec {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub about: &'static str,
    pub hidden: bool,
    pub options: &'static [Opt],
    pub words: &'static [Word],
    /// What may follow the words, as the help calls it.
    pub rest: Option<(&'static str, &'static str)>,
    pub verbs: &'static [Spec],
    /// Without it, one of `verbs` must follow.
    pub make: Option<Make>,
}

pub type Make = fn(&Given) -> Result<super::Verb, &'static str>;

impl Spec {
    pub const NEW: Spec = Spec {
        name: "",
        aliases: &[],
        about: "",
        hidden: false,
        options: &[],
        words: &[],
        rest: None,
        verbs: &[],
        make: None,
    };

    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Of this verb and of those below it.
    pub fn option(&self, name: &str) -> Option<&'static Opt> {
        self.options
            .iter()
            .find(|option| option.is(name))
            .or_else(|| self.verbs.iter().find_map(|verb| verb.option(name)))
    }
}

/// An option. Of one name there is one form, whatever verbs it belongs to.
#[derive(Clone, Copy)]
pub struct Opt {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub short: Option<char>,
    /// What the help calls its value; none: it is on or off.
    pub value: Option<&'static str>,
    pub about: &'static str,
    pub choices: fn() -> Vec<Choice>,
}

impl Opt {
    pub const NEW: Opt = Opt { name: "", aliases: &[], short: None, value: None, about: "", choices: Vec::new };

    pub fn is(&self, name: &str) -> bool {
        let is_short = |short: char| name.strip_prefix(short) == Some("");
        self.name == name || self.aliases.contains(&name) || self.short.is_some_and(is_short)
    }

    /// As one writes it.
    pub fn written(&self) -> String {
        let name = if self.name.len() > 1 { "--" } else { "-" };
        let value = self.value.map_or_else(String::new, |value| [" <", value, ">"].concat());
        [name, self.name, &value].concat()
    }
}

/// What stands alone.
pub struct Word {
    pub name: &'static str,
    pub needed: bool,
    pub about: &'static str,
    pub choices: fn() -> Vec<Choice>,
}

/// What `-c` is, of every verb.
pub static FILE: Opt = Opt {
    name: "c",
    short: Some('c'),
    value: Some("FILE"),
    about: "Configuration file [default: cfg.json here, then beside the executable, else the built-in standalone configuration]",
    ..Opt::NEW
};

pub static HELP: Opt = Opt { name: "help", short: Some('h'), about: "Print help", ..Opt::NEW };

/// The names of a table, for parser and help.
pub fn choices<T>(table: &[Named<T>]) -> Vec<Choice> {
    table.iter().map(|(name, about, _)| (*name, *about)).collect()
}

/// What a value means that was found to be a name of the table.
pub fn meant<T: Copy>(value: Option<&str>, table: &[Named<T>]) -> Option<T> {
    table.iter().find(|(name, ..)| Some(*name) == value).map(|(.., meaning)| *meaning)
}

/// An option of every verb.
pub fn global(name: &str) -> Option<&'static Opt> {
    [&FILE, &HELP].into_iter().find(|option| option.is(name))
}
