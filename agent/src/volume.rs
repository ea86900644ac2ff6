//! Volumes with a label: found by udev's links, and read without being mounted anywhere.

use crate::root::Root;
use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use std::os::fd::{AsRawFd, OwnedFd};

const BY_LABEL: &str = "dev/disk/by-label";

/// The file systems that a seed may be on, and what each is told so that nothing is written. The order is from
/// the one that is least easily taken for another.
const KINDS: &[(&str, &[&str])] = &[("ext4", &["noload"]), ("iso9660", &[]), ("vfat", &[])];

/// The paths of volumes that have one of the labels, in any case of its letters.
pub(crate) fn labelled(labels: &[&str], root: &Root) -> Result<Vec<String>> {
    let has_it = |name: &String| labels.iter().any(|label| decoded(name).eq_ignore_ascii_case(label));
    let names = root.names(BY_LABEL)?.into_iter().filter(has_it);
    Ok(names.map(|name| format!("{BY_LABEL}/{name}")).collect())
}

/// udev writes characters that a path should not have as `\xHH`.
fn decoded(name: &str) -> String {
    let mut plain = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let code = rest.strip_prefix(b"\\x").and_then(|code| code.split_at_checked(2));
        let code = code.and_then(|(digits, behind)| {
            Some((u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, behind))
        });
        let (byte, behind) = code.unwrap_or((*byte, behind));
        plain.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The files of a volume, read-only. It is mounted nowhere: nobody else sees it, and it goes with the value.
pub(crate) fn open(path: &str, root: &Root) -> Result<Root> {
    let open = || -> Result<Root> {
        let device = root.locate(path)?.context("the link leads nowhere")?;
        if FileType::from_raw_mode(fstat(&device)?.st_mode) != FileType::BlockDevice {
            bail!("it is no block device");
        }
        let mut problems = Vec::new();
        for (kind, options) in KINDS {
            match mounted(&device, kind, options) {
                Ok(files) => return Ok(Root::at(files, &root.show(path))),
                Err(error) => problems.push(format!("{kind}: {error}")),
            }
        }
        bail!("{}", problems.join(", "))
    };
    open().with_context(|| format!("read the volume {}", root.show(path)))
}

fn mounted(device: &OwnedFd, kind: &str, options: &[&str]) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", format!("/proc/self/fd/{}", device.as_raw_fd()))?;
    fsconfig_set_flag(&context, "ro")?;
    for option in options {
        fsconfig_set_flag(&context, *option)?;
    }
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_in_any_case_and_as_udev_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for name in ["CIDATA", "cidata2", "OVF\\x20ENV", "a\\x", "b\\xzz"] {
            root.link(&format!("{BY_LABEL}/{name}"), "../../vdb").unwrap();
        }
        assert_eq!(labelled(&["cidata"], &root).unwrap(), ["dev/disk/by-label/CIDATA"]);
        assert_eq!(labelled(&["OVF ENV"], &root).unwrap(), ["dev/disk/by-label/OVF\\x20ENV"]);
        assert_eq!(labelled(&["b\\xzz"], &root).unwrap().len(), 1);
        assert!(labelled(&["config-2"], &root).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_device_is_not_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("dev/vdb", b"", 0o600).unwrap();
        root.link("dev/disk/by-label/cidata", "/dev/vdb").unwrap();
        root.link("dev/disk/by-label/gone", "/dev/vdc").unwrap();
        let said = |path| format!("{:#}", open(path, &root).err().unwrap());
        assert!(said("dev/disk/by-label/cidata").ends_with("it is no block device"));
        assert!(said("dev/disk/by-label/gone").ends_with("the link leads nowhere"));
    }
}
