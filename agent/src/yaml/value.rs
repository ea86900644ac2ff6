//! What a YAML document holds.

/// A value as Python would hold it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `yes`, `off` and the like.
    Bool(bool),
    /// A whole number in any of YAML 1.1's bases.
    Int(i128),
    /// A number with a point, `.inf`, `.nan`.
    Float(f64),
    /// A text.
    Str(String),
    /// A date or a time, checked, as it was written.
    Time(String),
    /// `!!binary`
    Binary(Vec<u8>),
    /// A list.
    Seq(Vec<Value>),
    /// `!!set`
    Set(Vec<Value>),
    /// A mapping.
    Map(Mapping),
}

impl Value {
    /// The text, when it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, when it is one.
    pub(crate) fn as_map(&self) -> Option<&Mapping> {
        match self {
            Self::Map(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The list, when it is one.
    pub(crate) fn as_seq(&self) -> Option<&[Self]> {
        match self {
            Self::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text that a scalar stands for, as Python's `str()` gives it; `None` for anything that holds others.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Bool(true) => Some("True".into()),
            Self::Bool(false) => Some("False".into()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(format!("{number:?}")),
            Self::Str(text) | Self::Time(text) => Some(text.clone()),
            Self::Null | Self::Binary(_) | Self::Seq(_) | Self::Set(_) | Self::Map(_) => None,
        }
    }

    /// Whether a switch is on: `true`, or a word or number that cloud-init takes for it.
    pub(crate) fn is_on(&self) -> bool {
        match self {
            Self::Bool(on) => *on,
            Self::Int(number) => *number == 1,
            Self::Str(text) => ["true", "1", "on", "yes"].contains(&text.trim().to_lowercase().as_str()),
            _ => false,
        }
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a yes or no",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "a text",
            Self::Time(_) => "a date",
            Self::Binary(_) => "binary data",
            Self::Seq(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a mapping",
        }
    }

    /// A name under which equal keys meet: to Python 1, 1.0 and True are one key.
    #[expect(clippy::cast_precision_loss, reason = "a key that is a huge float is nobody's")]
    pub(super) fn key_name(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".into()),
            Self::Bool(on) => Some(format!("number {:?}", if *on { 1.0 } else { 0.0 })),
            Self::Int(number) if number.unsigned_abs() < 1 << 53 => {
                Some(format!("number {:?}", *number as f64))
            }
            Self::Int(number) => Some(format!("number {number}")),
            Self::Float(number) => Some(format!("number {number:?}")),
            Self::Str(text) => Some(format!("text {text}")),
            Self::Time(text) => Some(format!("time {text}")),
            Self::Binary(bytes) => Some(format!("bytes {bytes:?}")),
            Self::Seq(_) | Self::Set(_) | Self::Map(_) => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

/// Keys and values in the order of their first appearance.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Mapping(Vec<(Value, Value)>);

impl Mapping {
    /// The value of a key that is a text.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(candidate, _)| candidate.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Sets a key that is a text.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(candidate, _)| candidate.as_str() == Some(key)) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.into(), value)),
        }
    }

    /// The pairs in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Value, Value)> {
        self.0.iter()
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This mapping, with the keys that only `below` has added to it.
    pub(crate) fn over(mut self, below: &Self) -> Self {
        for (key, value) in &below.0 {
            if !self.0.iter().any(|(own, _)| own == key) {
                self.0.push((key.clone(), value.clone()));
            }
        }
        self
    }
}

impl FromIterator<(Value, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl From<Mapping> for Value {
    fn from(mapping: Mapping) -> Self {
        Self::Map(mapping)
    }
}
