//! The check that a tree of kernel modules is complete. The boot program asks more of one that is to be usable: that it
//! is of the initramfs's build. The agent cannot know that, for the initramfs has gone.

use std::error::Error;
use std::fmt;

/// The tree's index, which depmod makes.
pub const INDEX: &str = "modules.dep";

/// The number of files of the index that are looked at.
pub const SAMPLE: usize = 16;

/// Why a tree is not complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incomplete {
    /// There is no index.
    NoIndex,
    /// The index names nothing.
    NoModule,
    /// A file that the index names is not there.
    Missing(String),
    /// A file that the index names has no content.
    Empty(String),
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex => write!(f, "it has no {INDEX}"),
            Self::NoModule => write!(f, "{INDEX} names no module"),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Empty(name) => write!(f, "{name} is empty"),
        }
    }
}

impl Error for Incomplete {}

/// Looks at files spread evenly over the index, the first and the last among them: a copy that was cut short lacks the
/// last ones. `size`: the bytes of a file of the tree, `None` when it is not there. Returns what was looked at.
///
/// # Errors
///
/// The first reason why the tree is not complete, or an error of `size`.
pub fn sample<E: From<Incomplete>>(
    index: Option<&str>,
    size: impl Fn(&str) -> Result<Option<u64>, E>,
) -> Result<Vec<(String, u64)>, E> {
    let index = index.ok_or(Incomplete::NoIndex)?;
    let names: Vec<&str> =
        index.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    if names.is_empty() {
        return Err(Incomplete::NoModule.into());
    }
    let gaps = names.len().min(SAMPLE).saturating_sub(1);
    let places = (0..=gaps).map(|gap| gap * (names.len() - 1) / gaps.max(1));
    places
        .filter_map(|place| names.get(place))
        .map(|name| match size(name)? {
            None => Err(Incomplete::Missing((*name).to_owned()).into()),
            Some(0) => Err(Incomplete::Empty((*name).to_owned()).into()),
            Some(bytes) => Ok(((*name).to_owned(), bytes)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(modules: usize) -> String {
        (0..modules).fold(String::new(), |index, number| index + &format!("{number:04}.ko: 0000.ko\n"))
    }

    fn looked_at(index: Option<&str>, size: impl Fn(&str) -> Option<u64>) -> Result<Vec<String>, Incomplete> {
        let sample = sample(index, |name| Ok(size(name)))?;
        Ok(sample.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn sixteen_files_from_the_first_to_the_last_are_looked_at() {
        let names = looked_at(Some(&index(1001)), |_| Some(1)).unwrap();
        assert_eq!(names.len(), SAMPLE);
        assert_eq!((names[0].as_str(), names[1].as_str()), ("0000.ko", "0066.ko"));
        assert_eq!(names[15], "1000.ko");
        for count in 1..=SAMPLE {
            assert_eq!(looked_at(Some(&index(count)), |_| Some(1)).unwrap().len(), count);
        }
        assert_eq!(looked_at(Some(&index(17)), |_| Some(1)).unwrap().len(), SAMPLE);
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let three = index(3);
        let but = |other: &'static str, size| move |name: &str| if name == other { size } else { Some(1) };
        for (index, size, reason) in [
            (None, but("", None), "it has no modules.dep"),
            (Some(""), but("", None), "modules.dep names no module"),
            (Some("\0garbage\n\n"), but("", None), "modules.dep names no module"),
            (Some(three.as_str()), but("0002.ko", None), "0002.ko is missing"),
            (Some(three.as_str()), but("0001.ko", Some(0)), "0001.ko is empty"),
        ] {
            assert_eq!(looked_at(index, size).unwrap_err().to_string(), reason);
        }
    }
}
