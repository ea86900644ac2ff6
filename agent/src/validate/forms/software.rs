//! Packages and their sources.

use super::Form::{Keys as Of, List, Number, Old, Text, YesNo};
use super::Spelling::Exact;
use super::{Form, Key, Keys, YES_NO};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("apt_reboot_if_required", &[Old(&YesNo, "package_reboot_if_required")]),
    ("apt_update", &[Old(&YesNo, "package_update")]),
    ("apt_upgrade", &[Old(&YesNo, "package_upgrade")]),
    ("package_reboot_if_required", YES_NO),
    ("package_update", YES_NO),
    ("package_upgrade", YES_NO),
    ("packages", &[List(&[Text, List(NAME_AND_VERSION), Of(&BY_MANAGER)])]),
];

const NAME_AND_VERSION: &[Form] = &[Text, Number];

const BY_MANAGER: Keys = Keys { needs: &[], all: &[("apt", PACKAGES), ("snap", PACKAGES)], spelling: Exact };

const PACKAGES: &[Form] = &[List(&[Text, List(NAME_AND_VERSION)])];
