//! The only files that know initramfs-tools: what its init exports to stage scripts, and how it is steered.

pub(crate) mod param_conf;
pub(crate) mod switcher;

use crate::files;
use crate::kmsg::escape;
use crate::state;
use crate::volume::{Nature, Volume};
use anyhow::Result;
use lifeboat_common::environment_file::Lines;
use lifeboat_common::mounts::{self, Mount};
use param_conf::{After, Conf, NOT_STARTED};
use std::fmt;
use std::path::{Path, PathBuf};

/// The variables of init that the kernel command line sets for the own root.
const OWN: [&str; 9] =
    ["BOOT", "ROOT", "ROOTFSTYPE", "ROOTFLAGS", "UBIMTD", "readonly", "init", "resume", "resume_offset"];

/// Where they are kept while a rescue volume takes the root's place.
const KEPT: &str = "init";

/// The root that init is shown where it reads its fstab, while a rescue volume is the root and has one.
pub(crate) const SHOWN_ROOT: &str = "/run/lifeboat/shown";

/// Where init found that it cannot go on: what it tells its `panic()`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stuck {
    /// The device that `root=` names is not there, or has no file system that is known.
    Missing(String),
    /// There is no `root=`.
    Unnamed,
    /// fsck did not succeed on the root.
    Unrepaired,
    /// The root cannot be mounted.
    Unmountable,
    /// The /usr of the rescue volume is missing.
    UsrMissing,
    /// fsck did not succeed on the /usr of the rescue volume.
    UsrUnrepaired,
    /// The /usr of the rescue volume cannot be mounted.
    UsrUnmountable,
    /// The rescue volume is mounted, and cannot be started.
    NotStarted,
}

/// The root that init was about to boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Booting {
    /// The machine's own root.
    Own,
    /// The rescue volume to which it was steered.
    Rescue,
}

impl Stuck {
    /// `root`: what init looks for. `None`: the message is not about the root, nor about the /usr of a rescue volume;
    /// nothing is to be done about it.
    pub(crate) fn from_message(message: &str, root: Option<&str>, booting: Booting) -> Option<Self> {
        let between = |start, end| message.strip_prefix(start)?.strip_suffix(end);
        let of_rescue = |stuck| Some(stuck).filter(|_| booting == Booting::Rescue);
        if let Some(missing) = between("ALERT!  ", " does not exist.  Dropping to a shell!") {
            let is_root = Some(missing) == root;
            return if is_root {
                Some(Self::Missing(missing.to_owned()))
            } else {
                of_rescue(Self::UsrMissing)
            };
        }
        if between("The /usr filesystem on ", " requires a manual fsck").is_some() {
            return of_rescue(Self::UsrUnrepaired);
        }
        if between("Failed to mount ", " as /usr file system.").is_some() {
            return of_rescue(Self::UsrUnmountable);
        }
        if message == NOT_STARTED {
            return of_rescue(Self::NotStarted);
        }
        if message.starts_with("No root device specified.") {
            return Some(Self::Unnamed);
        }
        if between("The root filesystem on ", " requires a manual fsck").is_some() {
            return Some(Self::Unrepaired);
        }
        between("Failed to mount ", " as root file system.").map(|_| Self::Unmountable)
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(root) => {
                let root = escape(root.as_bytes());
                write!(f, "root={root} is missing, or no file system that is known is on it")
            }
            Self::Unnamed => write!(f, "there is no root= on the kernel command line"),
            Self::Unrepaired => write!(f, "fsck could not repair the root"),
            Self::Unmountable => write!(f, "the root cannot be mounted"),
            Self::UsrMissing => write!(f, "the /usr of the rescue volume is missing"),
            Self::UsrUnrepaired => write!(f, "fsck could not repair the /usr of the rescue volume"),
            Self::UsrUnmountable => write!(f, "the /usr of the rescue volume cannot be mounted"),
            Self::NotStarted => write!(f, "the rescue volume cannot be started"),
        }
    }
}

