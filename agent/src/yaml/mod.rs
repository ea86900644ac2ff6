//! YAML 1.1 as `PyYAML` reads it, which is what user-data is written for: libyaml's events, and a composer,
//! resolver and constructor of our own. Errors carry their place.

mod as_written;
mod compose;
mod construct;
mod emit;
mod error;
#[cfg(any(test, feature = "hostile"))]
pub(crate) mod hostile;
mod lenient;
mod mapping;
mod mask;
mod places;
mod resolve;
mod scalar;
mod size;
mod timestamp;
mod value;

pub(crate) use as_written::Texts;
pub(crate) use emit::{to_json, to_yaml};
pub(crate) use error::Error;
pub(crate) use mapping::{Mapping, Table};
pub(crate) use places::{Doubled, PathStep, Places};
pub(crate) use size::Allowance;
pub(crate) use value::Value;

/// Editors of Windows write it before a text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The most values that a document may hold, with every alias expanded.
const MOST_NODES: usize = 300_000;

/// The most bytes that its texts may have together, with every alias expanded.
const LARGEST: usize = 10 * 1024 * 1024;

/// The most levels to which its values may be nested.
const DEEPEST: usize = 100;

/// Reads a text of one document; an empty one is `Null`.
pub(crate) fn load(text: &str) -> Result<Value, Error> {
    load_with(text, &Texts::NONE)
}

