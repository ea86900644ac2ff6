//! The mount table, from /proc/self/mountinfo.

use crate::root::Root;
use anyhow::Result;
use lifeboat_common::mounts::MOUNTINFO;
pub(crate) use lifeboat_common::mounts::{Access, Mount, at, parse};
use rustix::fs::{FileType, major, minor, stat};
use std::path::Path;

/// The marks by which the mounts of a device are known.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    number: Option<String>,
    /// Its node's names.
    nodes: Vec<String>,
}

/// The mounts, in the order in which they were made.
pub(crate) fn read(root: &Root) -> Result<Vec<Mount>> {
    Ok(parse(&root.read_text(MOUNTINFO)?.unwrap_or_default()))
}

impl Identity {
    /// That of the device with this node; nothing is known of one that is not there.
    pub(crate) fn of(node: &str) -> Self {
        let number =
            stat(node).ok().filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice);
        let canonical = Path::new(node).canonicalize().ok().map(|path| path.display().to_string());
        Self {
            number: number.map(|stat| format!("{}:{}", major(stat.st_rdev), minor(stat.st_rdev))),
            nodes: canonical.into_iter().chain([node.to_owned()]).collect(),
        }
    }

    /// True if the device is there.
    pub(crate) fn is_there(&self) -> bool {
        self.number.is_some()
    }

    /// True if this is a mount of it.
    pub(crate) fn is_of(&self, mount: &Mount) -> bool {
        self.number.as_ref() == Some(&mount.number)
            || self.nodes.iter().any(|node| mount.source == Path::new(node))
    }
}

/// The mount that a path is in.
pub(crate) fn holding<'a>(path: &str, mounts: &'a [Mount]) -> Option<&'a Mount> {
    let within = mounts.iter().filter(|mount| is_within(path, &mount.point));
    within.max_by_key(|mount| mount.point.len())
}

/// True if a path is this directory or below it.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    directory == "/"
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A mount of a device.
    pub(crate) fn mount(source: &str, point: &str, kind: &str, access: Access) -> Mount {
        Mount { point: point.into(), number: source.into(), kind: kind.into(), source: source.into(), access }
    }

    /// A device that is there.
    pub(crate) fn identity(node: &str) -> Identity {
        Identity { number: Some(node.into()), nodes: vec![node.into()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
25 1 254:16 / / rw,relatime shared:1 - ext4 /dev/vdb rw
40 25 254:1 / /run/lifeboat/original ro,relatime shared:9 - ext4 /dev/vda1 ro,norecovery
41 25 0:44 /@ /mnt/a\\040b rw - btrfs /dev/mapper/root rw,ssd
42 25 254:2 / /srv rw - xfs /dev/vda2 ro
odd
";

    #[test]
    fn a_device_is_known_by_its_number_or_its_name() {
        let mounts = parse(TABLE);
        let by_number = Identity { number: Some("254:1".into()), nodes: vec![] };
        let by_name = Identity {
            number: Some("253:0".into()),
            nodes: vec!["/dev/dm-0".into(), "/dev/mapper/root".into()],
        };
        assert!(by_number.is_of(&mounts[1]) && !by_number.is_of(&mounts[2]));
        assert!(by_name.is_of(&mounts[2]) && !by_name.is_of(&mounts[0]));
        assert!(!Identity::of("/nowhere").is_there() && !Identity::of("/dev/null").is_there());
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_within() {
        assert!(is_within("/a/b", "/a/b") && is_within("/a/b/c", "/a/b"));
        assert!(!is_within("/a/bc", "/a/b") && !is_within("/a", "/a/b"));
        assert!(is_within("/a", "/") && is_within("/", "/"));
    }

    #[test]
    fn a_path_is_in_the_longest_mount_and_of_several_there_in_the_last() {
        let mounts = parse(&format!("{TABLE}43 25 254:3 / /srv rw - xfs /dev/vda3 rw\n"));
        let number = |path| holding(path, &mounts).map(|mount| mount.number.as_str());
        assert_eq!(number("/usr/lib"), Some("254:16"));
        assert_eq!(number("/srv/a"), Some("254:3"));
    }
}
