//! Jinja templates, as cloud-init renders them: user-data whose first line is `## template: jinja`.
//!
//! The values are our own, and come out as Python's do: a text, `None` or a list. So nothing in a template takes long
//! or takes much memory.

mod ast;
mod call;
mod checks;
mod escape;
mod eval;
mod expression;
mod filters;
mod lexer;
mod methods;
mod missing;
mod ops;
mod parse;
mod percent;
mod round;
mod run;
mod scope;
mod show;
mod value;

use crate::yaml;
use scope::Scope;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use value::{Undefined, Value};

/// The text in the place of a missing variable; the variable's name follows it.
const MISSING: &str = "CI_MISSING_JINJA_VAR/";

/// Steps that templates may take together. A value made is two, and each 16 bytes of text are one.
const FUEL: usize = 2_000_000;

/// The most bytes that templates may write together.
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// The most levels to which expressions and statements may be nested.
const DEEPEST: usize = 50;

/// The most levels while they are carried out, macros that call each other among them.
const DEEPEST_RUN: usize = 200;

/// The reason why a template is not rendered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    problem: String,
    /// The line of the part, from 1.
    pub(crate) line: Option<usize>,
    shown: Option<String>,
}

/// The rest of what templates may do and write together.
pub(crate) struct Allowance {
    fuel: usize,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { fuel: FUEL, bytes: MOST_BYTES }
    }
}

/// Renders a text that begins with the line `## template: jinja`.
pub(crate) fn render(
    text: &str,
    variables: &yaml::Value,
    allowance: &mut Allowance,
) -> Result<Rendered, Failure> {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    match template_type(first).as_deref() {
        Some("jinja") => {
            // A place is told by the part's lines, of which the first is not the template's.
            jinja(body, variables, allowance).map_err(|failure| failure.showing(text))
        }
        Some(other) => Err(Failure::new(format!("there is no template type `{other}`"))),
        None => Err(Failure::new("the first line is not `## template: jinja`")),
    }
}

/// A value as Python's `str()` writes it.
pub(crate) fn text(value: &yaml::Value) -> String {
    Value::from(value).text()
}

/// The most missing variables that are reported.
const MOST_MISSING: usize = 20;

/// A rendered template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rendered {
    /// Its text.
    pub(crate) text: String,
    /// The variables in it that nobody knows, each with what there is in its place.
    pub(crate) missing: Vec<String>,
}

/// The word behind `## template:`.
fn template_type(line: &str) -> Option<String> {
    let rest = line.strip_prefix("##")?.trim_start();
    let (word, rest) = rest.split_at_checked("template:".len())?;
    word.eq_ignore_ascii_case("template:").then(|| rest.trim().to_lowercase())
}

fn jinja(body: &str, variables: &yaml::Value, allowance: &mut Allowance) -> Result<Rendered, Failure> {
    let source = body.replace("\r\n", "\n").replace('\r', "\n");
    let one_less = source.strip_suffix('\n').unwrap_or(&source);
    let nodes = parse::parse(lexer::lex(one_less)?)?;
    let machine =
        Machine { fuel: Cell::new(allowance.fuel), depth: Cell::new(0), missing: RefCell::default() };
    let outer = Rc::new(Scope::default());
    for (name, value) in variables.as_map().into_iter().flat_map(yaml::Mapping::iter) {
        outer.set(name.as_str().unwrap_or_default(), Value::from(value));
    }
    let mut out = String::new();
    let ran = machine.run(&nodes, &Scope::inside(&outer), &mut out);
    allowance.fuel = machine.fuel.get();
    ran?;
    match allowance.bytes.checked_sub(out.len()) {
        Some(left) => allowance.bytes = left,
        None => return Err(Failure::new("the templates write more than 10 MiB together")),
    }
    if body.ends_with('\n') {
        out.push('\n');
    }
    Ok(Rendered { text: out, missing: machine.missing.into_inner() })
}

/// The state of a computation, and the rest of its allowance.
struct Machine {
    fuel: Cell<usize>,
    depth: Cell<usize>,
    /// The texts that were written in the place of undefined values.
    missing: RefCell<Vec<String>>,
}

