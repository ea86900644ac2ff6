//! File names for parts: none leads out of its directory, and none is given twice.

use std::collections::HashMap;

/// The longest name that a file can have.
const LONGEST: usize = 255;

/// The names that are taken, each with its directory, and how often they were wanted.
#[derive(Default, Debug)]
pub(crate) struct Names(HashMap<String, usize>);

impl Names {
    /// A path in the directory: the name with what is odd in it removed, and a number behind it when it is
    /// there already.
    pub(super) fn take(&mut self, directory: &str, name: &str, number: usize) -> String {
        let cleaned = clean(name);
        let name = if ["", ".", ".."].contains(&cleaned.as_str()) { default(number) } else { cleaned };
        let wanted = format!("{directory}/{name}");
        let mut count = self.0.get(&wanted).copied().unwrap_or_default();
        loop {
            count += 1;
            if count == 1 {
                self.0.insert(wanted.clone(), 1);
                return wanted;
            }
            let end = format!("-{count}");
            let start: String = name.chars().take(LONGEST.saturating_sub(end.len())).collect();
            let path = format!("{directory}/{start}{end}");
            if !self.0.contains_key(&path) {
                self.0.insert(wanted, count);
                self.0.insert(path.clone(), 1);
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

/// What follows the last slash.
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
        ] {
            assert_eq!(Names::default().take("d", name, 7), path, "{name:?}");
        }
        let mut names = Names::default();
        for _ in 0..2 {
            assert_eq!(names.take("d", &"x".repeat(5000), 1).len(), LONGEST + 2);
        }
    }

    #[test]
    fn a_name_is_given_once_in_a_directory() {
        let mut names = Names::default();
        let paths: Vec<_> = ["a", "a", "a-2", "$a"].iter().map(|name| names.take("d", name, 1)).collect();
        assert_eq!(paths, ["d/a", "d/a-2", "d/a-2-2", "d/a-3"]);
        assert_eq!(names.take("e", "a", 1), "e/a");
    }
}
