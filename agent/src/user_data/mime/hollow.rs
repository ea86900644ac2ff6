//! Messages that hold text and come to no part: their author meant parts.

use super::{Body, Message};

impl Message<'_> {
    /// The reasons why nothing comes of the text in it, or in a multipart within it; one reason for each.
    pub(crate) fn hollow(&self, data: &[u8]) -> Vec<String> {
        let mut reasons = Vec::new();
        // Lines that begin with a blank go on with the header above them: such a message is all header.
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut lines = data.split(|byte| *byte == b'\n');
        let is_all_header = matches!(self.body, Body::Bytes(text) if text.trim_ascii().is_empty());
        if is_all_header
            && lines
                .any(|line| line.first().is_some_and(is_blank) && line.trim_ascii_start().starts_with(b"--"))
        {
            reasons.push("blanks stand before its lines, which makes headers of them (take them out)".into());
        }
        let mut waiting = vec![self];
        while let Some(message) = waiting.pop() {
            match &message.body {
                Body::Parts(parts) => waiting.extend(parts.iter().rev()),
                Body::Bytes(text) => reasons.extend(message.without_parts(text)),
            }
        }
        reasons
    }

    /// The reason why a multipart with this text has no part. One that ends at once is meant to have none.
    fn without_parts(&self, text: &[u8]) -> Option<String> {
        if !self.content_type().starts_with("multipart/") || text.trim_ascii().is_empty() {
            return None;
        }
        let Some(boundary) = self.headers.boundary() else {
            return Some(
                "its Content-Type names no boundary (boundary=\"…\"), so no part is found in it".into(),
            );
        };
        let last = format!("--{boundary}--");
        if text.trim_ascii() == last.as_bytes() {
            return None;
        }
        let shown = boundary.escape_debug();
        Some(format!("no line `--{shown}` begins a part in it (its Content-Type says boundary=\"{shown}\")"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// cloud-init 26.2 was run on each: no part comes of it, and not a word is said.
    #[test]
    fn a_message_without_a_part_is_told_by_its_cause() {
        const PART: &str = "--X\nContent-Type: text/cloud-config\n\n#cloud-config\n--X--\n";
        let head = |more: &str| format!("Content-Type: multipart/mixed{more}\nMIME-Version: 1.0\n\n");
        for (message, told) in [
            (head("") + PART, Some("names no boundary")),
            (head("; boundary=") + PART, Some("boundary")),
            (head("; boundary=Y") + PART, Some("no line `--Y` begins a part")),
            (head("; boundary=--X") + PART, Some("no line `----X` begins a part")),
            (head("; boundary=X") + &PART.replace("--X", "  --X"), Some("no line `--X` begins a part")),
            (head("; boundary=X") + &PART.replace("--X", "X"), Some("no line `--X` begins a part")),
            ((head("; boundary=X") + PART).replace('\n', "\n  "), Some("blanks stand before")),
            (format!("  {}", head("; boundary=X") + PART).replace('\n', "\n  "), Some("blanks stand before")),
            (
                format!("{}--X\n{}{}--X--\n", head("; boundary=X"), head("; boundary=Z"), "--Q\n\na\n"),
                Some("`--Z`"),
            ),
            // All is well with these.
            (head("; boundary=X") + PART, None),
            (head("; boundary=X") + "--X--\n", None),
            (head("; boundary=X"), None),
            (head("; boundary=X") + "--X\n\n--X--\n", None),
            ("MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n".into(), None),
            ("#!/bin/sh\n# MIME-Version: 1.0\n".into(), None),
        ] {
            let reasons = parse(message.as_bytes()).0.hollow(message.as_bytes());
            match told {
                Some(told) => assert!(
                    matches!(reasons.as_slice(), [one] if one.contains(told)),
                    "{message}: {reasons:?}"
                ),
                None => assert_eq!(reasons, [""; 0], "{message}"),
            }
        }
    }
}
