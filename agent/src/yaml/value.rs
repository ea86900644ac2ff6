//! The values that a YAML document holds.

use super::Mapping;

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

    /// True if a switch is on: `true`, or a word or number that cloud-init takes for it.
    pub(crate) fn is_on(&self) -> bool {
        match self {
            Self::Bool(on) => *on,
            Self::Int(number) => *number == 1,
            Self::Str(text) => ["true", "1", "on", "yes"].contains(&text.trim().to_lowercase().as_str()),
            _ => false,
        }
    }

    /// True for a switch that is off: a `false`, or a word for it. Nothing and an empty text are off, too.
    pub(crate) fn is_off(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) | Self::Int(0) => true,
            Self::Str(text) => {
                ["", "false", "0", "off", "no"].contains(&text.trim().to_ascii_lowercase().as_str())
            }
            _ => false,
        }
    }

    /// True if Python takes both for equal: 1, 1.0 and True are.
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Seq(own), Self::Seq(others)) => {
                own.len() == others.len() && own.iter().zip(others).all(|(one, other)| one.is_equal(other))
            }
            (Self::Map(own), Self::Map(others)) => {
                let same = |(key, value): &(Self, Self)| {
                    others.get_key(key).is_some_and(|other| value.is_equal(other))
                };
                own.len() == others.len() && own.iter().all(same)
            }
            (Self::Float(number), _) | (_, Self::Float(number)) if number.is_nan() => false,
            _ => match (self.key_name(), other.key_name()) {
                (Some(own), Some(other)) => own == other,
                _ => self == other,
            },
        }
    }

    /// The kind of value, for messages.
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

    /// True if it can be a key.
    pub(super) fn is_key(&self) -> bool {
        !matches!(self, Self::Seq(_) | Self::Set(_) | Self::Map(_))
    }

    /// True if both are one key. Texts are compared as they are, for nearly all keys are texts.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Str(own), Self::Str(other)) => own == other,
            (Self::Str(_), _) | (_, Self::Str(_)) => false,
            _ => self.key_name().is_some_and(|name| other.key_name() == Some(name)),
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

impl From<Mapping> for Value {
    fn from(mapping: Mapping) -> Self {
        Self::Map(mapping)
    }
}
