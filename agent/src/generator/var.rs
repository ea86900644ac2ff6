//! Where /var is while systemd's generators run, which is before anything but the root and /usr is mounted.

use crate::root::Root;
use anyhow::Result;

/// Where the instances are, and what is above them.
const ABOVE: [&str; 3] = ["var", "var/lib", "var/lib/cloud"];

/// Units that a person, a generator before ours or a package has written.
const UNITS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "run/systemd/generator", "usr/lib/systemd/system"];

/// File systems that systemd mounts behind the network.
const REMOTE: &[&str] = &[
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "pvfs2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// The time when files below /var can be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Var {
    /// Already.
    Now,
    /// Once it is mounted.
    Later,
    /// Once there is a network and it is mounted.
    WithNetwork,
}

impl Var {
    /// Reads from fstab and mount units when /var is there. A file system that none of them names leaves an empty /var
    /// to be seen.
    pub(super) fn of(root: &Root) -> Result<Self> {
        let mut mounts = Vec::new();
        let fstab = root.read_text("etc/fstab")?.unwrap_or_default();
        for line in fstab.lines().map(str::trim_start).filter(|line| !line.starts_with('#')) {
            let mut fields = line.split_whitespace().skip(1);
            let is_above = fields.next().is_some_and(|place| ABOVE.contains(&place.trim_matches('/')));
            let mut next = || fields.next().unwrap_or_default();
            mounts.extend(is_above.then(|| kind(next(), next())));
        }
        for place in ABOVE {
            for folder in UNITS {
                let unit = root.read_text(&format!("{folder}/{}.mount", place.replace('/', "-")))?;
                mounts.extend(unit.map(|unit| kind(value(&unit, "Type="), value(&unit, "Options="))));
            }
        }
        Ok(if mounts.contains(&Self::WithNetwork) {
            Self::WithNetwork
        } else if !mounts.is_empty() || !root.holds("var/lib")? {
            Self::Later
        } else {
            Self::Now
        })
    }
}

fn kind(file_system: &str, options: &str) -> Var {
    let is_remote = REMOTE.contains(&file_system) || options.split(',').any(|option| option == "_netdev");
    if is_remote { Var::WithNetwork } else { Var::Later }
}

fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    unit.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Var) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.make_directory("var/lib").unwrap();
        for (path, content) in files {
            root.write(path, content.as_bytes(), 0o644).unwrap();
        }
        assert_eq!(Var::of(&root).unwrap(), expected, "{files:?}");
    }

    #[test]
    fn a_var_of_its_own_is_named_by_fstab_or_a_unit() {
        check(&[("etc/fstab", "# <file> <mount>\nUUID=1 /var ext4 defaults 0 2\n")], Var::Later);
        check(&[("etc/fstab", "LABEL=x /var/lib/cloud/ xfs\n")], Var::Later);
        check(
            &[("etc/systemd/system/var-lib.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/var/lib\n")],
            Var::Later,
        );
        for fstab in ["s:/v /var nfs4 ro 0 0\n", "/dev/sdb /var ext4 noatime,_netdev 0 2\n"] {
            check(&[("etc/fstab", fstab)], Var::WithNetwork);
        }
        check(
            &[("run/systemd/generator/var.mount", "[Mount]\nType=ext4\nOptions=ro,_netdev\n")],
            Var::WithNetwork,
        );
    }

    #[test]
    fn any_other_is_on_the_root() {
        check(&[], Var::Now);
        check(
            &[(
                "etc/fstab",
                "UUID=1 / ext4 defaults 0 1\nUUID=2 /var/log ext4\n#x /var ext4\n\nx\nUUID=3 /varnish nfs\n",
            )],
            Var::Now,
        );
        check(&[("etc/systemd/system/var-log.mount", "")], Var::Now);
    }

    #[test]
    fn an_empty_one_is_mounted_later() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Var::of(&Root::open(directory.path()).unwrap()).unwrap(), Var::Later);
    }
}
