//! Bytes -> a tree of messages, as Python's `email` takes faulty ones. The end of a file ends every part, and a line
//! that is no header begins the body. Bytes that are no ASCII stay as they are.

use super::headers::Headers;
use super::{Body, Message, PLAIN, RFC822};

/// The most levels to which messages may be nested, and the most messages there may be.
pub(crate) const DEEPEST: usize = 50;
pub(crate) const MOST: usize = 10_000;

/// The most headers that all of them may have together.
pub(crate) const MOST_HEADERS: usize = 100_000;

/// A message, and what was left out of it.
pub(super) fn parse(data: &[u8]) -> (Message<'_>, Option<String>) {
    let mut parser = Parser { data, at: 0, ends: Vec::new(), count: 0, headers: 0, overflow: None };
    let message = parser.message(PLAIN, 0);
    (message, parser.overflow)
}

/// The end of the part that is read, or of one around it.
enum End {
    Boundary(Vec<u8>),
    EmptyLine,
}

struct Parser<'a> {
    data: &'a [u8],
    at: usize,
    ends: Vec<End>,
    count: usize,
    headers: usize,
    overflow: Option<String>,
}

/// Where a line stands between the parts of a multipart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Between,
    Last,
}

impl<'a> Parser<'a> {
    /// The next line with its end; `None` at the end of the data or of a part around this one.
    fn line(&mut self) -> Option<&'a [u8]> {
        let line = self.peek()?;
        self.at += line.len();
        Some(line)
    }

    fn peek(&self) -> Option<&'a [u8]> {
        let line = line_at(self.data, self.at)?;
        // Most lines are neither, and there may be many ends to look for.
        let may_end = matches!(line.first(), Some(b'-' | b'\r' | b'\n'));
        let ended = may_end
            && self.ends.iter().any(|end| match end {
                End::Boundary(boundary) => separator(line, boundary).is_some(),
                End::EmptyLine => !line.starts_with(b"-"),
            });
        if ended { None } else { Some(line) }
    }

    /// All that is left of the part.
    fn rest(&mut self) -> &'a [u8] {
        let from = self.at;
        if self.ends.is_empty() {
            self.at = self.data.len();
        }
        while self.line().is_some() {}
        self.data.get(from..self.at).unwrap_or_default()
    }

    fn give_up(&mut self, why: String) {
        self.overflow.get_or_insert(why);
        self.at = self.data.len();
    }

    /// Reads a message; its last line end is part of it.
    fn message(&mut self, default_type: &'static str, depth: usize) -> Message<'a> {
        self.count += 1;
        let headers = self.headers();
        let mut message = Message { headers, default_type, body: Body::Bytes(b"") };
        let kind = message.content_type();
        if depth >= DEEPEST && (kind.starts_with("message/") || kind.starts_with("multipart/")) {
            self.give_up(format!("messages are nested deeper than {DEEPEST}"));
        } else if kind == "message/delivery-status" {
            message.body = Body::Parts(self.blocks(depth));
        } else if kind.starts_with("message/") {
            message.body = Body::Parts(vec![self.message(PLAIN, depth + 1)]);
        } else if kind.starts_with("multipart/") {
            let children = if kind == "multipart/digest" { RFC822 } else { PLAIN };
            message.body = match message.headers.boundary() {
                Some(boundary) => self.parts(boundary.as_bytes(), children, depth),
                None => Body::Bytes(self.rest()),
            };
        } else {
            message.body = Body::Bytes(self.rest());
        }
        message
    }

    fn headers(&mut self) -> Headers {
        let mut headers = Headers::default();
        let mut last: Option<(&[u8], Vec<u8>)> = None;
        let mut first = true;
        while let Some(line) = self.peek() {
            if !is_header(line) {
                if matches!(line.first(), Some(b'\r' | b'\n')) {
                    self.at += line.len();
                }
                break;
            }
            let continues = matches!(line.first(), Some(b' ' | b'\t'));
            if continues {
                if let Some((_, value)) = &mut last {
                    value.extend(line);
                }
            } else {
                keep(&mut headers, last.take());
                if line.starts_with(b"From ") {
                    // A line like this that ends the headers is the first of the body.
                    let is_last =
                        || line_at(self.data, self.at + line.len()).is_none_or(|line| !is_header(line));
                    if !first && is_last() {
                        break;
                    }
                } else if let Some(colon) = line.iter().position(|byte| *byte == b':').filter(|at| *at > 0) {
                    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
                    last = Some((name, value.get(1..).unwrap_or_default().to_vec()));
                }
            }
            first = false;
            self.at += line.len();
        }
        keep(&mut headers, last);
        self.headers += headers.len();
        if self.headers > MOST_HEADERS {
            self.give_up(format!("all parts have more than {MOST_HEADERS} headers"));
        }
        headers
    }

    fn parts(&mut self, boundary: &[u8], default_type: &'static str, depth: usize) -> Body<'a> {
        let from = self.at;
        let mut parts = Vec::new();
        let mut begun = false;
        while let Some(line) = self.peek() {
            match separator(line, boundary) {
                Some(Separator::Last) => {
                    if !begun {
                        break;
                    }
                    self.at += line.len();
                    self.rest();
                    return Body::Parts(parts);
                }
                Some(Separator::Between) => {
                    begun = true;
                    while let Some(line) = self.peek().filter(|line| separator(line, boundary).is_some()) {
                        self.at += line.len();
                    }
                    if self.count >= MOST {
                        self.give_up(format!("there are more than {MOST} parts"));
                        break;
                    }
                    self.ends.push(End::Boundary(boundary.to_vec()));
                    let mut part = self.message(default_type, depth + 1);
                    self.ends.pop();
                    part.cut_line_end();
                    parts.push(part);
                }
                None => self.at += line.len(),
            }
        }
        if begun {
            return Body::Parts(parts);
        }
        self.rest();
        Body::Bytes(self.data.get(from..self.at).unwrap_or_default())
    }

    /// A delivery status is blocks of headers.
    fn blocks(&mut self, depth: usize) -> Vec<Message<'a>> {
        let mut blocks = Vec::new();
        loop {
            if self.count >= MOST {
                self.give_up(format!("there are more than {MOST} parts"));
            }
            self.ends.push(End::EmptyLine);
            blocks.push(self.message(PLAIN, depth + 1));
            self.ends.pop();
            if self.line().is_none() || self.peek().is_none() {
                return blocks;
            }
        }
    }
}

