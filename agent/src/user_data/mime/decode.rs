//! Bodies as they travel: base64, quoted-printable and uuencode, read as leniently as Python does.

use super::super::limits::MOST_BYTES;
use crate::codec;

/// The content of a body; what cannot be decoded stays as it came.
pub(super) fn decode(body: &[u8], encoding: &str) -> Vec<u8> {
    match encoding {
        // More comes out of it than may be, however it is read.
        "base64" if body.len() as u64 > 2 * MOST_BYTES => body.to_vec(),
        "base64" => base64(body),
        "quoted-printable" => quoted_printable(body),
        "x-uuencode" | "uuencode" | "uue" | "x-uue" => uuencoded(body).unwrap_or_else(|| body.to_vec()),
        _ => body.to_vec(),
    }
}

/// Missing padding is added; a letter too much makes the whole undecodable.
fn base64(body: &[u8]) -> Vec<u8> {
    let letters: Vec<u8> = body.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    codec::base64(&letters).or_else(|_| codec::base64(&[&letters, &b"=="[..]].concat())).unwrap_or(letters)
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'=' {
            content.push(*first);
            continue;
        }
        let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match after.first() {
            None => {}
            // A soft line end.
            Some(b'\n' | b'\r') => {
                let end = after.iter().position(|byte| *byte == b'\n').map_or(after.len(), |at| at + 1);
                rest = after.get(end..).unwrap_or_default();
            }
            Some(b'=') => {
                content.push(b'=');
                rest = after.get(1..).unwrap_or_default();
            }
            Some(_) => {
                if let (Some(high), Some(low)) = (hex(0), hex(1)) {
                    content.extend(u8::try_from(high * 16 + low));
                    rest = after.get(2..).unwrap_or_default();
                } else {
                    content.push(b'=');
                }
            }
        }
    }
    content
}

/// Decodes the lines between `begin MODE NAME` and `end`.
fn uuencoded(body: &[u8]) -> Option<Vec<u8>> {
    let mut lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.find(|line| {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        words.next() == Some(b"begin") && words.next().is_some_and(|mode| mode.iter().all(u8::is_ascii_digit))
    })?;
    let mut content = Vec::new();
    for line in lines {
        if line == b"end" {
            return Some(content);
        }
        let Some((length, letters)) = line.split_first() else { continue };
        let length = usize::from(length.wrapping_sub(b' ') & 63);
        let mut bytes = Vec::new();
        for group in letters.chunks(4) {
            let bits = (0..4).fold(0_u32, |bits, place| {
                let letter = group.get(place).copied().unwrap_or(b' ');
                (bits << 6) | u32::from(letter.wrapping_sub(b' ') & 63)
            });
            let [_, a, b, c] = bits.to_be_bytes();
            bytes.extend([a, b, c]);
        }
        bytes.resize(length, 0);
        content.extend(bytes);
        // A line of one letter stands for up to 63 zeros.
        if content.len() as u64 > MOST_BYTES {
            return Some(content);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: &str, body: &str, content: &str) {
        assert_eq!(String::from_utf8_lossy(&decode(body.as_bytes(), encoding)), content, "{body:?}");
    }

    #[test]
    fn base64_is_read_with_faults() {
        check("base64", "aGVs\r\nbG8=\n", "hello");
        check("base64", "aGVsbG8", "hello");
        check("base64", "aG!Vs bG8", "hello");
        check("base64", "aGk=aGk=", "hi");
        check("base64", "a\n", "a");
        check("base64", "!aG!k!", "hi");
    }

    #[test]
    fn quoted_printable_is_read_with_faults() {
        check("quoted-printable", "a=3Db=3d=\r\nc=\nd= \n=zz==_=", "a=b=cd= \n=zz=_");
        check("quoted-printable", "Gr=C3=BC=C3=9Fe", "Grüße");
    }

    #[test]
    fn uuencode_is_read_and_what_is_none_stays() {
        check("x-uuencode", "begin 644 f\n%:&5L;&\\\n`\nend\n", "hello");
        check("uue", "begin 644 f\n%:&5L;&\\\n", "begin 644 f\n%:&5L;&\\\n");
        check("x-uuencode", "hello", "hello");
    }

    #[test]
    fn what_is_uuencoded_comes_to_an_end() {
        let bomb = format!("begin 644 f\n{}end\n", "_\n".repeat(1_000_000));
        let content = decode(bomb.as_bytes(), "uue");
        assert!((MOST_BYTES..MOST_BYTES + 100).contains(&(content.len() as u64)), "{}", content.len());
    }

    #[test]
    fn any_other_encoding_leaves_the_body_alone() {
        for encoding in ["", "7bit", "8bit", "base64 ", "x"] {
            check(encoding, "aGk=\n", "aGk=\n");
        }
    }
}
