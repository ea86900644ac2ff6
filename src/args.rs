//! The command line: one word per journey.

use crate::outcome::Mode;
use anyhow::{Result, bail};
use lexopt::Arg;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Usage: lifeboat [--dry-run] JOURNEY

Journeys, which the initramfs's scripts call:
  rescue premount   before the root is mounted: boot from a volume labelled RESCUE
  rescue block ROOT while init waits for a missing root: boot from a volume that appears
  rescue wait TEXT  when init gives up: boot from a volume that is attached now, or wait for one
  rescue resolve DEVICE…  print which of these devices with one UUID or label is not an ignored copy
  rescue mounted    after a rescue volume is mounted: show init an fstab that names no other disk
  rescue mounted /usr  after its /usr is mounted as well: print `-` if it cannot be started
  rescue bottom     with the root mounted: switch to a volume that appeared late
  rescue last       after all other scripts: do so if the root holds no init, and cover a rescue system's fstab
  modules           give the root the running kernel's modules from the initramfs
  seed              hand the seed on the kernel command line to the booted system

Called by a script of the initramfs:
  later             have init call `rescue last` and `modules` after all other scripts

Called by the hook that builds the initramfs:
  include RELEASE DIR  add the modules that LIFEBOAT_INCLUDE= in /etc/default/lifeboat asks for

Options:
  --dry-run         print what would be done, and change nothing
  --help, --version

Exit status: 0 done or skipped, 1 something went wrong, 2 bad usage.
lifeboat(8) describes kernel parameters and files.
";

/// The work of one call of the program.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Invocation {
    /// Run a journey.
    Run {
        /// The one that is meant.
        journey: Journey,
        /// Carried out or only printed.
        mode: Mode,
    },
    /// `lifeboat include RELEASE DIR`: no journey, for it runs where the initramfs is built.
    Include {
        /// The release of the initramfs's kernel.
        release: String,
        /// The directory in which the initramfs is put together.
        destination: PathBuf,
        /// Carried out or only printed.
        mode: Mode,
    },
    /// `lifeboat later`: no journey, for it only has init call some.
    Later(Mode),
    /// Name those of these scripts that there are, one a line.
    Name(Vec<PathBuf>),
    /// Print a text (`--help`, `--version`).
    Print(String),
}

/// A journey at its stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Journey {
    /// `lifeboat rescue premount`
    RescuePremount,
    /// `lifeboat rescue block ROOT`: what init waits for.
    RescueBlock(String),
    /// `lifeboat rescue wait TEXT`: what init told its `panic()`.
    RescueWait(String),
    /// `lifeboat rescue resolve DEVICE…`
    RescueResolve(Vec<String>),
    /// `lifeboat rescue mounted`
    RescueMounted,
    /// `lifeboat rescue mounted /usr`
    RescueMountedUsr,
    /// `lifeboat rescue bottom`
    RescueBottom,
    /// `lifeboat rescue last`
    RescueLast,
    /// `lifeboat modules`
    Modules,
    /// `lifeboat seed`
    Seed,
}

const JOURNEYS: &[(&[&str], Journey)] = &[
    (&["rescue", "premount"], Journey::RescuePremount),
    (&["rescue", "mounted"], Journey::RescueMounted),
    (&["rescue", "mounted", "/usr"], Journey::RescueMountedUsr),
    (&["rescue", "bottom"], Journey::RescueBottom),
    (&["rescue", "last"], Journey::RescueLast),
    (&["modules"], Journey::Modules),
    (&["seed"], Journey::Seed),
];

impl Journey {
    /// The scripts that its own comes after.
    fn after(&self) -> &'static [&'static str] {
        match self {
            // Another root may take the place of this one.
            Self::Modules => &["rescue"],
            _ => &[],
        }
    }

    /// The journey's one word: its kernel parameter, log prefix and state file.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Modules => "modules",
            Self::Seed => "seed",
            _ => "rescue",
        }
    }
}

