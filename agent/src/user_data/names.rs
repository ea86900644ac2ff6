//! File names for parts: none leads out of its directory, and none is given twice.

use crate::root::is_temporary;
use std::collections::HashMap;

/// The longest name that a file can have.
const LONGEST: usize = 255;

/// The names that are taken, each with its directory.
#[derive(Default, Debug)]
pub(crate) struct PartNames {
    /// The number of times that each name was wanted.
    wanted: HashMap<String, usize>,
    twins: Twins,
}

/// The paths with a number behind them, for theirs had been given before, and those that they were to have.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Twins(pub(crate) HashMap<String, String>);

impl Twins {
    /// Puts paths in the order of their names; those of one name are in the order in which they came.
    pub(crate) fn sort(&self, paths: &mut [String]) {
        paths.sort_by(|one, other| self.place(one).cmp(&self.place(other)));
    }

    fn place<'a>(&'a self, path: &'a str) -> (&'a str, usize) {
        let number = || path.rsplit_once('-')?.1.parse().ok();
        match self.0.get(path) {
            Some(wanted) => (wanted, number().unwrap_or(usize::MAX)),
            None => (path, 1),
        }
    }
}

impl PartNames {
    /// The twins that were given.
    pub(crate) fn into_twins(self) -> Twins {
        self.twins
    }

    /// Gives a path that something else has another number.
    pub(crate) fn give_way(&mut self, path: &str) -> String {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.take(directory, name, 0)
    }

    /// A path in the directory: the name with what is odd in it removed, and a number behind it when it is
    /// there already.
    pub(super) fn take(&mut self, directory: &str, name: &str, number: usize) -> String {
        let cleaned = clean(name);
        let name = match cleaned.as_str() {
            "" | "." | ".." => default(number),
            // It would be in the way of a file that is not whole yet, or taken for one.
            name if is_temporary(name) => format!("_{}", name.trim_start_matches('.')),
            _ => cleaned,
        };
        let wanted = format!("{directory}/{name}");
        let mut count = self.wanted.get(&wanted).copied().unwrap_or_default();
        loop {
            count += 1;
            if count == 1 {
                self.wanted.insert(wanted.clone(), 1);
                return wanted;
            }
            let end = format!("-{count}");
            let start: String = name.chars().take(LONGEST.saturating_sub(end.len())).collect();
            let path = format!("{directory}/{start}{end}");
            if !self.wanted.contains_key(&path) {
                self.twins.0.insert(path.clone(), wanted.clone());
                self.wanted.insert(wanted, count);
                self.wanted.insert(path.clone(), 1);
                return path;
            }
        }
    }
}

/// The name of a part that has none.
pub(super) fn default(number: usize) -> String {
    format!("part-{number:03}")
}

/// Slashes become underscores; of everything else letters, digits and `-_.()` stay.
fn clean(name: &str) -> String {
    let slashes = name.chars().map(|character| if character == '/' { '_' } else { character });
    slashes
        .filter(|character| character.is_ascii_alphanumeric() || "-_.()".contains(*character))
        .take(LONGEST)
        .collect()
}

/// The text that follows the last slash.
pub(super) fn base(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, base)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_directory() {
        for (name, path) in [
            ("../../etc/evil", "d/.._.._etc_evil"),
            ("caf\u{e9} $;&.sh", "d/caf.sh"),
            ("..", "d/part-007"),
            (".", "d/part-007"),
            ("...", "d/..."),
            ("", "d/part-007"),
            ("\u{e9}", "d/part-007"),
            ("a\0b\nc", "d/abc"),
            ("x.lifeboat-new", "d/x.lifeboat-new"),
            (".0.lifeboat-new", "d/_0.lifeboat-new"),
        ] {
            assert_eq!(PartNames::default().take("d", name, 7), path, "{name:?}");
        }
        let mut names = PartNames::default();
        for _ in 0..2 {
            assert_eq!(names.take("d", &"x".repeat(5000), 1).len(), LONGEST + 2);
        }
    }

    #[test]
    fn a_name_is_given_once_in_a_directory() {
        let mut names = PartNames::default();
        let paths: Vec<_> = ["a", "a", "a-2", "$a"].iter().map(|name| names.take("d", name, 1)).collect();
        assert_eq!(paths, ["d/a", "d/a-2", "d/a-2-2", "d/a-3"]);
        assert_eq!(names.take("e", "a", 1), "e/a");
    }

    #[test]
    fn twins_stay_in_the_order_in_which_they_came() {
        let mut names = PartNames::default();
        let came: Vec<_> = (0..12).map(|_| names.take("d", "a", 1)).collect();
        let others = ["a-1", "b", "a.sh", "A", "a-20"].map(|name| names.take("d", name, 1));
        let twins = names.into_twins();
        let mut sorted: Vec<_> = came.iter().cloned().chain(others).collect();
        sorted.reverse();
        twins.sort(&mut sorted);
        assert_eq!(sorted[0], "d/A");
        assert_eq!(sorted[1..13], came);
        assert_eq!(sorted[13..], ["d/a-1", "d/a-20", "d/a.sh", "d/b"]);
        // Names that were given so are in the order of names.
        let mut own = ["d/a-10", "d/a-2", "d/a"].map(str::to_owned);
        Twins::default().sort(&mut own);
        assert_eq!(own, ["d/a", "d/a-10", "d/a-2"]);
        let mut long = PartNames::default();
        let came: Vec<_> = (0..3).map(|_| long.take("d", &"x".repeat(300), 1)).collect();
        let mut sorted: Vec<_> = came.iter().rev().cloned().collect();
        long.into_twins().sort(&mut sorted);
        assert_eq!(sorted, came);
    }
}
