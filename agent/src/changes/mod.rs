//! Changed user-data under the same instance-id. The kept parts are compared with the source's, and a policy decides
//! about the difference.

pub(crate) mod record;

mod diff;
pub(crate) mod late;

pub(crate) use diff::diff;

use crate::command_line;
use crate::handlers;
use crate::instance::{Frequency, Instance};
use crate::report::Report;
use crate::root::Root;
use crate::user_data::{self, Dropped, IncludeReach, Includes, Part, Parts, Twins};
use crate::yaml::Mapping;
use anyhow::Result;
use record::{Known, PartsRecord};
use std::collections::HashSet;

/// Files below the instance's directory: the user-data of the first boot, if another one was taken since, and the
/// user-data that was refused.
const APPLIED: &str = "user-data.applied.i";
const OFFERED: &str = "user-data.offered.i";
/// The kept user-data as it came, and taken apart.
const RAW: &str = "user-data.txt";
const STORED: &str = "user-data.txt.i";

/// Files that handlers make of user-data once per instance and that nobody runs again: the semaphore, and the file. It
/// is made anew, so that it is what the user-data says.
const MADE: &[(&str, &str)] = &[("sem/config_runcmd", "scripts/runcmd")];

/// The names of the setting: in the system's configuration, and on the kernel command line.
const SETTING: &str = "user_data_policy";
const PARAMETER: &str = "lifeboat.user-data";

/// The policy for changed user-data under the same instance-id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    /// The kept user-data stays in force.
    Ignore,
    /// The new user-data is kept. Only the steps of each boot are done.
    Refresh,
    /// Everything is done again, as for a new instance.
    Reapply,
    /// The kept user-data stays in force, and that is an error.
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

    /// Reads the policy: the kernel command line wins over the system's configuration. An unknown word is reported.
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

/// The treatment of a source's user-data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Treatment {
    /// It is taken: the instance is new, or the user-data is unchanged.
    Take,
    /// It is taken. The steps of a new instance are not done again.
    Refresh,
    /// It is taken, and everything is done again.
    Reapply,
    /// It is taken: unchanged, with parts that could not be had before. The work that these ask for is done.
    Complete,
    /// The kept user-data stays in force, because the other one is damaged, or a part of it is missing.
    Incomplete,
    /// The kept user-data stays in force, as the policy says.
    Keep(Policy),
}

impl Treatment {
    /// True if the user-data has changed, and a policy decided.
    fn is_of_a_policy(self) -> bool {
        matches!(self, Self::Refresh | Self::Reapply | Self::Keep(_))
    }
}

/// The message on each boot after that.
const LEFT_OUT: &str = "a part of the user-data came late, after the user-data was changed: nothing of it is done \
                        (user_data_policy: reapply does everything again)";

/// The facts that decide about a source's user-data.
struct Facts<'a> {
    /// The instance's record; `None` if nothing was kept.
    kept: Option<&'a PartsRecord>,
    /// True if other user-data was taken since the first boot.
    was_changed: bool,
    given: &'a [Known],
    blob: Blob,
    /// True if some part cannot be had now.
    is_lacking: bool,
    policy: Policy,
}

/// A treatment, and what is to be said beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decision {
    treatment: Treatment,
    /// True if a late part is left out, now or since an earlier boot.
    is_left_out: bool,
}

fn decide(facts: &Facts<'_>) -> Decision {
    let treatment = treatment(facts);
    let is_left_out = facts.kept.is_some_and(|kept| {
        let comes_now = kept.is_lacking && treatment == Treatment::Refresh && !facts.is_lacking;
        (kept.is_left_out || comes_now) && treatment != Treatment::Reapply
    });
    Decision { treatment, is_left_out }
}

fn treatment(facts: &Facts<'_>) -> Treatment {
    let Facts { kept, was_changed, given, blob, policy, .. } = *facts;
    let Some(kept) = kept else { return Treatment::Take };
    let digests = |parts: &[Known]| parts.iter().map(|part| part.sha256.clone()).collect::<Vec<_>>();
    let (before, now) = (digests(&kept.parts), digests(given));
    if before == now {
        return Treatment::Take;
    }
    // A server that was away, or is, is no change. A late part of changed user-data could only be done with the
    // changes, and these are not.
    let may_come = kept.is_lacking && !was_changed;
    if matches!(blob, Blob::Same | Blob::Lacking) && may_come && is_within(&before, &now) {
        return Treatment::Complete;
    }
    if blob == Blob::Lacking && now.iter().all(|digest| before.contains(digest)) {
        return Treatment::Incomplete;
    }
    match policy {
        // Nobody means it so.
        _ if blob == Blob::Damaged => Treatment::Incomplete,
        Policy::Refresh => Treatment::Refresh,
        Policy::Reapply => Treatment::Reapply,
        Policy::Ignore | Policy::Refuse => Treatment::Keep(policy),
    }
}

/// True if all of `some` are among `all`, in the same order.
fn is_within(some: &[String], all: &[String]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|one| rest.any(|other| other == one))
}

