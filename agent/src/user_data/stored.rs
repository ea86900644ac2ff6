//! Parts as one text, in which everything is unpacked, included and named: `user-data.txt.i`.

use super::mime;
use super::part::Part;
use crate::codec;

/// Headers that are written for each part, whatever it came with.
const OWN: &[&str] = &["content-type", "content-transfer-encoding", "content-disposition", "mime-version"];

/// The longest line of base64.
const LINE: usize = 76;

/// Writes them as MIME.
pub(crate) fn to_mime(parts: &[Part]) -> Vec<u8> {
    let boundary = boundary(parts);
    let mut out = format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\nNumber-Attachments: {}\n\n",
        parts.len()
    )
    .into_bytes();
    for part in parts {
        out.extend(
            format!("--{boundary}\nMIME-Version: 1.0\nContent-Type: {}\n", one_line(&part.content_type))
                .bytes(),
        );
        for (name, value) in part.headers.iter() {
            let is_told = name.eq_ignore_ascii_case("content-disposition")
                || !OWN.contains(&name.to_lowercase().as_str());
            // An archive may name a header as it likes, and what is no name would begin the body.
            if is_told && is_name(name) {
                out.extend(format!("{}: {}\n", one_line(name), one_line(value)).bytes());
            }
        }
        if is_plain(&part.payload) {
            out.extend(b"Content-Transfer-Encoding: 7bit\n\n");
            out.extend(&part.payload);
        } else {
            out.extend(b"Content-Transfer-Encoding: base64\n\n");
            for line in codec::to_base64(&part.payload).as_bytes().chunks(LINE) {
                out.extend(line);
                out.push(b'\n');
            }
        }
        out.push(b'\n');
    }
    out.extend(format!("--{boundary}--\n").bytes());
    out
}

/// Reads what was written; `whole` is its name in messages.
pub(crate) fn from_mime(stored: &[u8], whole: &str) -> Vec<Part> {
    let (message, _) = mime::parse(stored);
    let parts = message.leaves().into_iter().enumerate().map(|(index, leaf)| Part {
        name: leaf.headers.file_name().unwrap_or_default(),
        number: index + 1,
        content_type: leaf.content_type(),
        headers: leaf.headers.clone(),
        payload: leaf.payload(),
        place: format!("{whole}, kept part {}", index + 1),
    });
    parts.collect()
}

/// True if the payload goes through a reader of lines unchanged.
fn is_plain(payload: &[u8]) -> bool {
    payload.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~'))
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// A line that no part has.
fn boundary(parts: &[Part]) -> String {
    let texts = parts.iter().filter(|part| is_plain(&part.payload));
    let lines = texts.flat_map(|part| part.payload.split(|byte| *byte == b'\n'));
    let longest = lines.filter(|line| line.starts_with(b"--===")).map(<[u8]>::len).max().unwrap_or_default();
    // Longer than any line that it could be taken for.
    format!("={}", "=".repeat(longest.max(14)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mime::Headers;

    fn part(number: usize, content_type: &str, payload: &[u8]) -> Part {
        let mut headers = Headers::default();
        headers.add("Merge-Type", "list(append)");
        headers.set_file_name("a \"b\"; c\u{e9}");
        Part {
            name: "a \"b\"; c\u{e9}".into(),
            number,
            content_type: content_type.into(),
            headers,
            payload: payload.to_vec(),
            place: String::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let texts: [&[u8]; 6] = [
            b"#!/bin/sh\n",
            b"--===============\n--================--\n",
            b"\xff\0\r\n",
            b"",
            b"From x\n\n",
            "Gr\u{fc}\u{df}e\n".as_bytes(),
        ];
        let parts: Vec<_> =
            texts.iter().enumerate().map(|(i, text)| part(i + 1, "text/x-thing", text)).collect();
        let written = to_mime(&parts);
        let found = from_mime(&written, "x");
        assert_eq!(found.len(), parts.len());
        for (found, part) in found.iter().zip(&parts) {
            assert_eq!((&found.name, &found.payload), (&part.name, &part.payload));
            assert_eq!(found.headers.get("Merge-Type"), Some("list(append)"));
        }
    }

    #[test]
    fn what_is_no_header_does_not_begin_the_body() {
        for name in ["a b", "a: b", "", "\u{fc}", "a\nb"] {
            let mut odd = part(1, "text/x-thing", b"x\n");
            odd.headers.add(name, "v");
            let found = from_mime(&to_mime(&[odd]), "x");
            assert_eq!(found.iter().map(|part| part.payload.as_slice()).collect::<Vec<_>>(), [b"x\n"]);
        }
    }

    #[test]
    fn nothing_is_written_as_nothing() {
        let written = String::from_utf8(to_mime(&[])).unwrap();
        assert!(written.contains("Number-Attachments: 0\n"), "{written}");
        assert_eq!(from_mime(written.as_bytes(), "x"), []);
    }
}
