//! Passwords and keys that the agent makes up. None of them reaches the journal or a file that others may read.

use super::{Patience, change_account, console};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result};

/// The number of letters and digits; cloud-init takes as many.
const LENGTH: usize = 20;

/// Without those that look alike on a console: the password is typed.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Gives a user a random password. It is shown on the console before it counts: one that nobody saw locks people out.
pub(super) fn give_random_password(
    user: &str,
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let password = random()?;
    console::write(&format!("Set the following 'random' passwords\n{user}:{password}\n"))?;
    let argv = ["chpasswd".to_owned()];
    change_account(&argv, Some(&format!("{user}:{password}\n")), patience, root, report)
}

/// Each letter is as likely as the others: bytes beyond the last whole multiple are thrown away.
fn random() -> Result<String> {
    let whole = u8::MAX - u8::try_from(256 % LETTERS.len()).unwrap_or_default();
    let mut password = String::new();
    while password.len() < LENGTH {
        let mut bytes = [0; 64];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .context("get random bytes")?;
        let good = bytes.iter().filter(|byte| **byte <= whole);
        let letters = good.filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied());
        password.extend(letters.map(char::from).take(LENGTH - password.len()));
    }
    Ok(password)
}

/// Makes a host key under another name and renames it: sshd never finds half of a pair, and a failure leaves the old
/// one.
pub(super) fn make_host_key(
    kind: &str,
    path: &str,
    patience: Patience,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let new = format!("{path}.new");
    for left in [new.clone(), format!("{new}.pub")] {
        root.remove(&left)?;
    }
    let argv =
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "root@localhost", "-f", &new].map(str::to_owned);
    super::run(&argv, None, &[], patience, root, report)?;
    for end in ["", ".pub"] {
        root.move_file(&format!("{new}{end}"), &format!("{path}{end}"))?;
    }
    Ok(())
}

/// Asks ssh-keygen for the public key of a private one.
pub(super) fn write_public_key(path: &str, root: &Root) -> Result<()> {
    let argv = ["ssh-keygen", "-y", "-f", path].map(str::to_owned);
    let key = super::ask(&argv, None, "openssh-client")?;
    let line = format!("{} root@localhost\n", key.trim_end());
    root.write(&format!("{path}.pub"), line.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let all: std::collections::BTreeSet<String> = (0..100).map(|_| random().unwrap()).collect();
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|password| password.len() == LENGTH));
        let letters: std::collections::BTreeSet<u8> =
            all.iter().flat_map(|password| password.bytes()).collect();
        assert_eq!(letters.len(), LETTERS.len());
        assert!(letters.iter().all(|letter| LETTERS.contains(letter)));
    }
}
