//! The layouts of an export, and what is looked at afterwards.

use crate::scratch::{Ran, Scratch, release};
use std::fs;

/// The content of a root, the log line that it leads to, and the mounts that must be below it.
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    pub(crate) root: fn(Scratch) -> Scratch,
    pub(crate) mounts: &'static str,
}

pub(crate) const LAYOUTS: [Layout; 3] = [
    Layout {
        name: "mount",
        root: |scratch| scratch.directory(format!("root/lib/modules/{}", release())),
        mounts: "/root/lib/modules/RELEASE WAY\n",
    },
    Layout {
        name: "cover",
        root: |scratch| scratch.tree("root/", "5.10.0-other"),
        // The tree of the other kernel last, on the root's own file system.
        mounts: "/root/lib/modules tmpfs\nBIND/root/lib/modules/5.10.0-other DISK\n",
    },
    Layout {
        name: "overlay",
        root: |scratch| {
            fs::remove_dir(scratch.path("root/lib/modules")).unwrap();
            let scratch = scratch.file("root/lib/note", "a note").file("root/usr/bin/lifeboat-agent", "");
            scratch.before("mount -o remount,bind,ro root")
        },
        mounts: "/root/lib overlay\n/root/lib/modules tmpfs\nBIND",
    },
];

/// The content of the trees.
const WHOLE: &str = "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nmodule amodule b";

/// The root's modules, what is mounted in the root, and the initramfs's modules.
pub(crate) const TREES: &str = "
    tree() { cd $1/lib/modules/$(uname -r) 2>/dev/null && cat modules.dep kernel/a.ko kernel/b.ko 2>/dev/null; echo; }
    tree /root; grep -c ' /root/' /proc/self/mountinfo; tree; true";

/// The state of those after an export.
pub(crate) struct Trees {
    /// The root's modules are the initramfs's.
    pub(crate) exported: bool,
    /// The root is as it was before.
    pub(crate) untouched: bool,
    /// Programs that are still to run in the initramfs have their modules.
    pub(crate) own: bool,
}

impl Trees {
    pub(crate) fn of(ran: &Ran) -> Self {
        Self {
            exported: ran.seen.starts_with(WHOLE),
            untouched: ran.seen.starts_with("\n0\n"),
            own: ran.seen.trim_end().ends_with(WHOLE),
        }
    }
}
