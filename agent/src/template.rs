//! Texts with variables: jinja where the first line says so, and otherwise `$name` and `${name}`.

use crate::jinja;
use crate::yaml::{Mapping, Value};
use anyhow::{Result, anyhow, bail};

/// Renders a text.
pub(crate) fn render(text: &str, variables: &Mapping) -> Result<String> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match kind(first).as_deref() {
        None => basic(text, variables),
        Some("basic") => basic(rest, variables),
        Some("jinja") => {
            let text = format!("## template: jinja\n{rest}");
            let rendered =
                jinja::render(&text, &Value::Map(variables.clone()), &mut jinja::Allowance::default());
            rendered.map(|rendered| rendered.text).map_err(|failure| anyhow!("{failure}"))
        }
        Some(other) => bail!("there is no template type `{other}` (known: jinja, basic)"),
    }
}

/// The word behind `## template:`.
fn kind(line: &str) -> Option<String> {
    let rest = line.strip_prefix("##")?.trim_start();
    let (word, rest) = rest.split_at_checked("template:".len())?;
    word.eq_ignore_ascii_case("template:").then(|| rest.trim().to_lowercase())
}

fn basic(text: &str, variables: &Mapping) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let is_name = |name: &str| !name.is_empty() && name.chars().all(in_name);
        let (name, behind) = braced.filter(|(name, _)| is_name(name)).unwrap_or_else(|| {
            let end = after.find(|letter| !in_name(letter)).unwrap_or(after.len());
            // A sentence may end behind a name.
            let name = after.get(..end).unwrap_or_default().trim_end_matches('.');
            (name, after.get(name.len()..).unwrap_or_default())
        });
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&value(name, variables)?);
        }
        rest = behind;
    }
    Ok(out + rest)
}

fn in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.".contains(letter)
}

fn value(name: &str, variables: &Mapping) -> Result<String> {
    let mut steps = name.split('.');
    let first = variables.get(steps.next().unwrap_or_default());
    let found = steps.fold(first, |found, step| found?.as_map()?.get(step));
    found.map(jinja::text).ok_or_else(|| {
        let known: Vec<_> = variables.iter().filter_map(|(key, _)| key.as_str()).collect();
        anyhow!("there is no variable `{name}` (known: {})", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    fn rendered(text: &str) -> Result<String> {
        render(text, load("{a: one, n: 2, m: {b: deep}, l: [x, y]}").unwrap().as_map().unwrap())
    }

    #[test]
    fn variables_are_put_in() {
        for (text, expected) in [
            ("plain", "plain"),
            ("$a/${a}/$n", "one/one/2"),
            ("at $a. Then ${m.b} and $m.b", "at one. Then deep and deep"),
            ("5$ and $$", "5$ and $$"),
            ("${", "${"),
            ("## template: jinja\n{{ a }} {% for i in l %}{{ i }}{% endfor %}\n", "one xy\n"),
            ("## template:JINJA\n{{ a }}", "one"),
            ("##template: basic\n$a", "one"),
            ("{{ a }}", "{{ a }}"),
        ] {
            assert_eq!(rendered(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_rendered_is_told() {
        for (text, told) in [
            ("$b", "there is no variable `b` (known: a, n, m, l)"),
            ("$a.b", "there is no variable `a.b` (known: a, n, m, l)"),
            ("## template: mako\n", "there is no template type `mako` (known: jinja, basic)"),
        ] {
            assert_eq!(rendered(text).unwrap_err().to_string(), told);
        }
        assert!(rendered("## template: jinja\n{{ a").is_err());
    }
}
