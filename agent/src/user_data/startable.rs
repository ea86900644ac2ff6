//! The reasons why the kernel cannot start a script: a table of what its first line lacks.

use super::part::Part;
use super::{kinds, python, sort, text};
use std::borrow::Cow;

/// The first bytes of a program that is not a script.
const ELF: &[u8] = b"\x7fELF";

/// The reason why the kernel cannot start the file of a part; `None` if it can, or if nothing of it is run.
pub(crate) fn not_startable(part: &Part) -> Option<String> {
    let payload = &part.payload;
    let content = match part.content_type.as_str() {
        kinds::SCRIPT | kinds::PER_BOOT | kinds::PER_INSTANCE | kinds::PER_ONCE => {
            text::with_unix_lines(payload)
        }
        kinds::BOOTHOOK | kinds::X_SH => sort::hook(payload),
        kinds::PART_HANDLER => sort::executable(payload)?,
        _ => return None,
    };
    cannot_start(&content)
}

/// The reason why the kernel cannot start a file with this content, or starts something else than what is meant.
pub(crate) fn cannot_start(content: &[u8]) -> Option<String> {
    if content.starts_with(ELF) {
        return None;
    }
    let Some(line) = content.strip_prefix(b"#!") else {
        let is_late = kinds::of(content) == Some(kinds::SCRIPT);
        return Some(if is_late {
            "blanks or blank lines stand before its `#!`, so the kernel cannot start it".into()
        } else {
            "it is a script and does not begin with `#!`, so the kernel cannot start it".into()
        });
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    first_line(&line).or_else(|| other_lines(content))
}

/// The fault of the line behind `#!`.
fn first_line(line: &str) -> Option<String> {
    if line.ends_with('\r') {
        return Some(
            "its first line ends with a carriage return, which the kernel takes for a part of the interpreter's name \
             (save it with Unix line ends)"
                .into(),
        );
    }
    let line = line.trim_matches([' ', '\t']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim_start();
    if interpreter.is_empty() {
        return Some("its first line names no interpreter (such as `#!/bin/sh`)".into());
    }
    if !interpreter.contains('/') {
        let shown = interpreter.escape_debug();
        return Some(format!("its first line names `{shown}`, and no path such as `#!/bin/sh`"));
    }
    if interpreter.ends_with("/env") && argument.contains(python::is_space) && !argument.starts_with('-') {
        let shown = argument.escape_debug();
        return Some(format!("env takes `{shown}` for one name (write `{interpreter} -S {shown}`)"));
    }
    None
}

/// The first line is all that says how the others end. A shell takes a carriage return for a part of the last word.
fn other_lines(content: &[u8]) -> Option<String> {
    let lines: Cow<'_, str> = String::from_utf8_lossy(content);
    let (all, dos) = lines
        .split_inclusive('\n')
        .skip(1)
        // MIME takes the end of the last line.
        .filter(|line| line.ends_with('\n'))
        .fold((0, 0), |(all, dos), line| (all + 1, dos + usize::from(line.ends_with("\r\n"))));
    (dos > 0 && dos == all).then(|| {
        "all lines but the first end with a carriage return, which stays (save it with Unix line ends)".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_data::part_for_tests;

    const LATE: &str = "blanks or blank lines stand before";
    const NONE: &str = "does not begin with `#!`";
    const RETURN: &str = "ends with a carriage return";
    const OTHERS: &str = "all lines but the first";

    /// cloud-init 26.2 was run on each: what is told fails there, and the others run.
    #[test]
    fn a_script_that_does_not_run_is_told_by_its_cause() {
        for (kind, content, told) in [
            (kinds::SCRIPT, "#!/bin/sh\nls\n", None),
            (kinds::SCRIPT, "#! /bin/sh -e\nls\n", None),
            (kinds::SCRIPT, "#!/bin/sh", None),
            // Both lines lose it, for the first one shows how they end.
            (kinds::SCRIPT, "#!/bin/sh\r\nls\r\n", None),
            (kinds::PER_BOOT, "#!/bin/bash\r\nls\r\n", None),
            (kinds::BOOTHOOK, "#cloud-boothook\r\n#!/bin/sh\r\nls\r\n", None),
            (kinds::BOOTHOOK, "#cloud-boothook\n#!/bin/sh\r\nls\r\n", Some(RETURN)),
            (kinds::BOOTHOOK, "#cloud-boothook\nls\n", Some(NONE)),
            (kinds::SCRIPT, "\n#!/bin/sh\n", Some(LATE)),
            (kinds::PER_ONCE, "ls\n", Some(NONE)),
            (kinds::SCRIPT, "#!/bin/sh\nif true\r\nthen ls\r\nfi\r\n", Some(OTHERS)),
            (kinds::PER_BOOT, "#!/bin/sh\nif true\r\nthen ls\r\nfi", Some(OTHERS)),
            (kinds::SCRIPT, "#!/bin/sh\nprintf 'a\r\n' >x\nls\n", None),
            (kinds::SCRIPT, "#!\nls\n", Some("names no interpreter")),
            (kinds::SCRIPT, "#!cloud-config\nruncmd: [ls]\n", Some("names `cloud-config`, and no path")),
            (kinds::SCRIPT, "#!bash\nls\n", Some("names `bash`, and no path")),
            (kinds::SCRIPT, "#!/usr/bin/env bash -e\nls\n", Some("write `/usr/bin/env -S bash -e`")),
            (kinds::SCRIPT, "#!/usr/bin/env -S bash -e\nls\n", None),
            (kinds::SCRIPT, "#!/usr/bin/env  python3 \nprint()\n", None),
            (kinds::SCRIPT, "\x7fELF\u{2}", None),
            (kinds::PART_HANDLER, "#part-handler\n#!/bin/sh\n", None),
            (kinds::PART_HANDLER, "#part-handler\r\n#!/bin/sh\r\nls\r\n", None),
            (kinds::PART_HANDLER, "#part-handler\ndef handle_part(a):\n", None),
            (kinds::CLOUD_CONFIG, "ls\n", None),
        ] {
            let mut part = part_for_tests("p", &[], content);
            part.content_type = kind.into();
            let reason = not_startable(&part);
            match told {
                Some(told) => assert!(
                    reason.as_ref().is_some_and(|reason| reason.contains(told)),
                    "{content:?}: {reason:?}"
                ),
                None => assert_eq!(reason, None, "{content:?}"),
            }
        }
    }
}
