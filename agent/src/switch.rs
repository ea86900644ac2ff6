//! The switch of the agent for this boot, as cloud-init has it.

use crate::command_line;
use crate::layout;
use crate::root::Root;
use anyhow::Result;

/// The agent's switch, and the reason for its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Switch {
    /// cloud-init's word for it.
    pub(crate) code: &'static str,
    /// The same for people.
    pub(crate) reason: &'static str,
    /// The position: on or off.
    pub(crate) position: Position,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Position {
    /// It works.
    On,
    /// It does nothing.
    Off,
}

/// The facts that decide about the switch.
#[derive(Default, Debug)]
struct SwitchFacts {
    systemd: bool,
    parameter: Option<String>,
    file: bool,
    generated: Option<Position>,
}

/// A condition: true if a switch is the one.
type Holds = fn(&SwitchFacts) -> bool;

/// The first that holds decides.
const ALL: &[(Holds, Switch)] = &[
    (
        |facts| facts.parameter.as_deref() == Some("enabled"),
        switch("enabled-by-kernel-cmdline", "cloud-init=enabled is on the kernel command line", Position::On),
    ),
    (
        |facts| facts.file,
        switch("disabled-by-marker-file", "there is /etc/cloud/cloud-init.disabled", Position::Off),
    ),
    (
        |facts| facts.parameter.as_deref() == Some("disabled"),
        switch(
            "disabled-by-kernel-cmdline",
            "cloud-init=disabled is on the kernel command line",
            Position::Off,
        ),
    ),
    (
        |facts| facts.generated == Some(Position::Off),
        switch("disabled-by-generator", "there is no seed, and no instance that was kept", Position::Off),
    ),
    (
        |facts| facts.generated == Some(Position::On),
        switch(
            "enabled-by-generator",
            "there is a seed, or an instance that was kept, or /var was not there yet",
            Position::On,
        ),
    ),
    (|facts| !facts.systemd, switch("enabled-by-sysvinit", "there is no systemd to ask", Position::On)),
];

const UNKNOWN: Switch = switch("unknown", "systemd's generators have not run yet", Position::On);

const fn switch(code: &'static str, reason: &'static str, position: Position) -> Switch {
    Switch { code, reason, position }
}

impl Switch {
    /// Reads the switch for this boot.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let generated = if root.holds(layout::DISABLED)? {
            Some(Position::Off)
        } else {
            root.holds(layout::ENABLED)?.then_some(Position::On)
        };
        Ok(decide(&SwitchFacts { generated, ..SwitchFacts::read(root)? }))
    }

    /// The reason why nothing may be done, as a person has said; the generator's finding does not count.
    pub(crate) fn person(root: &Root) -> Result<Option<&'static str>> {
        let switch = decide(&SwitchFacts::read(root)?);
        Ok((switch.position == Position::Off).then_some(switch.reason))
    }

    /// Notes what the generator found, for whoever asks later in the boot.
    pub(crate) fn note(position: Position, root: &Root) -> Result<()> {
        let (set, clear) = match position {
            Position::On => (layout::ENABLED, layout::DISABLED),
            Position::Off => (layout::DISABLED, layout::ENABLED),
        };
        root.remove(clear)?;
        root.write(set, b"", 0o644)
    }
}

impl SwitchFacts {
    fn read(root: &Root) -> Result<Self> {
        Ok(Self {
            systemd: root.holds("run/systemd/system")?,
            parameter: command_line::read(root)?.value("cloud-init").map(str::to_owned),
            file: root.holds(layout::SWITCHED_OFF)?,
            generated: None,
        })
    }
}

fn decide(facts: &SwitchFacts) -> Switch {
    ALL.iter().find(|(holds, _)| holds(facts)).map_or(UNKNOWN, |(_, switch)| *switch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], command_line: &str, code: &str, person: bool) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("proc/cmdline", command_line.as_bytes(), 0o644).unwrap();
        root.make_directory("run/systemd/system").unwrap();
        for file in files {
            root.write(file, b"", 0o644).unwrap();
        }
        assert_eq!(Switch::read(&root).unwrap().code, code, "{files:?} {command_line}");
        assert_eq!(Switch::person(&root).unwrap().is_some(), person, "{files:?} {command_line}");
    }

    #[test]
    fn a_person_switches_it_off_and_the_kernel_command_line_on_again() {
        let file = "etc/cloud/cloud-init.disabled";
        check(&[file], "ro quiet", "disabled-by-marker-file", true);
        check(&[file], "ro cloud-init=enabled", "enabled-by-kernel-cmdline", false);
        check(&[], "ro cloud-init=disabled", "disabled-by-kernel-cmdline", true);
        check(&[], "cloud-init=disabled cloud-init=enabled", "enabled-by-kernel-cmdline", false);
        check(&[], "xcloud-init=disabled cloud-init=no", "unknown", false);
    }

    #[test]
    fn what_the_generator_found_is_no_persons_word() {
        check(&["run/cloud-init/enabled"], "", "enabled-by-generator", false);
        check(&["run/cloud-init/disabled"], "", "disabled-by-generator", false);
        check(&["run/cloud-init/enabled"], "cloud-init=disabled", "disabled-by-kernel-cmdline", true);
    }

    #[test]
    fn without_systemd_nobody_else_decides() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        assert_eq!(Switch::read(&root).unwrap().code, "enabled-by-sysvinit");
    }

    #[test]
    fn a_later_note_takes_the_place_of_an_earlier_one() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for position in [Position::On, Position::Off, Position::On] {
            Switch::note(position, &root).unwrap();
            assert_eq!(Switch::read(&root).unwrap().position, position);
        }
    }
}
