//! `random_seed`: what the machine's random numbers begin with, from the user and the platform.

use super::HandlerFacts;
use crate::codec;
use crate::plan::{HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

const KEY: &str = "random_seed";
const FILE: &str = "/dev/urandom";

/// More is no better.
const LARGEST: u64 = 1024 * 1024;

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let nothing = Mapping::default();
    let settings = match facts.config.get(KEY) {
        None | Some(Value::Null) => &nothing,
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    let text = |key: &str| settings.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
    let path = text("file").unwrap_or_else(|| FILE.into());
    if !path.starts_with('/') {
        bail!("file: the path `{}` is not absolute", path.escape_debug());
    }
    let mut seed = match own(settings) {
        Ok(seed) => seed,
        Err(error) => {
            plan.problem(format!("data: {error:#}"));
            Vec::new()
        }
    };
    seed.extend(facts.meta_data.all.get(KEY).map(bytes).map(codec::perhaps_base64).unwrap_or_default());
    if !seed.is_empty() {
        plan.push(Step::Seed { path: path.clone(), seed });
    }
    if let Err(error) = command(settings, &path, facts, &mut plan) {
        plan.problem(format!("command: {error:#}"));
    }
    Ok(plan)
}

fn own(settings: &Mapping) -> Result<Vec<u8>> {
    let data = settings.get("data").map(bytes).unwrap_or_default();
    let encoding = settings.get("encoding").and_then(Value::scalar_text).unwrap_or_default();
    match encoding.to_lowercase().as_str() {
        _ if data.is_empty() => Ok(data),
        "" | "raw" => Ok(data),
        "base64" | "b64" => codec::base64(&data),
        "gzip" | "gz" => codec::gunzip(&data, LARGEST),
        other => bail!("unknown encoding `{}` (known: raw, base64, gzip)", other.escape_debug()),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Binary(bytes) => bytes.clone(),
        other => other.scalar_text().unwrap_or_default().into_bytes(),
    }
}

/// A program that gets random data from elsewhere. It may be missing, unless it is required.
fn command(settings: &Mapping, path: &str, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let is_required = settings.get("command_required").is_some_and(Value::is_on);
    let words = match settings.get("command") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Seq(words)) => {
            let words = words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>();
            words.context("a word of it is no text (put quotes around it)")?
        }
        Some(other) => bail!("it is {} and no list of words", other.kind()),
    };
    let Some(program) = words.first() else {
        if is_required {
            bail!("it is required, and there is none");
        }
        return Ok(());
    };
    let is_there = if program.contains('/') {
        facts.machine.holds(program.trim_start_matches('/'))?
    } else {
        facts.machine.has_program(program)?
    };
    if is_there {
        let start = ["env".to_owned(), format!("RANDOM_SEED_FILE={path}")];
        plan.push(Step::Run { argv: [&start[..], &words].concat(), input: None });
    } else if is_required {
        bail!("`{}` is required, and it is not installed", program.escape_debug());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const MACHINE: &[(&str, &str)] = &[("usr/bin/pollinate", "")];

    #[test]
    fn a_seed_is_given_and_a_command_run() {
        let config = "random_seed: {file: /dev/random, data: c2VlZA==, encoding: base64, command: [pollinate, --server, 'http://x'], command_required: true}";
        check_on(
            MACHINE,
            plan,
            config,
            "",
            expect![[r"
            add 4 bytes of random data to /dev/random
            run env RANDOM_SEED_FILE=/dev/random pollinate --server http://x
        "]],
        );
        check_on(
            MACHINE,
            plan,
            "random_seed: {data: text}",
            "random_seed: cGxhdGZvcm0=",
            expect![[r"
            add 12 bytes of random data to /dev/urandom
        "]],
        );
        check_on(
            MACHINE,
            plan,
            "a: b",
            "random_seed: '%%'",
            expect![[r"
            add 2 bytes of random data to /dev/urandom
        "]],
        );
    }

    #[test]
    fn what_asks_for_nothing_changes_nothing() {
        for config in
            ["a: b", "random_seed: {}", "random_seed: {data: ''}", "random_seed: {command: [missing]}"]
        {
            check_on(MACHINE, plan, config, "", expect![[""]]);
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        for config in [
            "random_seed: {data: x, encoding: rot13, command: [pollinate]}",
            "random_seed: {command: [missing], command_required: true}",
            "random_seed: {command_required: true}",
            "random_seed: {command: pollinate}",
        ] {
            let plan = super::super::testing::plan_on(&crate::machine::Paper(MACHINE), plan, config, "");
            assert_eq!(plan.problems.len(), 1, "{config}: {plan:?}");
        }
    }
}
