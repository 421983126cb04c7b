//! A table of names: which indexes an object or a counter has, and what an index is called.
//!
//! The system keeps it as text: an index, its name, the next index and so on, each with a NUL. Products add to it and take from
//! it, and what they leave behind is not always pairs; so a pair that is none is left out, and reading goes on where the next
//! index is. One name may have several indexes: of them an answer has the right one. Letters are the same in either case.
//!
//! Source: Microsoft's page "Retrieving counter names and help text"; winperf.h for the indexes that never change.

use std::cmp::Ordering;

/// Pairs that are read of one table.
const MOST_NAMES: usize = 65_535;
/// UTF-16 units of one name, and bytes of all names.
const LONGEST: usize = 1024;
const MOST_TEXT: usize = 4 << 20;

/// Under this index the table says how many base names it has.
const COUNT: u32 = 1;

/// Of the names that Windows itself has, those whose indexes are the same everywhere.
const FIXED: [(u32, &str); 10] = [
    (2, "System"),
    (4, "Memory"),
    (6, "% Processor Time"),
    (230, "Process"),
    (232, "Thread"),
    (234, "PhysicalDisk"),
    (236, "LogicalDisk"),
    (238, "Processor"),
    (260, "Objects"),
    (510, "Network Interface"),
];

/// All names in one text: a host with many products has ten thousand of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    text: String,
    /// By index.
    places: Vec<Place>,
    /// Places of `places`, by name.
    by_name: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: u32,
    at: u32,
    len: u32,
}

impl Names {
    pub fn parse(units: &[u16]) -> Names {
        let mut names = Names::default();
        let mut strings = units.split(|unit| *unit == 0);
        while let Some(string) = strings.next() {
            // A name whose index is no number, or names after one that was lost: the next index is looked for.
            let Some(index) = number(string) else { continue };
            let Some(name) = strings.next() else { break };
            if index != COUNT {
                names.add(index, name);
            }
        }
        names.sorted()
    }

    /// What can be asked for where no table can be read.
    pub fn fixed() -> Names {
        let mut names = Names::default();
        for (index, name) in FIXED {
            names.push(index, name);
        }
        names.sorted()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All that have this name, in ascending order.
    pub fn indexes(&self, name: &str) -> impl Iterator<Item = u32> {
        let name = name.trim();
        let begin = self.by_name.partition_point(|place| order(self.nth(*place).1, name) == Ordering::Less);
        let rest = self.by_name.get(begin..).unwrap_or_default().iter().map(|place| self.nth(*place));
        rest.take_while(move |(_, text)| same(text, name)).map(|(index, _)| index)
    }

    /// The first one that the table gives to the index.
    pub fn name(&self, index: u32) -> Option<&str> {
        let at = self.places.partition_point(|place| place.index < index);
        self.places.get(at).filter(|place| place.index == index).map(|place| self.text_of(*place))
    }

    /// Names that begin so; each once, in their order.
    pub fn beginning(&self, prefix: &str) -> Vec<&str> {
        let begin = self.by_name.partition_point(|place| order(self.nth(*place).1, prefix) == Ordering::Less);
        let rest = self.by_name.get(begin..).unwrap_or_default().iter().map(|place| self.nth(*place).1);
        let mut found: Vec<&str> = rest.take_while(|text| begins(text, prefix)).collect();
        found.dedup_by(|a, b| same(a, b));
        found
    }

    /// What is no name, or beyond what is read, is left out.
    fn add(&mut self, index: u32, units: &[u16]) {
        if index == 0 || units.len() > LONGEST || self.places.len() >= MOST_NAMES || self.text.len() >= MOST_TEXT {
            return;
        }
        let name = String::from_utf16_lossy(units);
        let name = name.trim();
        if !name.is_empty() {
            self.push(index, name);
        }
    }

    fn push(&mut self, index: u32, name: &str) {
        if let (Ok(at), Ok(len)) = (u32::try_from(self.text.len()), u32::try_from(name.len())) {
            self.text.push_str(name);
            self.places.push(Place { index, at, len });
        }
    }

    fn sorted(mut self) -> Names {
        // Stable: of several names of an index the first one stays first.
        self.places.sort_by_key(|place| place.index);
        let mut by_name: Vec<u32> = (0..).take(self.places.len()).collect();
        by_name.sort_by(|a, b| order(self.nth(*a).1, self.nth(*b).1).then(a.cmp(b)));
        self.by_name = by_name;
        self.text.shrink_to_fit();
        self.places.shrink_to_fit();
        self
    }

    fn nth(&self, place: u32) -> (u32, &str) {
        let place = usize::try_from(place).ok().and_then(|place| self.places.get(place));
        place.map_or((0, ""), |place| (place.index, self.text_of(*place)))
    }

    fn text_of(&self, Place { at, len, .. }: Place) -> &str {
        let place = || Some(usize::try_from(at).ok()?..usize::try_from(at.checked_add(len)?).ok()?);
        place().and_then(|place| self.text.get(place)).unwrap_or_default()
    }
}

fn number(units: &[u16]) -> Option<u32> {
    // Ten digits, and blanks that somebody put around them.
    let text = String::from_utf16_lossy(units.get(..16).unwrap_or(units));
    let text = text.trim();
    let is_whole = units.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_whole)
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn order(a: &str, b: &str) -> Ordering {
    folded(a).cmp(folded(b))
}

/// Whether two texts are one name.
pub fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || !(a.is_ascii() && b.is_ascii()) && folded(a).eq(folded(b))
}

