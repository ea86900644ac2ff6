//! `Content-Encoding`: how a server packed what it sends, whatever it was asked for.

use super::{LARGEST, TOO_LARGE};
use anyhow::{Context, Result, bail};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;
use std::io::Read;

/// Names of encodings that change nothing, and words that servers write there by mistake.
const PLAIN: [&str; 7] = ["", "identity", "none", "binary", "aws-chunked", "utf-8", "utf8"];

/// The largest window of zstd, as for user-data.
const LARGEST_WINDOW: u64 = 32 << 20;

/// Unpacks a body. The encodings stand in the order in which they were applied.
pub(super) fn unpacked(body: Vec<u8>, encodings: &str) -> Result<Vec<u8>> {
    let names = encodings.split(',').map(|name| name.trim().to_ascii_lowercase());
    let names: Vec<String> = names.filter(|name| !PLAIN.contains(&name.as_str())).collect();
    // A server names an encoding for nothing, too.
    if body.is_empty() {
        return Ok(body);
    }
    names.iter().rev().try_fold(body, |body, name| {
        let said = || format!("unpack it, for its Content-Encoding is {name}");
        match name.as_str() {
            "gzip" | "x-gzip" => all(MultiGzDecoder::new(body.as_slice())).with_context(said),
            // Some servers leave zlib's header out.
            "deflate" if has_zlib_header(&body) => {
                all(ZlibDecoder::new(body.as_slice())).with_context(said)
            }
            "deflate" => all(DeflateDecoder::new(body.as_slice())).with_context(said),
            "zstd" => zstd(&body).with_context(said),
            _ => bail!(
                "its Content-Encoding is {}, which is not understood (gzip, deflate and zstd are: have the server send it as it is)",
                name.escape_debug()
            ),
        }
    })
}

fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 15 == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

fn all(reader: impl Read) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > LARGEST {
        bail!(TOO_LARGE);
    }
    Ok(unpacked)
}

fn zstd(body: &[u8]) -> Result<Vec<u8>> {
    all(StreamingDecoder::new_with_max_window_size(body, LARGEST_WINDOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    const TEXT: &[u8] = b"#cloud-config\n";

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    fn raw(content: &[u8]) -> Vec<u8> {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn each_encoding_is_undone_in_the_order_in_which_it_was_applied() {
        for (encodings, body) in [
            ("gzip", gzip(TEXT)),
            ("x-gzip", gzip(TEXT)),
            ("GZIP", gzip(TEXT)),
            (" gzip ", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", raw(TEXT)),
            ("deflate, gzip", gzip(&zlib(TEXT))),
            ("gzip,gzip", gzip(&gzip(TEXT))),
            ("aws-chunked,gzip", gzip(TEXT)),
            ("gzip, identity", gzip(TEXT)),
            ("gzip", [gzip(b"#cloud-"), gzip(b"config\n")].concat()),
            ("", TEXT.to_vec()),
            ("identity", TEXT.to_vec()),
            ("UTF-8", TEXT.to_vec()),
        ] {
            assert_eq!(unpacked(body, encodings).unwrap(), TEXT, "{encodings}");
        }
        // The content itself is left packed: user-data may be.
        assert_eq!(unpacked(gzip(TEXT), "").unwrap(), gzip(TEXT));
        assert_eq!(unpacked(gzip(&gzip(TEXT)), "gzip").unwrap(), gzip(TEXT));
        assert_eq!(unpacked(Vec::new(), "gzip").unwrap(), b"");
    }

    #[test]
    fn what_cannot_be_undone_is_told() {
        for (encodings, body, told) in [
            ("br", TEXT.to_vec(), "its Content-Encoding is br, which is not understood"),
            ("compress", TEXT.to_vec(), "its Content-Encoding is compress, which"),
            ("gzip, br", TEXT.to_vec(), "its Content-Encoding is br, which"),
            ("gzip", TEXT.to_vec(), "unpack it, for its Content-Encoding is gzip: "),
            ("gzip", gzip(TEXT)[..20].to_vec(), "unpack it, for its Content-Encoding is gzip: "),
            ("deflate", TEXT.to_vec(), "unpack it, for its Content-Encoding is deflate: "),
            ("zstd", TEXT.to_vec(), "unpack it, for its Content-Encoding is zstd: "),
            (
                "gzip",
                gzip(&vec![0; 11 << 20]),
                "unpack it, for its Content-Encoding is gzip: it is larger than 10 MiB",
            ),
        ] {
            let error = format!("{:#}", unpacked(body, encodings).unwrap_err());
            assert!(error.starts_with(told), "{error}");
        }
    }
}
