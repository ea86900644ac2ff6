//! The settings of the export of modules. They are `lifeboat.modules=` on the kernel command line, the root's own
//! files, and the /etc/default/lifeboat that was baked into the initramfs. Words are joined by commas.

use crate::baked;
use crate::kmsg::escape;
use crate::root::Root;
use crate::state;
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::hand_off::MOVED_SUFFIX;
use std::fmt;

/// The first place that says anything is the one that counts, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ModulesSettings {
    pub(super) when: When,
    pub(super) means: Means,
    /// Where it was said; `None` when nobody said anything.
    pub(super) place: Option<ModulesSettingPlace>,
    /// A word that was not understood.
    pub(super) complaint: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// When the root has no usable tree for the kernel that runs.
    #[default]
    Auto,
    Off,
    /// Whatever the root has.
    Force,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Means {
    /// Bind where the initramfs's files outlive the switch of root, else copy.
    #[default]
    Cheapest,
    Bind,
    Copy,
}

/// In their order of rank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ModulesSettingPlace {
    CommandLine,
    /// The root's /etc/default/lifeboat.
    Root,
    /// The root's /etc/default/ec2-init (`EC2UpgradesSpec`).
    Ec2,
    /// The initramfs's /etc/default/lifeboat.
    Baked,
}

const KEY: &str = "LIFEBOAT_MODULES";
const EC2_KEY: &str = "EC2_EXPORT_MODULES_FROM_INITRAMFS";
const EC2_FILE: &str = "etc/default/ec2-init";

impl ModulesSettings {
    /// Asks each place in turn.
    pub(super) fn read(line: &CommandLine, root: &Root) -> Result<Self> {
        let root_says = |file: &str, key: &str| -> Result<Option<String>> {
            let text = root.read(file)?;
            Ok(text.and_then(|text| state::lookup(&String::from_utf8_lossy(&text), key)))
        };
        let said = match line.value("lifeboat.modules") {
            Some(value) => Some((ModulesSettingPlace::CommandLine, value.to_owned())),
            None => match root_says(baked::PATH.trim_start_matches('/'), KEY)? {
                Some(value) => Some((ModulesSettingPlace::Root, value)),
                None => match root_says(EC2_FILE, EC2_KEY)? {
                    Some(value) => Some((ModulesSettingPlace::Ec2, value)),
                    None => baked::value(KEY)?.map(|value| (ModulesSettingPlace::Baked, value)),
                },
            },
        };
        Ok(said.map_or_else(Self::unsaid, |(place, value)| Self::parse(&value, place)))
    }

    fn unsaid() -> Self {
        Self { when: When::Auto, means: Means::Cheapest, place: None, complaint: None }
    }

    fn parse(value: &str, place: ModulesSettingPlace) -> Self {
        let mut settings = Self { place: Some(place), ..Self::unsaid() };
        for word in value.split(',').filter(|word| !word.is_empty()) {
            match (place, word) {
                (ModulesSettingPlace::Ec2, "1") => settings.when = When::Force,
                (ModulesSettingPlace::Ec2, "0") => settings.when = When::Off,
                (ModulesSettingPlace::Ec2, _) => return Self::bad(word, place, "0 or 1"),
                (_, "auto") => settings.when = When::Auto,
                (_, "off") => settings.when = When::Off,
                (_, "force") => settings.when = When::Force,
                (_, "bind") => settings.means = Means::Bind,
                (_, "copy") => settings.means = Means::Copy,
                _ => return Self::bad(word, place, "auto, off, force; copy, bind"),
            }
        }
        settings
    }

    fn bad(word: &str, place: ModulesSettingPlace, known: &str) -> Self {
        let word = escape(word.as_bytes());
        let complaint =
            format!("`{word}` in {place} is not understood, and taken as `auto` (known: {known})");
        Self { place: Some(place), complaint: Some(complaint), ..Self::unsaid() }
    }

