//! The spellings of a merge: one text, or a list in the configuration.

use super::{KEYS, Merger, Mergers, Method, Recurse};
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

impl Mergers {
    /// Takes `merge_how`, or else `merge_type`, out of a configuration. Both go.
    pub(crate) fn of_content(mapping: &mut Mapping) -> Result<Self> {
        let found = KEYS.map(|key| mapping.remove(&key.into()).unwrap_or(Value::Null));
        match found.into_iter().find(|value| *value != Value::Null) {
            None => Ok(Self::default()),
            Some(Value::Str(text)) => Self::of_text(&text),
            Some(Value::Seq(items)) => {
                let mergers = items.iter().filter_map(|item| entry(item).transpose());
                Ok(Self(mergers.collect::<Result<_>>()?))
            }
            Some(Value::Map(mapping)) if mapping.is_empty() => Ok(Self::default()),
            Some(other) => bail!(
                "merge_how is {}; it has to be a text like `list(append)+dict(recurse_list)`, or a list",
                other.kind()
            ),
        }
    }

    /// Reads `list(append)+dict(recurse_list)`; nothing is no merger.
    pub(crate) fn of_text(text: &str) -> Result<Self> {
        let mut mergers = Vec::new();
        for word in text.split('+') {
            let word = word.to_lowercase().trim().replace('-', "_");
            if word.is_empty() {
                continue;
            }
            let Some((name, options)) = parts(&word) else {
                bail!("`{word}` is no way to merge (it has to look like `list(append)`)");
            };
            let options: Vec<&str> = options.split(',').map(str::trim).collect();
            mergers.push(merger(name, &|option| options.contains(&option))?);
        }
        Ok(Self(mergers))
    }
}

/// A name and what its parentheses hold.
fn parts(word: &str) -> Option<(&str, &str)> {
    let (name, options) = word.strip_suffix(')')?.split_once('(')?;
    let letter = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let good = name.chars().all(letter) && !name.starts_with(|first: char| first.is_ascii_digit());
    (good && !name.is_empty() && !options.contains('\n')).then_some((name, options))
}

/// `{name: list, settings: [append]}` or `[list, append]`; one without a name is passed over.
fn entry(item: &Value) -> Result<Option<Merger>> {
    let name_of = |name: Option<&Value>| match name {
        Some(Value::Str(name)) => Ok(name.clone()),
        _ => bail!("an entry of merge_how has no name"),
    };
    match item {
        Value::Map(mapping) => {
            let name = name_of(mapping.get("name"))?.replace('-', "_");
            let has: Box<dyn Fn(&str) -> bool> = match mapping.get("settings") {
                Some(Value::Seq(items)) => {
                    Box::new(|option| items.iter().any(|it| it.as_str() == Some(option)))
                }
                // Python finds a word in a text as it finds an item in a list.
                Some(Value::Str(text)) => Box::new(|option| text.contains(option)),
                Some(Value::Map(settings)) => Box::new(|option| settings.get(option).is_some()),
                _ => bail!("the entry `{name}` of merge_how has no list of settings"),
            };
            named(name.trim(), &*has)
        }
        Value::Seq(items) => {
            let name = name_of(items.first())?;
            let options = items.get(1..).unwrap_or_default();
            named(&name, &|option| options.iter().any(|it| it.as_str() == Some(option)))
        }
        other => bail!("an entry of merge_how is {}; it has to be a list or a mapping", other.kind()),
    }
}

fn named(name: &str, has: &dyn Fn(&str) -> bool) -> Result<Option<Merger>> {
    if name.is_empty() { Ok(None) } else { merger(name, has).map(Some) }
}

fn merger(name: &str, has: &dyn Fn(&str) -> bool) -> Result<Merger> {
    let list = has("recurse_list") || has("recurse_array");
    let str = has("recurse_str");
    match name.strip_prefix("m_").unwrap_or(name) {
        "dict" => Ok(Merger::Dict {
            replace: has("replace"),
            recurse: Recurse { dict: true, list, str },
            allow_delete: has("allow_delete"),
        }),
        "list" => {
            let methods =
                [("append", Method::Append), ("prepend", Method::Prepend), ("replace", Method::Replace)];
            let asked = methods.into_iter().find(|(name, _)| has(name)).map(|(_, method)| method);
            let other = if has("no_replace") { Method::NoReplace } else { Method::Replace };
            let recurse = Recurse { dict: has("recurse_dict"), list, str };
            Ok(Merger::List { method: asked.unwrap_or(other), recurse })
        }
        "str" => Ok(Merger::Str { append: has("append") }),
        _ => bail!("there is no merger `{name}` (there are dict, list and str)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn of_yaml(text: &str) -> Result<Mergers> {
        let Value::Map(mut mapping) = yaml::load(text)? else { bail!("no mapping") };
        Mergers::of_content(&mut mapping)
    }

    #[test]
    fn each_spelling_means_the_same() {
        let meant = Mergers::of_text("list(append)+dict(recurse_list,allow_delete)+str()").unwrap();
        assert_eq!(meant.0.len(), 3);
        for text in [
            "merge_how: LIST( Append )+m_dict(,recurse-array,, allow_delete,frob)++ str()",
            "merge_type: list(append)+dict(recurse_list,allow_delete)+str()",
            "merge_how: [[list, append], [dict, recurse_list, allow_delete], [str]]",
            "merge_how: [{name: list, settings: [append]}, {name: ' dict', settings: recurse_list/allow_delete}, {name: '', settings: []}, {name: str, settings: {}}]",
        ] {
            assert_eq!(of_yaml(text).unwrap(), meant, "{text}");
        }
        assert_ne!(of_yaml("merge_how: list(prepend)+dict(recurse_list,allow_delete)+str()").unwrap(), meant);
        for nothing in ["a: b", "merge_how: ''", "merge_how: ' + '", "merge_how: []", "merge_how: null"] {
            assert_eq!(of_yaml(nothing).unwrap(), Mergers::default(), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_merger_is_refused_with_the_word() {
        for (text, word) in [
            ("merge_how: list", "`list`"),
            ("merge_how: list)append", "list)append"),
            ("merge_how: 1x()", "1x()"),
            ("merge_how: frob()", "frob"),
            ("merge_how: true", "yes or no"),
            ("merge_how: [null]", "nothing"),
            ("merge_how: [[]]", "no name"),
            ("merge_how: [[List]]", "List"),
            ("merge_how: [{name: list}]", "no list of settings"),
        ] {
            let message = of_yaml(text).unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
