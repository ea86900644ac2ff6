//! The owner's settings: `lifeboat.rescue=` on the kernel command line, and `LIFEBOAT_RESCUE=` in the
//! /etc/default/lifeboat that was baked into the initramfs. Words are joined by commas.

use super::selector::Selector;
use crate::baked;
use crate::kmsg::escape;
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use std::fmt;

/// The time to wait for a root that is missing or cannot be mounted, in seconds.
const WAIT: u64 = 300;

/// The settings in force, after both places were read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RescueSettings {
    /// No scan, no wait.
    pub(crate) off: Option<RescueSettingPlace>,
    /// The time to wait when the root is missing or cannot be mounted, in seconds.
    pub(crate) wait: u64,
    /// Volumes that are candidates whatever their label is, and come first.
    pub(crate) named: Vec<Selector>,
    /// The one volume that is accepted.
    pub(crate) require: Option<Selector>,
    /// One line for each word that was not understood.
    pub(crate) complaints: Vec<String>,
}

/// Where a setting was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RescueSettingPlace {
    /// The kernel command line.
    CommandLine,
    /// The initramfs's own /etc/default/lifeboat.
    Baked,
}

/// The words of one place.
#[derive(Default)]
struct Words {
    off: bool,
    override_: bool,
    wait: Option<u64>,
    named: Vec<Selector>,
    require: Option<Selector>,
    complaints: Vec<String>,
}

impl RescueSettings {
    /// The command line wins, but a baked-in `off` or `require=` holds unless `override` is baked in with it. The
    /// person who writes the command line need not be the owner of the initramfs.
    pub(crate) fn from(command_line: Option<&str>, baked: Option<&str>) -> Self {
        let mut line = Words::parse(command_line.unwrap_or_default(), RescueSettingPlace::CommandLine);
        let mut baked = Words::parse(baked.unwrap_or_default(), RescueSettingPlace::Baked);
        let mut complaints = std::mem::take(&mut baked.complaints);
        complaints.append(&mut line.complaints);

        // A command line that asks for something other than `off` switches on.
        let asks = line.wait.is_some() || line.require.is_some() || !line.named.is_empty();
        let off = if line.off {
            Some(RescueSettingPlace::CommandLine)
        } else {
            (baked.off && !(baked.override_ && asks)).then_some(RescueSettingPlace::Baked)
        };
        let undone = baked.override_ && (line.require.is_some() || !line.named.is_empty());
        let require = match baked.require {
            Some(baked) if !undone => Some(baked),
            _ => line.require,
        };
        let named = if line.named.is_empty() { baked.named } else { line.named };
        Self { off, wait: line.wait.or(baked.wait).unwrap_or(WAIT), named, require, complaints }
    }
}

impl RescueSettings {
    /// Reads both places.
    pub(crate) fn read(line: &CommandLine) -> Result<Self> {
        let baked = baked::value("LIFEBOAT_RESCUE")?;
        Ok(Self::from(line.value("lifeboat.rescue"), baked.as_deref()))
    }
}

impl Words {
    fn parse(value: &str, place: RescueSettingPlace) -> Self {
        let mut words = Self::default();
        for word in value.split(',').filter(|word| !word.is_empty()) {
            if !words.take(word, place) {
                words.complaints.push(format!(
                    "`{}` {place} is not understood and not used (known: {KNOWN})",
                    escape(word.as_bytes())
                ));
            }
        }
        words
    }

    /// True if the word was understood.
    fn take(&mut self, word: &str, place: RescueSettingPlace) -> bool {
        if word == "off" {
            self.off = true;
        } else if word == "override" && place == RescueSettingPlace::Baked {
            self.override_ = true;
        } else if let Some(seconds) = word.strip_prefix("wait:") {
            self.wait = seconds.parse().ok().filter(|_| seconds.bytes().all(|byte| byte.is_ascii_digit()));
            return self.wait.is_some();
        } else if let Some(name) = word.strip_prefix("require=") {
            // A label or a path can be had by anybody who attaches a disk.
            self.require = Selector::parse(name)
                .filter(|selector| matches!(selector, Selector::Uuid(_) | Selector::PartUuid(_)));
            let understood = self.require.is_some();
            if place == RescueSettingPlace::Baked && !understood {
                // Whoever wanted one volume only does not want all of them because of a slip.
                self.require = Some(Selector::Nothing(escape(name.as_bytes())));
            }
            return understood;
        } else if let Some(selector) = Selector::parse(word) {
            self.named.push(selector);
        } else {
            return false;
        }
        true
    }
}

