//! libyaml's events -> a tree of nodes that still knows its tags and places.

use super::error::{Error, TextPlace};
use super::mask::Masked;
use super::{DEEPEST, MOST_NODES};
use libyaml_safer::{Encoding, Event, EventData, Parser, ScalarStyle};
use std::collections::HashMap;
use std::rc::Rc;

/// A node of the document; an alias is the same node once more.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The tag that was written, in its long form.
    pub(super) tag: Option<String>,
    /// Where it begins.
    pub(super) place: TextPlace,
    pub(super) content: Content,
    /// The number of levels nested in it.
    height: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A scalar, and whether it was written without quotes.
    Scalar {
        text: String,
        style: Style,
    },
    Seq(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Content {
    fn height(&self) -> usize {
        let nodes: &mut dyn Iterator<Item = &Rc<Node>> = match self {
            Self::Scalar { .. } => return 0,
            Self::Seq(items) => &mut items.iter(),
            Self::Map(pairs) => &mut pairs.iter().flat_map(|(key, value)| [key, value]),
        };
        nodes.map(|node| node.height + 1).max().unwrap_or_default()
    }
}

/// The style in which a scalar was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Plain,
    Quoted,
}

/// The one document of a text; `None` when there is none.
pub(super) fn compose(text: &str) -> Result<Option<Rc<Node>>, Error> {
    let masked = Masked::new(text)?;
    let mut input = masked.text.as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut input);
    let mut composer =
        Composer { parser, masked: &masked, anchors: HashMap::new(), nodes: 0, texts: Vec::new() };
    composer.next()?;
    let start = composer.next()?;
    if start.data == EventData::StreamEnd {
        return Ok(None);
    }
    let first = composer.next()?;
    let node = composer.node(first, 0)?;
    composer.next()?;
    let after = composer.next()?;
    if after.data != EventData::StreamEnd {
        return Err(Error::new(after.start_mark.into(), "a second document begins (one is allowed)"));
    }
    match tab_between(&masked.text, &composer.texts) {
        Some(place) => Err(Error::new(place, "a tab where only blanks may be (it may be in quotes)")),
        None => Ok(Some(node)),
    }
}

/// The first tab that is neither in quotes nor in a block nor in a comment.
fn tab_between(text: &str, texts: &[(u64, u64)]) -> Option<TextPlace> {
    if !text.contains('\t') {
        return None;
    }
    let mut texts = texts.iter().copied().peekable();
    let (mut line, mut column) = (0, 0);
    let mut comment = false;
    let mut before = '\n';
    for (index, character) in text.char_indices() {
        let index = index as u64;
        while texts.next_if(|(_, end)| *end <= index).is_some() {}
        let inside = texts.peek().is_some_and(|(start, _)| *start <= index);
        match character {
            '\n' => comment = false,
            '%' if column == 0 && !inside => comment = true,
            '#' if !inside && before.is_whitespace() => comment = true,
            '\t' if !inside && !comment => return Some(TextPlace { line, column }),
            _ => {}
        }
        (line, column) = if character == '\n' { (line + 1, 0) } else { (line, column + 1) };
        before = character;
    }
    None
}

struct Composer<'input, 'text> {
    parser: Parser<&'input mut &'text [u8]>,
    masked: &'text Masked<'text>,
    /// `None`: the anchored node is not finished, so an alias to it would enclose itself.
    anchors: HashMap<String, Option<Rc<Node>>>,
    nodes: usize,
    /// Where texts in quotes and in blocks begin and end, in bytes.
    texts: Vec<(u64, u64)>,
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<Event, Error> {
        Ok(self.parser.parse()?)
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Rc<Node>, Error> {
        let place = TextPlace::from(event.start_mark);
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(Error::new(place, format!("more than {MOST_NODES} values")));
        }
        let too_deep = || Error::new(place, format!("nested deeper than {DEEPEST}"));
        if depth > DEEPEST {
            return Err(too_deep());
        }
        let (anchor, tag) = match &event.data {
            EventData::Alias { anchor } => {
                // It may hold an alias that holds an alias.
                let node = self.alias(anchor, place)?;
                return if depth + node.height > DEEPEST { Err(too_deep()) } else { Ok(node) };
            }
            EventData::Scalar { anchor, tag, .. }
            | EventData::SequenceStart { anchor, tag, .. }
            | EventData::MappingStart { anchor, tag, .. } => (anchor.clone(), tag.clone()),
            _ => return Err(Error::new(place, "a value is missing")),
        };
        if let Some(anchor) = &anchor
            && self.anchors.insert(anchor.clone(), None).is_some()
        {
            return Err(Error::new(place, format!("the anchor `{anchor}` is set a second time")));
        }
        let content = match event.data {
            EventData::Scalar { value, style, .. } => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                if style == Style::Quoted {
                    self.texts.push((event.start_mark.index, event.end_mark.index));
                }
                Content::Scalar { text: self.masked.unmask(value), style }
            }
            EventData::SequenceStart { .. } => self.sequence(depth)?,
            _ => self.mapping(depth)?,
        };
        let height = content.height();
        let node = Rc::new(Node { tag, place, content, height });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Some(Rc::clone(&node)));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: &str, place: TextPlace) -> Result<Rc<Node>, Error> {
        match self.anchors.get(anchor) {
            Some(Some(node)) => Ok(Rc::clone(node)),
            Some(None) => Err(Error::new(place, format!("the alias `{anchor}` stands for what encloses it"))),
            None => Err(Error::new(place, format!("the alias `{anchor}` is undefined"))),
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Content, Error> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if event.data == EventData::SequenceEnd {
                return Ok(Content::Seq(items));
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Content, Error> {
        let mut pairs = Vec::new();
        loop {
            let event = self.next()?;
            if event.data == EventData::MappingEnd {
                return Ok(Content::Map(pairs));
            }
            let key = self.node(event, depth + 1)?;
            let event = self.next()?;
            pairs.push((key, self.node(event, depth + 1)?));
        }
    }
}