fn keep(headers: &mut Headers, header: Option<(&[u8], Vec<u8>)>) {
    let Some((name, value)) = header else { return };
    let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(&value));
    headers.add(&name, value.trim_start_matches([' ', '\t']).trim_end_matches(['\r', '\n']));
}

/// `From `, a name with its colon, or the continuation of one.
fn is_header(line: &[u8]) -> bool {
    if line.starts_with(b"From ") || matches!(line.first(), Some(b' ' | b'\t')) {
        return true;
    }
    line.iter().find(|byte| !matches!(byte, b'!'..=b'9' | b';'..=b'~')) == Some(&b':')
}

fn separator(line: &[u8], boundary: &[u8]) -> Option<Separator> {
    let after = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let is_end = |rest: &[u8]| {
        rest.iter().find(|byte| !b" \t".contains(byte)).is_none_or(|byte| b"\r\n".contains(byte))
    };
    match after.strip_prefix(b"--") {
        Some(after) if is_end(after) => Some(Separator::Last),
        _ if is_end(after) => Some(Separator::Between),
        _ => None,
    }
}

/// A line ends with `\n`, `\r` or both.
fn line_at(data: &[u8], at: usize) -> Option<&[u8]> {
    let rest = data.get(at..).filter(|rest| !rest.is_empty())?;
    let end = rest.iter().position(|byte| b"\r\n".contains(byte)).map_or(rest.len(), |end| {
        if rest.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n")) { end + 2 } else { end + 1 }
    });
    rest.get(..end)
}
