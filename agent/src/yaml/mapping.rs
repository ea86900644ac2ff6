//! Keys and values in the order of their first appearance.

use super::Value;
use std::collections::HashMap;

/// A mapping of more keys than this is searched through an index.
const SMALL: usize = 16;

/// A mapping to YAML values.
pub(crate) type Mapping = Table<Value>;

/// Keys and values in the order of their first appearance.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    pairs: Vec<(Value, V)>,
    /// Where each key of a large mapping is, by `Value::key_name`. There may be very many small ones.
    #[expect(clippy::box_collection, reason = "it is a third of what a small mapping takes")]
    index: Option<Box<HashMap<String, usize>>>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { pairs: Vec::new(), index: None }
    }
}

impl<V> Table<V> {
    /// One that is to take so many keys.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { pairs: Vec::with_capacity(count), index: None }
    }

    /// The value of a key that is a text.
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        if self.index.is_none() {
            return self
                .iter()
                .find(|(candidate, _)| candidate.as_str() == Some(key))
                .map(|(_, value)| value);
        }
        self.get_key(&Value::from(key))
    }

    /// The value of any key; as in Python, 1, 1.0 and True are the same one.
    pub(crate) fn get_key(&self, key: &Value) -> Option<&V> {
        self.pairs.get(self.slot(key)?).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub(crate) fn get_mut(&mut self, key: &Value) -> Option<&mut V> {
        let slot = self.slot(key)?;
        self.pairs.get_mut(slot).map(|(_, value)| value)
    }

    /// Sets a key that is a text.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<V>) {
        self.insert(key.into(), value.into());
    }

    /// Sets a key, in the place of an equal one. A list or mapping is no key and is passed over.
    pub(crate) fn insert(&mut self, key: Value, value: V) {
        if !key.is_key() {
            return;
        }
        if let Some((_, old)) = self.slot(&key).and_then(|slot| self.pairs.get_mut(slot)) {
            *old = value;
            return;
        }
        if let (Some(index), Some(name)) = (&mut self.index, key.key_name()) {
            index.insert(name, self.pairs.len());
        }
        self.pairs.push((key, value));
        if self.index.is_none() && self.pairs.len() > SMALL {
            let names = self.pairs.iter().map(|(key, _)| key.key_name().unwrap_or_default());
            self.index = Some(Box::new(names.zip(0..).collect()));
        }
    }

    /// Takes a key out; the last one takes its place.
    pub(crate) fn remove(&mut self, key: &Value) -> Option<V> {
        let slot = self.slot(key)?;
        let (_, value) = self.pairs.swap_remove(slot);
        if let Some(index) = &mut self.index {
            index.remove(&key.key_name()?);
            if let Some(moved) = self.pairs.get(slot).and_then(|(key, _)| key.key_name()) {
                index.insert(moved, slot);
            }
        }
        Some(value)
    }

    fn slot(&self, key: &Value) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&key.key_name()?).copied(),
            None => self.pairs.iter().position(|(candidate, _)| candidate.is_same_key(key)),
        }
    }

    /// The pairs in their order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Value, V)> + ExactSizeIterator {
        self.pairs.iter()
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True if it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<V: PartialEq> PartialEq for Table<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get_key(key) == Some(value))
    }
}

impl<V> IntoIterator for Table<V> {
    type Item = (Value, V);
    type IntoIter = std::vec::IntoIter<(Value, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<V> FromIterator<(Value, V)> for Table<V> {
    fn from_iter<I: IntoIterator<Item = (Value, V)>>(pairs: I) -> Self {
        let mut mapping = Self::default();
        for (key, value) in pairs {
            mapping.insert(key, value);
        }
        mapping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mapping_finds_what_a_small_one_finds() {
        for count in [1, 16, 17, 40] {
            let mut mapping: Mapping = (0..count).map(|key| (Value::Int(key), Value::Int(key))).collect();
            mapping.set("text", "t");
            assert_eq!(mapping.get("text"), Some(&"t".into()), "{count}");
            assert_eq!(mapping.get_key(&Value::Float(0.0)), Some(&Value::Int(0)));
            assert_eq!(mapping.remove(&Value::Int(0)), Some(Value::Int(0)));
            assert_eq!(mapping.get_key(&Value::Int(0)), None);
            assert_eq!(mapping.get("text"), Some(&"t".into()));
            assert_eq!(mapping.get("0"), None);
            mapping.insert(Value::Bool(false), Value::Null);
            assert_eq!(mapping.get_key(&Value::Int(0)), Some(&Value::Null));
            assert_eq!(mapping.len(), usize::try_from(count).unwrap() + 1);
        }
    }

    #[test]
    fn keys_are_the_same_when_their_names_are() {
        let keys = [
            Value::Null,
            Value::Bool(true),
            Value::Int(1),
            Value::Float(1.0),
            Value::Float(f64::NAN),
            Value::Int(1 << 60),
            "1".into(),
            "null".into(),
            Value::Time("2001-01-01".into()),
            "2001-01-01".into(),
            Value::Binary(b"1".to_vec()),
            Value::Seq(vec![]),
            Value::Map(Mapping::default()),
        ];
        for one in &keys {
            assert_eq!(one.is_key(), one.key_name().is_some(), "{one:?}");
            for other in &keys {
                let same = one.is_key() && one.key_name() == other.key_name();
                assert_eq!(one.is_same_key(other), same, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn order_does_not_make_mappings_differ_and_values_do() {
        let mapping = |pairs: &[(&str, &str)]| -> Mapping {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        assert_eq!(mapping(&[("a", "1"), ("b", "2")]), mapping(&[("b", "2"), ("a", "1")]));
        assert_ne!(mapping(&[("a", "1")]), mapping(&[("a", "2")]));
        assert_ne!(mapping(&[("a", "1")]), mapping(&[("a", "1"), ("b", "2")]));
    }
}
