//! The forms of the keys that are carried out, as data: one table, which `check` goes through.
//!
//! To add a key: a line in `TOP` here or in the file of its group, and its form. A form that is understood but
//! deprecated is `Old`, with its replacement.

mod access;
mod software;
mod storage;
mod system;

/// The form of a value. Nothing (`null`) may stand anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Any,
    Text,
    /// One of these texts.
    Word(&'static [&'static str]),
    Number,
    YesNo,
    /// A list whose entries have one of these forms.
    List(&'static [Form]),
    /// A mapping with keys of a person's own, whose values have one of these forms.
    Names(&'static [Form]),
    /// A mapping with these keys and no others.
    Keys(&'static Keys),
    /// A deprecated form, and the text that names its replacement.
    Old(&'static Form, &'static str),
}

/// The keys of a mapping.
#[derive(Debug)]
pub(super) struct Keys {
    /// Each of these groups needs one key.
    pub(super) needs: &'static [&'static [&'static str]],
    pub(super) all: &'static [Key],
    pub(super) spelling: Spelling,
}

/// The spellings that the keys of a mapping may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelling {
    /// The keys as they stand in the table.
    Exact,
    /// With `-` in the place of `_`, as of old.
    HyphensOfOld,
}

/// A key and what it may hold.
pub(super) type Key = (&'static str, &'static [Form]);

use Form::{Any, List, Names, Number, Old, Text, Word, YesNo};
use Spelling::{Exact, HyphensOfOld};

const TEXT: &[Form] = &[Text];
const TEXTS: &[Form] = &[List(TEXT)];
const TEXT_OR_TEXTS: &[Form] = &[Text, List(TEXT)];
const YES_NO: &[Form] = &[YesNo];

/// The keys at the top.
pub(super) fn top() -> impl Iterator<Item = &'static Key> {
    [TOP, access::TOP, software::TOP, storage::TOP, system::TOP].into_iter().flatten()
}

/// Users, commands and files, and how configurations are put together.
const TOP: &[Key] = &[
    ("allow_public_ssh_keys", YES_NO),
    ("bootcmd", COMMANDS),
    ("cloud_config_modules", MODULES),
    ("cloud_final_modules", MODULES),
    ("cloud_init_modules", MODULES),
    ("create_hostname_file", YES_NO),
    ("datasource_list", TEXTS),
    ("disable_root", YES_NO),
    ("disable_root_opts", TEXT),
    ("fqdn", TEXT),
    ("groups", &[Text, List(&[Text, Names(TEXT_OR_TEXTS)]), Names(TEXT_OR_TEXTS)]),
    ("hostname", TEXT),
    ("launch-index", &[Text, Number]),
    ("manage_etc_hosts", &[YesNo, Word(&["localhost"]), Old(&Word(&["template"]), "`true`")]),
    ("merge_how", MERGING),
    ("merge_type", MERGING),
    ("output", &[Text, Form::Keys(&OUTPUT)]),
    ("prefer_fqdn_over_hostname", YES_NO),
    ("preserve_hostname", YES_NO),
    ("runcmd", COMMANDS),
    ("ssh_authorized_keys", TEXTS),
    ("ssh_import_id", TEXT_OR_TEXTS),
    ("system_info", &[Old(&Names(&[Any]), "the system's own configuration")]),
    ("user", &[Old(&Text, "an entry of users"), Form::Keys(&USER)]),
    (
        "users",
        &[
            List(&[Text, List(TEXT), Form::Keys(&USER)]),
            Old(&Text, "a list"),
            Old(&Names(&[Text, YesNo, Number, Form::Keys(&USER)]), "a list"),
        ],
    ),
    ("vendor_data", &[Form::Keys(&VENDOR)]),
    ("vendor_data2", &[Form::Keys(&VENDOR)]),
    ("write_files", &[List(&[Form::Keys(&FILE)])]),
];

/// A text is the shell's; of a list each entry is a word.
const COMMANDS: &[Form] = &[List(&[Text, List(&[Text, Number, YesNo])])];

const MODULES: &[Form] = &[List(&[Text, List(&[Any]), Form::Keys(&MODULE)])];

const MODULE: Keys = Keys {
    needs: &[&["name", "mod"]],
    all: &[("args", &[Any]), ("freq", TEXT), ("frequency", TEXT), ("mod", TEXT), ("name", TEXT)],
    spelling: Exact,
};

const MERGING: &[Form] = &[Text, List(&[Form::Keys(&MERGER), List(TEXT)])];

const MERGER: Keys = Keys {
    needs: &[&["name"], &["settings"]],
    all: &[
        ("name", &[Word(&["dict", "list", "str"])]),
        (
            "settings",
            &[List(&[Word(&[
                "allow_delete",
                "append",
                "no_replace",
                "prepend",
                "recurse_array",
                "recurse_dict",
                "recurse_list",
                "recurse_str",
                "replace",
            ])])],
        ),
    ],
    spelling: Exact,
};

const OUTPUT: Keys = Keys {
    needs: &[],
    all: &[("all", STREAMS), ("config", STREAMS), ("final", STREAMS), ("init", STREAMS)],
    spelling: Exact,
};

const STREAMS: &[Form] = &[
    Text,
    List(TEXT),
    Form::Keys(&Keys { needs: &[], all: &[("error", TEXT), ("output", TEXT)], spelling: Exact }),
];

const VENDOR: Keys = Keys {
    needs: &[],
    all: &[
        ("disabled_handlers", TEXT_OR_TEXTS),
        ("enabled", &[YesNo, Old(&Text, "a yes or no")]),
        ("prefix", &[Text, List(&[Text, Number])]),
    ],
    spelling: Exact,
};

const FILE: Keys = Keys {
    needs: &[&["path"]],
    all: &[
        ("append", YES_NO),
        ("content", TEXT),
        ("defer", YES_NO),
        ("encoding", TEXT),
        ("owner", TEXT),
        ("path", TEXT),
        // YAML makes a number of 0644.
        ("permissions", &[Text, Number]),
        ("source", &[Form::Keys(&SOURCE)]),
    ],
    spelling: Exact,
};

const SOURCE: Keys =
    Keys { needs: &[], all: &[("headers", &[Names(&[Any])]), ("uri", TEXT)], spelling: Exact };

const USER: Keys = Keys { needs: &[], all: OF_USERS, spelling: HyphensOfOld };

const OF_USERS: &[Key] = &[
    ("create_groups", YES_NO),
    ("default", YES_NO),
    ("doas", TEXT_OR_TEXTS),
    ("expiredate", TEXT),
    ("gecos", TEXT),
    ("groups", &[Text, List(TEXT), Old(&Names(&[Any]), "a text or a list")]),
    ("hashed_passwd", TEXT),
    ("homedir", TEXT),
    ("inactive", &[Text, Number]),
    ("known", YES_NO),
    ("lock_passwd", YES_NO),
    ("name", TEXT),
    ("no_create_home", YES_NO),
    ("no_log_init", YES_NO),
    ("no_user_group", YES_NO),
    ("passwd", TEXT),
    ("plain_text_passwd", TEXT),
    ("primary_group", TEXT),
    ("selinux_user", TEXT),
    ("shell", TEXT),
    ("snapuser", TEXT),
    ("ssh_authorized_keys", TEXT_OR_TEXTS),
    ("ssh_import_id", TEXT_OR_TEXTS),
    ("ssh_redirect_user", &[YesNo, Word(&["default"])]),
    ("sudo", &[Text, List(TEXT), Old(&YesNo, "a rule, or nothing")]),
    ("system", YES_NO),
    ("uid", &[Number, Old(&Text, "a number")]),
];
