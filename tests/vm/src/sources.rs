//! Seeds on volumes. The agent looks at one disk at a time, in a root of its own with that disk's node alone.

use anyhow::{Result, ensure};
use lifeboat_qemu::guest::{FileSystem, Tiny};
use lifeboat_qemu::packages::binary;
use lifeboat_qemu::vm::Vm;

use crate::lab::{machine, must_hold, root};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("volumes_are_read_by_their_label", volumes),
    full("a_volume_without_a_seed_or_with_another_label_is_none", others),
];

const SCRIPT: &str = "#!/bin/sh\necho hello\n";
const NOCLOUD: &[(&str, &str)] = &[("user-data", SCRIPT), ("meta-data", "instance-id: i-1\n")];
const CONFIG_DRIVE: &[(&str, &str)] =
    &[("openstack/latest/meta_data.json", r#"{"uuid": "i-1"}"#), ("openstack/latest/user_data", SCRIPT)];
const OVF: &[(&str, &str)] = &[(
    "ovf-env.xml",
    "<Environment><Property key='instance-id' value='i-1'/><Property key='user-data' \
     value='IyEvYmluL3NoCmVjaG8gaGVsbG8K'/></Environment>",
)];

/// Label, file system, and what is on it.
type Volume = (&'static str, FileSystem, &'static [(&'static str, &'static str)]);

const VOLUMES: [Volume; 6] = [
    ("cidata", FileSystem::Ext4, NOCLOUD),
    ("CIDATA", FileSystem::Vfat, NOCLOUD),
    ("cidata", FileSystem::Iso9660, NOCLOUD),
    ("config-2", FileSystem::Iso9660, CONFIG_DRIVE),
    ("config-2", FileSystem::Vfat, CONFIG_DRIVE),
    ("OVF ENV", FileSystem::Iso9660, OVF),
];

const OTHERS: [Volume; 3] = [
    ("data", FileSystem::Ext4, NOCLOUD),
    ("cidata", FileSystem::Ext4, &[]),
    ("config-2", FileSystem::Iso9660, NOCLOUD),
];

/// Shows the agent the disk $1 alone, and prints its output and the seed that it kept.
const LOOK: &str = "mkdir -p /tmp/$1/dev /tmp/$1/proc /tmp/$1/sys/class/block/$1; \
    /bin/busybox cp -a /dev/$1 /tmp/$1/dev/; \
    before=$(/bin/busybox sha256sum </dev/$1); \
    lifeboat-agent network --root /tmp/$1; \
    test \"$before\" = \"$(/bin/busybox sha256sum </dev/$1)\" || echo it was written to; \
    cd /tmp/$1/var/lib/cloud/instances && ls && cat */scripts/part-001";

fn volumes() -> Result<()> {
    let mut vm = boot(&VOLUMES)?;
    for (number, volume) in VOLUMES.iter().enumerate() {
        let said = look(&mut vm, number)?;
        must_hold(&said, &["\ni-1\n#!/bin/sh\necho hello"])
            .map_err(|error| error.context(format!("{volume:?}")))?;
        ensure!(!said.contains("written to"), "{volume:?}: {said}");
    }
    Ok(())
}

fn others() -> Result<()> {
    let mut vm = boot(&OTHERS)?;
    for (number, volume) in OTHERS.iter().enumerate() {
        let said = look(&mut vm, number)?;
        ensure!(!said.contains("i-1") && !said.contains("hello"), "{volume:?}: {said}");
        let is_told = said.contains("neither user-data nor meta-data is there");
        ensure!(is_told == volume.2.is_empty(), "{volume:?}: {said}");
    }
    Ok(())
}

fn boot(volumes: &[Volume]) -> Result<Vm> {
    let mut machine = machine()?.disk(root().program(&binary("lifeboat-agent")));
    for (label, file_system, files) in volumes {
        let volume =
            files.iter().fold(Tiny::new(label, "seed").on(*file_system), |volume, (path, content)| {
                volume.file(path, content)
            });
        machine = machine.disk(volume);
    }
    let mut vm = machine.boot()?;
    vm.wait_for_login("own")?;
    Ok(vm)
}

/// The disk behind the root's, by its number.
fn look(vm: &mut Vm, number: usize) -> Result<String> {
    let disk = ["vdb", "vdc", "vdd", "vde", "vdf", "vdg"].get(number).copied().unwrap_or_default();
    Ok(vm.run(&format!("set -- {disk}; {{ {LOOK}; }} 2>&1"))?.text)
}
