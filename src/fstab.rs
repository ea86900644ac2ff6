//! The entries of an fstab: fields apart by blanks, with octal escapes in them.

/// A line that is an entry.
pub(crate) struct FstabEntry<'a> {
    /// The blanks before it.
    pub(crate) before: &'a [u8],
    /// The device or other source, as the file writes it.
    pub(crate) written_source: &'a [u8],
    /// The blanks before its mount point.
    pub(crate) gap: &'a [u8],
    /// Its mount point as it is written.
    pub(crate) written_point: &'a [u8],
    /// All that follows the mount point.
    pub(crate) after: &'a [u8],
    /// The device or other source, unescaped.
    pub(crate) source: String,
    /// Where it is mounted.
    pub(crate) point: Vec<u8>,
    /// The options of the mount.
    pub(crate) options: Vec<u8>,
}

/// All entries.
pub(crate) fn entries(fstab: &[u8]) -> impl Iterator<Item = FstabEntry<'_>> {
    fstab.split_inclusive(|byte| *byte == b'\n').filter_map(FstabEntry::parse)
}

impl<'a> FstabEntry<'a> {
    /// Reads a line. `None`: it is no entry.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let (before, rest) = split(line, |byte| !is_blank(byte))?;
        let (written_source, rest) = split(rest, is_blank)?;
        let (gap, rest) = split(rest, |byte| !is_blank(byte))?;
        let (written_point, after) = split(rest, is_blank).unwrap_or((rest, &[]));
        let mut fields = after.split(|byte| is_blank(*byte)).filter(|field| !field.is_empty());
        let source = String::from_utf8_lossy(&unescape(written_source)).into_owned();
        (!source.starts_with('#')).then(|| Self {
            before,
            written_source,
            gap,
            written_point,
            after,
            source,
            point: unescape(written_point),
            options: unescape(fields.nth(1).unwrap_or_default()),
        })
    }

    /// True if it is mounted at the path of these names.
    pub(crate) fn is_at(&self, path: &[&[u8]]) -> bool {
        let names = self.point.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.point.starts_with(b"/") && names.eq(path.iter().copied())
    }

    /// The options one by one.
    pub(crate) fn options(&self) -> impl Iterator<Item = &[u8]> {
        self.options.split(|byte| *byte == b',')
    }
}

/// The part before the first byte of a kind, and the rest.
fn split(text: &[u8], is_first: impl Fn(u8) -> bool) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(text.iter().position(|byte| is_first(*byte))?)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// `\040` is a blank, and so on.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| u32::from(byte - b'0'));
        let code = match (first, after) {
            (b'\\', [a, b, c, ..]) => octal(a).zip(octal(b)).zip(octal(c)),
            _ => None,
        };
        let code = code.and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok());
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
        plain.push(code.unwrap_or(*first));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_put_together_again_from_its_parts() {
        for (line, source, point, options) in [
            ("\t UUID=a \t/usr  ext4\tro 0 0\r\n", "UUID=a", "/usr", "ro"),
            ("a /", "a", "/", ""),
            ("a /b\n", "a", "/b", ""),
            ("a\\040b /c\\057d x y\n", "a b", "/c/d", "y"),
        ] {
            let entry = FstabEntry::parse(line.as_bytes()).unwrap();
            let told = (entry.source.as_str(), entry.point.as_slice(), entry.options.as_slice());
            assert_eq!(told, (source, point.as_bytes(), options.as_bytes()), "{line}");
            let parts =
                [entry.before, entry.written_source, entry.gap, entry.written_point, entry.after].concat();
            assert_eq!(parts, line.as_bytes());
        }
        for line in ["", "\n", "# a /b\n", "a\n", "a \n", "a"] {
            assert!(FstabEntry::parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
