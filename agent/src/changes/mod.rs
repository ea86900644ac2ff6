//! The same instance with other user-data: what was kept is compared with what the source gives, part by part,
//! and a policy says what becomes of the difference.

pub(crate) mod record;

mod diff;

pub(crate) use diff::diff;

use crate::command_line;
use crate::instance::Instance;
use crate::report::Report;
use crate::root::Root;
use crate::user_data::{self, Part, Twins};
use crate::yaml::Mapping;
use anyhow::Result;
use record::{Known, PartsRecord};
use std::collections::HashSet;

/// Below the instance's directory: the user-data that it was new with, where another one is kept since, and the
/// one that was not taken.
const APPLIED: &str = "user-data.applied.i";
const OFFERED: &str = "user-data.offered.i";
/// The one that is kept.
const STORED: &str = "user-data.txt.i";

/// What handlers make of user-data once per instance and nobody runs again: what says that it was made, and the
/// file. It is made anew, so that it is what the user-data says.
const MADE: &[(&str, &str)] = &[("sem/config_runcmd", "scripts/runcmd")];

/// The system's setting, and the kernel command line's.
const SETTING: &str = "user_data_policy";
const PARAMETER: &str = "lifeboat.user-data";

/// What becomes of other user-data under the same instance-id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    /// What was kept goes on.
    Ignore,
    /// It is kept, and done where it is done on each boot.
    Refresh,
    /// All of it is done again, as for a new instance.
    Reapply,
    /// What was kept goes on, and that is an error.
    Refuse,
}

const POLICIES: [(&str, Policy); 4] = [
    ("ignore", Policy::Ignore),
    ("refresh", Policy::Refresh),
    ("reapply", Policy::Reapply),
    ("refuse", Policy::Refuse),
];

impl Policy {
    fn word(self) -> &'static str {
        POLICIES.iter().find(|(_, policy)| *policy == self).map_or("", |(word, _)| *word)
    }

    fn of(word: &str) -> Option<Self> {
        POLICIES.iter().find(|(known, _)| *known == word).map(|(_, policy)| *policy)
    }

    /// The one that is set: the kernel command line's before the system's. A word that is none is told.
    fn read(system: &Mapping, root: &Root, report: &mut Report) -> Self {
        let line = report.take(command_line::read(root)).unwrap_or_default();
        let given = [
            (PARAMETER, line.value(PARAMETER).map(str::to_owned)),
            (SETTING, system.get(SETTING).map(|value| value.scalar_text().unwrap_or_default())),
        ];
        for (place, word) in given {
            let Some(word) = word else { continue };
            match Self::of(&word) {
                Some(policy) => return policy,
                None => report.warn(format!(
                    "{place}: `{}` is no policy (ignore, refresh, reapply or refuse)",
                    word.escape_debug()
                )),
            }
        }
        Self::Refresh
    }
}

/// What is done with what a source gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Treatment {
    /// It is taken: the instance is new, or there is nothing new in it.
    Take,
    /// It is taken, and what is done once per instance is not done again.
    Refresh,
    /// It is taken, and everything is done again.
    Reapply,
    /// What was kept goes on, for it cannot be told what has changed.
    Incomplete,
    /// What was kept goes on, as the policy says.
    Keep(Policy),
}

/// What a source gives -> what is done with it.
fn decide(kept: Option<&[Known]>, given: &[Known], lacking: Lacking, policy: Policy) -> Treatment {
    let Some(kept) = kept else { return Treatment::Take };
    let differs = || kept.iter().zip(given).any(|(one, other)| one.sha256 != other.sha256);
    if kept.len() == given.len() && !differs() {
        return Treatment::Take;
    }
    let digests: HashSet<_> = kept.iter().map(|part| &part.sha256).collect();
    match policy {
        // A server that is away is no change.
        _ if lacking == Lacking::Something && given.iter().all(|part| digests.contains(&part.sha256)) => {
            Treatment::Incomplete
        }
        Policy::Refresh => Treatment::Refresh,
        Policy::Reapply => Treatment::Reapply,
        Policy::Ignore | Policy::Refuse => Treatment::Keep(policy),
    }
}

/// Whether a part could not be had of user-data that is what it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lacking {
    /// All could, or it is another.
    Nothing,
    /// One could not.
    Something,
}

