//! The place in the user-data of a user's command that failed, as far as it is known.

use super::consume;
use crate::handlers::CommandList;
use crate::instance::Instance;
use crate::root::Root;
use crate::yaml::{Mapping, PathStep, Places};

/// Puts the place behind the name of a program that failed, into an error's text. `key` holds its commands, if it was made of
/// a key.
pub(super) fn told(
    path: &str,
    key: Option<&str>,
    error: &anyhow::Error,
    (config, instance, root): (&Mapping, &Instance, &Root),
) -> String {
    let text = format!("{error:#}");
    let said = text.lines().last().filter(|_| text.contains("\n| ")).unwrap_or_default();
    let script = root.read_text(path.trim_start_matches('/')).ok().flatten().unwrap_or_default();
    let user_data = root.read_text(&instance.path(consume::RAW)).ok().flatten().unwrap_or_default();
    let line = line_in_message(path, said);
    let place = match key {
        Some(key) => of_entry(key, config, &script, line, &user_data),
        None => of_script(&script, line, &user_data),
    };
    match place {
        Some(place) => format!("{place}: {text}"),
        None => text,
    }
}

/// The line that a shell's message begins with: `PATH: 3: ` or `PATH: line 3: `.
fn line_in_message(path: &str, said: &str) -> Option<usize> {
    let rest = said.strip_prefix("| ")?.strip_prefix(path)?.strip_prefix(": ")?;
    rest.strip_prefix("line ").unwrap_or(rest).split_once(':')?.0.parse().ok()
}

/// The entry of a list of commands.
fn of_entry(
    key: &str,
    config: &Mapping,
    script: &str,
    line: Option<usize>,
    user_data: &str,
) -> Option<String> {
    let commands = CommandList::of(config, key)?;
    // The script on the disk may be of other user-data.
    if commands.script() != script {
        return None;
    }
    let number = match line {
        Some(line) => commands.entry_at(line)?,
        None => commands.last_unless_ended_before()?,
    };
    let steps = [PathStep::Key(key.to_owned()), PathStep::Entry(number - 1)];
    let line = user_data.starts_with("#cloud-config").then(|| Places::of(user_data).find(&steps)).flatten();
    let line = line.map(|(line, _)| format!(", line {line} of the user-data")).unwrap_or_default();
    Some(format!("entry {number}{line}"))
}

/// A script's beginning, or the line that the shell named.
fn of_script(script: &str, line: Option<usize>, user_data: &str) -> Option<String> {
    let text = Some(script.trim_end()).filter(|text| !text.is_empty())?;
    let (before, _) = user_data.split_once(text)?;
    let first = before.matches('\n').count();
    Some(match line {
        Some(line) => format!("line {} of the user-data", first + line),
        None => format!("from line {} of the user-data on", first + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;
    use anyhow::anyhow;

    const USER_DATA: &str =
        "#cloud-config\nruncmd:\n- echo a\n- null\n- |\n  cd /x\n  nonsense\n- [sh, -c, exit 3]\n";

    fn said(user_data: &str, key: Option<&str>, script: &str, error: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let (root, instance) = (Root::open(directory.path()).unwrap(), Instance::new("i"));
        root.write(&instance.path(consume::RAW), user_data.as_bytes(), 0o600).unwrap();
        root.write("s", script.as_bytes(), 0o700).unwrap();
        let config = load(USER_DATA).unwrap();
        let told = told("/s", key, &anyhow!("{error}"), (config.as_map().unwrap(), &instance, &root));
        told.lines().next().unwrap().to_owned()
    }

    #[test]
    fn the_entry_and_its_line_are_named() {
        let script = "#!/bin/sh\necho a\ncd /x\nnonsense\n\n'sh' '-c' 'exit 3'\n";
        let runcmd = Some("runcmd");
        for (user_data, script, error, expected) in [
            // Without a word of the shell's it is the last one, whose status the script has.
            (USER_DATA, script, "bad", "entry 4, line 8 of the user-data: bad"),
            (USER_DATA, script, "bad\n| own words", "entry 4, line 8 of the user-data: bad"),
            (USER_DATA, script, "bad\n| /s: 4: nonsense: not found", "entry 3, line 5 of the user-data: bad"),
            (USER_DATA, script, "bad\n| /s: line 2: x", "entry 1, line 3 of the user-data: bad"),
            // The line of a part within others is not known, and neither is an entry of other commands.
            ("Content-Type: x\n", script, "bad", "entry 4: bad"),
            (USER_DATA, "#!/bin/sh\nother\n", "bad", "bad"),
        ] {
            assert_eq!(said(user_data, runcmd, script, error), expected, "{error}");
        }
    }

    #[test]
    fn the_line_of_a_script_is_that_in_the_user_data() {
        let script = "#!/bin/sh\ntrue\nnonsense\n";
        let within = format!("head\n\n{script}--x\n");
        for (user_data, error, expected) in [
            (script, "bad\n| /s: 3: nonsense: not found", "line 3 of the user-data: bad"),
            (&within, "bad\n| /s: 3: nonsense: not found", "line 5 of the user-data: bad"),
            (&within, "bad", "from line 3 of the user-data on: bad"),
            ("aGVhZAo=", "bad", "bad"),
        ] {
            assert_eq!(said(user_data, None, script, error), expected, "{user_data}");
        }
    }
}
