//! Nodes -> values: tags, merge keys, and the later of two keys.

use super::compose::{Content, Node, Style};
use super::error::{Error, TextPlace};
use super::resolve::{ScalarKind, resolve};
use super::size::written;
use super::{Allowance, MOST_NODES, Mapping, Texts, Value, scalar, timestamp};
use std::rc::Rc;

const STANDARD: &str = "tag:yaml.org,2002:";

/// The value of a document's root node.
pub(super) fn construct(node: Rc<Node>, texts: &'static Texts) -> Result<Value, Error> {
    Constructor { allowance: Allowance::default(), merged: 0 }.value(node, texts)
}

struct Constructor {
    /// Pays for every expansion of an alias, unlike the composer.
    allowance: Allowance,
    /// The number of mappings that `<<` has named, and of pairs that they have brought.
    merged: usize,
}

type Pair = (Rc<Node>, Rc<Node>);

impl Constructor {
    fn value(&mut self, node: Rc<Node>, texts: &'static Texts) -> Result<Value, Error> {
        self.pay(&node, if let Content::Scalar { text, .. } = &node.content { written(text) } else { 0 })?;
        let kind =
            if texts.scalar && is_misread(&node) { Type::Kind(ScalarKind::Str) } else { type_of(&node)? };
        // Only what an alias stands for as well is copied, and of that no more than itself.
        let Node { content, tag, place, .. } = Rc::unwrap_or_clone(node);
        match (content, kind) {
            (Content::Scalar { text, .. }, kind) => {
                scalar_value(kind, text).map_err(|problem| Error::new(place, problem))
            }
            (Content::Seq(items), Type::Seq) => {
                let texts = texts.of_items();
                let items = items.into_iter().map(|item| self.value(item, texts));
                Ok(Value::Seq(items.collect::<Result<_, _>>()?))
            }
            (Content::Seq(items), Type::Pairs) => self.pairs(items),
            (Content::Seq(_), Type::Kind(ScalarKind::Null)) => Ok(Value::Null),
            (Content::Map(pairs), Type::Map) => Ok(Value::Map(self.mapping(place, pairs, texts)?)),
            (Content::Map(pairs), Type::Set) => {
                let mapping = self.mapping(place, pairs, texts)?;
                Ok(Value::Set(mapping.into_iter().map(|(key, _)| key).collect()))
            }
            _ => Err(mismatch(place, tag.as_deref())),
        }
    }

    fn pay(&mut self, node: &Node, bytes: usize) -> Result<(), Error> {
        let paid = self.allowance.take_one(bytes);
        paid.map_err(|problem| Error::new(node.place, format!("{problem}, once the aliases are expanded")))
    }

    fn mapping(
        &mut self,
        place: TextPlace,
        pairs: Vec<Pair>,
        texts: &'static Texts,
    ) -> Result<Mapping, Error> {
        let has_merge = pairs.iter().any(|(key, _)| is_merge(key));
        let pairs = if has_merge { self.flatten(place, &pairs)? } else { pairs };
        let mut made = Mapping::with_capacity(pairs.len());
        for (key_node, value_node) in pairs {
            let place = key_node.place;
            let key = if is_default(&key_node) { "=".into() } else { self.value(key_node, texts.of_keys())? };
            if !key.is_key() {
                return Err(Error::new(place, "a list or a mapping as a key"));
            }
            let texts = texts.of_value(key.as_str().unwrap_or_default());
            made.insert(key, self.value(value_node, texts)?);
        }
        Ok(made)
    }

    /// Puts what `<<` names before the mapping's own pairs, so that these win.
    fn flatten(&mut self, place: TextPlace, pairs: &[Pair]) -> Result<Vec<Pair>, Error> {
        let mut merged = Vec::new();
        let mut own = Vec::new();
        for (key, value) in pairs {
            if !is_merge(key) {
                own.push((Rc::clone(key), Rc::clone(value)));
                continue;
            }
            match &value.content {
                Content::Map(pairs) => {
                    self.merged += 1;
                    merged.extend(self.flatten(value.place, pairs)?);
                }
                Content::Seq(items) => {
                    self.merged += items.len();
                    // The first of a list wins, so it comes last.
                    for item in items.iter().rev() {
                        let Content::Map(pairs) = &item.content else { return Err(no_merge(item)) };
                        merged.extend(self.flatten(item.place, pairs)?);
                    }
                }
                Content::Scalar { .. } => return Err(no_merge(value)),
            }
            self.merged += merged.len();
            if self.merged > MOST_NODES {
                return Err(Error::new(
                    place,
                    format!("more than {MOST_NODES} values once `<<` is expanded"),
                ));
            }
        }
        merged.append(&mut own);
        Ok(merged)
    }

