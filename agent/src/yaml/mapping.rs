//! Keys and values in the order of their first appearance.

use super::Value;
use std::collections::HashMap;

/// A mapping of more keys than this is searched through an index.
const SMALL: usize = 16;

/// Keys and values in the order of their first appearance.
#[derive(Clone, Default, Debug)]
pub(crate) struct Mapping {
    pairs: Vec<(Value, Value)>,
    /// Where each key of a large mapping is, by `Value::key_name`.
    index: HashMap<String, usize>,
}

impl Mapping {
    /// The value of a key that is a text.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        if self.index.is_empty() {
            return self.iter().find(|(candidate, _)| candidate.as_str() == Some(key)).map(|(_, value)| value);
        }
        self.get_key(&Value::from(key))
    }

    /// The value of any key; as in Python, 1, 1.0 and True are the same one.
    pub(crate) fn get_key(&self, key: &Value) -> Option<&Value> {
        self.pairs.get(self.slot(&key.key_name()?)?).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub(crate) fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        let slot = self.slot(&key.key_name()?)?;
        self.pairs.get_mut(slot).map(|(_, value)| value)
    }

    /// Sets a key that is a text.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.insert(key.into(), value.into());
    }

    /// Sets a key, in the place of an equal one. A list or mapping is no key and is passed over.
    pub(crate) fn insert(&mut self, key: Value, value: Value) {
        let Some(name) = key.key_name() else { return };
        if let Some((_, old)) = self.slot(&name).and_then(|slot| self.pairs.get_mut(slot)) {
            *old = value;
            return;
        }
        self.pairs.push((key, value));
        if !self.index.is_empty() {
            self.index.insert(name, self.pairs.len() - 1);
        } else if self.pairs.len() > SMALL {
            let names = self.pairs.iter().map(|(key, _)| key.key_name().unwrap_or_default());
            self.index = names.zip(0..).collect();
        }
    }

    /// Takes a key out; the last one takes its place.
    pub(crate) fn remove(&mut self, key: &Value) -> Option<Value> {
        let name = key.key_name()?;
        let slot = self.slot(&name)?;
        let (_, value) = self.pairs.swap_remove(slot);
        if !self.index.is_empty() {
            self.index.remove(&name);
            if let Some(moved) = self.pairs.get(slot).and_then(|(key, _)| key.key_name()) {
                self.index.insert(moved, slot);
            }
        }
        Some(value)
    }

    fn slot(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.pairs.iter().position(|(key, _)| key.key_name().as_deref() == Some(name));
        }
        self.index.get(name).copied()
    }

    /// The pairs in their order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Value, Value)> + ExactSizeIterator {
        self.pairs.iter()
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// This mapping, with the keys that only `below` has added to it.
    pub(crate) fn over(mut self, below: &Self) -> Self {
        for (key, value) in below.iter() {
            if self.get_key(key).is_none() {
                self.insert(key.clone(), value.clone());
            }
        }
        self
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get_key(key) == Some(value))
    }
}

impl IntoIterator for Mapping {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl FromIterator<(Value, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(pairs: I) -> Self {
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
    fn order_does_not_make_mappings_differ_and_values_do() {
        let mapping = |pairs: &[(&str, &str)]| -> Mapping {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        assert_eq!(mapping(&[("a", "1"), ("b", "2")]), mapping(&[("b", "2"), ("a", "1")]));
        assert_ne!(mapping(&[("a", "1")]), mapping(&[("a", "2")]));
        assert_ne!(mapping(&[("a", "1")]), mapping(&[("a", "1"), ("b", "2")]));
    }
}
