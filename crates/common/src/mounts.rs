//! The mount table as /proc/self/mountinfo has it.

use std::path::PathBuf;

/// The table's file, below a root.
pub const MOUNTINFO: &str = "proc/self/mountinfo";

/// The access of a mount: it may be written to, or only read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It may not.
    ReadOnly,
    /// It may.
    Writable,
}

/// A line of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// The device's numbers as `major:minor`; on some file systems numbers that no device has.
    pub number: String,
    /// The file system's type.
    pub kind: String,
    /// The mounted thing: a device's node, or a word.
    pub source: PathBuf,
    /// Its access, as the mount options say it.
    pub access: Access,
}

impl Mount {
    /// True if it is the same mount, which may have become read-only meanwhile.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.point, &self.number, &self.kind, &self.source)
            == (&other.point, &other.number, &other.kind, &other.source)
    }
}

/// The mounts in the order in which they were made, later ones covering earlier ones on the same point. A line that
/// makes no sense is passed over.
pub fn parse(table: &str) -> Vec<Mount> {
    table.lines().filter_map(parse_line).collect()
}

/// The mount that is seen at a mount point; `None` when nothing is mounted there.
pub fn at<'a>(point: &str, mounts: &'a [Mount]) -> Option<&'a Mount> {
    mounts.iter().rev().find(|mount| mount.point == point)
}

/// The access that a mount's file system gives where that is mounted writable. A mount that is not in the table may be written to.
pub fn superblock_access(table: &str, mount: &Mount) -> Access {
    let read_only = superblock_options(table, mount).split(',').any(|option| option == "ro");
    if read_only { Access::ReadOnly } else { Access::Writable }
}

/// The options of a mount's file system; empty for what is not in the table.
pub fn superblock_options<'a>(table: &'a str, mount: &Mount) -> &'a str {
    line_of(table, mount).and_then(|line| line.split_once(" - ")?.1.split(' ').nth(2)).unwrap_or_default()
}

/// True if a mount shows its file system from the top, and no directory of it.
pub fn is_whole(table: &str, mount: &Mount) -> bool {
    line_of(table, mount).and_then(|line| line.split(' ').nth(3)) == Some("/")
}

fn line_of<'a>(table: &'a str, mount: &Mount) -> Option<&'a str> {
    table.lines().rev().find(|line| parse_line(line).as_ref() == Some(mount))
}

// See proc_pid_mountinfo(5): a variable number of fields ends with a lone `-`.
fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(2);
    let (number, _, point, options) = (before.next()?, before.next()?, before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, source, super_options) = (after.next()?, after.next()?, after.next()?);
    let read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        point: unescape(point),
        number: number.to_owned(),
        kind: kind.to_owned(),
        source: unescape(source).into(),
        access: if read_only(options) || read_only(super_options) {
            Access::ReadOnly
        } else {
            Access::Writable
        },
    })
}

/// Reads the kernel's octal escapes back: those of white space and the backslash, and of `#` in a source.
fn unescape(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some((byte, rest)) = escaped.filter(u8::is_ascii).zip(part.get(3..)) {
            plain.push(char::from(byte));
            plain.push_str(rest);
        } else {
            plain.push('\\');
            plain.push_str(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
21 1 0:20 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw
24 1 0:22 / /run rw,nosuid,nodev,noexec,relatime shared:3 master:1 - tmpfs tmpfs rw,size=49188k,mode=755
25 1 254:0 / /root ro,relatime - ext4 /dev/vda ro
26 25 254:16 / /root/mnt/a\\040b ro - ext4 /dev/disk/by-label/a\\134b ro
42 25 254:2 / /srv rw - xfs /dev/vda2 ro
43 25 254:3 / /srv rw - xfs /dev/vda3 rw
";

    #[test]
    fn a_mount_may_be_read_only_where_its_file_system_is_not() {
        let mounts = parse(TABLE);
        let access: Vec<_> = mounts.iter().map(|mount| superblock_access(TABLE, mount)).collect();
        let [writable, read_only] = [Access::Writable, Access::ReadOnly];
        assert_eq!(access, [writable, writable, read_only, read_only, read_only, writable]);
        let table = "25 1 254:0 / /root ro - ext4 /dev/vda rw,errors=remount-ro\n";
        assert_eq!(superblock_access(table, &parse(table)[0]), writable);
    }

    #[test]
    fn points_numbers_types_sources_and_access_are_read() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 6);
        let root = Mount {
            point: "/root".into(),
            number: "254:0".into(),
            kind: "ext4".into(),
            source: "/dev/vda".into(),
            access: Access::ReadOnly,
        };
        assert_eq!(mounts[2], root);
        assert_eq!(mounts[1].point, "/run");
        let access: Vec<_> = mounts.iter().map(|mount| mount.access).collect();
        let (ro, rw) = (Access::ReadOnly, Access::Writable);
        assert_eq!(access, [rw, rw, ro, ro, ro, rw]);
    }

    #[test]
    fn escaped_characters_are_read_back() {
        let mounts = parse(TABLE);
        assert_eq!(mounts[3].point, "/root/mnt/a b");
        assert_eq!(mounts[3].source, PathBuf::from("/dev/disk/by-label/a\\b"));
        for (field, plain) in [
            ("a\\011\\012b", "a\t\nb"),
            ("\\043a", "#a"),
            ("a\\134040", "a\\040"),
            ("\\134\\134", "\\\\"),
            ("a\\04", "a\\04"),
            ("a\\", "a\\"),
            ("\\999ä", "\\999ä"),
            ("\\ä", "\\ä"),
            ("\\377", "\\377"),
        ] {
            assert_eq!(unescape(field), plain, "{field}");
        }
    }

    #[test]
    fn of_several_mounts_on_a_point_the_last_is_seen() {
        let mounts = parse(TABLE);
        assert_eq!(at("/srv", &mounts).unwrap().number, "254:3");
        assert_eq!(at("/sr", &mounts), None);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_passed_over() {
        assert!(parse("25 1 254:0 / /root ro,relatime\n\nx - y\nodd\n1 2 3 / /x rw - tmpfs\n").is_empty());
    }
}
