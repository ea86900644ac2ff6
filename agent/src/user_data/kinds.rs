//! The kinds of parts, told by how they begin.

use super::{Part, Script, TakenApart};

/// A kind of part.
pub(super) struct Kind {
    /// How it begins, in lower case, after white space.
    prefix: &'static str,
    /// Takes the part.
    pub(super) take: fn(&Part, &mut TakenApart),
}

/// The longest prefix that fits decides, so it stands first.
const ALL: &[Kind] = &[
    Kind { prefix: "#cloud-config-archive", take: not_yet },
    Kind { prefix: "#cloud-config-jsonp", take: patch },
    Kind { prefix: "## template: jinja", take: not_yet },
    Kind { prefix: "#cloud-boothook", take: not_yet },
    Kind { prefix: "#include-once", take: not_yet },
    Kind { prefix: "#cloud-config", take: config },
    Kind { prefix: "#part-handler", take: not_yet },
    Kind { prefix: "#include", take: not_yet },
    Kind { prefix: "#!", take: script },
];

const UNKNOWN: &Kind = &Kind { prefix: "", take: unknown };

/// The kind of a part.
pub(super) fn of(content: &[u8]) -> &'static Kind {
    let start = String::from_utf8_lossy(content.get(..content.len().min(4096)).unwrap_or_default());
    let start = start.trim_start().to_lowercase();
    ALL.iter().find(|kind| start.starts_with(kind.prefix)).unwrap_or(UNKNOWN)
}

fn config(part: &Part, apart: &mut TakenApart) {
    let taken = apart.config.add(part);
    apart.problems.extend(taken.err().map(|rejected| format!("user-data {rejected}")));
}

fn patch(part: &Part, apart: &mut TakenApart) {
    let taken = apart.config.patch(part);
    apart.problems.extend(taken.err().map(|rejected| format!("user-data {rejected}")));
}

fn script(part: &Part, apart: &mut TakenApart) {
    let mut content = part.payload.to_vec();
    // A shebang with a carriage return names no interpreter.
    if part.payload.split_inclusive(|byte| *byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r\n"))
    {
        content = Vec::with_capacity(part.payload.len());
        for line in part.payload.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\r\n") {
                Some(line) => content.extend([line, b"\n"].concat()),
                None => content.extend(line),
            }
        }
    }
    apart.scripts.push(Script { name: part.name.clone(), content });
}

fn not_yet(part: &Part, apart: &mut TakenApart) {
    tell(part, apart, "this kind is not supported yet: it is kept and not acted on");
}

fn unknown(part: &Part, apart: &mut TakenApart) {
    tell(part, apart, "which is no known kind: it is kept and not acted on (a script begins with `#!`)");
}

fn tell(part: &Part, apart: &mut TakenApart, what: &str) {
    let text = String::from_utf8_lossy(&part.payload);
    let line: String = text.trim_start().lines().next().unwrap_or_default().chars().take(40).collect();
    apart.problems.push(format!("user-data {} begins with `{}`; {what}", part.name, line.escape_debug()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_hides_a_longer_one() {
        for (index, kind) in ALL.iter().enumerate() {
            for later in &ALL[index + 1..] {
                assert!(!later.prefix.starts_with(kind.prefix), "{} hides {}", kind.prefix, later.prefix);
            }
        }
    }

    #[test]
    fn blanks_and_capitals_do_not_matter() {
        for start in ["\n\n  #cloud-config\n", "#Cloud-Config", "#cloud-configXYZ"] {
            assert_eq!(of(start.as_bytes()).prefix, "#cloud-config", "{start:?}");
        }
        for start in ["\u{feff}#cloud-config", "cloud-config", "##template: jinja", ""] {
            assert_eq!(of(start.as_bytes()).prefix, "", "{start:?}");
        }
    }
}
