//! Names and patterns of the configuration: `*` stands for any text, `?` for one character; all else stands for itself.
//!
//! A [`Choice`] is what lists of them leave of a kind of thing: databases, sites, counters. Names of Windows are compared
//! without regard to case, as everything there does; those of Linux are exact.

/// One name or pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// Small letters where case does not count.
    text: Vec<char>,
    is_caseless: bool,
}

impl Pattern {
    pub(crate) fn exact(text: &str) -> Pattern {
        Pattern { text: text.chars().collect(), is_caseless: false }
    }

    pub(crate) fn caseless(text: &str) -> Pattern {
        Pattern { text: lower(text).collect(), is_caseless: true }
    }

    /// Whether it may stand for more than one name.
    pub(crate) fn is_open(&self) -> bool {
        self.text.iter().any(|c| matches!(c, '*' | '?'))
    }

    /// Whether nothing but a `*` is written.
    pub(crate) fn is_any(&self) -> bool {
        !self.text.is_empty() && self.text.iter().all(|c| *c == '*')
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        if self.is_caseless { glob(&self.text, lower(name)) } else { glob(&self.text, name.chars()) }
    }
}

/// What is told of and what is not, without regard to case: what `include` fits, or everything where it is empty, and nothing
/// that `exclude` fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Choice {
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Choice {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::caseless(text)).collect();
        Choice { include: patterns(include), exclude: patterns(exclude) }
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        (self.include.is_empty() || self.names(name)) && !self.exclude.iter().any(|pattern| pattern.fits(name))
    }

    /// Whether something of `include` fits: asked of what is not meant where nothing is written.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.include.iter().any(|pattern| pattern.fits(name))
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> + Clone + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// Of several `*` only the last is ever tried again: a longer text for an earlier one gains nothing.
fn glob<T: Iterator<Item = char> + Clone>(mut pattern: &[char], mut text: T) -> bool {
    let mut again: Option<(&[char], T)> = None;
    loop {
        if let ['*', rest @ ..] = pattern {
            again = Some((rest, text.clone()));
            pattern = rest;
            continue;
        }
        match (pattern, text.next()) {
            ([one, rest @ ..], Some(first)) if *one == '?' || *one == first => pattern = rest,
            ([], None) => return true,
            (_, end) => match &mut again {
                // The text is shorter than what must follow the star, wherever that begins.
                None => return false,
                Some(_) if end.is_none() => return false,
                Some((rest, from)) => {
                    from.next();
                    (pattern, text) = (*rest, from.clone());
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_any_text_or_one_character() {
        let fits = |pattern: &str, name: &str| Pattern::caseless(pattern).fits(name);
        assert!(fits("W3SVC", "w3svc") && fits("服务*", "服务甲") && fits("ÄB", "äb"));
        assert!(fits("MSSQL*", "MSSQL$PROD") && fits("mssql*", "MSSQLSERVER") && !fits("MSSQL*", "SQLBrowser"));
        assert!(fits("*", "") && fits("*", "a") && fits("**a*", "ba") && !fits("?", "") && fits("a?c", "abc"));
        assert!(
            fits("*ab*ab", "abxabab") && !fits("*ab*ab", "ab") && fits("a*b*c", "a.b.b.c") && !fits("a*b*c", "acb")
        );
        assert!(!fits("W3SVC", "W3SVC2") && !fits("W3SVC", "W3SV") && !fits("", "a") && fits("", ""));
        assert!(fits("MSSQL$X", "mssql$x") && fits("a[b]", "A[B]") && !fits("*a", "ab") && fits("a*", "a"));
        assert!(Pattern::exact("nginx*").fits("nginx.service") && !Pattern::exact("Nginx*").fits("nginx.service"));
        assert!(
            Pattern::caseless("**").is_any() && !Pattern::caseless("*a").is_any() && !Pattern::caseless("").is_any()
        );
        assert!(Pattern::caseless("a?").is_open() && !Pattern::caseless("a").is_open());
    }

    /// A pattern of many stars took the agent's time for as long as the universe lasts.
    #[test]
    fn many_stars_take_no_longer() {
        let pattern = format!("{}b", "a*".repeat(200));
        assert!(!Pattern::caseless(&pattern).fits(&"a".repeat(2000)));
    }

    #[test]
    fn a_choice_is_what_is_named_or_all_without_what_is_excluded() {
        let choice = |include: &[&str], exclude: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            Choice::new(&owned(include), &owned(exclude))
        };
        let all = choice(&[], &[]);
        assert!(all.fits("Shop") && all.fits("") && !all.names("Shop"));
        let some = choice(&["shop*", "erp"], &["*_test"]);
        assert!(some.fits("Shop_1") && some.fits("ERP") && some.names("shop_test"));
        assert!(!some.fits("shop_test") && !some.fits("crm"));
        assert!(!choice(&[], &["*"]).fits("a"));
    }
}
