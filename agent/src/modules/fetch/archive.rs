//! A tar archive, plain or packed with gzip, xz or zstd, recognised by its first bytes.

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The memory that unpacking may take: what `xz -9` and `zstd -19` ask for, and no more.
const MOST_MEMORY_KIB: u32 = 160 * 1024;
const LARGEST_WINDOW: u64 = 128 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Where tar's own mark stands.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// Opens it for reading what was packed.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut source = BufReader::with_capacity(1 << 16, file);
    let head = source.fill_buf().with_context(|| format!("read {}", path.display()))?;
    let (at, mark) = TAR;
    if head.starts_with(GZIP) {
        Ok(Box::new(MultiGzDecoder::new(source)))
    } else if head.starts_with(XZ) {
        Ok(Box::new(XzReader::new_mem_limit(source, true, MOST_MEMORY_KIB)))
    } else if head.starts_with(ZSTD) {
        Ok(Box::new(Zstd(Frames::Between(source))))
    } else if head.get(at..).is_some_and(|rest| rest.starts_with(mark)) {
        Ok(Box::new(source))
    } else {
        bail!("it is no tar archive, plain or packed with gzip, xz or zstd")
    }
}

/// One zstd frame after the other: the decoder alone stops behind the first.
struct Zstd(Frames);

enum Frames {
    Between(BufReader<File>),
    Within(Box<StreamingDecoder<BufReader<File>, FrameDecoder>>),
    AtEnd,
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.0 = match std::mem::replace(&mut self.0, Frames::AtEnd) {
                Frames::AtEnd => return Ok(0),
                Frames::Between(mut source) => {
                    if source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new_with_max_window_size(source, LARGEST_WINDOW);
                    Frames::Within(Box::new(decoder.map_err(io::Error::other)?))
                }
                Frames::Within(mut decoder) => match decoder.read(buffer)? {
                    0 => Frames::Between(decoder.into_parts().0),
                    read => {
                        self.0 = Frames::Within(decoder);
                        return Ok(read);
                    }
                },
            }
        }
    }
}
