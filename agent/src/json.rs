//! JSON for people and for programs that compare it as text: indented, with sorted keys.

use crate::yaml::{Value, to_json};

/// A value on many lines, each level so many blanks deeper.
pub(crate) fn pretty(value: &Value, step: usize) -> String {
    let mut out = String::new();
    write(&mut out, value, step, 0);
    out
}

fn write(out: &mut String, value: &Value, step: usize, depth: usize) {
    match value {
        Value::Seq(items) | Value::Set(items) if !items.is_empty() => {
            let items = items.iter().map(|item| (String::new(), item));
            lines(out, ['[', ']'], items, step, depth);
        }
        Value::Map(mapping) if !mapping.is_empty() => {
            let text = |key: &Value| key.scalar_text().unwrap_or_else(|| "null".into());
            let mut pairs: Vec<_> = mapping.iter().map(|(key, value)| (text(key), value)).collect();
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            let pairs = pairs.into_iter().map(|(key, value)| (to_json(&Value::Str(key)) + ": ", value));
            lines(out, ['{', '}'], pairs, step, depth);
        }
        flat => out.push_str(&to_json(flat)),
    }
}

fn lines<'a>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = (String, &'a Value)>,
    step: usize,
    depth: usize,
) {
    out.push(open);
    for (number, (before, item)) in items.enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.extend(["\n", &" ".repeat(step * (depth + 1)), &before]);
        write(out, item, step, depth + 1);
    }
    out.extend(["\n", &" ".repeat(step * depth)]);
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;
    use expect_test::expect;

    #[test]
    fn keys_are_sorted_and_what_is_empty_takes_no_lines() {
        let value = load("{b: [1, {c: []}], a: \"x\\ty\", d: {}}").unwrap();
        expect![[r#"
            {
              "a": "x\ty",
              "b": [
                1,
                {
                  "c": []
                }
              ],
              "d": {}
            }"#]]
        .assert_eq(&pretty(&value, 2));
        assert_eq!(pretty(&Value::Null, 2), "null");
    }
}
