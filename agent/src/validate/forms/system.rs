//! Settings of the running system, and what is done at the end of a boot.

use super::Form::{self, List, Names, Number, Text, Word, YesNo};
use super::Spelling::Exact;
use super::{Key, Keys, TEXT, TEXTS, YES_NO};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("authkey_hash", TEXT),
    ("disable_ec2_metadata", YES_NO),
    ("final_message", TEXT),
    ("keyboard", &[Form::Keys(&KEYBOARD)]),
    ("locale", &[Text, YesNo]),
    ("locale_configfile", TEXT),
    ("no_ssh_fingerprints", YES_NO),
    ("ntp", &[Form::Keys(&NTP)]),
    ("phone_home", &[Form::Keys(&PHONE_HOME)]),
    ("power_state", &[Form::Keys(&POWER_STATE)]),
    ("random_seed", &[Form::Keys(&RANDOM_SEED)]),
    ("rsyslog", &[Form::Keys(&RSYSLOG), Form::Old(&List(CONFIGS), "a mapping with `configs`")]),
    ("rsyslog_dir", &[Form::Old(&Text, "`config_dir` below `rsyslog`")]),
    ("rsyslog_filename", &[Form::Old(&Text, "`config_filename` below `rsyslog`")]),
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

const KEYBOARD: Keys = Keys {
    needs: &[&["layout"]],
    all: &[("layout", TEXT), ("model", TEXT), ("options", TEXT), ("variant", TEXT)],
    spelling: Exact,
};

const NTP: Keys = Keys {
    needs: &[],
    all: &[
        ("allow", TEXTS),
        ("config", &[Form::Keys(&NTP_CONFIG)]),
        ("enabled", YES_NO),
        ("ntp_client", TEXT),
        ("peers", TEXTS),
        ("pools", TEXTS),
        ("servers", TEXTS),
    ],
    spelling: Exact,
};

const NTP_CONFIG: Keys = Keys {
    needs: &[],
    all: &[
        ("check_exe", TEXT),
        ("confpath", TEXT),
        ("packages", TEXTS),
        ("service_name", TEXT),
        ("template", TEXT),
        ("template_name", TEXT),
    ],
    spelling: Exact,
};

const RANDOM_SEED: Keys = Keys {
    needs: &[],
    all: &[
        ("command", TEXTS),
        ("command_required", YES_NO),
        ("data", TEXT),
        ("encoding", &[Word(&["raw", "base64", "b64", "gzip", "gz"])]),
        ("file", TEXT),
    ],
    spelling: Exact,
};

const CONFIGS: &[Form] = &[
    Text,
    Form::Keys(&Keys {
        needs: &[&["content"]],
        all: &[("content", TEXT), ("filename", TEXT)],
        spelling: Exact,
    }),
];

const RSYSLOG: Keys = Keys {
    needs: &[],
    all: &[
        ("check_exe", TEXT),
        ("config_dir", TEXT),
        ("config_filename", TEXT),
        ("configs", &[List(CONFIGS)]),
        ("install_rsyslog", YES_NO),
        ("packages", TEXTS),
        ("remotes", &[Names(TEXT)]),
        ("service_reload_command", &[Text, List(TEXT)]),
    ],
    spelling: Exact,
};
