//! Public keys of ssh, in the line of a file, and what is told of them.

use crate::codec;
use crate::fetch::hexadecimal;
use sha2::{Digest, Sha256, Sha512};

/// The kinds that have a fingerprint: those of OpenSSH, and the short names of old.
const KINDS: &[(&str, &str, u32)] = &[
    ("rsa", "RSA", 0),
    ("ecdsa", "ECDSA", 0),
    ("ed25519", "ED25519", 256),
    ("ssh-rsa", "RSA", 0),
    ("ssh-rsa-cert-v01@openssh.com", "RSA-CERT", 0),
    ("ssh-ed25519", "ED25519", 256),
    ("ssh-ed25519-cert-v01@openssh.com", "ED25519-CERT", 256),
    ("ecdsa-sha2-nistp256", "ECDSA", 256),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA-CERT", 256),
    ("ecdsa-sha2-nistp384", "ECDSA", 384),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ECDSA-CERT", 384),
    ("ecdsa-sha2-nistp521", "ECDSA", 521),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ECDSA-CERT", 521),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK", 256),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA-SK-CERT", 256),
    ("sk-ssh-ed25519@openssh.com", "ED25519-SK", 256),
    ("sk-ssh-ed25519-cert-v01@openssh.com", "ED25519-SK-CERT", 256),
    ("ssh-xmss@openssh.com", "XMSS", 0),
    ("ssh-xmss-cert-v01@openssh.com", "XMSS-CERT", 0),
];

/// A key, as a line has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PublicKey {
    pub(super) options: String,
    pub(super) kind: String,
    pub(super) base64: String,
    pub(super) comment: String,
}

impl PublicKey {
    /// Reads a line of a `.pub` file or of `authorized_keys`. `None` where it holds no key.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let key = |options: &str, rest: &str| {
            let mut words = rest.trim().splitn(2, char::is_whitespace);
            let kind = words.next().filter(|kind| is_kind(kind))?;
            let mut rest = words.next()?.trim_start().splitn(2, char::is_whitespace);
            let base64 = rest.next().filter(|base64| !base64.is_empty())?;
            let comment = rest.next().unwrap_or_default().trim();
            Some(Self {
                options: options.to_owned(),
                kind: kind.to_owned(),
                base64: base64.to_owned(),
                comment: comment.to_owned(),
            })
        };
        key("", line).or_else(|| {
            let (options, rest) = line.split_at_checked(end_of_options(line))?;
            key(options, rest)
        })
    }

    /// Its digest as pairs of digits; `None` for a digest that is not known here, `?` for a key that is none.
    pub(super) fn digest(&self, method: &str) -> Option<String> {
        let digest: fn(&[u8]) -> String = match method.to_lowercase().as_str() {
            "sha256" => |bytes| hexadecimal(&Sha256::digest(bytes)),
            "sha512" => |bytes| hexadecimal(&Sha512::digest(bytes)),
            _ => return None,
        };
        let Ok(bytes) = codec::base64(self.base64.as_bytes()) else { return Some("?".into()) };
        let digits: Vec<_> = digest(&bytes).chars().collect();
        Some(digits.chunks(2).map(|pair| pair.iter().collect::<String>()).collect::<Vec<_>>().join(":"))
    }

    /// The line that `ssh-keygen -l` prints. `None` for a key that is none.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let blob = codec::base64(self.base64.as_bytes()).ok()?;
        let (_, name, bits) = KINDS.iter().find(|(kind, ..)| *kind == self.kind)?;
        let bits = if *bits > 0 { *bits } else { modulus_bits(&blob)? };
        let digest = codec::to_base64(&Sha256::digest(&blob));
        let digest = digest.trim_end_matches('=');
        let comment = if self.comment.is_empty() { "no comment" } else { &self.comment };
        Some(format!("{bits} SHA256:{digest} {comment} ({name})"))
    }
}

fn is_kind(word: &str) -> bool {
    KINDS.iter().any(|(kind, ..)| kind.eq_ignore_ascii_case(word))
}

/// Options end at the first blank outside of quotes.
fn end_of_options(line: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '"' if !is_escaped => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => return at,
            _ => {}
        }
        is_escaped = letter == '\\';
    }
    line.len()
}

/// The size of the number behind a name and an exponent: that of RSA.
fn modulus_bits(blob: &[u8]) -> Option<u32> {
    let (_, rest) = field(blob)?;
    let (_, rest) = field(rest)?;
    let (number, _) = field(rest)?;
    let first = number.iter().position(|byte| *byte != 0)?;
    let number = number.get(first..)?;
    let bits = u32::try_from(number.len()).ok()?.checked_mul(8)?;
    Some(bits - number.first()?.leading_zeros())
}

/// A field and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `ssh-keygen -l` of OpenSSH.
    #[test]
    fn a_fingerprint_is_that_of_ssh_keygen() {
        for (line, fingerprint) in [
            (
                "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDJpxF6m7UpzWnBF7QW/xQ9GqJz7g+kqHxjoBgEDgubZ9qskK5sA75WrGo3J3H4ybAPLhwGCxJc3+EQ31ZSN6OuSP8nwYWNPMtOtBQ6v1CGGdvJ3pWe7TsSGwMA9TQOVYdrIcnLw3mxfZld8oVjOCFSzPB7vGhjFeUpNiYdptalvw== me@home",
                "1024 SHA256:PVLB5XmSOeF1T25N5ZCNnxKOPO2sdZQ+GSz5DtIibI0 me@home (RSA)",
            ),
            (
                "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBIzkxCHDVLYdDL6Uhs7VHR1/Iz79Rp6siDdq2nZb92VWREAZxIYhk67cGwh3PLmcqMDa6J8qUPmvWNIwcXwIRYObJFCsfgOLWRfra7oa/4VFcfOohPSTxH1DgW2yNUmNYw==",
                "384 SHA256:YwxtdNctiye4ONmI52eTIAt3LfkO58kuTZUzZ06vob0 no comment (ECDSA)",
            ),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpmUEL+h7eDVquAO5FnG+H12jSNxlXHE5fERtdLe9q5 a b",
                "256 SHA256:JB6dAPXtPvv1AoC+/DU4tfvrq++cNL6id85FW7LAtLk a b (ED25519)",
            ),
        ] {
            assert_eq!(PublicKey::parse(line).unwrap().fingerprint().unwrap(), fingerprint);
        }
        assert_eq!(PublicKey::parse("ssh-rsa AAAA").unwrap().fingerprint(), None);
    }

    #[test]
    fn a_line_is_taken_apart() {
        let key =
            |line: &str| PublicKey::parse(line).map(|key| [key.options, key.kind, key.base64, key.comment]);
        let of = |words: [&str; 4]| Some(words.map(str::to_owned));
        assert_eq!(key("ssh-rsa AAAA me@home  x"), of(["", "ssh-rsa", "AAAA", "me@home  x"]));
        assert_eq!(key("ssh-ed25519\tAAAA"), of(["", "ssh-ed25519", "AAAA", ""]));
        let options = "no-pty,command=\"echo \\\" a; sleep 1\"";
        assert_eq!(key(&format!("{options} ssh-rsa AAAA")), of([options, "ssh-rsa", "AAAA", ""]));
        for none in ["", "# comment", "ssh-dss AAAA", "ssh-rsa", "no-pty"] {
            assert_eq!(key(none), None, "{none}");
        }
    }
}