fn begins(text: &str, prefix: &str) -> bool {
    let mut text = folded(text);
    folded(prefix).all(|c| text.next() == Some(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(strings: &[&str]) -> Names {
        let text: String = strings.iter().map(|string| format!("{string}\0")).collect();
        Names::parse(&format!("{text}\0").encode_utf16().collect::<Vec<_>>())
    }

    fn indexes(names: &Names, name: &str) -> Vec<u32> {
        names.indexes(name).collect()
    }

    #[test]
    fn a_name_has_all_its_indexes_in_either_case_and_an_index_its_name() {
        let names =
            parse(&["1", "1847", "10", "Web Service", "8", "Requests/sec", "30", "web service", "12", "网站 Ä"]);
        assert_eq!(indexes(&names, "WEB SERVICE"), [10, 30]);
        assert_eq!((indexes(&names, "网站 ä"), indexes(&names, "Web")), (vec![12], vec![]));
        assert_eq!((names.name(30), names.name(8)), (Some("web service"), Some("Requests/sec")));
        // The first pair is no name.
        assert_eq!((names.name(1), names.name(11)), (None, None));
        assert_eq!(indexes(&names, "1847"), Vec::<u32>::new());
    }

    #[test]
    fn names_are_found_by_how_they_begin_each_once_and_in_order() {
        let table = ["2", "MSSQL$B:Locks", "4", "MSSQL$a:Locks", "6", "mssql$b:locks", "8", "MSSQL", "10", "Other"];
        let names = parse(&table);
        assert_eq!(names.beginning("mssql$"), ["MSSQL$a:Locks", "MSSQL$B:Locks"]);
        assert_eq!(names.beginning(""), ["MSSQL", "MSSQL$a:Locks", "MSSQL$B:Locks", "Other"]);
        assert_eq!(names.beginning("MSSQL$a:Locks and more"), Vec::<&str>::new());
        assert_eq!(Names::default().beginning(""), Vec::<&str>::new());
    }

    // A string that was lost made readers take every name after it for an index, and the other way round.
    #[test]
    fn what_is_no_pair_is_left_out_and_the_next_ones_are_read() {
        let names = parse(&["2", "System", "x", "Nobody", "4", "Memory", "6"]);
        assert_eq!(names.beginning(""), ["Memory", "System"]);
        // The name of 2 is missing.
        let names = parse(&["2", "4", "Memory", "230", "Process"]);
        assert_eq!(indexes(&names, "Process"), [230]);
        // It is empty.
        let names = parse(&["2", "", "4", "Memory"]);
        assert_eq!((indexes(&names, "Memory"), names.name(2)), (vec![4], None));
        let names = parse(&["0", "Zero", "-2", "Less", "4294967296", "More", "+6", "Plus", " 8 ", " Blanks "]);
        assert_eq!((names.beginning(""), indexes(&names, "Blanks ")), (vec!["Blanks"], vec![8]));
    }

    #[test]
    fn a_table_without_its_end_or_without_anything_is_read_as_far_as_it_goes() {
        let units: Vec<u16> = "2|System|4|Memory".replace('|', "\0").encode_utf16().collect();
        assert_eq!(Names::parse(&units).beginning(""), ["Memory", "System"]);
        assert!(Names::parse(&[]).is_empty() && Names::parse(&[0, 0, 0]).is_empty());
        // Half of a pair of surrogates.
        assert_eq!(Names::parse(&[0x32, 0, 0x41, 0xD800, 0]).name(2), Some("A\u{FFFD}"));
    }

    #[test]
    fn a_table_without_bounds_is_bounded() {
        let many: String = (2..70_000).map(|n| format!("{n}\0x\0")).collect();
        let names = Names::parse(&many.encode_utf16().collect::<Vec<_>>());
        assert_eq!(names.places.len(), MOST_NAMES);
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(parse(&["2", &long, "4", "Memory"]).beginning(""), ["Memory"]);
    }

    #[test]
    fn of_an_index_with_two_names_both_lead_to_it_and_the_first_one_is_its_name() {
        let names = parse(&["2", "Old", "2", "New"]);
        assert_eq!((names.name(2), indexes(&names, "new"), indexes(&names, "old")), (Some("Old"), vec![2], vec![2]));
    }

    #[test]
    fn what_windows_itself_has_can_be_asked_for_without_a_table() {
        let names = Names::fixed();
        assert_eq!((indexes(&names, "processor"), names.name(4)), (vec![238], Some("Memory")));
        assert_eq!(indexes(&names, "Network Interface"), [510]);
    }

    proptest! {
        #[test]
        fn no_units_stop_it(units in prop::collection::vec(prop::sample::select(vec![0, 0, 48, 50, 65, 97, 0x7F51, 0xD800]), 0..300)) {
            let names = Names::parse(&units);
            for place in &names.places {
                let name = names.text_of(*place);
                prop_assert!(indexes(&names, name).contains(&place.index));
                prop_assert!(names.name(place.index).is_some());
            }
            let all = names.beginning("");
            prop_assert!(all.iter().all(|name| names.beginning(name).contains(name)));
            prop_assert!(names.places.len() <= units.len() / 2 && names.text.len() <= 3 * units.len());
        }

        #[test]
        fn pairs_are_read_as_they_are_written(pairs in prop::collection::vec((2u32.., "[!-~网Ä]{1,9}"), 0..40)) {
            let text: String = pairs.iter().map(|(index, name)| format!("{index}\0{name}\0")).collect();
            let names = Names::parse(&text.encode_utf16().collect::<Vec<_>>());
            prop_assert_eq!(names.places.len(), pairs.len());
            for (index, name) in &pairs {
                prop_assert!(indexes(&names, name).contains(index));
            }
        }
    }
}
