//! Where values stand in their text, for messages about what they mean.

use super::compose::{Content, Node, compose};
use super::lenient;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// One step into a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum PathStep {
    /// Under a key.
    Key(String),
    /// The entry of a list, from 0.
    Entry(usize),
}

/// A text that was composed.
pub(crate) struct Places(Option<Rc<Node>>);

impl Places {
    /// The places of a text; none if it is not YAML.
    pub(crate) fn of(text: &str) -> Self {
        Self(lenient::reading(text, compose).unwrap_or_default())
    }

    /// Line and column, both from 1, of what the steps lead to: of a key, where it is under one. Where they lead
    /// to nothing it is the place of what is nearest above.
    pub(crate) fn find(&self, steps: &[PathStep]) -> Option<(usize, usize)> {
        let mut node = self.0.as_deref()?;
        let mut place = node.place;
        for step in steps {
            let next = match (step, &node.content) {
                (PathStep::Key(name), Content::Map(pairs)) => {
                    // The later of two counts.
                    pairs.iter().rfind(|(key, _)| is(key, name))
                }
                (PathStep::Entry(index), Content::Seq(items)) => {
                    let Some(item) = items.get(*index) else { break };
                    (node, place) = (item, item.place);
                    continue;
                }
                _ => break,
            };
            let Some((key, value)) = next else { break };
            (node, place) = (value, key.place);
        }
        Some((place.line + 1, place.column + 1))
    }
}

/// A key that stands more than once in a mapping: its name, and its first and last places, both lines and columns from
/// 1.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Doubled {
    pub(crate) name: String,
    pub(crate) first: (usize, usize),
    pub(crate) last: (usize, usize),
}

impl Places {
    /// The keys that stand more than once. Only the last of them counts.
    pub(crate) fn doubled(&self) -> Vec<Doubled> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open: Vec<&Rc<Node>> = self.0.iter().collect();
        while let Some(node) = open.pop() {
            // An alias is the same node once more.
            if !seen.insert(Rc::as_ptr(node)) {
                continue;
            }
            match &node.content {
                Content::Scalar { .. } => {}
                Content::Seq(items) => open.extend(items),
                Content::Map(pairs) => {
                    doubled_in(pairs, &mut found);
                    open.extend(pairs.iter().map(|(_, value)| value));
                }
            }
        }
        found.sort_by_key(|doubled| doubled.first);
        found
    }
}

fn doubled_in(pairs: &[(Rc<Node>, Rc<Node>)], found: &mut Vec<Doubled>) {
    let mut firsts: HashMap<&str, (&Node, &Node)> = HashMap::new();
    for (key, _) in pairs {
        // The mappings that `<<` names are joined, however often it stands there.
        if let Content::Scalar { text, .. } = &key.content
            && text != "<<"
        {
            firsts.entry(text).and_modify(|(_, last)| *last = key).or_insert((key, key));
        }
    }
    let place = |node: &Node| (node.place.line + 1, node.place.column + 1);
    let twice = firsts.into_iter().filter(|(_, (first, last))| !std::ptr::eq(*first, *last));
    found.extend(twice.map(|(name, (first, last))| Doubled {
        name: name.to_owned(),
        first: place(first),
        last: place(last),
    }));
}

fn is(node: &Node, name: &str) -> bool {
    matches!(&node.content, Content::Scalar { text, .. } if text == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &[PathStep], place: (usize, usize)) {
        let places = Places::of("#cloud-config\na: 1\nb:\n  - x\n  - {c: 1,\n     d: 2}\n");
        assert_eq!(places.find(steps), Some(place), "{steps:?}");
    }

    #[test]
    fn a_key_that_stands_twice_is_found_once() {
        let doubled = |text: &str| {
            let found = Places::of(text).doubled();
            found.into_iter().map(|it| (it.name, it.first, it.last)).collect::<Vec<_>>()
        };
        let a = |first, last| ("a".to_owned(), first, last);
        assert_eq!(doubled("a: 1\nb: 2\na: 3\na: 4\n"), [a((1, 1), (4, 1))]);
        assert_eq!(doubled("x:\n- {a: 1, a: 2}\n"), [a((2, 4), (2, 10))]);
        assert_eq!(doubled("x: &x {a: 1, a: 2}\ny: [*x, *x]\n"), [a((1, 8), (1, 14))]);
        for text in ["a: {a: 1}\nb: {a: 1}\n", "<<: {a: 1}\n<<: {b: 1}\na: 2\n", "- a\n- a\n", "a: ["] {
            assert_eq!(doubled(text), [], "{text}");
        }
    }

    #[test]
    fn steps_lead_to_places() {
        let key = |name: &str| PathStep::Key(name.into());
        check(&[], (2, 1));
        check(&[key("b")], (3, 1));
        check(&[key("b"), PathStep::Entry(1)], (5, 5));
        check(&[key("b"), PathStep::Entry(1), key("d")], (6, 6));
        // As far as there is something.
        check(&[key("b"), PathStep::Entry(7), key("d")], (3, 1));
        check(&[key("b"), PathStep::Entry(0), key("d")], (4, 5));
        check(&[key("z")], (2, 1));
        assert_eq!(Places::of("a: [").find(&[]), None);
        assert_eq!(Places::of("a: 1\nb: 2\na: 3\n").find(&[key("a")]), Some((3, 1)));
    }
}