impl Stuck {
    /// True if the root is mounted, in which nothing can be started.
    pub(crate) fn is_past_the_root(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Unnamed | Self::Unrepaired | Self::Unmountable => false,
            Self::UsrMissing | Self::UsrUnrepaired | Self::UsrUnmountable | Self::NotStarted => true,
        }
    }

    /// The steps that init still takes there.
    fn after(&self) -> After {
        match self {
            Self::Unnamed | Self::Unmountable => After::Nothing,
            Self::Missing(_) | Self::Unrepaired => After::SkipOneMount,
            Self::UsrMissing | Self::UsrUnrepaired => After::MountUsrAndSkipOne,
            Self::UsrUnmountable | Self::NotStarted => After::MountUsr,
        }
    }
}

/// Where the root is mounted, or will be.
pub(crate) fn root_mount_point() -> PathBuf {
    std::env::var_os("rootmnt").filter(|path| !path.is_empty()).unwrap_or_else(|| "/root".into()).into()
}

/// The mounts with which the initramfs cannot be left. Its program empties it and looks into every directory on its
/// file system. Where it cannot remove one it gives up, and the kernel panics. A top-level directory is left alone.
pub(crate) fn in_the_way<'a>(mounts: &'a [Mount], root: &'a Path) -> impl Iterator<Item = &'a Mount> {
    let own = mounts::at("/", mounts).map(|mount| &mount.number);
    let kept = [root, Path::new("/dev"), Path::new("/proc"), Path::new("/sys"), Path::new("/run")];
    mounts.iter().filter(move |mount| {
        let point = Path::new(&mount.point);
        let is_top = point.components().count() <= 2 && Some(&mount.number) != own;
        point != Path::new("/") && !kept.iter().any(|kept| point.starts_with(kept)) && !is_top
    })
}

/// The root that init would mount: a device's path, `LABEL=…`, `UUID=…`, or whatever else was given.
pub(crate) fn own_root() -> Option<String> {
    let root = variable("ROOT")?;
    Some(by_numbers(&root).unwrap_or(root))
}

/// The path that init makes of a device's numbers, before it looks for the device: `254:1`, or `fe01` as for lilo.
fn by_numbers(root: &str) -> Option<String> {
    let number = |text: &str, radix| u64::from_str_radix(text, radix).ok();
    if let Some((major, minor)) = root.split_once(':') {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return (is_number(major) && is_number(minor)).then(|| format!("/dev/block/{root}"));
    }
    let value = number(root, 16).filter(|_| root.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let (major, minor) = ((value >> 8) & 0xfff, (value & 0xff) | ((value >> 12) & 0xf_ff00));
    Some(format!("/dev/block/{major}:{minor}"))
}

/// The options with which init mounted the root.
pub(crate) fn own_flags() -> Option<String> {
    variable("ROOTFLAGS")
}

/// The device of a hibernated system, named in the same way.
pub(crate) fn own_resume() -> Option<String> {
    variable("resume")
}

/// The root that init would have mounted, while a rescue volume takes its place.
pub(crate) fn kept_root() -> Result<Option<String>> {
    Ok(state::read(KEPT, "ROOT")?.filter(|root| !root.is_empty()))
}

/// The init that the kernel command line names.
pub(crate) fn own_init() -> Option<String> {
    variable("init")
}

/// Where init-bottom's scripts are, and the order in which they run.
const BOTTOM: &str = "/scripts/init-bottom/";
const ORDER: &str = "/scripts/init-bottom/ORDER";

/// Scripts of packages that are known to make no root.
const MAKE_NO_ROOT: [&str; 4] = ["dropbear", "ntfs_3g", "plymouth", "udev"];

/// True if a script comes after lifeboat's: it may make the root that init is looked for in.
pub(crate) fn root_is_made_later() -> bool {
    let order = files::read_text(ORDER).ok().flatten();
    order.is_some_and(|order| scripts_after_ours(&order).any(|script| !MAKE_NO_ROOT.contains(&script)))
}

fn scripts_after_ours(order: &str) -> impl Iterator<Item = &str> {
    let scripts = order.lines().filter_map(|line| line.strip_prefix(BOTTOM)?.split(' ').next());
    scripts.skip_while(|script| *script != "lifeboat").filter(|script| !script.starts_with("lifeboat"))
}

/// Makes init call `rescue last` and `modules` after all scripts of init-bottom.
pub(crate) fn call_us_last() -> Result<()> {
    param_conf::call_us_last()
}

/// The permission for init to offer a shell once it has given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PanicShell {
    Allowed,
    /// It is forbidden by `panic=`: then no key may end a wait either.
    Forbidden,
}

