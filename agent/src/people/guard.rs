//! Keys that let nobody in, but say who to log in as.

/// The options before a key: `$USER` is the user to log in as, and `$DISABLE_USER` the one who is turned away.
const OPTIONS: &str = concat!(
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"",
    "echo 'Please login as the user \\\"$USER\\\" rather than the user \\\"$DISABLE_USER\\\".';",
    "echo;sleep 10;exit 142\"",
);

/// The beginnings of the names of key types.
const TYPES: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];

/// Keys with these options (or the usual ones) in the place of their own.
pub(crate) fn guarded(keys: &[String], options: Option<&str>, user: &str, turned_away: &str) -> Vec<String> {
    let options = options.unwrap_or(OPTIONS).replace("$USER", user).replace("$DISABLE_USER", turned_away);
    keys.iter().map(|key| format!("{options} {}", without_options(key)).trim().to_owned()).collect()
}

/// The options of a key, which stand before its type.
pub(crate) fn options(key: &str) -> &str {
    key.strip_suffix(without_options(key)).unwrap_or_default().trim()
}

/// The reason why a line lets nobody in, though it looks like a key.
pub(crate) fn no_key(line: &str) -> Option<&'static str> {
    if line.contains("PRIVATE KEY---") {
        return Some("it is a private key, and the public one belongs here (that of the file with .pub)");
    }
    let key = without_options(line.trim());
    let is_bare = !line.starts_with('#')
        && TYPES.iter().any(|name| key.starts_with(name))
        && !key.contains(char::is_whitespace);
    is_bare.then_some("it is the type of a key, and the key itself is missing behind it")
}

/// A key without what stands before its type. Blanks in quotes are part of an option.
fn without_options(key: &str) -> &str {
    let is_key = |text: &str| TYPES.iter().any(|name| text.starts_with(name));
    if is_key(key) {
        return key;
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = key.char_indices().find(|(_, character)| {
        let ends = !quoted && character.is_ascii_whitespace();
        if *character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = *character == '\\' && !escaped;
        ends
    });
    let rest = end.and_then(|(end, _)| key.get(end..)).map_or("", str::trim_start);
    if is_key(rest) { rest } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_replace_the_keys_own() {
        for (key, bare) in [
            ("ssh-ed25519 AAAA me@here", "ssh-ed25519 AAAA me@here"),
            ("from=\"10.0.0.0/8\" ssh-rsa AAAA", "ssh-rsa AAAA"),
            (r#"command="echo \" ssh-rsa B",no-pty ecdsa-sha2-nistp256 AAAA"#, "ecdsa-sha2-nistp256 AAAA"),
            ("what is this", "what is this"),
            ("alone", "alone"),
        ] {
            assert_eq!(without_options(key), bare);
            assert_eq!(
                guarded(&[key.into()], Some("o=$USER/$DISABLE_USER"), "a", "root"),
                [format!("o=a/root {bare}")]
            );
            assert_eq!(guarded(&[key.into()], Some(""), "a", "root"), [bare]);
        }
    }

    /// cloud-init writes them into the file, where sshd passes over them.
    #[test]
    fn what_only_looks_like_a_key_is_none() {
        for (line, is_key) in [
            ("ssh-rsa", false),
            (" ssh-ed25519 ", false),
            ("no-pty ecdsa-sha2-nistp256", false),
            ("from=\"a b\" sk-ssh-ed25519@openssh.com", false),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", false),
            ("-----BEGIN RSA PRIVATE KEY-----", false),
            ("ssh-rsa AAAA", true),
            ("cert-authority ssh-ed25519 AAAA ca", true),
            ("ssh-ed25519\tAAAA", true),
            ("# ssh-rsa", true),
            ("k", true),
        ] {
            assert_eq!(no_key(line).is_none(), is_key, "{line}");
        }
    }

    #[test]
    fn the_usual_options_name_both_users() {
        let [key] = guarded(&["ssh-rsa AAAA".into()], None, "debian", "root").try_into().unwrap();
        assert_eq!(
            key,
            "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as the user \
             \\\"debian\\\" rather than the user \\\"root\\\".';echo;sleep 10;exit 142\" ssh-rsa AAAA"
        );
    }
}