/// The user-data as the source gives it, beside what was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blob {
    /// It is another text, or nothing was kept.
    Changed,
    /// It is the same, and all of its parts are there.
    Same,
    /// It is the same, and a part cannot be had.
    Lacking,
    /// It is another text, and damaged.
    Damaged,
}

/// The damage of a source's user-data that was not in the kept one.
pub(crate) fn damage(parts: &Parts, instance: &Instance, root: &Root) -> Vec<String> {
    let kept = PartsRecord::read(instance, root).ok().flatten();
    let Some(kept) = kept else { return Vec::new() };
    let digests: HashSet<_> = kept.parts.iter().map(|part| part.sha256.as_str()).collect();
    let raw = root.read(&instance.path(RAW)).ok().flatten().unwrap_or_default();
    // Its includes are no matter here.
    let includes = Includes::new(root, None, IncludeReach::Nothing);
    let before = user_data::expand([("user-data", raw.as_slice())], &includes).for_all().dropped;
    let was_bad = |dropped: &Dropped| before.iter().any(|before| before.reason == dropped.reason);
    let is_known = |part: &Part| digests.contains(user_data::digest(part).as_str());
    user_data::damage(parts, was_bad, is_known)
}

/// Decides about the parts of user-data, prepares the instance, and reports the decision. An error here is only
/// reported, because people are waiting for their keys.
pub(crate) fn treat(
    parts: &Parts,
    blob: Blob,
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
    let given: Vec<_> = parts.all.iter().map(Known::of).collect();
    let was_changed = report.take(root.holds(&instance.path(APPLIED))).unwrap_or_default();
    let is_lacking = parts.is_lacking();
    let facts = Facts { kept: kept.as_ref(), was_changed, given: &given, blob, is_lacking, policy };
    let Decision { treatment, is_left_out } = decide(&facts);
    if is_left_out {
        report.warn(LEFT_OUT);
    }
    let prepared = match treatment {
        Treatment::Take => root.remove(&instance.path(OFFERED)),
        Treatment::Incomplete | Treatment::Complete => Ok(()),
        Treatment::Refresh => refresh(instance, root),
        Treatment::Reapply => reapply(instance, root),
        Treatment::Keep(_) => root.write(&instance.path(OFFERED), &user_data::to_mime(&parts.all), 0o600),
    };
    let noted = prepared.and_then(|()| match kept.filter(|_| treatment != Treatment::Take) {
        Some(kept) => {
            let policy = if treatment.is_of_a_policy() { Some(policy) } else { kept.policy };
            PartsRecord { policy, is_left_out, ..kept }.write(instance, root)
        }
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
        Treatment::Complete => report.info(&late::told(&format!("user-data of instance {id}"))),
        Treatment::Incomplete => report.warn(format!(
            "the user-data cannot be had whole now (going on with instance {id} as it was kept)"
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
    let has_keys = instance.is_done(root, handlers::HOST_KEYS, Frequency::Instance)?;
    root.remove_tree(&instance.path("sem"))?;
    // The same machine is known by the same host keys.
    if has_keys { instance.set_done(root, handlers::HOST_KEYS, Frequency::Instance) } else { Ok(()) }
}

/// Makes the instance one that has had no user-data.
pub(crate) fn forget(instance: &Instance, root: &Root) -> Result<()> {
    reapply(instance, root)?;
    PartsRecord::remove(instance, root)
}

fn make_anew(instance: &Instance, root: &Root) -> Result<()> {
    MADE.iter().try_for_each(|(done, file)| {
        root.remove(&instance.path(file))?;
        root.remove(&instance.path(done))
    })
}

/// The files that were made from parts.
pub(crate) struct Made {
    /// Their paths.
    pub(crate) files: Vec<String>,
    /// The files among them that are named after others.
    pub(crate) twins: Twins,
    /// True if some part could not be had.
    pub(crate) is_lacking: bool,
    /// The scripts of late parts; `None` if none is late.
    pub(crate) late: Option<Vec<String>>,
}

/// The parts that are kept from now on, and the files that came of them. Files that an earlier boot wrote and nothing
/// makes any more are removed.
pub(crate) fn taken(parts: Vec<Known>, made: Made, instance: &Instance, root: &Root) -> Result<()> {
    // One that cannot be read was told of, and is replaced.
    let before = PartsRecord::read(instance, root).unwrap_or_default().unwrap_or_default();
    let Made { files, twins, is_lacking, late } = made;
    let still: HashSet<_> = files.iter().collect();
    for path in before.files.iter().filter(|path| !still.contains(path)) {
        root.remove(path)?;
    }
    // Who takes a change back has the instance as it was.
    let (applied, stored) = (instance.path(APPLIED), root.read(&instance.path(STORED))?);
    if root.read(&applied)? == stored {
        root.remove(&applied)?;
    }
    let pending =
        |path: &&String| late.is_none() && files.contains(path) || path.ends_with(handlers::COMMANDS);
    let pending: Vec<String> = before.late.iter().filter(pending).cloned().collect();
    let late = [pending, late.unwrap_or_default()].concat();
    PartsRecord { parts, files, twins, is_lacking, late, ..before }.write(instance, root)
}

#[cfg(test)]
mod tests;
