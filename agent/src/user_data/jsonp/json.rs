//! JSON as Python reads it, which the patches are written in. (Configurations are YAML, of which it is not
//! quite a part.)

use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

/// The most levels to which lists and objects may be nested.
const DEEPEST: usize = 100;

/// The most values there may be.
const MOST: usize = 300_000;

const WORDS: [(&str, Value); 6] = [
    ("null", Value::Null),
    ("true", Value::Bool(true)),
    ("false", Value::Bool(false)),
    ("NaN", Value::Float(f64::NAN)),
    ("Infinity", Value::Float(f64::INFINITY)),
    ("-Infinity", Value::Float(f64::NEG_INFINITY)),
];

/// Reads one value; `before` is what stands in the file before it, for the place of an error.
pub(super) fn parse(text: &str, before: &str, object: Object) -> Result<Value> {
    let mut reader = Reader { rest: text, count: 0, object };
    let read = reader.value(0).and_then(|value| {
        reader.skip_blanks();
        if reader.rest.is_empty() { Ok(value) } else { Err("something follows the end of the value") }
    });
    read.or_else(|problem| {
        let read = text.get(..text.len() - reader.rest.len()).unwrap_or_default();
        let consumed = format!("{before}{read}");
        let line = consumed.matches('\n').count() + 1;
        let column = consumed.rsplit('\n').next().unwrap_or_default().chars().count();
        let all = format!("{before}{text}");
        let shown: String = all.lines().nth(line - 1).unwrap_or_default().chars().take(120).collect();
        bail!("line {line}, column {}: {problem}\n  {line} | {shown}", column + 1)
    })
}

/// Makes an object of its names and values, of which some may stand twice.
type Object = fn(Vec<(String, Value)>) -> Mapping;

/// Reads JSON as Python does by itself: of the values of one name the last counts.
pub(crate) fn parse_json(text: &str) -> Result<Value> {
    parse(text, "", |pairs| pairs.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

type JsonProblem = &'static str;

struct Reader<'a> {
    rest: &'a str,
    count: usize,
    object: Object,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, JsonProblem> {
        if depth > DEEPEST {
            return Err("nested deeper than 100");
        }
        self.count += 1;
        if self.count > MOST {
            return Err("more than 300000 values");
        }
        self.skip_blanks();
        for (word, value) in WORDS {
            if self.take(word) {
                return Ok(value);
            }
        }
        if self.take("[") {
            return self.list(depth);
        }
        if self.take("{") {
            return self.object(depth);
        }
        if self.take("\"") {
            return Ok(Value::Str(self.text()?));
        }
        self.number()
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonProblem> {
        let mut items = Vec::new();
        self.skip_blanks();
        if self.take("]") {
            return Ok(Value::Seq(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.take("]") {
                return Ok(Value::Seq(items));
            }
            if !self.take(",") {
                return Err("a `,` or `]` is missing");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonProblem> {
        let mut pairs = Vec::new();
        self.skip_blanks();
        if self.take("}") {
            return Ok(Value::Map((self.object)(pairs)));
        }
        loop {
            self.skip_blanks();
            if !self.take("\"") {
                return Err("a name in double quotes is missing");
            }
            let name = self.text()?;
            self.skip_blanks();
            if !self.take(":") {
                return Err("a `:` is missing");
            }
            pairs.push((name, self.value(depth + 1)?));
            self.skip_blanks();
            if self.take("}") {
                return Ok(Value::Map((self.object)(pairs)));
            }
            if !self.take(",") {
                return Err("a `,` or `}` is missing");
            }
        }
    }

    /// The rest of a text after its first quote.
    fn text(&mut self) -> Result<String, JsonProblem> {
        let mut out = String::new();
        loop {
            let mut characters = self.rest.chars();
            let character = characters.next().ok_or("the end of a text is missing")?;
            if character < ' ' {
                return Err("a control character in a text (write a line end as \\n)");
            }
            self.rest = characters.as_str();
            match character {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                other => out.push(other),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonProblem> {
        let mut characters = self.rest.chars();
        let escaped = characters.next().ok_or("the end of a text is missing")?;
        self.rest = characters.as_str();
        Ok(match escaped {
            '"' | '\\' | '/' => escaped,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hex()?;
                if let Some(character) = char::from_u32(first) {
                    return Ok(character);
                }
                let after = self.rest;
                if (0xd800..0xdc00).contains(&first) && self.take("\\u") {
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return char::from_u32(joined).ok_or("there is no such character");
                    }
                    self.rest = after;
                }
                return Err("half of a surrogate pair");
            }
            _ => return Err("an unknown escape"),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonProblem> {
        let (digits, after) = self.rest.split_at_checked(4).ok_or("four hexadecimal digits are missing")?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("four hexadecimal digits are missing");
        }
        self.rest = after;
        u32::from_str_radix(digits, 16).map_err(|_| "four hexadecimal digits are missing")
    }

    fn number(&mut self) -> Result<Value, JsonProblem> {
        let start = self.rest;
        self.take("-");
        if !self.take("0") && !self.digits() {
            return Err("a value is missing");
        }
        let whole = self.rest;
        let mut exact = true;
        if self.take(".") {
            if self.digits() {
                exact = false;
            } else {
                self.rest = whole;
            }
        }
        let before = self.rest;
        if self.take("e") || self.take("E") {
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() {
                exact = false;
            } else {
                self.rest = before;
            }
        }
        let text = start.get(..start.len() - self.rest.len()).unwrap_or_default();
        if exact {
            return text.parse().map(Value::Int).map_err(|_| "a whole number of more than 127 bits");
        }
        text.parse().map(Value::Float).map_err(|_| "no number")
    }

    fn digits(&mut self) -> bool {
        let before = self.rest;
        self.rest = before.trim_start_matches(|character: char| character.is_ascii_digit());
        self.rest.len() < before.len()
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

#[cfg(test)]
mod tests {
    use super::super::object;
    use super::*;
    use crate::yaml;

    #[test]
    fn values_are_what_python_reads() {
        let text = r#" [1, -0, 1.5, 1e3, -2E-1, "a\"\u00e9\ud83d\ude00\n", true, {"k": [], "": {}}, null] "#;
        let expected = r#"[1,0,1.5,1000.0,-0.2,"a\"é😀\n",true,{"k":[],"":{}},null]"#;
        assert_eq!(yaml::to_json(&parse(text, "", object).unwrap()), expected);
        assert_eq!(
            yaml::to_json(&parse(r#"{"a": 1, "b": 0, "a": 2, "a": 3}"#, "", object).unwrap()),
            r#"{"a":[1,2,3],"b":0}"#
        );
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for text in [
            "",
            "[1,]",
            "{\"a\":1,}",
            "[01]",
            "[+1]",
            "[.5]",
            "[1.]",
            "'a'",
            "[1] # c",
            "{a: 1}",
            "\"\t\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "nul",
            "\"",
            "[1 2]",
            "-",
            "\"\\u12",
            "\u{feff}[]",
        ] {
            assert!(parse(text, "", object).is_err(), "{text:?}");
        }
        let message =
            parse("\n[{\"op\": \"add\", }]", "#cloud-config-jsonp", object).unwrap_err().to_string();
        assert_eq!(
            message,
            "line 2, column 16: a name in double quotes is missing\n  2 | [{\"op\": \"add\", }]"
        );
        assert!(parse(&"[".repeat(100_000), "", object).unwrap_err().to_string().contains("deeper than 100"));
    }
}
