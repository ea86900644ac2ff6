//! base64 and gzip.

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flate2::read::MultiGzDecoder;
use std::io::Read;

/// Takes letters without padding, as `letters` leaves them. Bits left over in the last letter are ignored, as in
/// Python.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes as Python does: bytes outside of the alphabet (line ends, blanks) are ignored, padding is required.
pub(crate) fn base64(text: &[u8]) -> Result<Vec<u8>> {
    let Some(letters) = letters(text) else { bail!("decode base64: the end is missing") };
    LENIENT.decode(letters).map_err(|error| anyhow!("decode base64: {error}"))
}

/// Decodes what is base64 through and through, but for white space. Anything else is refused: what Python leaves of a
/// plain text is nothing that anybody wants.
pub(crate) fn whole_base64(text: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(text).context("decode base64: it is no text")?;
    let is_foreign = |letter: &char| {
        !letter.is_ascii_alphanumeric() && !letter.is_ascii_whitespace() && !"+/=".contains(*letter)
    };
    match text.chars().find(is_foreign) {
        Some(letter) => bail!("decode base64: it holds `{}` (is it plain text?)", letter.escape_debug()),
        None => base64(text.as_bytes()),
    }
}

/// Decodes what looks like base64. Anything else is taken as it is, because people write plain text in its place.
pub(crate) fn base64_or_text(text: Vec<u8>) -> Result<Vec<u8>> {
    let may_be =
        |byte: &u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=".contains(byte);
    if text.iter().all(may_be) { base64(&text) } else { Ok(text) }
}

/// The text itself, where it is not base64 from the first byte to the last.
pub(crate) fn perhaps_base64(text: Vec<u8>) -> Vec<u8> {
    let is_strict = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let decoded = if text.iter().all(is_strict) { base64(&text).ok() } else { None };
    decoded.unwrap_or(text)
}

/// The letters up to the padding. None if a group of four is incomplete and not padded.
fn letters(text: &[u8]) -> Option<Vec<u8>> {
    let mut letters = Vec::with_capacity(text.len());
    let mut padding = 0;
    for byte in text {
        if *byte == b'=' {
            padding += 1;
            let begun = letters.len() % 4;
            if begun >= 2 && begun + padding >= 4 {
                return Some(letters);
            }
        } else if byte.is_ascii_alphanumeric() || b"+/".contains(byte) {
            padding = 0;
            letters.push(*byte);
        }
    }
    letters.len().is_multiple_of(4).then_some(letters)
}

/// Encodes on one line.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Unpacks gzip to at most `limit` bytes.
pub(crate) fn gunzip(data: &[u8], limit: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(data).take(limit + 1).read_to_end(&mut unpacked).context("unpack gzip")?;
    if u64::try_from(unpacked.len())? > limit {
        bail!("unpack gzip: more than {limit} bytes come out");
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_not_base64_through_and_through_stays_as_it_is() {
        for (text, decoded) in [
            ("IyEvYmluL3NoCg==", "#!/bin/sh\n"),
            ("IyEvYmluL3NoCg==\n", "IyEvYmluL3NoCg==\n"),
            ("#!/bin/sh\n", "#!/bin/sh\n"),
            ("abcde", "abcde"),
            ("", ""),
        ] {
            assert_eq!(perhaps_base64(text.into()), decoded.as_bytes(), "{text}");
        }
    }

    #[test]
    fn base64_is_read_with_line_ends_and_refused_without_its_end() {
        assert_eq!(base64(b"aGVs\nbG8=\n").unwrap(), b"hello");
        assert_eq!(base64(b"aGVsbG8h").unwrap(), b"hello!");
        assert_eq!(base64(b"aA==").unwrap(), b"h");
        for bad in [&b"aGVsbG8"[..], b"a", b"aA=", b"="] {
            assert!(base64(bad).is_err() || bad == b"=", "{bad:?}");
        }
    }

    #[test]
    fn base64_is_as_lenient_as_pythons() {
        for (text, bytes) in [
            (&b"aGk=aGk="[..], &b"hi"[..]),
            (b"=aG=k=", b"hi"),
            (b"aGl=", b"hi"),
            (b"-aG_k=", b"hi"),
            (&[b'='; 300], b""),
        ] {
            assert_eq!(base64(text).unwrap(), bytes, "{}", text.escape_ascii());
        }
        for bad in [&b"aGk"[..], b"aGkaG=", b"a===", b"aGk-"] {
            let error = base64(bad).unwrap_err().to_string();
            assert_eq!(error, "decode base64: the end is missing", "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_only_python_would_decode_is_refused_where_base64_is_said() {
        assert_eq!(whole_base64(b" aGVs\nbG8=\r\n").unwrap(), b"hello");
        assert_eq!(whole_base64(b"").unwrap(), b"");
        for (text, told) in [
            (&b"hello, world"[..], "holds `,` (is it plain text?)"),
            (b"#!/bin/sh\necho a\n", "holds `#`"),
            ("aGé=".as_bytes(), "holds `é`"),
            (b"aG-_", "holds `-`"),
            (b"aG\xff=", "it is no text"),
            (b"aGk", "the end is missing"),
        ] {
            let error = whole_base64(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn base64_goes_there_and_back() {
        for length in 0..9_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(97)).collect();
            assert_eq!(base64(to_base64(&bytes).as_bytes()).unwrap(), bytes);
        }
    }

    #[test]
    fn a_gzip_bomb_is_stopped_at_the_limit() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; 100_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(gunzip(&packed, 100_000).unwrap().len(), 100_000);
        assert!(gunzip(&packed, 99_999).unwrap_err().to_string().contains("99999"));
        assert!(gunzip(packed.get(..50).unwrap(), 100_000).is_err());
    }
}
