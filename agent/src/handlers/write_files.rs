//! `write_files`: files with their content, mode and owner.

use super::HandlerFacts;
use super::commands::list;
use crate::codec;
use crate::plan::{FetchedFile, File, HandlerPlan, Placing, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

/// The most bytes that one compressed content may unpack to.
const LARGEST: u64 = 10 * 1024 * 1024;

const DEFAULT_MODE: u32 = 0o644;
const DEFAULT_OWNER: &str = "root:root";

/// Files that are written before users are made.
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    plan_those(facts, |entry| !is_deferred(entry))
}

/// Files with `defer: true`, which may belong to users and packages of this configuration.
pub(super) fn plan_deferred(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    plan_those(facts, is_deferred)
}

fn plan_those(facts: &HandlerFacts<'_>, wanted: fn(&Mapping) -> bool) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    for (number, entry) in list(facts.config, "write_files")?.iter().enumerate() {
        let Some(entry) = entry.as_map() else {
            // Told once, not in both stages.
            if wanted(&Mapping::default()) {
                plan.problem(format!("entry {}: it is {} and no mapping", number + 1, entry.kind()));
            }
            continue;
        };
        if wanted(entry) {
            match file(entry, &mut plan) {
                Ok(file) => {
                    let path = file.path.clone();
                    match step(entry, file) {
                        Ok(step) => plan.push(step),
                        Err(error) => plan.problem(format!("entry {}: {path}: {error:#}", number + 1)),
                    }
                }
                Err(error) => plan.problem(format!("entry {}: {error:#}", number + 1)),
            }
        }
    }
    Ok(plan)
}

fn is_deferred(entry: &Mapping) -> bool {
    entry.get("defer").is_some_and(Value::is_on)
}

fn file(entry: &Mapping, plan: &mut HandlerPlan) -> Result<File> {
    let path = entry.get("path").and_then(Value::scalar_text).context("it has no path")?;
    if !path.starts_with('/') {
        bail!("the path `{path}` is not absolute");
    }
    let content = content(entry).with_context(|| path.clone())?;
    let mode = match entry.get("permissions") {
        None | Some(Value::Null) => DEFAULT_MODE,
        Some(value) => mode(value).unwrap_or_else(|| {
            plan.problem(format!("{path}: the permissions are no mode like '0644', which is taken instead"));
            DEFAULT_MODE
        }),
    };
    let owner = entry.get("owner").and_then(Value::scalar_text).unwrap_or_else(|| DEFAULT_OWNER.into());
    let placing =
        if entry.get("append").is_some_and(Value::is_on) { Placing::Append } else { Placing::Replace };
    Ok(File { path, content: content.into(), mode, owner: Some(owner), placing })
}

/// A file's content may be elsewhere.
fn step(entry: &Mapping, file: File) -> Result<Step> {
    let source = match entry.get("source") {
        None | Some(Value::Null) => return Ok(Step::Write(file)),
        Some(Value::Map(source)) => source,
        Some(other) => bail!("source: it is {} and no mapping", other.kind()),
    };
    let url = source.get("uri").and_then(Value::scalar_text).filter(|url| !url.is_empty());
    let Some(url) = url else { return Ok(Step::Write(file)) };
    let headers = source.get("headers").and_then(Value::as_map).into_iter().flat_map(Mapping::iter);
    let headers = headers.filter_map(|(name, value)| Some((name.scalar_text()?, value.scalar_text()?)));
    let has_content = entry.get("content").is_some();
    Ok(Step::Fetch(FetchedFile { url, headers: headers.collect(), file, has_content }))
}

fn content(entry: &Mapping) -> Result<Vec<u8>> {
    let content = match entry.get("content") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Binary(bytes)) => bytes.clone(),
        Some(value) => value.scalar_text().context("the content is no text")?.into_bytes(),
    };
    let encoding = entry.get("encoding").and_then(Value::scalar_text).unwrap_or_default();
    let encoding = encoding.to_lowercase().trim().replace("gzip", "gz").replace("base64", "b64");
    match encoding.as_str() {
        "" | "text/plain" => Ok(content),
        "b64" => codec::whole_base64(&content),
        "gz" => codec::gunzip(&content, LARGEST),
        "gz+b64" => codec::gunzip(&codec::whole_base64(&content)?, LARGEST),
        _ => bail!("unknown encoding `{encoding}` (known: text/plain, base64, gzip, gz+base64)"),
    }
}