    /// The specification's suffix for a tree that is in the way belongs to the specification's switch.
    pub(super) fn moved_suffix(&self) -> &'static str {
        if self.place == Some(ModulesSettingPlace::Ec2) { "ec2-init-moved" } else { MOVED_SUFFIX }
    }
}

impl fmt::Display for ModulesSettingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommandLine => "lifeboat.modules= on the kernel command line",
            Self::Root => "LIFEBOAT_MODULES= of the root's /etc/default/lifeboat",
            Self::Ec2 => "EC2_EXPORT_MODULES_FROM_INITRAMFS= of the root's /etc/default/ec2-init",
            Self::Baked => "LIFEBOAT_MODULES= of the initramfs's /etc/default/lifeboat",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root's two files and the command line; the machine that tests has nothing baked in.
    fn read(command_line: &str, lifeboat: Option<&str>, ec2: Option<&str>) -> ModulesSettings {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("etc/default")).unwrap();
        for (name, text) in [("lifeboat", lifeboat), ("ec2-init", ec2)] {
            if let Some(text) = text {
                std::fs::write(directory.path().join("etc/default").join(name), text).unwrap();
            }
        }
        let root = Root::open(directory.path()).unwrap();
        ModulesSettings::read(&CommandLine::parse(command_line), &root).unwrap()
    }

    #[test]
    fn where_nothing_is_said_it_is_auto_and_the_cheapest_way() {
        assert_eq!(read("ro quiet", None, None), ModulesSettings::unsaid());
        assert_eq!(read("", Some("LIFEBOAT_RESCUE=off\n"), Some("COMPLETE=1\n")), ModulesSettings::unsaid());
    }

    #[test]
    fn the_first_place_in_rank_counts() {
        let (own, ec2) = (Some("LIFEBOAT_MODULES=force\n"), Some("EC2_EXPORT_MODULES_FROM_INITRAMFS=0\n"));
        assert_eq!(read("lifeboat.modules=off", own, ec2).place, Some(ModulesSettingPlace::CommandLine));
        let settings = read("", own, ec2);
        assert_eq!((settings.when, settings.place), (When::Force, Some(ModulesSettingPlace::Root)));
        let settings = read("", None, ec2);
        assert_eq!((settings.when, settings.place), (When::Off, Some(ModulesSettingPlace::Ec2)));
    }

    #[test]
    fn the_specifications_switch_has_the_specifications_suffix() {
        let settings = read("", None, Some("EC2_EXPORT_MODULES_FROM_INITRAMFS=\"1\"\n"));
        assert_eq!((settings.when, settings.moved_suffix()), (When::Force, "ec2-init-moved"));
        assert_eq!(read("lifeboat.modules=force", None, None).moved_suffix(), "lifeboat-moved");
    }

    #[test]
    fn the_way_can_be_forced_beside_it() {
        let settings = read("lifeboat.modules=force,copy", None, None);
        assert_eq!((settings.when, settings.means), (When::Force, Means::Copy));
        let settings = read("lifeboat.modules=bind", None, None);
        assert_eq!((settings.when, settings.means), (When::Auto, Means::Bind));
    }

    #[test]
    fn a_bad_value_is_said_and_taken_as_auto() {
        for (command_line, ec2, said) in [
            ("lifeboat.modules=forced", None, "`forced` in lifeboat.modules= on the kernel command line"),
            ("", Some("EC2_EXPORT_MODULES_FROM_INITRAMFS=yes\n"), "`yes` in EC2_EXPORT"),
            ("lifeboat.modules=off,fast", None, "`fast`"),
        ] {
            let settings = read(command_line, None, ec2);
            assert_eq!((settings.when, settings.means), (When::Auto, Means::Cheapest), "{command_line}");
            assert!(settings.complaint.as_ref().unwrap().contains(said), "{:?}", settings.complaint);
        }
    }

    #[test]
    fn what_looks_like_shell_is_only_text() {
        let settings = read("", Some("LIFEBOAT_MODULES=$(reboot)\n"), None);
        assert!(settings.complaint.unwrap().contains("`$(reboot)`"));
    }
}
