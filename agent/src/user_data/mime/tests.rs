//! Messages and what is wrong with them.

use super::*;
use expect_test::{Expect, expect};
use std::fmt::Write as _;

fn check(data: &str, expected: Expect) {
    let (message, overflow) = parse(data.as_bytes());
    let mut text = String::new();
    for leaf in message.leaves() {
        let name = leaf.headers.file_name().unwrap_or_default();
        writeln!(text, "{} {name}{:?}", leaf.content_type(), String::from_utf8_lossy(&leaf.payload()))
            .unwrap();
    }
    expected.assert_eq(&(text + &overflow.unwrap_or_default()));
}

const HEAD: &str = "Content-Type: multipart/mixed; boundary=\"B\"\nMIME-Version: 1.0\n\n";

fn check_parts(parts: &str, expected: Expect) {
    check(&format!("{HEAD}{parts}"), expected);
}

#[test]
fn parts_lose_the_line_end_before_the_boundary() {
    check_parts(
        "preamble\n--B\nContent-Type: a/b\n\none\n\n--B \t\r\n\ntwo\r\n--B--\nepilogue\n--B\n\nthree\n",
        expect![[r#"
            a/b "one\n"
            text/plain "two"
        "#]],
    );
}

#[test]
fn a_missing_last_boundary_is_the_end_of_the_data() {
    check_parts(
        "--B\n\none\n--B\nContent-Type: a/b\n\ntwo\n",
        expect![[r#"
            text/plain "one"
            a/b "two"
        "#]],
    );
}

#[test]
fn without_its_boundary_a_multipart_has_no_parts() {
    check_parts("--C\n\none\n", expect![[""]]);
    check("Content-Type: multipart/mixed\n\n--B\n\none\n", expect![[""]]);
}

#[test]
fn boundaries_end_inner_parts_and_glued_text_is_none() {
    check_parts(
        concat!(
            "--B\nContent-Type: multipart/x; boundary=BC\n\n--BC\n\ninner\n--B\n\nouter\n--Bx\n",
            "--B-- end\n--B\n--B\n\nlast\n--B--"
        ),
        expect![[r#"
            text/plain "inner"
            text/plain "outer\n--Bx\n--B-- end"
            text/plain "last"
        "#]],
    );
}

#[test]
fn a_line_that_is_no_header_begins_the_body() {
    check_parts(
        "--B\nContent-Type: a/b\nno header\nX: y\n\nbody\n--B\nFrom x\n :c\n:d\nX:\n e\nFrom z\n\n--B--\n",
        expect![[r#"
            a/b "no header\nX: y\n\nbody"
            text/plain "From z\n"
        "#]],
    );
    check(
        "From me\nContent-Type: c/d\n\nbody",
        expect![[r#"
        c/d "body"
    "#]],
    );
}

#[test]
fn messages_in_messages_are_parts_too() {
    check_parts(
        concat!(
            "--B\nContent-Type: message/rfc822\n\nSubject: x\n\nbody\n",
            "--B\nContent-Type: multipart/digest; boundary=D\n\n--D\n\nContent-Type: e/f\n\ndigested\n--D--\n",
            "--B\nContent-Type: message/delivery-status\n\nA: b\n\nC: d\n\n--B--\n"
        ),
        expect![[r#"
            message/rfc822 ""
            text/plain "body"
            message/rfc822 ""
            e/f "digested"
            message/delivery-status ""
            text/plain ""
            text/plain ""
        "#]],
    );
}

#[test]
fn bodies_are_decoded_and_bytes_beyond_ascii_stay() {
    check_parts(
        concat!(
            "--B\nContent-Transfer-Encoding: Base64\nContent-Disposition: attachment; filename=a\n\naGk=\n",
            "--B\n\nGrüße\n--B\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC\n--B--"
        ),
        expect![[r#"
            text/plain a"hi"
            text/plain "Grüße"
            text/plain "Grü"
        "#]],
    );
}

#[test]
fn the_version_is_looked_for_in_the_first_4096_bytes() {
    for (blanks, expected) in [(0, true), (4083, true), (4084, false)] {
        assert_eq!(is_mime(format!("{}MIME-version:", " ".repeat(blanks)).as_bytes()), expected, "{blanks}");
    }
    assert!(!is_mime(b""));
}

#[test]
fn depth_and_number_have_an_end() {
    let levels = (0..200)
        .map(|level| ["Content-Type: multipart/x; boundary=b", "\n\n--b", "\n"].join(&level.to_string()));
    let nested: String = levels.collect();
    let (_, overflow) = parse(nested.as_bytes());
    assert_eq!(overflow.unwrap(), "messages are nested deeper than 50");
    let rfc822 = "Content-Type: message/rfc822\n\n".repeat(100_000);
    assert!(parse(rfc822.as_bytes()).1.is_some());
    let many = format!("{HEAD}{}", "--B\n\nx\n".repeat(100_000));
    let (message, overflow) = parse(many.as_bytes());
    assert_eq!(overflow.unwrap(), "there are more than 10000 parts");
    assert!((9_000..=MOST_PARTS).contains(&message.leaves().len()));
    let blocks = format!("Content-Type: message/delivery-status\n\n{}", "a: b\n\n".repeat(100_000));
    assert!(parse(blocks.as_bytes()).1.is_some());
}