/// A number is the mode itself (YAML reads 0644 as octal); a text is read as octal.
fn mode(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Int(number) => {
            let number = u32::try_from(*number).ok()?;
            if is_bare_octal(number) { octal(&number.to_string())? } else { number }
        }
        Value::Str(text) => octal(text.trim().trim_start_matches("0o"))?,
        _ => return None,
    };
    (number <= 0o7777).then_some(number)
}

fn octal(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 8).ok()
}

/// True for 644, 1777 and their like. As numbers they would be modes that nobody wants, with more for others than for
/// the owner, or no modes at all.
fn is_bare_octal(number: u32) -> bool {
    let is_wanted = |mode: u32| {
        let [owner, group, other] = [6, 3, 0].map(|shift| mode >> shift & 7);
        group & !owner == 0 && other & !group == 0
    };
    let written = || octal(&number.to_string()).is_some_and(is_wanted);
    matches!(number, 0o1000..=777) || number > 0o7777 || number >= 1000 && written()
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn encodings_modes_and_owners_are_read() {
        check(
            plan,
            "write_files:
- {path: /a, content: \"text\\n\"}
- {path: /b, content: aGVsbG8K, encoding: b64, permissions: '04711', owner: 'web:adm'}
- {path: /c, content: H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=, encoding: gz+base64, permissions: 0600, append: true}
- {path: /d, content: !!binary aGkK, permissions: 0o640}
- {path: /later, defer: true}
",
            "",
            expect![[r"
                write /a (5 bytes, mode 0644, owner root:root)
                text
                write /b (6 bytes, mode 4711, owner web:adm)
                hello
                append to /c (6 bytes, mode 0600, owner root:root)
                hello
                write /d (3 bytes, mode 0640, owner root:root)
                hi
            "]],
        );
        check(
            plan_deferred,
            "write_files: [{path: /later, defer: true}, {path: /a}]",
            "",
            expect![[r"
            write /later (0 bytes, mode 0644, owner root:root)
        "]],
        );
    }

    #[test]
    fn permissions_are_octal_however_they_are_written() {
        for (written, wanted) in [
            ("0644", Some(0o644)),
            ("'0644'", Some(0o644)),
            ("'644'", Some(0o644)),
            ("0o644", Some(0o644)),
            ("644", Some(0o644)),
            ("600", Some(0o600)),
            ("755", Some(0o755)),
            ("777", Some(0o777)),
            ("04755", Some(0o4755)),
            ("4755", Some(0o4755)),
            ("1777", Some(0o1777)),
            ("2770", Some(0o2770)),
            ("2775", Some(0o2775)),
            ("1000", Some(0o1000)),
            // JSON's 01777 and 02755.
            ("1023", Some(0o1777)),
            ("1517", Some(0o2755)),
            ("0x1A4", Some(0o644)),
            // JSON has no other way to write 0644 and 0755 as numbers.
            ("420", Some(0o644)),
            ("493", Some(0o755)),
            ("'420'", Some(0o420)),
            ("0", Some(0)),
            ("688", None),
            ("9999", None),
            ("-1", None),
            ("yes", None),
            ("6.44", None),
            ("u=rw", None),
        ] {
            assert_eq!(mode(&crate::yaml::load(written).unwrap()), wanted, "{written}");
        }
    }

    #[test]
    fn a_bad_entry_costs_only_itself() {
        check(
            plan,
            "write_files:
- {path: /a, content: a, encoding: base64}
- {content: a}
- {path: relative}
- text
- {path: /e, encoding: rot13}
- {path: /f, permissions: rw-r--r--}
- {path: /g, source: x}
- {path: /h, content: 'plain text, 16 of', encoding: b64}
- {path: /i, content: 'a: b', encoding: gz+b64}
",
            "",
            expect![[r"
                write /f (0 bytes, mode 0644, owner root:root)
                problem: entry 1: /a: decode base64: the end is missing
                problem: entry 2: it has no path
                problem: entry 3: the path `relative` is not absolute
                problem: entry 4: it is a text and no mapping
                problem: entry 5: /e: unknown encoding `rot13` (known: text/plain, base64, gzip, gz+base64)
                problem: /f: the permissions are no mode like '0644', which is taken instead
                problem: entry 7: /g: source: it is a text and no mapping
                problem: entry 8: /h: decode base64: it holds `,` (is it plain text?)
                problem: entry 9: /i: decode base64: it holds `:` (is it plain text?)
            "]],
        );
    }
}
