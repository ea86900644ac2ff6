//! `umount`: undoes what `mount` did, in reverse order, or says who is in the way.

use super::act::Act;
use super::facts::RescueFacts;
use super::mount::POINT;
use super::mounts::{Access, Mount, is_within};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The most users that are named; there may be a process for each of hundreds of connections.
const MOST_NAMED: usize = 8;

/// The acts, the last mount first; none when nothing is mounted.
pub(crate) fn plan(facts: &RescueFacts) -> Vec<Act> {
    let points = points(facts);
    let within = |mount: &&Mount| points.iter().any(|point| is_within(&mount.point, point));
    let tree = format!("/lib/modules/{}", facts.release);
    let writable = facts.mounted().iter().any(|mount| mount.access == Access::Writable);
    let mut acts = Vec::new();
    for mount in facts.mounts.iter().rev().filter(within) {
        acts.push(Act::Unmount(mount.point.clone()));
        // Made to show the running kernel's modules; an empty one is of no use to anybody.
        let made =
            mount.point == POINT || writable && !facts.identity.is_of(mount) && mount.point.ends_with(&tree);
        if made {
            acts.push(Act::RemoveIfEmpty(mount.point.clone()));
        }
    }
    acts
}

/// Where the original root is mounted.
pub(crate) fn points(facts: &RescueFacts) -> Vec<String> {
    facts.mounted().iter().map(|mount| mount.point.clone()).collect()
}

/// Fails, naming them, when processes use what is to be unmounted: half of it undone would help nobody.
pub(crate) fn check_unused(points: &[String]) -> Result<()> {
    let users = users(Path::new("/proc"), points)?;
    if users.is_empty() {
        return Ok(());
    }
    let named = users.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if users.len() > MOST_NAMED {
        format!(" and {} more", users.len() - MOST_NAMED)
    } else {
        String::new()
    };
    bail!(
        "{} is in use by {named}{more}: end these, or leave the directory, and try again",
        points.join(" and ")
    )
}

/// Processes with a working directory, root, program or open file there, as `PID (NAME)`.
fn users(proc: &Path, points: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(proc).with_context(|| format!("list {}", proc.display()))? {
        let process = entry.with_context(|| format!("list {}", proc.display()))?.path();
        let name = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(number) = name.parse::<u32>() else { continue };
        // One that ends while it is looked at uses nothing any more.
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        let links = ["cwd", "root", "exe"].map(|link| process.join(link)).into_iter().chain(open);
        let uses = |target: &Path| points.iter().any(|point| target.starts_with(point));
        if links.into_iter().any(|link| fs::read_link(link).is_ok_and(|target| uses(&target))) {
            let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
            found.push((number, command.trim_end().to_owned()));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(number, command)| format!("{number} ({command})")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rescue::facts::testing::facts;
    use crate::rescue::mounts::testing::mount;
    use std::os::unix::fs::symlink;

    fn undone(mounts: &[(&str, &str, Access)]) -> String {
        let mut facts = facts("ext4");
        let own = mounts.iter().map(|(source, point, access)| mount(source, point, "x", *access));
        facts.mounts.extend(own);
        plan(&facts).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_last_mount_is_undone_first_and_nothing_else_is_touched() {
        let text = undone(&[
            ("/dev/vda", POINT, Access::Writable),
            ("tmpfs", "/run/lifeboat/original2", Access::Writable),
            ("udev", "/run/lifeboat/original/dev", Access::Writable),
            ("devpts", "/run/lifeboat/original/dev/pts", Access::Writable),
            ("/dev/vdb", "/run/lifeboat/original/usr/lib/modules/6.1.0-55-cloud-amd64", Access::Writable),
            ("/dev/vda", "/mnt", Access::Writable),
        ]);
        assert_eq!(
            text,
            "umount /mnt\n\
             umount /run/lifeboat/original/usr/lib/modules/6.1.0-55-cloud-amd64\n\
             rmdir /run/lifeboat/original/usr/lib/modules/6.1.0-55-cloud-amd64\n\
             umount /run/lifeboat/original/dev/pts\n\
             umount /run/lifeboat/original/dev\n\
             umount /run/lifeboat/original\n\
             rmdir /run/lifeboat/original"
        );
    }

    #[test]
    fn a_directory_of_a_root_that_is_mounted_read_only_stays() {
        let text = undone(&[
            ("/dev/vda", "/mnt", Access::ReadOnly),
            ("/dev/vdb", "/mnt/lib/modules/6.1.0-55-cloud-amd64", Access::Writable),
        ]);
        assert_eq!(text, "umount /mnt/lib/modules/6.1.0-55-cloud-amd64\numount /mnt");
    }

    #[test]
    fn without_a_mount_there_is_nothing_to_undo() {
        assert_eq!(undone(&[("/dev/vdc", "/mnt", Access::Writable)]), "");
    }

    #[test]
    fn whoever_is_in_the_way_is_named() {
        let proc = tempfile::tempdir().unwrap();
        for (process, link, target) in [
            ("12/fd", "3", "/o/var/log/syslog"),
            ("7", "cwd", "/o"),
            ("9", "root", "/other"),
            ("8", "cwd", "/original"),
            ("self", "cwd", "/o"),
        ] {
            std::fs::create_dir_all(proc.path().join(process)).unwrap();
            symlink(target, proc.path().join(process).join(link)).unwrap();
        }
        std::fs::write(proc.path().join("7/comm"), "bash\n").unwrap();
        assert_eq!(users(proc.path(), &["/o".into()]).unwrap(), ["7 (bash)", "12 ()"]);
        assert!(users(proc.path(), &["/p".into()]).unwrap().is_empty());
    }
}
