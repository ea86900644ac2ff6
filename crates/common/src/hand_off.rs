//! The files that the boot program leaves below /run/lifeboat for the agent: a type for each file, with one parser
//! and one writer.

mod modules;
mod parameters;
mod rescue;
mod seed;

pub use modules::{Layout, MOVED_SUFFIX, Modules, Way};
pub use parameters::{ONLY_CONFIG, source_of};
pub use rescue::{Boot, Original, Record, Rescue, SoFar, Volume};
pub use seed::{Place, Seed};

/// A file of the hand-off: `KEY=value` lines in the syntax of systemd's `EnvironmentFile=`.
///
/// A character that is not plain is written as `?`; all else is read as it was written. The parser takes any text: it
/// passes over keys that it does not know, and what is not said is as by default.
pub trait HandOff {
    /// The file, below a root.
    const PATH: &'static str;

    /// Its mode.
    const MODE: u32;

    /// Reads the file's text.
    fn parse(text: &str) -> Self;

    /// The file's text.
    fn render(&self) -> String;
}

#[cfg(test)]
mod tests;

/// A value that may come from a disk or a command line.
#[cfg(test)]
const HOSTILE: [&str; 10] = [
    "",
    " a b ",
    "it's \"x\"",
    "\\\"",
    "a\\",
    "$(reboot)`id`",
    "#a #b",
    "DEVICE=/dev/vdz",
    "Löwe",
    "export A=b",
];
