//! /run/lifeboat/modules: what was exported, and how.

use super::HandOff;
use crate::environment_file::{Lines, lookup};

/// The content of the file.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Modules {
    /// The kernel's release. Empty: that of the running kernel.
    pub release: String,
    /// Where something is mounted.
    pub layout: Layout,
    /// The directory with a tree for each release, in the booted system.
    pub place: String,
    /// The name that the root's own tree for the release is shown by.
    pub moved: Option<String>,
    /// The way in which the files get there.
    pub way: Way,
}

/// Where in the root something is mounted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Layout {
    /// On the empty directory of the release; lib/modules itself stays as it is.
    Mount,
    /// On lib/modules: a tmpfs with the release's tree and all others beside it.
    #[default]
    Cover,
    /// On lib, which has no `modules`: a read-only overlay that has one, and `Cover` on that.
    Overlay,
}

/// The way in which the files get there.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Way {
    /// The initramfs's own files are mounted.
    #[default]
    Bind,
    /// They are moved to a tmpfs.
    Copy {
        /// Their number.
        files: u64,
        /// Their size.
        bytes: u64,
    },
}

/// The endings of a tree that was in the way: its name is the release, a dot and one of these.
pub const MOVED_SUFFIX: &str = "lifeboat-moved";

const RELEASE: &str = "RELEASE";
const LAYOUT: &str = "LAYOUT";
const PLACE: &str = "PLACE";
const MOVED: &str = "MOVED";
const WAY: &str = "WAY";
const FILES: &str = "FILES";
const BYTES: &str = "BYTES";

/// The values of [`WAY`].
const BIND: &str = "bind";
const COPY: &str = "copy";

const LAYOUTS: [Layout; 3] = [Layout::Mount, Layout::Cover, Layout::Overlay];

impl Layout {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::Cover => "cover",
            Self::Overlay => "overlay",
        }
    }
}

impl HandOff for Modules {
    const PATH: &'static str = "run/lifeboat/modules";
    const MODE: u32 = 0o644;

    fn parse(text: &str) -> Self {
        let get = |key: &str| lookup(text, key).unwrap_or_default();
        let number = |key: &str| get(key).parse().unwrap_or_default();
        let layout = get(LAYOUT);
        Self {
            release: get(RELEASE),
            layout: LAYOUTS.into_iter().find(|known| known.name() == layout).unwrap_or_default(),
            place: get(PLACE),
            moved: lookup(text, MOVED),
            way: match get(WAY).as_str() {
                COPY => Way::Copy { files: number(FILES), bytes: number(BYTES) },
                _ => Way::Bind,
            },
        }
    }

    fn render(&self) -> String {
        let mut lines = Lines::default();
        lines.push(RELEASE, &self.release);
        lines.push(LAYOUT, self.layout.name());
        lines.push(PLACE, &self.place);
        lines.push_some(MOVED, self.moved.as_deref());
        match self.way {
            Way::Bind => lines.push(WAY, BIND),
            Way::Copy { files, bytes } => {
                lines.push(WAY, COPY);
                lines.push(FILES, &files.to_string());
                lines.push(BYTES, &bytes.to_string());
            }
        }
        lines.text()
    }
}

#[cfg(test)]
mod tests {
    use super::super::HOSTILE;
    use super::*;

    fn full(text: &str) -> Modules {
        Modules {
            release: text.into(),
            layout: Layout::Overlay,
            place: text.into(),
            moved: Some(text.into()),
            way: Way::Copy { files: 3, bytes: u64::MAX },
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in HOSTILE {
            for layout in LAYOUTS {
                for way in [Way::Bind, full("").way] {
                    for moved in [None, Some(text.to_owned())] {
                        let modules = Modules { layout, moved, way, ..full(text) };
                        assert_eq!(Modules::parse(&modules.render()), modules);
                    }
                }
            }
        }
    }

    #[test]
    fn each_key_has_a_line_and_no_value_adds_one() {
        let keys = |modules: &Modules| -> Vec<String> {
            modules.render().lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect()
        };
        assert_eq!(keys(&full("a\nWAY=bind\u{85}")), [RELEASE, LAYOUT, PLACE, MOVED, WAY, FILES, BYTES]);
        assert_eq!(keys(&Modules::default()), [RELEASE, LAYOUT, PLACE, WAY]);
    }

    #[test]
    fn what_makes_no_sense_is_as_by_default() {
        for text in ["", "LAYOUT=tent\nWAY=swim\nFILES=3\n", "layout=mount\n"] {
            assert_eq!(Modules::parse(text), Modules::default(), "{text}");
        }
        let copy = Modules::parse("WAY=copy\nFILES=many\nBYTES=-1\n");
        assert_eq!(copy.way, Way::Copy { files: 0, bytes: 0 });
    }
}