/// The same, with texts as they are written where they are wanted.
pub(crate) fn load_with(text: &str, texts: &'static Texts) -> Result<Value, Error> {
    let document = lenient::reading(text, compose::compose).map_err(|error| error.showing(text))?;
    match document {
        Some(node) => construct::construct(node, texts).map_err(|error| error.showing(text)),
        None => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match load(text) {
            Ok(value) => to_json(&value),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn plain_scalars_are_what_yaml_1_1_says() {
        check(
            "[yes, Off, y, 0644, 0o644, 089, 1e3, 1.5e+3, 012e3, 1:30:00, 190:20:30.15, 1_000, 0x1F, 0b11, ~, '']",
            expect![[
                r#"[true,false,"y",420,"0o644","089","1e3",1500.0,"012e3",5400,685230.15,1000,31,3,null,""]"#
            ]],
        );
    }

    #[test]
    fn the_later_of_two_keys_wins_in_the_place_of_the_first() {
        check("a: 1\nb: 2\na: 3\n", expect![[r#"{"a":3,"b":2}"#]]);
    }

    #[test]
    fn a_merge_key_yields_to_keys_beside_it() {
        check(
            "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {c: 3, <<: [*x, *y]}\n",
            expect![[r#"{"x":{"a":1,"b":1},"y":{"b":2,"c":2},"z":{"b":1,"c":3,"a":1}}"#]],
        );
    }

    #[test]
    fn an_error_shows_its_line() {
        check(
            "#cloud-config\nhostname: [a\nb: c\n",
            expect![[r"
                line 3, column 2: did not find expected ',' or ']' (while parsing a flow sequence)
                  3 | b: c
                    |  ^"]],
        );
        check(
            "a: !unknown x\n",
            expect![[r"
                line 1, column 4: unknown tag `!unknown`
                  1 | a: !unknown x
                    |    ^"]],
        );
    }

    #[test]
    fn tabs_second_documents_and_odd_anchors_are_refused() {
        for (text, problem) in [
            ("a:\n\tb: 1\n", "tab"),
            ("a: 1\n---\nb: 1\n", "second document"),
            ("a: *b\n", "undefined"),
            ("a: &b [*b]\n", "encloses"),
            ("a: &b 1\nc: &b 2\n", "second time"),
            ("{[a]: 1}", "a list or a mapping as a key"),
            ("d: 2001-13-45\n", "date"),
            ("<<: 1\n", "merge"),
            ("- \u{1}\n", "control"),
            ("a: b\tc\n", "tab"),
            ("a:\tb\n", "tab"),
            ("a: b\t# c\n", "tab"),
            ("a: 'b'\n\t\nc: d\n", "tab"),
        ] {
            let message = load(text).unwrap_err().to_string();
            assert!(message.contains(problem), "{text:?}: {message}");
        }
    }

    #[test]
    fn tabs_may_be_in_quotes_blocks_and_comments() {
        check(
            "a: \"b\tc\" #\td\nb: |\n  c\td\n\n#\t\nc: 'x\n\ty'\n",
            expect![[r#"{"a":"b\tc","b":"c\td\n","c":"x y"}"#]],
        );
    }

    #[test]
    fn a_tab_is_in_its_quotes_whatever_is_before_them() {
        check("a: \u{fc}\u{fc}\nb: \"\tx\"\n", expect![[r#"{"a":"üü","b":"\tx"}"#]]);
    }

    #[test]
    fn nesting_and_expansion_have_an_end() {
        assert!(load(&"[".repeat(90).chars().chain("]".repeat(90).chars()).collect::<String>()).is_ok());
        let deep = load(&"[".repeat(100_000)).unwrap_err().to_string();
        assert!(deep.contains("nested deeper than 100"), "{deep}");
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let aliases = format!("*a{}, ", level - 1).repeat(10);
            writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        let message = load(&laughs).unwrap_err().to_string();
        assert!(message.contains("300000"), "{message}");
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(200));
        let message = load(&long).unwrap_err().to_string();
        assert!(message.contains("10 MiB"), "{message}");
        assert!(load(&long.replace("*a, *a, ", "*a, ")).is_ok());
    }

    #[test]
    fn aliases_in_aliases_have_an_end() {
        let chain = |first: &str, next: fn(usize) -> String, count: usize| {
            let mut text = format!("a0: &a0 {first}\n");
            for level in 1..count {
                writeln!(text, "a{level}: &a{level} {}", next(level - 1)).unwrap();
            }
            load(&text).map(|_| ()).map_err(|error| error.to_string())
        };
        for next in [|below| format!("[*a{below}]"), |below| format!("{{<<: *a{below}}}")] {
            assert_eq!(chain("{}", next, 90), Ok(()));
            let message = chain("{}", next, 50_000).unwrap_err();
            assert!(message.contains("nested deeper than 100"), "{message}");
        }
        // Ten times as many with each line, and nothing in them.
        let ten = |below| format!("{{<<: [{}]}}", format!("*a{below}, ").repeat(10));
        let message = chain("{}", ten, 10).unwrap_err();
        assert!(message.contains("300000"), "{message}");
    }

    #[test]
    fn what_is_deep_takes_no_margin_for_each_value() {
        let inner = "{k k: [x, 1, !!set {a}, !!timestamp 2001-01-01, 'q: #'], ~: {}, !!set {}: 1}";
        let inner = inner.replace(", !!set {}: 1", "");
        for depth in [5, 11, 12, 60] {
            let text = format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
            let value = load(&text).unwrap();
            assert_eq!(load(&to_yaml(&value)).unwrap(), value, "{}", to_yaml(&value));
        }
        let many = format!("{}{}{}", "[".repeat(90), "~, ".repeat(10_000), "]".repeat(90));
        assert!(to_yaml(&load(&many).unwrap()).len() < 100_000);
    }

    #[test]
    fn in_brackets_a_colon_before_a_bracket_or_a_comma_ends_a_key() {
        check(
            "[{a:[1], b:{c: d}}, {a:, b: 1}, [a:], {a:1}]",
            expect![[r#"[{"a":[1],"b":{"c":"d"}},{"a":null,"b":1},[{"a":null}],{"a:1":null}]"#]],
        );
    }

    #[test]
    fn an_equals_sign_is_a_key_and_no_value() {
        check("=: 1\nm: {=: v}\n", expect![[r#"{"=":1,"m":{"=":"v"}}"#]]);
        load("a: =\n").unwrap_err();
    }

    #[test]
    fn letters_that_are_not_of_ascii_are_no_base64() {
        load("a: !!binary aGk=\u{e9}\n").unwrap_err();
        load("a: !!binary a!Gk=\n").unwrap();
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "a: [1, -2.5e+20, .inf, yes, 'yes', '', ~, {}, []]\n\
                    \"b: c\\n\\u0085\\t\\\"\": !!binary AAEC\n\
                    s: !!set {x, y}\nd: 2001-12-14t21:59:43.10-05:00\nn: {m: {k: 'a # b'}}\n1: [[2]]\n";
        let value = load(text).unwrap();
        let again = load(&to_yaml(&value)).unwrap();
        assert_eq!(to_yaml(&value), to_yaml(&again));
        assert!(to_yaml(&value).contains("-2.5e+20"), "{}", to_yaml(&value));
    }
}
