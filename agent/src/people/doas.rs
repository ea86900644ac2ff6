//! A user's rules for doas.

use crate::plan::{File, Placing};
use crate::yaml::Value;

const DOAS_CONF: &str = "/etc/doas.conf";

/// The options that may stand between `permit` and the user.
const OPTIONS: [&str; 4] = ["nolog", "nopass", "persist", "keepenv"];

/// The text that is appended to doas.conf; nothing for an empty list. One bad rule costs all of the user's.
pub(super) fn rules(user: &str, value: &Value) -> Result<Option<File>, String> {
    let rules: Vec<Option<String>> = match value {
        Value::Null => Vec::new(),
        Value::Seq(items) => items.iter().map(Value::scalar_text).collect(),
        other => vec![other.scalar_text()],
    };
    let mut text = String::new();
    for rule in rules {
        match rule.filter(|rule| is_for(user, rule)) {
            Some(rule) => text.extend([rule.trim(), "\n"]),
            None => {
                return Err(format!(
                    "doas: a rule is no line like `permit {user}`, so none of this user's is written"
                ));
            }
        }
    }
    let file = File { placing: Placing::Append, ..File::new(DOAS_CONF, text, 0o440) };
    Ok(Some(file).filter(|file| !file.content.is_empty()))
}

/// True if a rule is one line about this user.
fn is_for(user: &str, rule: &str) -> bool {
    let mut words = rule.split_whitespace().skip_while({
        let mut in_braces = false;
        let mut first = true;
        move |word| {
            let skipped = if first {
                matches!(*word, "permit" | "deny")
            } else if in_braces {
                true
            } else {
                OPTIONS.contains(word) || *word == "setenv"
            };
            first = false;
            in_braces = (in_braces || word.contains('{')) && !word.contains('}');
            skipped || word.contains('{') || word.contains('}')
        }
    });
    !rule.contains('\n')
        && ["permit ", "deny "].iter().any(|start| rule.trim_start().starts_with(start))
        && words.next() == Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    #[test]
    fn rules_are_about_their_user() {
        for (value, written) in [
            ("[permit nopass bob, 'deny bob cmd reboot']", Some("permit nopass bob\ndeny bob cmd reboot\n")),
            (
                "permit setenv { A B=c } keepenv bob as root",
                Some("permit setenv { A B=c } keepenv bob as root\n"),
            ),
            ("[]", Some("")),
            ("[permit nopass carol]", None),
            ("[permit bob, allow bob]", None),
            ("[\"permit bob\\npermit carol\"]", None),
            ("[{a: b}]", None),
            ("permit", None),
        ] {
            let made = rules("bob", &load(value).unwrap());
            let text = |file: Option<File>| {
                file.map_or_else(String::new, |file| String::from_utf8(file.content.to_vec()).unwrap())
            };
            assert_eq!(made.ok().map(text).as_deref(), written, "{value}");
        }
    }
}