impl PanicShell {
    /// Reads init's variable.
    pub(crate) fn read() -> Self {
        if variable("panic").is_some() { Self::Forbidden } else { Self::Allowed }
    }
}

/// The presence of volumes that are not to be booted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ignored {
    Some,
    None,
}

/// Makes init ask `lifeboat rescue wait` before it gives up, and keeps what it would have done. `root` and `resume`:
/// the devices that `root=` and `resume=` are to mean.
pub(crate) fn watch(root: Option<&Path>, resume: Option<&Path>, ignored: Ignored) -> Result<()> {
    let mut kept = Lines::default();
    for name in OWN {
        let known = match name {
            "ROOT" => own_root(),
            "resume" => resume.map(|device| device.to_string_lossy().into_owned()),
            _ => None,
        };
        kept.push(name, &known.unwrap_or_else(|| std::env::var(name).unwrap_or_default()));
    }
    state::write(KEPT, kept)?;
    let mut conf = Conf::default();
    for (name, device) in [("ROOT", root), ("resume", resume)] {
        if let Some(device) = device {
            conf.set(name, &device.to_string_lossy());
        }
    }
    if ignored == Ignored::Some {
        conf.pass_over_ignored();
    }
    param_conf::write(&conf)
}

/// Makes init find no ignored volume where an UUID or a label names several.
pub(crate) fn pass_over_ignored() -> Result<()> {
    let mut conf = Conf::default();
    conf.pass_over_ignored();
    param_conf::write(&conf)
}

/// Makes init mount this volume as the root; `stuck`: after it could not go on with its own.
pub(crate) fn steer(volume: &Volume, stuck: Option<&Stuck>) -> Result<()> {
    let device = volume.device.to_string_lossy().into_owned();
    let options = volume.subvolume.map(|name| format!("-o subvol={name}")).unwrap_or_default();
    let read_only = if volume.nature() == Nature::ReadOnly { "y" } else { "n" };
    let mut conf = Conf::default();
    // Nothing of the own root may leak into the rescue boot, so every variable that was set for it is set anew.
    for (name, value) in [
        ("BOOT", "local"),
        ("ROOT", &device),
        ("ROOTFSTYPE", &volume.kind),
        ("ROOTFLAGS", &options),
        ("UBIMTD", ""),
        // Writable, so that /finished can be touched whatever the volume's fstab says of `/`.
        ("readonly", read_only),
        ("init", "/sbin/init"),
        // By now local-premount/resume looks at `resume` alone; `noresume` would come too late.
        ("resume", ""),
        ("resume_offset", ""),
        // The stages are skipped: they unlock, assemble and wait for the own root's devices.
        ("local_top_used", "yes"),
        ("local_premount_used", "yes"),
    ] {
        conf.set(name, value);
    }
    conf.before_fstab_is_read();
    match stuck {
        None | Some(Stuck::Unnamed) => {}
        // init goes on asking for the device that it was told first.
        Some(Stuck::Missing(root)) => conf.found_at(root, &device),
        Some(stuck) => conf.go_on(&[], stuck.after()),
    }
    param_conf::write(&conf)
}

/// Makes init find the root that it missed at this device, and go on.
pub(crate) fn found(root: &str, device: &Path) -> Result<()> {
    let mut conf = Conf::default();
    conf.found_at(root, &device.to_string_lossy());
    param_conf::write(&conf)
}

/// Makes init run the scripts that assemble and unlock once more, for a device that appeared.
pub(crate) fn look_again() -> Result<()> {
    let mut conf = Conf::default();
    conf.pass_over_ignored();
    conf.look_again();
    param_conf::write(&conf)
}

/// Makes init start this init of the root's.
pub(crate) fn use_init(init: &str) -> Result<()> {
    let mut conf = Conf::default();
    conf.set("init", init);
    param_conf::write(&conf)
}

/// The init that the kernel command line named, while a rescue volume takes the root's place.
pub(crate) fn kept_init() -> Result<String> {
    Ok(state::read(KEPT, "init")?.unwrap_or_default())
}

