//! What `--help` prints, of the same table that is parsed.

use super::table::{Choice, FILE, HELP, Opt, Spec};

const WIDTH: usize = 100;

/// Of the last verb of a path.
pub fn of(path: &[&'static Spec]) -> String {
    let Some(verb) = path.last() else { return String::new() };
    let mut text = String::new();
    wrapped(&mut text, verb.about, 0);
    text.push_str(&["\n", &usage(path), "\n"].concat());
    let verbs = verb.verbs.iter().filter(|verb| !verb.hidden);
    section(&mut text, "Commands", verbs.map(|verb| (verb.name.to_owned(), verb.about, Vec::new())).collect());
    let words = verb.words.iter().map(|word| (placed(word.name, word.needed), word.about, (word.choices)()));
    let rest = verb.rest.map(|(name, about)| (placed(name, false) + "...", about, Vec::new()));
    section(&mut text, "Arguments", words.chain(rest).collect());
    let options = [&FILE].into_iter().chain(verb.options).chain([&HELP]);
    section(&mut text, "Options", options.map(|option| (named(option), option.about, (option.choices)())).collect());
    if path.len() == 1 {
        text.push('\n');
        wrapped(
            &mut text,
            "Without a verb the agent runs in the foreground (run). The Go agent's flags -c=FILE, -check and -v work too.",
            0,
        );
    }
    text
}

pub fn usage(path: &[&'static Spec]) -> String {
    let names: Vec<&str> = path.iter().map(|verb| verb.name).collect();
    let mut text = ["Usage: ", &names.join(" "), " [OPTIONS]"].concat();
    let Some(verb) = path.last() else { return text };
    for word in verb.words {
        text.push_str(&[" ", &placed(word.name, word.needed)].concat());
    }
    if let Some((name, _)) = verb.rest {
        text.push_str(&[" ", &placed(name, false), "..."].concat());
    }
    if !verb.verbs.is_empty() {
        text.push_str(&[" ", &placed("COMMAND", verb.make.is_none())].concat());
    }
    text
}

fn placed(name: &str, needed: bool) -> String {
    if needed { ["<", name, ">"].concat() } else { ["[", name, "]"].concat() }
}

/// With its letter, or the place of one.
fn named(option: &Opt) -> String {
    let written = option.written();
    match option.short {
        Some(_) if option.name.len() == 1 => written,
        Some(short) => format!("-{short}, {written}"),
        None => ["    ", &written].concat(),
    }
}

fn section(text: &mut String, title: &str, rows: Vec<(String, &'static str, Vec<Choice>)>) {
    let Some(widest) = rows.iter().map(|(name, ..)| name.len()).max() else { return };
    text.push_str(&["\n", title, ":\n"].concat());
    for (name, about, choices) in rows {
        text.push_str(&format!("  {name:widest$}  "));
        let told = choices.iter().any(|(_, about)| !about.is_empty());
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        match names.is_empty() || told {
            true => wrapped(text, about, widest + 4),
            false => wrapped(text, &[about, " [possible values: ", &names.join(", "), "]"].concat(), widest + 4),
        }
        if told {
            let longest = names.iter().map(|name| name.len()).max().unwrap_or_default();
            for (name, about) in choices {
                text.push_str(&format!("{:1$}- {name}:{2:3$}", "", widest + 4, "", longest - name.len() + 1));
                wrapped(text, about, widest + longest + 8);
            }
        }
    }
}

/// Goes on at `column`, where what does not fit starts again.
fn wrapped(text: &mut String, words: &str, column: usize) {
    let mut at = column;
    for word in words.split(' ') {
        if at > column && at + 1 + word.len() > WIDTH {
            text.push_str(&format!("\n{:column$}", ""));
            at = column;
        } else if at > column {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += word.len();
    }
    text.push('\n');
}
