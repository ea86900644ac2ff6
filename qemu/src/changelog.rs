//! The packages' changelog in Debian's format, made from CHANGELOG.md: only that one is written by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::program;
use crate::workspace;

const SOURCE: &str = "CHANGELOG.md";

/// Longer lines are something that lintian tells.
const WIDTH: usize = 79;

/// Writes the packages' changelog.
pub(crate) fn write(path: &Path) -> Result<()> {
    let source = workspace().join(SOURCE);
    let markdown = fs::read_to_string(&source).with_context(|| format!("read {}", source.display()))?;
    let text = debian(&markdown).with_context(|| format!("read {}", source.display()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// `## VERSION (DATE)` begins a release, `### WORD` a section, and `- ` an entry.
fn debian(markdown: &str) -> Result<String> {
    let releases = markdown.split("\n## ").skip(1).map(release);
    Ok(releases.collect::<Result<Vec<_>>>()?.join("\n"))
}

fn release(text: &str) -> Result<String> {
    let (heading, body) = text.split_once('\n').unwrap_or((text, ""));
    let parts = heading.strip_suffix(')').and_then(|heading| heading.split_once(" ("));
    let (version, day) = parts.with_context(|| format!("find a version and a date in: {heading}"))?;
    let date = program("date").args(["--utc", "--rfc-email", "--date", day]).env("LC_ALL", "C").run()?;
    let mut out = format!("lifeboat ({version}-1) unstable; urgency=medium\n");
    for block in blocks(body) {
        match block.strip_prefix("### ") {
            Some(section) => write!(out, "\n  [ {section} ]\n")?,
            None => out.push_str(&wrapped(block.strip_prefix("- ").unwrap_or(&block))),
        }
    }
    writeln!(out, "\n -- {}  {}", env!("CARGO_PKG_AUTHORS"), date.trim())?;
    Ok(out)
}

/// Headings and entries, each in one line.
fn blocks(body: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        match blocks.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    blocks
}

fn wrapped(entry: &str) -> String {
    let mut lines = String::new();
    let mut line = "  *".to_owned();
    for word in entry.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            "   ".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{lines}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const MARKDOWN: &str = "\
# Changelog

## 0.2.0 (2026-11-29)

- A second release.

## 0.1.0 (2026-11-21)

### rescue

- An entry that goes on and on until it needs a second line, for it has more than
  so many characters.
";

    #[test]
    fn releases_sections_and_entries_are_debians() {
        let expected = "\
lifeboat (0.2.0-1) unstable; urgency=medium
  * A second release.

 -- The lifeboat developers <lifeboat@localhost>  Sun, 29 Nov 2026 00:00:00 +0000

lifeboat (0.1.0-1) unstable; urgency=medium

  [ rescue ]
  * An entry that goes on and on until it needs a second line, for it has more
    than so many characters.

 -- The lifeboat developers <lifeboat@localhost>  Sat, 21 Nov 2026 00:00:00 +0000
";
        assert_eq!(debian(MARKDOWN).unwrap(), expected);
    }

    #[test]
    fn a_release_without_a_date_is_refused() {
        for heading in ["0.1.0", "0.1.0 2026-11-21", "0.1.0 (some day)"] {
            assert!(debian(&format!("# Changelog\n\n## {heading}\n\n- A.\n")).is_err(), "{heading}");
        }
    }

    #[test]
    fn dpkg_reads_the_changelog_and_it_is_about_this_version() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("changelog");
        write(&path).unwrap();
        let field =
            |name| program("dpkg-parsechangelog").arg("-l").arg(&path).args(["-S", name]).run().unwrap();
        assert_eq!(field("Version").trim(), format!("{}-1", env!("CARGO_PKG_VERSION")));
        assert_eq!(field("Source").trim(), "lifeboat");
        let text = fs::read_to_string(&path).unwrap();
        let entries = text.lines().filter(|line| line.starts_with("  * ")).count();
        assert_eq!(field("Changes").lines().filter(|line| line.starts_with("  * ")).count(), entries);
        let long = text.lines().find(|line| line.starts_with("  ") && line.chars().count() > 80);
        assert_eq!(long, None);
    }
}