/// Takes steering back, after the rescue volume could not be mounted, and makes init mount its own root.
/// `own`: the device of that, for what the command line names may be the volume's copy.
pub(crate) fn restore(stuck: &Stuck, own: Option<&Path>) -> Result<()> {
    let mut values = Vec::new();
    for name in OWN {
        values.push((name, state::read(KEPT, name)?.unwrap_or_default()));
    }
    let own = own.map(Path::to_string_lossy);
    let mut assignments: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &values {
        let value = own.as_deref().filter(|_| *name == "ROOT").unwrap_or(value);
        assignments.push((name, value));
    }
    assignments.extend([("local_top_used", "no"), ("local_premount_used", "no")]);
    // Assigned once: what param.conf assigns lastingly is assigned anew after each script, when init has
    // long gone on to other values.
    let mut conf = Conf::default();
    match stuck {
        // The volume has gone: init still asks for it, and goes on to mount what it finds.
        Stuck::Missing(volume) => conf.found_as_root(volume),
        _ => conf.pass_over_ignored(),
    }
    conf.go_on(&assignments, stuck.after());
    param_conf::write(&conf)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_is_named_by_its_numbers_is_the_device_of_these() {
        for (root, path) in [
            ("254:1", Some("/dev/block/254:1")),
            ("98:0", Some("/dev/block/98:0")),
            ("fe01", Some("/dev/block/254:1")),
            ("FE01", Some("/dev/block/254:1")),
            ("801", Some("/dev/block/8:1")),
            ("10300005", Some("/dev/block/0:66309")),
            ("/dev/vda1", None),
            ("UUID=fe01", None),
            ("ubi0:rootfs", None),
            ("254:", None),
            ("mtd0", None),
            ("", None),
        ] {
            assert_eq!(by_numbers(root).as_deref(), path, "{root}");
        }
    }

    #[test]
    fn what_init_says_of_its_root_is_understood() {
        for booting in [Booting::Own, Booting::Rescue] {
            for (message, stuck) in [
                ("No root device specified. Boot arguments must include a root= parameter.", Stuck::Unnamed),
                ("The root filesystem on /dev/vda requires a manual fsck", Stuck::Unrepaired),
                ("Failed to mount /dev/vda as root file system.", Stuck::Unmountable),
                ("ALERT!  UUID=own does not exist.  Dropping to a shell!", Stuck::Missing("UUID=own".into())),
            ] {
                assert_eq!(Stuck::from_message(message, Some("UUID=own"), booting), Some(stuck), "{message}");
            }
        }
    }

    #[test]
    fn what_it_says_of_a_usr_matters_where_that_is_a_rescue_volumes() {
        for (message, stuck) in [
            ("ALERT!  UUID=of-usr does not exist.  Dropping to a shell!", Stuck::UsrMissing),
            ("The /usr filesystem on /dev/vdb requires a manual fsck", Stuck::UsrUnrepaired),
            ("Failed to mount /dev/vdb as /usr file system.", Stuck::UsrUnmountable),
            (NOT_STARTED, Stuck::NotStarted),
        ] {
            let said = |booting| Stuck::from_message(message, Some("/dev/vdb"), booting);
            assert_eq!((said(Booting::Rescue), said(Booting::Own)), (Some(stuck), None), "{message}");
        }
    }

    #[test]
    fn the_scripts_that_come_after_ours_are_read_from_the_order() {
        let order = |names: &[&str]| -> String {
            let line = |name: &&str| {
                format!("{BOTTOM}{name} \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n")
            };
            names.iter().map(line).collect()
        };
        let udevs = ["lifeboat", "lifeboat-later", "udev"];
        for (names, after) in [
            (&udevs[..], &["udev"][..]),
            (&["imageroot", "lifeboat", "lifeboat-later", "udev"], &["udev"]),
            (&["lifeboat", "lifeboat-later", "rootimage", "udev"], &["rootimage", "udev"]),
            (&["lifeboat", "udev", "lifeboat-later", "zz"], &["udev", "zz"]),
            (&["rootimage", "udev"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(scripts_after_ours(&order(names)).collect::<Vec<_>>(), after, "{names:?}");
        }
    }

    #[test]
    fn what_it_says_of_anything_else_is_left_to_it() {
        for message in [
            "Spawning shell within the initramfs",
            "No init found. Try passing init= bootarg.",
            "Please file a bug on initramfs-tools.",
        ] {
            for root in [None, Some("UUID=own")] {
                for booting in [Booting::Own, Booting::Rescue] {
                    assert_eq!(Stuck::from_message(message, root, booting), None, "{message}");
                }
            }
        }
    }
}
