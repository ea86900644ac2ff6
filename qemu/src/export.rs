//! The export of modules, by lifeboat and by the specification's own recipe.

use anyhow::Result;

use crate::guest::{Guests, Modules, Platform, RunInit, Tiny};
use crate::measured;

/// The recipe of `EC2UpgradesSpec`, "Keep modules in filesystem in sync with booted kernel", step by step.
const RECIPE: &str = r#"#!/bin/sh
mkdir /modules
mount -t tmpfs none /modules
for tree in "$rootmnt"/lib/modules/*; do
    mkdir "/modules/${tree##*/}"
    mount -o bind "$tree" "/modules/${tree##*/}"
done
release=$(uname -r)
[ ! -e "/modules/$release" ] || mv "/modules/$release" "/modules/$release.ec2-init-moved"
cp -a "/lib/modules/$release" /modules/
mount -o move /modules "$rootmnt/lib/modules"
echo "recipe: exported" >/dev/kmsg
"#;

const REMOVAL: &str = "rm -r \"/lib/modules/$release\"\n";

/// Lifeboat's journey alone.
const JOURNEY: &str = "#!/usr/sbin/lifeboat modules\n";

/// Answers dpkg, which finds settings that it did not bring.
const KEEP_SETTINGS: &str = "echo force-confold >/etc/dpkg/dpkg.cfg.d/test";

/// Who exports, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exporter {
    /// The specification's recipe, in the shell.
    Recipe,
    /// The same, with the source's removal, which it leaves to the program that leaves the initramfs.
    Removed,
    /// Lifeboat, without a copy.
    Bind,
    /// Lifeboat, with one.
    Copy,
    /// Lifeboat, where the root has the modules.
    Nothing,
}

/// The initramfs's modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The modules that initramfs-tools puts in.
    Most,
    /// All of the kernel's.
    All,
}

impl Exporter {
    /// An initramfs with marks around this one's export, otherwise the same for all. Busybox's tools: klibc has no
    /// `cp`.
    #[must_use]
    pub fn platform(self, content: Content) -> Platform {
        let script = match self {
            Self::Recipe => RECIPE.to_owned(),
            Self::Removed => format!("{RECIPE}{REMOVAL}"),
            Self::Bind | Self::Copy | Self::Nothing => JOURNEY.to_owned(),
        };
        let include = format!("{content:?}").to_lowercase();
        Platform::new("bookworm")
            .run_init(RunInit::Busybox)
            .script(KEEP_SETTINGS)
            .script(&format!("echo LIFEBOAT_INCLUDE={include} >/etc/default/lifeboat"))
            .script(if self == Self::Nothing { "cp -R -T /lib/modules /output/modules" } else { "" })
            .hook("test-measured", &measured::hook(&["lifeboat-last/modules"]))
            .hook("test-measured-export", &measured::replaced_by(&script))
    }

    /// A root with another kernel's modules, or with those that it needs.
    pub fn root(self, platform: &Platform, guests: &Guests) -> Result<Tiny> {
        let root = Tiny::new("lifeboat-root", "own");
        Ok(match self {
            Self::Nothing => root.tree(&platform.output(guests, "modules")?, "lib/modules"),
            Self::Recipe | Self::Removed | Self::Bind | Self::Copy => root.modules(Modules::Foreign),
        })
    }

    /// The parameters on the kernel command line.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Bind => "lifeboat.modules=bind",
            Self::Copy => "lifeboat.modules=copy",
            Self::Recipe | Self::Removed | Self::Nothing => "",
        }
    }

    /// The line in the kernel's log that tells of its success.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Recipe | Self::Removed => "recipe: exported",
            Self::Bind => "(bind, cover)",
            Self::Copy => "(copy, cover)",
            Self::Nothing => "the root already has modules",
        }
    }
}
