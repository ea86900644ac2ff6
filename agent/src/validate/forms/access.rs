//! Passwords, host keys and names of the machine.

use super::Form::{self, List, Number, Old, Text, Word};
use super::Spelling::Exact;
use super::{Key, Keys, TEXT, TEXTS, YES_NO, YesNo};

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    ("chpasswd", &[Form::Keys(&CHPASSWD)]),
    ("password", &[Text, Number]),
    ("ssh_deletekeys", YES_NO),
    ("ssh_genkeytypes", TEXTS),
    ("ssh_keys", &[Form::Keys(&SSH_KEYS)]),
    ("ssh_pwauth", &[YesNo, Old(&Text, "`true` or `false`")]),
    ("ssh_quiet_keygen", YES_NO),
];

const CHPASSWD: Keys = Keys {
    needs: &[],
    all: &[
        ("expire", YES_NO),
        ("list", &[Old(&List(TEXT), "`users`"), Old(&Text, "`users`")]),
        ("users", &[List(&[Form::Keys(&PASSWORD)])]),
    ],
    spelling: Exact,
};

const PASSWORD: Keys = Keys {
    needs: &[&["name"]],
    all: &[("name", TEXT), ("password", &[Text, Number]), ("type", &[Word(&["hash", "text", "RANDOM"])])],
    spelling: Exact,
};

const SSH_KEYS: Keys = Keys {
    needs: &[],
    all: &[
        ("ecdsa_certificate", TEXT),
        ("ecdsa_private", TEXT),
        ("ecdsa_public", TEXT),
        ("ed25519_certificate", TEXT),
        ("ed25519_private", TEXT),
        ("ed25519_public", TEXT),
        ("rsa_certificate", TEXT),
        ("rsa_private", TEXT),
        ("rsa_public", TEXT),
    ],
    spelling: Exact,
};
