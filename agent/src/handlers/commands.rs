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
    let (commands, problems) = CommandList::read(config, key)?;
    plan.problems.extend(problems);
    Ok(commands.script())
}

fn command(entry: &Value) -> Result<Option<String>, String> {
    match entry {
        Value::Null => Ok(None),
        Value::Str(text) => Ok(Some(format!("{text}\n"))),
        Value::Seq(words) => {
            let words = words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>();
            let words = words.ok_or("a word of the command is no text (put quotes around it)")?;
            let quoted: Vec<_> =
                words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            Ok(Some(quoted.join(" ") + "\n"))
        }
        other => {
            let hint = if matches!(other, Value::Map(_)) {
                " (a `: ` makes a mapping of it: put quotes around it)"
            } else {
                ""
            };
            Err(format!("it is {} and no command{hint}", other.kind()))
        }
    }
}

/// The commands of a list, each with the number of its entry from 1 and its lines.
pub(crate) struct CommandList(Vec<(usize, String)>);

/// Words that may end a shell before its last command.
const ENDS: [&str; 5] = ["exit", "set -", "exec", "kill", "${"];

impl CommandList {
    /// Those of a key; `None` if it has no list.
    pub(crate) fn of(config: &Mapping, key: &str) -> Option<Self> {
        Self::read(config, key).ok().map(|(commands, _)| commands)
    }

    /// The same, and the problems of entries that are no commands.
    fn read(config: &Mapping, key: &str) -> Result<(Self, Vec<String>)> {
        let (mut commands, mut problems) = (Vec::new(), Vec::new());
        for (entry, number) in list(config, key)?.iter().zip(1..) {
            match command(entry) {
                Ok(text) => commands.extend(text.map(|text| (number, text))),
                Err(problem) => problems.push(format!("entry {number}: {problem}")),
            }
        }
        Ok((Self(commands), problems))
    }

    /// They as one script, in which they share a shell.
    pub(crate) fn script(&self) -> String {
        let texts: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        if texts.is_empty() { texts } else { format!("#!/bin/sh\n{texts}") }
    }

    /// The number of the entry that a line of the script belongs to.
    pub(crate) fn entry_at(&self, line: usize) -> Option<usize> {
        // The first line names the shell.
        let mut end = 1;
        self.0.iter().find_map(|(number, text)| {
            end += text.matches('\n').count();
            (1 < line && line <= end).then_some(*number)
        })
    }

    /// The number of the last entry, whose exit status is the script's, unless one before it may have ended the shell.
    pub(crate) fn last_unless_ended_before(&self) -> Option<usize> {
        let ((last, _), before) = self.0.split_last()?;
        let ends = |text: &str| ENDS.iter().any(|word| text.contains(word));
        (!before.iter().any(|(_, text)| ends(text))).then_some(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    #[test]
    fn the_entry_that_gave_the_exit_status_is_the_last_one_if_none_could_end_the_shell() {
        for (commands, last) in [
            ("[a, b]", Some(2)),
            ("[a, [sh, -c, 'exit 3'], null]", Some(2)),
            ("[exit 3, b]", None),
            ("['set -e', b]", None),
            ("[a, exit 3]", Some(2)),
            ("[]", None),
        ] {
            let config = load(&format!("runcmd: {commands}")).unwrap();
            let list = CommandList::of(config.as_map().unwrap(), "runcmd").unwrap();
            assert_eq!(list.last_unless_ended_before(), last, "{commands}");
        }
    }
}
