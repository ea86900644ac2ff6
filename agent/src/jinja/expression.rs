//! Tokens -> expressions, from the loosest operator to the tightest.

use super::Failure;
use super::ast::{Arguments, Comparison, Expr, Operator};
use super::lexer::Token;
use super::parse::Parser;
use super::value::Value;

/// The most operators that may follow each other on one level, for each is a level of its own when it is computed.
const LONGEST_CHAIN: usize = 100;

type Parsed = Result<Expr, Failure>;

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

impl Parser {
    /// One expression, or several with commas between them, which are a tuple.
    pub(super) fn tuple(&mut self, with_condition: bool) -> Parsed {
        let first = self.expression(with_condition)?;
        if !self.is(&Token::Mark(",")) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(&Token::Mark(",")) {
            if self.tuple_ends() {
                break;
            }
            items.push(self.expression(with_condition)?);
        }
        Ok(Expr::Tuple(items))
    }

    fn tuple_ends(&mut self) -> bool {
        matches!(self.peek(), None | Some(Token::PrintEnd | Token::BlockEnd | Token::Mark(")")))
            || self.is_name("in")
            || self.is_name("recursive")
    }

    pub(super) fn expression(&mut self, with_condition: bool) -> Parsed {
        self.deeper()?;
        let mut value = self.or()?;
        let mut chain = 0;
        while with_condition && self.take_name("if") {
            self.count(&mut chain)?;
            let condition = self.or()?;
            let otherwise =
                if self.take_name("else") { Some(Box::new(self.expression(true)?)) } else { None };
            value = Expr::If(Box::new(condition), Box::new(value), otherwise);
        }
        self.shallower();
        Ok(value)
    }

    fn count(&self, chain: &mut usize) -> Result<(), Failure> {
        *chain += 1;
        if *chain > LONGEST_CHAIN {
            return Err(self.fail(format!("more than {LONGEST_CHAIN} operators in a row")));
        }
        Ok(())
    }

