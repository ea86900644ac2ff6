//! Packages and their sources.

use super::Form::{Any, Keys as Of, List, Names, Number, Old, Text, Word, YesNo};
use super::Spelling::{Exact, HyphensOfOld};
use super::{Form, Key, Keys, TEXT, TEXT_OR_TEXTS, TEXTS, YES_NO};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("add_apt_repo_match", &[Old(&Text, "apt")]),
    ("apt", &[Of(&APT)]),
    ("apt_custom_sources_list", &[Old(&Text, "apt")]),
    ("apt_ftp_proxy", &[Old(&Text, "apt")]),
    ("apt_http_proxy", &[Old(&Text, "apt")]),
    ("apt_https_proxy", &[Old(&Text, "apt")]),
    ("apt_mirror", &[Old(&Text, "apt")]),
    ("apt_mirror_search", &[Old(&List(TEXT), "apt")]),
    ("apt_mirror_search_dns", &[Old(&YesNo, "apt")]),
    ("apt_pipelining", &[Number, YesNo, Word(&["os"]), Old(&Word(&["none", "unchanged"]), "`os`")]),
    ("apt_preserve_sources_list", &[Old(&YesNo, "apt")]),
    ("apt_proxy", &[Old(&Text, "apt")]),
    ("apt_reboot_if_required", &[Old(&YesNo, "package_reboot_if_required")]),
    ("apt_sources", &[Old(&Any, "apt")]),
    ("apt_update", &[Old(&YesNo, "package_update")]),
    ("apt_upgrade", &[Old(&YesNo, "package_upgrade")]),
    ("ca-certs", &[Old(&Of(&CA_CERTS), "ca_certs")]),
    ("ca_certs", &[Of(&CA_CERTS)]),
    ("package_reboot_if_required", YES_NO),
    ("package_update", YES_NO),
    ("package_upgrade", YES_NO),
    ("packages", &[List(&[Text, List(NAME_AND_VERSION), Of(&BY_MANAGER)])]),
];

const NAME_AND_VERSION: &[Form] = &[Text, Number];

const BY_MANAGER: Keys = Keys { needs: &[], all: &[("apt", PACKAGES), ("snap", PACKAGES)], spelling: Exact };

const PACKAGES: &[Form] = &[List(&[Text, List(NAME_AND_VERSION)])];

const CA_CERTS: Keys = Keys {
    needs: &[],
    all: &[("remove_defaults", YES_NO), ("trusted", TEXT_OR_TEXTS)],
    spelling: HyphensOfOld,
};

const APT: Keys = Keys {
    needs: &[],
    all: &[
        ("add_apt_repo_match", TEXT),
        ("conf", TEXT),
        ("debconf_selections", &[Names(TEXT)]),
        ("disable_suites", TEXTS),
        ("ftp_proxy", TEXT),
        ("generate_mirrorlists", YES_NO),
        ("http_proxy", TEXT),
        ("https_proxy", TEXT),
        ("preserve_sources_list", YES_NO),
        ("primary", MIRRORS),
        ("proxy", TEXT),
        ("security", MIRRORS),
        ("sources", &[Names(&[Of(&SOURCE)])]),
        ("sources_list", TEXT),
    ],
    spelling: Exact,
};

const MIRRORS: &[Form] = &[List(&[Of(&MIRROR)])];

const MIRROR: Keys = Keys {
    needs: &[&["arches"]],
    all: &[
        ("arches", TEXTS),
        ("key", TEXT),
        ("keyid", TEXT),
        ("keyserver", TEXT),
        ("search", TEXTS),
        ("search_dns", YES_NO),
        ("uri", TEXT),
    ],
    spelling: Exact,
};

const SOURCE: Keys = Keys {
    needs: &[],
    all: &[
        ("append", YES_NO),
        ("filename", TEXT),
        ("key", TEXT),
        ("keyid", TEXT),
        ("keyserver", TEXT),
        ("source", TEXT),
    ],
    spelling: Exact,
};
