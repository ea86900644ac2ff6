//! Commands of a configuration, as a shell script.

use crate::plan::HandlerPlan;
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// The entries of a key that holds a list; none when it is not there.
pub(super) fn list<'a>(config: &'a Mapping, key: &str) -> Result<&'a [Value]> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Seq(items)) => Ok(items),
        Some(other) => anyhow::bail!("it is {} and no list", other.kind()),
    }
}

/// Commands -> a shell script: a list's words are quoted, a text stands as it is.
pub(super) fn shell_script(config: &Mapping, key: &str, plan: &mut HandlerPlan) -> Result<String> {
    let mut script = String::new();
    for (number, command) in list(config, key)?.iter().enumerate() {
        match command {
            Value::Null => {}
            Value::Str(text) => script.extend([text.as_str(), "\n"]),
            Value::Seq(words) => match words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>() {
                Some(words) => {
                    let quoted: Vec<_> =
                        words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
                    script.extend([quoted.join(" ").as_str(), "\n"]);
                }
                None => plan.problem(format!(
                    "entry {}: a word of the command is no text (put quotes around it)",
                    number + 1
                )),
            },
            other => {
                let hint = if matches!(other, Value::Map(_)) {
                    " (a `: ` makes a mapping of it: put quotes around it)"
                } else {
                    ""
                };
                plan.problem(format!("entry {}: it is {} and no command{hint}", number + 1, other.kind()));
            }
        }
    }
    Ok(if script.is_empty() { script } else { format!("#!/bin/sh\n{script}") })
}
