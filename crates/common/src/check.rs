//! The checks of what names a seed: a host name, an instance-id, and a place to read from. An error says what is wrong.

use crate::text::is_plain;

/// A domain name's, which is more than the kernel takes.
const LONGEST_HOST_NAME: usize = 253;

/// Checks a host name. What else the system does not take is for it to say: cloud-init takes an underscore.
pub fn host_name(name: &str) -> Result<(), String> {
    word(name)?;
    if name.contains(['"', '\'', '`']) {
        return Err("not a host name: quotes are not allowed".into());
    }
    if name.len() > LONGEST_HOST_NAME {
        return Err(format!("not a host name: it is longer than {LONGEST_HOST_NAME} bytes"));
    }
    Ok(())
}

/// Checks an instance-id. Quotes and blanks stay: without its id a machine would become another instance.
pub fn instance_id(id: &str) -> Result<(), String> {
    if id.trim().is_empty() {
        return Err("empty value".into());
    }
    if !id.chars().all(is_plain) {
        return Err("control characters are not allowed".into());
    }
    Ok(())
}

/// Checks a URL or directory to which file names are appended, or with a `%s` that stands for them.
pub fn place(place: &str) -> Result<(), String> {
    word(place)?;
    if place.matches("%s").count() > 1 {
        return Err("`%s` stands for the file's name and may appear once".into());
    }
    let split = place.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    match split.as_ref().map(|(scheme, rest)| (scheme.as_str(), *rest)) {
        Some(("http" | "https", rest)) if rest.starts_with('/') || rest.is_empty() => {
            Err("no host in the URL".into())
        }
        Some(("http" | "https" | "file", _)) => Ok(()),
        Some((scheme, _)) => {
            Err(format!("{scheme}: is not supported (use http, https, file or an absolute path)"))
        }
        None if place.starts_with('/') => Ok(()),
        None => Err("neither a URL nor an absolute path".into()),
    }
}

/// Checks what holds for each of them. An invisible character would not survive the hand-off.
fn word(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty value".into());
    }
    if text.chars().any(char::is_whitespace) || !text.chars().all(is_plain) {
        return Err("white space and control characters are not allowed".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 8] = ["", " ", "a b", "a\tb", "a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\u{a0}b"];

    #[test]
    fn no_value_is_empty_or_holds_blanks_or_control_characters() {
        for check in [host_name, place] {
            for text in HOSTILE {
                assert!(check(text).is_err(), "{text:?}");
                assert!(check(&format!("http://x/{text} ")).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn a_host_name_holds_no_quotes() {
        let longest = "a".repeat(253);
        for name in ["a", "web-1", "a_b", "_a", "a.b.c", "1", "web.example.org.", "a-", &longest] {
            assert_eq!(host_name(name), Ok(()), "{name}");
        }
        for name in ["a'b", "a\"b", "a`b", &"a".repeat(254)] {
            assert!(host_name(name).unwrap_err().starts_with("not a host name"), "{name}");
        }
    }

    #[test]
    fn an_instance_id_is_a_line() {
        for id in ["i-1", "a_b", "2/3", "ä", "a;b", "it's", "a b", "\""] {
            assert_eq!(instance_id(id), Ok(()), "{id}");
        }
        for id in ["", " ", "a\nb", "a\u{7}b", "a\u{202e}b"] {
            assert!(instance_id(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn a_place_is_a_url_or_an_absolute_path() {
        for text in [
            "http://x/",
            "https://x/%s?a=\"b'\\",
            "file:///x",
            "/x",
            "http://[fd00::1]:80",
            "HTTP://x/",
            "File:///x",
        ] {
            assert_eq!(place(text), Ok(()), "{text}");
        }
        for (text, reason) in [
            ("ftp://x/", "ftp: is not supported"),
            ("http:///x", "no host"),
            ("https://", "no host"),
            ("x", "neither a URL nor"),
            ("http:/x", "neither a URL nor"),
            ("http://x/%s/%s", "`%s` stands for"),
        ] {
            assert!(place(text).unwrap_err().starts_with(reason), "{text}");
        }
    }
}