/// A level of what is carried out, until it is dropped.
struct Level<'a>(&'a Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Machine {
    fn enter(&self) -> Result<Level<'_>, Failure> {
        self.pay(1)?;
        self.depth.set(self.depth.get() + 1);
        let level = Level(&self.depth);
        if self.depth.get() > DEEPEST_RUN {
            return Err(Failure::new(format!("statements nested deeper than {DEEPEST_RUN} as they run")));
        }
        Ok(level)
    }

    fn pay(&self, steps: usize) -> Result<(), Failure> {
        let left = self.fuel.get().checked_sub(steps);
        // The allowance is then used up: templates behind this one do not get the rest.
        self.fuel.set(left.unwrap_or_default());
        let problem =
            || Failure::new(format!("the template takes more than {FUEL} steps, with those before it"));
        left.map(drop).ok_or_else(problem)
    }

    fn pay_items(&self, count: usize) -> Result<(), Failure> {
        self.pay(count.saturating_mul(2))
    }

    fn pay_bytes(&self, count: usize) -> Result<(), Failure> {
        if count > MOST_BYTES {
            return Err(Failure::new("the template makes a text of more than 10 MiB"));
        }
        self.pay(count / 16)
    }

    /// A value's text.
    fn text(&self, value: &Value) -> Result<String, Failure> {
        if let Value::Str(text) = value {
            self.pay_bytes(text.len())?;
            return Ok(text.to_string());
        }
        if let Value::Undefined(undefined) = value {
            self.note(undefined);
        }
        self.pay_shown(value, 0)?;
        Ok(value.text())
    }

    fn note(&self, undefined: &Undefined) {
        let mut all = self.missing.borrow_mut();
        if all.len() < MOST_MISSING {
            let told = undefined.told();
            if !all.contains(&told) {
                all.push(told);
            }
        }
    }

    /// Pays for what a value's text takes before it is made.
    fn pay_shown(&self, value: &Value, depth: usize) -> Result<(), Failure> {
        self.pay(1)?;
        if depth > 2 * value::DEEPEST {
            return Err(Failure::new("a value is nested too deep to be shown"));
        }
        match value {
            Value::Str(text) => self.pay_bytes(text.len()),
            Value::List(items) | Value::Tuple(items) => {
                items.items.borrow().iter().try_for_each(|item| self.pay_shown(item, depth + 1))
            }
            Value::Dict(dict) => {
                dict.pairs.borrow().iter().try_for_each(|(_, value)| self.pay_shown(value, depth + 1))
            }
            Value::Object(object) => match &**object {
                value::Object::Namespace(names) => {
                    names.borrow().iter().try_for_each(|(_, value)| self.pay_shown(value, depth + 1))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn joined(&self, texts: &[impl AsRef<str>]) -> Result<Value, Failure> {
        self.pay_bytes(texts.iter().map(|text| text.as_ref().len()).sum())?;
        Ok(Value::str(texts.iter().map(AsRef::as_ref).collect::<String>()))
    }

    fn list(&self, items: Vec<Value>) -> Result<Value, Failure> {
        self.pay_items(items.len())?;
        shallow(Value::list(items))
    }

    fn dict(&self, pairs: yaml::Table<Value>) -> Result<Value, Failure> {
        self.pay_items(pairs.len())?;
        shallow(Value::dict(pairs))
    }
}

/// The value, unless it is nested too deep.
fn shallow(value: Value) -> Result<Value, Failure> {
    if value.depth() > value::DEEPEST {
        return Err(Failure::new(format!("a value nested deeper than {}", value::DEEPEST)));
    }
    Ok(value)
}

impl Failure {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), line: None, shown: None }
    }

    /// Adds the line of the template, unless there is one.
    fn at(mut self, line: usize) -> Self {
        self.line.get_or_insert(line);
        self
    }

    /// Turns the template's line into the part's, and keeps what stands there.
    fn showing(mut self, text: &str) -> Self {
        self.line = self.line.map(|line| line + 1);
        let line = self.line.and_then(|line| text.lines().nth(line - 1));
        self.shown = line.map(|line| line.chars().take(120).collect());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.shown) {
            (Some(line), Some(shown)) => write!(out, "line {line}: {}\n  {line} | {shown}", self.problem),
            (Some(line), None) => write!(out, "line {line}: {}", self.problem),
            _ => write!(out, "{}", self.problem),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
