//! The text of a template -> texts and the tokens between `{{`, `{%` and their ends.

use super::Failure;

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// Text that is written out unchanged.
    Text(String),
    PrintBegin,
    PrintEnd,
    BlockBegin,
    BlockEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    /// An operator, or a bracket.
    Mark(&'static str),
}

/// The longest first.
const MARKS: [&str; 25] = [
    "//", "**", "==", "!=", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "%", "~", "|", ".", ",", ":", "(",
    ")", "[", "]", "{", "}",
];

/// The most tokens that a template may have.
const MOST_TOKENS: usize = 500_000;

/// A token and the line it stands on.
pub(super) type Placed = (usize, Token);

pub(super) fn lex(source: &str) -> Result<Vec<Placed>, Failure> {
    let mut lexer = Lexer { rest: source, line: 1, tokens: Vec::new() };
    while !lexer.rest.is_empty() {
        lexer.text()?;
        lexer.check()?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Placed>,
}

impl Lexer<'_> {
    /// Up to the next thing in braces, and that thing.
    fn text(&mut self) -> Result<(), Failure> {
        let begins = |(place, _): &(usize, &str)| {
            let after = self.rest.get(place + 1..).unwrap_or_default();
            after.starts_with(['{', '%', '#'])
        };
        let Some((place, _)) = self.rest.match_indices('{').find(begins) else {
            let all = self.advance(self.rest.len());
            self.push_text(all);
            return Ok(());
        };
        let mut text = self.advance(place);
        let (begin, line) = (self.advance(2), self.line);
        match self.rest.chars().next() {
            Some('-') => {
                text.truncate(text.trim_end().len());
                self.advance(1);
            }
            Some('+') if begin != "{{" => drop(self.advance(1)),
            _ => {}
        }
        self.push_text(text);
        match begin.as_str() {
            "{#" => self.comment(line),
            "{{" => {
                self.push(Token::PrintBegin);
                self.code("}}", Token::PrintEnd, line)
            }
            _ if self.raw_begins() => self.raw(line),
            _ => {
                self.push(Token::BlockBegin);
                self.code("%}", Token::BlockEnd, line)
            }
        }
    }

    fn comment(&mut self, line: usize) -> Result<(), Failure> {
        let Some(end) = self.rest.find("#}") else {
            return Err(Failure::new("the end of a comment is missing (`#}`)").at(line));
        };
        let comment = self.advance(end);
        self.advance(2);
        self.after_end(comment.chars().next_back());
        Ok(())
    }

    /// Removes the blanks that a block's end eats: all after `-%}`, none after `+%}`, else one line end.
    fn after_end(&mut self, sign: Option<char>) {
        let after = match sign {
            Some('-') => self.rest.trim_start(),
            Some('+') => self.rest,
            _ => self.rest.strip_prefix('\n').unwrap_or(self.rest),
        };
        self.advance(self.rest.len() - after.len());
    }

    fn raw_begins(&self) -> bool {
        let after = self.rest.trim_start().strip_prefix("raw").map(str::trim_start);
        after.is_some_and(|after| after.starts_with("%}") || after.starts_with("-%}"))
    }

    fn raw(&mut self, line: usize) -> Result<(), Failure> {
        let end = self.rest.find("%}").unwrap_or_default();
        let strip = self.advance(end).ends_with('-');
        self.advance(2);
        if strip {
            self.after_end(Some('-'));
        }
        for (place, _) in self.rest.match_indices("{%") {
            let after = self.rest.get(place + 2..).unwrap_or_default();
            let sign = after.chars().next().filter(|sign| ['-', '+'].contains(sign));
            let word = after.strip_prefix(['-', '+']).unwrap_or(after).trim_start();
            let Some(rest) = word.strip_prefix("endraw").map(str::trim_start) else { continue };
            let Some(end) = rest.find("%}").filter(|end| *end <= 1) else { continue };
            let last = rest.get(..end).and_then(|before| before.chars().next());
            if end == 1 && !matches!(last, Some('-' | '+')) {
                continue;
            }
            let length = self.rest.len() - rest.len() + end + 2;
            let mut text = self.advance(place);
            self.advance(length - place);
            if sign == Some('-') {
                text.truncate(text.trim_end().len());
            }
            self.push_text(text);
            self.after_end(last);
            return Ok(());
        }
        Err(Failure::new("the end of `raw` is missing (`{% endraw %}`)").at(line))
    }

    /// Tokens up to an end that is not inside brackets.
    fn code(&mut self, end: &str, token: Token, line: usize) -> Result<(), Failure> {
        let mut open: Vec<&str> = Vec::new();
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.advance(blanks);
            if open.is_empty() {
                let sign =
                    self.rest.chars().next().filter(|sign| *sign == '-' || (*sign == '+' && end == "%}"));
                let after = if sign.is_some() { self.rest.get(1..).unwrap_or_default() } else { self.rest };
                if let Some(rest) = after.strip_prefix(end) {
                    self.push(token);
                    self.advance(self.rest.len() - rest.len());
                    if end == "%}" || sign == Some('-') {
                        self.after_end(sign);
                    }
                    return Ok(());
                }
            }
            if self.rest.is_empty() {
                return Err(Failure::new(format!("the end is missing (`{end}`)")).at(line));
            }
            let token = self.token()?;
            match &token {
                Token::Mark("(") => open.push(")"),
                Token::Mark("[") => open.push("]"),
                Token::Mark("{") => open.push("}"),
                Token::Mark(mark @ (")" | "]" | "}")) if open.pop() != Some(mark) => {
                    return Err(Failure::new(format!("unexpected `{mark}`")).at(self.line));
                }
                _ => {}
            }
            self.push(token);
            self.check()?;
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.tokens.len() > MOST_TOKENS {
            return Err(Failure::new(format!("the template has more than {MOST_TOKENS} words and signs")));
        }
        Ok(())
    }

    fn token(&mut self) -> Result<Token, Failure> {
        let first = self.rest.chars().next().unwrap_or_default();
        if first.is_alphabetic() || first == '_' {
            let part = |character: char| character.is_alphanumeric() || character == '_';
            let length = self.rest.find(|character| !part(character)).unwrap_or(self.rest.len());
            return Ok(Token::Name(self.advance(length)));
        }
        let after_dot = matches!(self.tokens.last(), Some((_, Token::Mark("."))));
        if first.is_ascii_digit() {
            return self.number(after_dot);
        }
        if first == '"' || first == '\'' {
            return self.string(first);
        }
        match MARKS.iter().find(|mark| self.rest.starts_with(**mark)) {
            Some(mark) => {
                self.advance(mark.len());
                Ok(Token::Mark(mark))
            }
            None => Err(Failure::new(format!("unexpected character {first:?}")).at(self.line)),
        }
    }

    fn number(&mut self, after_dot: bool) -> Result<Token, Failure> {
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
        let too_large = |_| Failure::new("a whole number of more than 127 bits").at(self.line);
        let lower = self.rest.get(..2).unwrap_or_default().to_ascii_lowercase();
        for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            if lower == prefix {
                let part = |character: char| character.is_digit(base) || character == '_';
                let text = self.rest.get(2..).unwrap_or_default();
                let text = text.split(|character| !part(character)).next().unwrap_or_default();
                let number = i128::from_str_radix(&text.replace('_', ""), base).map_err(too_large)?;
                self.advance(2 + text.len());
                return Ok(Token::Int(number));
            }
        }
        let mut whole = digits(self.rest);
        let mut length = whole;
        if !after_dot {
            let rest = |length: usize| self.rest.get(length..).unwrap_or_default();
            let fraction = rest(length).strip_prefix('.').map(digits).unwrap_or_default();
            if fraction > 0 {
                length += 1 + fraction;
            }
            if let Some(exponent) = rest(length).strip_prefix(['e', 'E']) {
                let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits(power) > 0 {
                    length += 1 + exponent.len() - power.len() + digits(power);
                }
            }
        }
        // A whole number that begins with 0 is one of zeros alone.
        if !after_dot && length == whole && self.rest.starts_with('0') {
            whole -= self.rest.get(..whole).unwrap_or_default().trim_start_matches(['0', '_']).len();
            length = whole;
        }
        let text = self.rest.get(..length).unwrap_or_default().replace('_', "");
        let token = if length == whole {
            Token::Int(text.parse().map_err(too_large)?)
        } else {
            Token::Float(text.parse().unwrap_or_default())
        };
        self.advance(length);
        Ok(token)
    }

    fn string(&mut self, quote: char) -> Result<Token, Failure> {
        let line = self.line;
        self.advance(1);
        let mut out = String::new();
        loop {
            let missing = || Failure::new("the end of a text is missing").at(line);
            let character = self.rest.chars().next().ok_or_else(missing)?;
            self.advance(character.len_utf8());
            if character == quote {
                return Ok(Token::Str(out));
            }
            if character != '\\' {
                out.push(character);
                continue;
            }
            let escaped = self.rest.chars().next().ok_or_else(missing)?;
            self.advance(escaped.len_utf8());
            match escaped {
                '\n' => {}
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'a' => out.push('\u{7}'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'v' => out.push('\u{b}'),
                '\\' | '\'' | '"' => out.push(escaped),
                'x' | 'u' | 'U' => {
                    let length = match escaped {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let code =
                        self.rest.get(..length).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                    let character = code.and_then(char::from_u32);
                    out.push(
                        character.ok_or_else(|| Failure::new("an escape that is no character").at(line))?,
                    );
                    self.advance(length);
                }
                '0'..='7' => {
                    let more =
                        self.rest.chars().take(2).take_while(|next| ('0'..='7').contains(next)).count();
                    let digits = format!("{escaped}{}", self.advance(more));
                    let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
                    out.push(char::from_u32(code).unwrap_or_default());
                }
                other => out.extend(['\\', other]),
            }
        }
    }

    fn advance(&mut self, length: usize) -> String {
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += text.matches('\n').count();
        self.rest = rest;
        text.to_owned()
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((self.line, token));
    }

    fn push_text(&mut self, text: String) {
        if !text.is_empty() {
            self.push(Token::Text(text));
        }
    }
}