/// Parses the arguments that follow the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut mode = Mode::Apply;
    let mut words = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("dry-run") => mode = Mode::DryRun,
            Arg::Long("help") | Arg::Short('h') => return Ok(Invocation::Print(HELP.to_owned())),
            Arg::Long("version") => {
                return Ok(Invocation::Print(format!("lifeboat {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Value(word) => words.push(word.to_string_lossy().into_owned()),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A script's first line names this program, and the kernel passes the rest of it as one argument before the script.
    let [line, script, stage @ ..] = words.as_slice() else { return named(&words, mode) };
    if !script.starts_with('/') {
        return named(&words, mode);
    }
    let line: Vec<&str> = line.split(' ').collect();
    let invocation = named(&line, mode)?;
    if stage != ["prereqs"] {
        return Ok(invocation);
    }
    // The question is asked on the machine that builds the initramfs too: nothing may be done there.
    let after = if let Invocation::Run { journey, .. } = invocation { journey.after() } else { &[] };
    let script = Path::new(script);
    Ok(Invocation::Name(after.iter().map(|name| script.with_file_name(name)).collect()))
}

/// Finds the journey that is named by these words.
fn named(words: &[&str], mode: Mode) -> Result<Invocation> {
    let journey = match words {
        ["later"] => return Ok(Invocation::Later(mode)),
        ["rescue", "block", root] => Journey::RescueBlock((*root).to_owned()),
        ["include", release, destination] => {
            let (release, destination) = ((*release).to_owned(), destination.into());
            return Ok(Invocation::Include { release, destination, mode });
        }
        ["rescue", "wait", text] => Journey::RescueWait((*text).to_owned()),
        ["rescue", "resolve", devices @ ..] if !devices.is_empty() => {
            Journey::RescueResolve(devices.iter().map(|device| (*device).to_owned()).collect())
        }
        [] => bail!("no journey given"),
        words => match JOURNEYS.iter().find(|(spelling, _)| *spelling == words) {
            Some((_, journey)) => journey.clone(),
            None => bail!("unknown journey `{}`", words.join(" ")),
        },
    };
    Ok(Invocation::Run { journey, mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Invocation> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_journey_is_found_by_its_words() {
        for (words, journey) in JOURNEYS {
            let parsed = parse_words(&words.join(" ")).unwrap();
            assert_eq!(parsed, Invocation::Run { journey: journey.clone(), mode: Mode::Apply });
        }
    }

    #[test]
    fn what_init_says_is_one_argument() {
        let said = "ALERT!  LABEL=x does not exist.";
        let parsed = parse(["rescue", "wait", said].map(OsString::from)).unwrap();
        assert_eq!(parsed, Invocation::Run { journey: Journey::RescueWait(said.into()), mode: Mode::Apply });
        assert!(parse_words("rescue wait").is_err());
        assert!(parse_words("rescue block").is_err());
        assert!(parse_words("rescue resolve").is_err());
    }

    #[test]
    fn a_script_names_the_program_in_its_first_line() {
        for (line, journey, after) in [
            ("rescue premount", Journey::RescuePremount, &[][..]),
            ("modules", Journey::Modules, &["/s/rescue"]),
        ] {
            let parse = |arguments: &[&str]| parse(arguments.iter().map(OsString::from));
            let run = Invocation::Run { journey, mode: Mode::Apply };
            assert_eq!(parse(&[line, "/s/lifeboat"]).unwrap(), run);
            let after = after.iter().map(PathBuf::from).collect();
            assert_eq!(parse(&[line, "/s/lifeboat", "prereqs"]).unwrap(), Invocation::Name(after));
        }
        for stage in [&[][..], &["prereqs"]] {
            let words = [&["later", "/s/lifeboat-later"], stage].concat();
            let asked = parse(words.iter().map(OsString::from)).unwrap();
            let named = Invocation::Name(Vec::new());
            assert_eq!(asked, if stage.is_empty() { Invocation::Later(Mode::Apply) } else { named });
        }
        assert!(parse_words("moduls /s/lifeboat prereqs").is_err());
        assert!(parse_words("modules lifeboat").is_err());
    }

    #[test]
    fn no_journey_is_named_later() {
        assert_eq!(parse_words("later").unwrap(), Invocation::Later(Mode::Apply));
        assert_eq!(parse_words("--dry-run later").unwrap(), Invocation::Later(Mode::DryRun));
    }

    #[test]
    fn the_hook_names_a_release_and_a_directory() {
        let parsed = parse_words("include 6.1 /var/tmp/x").unwrap();
        let (release, destination) = ("6.1".into(), "/var/tmp/x".into());
        assert_eq!(parsed, Invocation::Include { release, destination, mode: Mode::Apply });
        assert!(parse_words("include 6.1").is_err());
    }

    #[test]
    fn a_dry_run_is_asked_for_anywhere_on_the_line() {
        let parsed = parse_words("modules --dry-run").unwrap();
        assert_eq!(parsed, Invocation::Run { journey: Journey::Modules, mode: Mode::DryRun });
    }

    #[test]
    fn anything_else_is_bad_usage() {
        for line in ["", "rescue", "rescue bottom now", "module", "--dry-run", "seed --force"] {
            assert!(parse_words(line).is_err(), "`{line}` was taken");
        }
    }
}