    fn or(&mut self) -> Parsed {
        let (mut left, mut chain) = (self.and()?, 0);
        while self.take_name("or") {
            self.count(&mut chain)?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let (mut left, mut chain) = (self.not()?, 0);
        while self.take_name("and") {
            self.count(&mut chain)?;
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        if self.take_name("not") {
            self.deeper()?;
            let negated = Expr::Not(Box::new(self.not()?));
            self.shallower();
            return Ok(negated);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let mut others = Vec::new();
        let mut chain = 0;
        loop {
            self.count(&mut chain)?;
            let mark = match self.peek() {
                Some(Token::Mark(mark)) => COMPARISONS.iter().find(|(own, _)| own == mark),
                _ => None,
            };
            if let Some((_, comparison)) = mark {
                self.next();
                others.push((*comparison, self.sum()?));
            } else if self.take_name("in") {
                others.push((Comparison::In, self.sum()?));
            } else if self.is_name("not") {
                self.next();
                if !self.take_name("in") {
                    return Err(self.fail("`in` is missing after `not`".into()));
                }
                others.push((Comparison::NotIn, self.sum()?));
            } else if others.is_empty() {
                return Ok(left);
            } else {
                return Ok(Expr::Compare(Box::new(left), others));
            }
        }
    }

    fn sum(&mut self) -> Parsed {
        const MARKS: &[(&str, Operator)] = &[("+", Operator::Add), ("-", Operator::Subtract)];
        self.operators(MARKS, Self::concatenation)
    }

    fn concatenation(&mut self) -> Parsed {
        let first = self.product()?;
        if !self.is(&Token::Mark("~")) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(&Token::Mark("~")) {
            items.push(self.product()?);
        }
        Ok(Expr::Concat(items))
    }

    fn product(&mut self) -> Parsed {
        const MARKS: &[(&str, Operator)] = &[
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::DivideFloor),
            ("%", Operator::Remainder),
        ];
        self.operators(MARKS, Self::power)
    }

    fn power(&mut self) -> Parsed {
        self.operators(&[("**", Operator::Power)], |parser| parser.unary(true))
    }

    fn operators(&mut self, marks: &[(&str, Operator)], operand: fn(&mut Self) -> Parsed) -> Parsed {
        let (mut left, mut chain) = (operand(self)?, 0);
        loop {
            let operator = match self.peek() {
                Some(Token::Mark(mark)) => marks.iter().find(|(own, _)| own == mark).map(|(_, own)| *own),
                _ => None,
            };
            let Some(operator) = operator else { return Ok(left) };
            self.count(&mut chain)?;
            self.next();
            left = Expr::Binary(operator, Box::new(left), Box::new(operand(self)?));
        }
    }

    fn unary(&mut self, with_filter: bool) -> Parsed {
        self.deeper()?;
        let value = if self.take(&Token::Mark("-")) {
            Expr::Negative(Box::new(self.unary(false)?))
        } else if self.take(&Token::Mark("+")) {
            Expr::Positive(Box::new(self.unary(false)?))
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        let value = if with_filter { self.filter_or_test(value)? } else { value };
        self.shallower();
        Ok(value)
    }

    fn primary(&mut self) -> Parsed {
        let token = self.next();
        Ok(match token {
            Some(Token::Name(name)) => match name.as_str() {
                "true" | "True" => Expr::Literal(Value::Bool(true)),
                "false" | "False" => Expr::Literal(Value::Bool(false)),
                "none" | "None" => Expr::Literal(Value::None),
                _ => {
                    let [varargs, kwargs] = &mut self.more;
                    *varargs |= name == "varargs";
                    *kwargs |= name == "kwargs";
                    Expr::Name(name)
                }
            },
            Some(Token::Str(mut text)) => {
                while let Some(Token::Str(more)) = self.peek() {
                    text.push_str(more);
                    self.next();
                }
                Expr::Literal(Value::str(text))
            }
            Some(Token::Int(number)) => Expr::Literal(Value::Int(number)),
            Some(Token::Float(number)) => Expr::Literal(Value::Float(number)),
            Some(Token::Mark("(")) => {
                if self.take(&Token::Mark(")")) {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let inner = self.tuple(true)?;
                self.expect(&Token::Mark(")"))?;
                inner
            }
            Some(Token::Mark("[")) => Expr::List(self.series("]")?),
            Some(Token::Mark("{")) => {
                let mut pairs = Vec::new();
                while !self.take(&Token::Mark("}")) {
                    if !pairs.is_empty() {
                        self.expect(&Token::Mark(","))?;
                        if self.take(&Token::Mark("}")) {
                            break;
                        }
                    }
                    let key = self.expression(true)?;
                    self.expect(&Token::Mark(":"))?;
                    pairs.push((key, self.expression(true)?));
                }
                Expr::Dict(pairs)
            }
            other => return Err(self.unexpected(other.as_ref(), "a value")),
        })
    }

    /// Expressions with commas between them, and their end.
    fn series(&mut self, end: &'static str) -> Result<Vec<Expr>, Failure> {
        let mut items = Vec::new();
        while !self.take(&Token::Mark(end)) {
            if !items.is_empty() {
                self.expect(&Token::Mark(","))?;
                if self.take(&Token::Mark(end)) {
                    break;
                }
            }
            items.push(self.expression(true)?);
        }
        Ok(items)
    }

    fn postfix(&mut self, mut value: Expr) -> Parsed {
        let mut chain = 0;
        loop {
            self.count(&mut chain)?;
            if self.take(&Token::Mark(".")) {
                value = match self.next() {
                    Some(Token::Name(name)) => Expr::Attribute(Box::new(value), name),
                    Some(Token::Int(number)) => {
                        Expr::Item(Box::new(value), Box::new(Expr::Literal(Value::Int(number))))
                    }
                    other => return Err(self.unexpected(other.as_ref(), "a name or number")),
                };
            } else if self.take(&Token::Mark("[")) {
                value = self.subscript(value)?;
            } else if self.is(&Token::Mark("(")) {
                value = Expr::Call(Box::new(value), self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    fn subscript(&mut self, value: Expr) -> Parsed {
        let mut bounds = [None, None, None];
        let mut colons = 0;
        for bound in &mut bounds {
            if !self.is(&Token::Mark(":")) && !self.is(&Token::Mark("]")) {
                *bound = Some(self.tuple(true)?);
            }
            if !self.take(&Token::Mark(":")) {
                break;
            }
            colons += 1;
        }
        self.expect(&Token::Mark("]"))?;
        match bounds {
            [Some(index), None, None] if colons == 0 => Ok(Expr::Item(Box::new(value), Box::new(index))),
            _ if colons == 0 => Err(self.fail("a value is missing between `[` and `]`".into())),
            bounds => Ok(Expr::Slice(Box::new(value), Box::new(bounds))),
        }
    }

    fn filter_or_test(&mut self, mut value: Expr) -> Parsed {
        let mut chain = 0;
        loop {
            self.count(&mut chain)?;
            if self.take(&Token::Mark("|")) {
                let name = self.name()?;
                let arguments =
                    if self.is(&Token::Mark("(")) { self.arguments()? } else { Arguments::default() };
                value = Expr::Filter(Box::new(value), name, arguments);
            } else if self.take_name("is") {
                value = self.test(value)?;
            } else if self.is(&Token::Mark("(")) {
                value = Expr::Call(Box::new(value), self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    fn test(&mut self, value: Expr) -> Parsed {
        let negated = self.take_name("not");
        let name = self.name()?;
        let ends = ["else", "or", "and", "if", "is"].iter().any(|word| self.is_name(word));
        let operand = match self.peek() {
            Some(Token::Name(_) | Token::Str(_) | Token::Int(_) | Token::Float(_)) => !ends,
            Some(Token::Mark("[" | "{")) => true,
            _ => false,
        };
        let mut arguments = Arguments::default();
        if self.is(&Token::Mark("(")) {
            arguments = self.arguments()?;
        } else if operand {
            let argument = self.primary()?;
            arguments.positional.push(self.postfix(argument)?);
        }
        let test = Expr::Test(Box::new(value), name, arguments);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }

    pub(super) fn arguments(&mut self) -> Result<Arguments, Failure> {
        let mut arguments = Arguments::default();
        self.expect(&Token::Mark("("))?;
        let mut first = true;
        while !self.take(&Token::Mark(")")) {
            if !std::mem::take(&mut first) {
                self.expect(&Token::Mark(","))?;
                if self.take(&Token::Mark(")")) {
                    break;
                }
            }
            if self.take(&Token::Mark("**")) {
                arguments.spread_named = Some(Box::new(self.expression(true)?));
            } else if self.take(&Token::Mark("*")) {
                arguments.spread = Some(Box::new(self.expression(true)?));
            } else {
                let value = self.expression(true)?;
                match value {
                    Expr::Name(name) if self.take(&Token::Mark("=")) => {
                        arguments.named.push((name, self.expression(true)?));
                    }
                    _ if arguments.named.is_empty() && arguments.spread_named.is_none() => {
                        arguments.positional.push(value);
                    }
                    _ => return Err(self.fail("an argument without a name after one with a name".into())),
                }
            }
        }
        Ok(arguments)
    }
}
