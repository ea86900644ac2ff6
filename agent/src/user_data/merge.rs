//! Merges of one configuration into another: `dict(…)+list(…)+str(…)` as cloud-init understands it.

mod apply;
mod spell;

/// The keys of a configuration that say how it is merged, and are no configuration.
pub(crate) const KEYS: [&str; 2] = ["merge_how", "merge_type"];

/// The mergers in their order: the first for a type decides about it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Mergers(Vec<Merger>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Merger {
    Dict { replace: bool, recurse: Recurse, allow_delete: bool },
    List { method: Method, recurse: Recurse },
    Str { append: bool },
}

/// The way in which two lists are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Append,
    Prepend,
    /// Place by place, as far as both go.
    Replace,
    NoReplace,
}

/// The kinds of values that are merged further where they meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Recurse {
    dict: bool,
    list: bool,
    str: bool,
}

impl Mergers {
    /// Adds others behind these.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The default where nobody has asked for anything: later keys replace earlier ones.
    pub(crate) fn or_default(self) -> Self {
        if !self.0.is_empty() {
            return self;
        }
        let recurse = Recurse { dict: true, list: false, str: false };
        // The last two are for what a JSON patch has put in the place of the whole.
        Self(vec![
            Merger::Dict { replace: true, recurse, allow_delete: false },
            Merger::List { method: Method::Replace, recurse },
            Merger::Str { append: false },
        ])
    }
}
