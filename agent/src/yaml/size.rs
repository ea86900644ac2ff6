//! How much values take, so that no input makes them take more than a machine has.

use super::{DEEPEST, LARGEST, MOST_NODES, Value};

/// What is left of what values may come to.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    nodes: usize,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { nodes: MOST_NODES, bytes: LARGEST }
    }
}

impl Allowance {
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
        self.nodes =
            self.nodes.checked_sub(1).ok_or_else(|| format!("more than {MOST_NODES} values in all"))?;
        let most = LARGEST / 1024 / 1024;
        self.bytes =
            self.bytes.checked_sub(bytes).ok_or_else(|| format!("more than {most} MiB of text in all"))?;
        Ok(())
    }
}

impl Value {
    /// The bytes of a text or of binary data.
    fn own_bytes(&self) -> usize {
        match self {
            Self::Str(text) | Self::Time(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
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
        let deep = (0..DEEPEST).fold(Value::Null, |value, _| Value::Seq(vec![value]));
        Allowance::default().take(&deep, 0).unwrap();
        assert!(Allowance::default().take(&deep, 1).unwrap_err().contains("deeper than 100"));
    }
}
