//! Compressed data, told by its first bytes. Nothing comes out of it beyond a limit.

use anyhow::{Context, Result, bail};
use bzip2::bufread::MultiBzDecoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use std::io::Read;

/// A way to compress.
struct CompressionFormat {
    name: &'static str,
    magic: &'static [u8],
    unpack: fn(&[u8], u64, &mut Vec<u8>) -> Result<()>,
}

const ALL: &[CompressionFormat] = &[
    CompressionFormat { name: "gzip", magic: &[0x1f, 0x8b], unpack: gzip },
    CompressionFormat { name: "bzip2", magic: b"BZh", unpack: bzip2 },
    CompressionFormat { name: "xz", magic: &[0xfd, b'7', b'z', b'X', b'Z', 0], unpack: xz },
    CompressionFormat { name: "zstd", magic: &[0x28, 0xb5, 0x2f, 0xfd], unpack: zstd },
];

/// Content types of what is compressed. The first bytes say in what way.
const TYPES: &[&str] = &[
    "application/gzip",
    "application/gzip-compressed",
    "application/gzipped",
    "application/x-compress",
    "application/x-compressed",
    "application/x-gunzip",
    "application/x-gzip",
    "application/x-gzip-compressed",
    "application/bzip2",
    "application/x-bzip2",
    "application/xz",
    "application/x-xz",
    "application/zstd",
    "application/x-zstd",
];

/// The memory that unpacking may take: what `xz -9` and `zstd -19` ask for, and no more.
const MOST_MEMORY_KIB: u32 = 66 * 1024;
const LARGEST_WINDOW: u64 = 32 << 20;

/// True if a content type says that it is compressed.
pub(super) fn is_compressed(content_type: &str) -> bool {
    TYPES.contains(&content_type)
}

/// True if data begins as compressed data does.
pub(super) fn is_known(data: &[u8]) -> bool {
    ALL.iter().any(|format| data.starts_with(format.magic))
}

/// Unpacks to at most `limit` bytes; `None` when it is not compressed.
pub(super) fn unpack(data: &[u8], limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(format) = ALL.iter().find(|format| data.starts_with(format.magic)) else { return Ok(None) };
    let mut unpacked = Vec::new();
    (format.unpack)(data, limit, &mut unpacked).with_context(|| format!("unpack {}", format.name))?;
    Ok(Some(unpacked))
}

fn take(reader: impl Read, limit: u64, unpacked: &mut Vec<u8>) -> Result<()> {
    let left = limit.saturating_sub(unpacked.len() as u64);
    let read = reader.take(left + 1).read_to_end(unpacked)?;
    if read as u64 > left {
        bail!("more than the {limit} bytes that are left of 10 MiB come out");
    }
    Ok(())
}

/// Several members may follow each other, with zeros between them.
fn gzip(data: &[u8], limit: u64, unpacked: &mut Vec<u8>) -> Result<()> {
    let mut rest = data;
    while !rest.is_empty() {
        let is_first = unpacked.is_empty() && rest.len() == data.len();
        let wrong = if is_first {
            "its header is damaged"
        } else {
            "something follows its end (a line end or blanks?)"
        };
        let body = after_header(rest).context(wrong)?;
        let before = unpacked.len();
        let mut decoder = DeflateDecoder::new(body);
        take(&mut decoder, limit, unpacked)?;
        let (trailer, after) = decoder.into_inner().split_at_checked(8).context("its end is missing")?;
        let mut check = Crc::new();
        check.update(unpacked.get(before..).unwrap_or_default());
        if *trailer != [check.sum().to_le_bytes(), check.amount().to_le_bytes()].concat() {
            bail!("it is damaged: its checksum is another");
        }
        let padding = after.iter().position(|byte| *byte != 0).unwrap_or(after.len());
        rest = after.get(padding..).unwrap_or_default();
    }
    Ok(())
}

/// The data behind a header, whose own checksum is not looked at.
fn after_header(data: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = data.split_at_checked(10)?;
    let flags = match header {
        [0x1f, 0x8b, 8, flags, ..] => *flags,
        _ => return None,
    };
    if flags & 4 != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 2 == 0 { Some(rest) } else { rest.get(2..) }
}

fn bzip2(data: &[u8], limit: u64, unpacked: &mut Vec<u8>) -> Result<()> {
    take(MultiBzDecoder::new(data), limit, unpacked)
}

fn xz(data: &[u8], limit: u64, unpacked: &mut Vec<u8>) -> Result<()> {
    take(XzReader::new_mem_limit(data, true, MOST_MEMORY_KIB), limit, unpacked)
}

fn zstd(data: &[u8], limit: u64, unpacked: &mut Vec<u8>) -> Result<()> {
    let mut rest = data;
    while !rest.is_empty() {
        let mut decoder = StreamingDecoder::new_with_max_window_size(&mut rest, LARGEST_WINDOW)?;
        take(&mut decoder, limit, unpacked)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut packer = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    /// `#!/bin/sh\n` as `xz -9` and `zstd` pack it.
    const XZ: &str =
        "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAJIyEvYmluL3NoCgAAANeCsjVj62HbAAEiChUa4WcftvN9AQAAAAAEWVo=";

    #[test]
    fn each_format_is_known_by_its_first_bytes() {
        let text = b"#!/bin/sh\n";
        for packed in [gzip(text), bzip2(text), crate::codec::base64(XZ.as_bytes()).unwrap(), zstd_of(text)] {
            assert_eq!(unpack(&packed, 10).unwrap().unwrap(), text, "{packed:?}");
            assert!(
                unpack(&packed, 9).unwrap_err().chain().any(|cause| cause.to_string().contains("9 bytes"))
            );
            assert!(unpack(packed.get(..packed.len() - 3).unwrap(), 100).is_err(), "{packed:?}");
        }
        for plain in [&b""[..], b"#!/bin/sh\n", b"\x1f", b"BZ"] {
            assert_eq!(unpack(plain, 100).unwrap(), None);
        }
    }

    /// One raw block, for nothing here packs zstd.
    fn zstd_of(content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let block = (u32::from(length) << 3 | 1).to_le_bytes();
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, length], &block[..3], content].concat()
    }

    #[test]
    fn members_may_follow_each_other() {
        let two = [gzip(b"a"), vec![0; 5], gzip(b"b"), vec![0]].concat();
        assert_eq!(unpack(&two, 10).unwrap().unwrap(), b"ab");
        assert!(unpack(&[gzip(b"a"), b"junk".to_vec()].concat(), 10).is_err());
        assert!(unpack(&two, 1).is_err());
    }

    #[test]
    fn a_header_may_hold_names_and_comments() {
        let plain = gzip(b"a");
        for (flags, fields) in [
            (1, &b""[..]),
            (4, b"\x02\0xy"),
            (8, b"name\0"),
            (16, b"a comment\0"),
            (2, b"no"),
            (30, b"\x01\0xn\0c\0no"),
        ] {
            let mut packed = plain[..10].to_vec();
            packed[3] = flags;
            packed.extend(fields);
            packed.extend(&plain[10..]);
            assert_eq!(unpack(&packed, 10).unwrap().unwrap(), b"a", "{flags}");
            assert!(unpack(&packed[..13], 10).is_err());
        }
        let mut damaged = plain;
        *damaged.last_mut().unwrap() ^= 1;
        assert!(format!("{:#}", unpack(&damaged, 10).unwrap_err()).contains("checksum"));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 1 << 20);
        let error = format!("{:#}", unpack(&bomb, 1000).unwrap_err());
        assert_eq!(error, "unpack gzip: more than the 1000 bytes that are left of 10 MiB come out");
    }
}
