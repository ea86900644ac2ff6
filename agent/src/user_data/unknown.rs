//! The reasons why nothing handles a part, as far as its content tells: a table of what people often give by mistake.

use super::part::{Dropped, Part};
use super::{cloud_config, compression, kinds, mime, python};
use crate::codec;
use anyhow::{Result, bail};

/// One mistake: how it is recognised, and what is said of it.
type Mistake = (fn(&[u8]) -> bool, &'static str);

/// The first that fits is told.
const MISTAKES: &[Mistake] = &[
    (has_utf8_mark, "a byte order mark stands before its first line (save it as UTF-8 without one)"),
    (is_utf16, "it is UTF-16 (save it as UTF-8)"),
    (|data| data.starts_with(b"PK\x03\x04"), "it is a zip archive (give the text, or compress it with gzip)"),
    (is_web_page, "it is a web page (does its address want a login, or show an error?)"),
    (is_ignition, "it is an Ignition configuration, which is another program's"),
    (is_windows, "it is a script for Windows"),
    (
        is_headless_mime,
        "it is MIME without its head (the first lines have to be MIME-Version: and Content-Type:, without a blank line before or between them)",
    ),
    (compression::is_known, "it is compressed twice (compress it once)"),
    (is_late_archive, "blanks stand before what is compressed (take them out)"),
    (is_nearly_template, "its first line is nearly that of a template (write `## template: jinja`)"),
    (is_late, "lines stand before the one that says what it is (that has to be the first)"),
    (is_nearly_config, "its first line is nearly that of a cloud-config (write `#cloud-config`)"),
    (is_base64, "it is base64 (give the text itself)"),
    (is_bare_config, "it looks like a cloud-config (its first line has to be `#cloud-config`)"),
];

/// The message where nothing more is known.
const NO_KIND: &str = "its first line names no known kind (`#cloud-config`, `#!`, `#include` or another)";

/// No more of the content is looked at.
const LONGEST_LOOK: usize = 4096;

/// The most lines that may stand before the one that counts.
const MOST_LINES: usize = 20;

/// A longer line is cut where it is shown.
const LONGEST_LINE: usize = 100;

/// The reason for a part that nobody wants.
pub(crate) fn unknown(part: &Part) -> Dropped {
    let text = part.text();
    let line = text.trim_start_matches(python::is_space).lines().next().unwrap_or_default();
    let mut shown: String = line.chars().take(LONGEST_LINE).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    let reason = if part.content_type == kinds::UNKNOWN || part.content_type == mime::PLAIN {
        reason(&part.payload).to_owned()
    } else {
        let hint = match kinds::of(&part.payload) {
            Some(kind) => format!(" (by its first line it is {kind})"),
            None => String::new(),
        };
        format!("nothing handles the type {}{hint}", part.content_type.escape_debug())
    };
    // As an error of YAML shows its line: not every reader of the reason may see what is in the part.
    part.dropped(format!("{reason}\n  1 | {}", shown.escape_debug()))
}

/// The reason that the content tells.
fn reason(payload: &[u8]) -> &'static str {
    mistake(payload).unwrap_or(NO_KIND)
}

fn mistake(payload: &[u8]) -> Option<&'static str> {
    let look = payload.get(..payload.len().min(LONGEST_LOOK)).unwrap_or_default();
    MISTAKES.iter().find(|(is_it, _)| is_it(look)).map(|(_, told)| *told)
}

/// Refuses included content that comes to nothing: a server's page, a known mistake, configuration that cannot be read.
/// Other text of no kind may be for a part handler.
pub(super) fn check_included(content: &[u8]) -> Result<()> {
    if mime::is_mime(content) || compression::is_known(content) {
        return Ok(());
    }
    match kinds::of(content) {
        Some(kinds::CLOUD_CONFIG) => cloud_config::read(content).map(drop),
        Some(_) => Ok(()),
        None => mistake(content).map_or(Ok(()), |told| bail!("{told}")),
    }
}

fn has_utf8_mark(data: &[u8]) -> bool {
    data.starts_with(b"\xef\xbb\xbf")
}

fn is_utf16(data: &[u8]) -> bool {
    let zeros = |from| data.iter().skip(from).step_by(2).take(8).filter(|byte| **byte == 0).count();
    data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") || zeros(0) == 8 || zeros(1) == 8
}

/// The text in lower case, without the blanks that it begins with.
fn lower(data: &[u8]) -> String {
    String::from_utf8_lossy(data).trim_start().to_lowercase()
}

fn is_web_page(data: &[u8]) -> bool {
    ["<!doctype html", "<html", "<?xml"].iter().any(|start| lower(data).starts_with(start))
}

fn is_ignition(data: &[u8]) -> bool {
    let text = lower(data);
    text.starts_with('{') && text.contains("\"ignition\"")
}

fn is_windows(data: &[u8]) -> bool {
    ["<powershell>", "<script>", "#ps1", "rem cmd", "@echo off"]
        .iter()
        .any(|start| lower(data).starts_with(start))
}

fn is_headless_mime(data: &[u8]) -> bool {
    let text = lower(data);
    let is_header = |line: &str| line.starts_with("content-type:") || line.starts_with("mime-version:");
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    is_header(first) || first.starts_with("--") && lines.next().is_some_and(is_header)
}

/// True for a line that says what a part is.
fn names_kind(line: &str) -> bool {
    line.starts_with('#') && kinds::of(line.as_bytes()).is_some()
}

