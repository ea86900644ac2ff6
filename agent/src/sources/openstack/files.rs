//! Files that were given with the machine (`nova boot --file`): where each goes, and its content beside the meta-data.

use super::Read;
use crate::apply::{self, Patience};
use crate::instance::{Frequency, Instance};
use crate::plan::{File, Step};
use crate::report::Report;
use crate::root::Root;
use crate::yaml::Value;
use anyhow::{Context, Result, bail};

/// The mode of the files; cloud-init writes them with the same.
const MODE: u32 = 0o660;

/// The most files that may be given, and their most bytes together.
const MOST_FILES: usize = 100;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The semaphore that says that they were written.
const DONE: &str = "config_drive_files";

/// True if an instance has had them.
pub(crate) fn are_written(instance: &Instance, root: &Root) -> bool {
    instance.is_done(root, DONE, Frequency::Instance).unwrap_or_default()
}

/// Writes them. A file that cannot be written costs only itself.
pub(crate) fn write(files: &[File], instance: &Instance, root: &Root, report: &mut Report) {
    for file in files {
        let written = apply::apply(&Step::Write(file.clone()), &[], Patience::Endless, root, report);
        if let Err(error) = written {
            report.warn(format!("{error:#}"));
        }
    }
    report.take(instance.set_done(root, DONE, Frequency::Instance));
}

/// The files that the meta-data lists. `read` reads a path beside it.
pub(super) fn of(listed: Option<&Value>, read: Read<'_>, report: &mut Report) -> Vec<File> {
    let items = match listed {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Seq(items)) => items.as_slice(),
        Some(other) => {
            report.warn(format!("files: it is {} and no list", other.kind()));
            return Vec::new();
        }
    };
    let mut files: Vec<File> = Vec::new();
    let mut left = MOST_BYTES;
    for (number, item) in items.iter().enumerate() {
        if number == MOST_FILES {
            report.warn(format!("files: those beyond {MOST_FILES} are left out"));
            break;
        }
        match file(item, left, read) {
            Ok(Some(file)) => {
                left = left.saturating_sub(file.content.len());
                // The last of those with one path counts.
                files.retain(|other| other.path != file.path);
                files.push(file);
            }
            Ok(None) => {}
            Err(error) => report.warn(format!("files: entry {}: {error:#}", number + 1)),
        }
    }
    files
}

/// A file; `None` where no path is given, as in cloud-init.
fn file(item: &Value, left: usize, read: Read<'_>) -> Result<Option<File>> {
    let item = item.as_map().with_context(|| format!("it is {} and no mapping", item.kind()))?;
    let Some(path) = item.get("path") else { return Ok(None) };
    let path = path.as_str().context("the path is no text")?;
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty() && *step != ".").collect();
    let is_file = path.split('/').next_back().is_some_and(|name| !name.is_empty() && name != ".");
    if !is_file || steps.contains(&"..") || path.contains('\0') {
        bail!("the path `{}` names no file", path.escape_debug());
    }
    let path = format!("/{}", steps.join("/"));
    let content = item.get("content_path").and_then(Value::as_str).unwrap_or_default();
    let steps: Vec<&str> = content.split('/').filter(|step| !step.is_empty()).collect();
    if steps.is_empty() || steps.iter().any(|step| [".", ".."].contains(step)) || content.contains('\0') {
        bail!("{path}: the content_path `{}` names no file", content.escape_debug());
    }
    let data = read(&steps.join("/")).with_context(|| path.clone())?;
    let data = data.with_context(|| format!("{path}: there is no {content}"))?;
    if data.len() > left {
        bail!("{path}: left out, because all files together have more than {MOST_BYTES} bytes");
    }
    Ok(Some(File::new(&path, data, MODE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    const CONTENT: &[(&str, &str)] = &[("content/0000", "zero"), ("content/0001", "one")];

    fn check(listed: &str, expected: &[(&str, &str)], problems: &[&str]) {
        let read = |path: &str| match path {
            "content/broken" => bail!("read it: Input/output error"),
            _ => Ok(CONTENT.iter().find(|(own, _)| *own == path).map(|(_, text)| text.as_bytes().to_vec())),
        };
        let mut report = Report::default();
        let listed = yaml::load(listed).unwrap();
        let files = of(Some(&listed), &read, &mut report);
        let files: Vec<(String, String)> = files
            .into_iter()
            .map(|file| (file.path, String::from_utf8(file.content.to_vec()).unwrap()))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(files, expected, "{listed:?}");
        assert_eq!(report.warnings, problems, "{listed:?}");
    }

    /// The expected values follow cloud-init 26.2's `read_v2` and `write_injected_files`. A file with a problem here
    /// costs it the whole drive, but it tries to write `..` and a `/` at the end.
    #[test]
    fn a_file_goes_where_it_is_meant_and_a_faulty_one_costs_only_itself() {
        let good = "{path: /etc/a, content_path: /content/0000}";
        check(&format!("[{good}]"), &[("/etc/a", "zero")], &[]);
        check("[{path: etc/a, content_path: content/0001}]", &[("/etc/a", "one")], &[]);
        check("[{path: //etc//a, content_path: //content//0001}]", &[("/etc/a", "one")], &[]);
        check(&format!("[{good}, {{path: /etc/a, content_path: /content/0001}}]"), &[("/etc/a", "one")], &[]);
        check(&format!("[{{content_path: /content/0000}}, {good}]"), &[("/etc/a", "zero")], &[]);
        check("[]", &[], &[]);
        check("null", &[], &[]);
        check("{a: b}", &[], &["files: it is a mapping and no list"]);
        for (item, problem) in [
            ("text", "it is a text and no mapping"),
            ("{path: 5}", "the path is no text"),
            ("{path: ''}", "the path `` names no file"),
            ("{path: /etc/, content_path: /content/0000}", "the path `/etc/` names no file"),
            ("{path: /../x, content_path: /content/0000}", "the path `/../x` names no file"),
            ("{path: /b}", "/b: the content_path `` names no file"),
            ("{path: /b, content_path: /}", "/b: the content_path `/` names no file"),
            ("{path: /b, content_path: /../latest}", "/b: the content_path `/../latest` names no file"),
            ("{path: /b, content_path: /content/9}", "/b: there is no /content/9"),
            ("{path: /b, content_path: /content/broken}", "/b: read it: Input/output error"),
        ] {
            check(
                &format!("[{item}, {good}]"),
                &[("/etc/a", "zero")],
                &[&format!("files: entry 1: {problem}")],
            );
        }
    }
}
