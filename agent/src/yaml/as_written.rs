//! Places where a text is wanted. YAML 1.1 makes a number of an unquoted `33:33`, and yes or no of a user called `on`.

/// The places in a value where a text is wanted.
#[derive(Debug)]
pub(crate) struct Texts {
    /// A scalar stays as it is written.
    pub(crate) scalar: bool,
    /// The keys of a mapping stay as they are written, too.
    pub(crate) keys: bool,
    /// The entries of a list.
    pub(crate) items: Option<&'static Texts>,
    /// The values of these keys.
    pub(crate) under: &'static [(&'static str, &'static Texts)],
    /// The values of all other keys.
    pub(crate) others: Option<&'static Texts>,
}

impl Texts {
    /// Nothing is wanted: all is as YAML says.
    pub(crate) const NONE: Texts =
        Texts { scalar: false, keys: false, items: None, under: &[], others: None };

    /// A scalar.
    pub(crate) const SCALAR: Texts = Texts { scalar: true, ..Texts::NONE };

    pub(super) fn of_items(&self) -> &'static Self {
        self.items.unwrap_or(&Self::NONE)
    }

    pub(super) fn of_keys(&self) -> &'static Self {
        if self.keys { &Self::SCALAR } else { &Self::NONE }
    }

    /// A `-` in a key is an old way to write `_`.
    pub(super) fn of_value(&self, key: &str) -> &'static Self {
        let same = |name: &str| name.len() == key.len() && name == key.replace('-', "_");
        let own = self.under.iter().find(|(name, _)| same(name)).map(|(_, texts)| *texts);
        own.or(self.others).unwrap_or(&Self::NONE)
    }
}