/// Decides about the parts of user-data, prepares the instance for what was decided, and says so. What goes wrong
/// here is told: people are waiting for their keys.
pub(crate) fn treat(
    parts: &[Part],
    lacking: Lacking,
    instance: &Instance,
    system: &Mapping,
    root: &Root,
    report: &mut Report,
) -> Treatment {
    let policy = Policy::read(system, root, report);
    let kept = PartsRecord::read(instance, root).unwrap_or_else(|error| {
        report.warn(format!("{error:#} (so changes of the user-data cannot be detected)"));
        None
    });
    let given: Vec<_> = parts.iter().map(Known::of).collect();
    let treatment = decide(kept.as_ref().map(|kept| kept.parts.as_slice()), &given, lacking, policy);
    let prepared = match treatment {
        Treatment::Take => root.remove(&instance.path(OFFERED)),
        Treatment::Incomplete => Ok(()),
        Treatment::Refresh => refresh(instance, root),
        Treatment::Reapply => reapply(instance, root),
        Treatment::Keep(_) => root.write(&instance.path(OFFERED), &user_data::to_mime(parts), 0o600),
    };
    let noted = prepared.and_then(|()| match kept.filter(|_| treatment != Treatment::Take) {
        Some(kept) => PartsRecord { policy: Some(policy), ..kept }.write(instance, root),
        None => Ok(()),
    });
    if let Err(error) = noted {
        report.warn(format!("{error:#}"));
    }
    tell(treatment, instance, report);
    treatment
}

fn tell(treatment: Treatment, instance: &Instance, report: &mut Report) {
    let id = &instance.id;
    match treatment {
        Treatment::Take => {}
        Treatment::Incomplete => report.warn(format!(
            "a part of the user-data cannot be fetched now (going on with instance {id} as it was kept)"
        )),
        Treatment::Refresh => report.info(&format!(
            "the user-data of instance {id} has changed: what is done on each boot is taken from it, and nothing \
             is done again (lifeboat-agent diff shows what changed)"
        )),
        Treatment::Reapply => {
            report.info(&format!("the user-data of instance {id} has changed: everything is done again"));
        }
        Treatment::Keep(policy) => {
            let told = format!(
                "the user-data of instance {id} has changed, and the policy is to {} it (lifeboat-agent diff \
                 shows what changed)",
                policy.word()
            );
            match policy {
                Policy::Refuse => report.error(told),
                _ => report.info(&told),
            }
        }
    }
}

fn refresh(instance: &Instance, root: &Root) -> Result<()> {
    if !root.holds(&instance.path(APPLIED))?
        && let Some(stored) = root.read(&instance.path(STORED))?
    {
        root.write(&instance.path(APPLIED), &stored, 0o600)?;
    }
    root.remove(&instance.path(OFFERED))?;
    make_anew(instance, root)
}

fn reapply(instance: &Instance, root: &Root) -> Result<()> {
    for path in [APPLIED, OFFERED] {
        root.remove(&instance.path(path))?;
    }
    make_anew(instance, root)?;
    root.remove_tree(&instance.path("sem"))
}

fn make_anew(instance: &Instance, root: &Root) -> Result<()> {
    MADE.iter().try_for_each(|(done, file)| {
        root.remove(&instance.path(file))?;
        root.remove(&instance.path(done))
    })
}

/// The files that came of parts.
pub(crate) struct Made {
    /// Their paths.
    pub(crate) files: Vec<String>,
    /// Those of them that are named after others.
    pub(crate) twins: Twins,
}

/// The parts that are kept from now on, and the files that came of them. What an earlier boot wrote and nothing
/// comes of any more goes.
pub(crate) fn taken(parts: Vec<Known>, made: Made, instance: &Instance, root: &Root) -> Result<()> {
    // One that cannot be read was told of, and is replaced.
    let before = PartsRecord::read(instance, root).unwrap_or_default().unwrap_or_default();
    let Made { files, twins } = made;
    let still: HashSet<_> = files.iter().collect();
    for path in before.files.iter().filter(|path| !still.contains(path)) {
        root.remove(path)?;
    }
    // Who takes a change back has the instance as it was.
    let (applied, stored) = (instance.path(APPLIED), root.read(&instance.path(STORED))?);
    if root.read(&applied)? == stored {
        root.remove(&applied)?;
    }
    PartsRecord { parts, files, twins, ..before }.write(instance, root)
}

#[cfg(test)]
mod tests;
