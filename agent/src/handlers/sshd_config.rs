//! Settings of sshd: in a file of our own where `sshd_config` includes such files, and in `sshd_config` itself
//! otherwise.

use crate::authorized_keys::sshd::setting as setting_of;
use crate::machine::Machine;
use crate::plan::File;
use anyhow::Result;

const CONFIG: &str = "etc/ssh/sshd_config";
const FOLDER: &str = "etc/ssh/sshd_config.d";
/// The name that cloud-init gives it.
const OWN: &str = "50-cloud-init.conf";

/// It is there while sshd runs as a daemon.
pub(super) const RUNNING: &str = "run/sshd.pid";

/// sshd reads its configuration and its host keys again. It may be waiting for us, so nobody waits for it.
pub(super) const RELOAD: [&str; 4] = ["systemctl", "--no-block", "try-reload-or-restart", "ssh.service"];

/// A keyword and its value.
pub(super) struct Setting<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// A file to write, and what may still be in the way.
pub(super) struct Change {
    pub(super) file: File,
    pub(super) problem: Option<String>,
}

/// The change that a setting needs; `None` if it is so already, or if there is no sshd.
pub(super) fn change(setting: &Setting<'_>, machine: &dyn Machine) -> Result<Option<Change>> {
    let Some(Place { path, text, mode }) = place(machine)? else { return Ok(None) };
    let Some(text) = changed(&text, setting) else { return Ok(None) };
    let other = if path == CONFIG { None } else { earlier(setting, machine)? };
    let problem = other.map(|other| {
        format!("/{other} comes before /{path} and has a {} of its own, which counts", setting.name)
    });
    Ok(Some(Change { file: File::new(&format!("/{path}"), text, mode), problem }))
}

/// The file that takes settings, with what it holds.
struct Place {
    path: String,
    text: String,
    mode: u32,
}

fn place(machine: &dyn Machine) -> Result<Option<Place>> {
    let main = machine.text(CONFIG)?;
    let has_folder = match &main {
        Some(text) => text.lines().any(is_include),
        None => machine.holds(FOLDER)?,
    };
    if has_folder {
        let path = format!("{FOLDER}/{OWN}");
        let text = machine.text(&path)?.unwrap_or_default();
        return Ok(Some(Place { path, text, mode: 0o600 }));
    }
    Ok(main.map(|text| Place { path: CONFIG.to_owned(), text, mode: 0o644 }))
}

/// The file with lines added for keywords that may stand more than once; `None` if it has them, or if there is no sshd.
pub(super) fn add(lines: &[String], machine: &dyn Machine) -> Result<Option<File>> {
    let Some(Place { path, text: before, mode }) = place(machine)? else { return Ok(None) };
    let missing: Vec<&String> =
        lines.iter().filter(|line| !before.lines().any(|known| known == **line)).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    // The first lines are outside of all blocks.
    let added: String = missing.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    Ok(Some(File::new(&format!("/{path}"), added + &before, mode)))
}

fn is_include(line: &str) -> bool {
    setting_of(line).is_some_and(|(key, value)| {
        key == "include" && value.split_whitespace().any(|path| path == format!("/{FOLDER}/*.conf"))
    })
}

/// A file that sshd reads before ours. The first value of a keyword counts.
fn earlier(setting: &Setting<'_>, machine: &dyn Machine) -> Result<Option<String>> {
    let wanted = setting.name.to_lowercase();
    let before = |name: &&String| name.strip_suffix(".conf").is_some() && name.as_str() < OWN;
    for name in machine.names(FOLDER)?.iter().filter(before) {
        let path = format!("{FOLDER}/{name}");
        let text = machine.text(&path)?.unwrap_or_default();
        let differs =
            |line: &str| setting_of(line).is_some_and(|(key, value)| key == wanted && value != setting.value);
        if text.lines().any(differs) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The text with the setting; `None` if it has it already. A line behind `Match` would not be for everybody.
fn changed(text: &str, setting: &Setting<'_>) -> Option<String> {
    let wanted = setting.name.to_lowercase();
    let line = format!("{} {}", setting.name, setting.value);
    let mut lines: Vec<&str> = text.lines().collect();
    let end = lines.iter().position(|line| setting_of(line).is_some_and(|(key, _)| key == "match"));
    let end = end.unwrap_or(lines.len());
    let found =
        lines.iter().take(end).position(|line| setting_of(line).is_some_and(|(key, _)| key == wanted));
    match found.and_then(|place| lines.get_mut(place)) {
        Some(found) if setting_of(found).is_some_and(|(_, value)| value == setting.value) => return None,
        Some(found) => *found = &line,
        None => lines.insert(end, &line),
    }
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paper;

    fn made(files: &[(&str, &str)]) -> Option<(String, String, Option<String>)> {
        let setting = Setting { name: "PasswordAuthentication", value: "yes" };
        let change = change(&setting, &Paper(files)).unwrap()?;
        let text = String::from_utf8(change.file.content.to_vec()).unwrap();
        Some((change.file.path, text, change.problem))
    }

    #[test]
    fn without_an_include_the_configuration_itself_is_changed_before_its_blocks() {
        for (before, after) in [
            (
                "UsePAM yes\nMatch User a\n X11Forwarding no\n",
                "UsePAM yes\nPasswordAuthentication yes\nMatch User a\n X11Forwarding no\n",
            ),
            (
                "#PasswordAuthentication no\nPasswordAuthentication=no\n",
                "#PasswordAuthentication no\nPasswordAuthentication yes\n",
            ),
            ("", "PasswordAuthentication yes\n"),
        ] {
            let (path, text, problem) = made(&[(CONFIG, before)]).unwrap();
            assert_eq!((path.as_str(), text.as_str(), problem), ("/etc/ssh/sshd_config", after, None));
        }
        assert_eq!(made(&[(CONFIG, "passwordauthentication  yes\n")]), None);
        assert_eq!(made(&[]), None);
    }

    #[test]
    fn a_file_that_sshd_reads_before_ours_is_named() {
        let main = (CONFIG, "include  /etc/ssh/sshd_config.d/*.conf\n");
        let other = |name: &'static str, text: &'static str| made(&[main, (name, text)]).unwrap().2;
        let told = other("etc/ssh/sshd_config.d/10-hard.conf", "PasswordAuthentication no\n").unwrap();
        assert!(told.starts_with("/etc/ssh/sshd_config.d/10-hard.conf comes before /etc"), "{told}");
        for (name, text) in [
            ("etc/ssh/sshd_config.d/10-same.conf", "PasswordAuthentication yes\n"),
            ("etc/ssh/sshd_config.d/60-later.conf", "PasswordAuthentication no\n"),
            ("etc/ssh/sshd_config.d/10-old.conf.bak", "PasswordAuthentication no\n"),
        ] {
            assert_eq!(other(name, text), None, "{name}");
        }
    }
}
