//! The memory that values take, so that no input makes them take more than a machine has.

use super::{DEEPEST, LARGEST, MOST_NODES, Value};

const MEBIBYTE: usize = 1024 * 1024;

/// The rest of the allowance for values.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    nodes: usize,
    bytes: usize,
    most_nodes: usize,
    most_mebibytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(MOST_NODES, LARGEST / MEBIBYTE)
    }
}

impl Allowance {
    /// An allowance of so many values, and so many MiB of text.
    pub(crate) fn new(nodes: usize, mebibytes: usize) -> Self {
        Self { nodes, bytes: mebibytes * MEBIBYTE, most_nodes: nodes, most_mebibytes: mebibytes }
    }

    /// Takes a value, which stands `depth` levels deep, off what is left.
    pub(crate) fn take(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST}"));
        }
        self.take_one(value.own_bytes())?;
        match value {
            Value::Seq(items) | Value::Set(items) => {
                items.iter().try_for_each(|item| self.take(item, depth + 1))
            }
            Value::Map(mapping) => mapping.iter().try_for_each(|(key, value)| {
                self.take(key, depth + 1)?;
                self.take(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }

    /// Takes one value of so many bytes.
    pub(crate) fn take_one(&mut self, bytes: usize) -> Result<(), String> {
        self.nodes = self
            .nodes
            .checked_sub(1)
            .ok_or_else(|| format!("more than {} values in all", self.most_nodes))?;
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or_else(|| format!("more than {} MiB of text in all", self.most_mebibytes))?;
        Ok(())
    }
}

impl Value {
    /// The bytes of a text or of binary data.
    fn own_bytes(&self) -> usize {
        match self {
            Self::Str(text) | Self::Time(text) => written(text),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// The bytes of a text, or of what is written for it where that is much more: what is no character becomes six.
pub(super) fn written(text: &str) -> usize {
    let odd = |byte: &&u8| (**byte < b' ' && !b"\n\r\t".contains(byte)) || **byte == 0x7f;
    text.len() + 5 * text.as_bytes().iter().filter(odd).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named_when_it_is_passed_and_not_before() {
        let mut nodes = Allowance::default();
        nodes.take(&Value::Seq(vec![Value::Null; MOST_NODES - 1]), 0).unwrap();
        assert!(nodes.take(&Value::Null, 0).unwrap_err().contains("300000 values"));
        let mut bytes = Allowance::default();
        bytes.take(&Value::Str("x".repeat(LARGEST)), 0).unwrap();
        assert!(bytes.take(&"x".into(), 0).unwrap_err().contains("10 MiB"));
        let mut written = Allowance::default();
        written.take(&Value::Str("\u{7}".repeat(LARGEST / 6)), 0).unwrap();
        assert!(written.take(&"\u{7}".into(), 0).unwrap_err().contains("10 MiB"));
        let deep = (0..DEEPEST).fold(Value::Null, |value, _| Value::Seq(vec![value]));
        Allowance::default().take(&deep, 0).unwrap();
        assert!(Allowance::default().take(&deep, 1).unwrap_err().contains("deeper than 100"));
    }
}