    /// `!!omap` and `!!pairs`: a list of mappings with one key each.
    fn pairs(&mut self, items: Vec<Rc<Node>>) -> Result<Value, Error> {
        let mut made = Vec::new();
        for item in items {
            match &item.content {
                Content::Map(pairs) if pairs.len() == 1 => {
                    for (key, value_node) in pairs {
                        self.pay(&item, 0)?;
                        let mut value = |node: &Rc<Node>| self.value(Rc::clone(node), &Texts::NONE);
                        let pair = vec![value(key)?, value(value_node)?];
                        made.push(Value::Seq(pair));
                    }
                }
                _ => return Err(Error::new(item.place, "not a mapping of one key")),
            }
        }
        Ok(Value::Seq(made))
    }
}

/// The type that a node is to become.
#[derive(Clone, Copy)]
enum Type {
    Kind(ScalarKind),
    Binary,
    Seq,
    Pairs,
    Set,
    Map,
}

const TAGS: &[(&str, Type)] = &[
    ("null", Type::Kind(ScalarKind::Null)),
    ("bool", Type::Kind(ScalarKind::Bool)),
    ("int", Type::Kind(ScalarKind::Int)),
    ("float", Type::Kind(ScalarKind::Float)),
    ("timestamp", Type::Kind(ScalarKind::Timestamp)),
    ("str", Type::Kind(ScalarKind::Str)),
    // cloud-init takes it: old Python wrote it.
    ("python/unicode", Type::Kind(ScalarKind::Str)),
    ("binary", Type::Binary),
    ("seq", Type::Seq),
    ("omap", Type::Pairs),
    ("pairs", Type::Pairs),
    ("map", Type::Map),
    ("set", Type::Set),
];

fn type_of(node: &Node) -> Result<Type, Error> {
    let unmarked = |tag: &&str| *tag != "!";
    match (node.tag.as_deref().filter(unmarked), &node.content) {
        (Some(tag), _) => {
            let name = tag.strip_prefix(STANDARD);
            TAGS.iter()
                .find(|(known, _)| Some(*known) == name)
                .map(|(_, kind)| *kind)
                .ok_or_else(|| Error::new(node.place, format!("unknown tag `{tag}`")))
        }
        // A lone `!` is PyYAML's "as if it were plain".
        (None, Content::Scalar { text, style }) if *style == Style::Plain || node.tag.is_some() => {
            Ok(Type::Kind(resolve(text)))
        }
        (None, Content::Scalar { .. }) => Ok(Type::Kind(ScalarKind::Str)),
        (None, Content::Seq(_)) => Ok(Type::Seq),
        (None, Content::Map(_)) => Ok(Type::Map),
    }
}

fn scalar_value(kind: Type, text: String) -> Result<Value, String> {
    match kind {
        Type::Kind(ScalarKind::Null) => Ok(Value::Null),
        Type::Kind(ScalarKind::Bool) => scalar::boolean(&text),
        Type::Kind(ScalarKind::Int) => scalar::int(&text),
        Type::Kind(ScalarKind::Float) => scalar::float(&text),
        Type::Kind(ScalarKind::Timestamp) => timestamp::check(&text).map(|()| Value::Time(text)),
        Type::Kind(ScalarKind::Str) => Ok(Value::Str(text)),
        Type::Kind(ScalarKind::Merge | ScalarKind::Default) => {
            Err(format!("`{text}` means nothing here (quote it)"))
        }
        Type::Binary => scalar::binary(&text),
        Type::Seq | Type::Pairs | Type::Set | Type::Map => {
            Err("the tag asks for a list or a mapping and a text follows".into())
        }
    }
}

/// True for a plain scalar of which YAML makes no text, and not nothing either.
fn is_misread(node: &Node) -> bool {
    let Content::Scalar { text, style: Style::Plain } = &node.content else { return false };
    let kinds = [ScalarKind::Bool, ScalarKind::Int, ScalarKind::Float, ScalarKind::Timestamp];
    node.tag.is_none() && kinds.contains(&resolve(text))
}

fn is_merge(key: &Node) -> bool {
    match &key.content {
        Content::Scalar { text, style: Style::Plain } => key.tag.is_none() && text == "<<",
        _ => key.tag.as_deref().and_then(|tag| tag.strip_prefix(STANDARD)) == Some("merge"),
    }
}

/// Such a value means nothing; such a key is a text.
fn is_default(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { text, style: Style::Plain } if key.tag.is_none() && text == "=")
}

fn no_merge(node: &Node) -> Error {
    Error::new(node.place, "a merge (`<<`) of something that is no mapping")
}

fn mismatch(place: TextPlace, tag: Option<&str>) -> Error {
    Error::new(place, format!("the tag `{}` does not fit", tag.unwrap_or_default()))
}
