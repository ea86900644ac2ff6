//! The record of this boot in cloud-init's `status.json` and `result.json`, and what `status` says of it.

use crate::instance::now;
use crate::layout;
use crate::report::Report;
use crate::rescue::record::Boot;
use crate::root::Root;
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result};
use std::fmt::Write as _;

/// The stages by the names that they have in the record.
pub(crate) const LOCAL: &str = "init-local";
pub(crate) const NETWORK: &str = "init";
pub(crate) const FINAL: &str = "modules-final";

/// Opens a stage. The first one of a boot starts a new record.
pub(crate) fn start(stage: &'static str, root: &Root) -> Result<()> {
    let mut record = if stage == LOCAL {
        root.remove(layout::RESULT)?;
        Mapping::default()
    } else {
        read(root)?.unwrap_or_default()
    };
    record.set("stage", stage);
    let mut entry = Mapping::default();
    entry.set("start", Value::Int(now().into()));
    entry.set("finished", Value::Null);
    record.set(stage, entry);
    write(&record, root)
}

/// Closes a stage with what was told in it.
pub(crate) fn finish(stage: &'static str, source: Option<&str>, report: &Report, root: &Root) -> Result<()> {
    let mut record = read(root)?.unwrap_or_default();
    record.set("stage", Value::Null);
    if let Some(source) = source {
        record.set("datasource", source);
    }
    let mut entry = record.get(stage).and_then(Value::as_map).cloned().unwrap_or_default();
    entry.set("finished", Value::Int(now().into()));
    entry.set("errors", texts(&report.errors));
    let mut recoverable = Mapping::default();
    if !report.warnings.is_empty() {
        recoverable.set("WARNING", texts(&report.warnings));
    }
    entry.set("recoverable_errors", recoverable);
    record.set(stage, entry);
    write(&record, root)?;
    if stage == FINAL {
        let mut result = Mapping::default();
        result.set("datasource", record.get("datasource").cloned().unwrap_or(Value::Null));
        result.set("errors", texts(&told(&record, "errors")));
        write_json(layout::RESULT, layout::RUN_RESULT, result, root)?;
    }
    Ok(())
}

/// What `status` prints, and its exit status.
pub(crate) fn status(root: &Root) -> Result<(String, u8)> {
    let Some(record) = read(root)? else { return Ok(("status: not run\n".into(), 0)) };
    let mut errors = told(&record, "errors");
    let warnings = told(&record, "recoverable_errors");
    let running = record.get("stage").and_then(Value::as_str);
    let finished = |stage| {
        let entry = record.get(stage).and_then(Value::as_map);
        entry.and_then(|entry| entry.get("finished")).is_some_and(|time| *time != Value::Null)
    };
    for stage in [LOCAL, NETWORK, FINAL] {
        if record.get(stage).is_some() && !finished(stage) && running != Some(stage) {
            errors.push(format!("{stage} was cut off before its end"));
        }
    }
    let word = match (errors.is_empty(), finished(FINAL) && running.is_none()) {
        (false, _) => "error",
        (true, true) => "done",
        (true, false) => "running",
    };
    let mut text = format!("status: {word}\n");
    if let Some(source) = record.get("datasource").and_then(Value::as_str) {
        // Writing to a String cannot fail.
        writeln!(text, "source: {source}").unwrap_or_default();
    }
    if let Some(id) = root.read_text(layout::INSTANCE_ID)? {
        writeln!(text, "instance: {}", id.trim_end()).unwrap_or_default();
    }
    if Boot::read(root)?.is_rescue() {
        text.push_str(
            "boot: rescue (host name, users and keys alone; files, commands and scripts are left out)\n",
        );
    }
    if let Some(stage) = running {
        writeln!(text, "stage: {stage}").unwrap_or_default();
    }
    for (kind, lines) in [("error", &errors), ("warning", &warnings)] {
        for line in lines {
            writeln!(text, "{kind}: {}", line.replace('\n', "\n  ")).unwrap_or_default();
        }
    }
    let code = match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 0,
    };
    Ok((text, code))
}

/// What was told in all stages under a key.
fn told(record: &Mapping, key: &str) -> Vec<String> {
    let entries =
        [LOCAL, NETWORK, FINAL].into_iter().filter_map(|stage| record.get(stage)?.as_map()?.get(key));
    let lists = entries.filter_map(|value| match value {
        Value::Map(levels) => levels.get("WARNING")?.as_seq(),
        other => other.as_seq(),
    });
    lists.flatten().filter_map(Value::scalar_text).collect()
}

fn texts(lines: &[String]) -> Value {
    Value::Seq(lines.iter().map(|line| Value::from(line.as_str())).collect())
}

fn read(root: &Root) -> Result<Option<Mapping>> {
    let Some(text) = root.read_text(layout::STATUS)? else { return Ok(None) };
    let record = yaml::load(&text).with_context(|| format!("read {}", root.show(layout::STATUS)))?;
    Ok(record.as_map().and_then(|record| record.get("v1")?.as_map()).cloned())
}

fn write(record: &Mapping, root: &Root) -> Result<()> {
    write_json(layout::STATUS, layout::RUN_STATUS, record.clone(), root)
}

fn write_json(path: &str, link: &str, content: Mapping, root: &Root) -> Result<()> {
    let mut outer = Mapping::default();
    outer.set("v1", content);
    root.write(path, (yaml::to_json(&Value::Map(outer)) + "\n").as_bytes(), 0o644)?;
    root.link(link, &format!("../../{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(reports: &[(&'static str, &[&str], &[&str])], code: u8, expected: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for (stage, warnings, errors) in reports {
            start(stage, &root).unwrap();
            let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            let report = Report { warnings: own(warnings), errors: own(errors) };
            finish(stage, Some("nocloud"), &report, &root).unwrap();
        }
        let (text, status) = status(&root).unwrap();
        expected.assert_eq(&text);
        assert_eq!(status, code);
    }

    #[test]
    fn the_worst_of_the_stages_is_the_status() {
        check(
            &[],
            0,
            expect![[r"
            status: not run
        "]],
        );
        check(
            &[(LOCAL, &[], &[]), (NETWORK, &[], &[])],
            0,
            expect![[r"
            status: running
            source: nocloud
        "]],
        );
        check(
            &[(LOCAL, &[], &[]), (NETWORK, &["a \"bad\"\npart"], &[]), (FINAL, &[], &[])],
            2,
            expect![[r#"
            status: done
            source: nocloud
            warning: a "bad"
              part
        "#]],
        );
        check(
            &[(NETWORK, &["w"], &["e"]), (FINAL, &[], &[])],
            1,
            expect![[r"
            status: error
            source: nocloud
            error: e
            warning: w
        "]],
        );
    }

    #[test]
    fn a_stage_that_never_ended_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        start(NETWORK, &root).unwrap();
        assert_eq!(status(&root).unwrap(), ("status: running\nstage: init\n".into(), 0));
        start(FINAL, &root).unwrap();
        finish(FINAL, None, &Report::default(), &root).unwrap();
        let expected = "status: error\nerror: init was cut off before its end\n";
        assert_eq!(status(&root).unwrap(), (expected.into(), 1));
    }

    #[test]
    fn a_new_boot_forgets_the_last_one() {
        check(
            &[(NETWORK, &[], &["e"]), (LOCAL, &[], &[])],
            0,
            expect![[r"
            status: running
            source: nocloud
        "]],
        );
    }
}
