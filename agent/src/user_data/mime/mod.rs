//! MIME as Python's `email` reads it, which is what user-data is written for.

mod decode;
mod headers;
mod hollow;
mod parameters;
mod parse;

pub(crate) use headers::Headers;
pub(crate) use parse::{MOST as MOST_PARTS, MOST_HEADERS};

/// The type of what says nothing of its type.
pub(crate) const PLAIN: &str = "text/plain";
const RFC822: &str = "message/rfc822";

/// The number of the first bytes that are searched for `MIME-Version:`.
const HEAD: usize = 4096;

/// The content of a body with its headers.
pub(crate) fn decode_payload(body: &[u8], headers: &Headers) -> Vec<u8> {
    decode::decode(body, &headers.encoding())
}

/// A message: a part, or what holds parts.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// The headers above the body.
    pub(crate) headers: Headers,
    default_type: &'static str,
    body: Body<'a>,
}

#[derive(Debug)]
enum Body<'a> {
    Bytes(&'a [u8]),
    Parts(Vec<Message<'a>>),
}

/// True if the data is to be read as MIME.
pub(crate) fn is_mime(data: &[u8]) -> bool {
    let word = b"mime-version:";
    let head = data.get(..data.len().min(HEAD)).unwrap_or_default();
    head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// Reads a message; beside it what was left out, which is past a limit.
pub(crate) fn parse(data: &[u8]) -> (Message<'_>, Option<String>) {
    parse::parse(data)
}

impl<'a> Message<'a> {
    /// Takes data that is not MIME for a message.
    pub(crate) fn plain(data: &'a [u8], content_type: &str) -> Self {
        let mut headers = Headers::default();
        headers.add("Content-Type", content_type);
        Self { headers, default_type: PLAIN, body: Body::Bytes(data) }
    }

    /// The type in lower case, without its parameters.
    pub(crate) fn content_type(&self) -> String {
        self.headers.content_type(self.default_type)
    }

    /// The content; nothing when it holds messages.
    pub(crate) fn payload(&self) -> Vec<u8> {
        match &self.body {
            Body::Bytes(bytes) => decode::decode(bytes, &self.headers.encoding()),
            Body::Parts(_) => Vec::new(),
        }
    }

    /// It and all in it that are no multipart, in their order.
    pub(crate) fn leaves(&self) -> Vec<&Self> {
        let mut leaves = Vec::new();
        let mut waiting = vec![self];
        while let Some(message) = waiting.pop() {
            if !message.content_type().starts_with("multipart/") {
                leaves.push(message);
            }
            if let Body::Parts(parts) = &message.body {
                waiting.extend(parts.iter().rev());
            }
        }
        leaves
    }

    /// The line end before a boundary belongs to the boundary.
    fn cut_line_end(&mut self) {
        if self.content_type().starts_with("multipart/") {
            return;
        }
        match &mut self.body {
            Body::Bytes(bytes) => {
                *bytes = bytes
                    .strip_suffix(b"\r\n")
                    .or_else(|| bytes.strip_suffix(b"\n"))
                    .or_else(|| bytes.strip_suffix(b"\r"))
                    .unwrap_or(bytes);
            }
            Body::Parts(parts) => {
                if let Some(last) = parts.last_mut() {
                    last.cut_line_end();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
