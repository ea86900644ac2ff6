//! Tar archives as a test wants them, also such as tar itself would not make.

use std::io::Write;
use std::process::{Command, Stdio};

/// An entry: kind (as in tar's header), name, and content or the target of a link.
pub(crate) struct Entry(pub(crate) u8, pub(crate) String, pub(crate) Vec<u8>);

pub(crate) fn file(name: &str, content: impl Into<Vec<u8>>) -> Entry {
    Entry(b'0', name.to_owned(), content.into())
}

pub(crate) fn directory(name: &str) -> Entry {
    Entry(b'5', name.to_owned(), Vec::new())
}

pub(crate) fn symlink(name: &str, target: &str) -> Entry {
    Entry(b'2', name.to_owned(), target.into())
}

/// The archive, not packed.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for Entry(kind, name, content) in entries {
        let is_file = *kind == b'0';
        let mut header = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| {
            header.get_mut(at..at + bytes.len()).unwrap().copy_from_slice(bytes);
        };
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, format!("{:011o}\0", if is_file { content.len() } else { 0 }).as_bytes());
        put(148, b"        ");
        put(156, &[*kind]);
        put(157, if is_file { b"" } else { content });
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        if is_file {
            out.extend(content);
            out.resize(out.len().next_multiple_of(512), 0);
        }
    }
    out.extend([0; 1024]);
    out
}

/// A program's output for an input.
pub(crate) fn through(words: &[&str], input: &[u8]) -> Vec<u8> {
    let (program, arguments) = words.split_first().unwrap();
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{words:?}");
    output.stdout
}

/// As `sha256sum` says.
pub(crate) fn sha256(content: &[u8]) -> String {
    let said = String::from_utf8(through(&["sha256sum"], content)).unwrap();
    said.split(' ').next().unwrap().to_owned()
}
