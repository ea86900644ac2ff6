//! Where values stand in their text, for messages about what they mean.

use super::compose::{Content, Node, compose};
use super::lenient;
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
                    // Of two the later counts.
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