/// True for a kind that is named behind comments, blank lines or the start of a YAML document.
fn is_late(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines().map(str::trim_end).take(MOST_LINES);
    let passed =
        |line: &&str| line.is_empty() || line.starts_with('#') || *line == "---" || line.starts_with('%');
    lines.by_ref().find(|line| !passed(line) || names_kind(line)).is_some_and(names_kind)
}

/// True for packed content behind what a shell or an editor put before it.
fn is_late_archive(data: &[u8]) -> bool {
    compression::is_known(data.trim_ascii_start())
}

/// The letters and digits of the first line in lower case; nothing of a long one.
fn first_letters(data: &[u8]) -> String {
    let text = lower(data);
    let first = text.lines().next().filter(|line| line.len() <= 40).unwrap_or_default();
    first.chars().filter(|character| character.is_alphanumeric()).collect()
}

fn is_nearly_template(data: &[u8]) -> bool {
    first_letters(data) == "templatejinja"
}

fn is_nearly_config(data: &[u8]) -> bool {
    ["cloudconfig", "cloudinit"].contains(&first_letters(data).as_str())
}

fn is_base64(data: &[u8]) -> bool {
    let letters: Vec<u8> = data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(64).collect();
    let whole = letters.get(..letters.len() / 4 * 4).unwrap_or_default();
    codec::base64(whole).is_ok_and(|start| {
        kinds::of(&start).is_some() || compression::is_known(&start) || mime::is_mime(&start)
    })
}

/// True for a mapping with a key that only a cloud-config has.
fn is_bare_config(data: &[u8]) -> bool {
    const TELLING: [&str; 7] =
        ["bootcmd", "package_update", "packages", "runcmd", "ssh_authorized_keys", "users", "write_files"];
    let text = String::from_utf8_lossy(data);
    let starts = |line: &str| {
        TELLING.iter().any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    };
    text.lines().any(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_data::part_for_tests;

    #[test]
    fn each_mistake_is_told_by_its_cause() {
        let config = "#cloud-config\nhostname: a\n";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| config.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let with_mark = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        let table: &[(&str, Vec<u8>)] = &[
            ("byte order mark", format!("\u{feff}{config}").into()),
            ("UTF-16", utf16(u16::to_le_bytes)),
            ("UTF-16", utf16(u16::to_be_bytes)),
            ("UTF-16", with_mark(b"\xff\xfe", utf16(u16::to_le_bytes))),
            ("zip", b"PK\x03\x04rest".to_vec()),
            ("web page", "<!DOCTYPE html>\n<html><head>".into()),
            ("Ignition", "{\"ignition\": {\"version\": \"3.4.0\"}}".into()),
            ("Windows", "<powershell>\nGet-Date\n</powershell>".into()),
            ("Windows", "#ps1_sysnative\nGet-Date".into()),
            ("without its head", "\nContent-Type: multipart/mixed; boundary=x\n\n--x\n".into()),
            ("without its head", "--x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--x--\n".into()),
            ("has to be the first", format!("---\n{config}").into()),
            ("has to be the first", format!("# made by a tool\n\n{config}").into()),
            ("has to be the first", "# a comment\n#!/bin/sh\n".into()),
            ("twice", b"\x1f\x8b\x08\0\0\0\0\0\0\x03packed".to_vec()),
            ("before what is compressed", b" \n\x1f\x8b\x08\0\0\0\0\0\0\x03packed".to_vec()),
            ("nearly that of a template", format!("##template: jinja\n{config}").into()),
            ("nearly that of a template", format!("## template:  jinja\n{config}").into()),
            ("nearly that of a template", format!("# Template: Jinja\n{config}").into()),
            ("nearly", "# cloud-config\nhostname: a\n".into()),
            ("nearly", "#cloud_config\nhostname: a\n".into()),
            ("nearly", "cloud-config\nhostname: a\n".into()),
            ("base64", codec::to_base64(config.as_bytes()).into()),
            ("base64", codec::to_base64(b"\x1f\x8b\x08\0\0\0\0\0\0\x03packed").into()),
            ("looks like a cloud-config", "runcmd:\n- ls\n".into()),
            ("looks like a cloud-config", "hostname: a\nusers:\n- default\n".into()),
        ];
        for (told, content) in table {
            let reason = reason(content);
            assert!(reason.contains(told), "{told}: {reason} ({:?})", String::from_utf8_lossy(content));
        }
    }

    #[test]
    fn what_is_no_known_mistake_is_told_the_kinds() {
        for content in [
            "hello there",
            "",
            "aGVsbG8gdGhlcmU=",
            "a: b\n",
            "echo hi\n",
            "# only\n# comments\n",
            "{}",
            "AAAA",
        ] {
            assert_eq!(reason(content.as_bytes()), NO_KIND, "{content}");
        }
    }

    #[test]
    fn a_line_that_is_cut_shows_that_it_is() {
        let shown = |content: &str| {
            let mut part = part_for_tests("p", &[], content);
            part.content_type = kinds::UNKNOWN.into();
            unknown(&part).reason.lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(shown("hello\nthere"), "  1 | hello");
        assert_eq!(shown(&"x".repeat(200)), format!("  1 | {}…", "x".repeat(LONGEST_LINE)));
    }

    #[test]
    fn a_wrong_type_is_told_with_the_right_one() {
        let told = |content: &str| {
            let mut part = part_for_tests("p", &[], content);
            part.content_type = "application/octet-stream".into();
            unknown(&part).reason.lines().next().unwrap().to_owned()
        };
        assert!(told("#cloud-config\n").ends_with("(by its first line it is text/cloud-config)"));
        assert!(told("#!/bin/sh\n").ends_with("(by its first line it is text/x-shellscript)"));
        assert_eq!(told("hello"), "nothing handles the type application/octet-stream");
    }
}
