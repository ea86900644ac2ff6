//! Settings of the running system, and what is done at the end of a boot.

use super::Form::{self, List, Number, Text, Word, YesNo};
use super::Spelling::Exact;
use super::{Key, Keys, TEXT, TEXTS, YES_NO};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("authkey_hash", TEXT),
    ("final_message", TEXT),
    ("locale", &[Text, YesNo]),
    ("locale_configfile", TEXT),
    ("no_ssh_fingerprints", YES_NO),
    ("phone_home", &[Form::Keys(&PHONE_HOME)]),
    ("power_state", &[Form::Keys(&POWER_STATE)]),
    ("ssh", &[Form::Keys(&SSH)]),
    ("ssh_fp_console_blacklist", TEXTS),
    ("ssh_key_console_blacklist", TEXTS),
    ("timezone", TEXT),
];

const TEXT_OR_NUMBER: &[Form] = &[Text, Number];

const PHONE_HOME: Keys = Keys {
    needs: &[&["url"]],
    all: &[("post", &[Word(&["all"]), List(TEXT)]), ("tries", TEXT_OR_NUMBER), ("url", TEXT)],
    spelling: Exact,
};

const POWER_STATE: Keys = Keys {
    needs: &[&["mode"]],
    all: &[
        ("condition", &[Text, YesNo, List(TEXT)]),
        ("delay", TEXT_OR_NUMBER),
        ("message", TEXT),
        ("mode", &[Word(&["halt", "poweroff", "reboot"])]),
        ("timeout", TEXT_OR_NUMBER),
    ],
    spelling: Exact,
};

const SSH: Keys = Keys { needs: &[], all: &[("emit_keys_to_console", YES_NO)], spelling: Exact };
