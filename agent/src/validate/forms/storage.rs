//! Partitions, file systems and mounts.

use super::Form::{self, List, Names, Number, Old, Text, Word, YesNo};
use super::Spelling::Exact;
use super::{Key, Keys, TEXT, TEXTS, YES_NO};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("device_aliases", &[Names(TEXT)]),
    ("disk_setup", &[Names(&[Form::Keys(&DISK)])]),
    ("fs_setup", &[List(&[Form::Keys(&FILE_SYSTEM)])]),
    ("growpart", &[Form::Keys(&GROWPART)]),
    ("mount_default_fields", &[List(FIELDS)]),
    ("mounts", &[List(&[List(FIELDS)])]),
    ("resize_rootfs", &[YesNo, Word(&["noblock"])]),
    ("swap", &[Form::Keys(&SWAP)]),
];

/// YAML makes numbers of the last two.
const FIELDS: &[Form] = &[Text, Number];

const GROWPART: Keys = Keys {
    needs: &[],
    all: &[
        ("devices", TEXTS),
        ("ignore_growroot_disabled", YES_NO),
        ("mode", &[Word(&["auto", "growpart", "gpart", "off"]), Old(&YesNo, "`'off'`")]),
    ],
    spelling: Exact,
};

const DISK: Keys = Keys {
    needs: &[],
    all: &[
        ("layout", &[YesNo, Word(&["remove"]), List(&[Number, List(&[Number, Text])])]),
        ("overwrite", YES_NO),
        ("table_type", &[Word(&["gpt", "mbr"])]),
    ],
    spelling: Exact,
};

const FILE_SYSTEM: Keys = Keys {
    needs: &[&["device"], &["cmd", "filesystem"]],
    all: &[
        ("cmd", &[Text, List(TEXT)]),
        ("device", TEXT),
        ("extra_opts", &[Text, List(TEXT)]),
        ("filesystem", TEXT),
        ("label", TEXT),
        ("overwrite", YES_NO),
        ("partition", &[Word(&["auto", "any", "none"]), Number, Text]),
        ("replace_fs", TEXT),
    ],
    spelling: Exact,
};

const SWAP: Keys = Keys {
    needs: &[],
    all: &[("filename", TEXT), ("maxsize", &[Number, Text]), ("size", &[Number, Text])],
    spelling: Exact,
};
