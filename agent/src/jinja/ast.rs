//! A template, parsed.

use super::value::Value;
use std::rc::Rc;

/// A piece of a template and the line it begins on.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Print(Expr),
    /// The conditions in their order, and what is left.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    For(Rc<For>),
    Set(Target, Expr),
    /// `{% set x %}…{% endset %}`, and its filters.
    Capture(Target, Vec<(String, Arguments)>, Vec<Node>),
    Macro(Rc<Macro>),
    /// `{% call(…) m() %}…{% endcall %}`
    Call(Rc<Macro>, Expr),
    Filter(Vec<(String, Arguments)>, Vec<Node>),
    With(Vec<(Target, Expr)>, Vec<Node>),
    Block(Vec<Node>),
    Do(Expr),
    /// A statement that needs another template.
    Other(String),
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) condition: Option<Expr>,
    pub(super) recursive: bool,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Vec<Node>,
    /// True where the body names `varargs` and `kwargs`, one each. Without them, no further argument is taken.
    pub(super) takes_more: [bool; 2],
}

/// The target of an assignment.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Name(String),
    Member(String, String),
    Several(Vec<Target>),
}

#[derive(Debug)]
pub(super) enum Expr {
    Literal(Value),
    Name(String),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Arguments),
    Filter(Box<Expr>, String, Arguments),
    Test(Box<Expr>, String, Arguments),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// The condition, what it yields, and what else.
    If(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
}

#[derive(Default, Debug)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
    /// `*list` and `**mapping`
    pub(super) spread: Option<Box<Expr>>,
    pub(super) spread_named: Option<Box<Expr>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideFloor,
    Remainder,
    Power,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}
