//! base64 and gzip.

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use std::io::Read;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes as Python does: what is not of the alphabet (line ends, blanks) is passed over, padding has to be there.
pub(crate) fn base64(text: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u8);
    let mut padding = 0_u8;
    for byte in text {
        if *byte == b'=' {
            padding += 1;
            if count + padding >= 4 && count >= 2 {
                count = 0;
                break;
            }
            continue;
        }
        let Some(value) = value_of(*byte) else { continue };
        padding = 0;
        bits = (bits << 6) | u32::from(value);
        count = (count + 1) % 4;
        if count != 1 {
            let shift = match count {
                2 => 4,
                3 => 2,
                _ => 0,
            };
            bytes.push(u8::try_from((bits >> shift) & 0xff)?);
        }
    }
    if count != 0 {
        bail!("decode base64: the end is missing");
    }
    Ok(bytes)
}

fn value_of(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Encodes on one line.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = usize::try_from((bits >> (18 - 6 * place)) & 0x3f).unwrap_or_default();
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
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
    fn base64_is_read_with_line_ends_and_refused_without_its_end() {
        assert_eq!(base64(b"aGVs\nbG8=\n").unwrap(), b"hello");
        assert_eq!(base64(b"aGVsbG8h").unwrap(), b"hello!");
        assert_eq!(base64(b"aA==").unwrap(), b"h");
        for bad in [&b"aGVsbG8"[..], b"a", b"aA=", b"="] {
            assert!(base64(bad).is_err() || bad == b"=", "{bad:?}");
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