const KNOWN: &str =
    "off, wait:SECONDS, LABEL=, UUID=, PARTUUID=, PARTLABEL=, /dev/…, require=UUID=, require=PARTUUID=";

impl fmt::Display for RescueSettingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => write!(f, "in lifeboat.rescue= on the kernel command line"),
            Self::Baked => write!(f, "in LIFEBOAT_RESCUE= of the initramfs's /etc/default/lifeboat"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(command_line: &str, baked: &str) -> RescueSettings {
        RescueSettings::from(Some(command_line).filter(|line| !line.is_empty()), Some(baked))
    }

    #[test]
    fn without_settings_nothing_is_off_and_the_wait_is_five_minutes() {
        let settings = RescueSettings::from(None, None);
        assert_eq!((settings.off, settings.wait), (None, 300));
        assert!(settings.named.is_empty() && settings.require.is_none() && settings.complaints.is_empty());
    }

    #[test]
    fn words_are_joined_by_commas() {
        let settings = settings("wait:10,LABEL=Fix me,PARTUUID=ab-01,/dev/vdb2", "");
        assert_eq!(settings.wait, 10);
        assert_eq!(
            settings.named,
            [
                Selector::Label("Fix me".into()),
                Selector::PartUuid("ab-01".into()),
                Selector::Device("/dev/vdb2".into())
            ]
        );
    }

    #[test]
    fn the_command_line_wins_over_what_is_baked_in() {
        let settings = settings("wait:10,UUID=a", "wait:20,UUID=b");
        assert_eq!((settings.wait, settings.named), (10, vec![Selector::Uuid("a".into())]));
    }

    #[test]
    fn what_is_baked_in_as_off_or_require_holds() {
        assert_eq!(settings("LABEL=X", "off").off, Some(RescueSettingPlace::Baked));
        let required = settings("require=UUID=b,UUID=b", "require=UUID=a").require;
        assert_eq!(required, Some(Selector::Uuid("a".into())));
    }

    #[test]
    fn override_lets_the_command_line_undo_it() {
        assert_eq!(settings("LABEL=X", "off,override").off, None);
        assert_eq!(settings("", "off,override").off, Some(RescueSettingPlace::Baked));
        assert_eq!(settings("UUID=b", "require=UUID=a,override").require, None);
        assert_eq!(settings("wait:1", "require=UUID=a,override").require, Some(Selector::Uuid("a".into())));
        assert_eq!(settings("off", "override").off, Some(RescueSettingPlace::CommandLine));
    }

    #[test]
    fn a_mistyped_requirement_that_is_baked_in_accepts_nothing() {
        for slip in ["require=LABEL=X", "require=uuid=a", "require=a"] {
            let settings = settings("UUID=a", slip);
            assert!(matches!(settings.require, Some(Selector::Nothing(_))), "{:?}", settings.require);
            assert_eq!(settings.complaints.len(), 1);
        }
    }

    #[test]
    fn a_bad_word_is_said_and_treated_as_not_given() {
        for word in ["of", "wait:", "wait:+1", "wait:5m", "LABEL=", "require=LABEL=X", "override", "NAME=x"] {
            let settings = settings(word, "");
            assert_eq!(settings.complaints.len(), 1, "{word}");
            assert!(
                settings.complaints[0].contains("on the kernel command line"),
                "{:?}",
                settings.complaints
            );
            assert_eq!(
                RescueSettings { complaints: Vec::new(), ..settings },
                RescueSettings::from(None, None),
                "{word}"
            );
        }
    }
}
