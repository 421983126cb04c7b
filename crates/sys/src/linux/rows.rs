//! A list that is filled anew from its beginning: what a row holds, a name above all, keeps its memory from one reading
//! to the next. Bounded; rows that are not filled again are dropped at the end.

/// Rows whose memory is kept in any case; where there was a burst of more, it goes back.
const KEEP: usize = 1024;

pub(super) struct Rows<'a, T> {
    rows: &'a mut Vec<T>,
    filled: usize,
    most: usize,
}

impl<'a, T: Default> Rows<'a, T> {
    /// Fills `rows` with no more than `most`.
    pub(super) fn new(rows: &'a mut Vec<T>, most: usize) -> Self {
        Rows { rows, filled: 0, most }
    }

    /// The next row, holding whatever it held; `None` when there is room for no more.
    pub(super) fn next_row(&mut self) -> Option<&mut T> {
        if self.filled >= self.most {
            return None;
        }
        if self.filled == self.rows.len() {
            self.rows.push(T::default());
        }
        let row = self.rows.get_mut(self.filled);
        self.filled += 1;
        row
    }
}

impl<T> Drop for Rows<'_, T> {
    fn drop(&mut self) {
        self.rows.truncate(self.filled);
        if self.rows.capacity() > KEEP && self.filled < self.rows.capacity() / 4 {
            self.rows.shrink_to(KEEP.max(self.filled));
        }
    }
}

/// `name` in the memory of `used`.
pub(super) fn renamed(used: &mut String, name: &str) -> String {
    let mut again = std::mem::take(used);
    again.clear();
    again.push_str(name);
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(list: &mut Vec<String>, most: usize, names: &[&str]) {
        let mut rows = Rows::new(list, most);
        for name in names {
            let Some(row) = rows.next_row() else { break };
            *row = renamed(row, name);
        }
    }

    #[test]
    fn names_keep_their_memory_and_rows_that_are_gone_go() {
        let mut list = Vec::new();
        fill(&mut list, 9, &["a long name of one row", "b", "c"]);
        assert_eq!(list, ["a long name of one row", "b", "c"]);
        let before = list[0].as_ptr();
        fill(&mut list, 9, &["short", "B"]);
        assert_eq!(list, ["short", "B"]);
        assert_eq!(list[0].as_ptr(), before);
        fill(&mut list, 9, &[]);
        assert!(list.is_empty());
    }

    #[test]
    fn a_burst_of_rows_does_not_stay() {
        let mut list: Vec<String> = vec![String::new(); 60_000];
        fill(&mut list, 9, &["a", "b"]);
        assert!(list.capacity() <= 2 * KEEP, "{}", list.capacity());
    }

    #[test]
    fn no_more_rows_than_allowed() {
        let mut list = Vec::new();
        fill(&mut list, 2, &["a", "b", "c"]);
        assert_eq!(list, ["a", "b"]);
    }
}
