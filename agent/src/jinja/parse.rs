//! Tokens -> a template: its statements.

use super::ast::{Arguments, Expr, For, Kind, Macro, Node, Target};
use super::lexer::{Placed, Token};
use super::{DEEPEST, Failure};
use std::rc::Rc;

pub(super) fn parse(tokens: Vec<Placed>) -> Result<Vec<Node>, Failure> {
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), line: 1, depth: 0, more: [false; 2] };
    let (nodes, end) = parser.body(&[])?;
    match end {
        None => Ok(nodes),
        Some(word) => Err(parser.fail(format!("unexpected `{word}`"))),
    }
}

pub(super) struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Placed>>,
    line: usize,
    depth: usize,
    /// True where `varargs` and `kwargs` have been named, one each.
    pub(super) more: [bool; 2],
}

impl Parser {
    /// Pieces up to one of the words that end them, which is taken.
    fn body(&mut self, ends: &[&str]) -> Result<(Vec<Node>, Option<String>), Failure> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fail(format!("nested deeper than {DEEPEST}")));
        }
        let mut nodes = Vec::new();
        let end = loop {
            let Some(token) = self.next() else { break None };
            let line = self.line;
            let kind = match token {
                Token::Text(text) => Kind::Text(text),
                Token::PrintBegin => {
                    let expr = self.tuple(true)?;
                    self.expect(&Token::PrintEnd)?;
                    Kind::Print(expr)
                }
                _ => {
                    let word = self.name()?;
                    if ends.contains(&word.as_str()) {
                        break Some(word);
                    }
                    self.statement(&word)?
                }
            };
            nodes.push(Node { line, kind });
        };
        self.depth -= 1;
        if let (None, Some(expected)) = (&end, ends.last()) {
            return Err(self.fail(format!("the end is missing (`{{% {expected} %}}`)")));
        }
        Ok((nodes, end))
    }

    /// A body that ends with one word, which stands alone.
    fn body_to(&mut self, end: &str) -> Result<Vec<Node>, Failure> {
        let (nodes, _) = self.body(&[end])?;
        self.block_end()?;
        Ok(nodes)
    }

    pub(super) fn block_end(&mut self) -> Result<(), Failure> {
        self.expect(&Token::BlockEnd)
    }

    fn statement(&mut self, word: &str) -> Result<Kind, Failure> {
        match word {
            "if" => self.conditions(),
            "for" => self.for_loop(),
            "set" => self.set(),
            "do" => {
                let expr = self.tuple(true)?;
                self.block_end()?;
                Ok(Kind::Do(expr))
            }
            "print" => {
                let expr = self.tuple(true)?;
                self.block_end()?;
                // Each of several is printed alone.
                let parts = if let Expr::Tuple(parts) = expr { parts } else { vec![expr] };
                let line = self.line;
                let print = |part| Node { line, kind: Kind::Print(part) };
                Ok(Kind::With(Vec::new(), parts.into_iter().map(print).collect()))
            }
            "macro" => {
                let name = self.name()?;
                let called = self.macro_body(name, "endmacro")?;
                Ok(Kind::Macro(called))
            }
            "call" => {
                // The parameters stand before what is called, so that is read in between.
                let parameters = if self.is(&Token::Mark("(")) { self.parameters()? } else { Vec::new() };
                let expr = self.expression(true)?;
                self.block_end()?;
                let called = self.finish_macro("caller".into(), parameters, "endcall")?;
                Ok(Kind::Call(called, expr))
            }
            "filter" => {
                let filters = self.filters()?;
                self.block_end()?;
                Ok(Kind::Filter(filters, self.body_to("endfilter")?))
            }
            "with" => {
                let mut values = Vec::new();
                while !self.is(&Token::BlockEnd) {
                    if !values.is_empty() {
                        self.expect(&Token::Mark(","))?;
                    }
                    let target = self.target()?;
                    self.expect(&Token::Mark("="))?;
                    values.push((target, self.expression(true)?));
                }
                self.block_end()?;
                Ok(Kind::With(values, self.body_to("endwith")?))
            }
            "autoescape" => {
                self.expression(true)?;
                self.block_end()?;
                Ok(Kind::With(Vec::new(), self.body_to("endautoescape")?))
            }
            "block" => {
                let name = self.name()?;
                while self.take_name("scoped") || self.take_name("required") {}
                self.block_end()?;
                let (nodes, _) = self.body(&["endblock"])?;
                self.take_name(&name);
                self.block_end()?;
                Ok(Kind::Block(nodes))
            }
            "include" | "import" | "extends" | "from" => {
                while !self.is(&Token::BlockEnd) {
                    self.next().ok_or_else(|| Failure::new("the end is missing (`%}`)"))?;
                }
                self.block_end()?;
                Ok(Kind::Other(word.to_owned()))
            }
            _ => Err(self.fail(format!("there is no statement `{word}` here"))),
        }
    }

    fn conditions(&mut self) -> Result<Kind, Failure> {
        let mut conditions = Vec::new();
        loop {
            let condition = self.tuple(false)?;
            self.block_end()?;
            let (nodes, end) = self.body(&["elif", "else", "endif"])?;
            conditions.push((condition, nodes));
            if end.as_deref() == Some("elif") {
                continue;
            }
            self.block_end()?;
            let otherwise = if end.as_deref() == Some("else") { self.body_to("endif")? } else { Vec::new() };
            return Ok(Kind::If(conditions, otherwise));
        }
    }

    fn for_loop(&mut self) -> Result<Kind, Failure> {
        let target = self.targets("in")?;
        if !self.take_name("in") {
            return Err(self.fail("`in` is missing".into()));
        }
        let items = self.tuple(false)?;
        let condition = if self.take_name("if") { Some(self.expression(true)?) } else { None };
        let recursive = self.take_name("recursive");
        self.block_end()?;
        let (body, end) = self.body(&["else", "endfor"])?;
        self.block_end()?;
        let otherwise = if end.as_deref() == Some("else") { self.body_to("endfor")? } else { Vec::new() };
        Ok(Kind::For(Rc::new(For { target, items, condition, recursive, body, otherwise })))
    }

    fn set(&mut self) -> Result<Kind, Failure> {
        let target = self.targets("")?;
        if self.take(&Token::Mark("=")) {
            let expr = self.tuple(true)?;
            self.block_end()?;
            return Ok(Kind::Set(target, expr));
        }
        let filters = if self.take(&Token::Mark("|")) { self.filters()? } else { Vec::new() };
        self.block_end()?;
        Ok(Kind::Capture(target, filters, self.body_to("endset")?))
    }

    /// `upper|trim`
    fn filters(&mut self) -> Result<Vec<(String, Arguments)>, Failure> {
        let mut filters = Vec::new();
        loop {
            let name = self.name()?;
            let arguments = if self.is(&Token::Mark("(")) { self.arguments()? } else { Arguments::default() };
            filters.push((name, arguments));
            if !self.take(&Token::Mark("|")) {
                return Ok(filters);
            }
        }
    }

    fn macro_body(&mut self, name: String, end: &str) -> Result<Rc<Macro>, Failure> {
        let parameters = self.parameters()?;
        self.block_end()?;
        self.finish_macro(name, parameters, end)
    }

    fn finish_macro(
        &mut self,
        name: String,
        parameters: Vec<(String, Option<Expr>)>,
        end: &str,
    ) -> Result<Rc<Macro>, Failure> {
        let outer = std::mem::take(&mut self.more);
        let body = self.body_to(end)?;
        let takes_more = std::mem::replace(&mut self.more, outer);
        Ok(Rc::new(Macro { name, parameters, body, takes_more }))
    }

    fn parameters(&mut self) -> Result<Vec<(String, Option<Expr>)>, Failure> {
        let mut parameters = Vec::new();
        self.expect(&Token::Mark("("))?;
        while !self.take(&Token::Mark(")")) {
            if !parameters.is_empty() {
                self.expect(&Token::Mark(","))?;
            }
            let name = self.name()?;
            let default = if self.take(&Token::Mark("=")) { Some(self.expression(true)?) } else { None };
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    /// Names with commas between them, up to a word.
    fn targets(&mut self, end: &str) -> Result<Target, Failure> {
        let first = self.target()?;
        if !self.is(&Token::Mark(",")) {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.take(&Token::Mark(",")) {
            if matches!(self.peek(), Some(Token::Name(name)) if name == end) || self.is(&Token::Mark("=")) {
                break;
            }
            targets.push(self.target()?);
        }
        Ok(Target::Several(targets))
    }

    fn target(&mut self) -> Result<Target, Failure> {
        if self.take(&Token::Mark("(")) {
            self.deeper()?;
            let targets = self.targets("")?;
            self.depth -= 1;
            self.expect(&Token::Mark(")"))?;
            return Ok(targets);
        }
        let name = self.name()?;
        if ["true", "false", "none", "True", "False", "None"].contains(&name.as_str()) {
            return Err(self.fail(format!("`{name}` cannot be assigned to")));
        }
        if self.take(&Token::Mark(".")) {
            return Ok(Target::Member(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    pub(super) fn deeper(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.fail(format!("nested deeper than {DEEPEST}"))) } else { Ok(()) }
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let (line, token) = self.tokens.next()?;
        self.line = line;
        Some(token)
    }

    pub(super) fn peek(&mut self) -> Option<&Token> {
        self.tokens.peek().map(|(_, token)| token)
    }

    pub(super) fn is(&mut self, token: &Token) -> bool {
        self.peek() == Some(token)
    }

    pub(super) fn take(&mut self, token: &Token) -> bool {
        let there = self.is(token);
        if there {
            self.next();
        }
        there
    }

    pub(super) fn is_name(&mut self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name)) if name == word)
    }

    pub(super) fn take_name(&mut self, word: &str) -> bool {
        let there = self.is_name(word);
        if there {
            self.next();
        }
        there
    }

    pub(super) fn name(&mut self) -> Result<String, Failure> {
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(self.unexpected(other.as_ref(), "a name")),
        }
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<(), Failure> {
        let found = self.next();
        if found.as_ref() == Some(token) {
            return Ok(());
        }
        Err(self.unexpected(found.as_ref(), shown(token)))
    }

    pub(super) fn unexpected(&self, found: Option<&Token>, expected: &str) -> Failure {
        let found = match found {
            None => "the end".to_owned(),
            Some(Token::Name(name)) => format!("`{name}`"),
            Some(Token::Str(text)) => format!("the text {text:?}"),
            Some(token) => format!("`{}`", shown(token)),
        };
        self.fail(format!("{expected} is missing before {found}"))
    }

    pub(super) fn fail(&self, problem: String) -> Failure {
        Failure::new(problem).at(self.line)
    }
}

fn shown(token: &Token) -> &'static str {
    match token {
        Token::PrintBegin => "{{",
        Token::PrintEnd => "}}",
        Token::BlockBegin => "{%",
        Token::BlockEnd => "%}",
        Token::Mark(mark) => mark,
        Token::Text(_) => "text",
        Token::Name(_) => "name",
        Token::Str(_) => "text in quotes",
        Token::Int(_) | Token::Float(_) => "number",
    }
}
