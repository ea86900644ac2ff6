//! Runs the scripts in a directory.

use super::{Context, blame, interrupted};
use crate::apply::output::Outputs;
use crate::apply::{self, Patience};
use crate::changes::record::PartsRecord;
use crate::handlers::{COMMANDS, Handler, ScriptPlace};
use crate::layout::USER_DATA_LOG;
use crate::report::Report;
use crate::root::{Root, is_temporary};
use crate::schedule::Entry;
use crate::trace::{Begun, Did, Kind};
use crate::yaml::{Mapping, Value};
use anyhow::{Context as _, Result};
use rustix::fs::FileType;

/// Runs the scripts of a place, unless its semaphore says that they ran.
pub(super) fn run(
    place: ScriptPlace,
    entry: Entry,
    config: &Mapping,
    context: &Context<'_>,
    report: &mut Report,
) -> Did {
    let Context { instance, boot, root } = context;
    let Entry { handler: Handler { semaphore, .. }, frequency, .. } = entry;
    let directory = place.directory(instance);
    let Some(is_done) = report.take(instance.is_done(root, semaphore, frequency)) else {
        return Did::Nothing;
    };
    // Without the record they are in the order of names, which is nearly always the same.
    let record = PartsRecord::read(instance, root).ok().flatten().unwrap_or_default();
    if is_done && record.late.is_empty() {
        return Did::Before;
    }
    let Some(names) = report.take(root.names(&directory)) else { return Did::Nothing };
    let names = names.into_iter().filter(|name| !is_temporary(name));
    let mut paths: Vec<_> = names.map(|name| format!("{directory}/{name}")).collect();
    paths.retain(|path| !is_done || record.late.contains(path));
    paths.retain(|path| is_script(path, root, report));
    let is_vendors = place == ScriptPlace::Vendor && !paths.is_empty();
    let prefix = if is_vendors { prefix(config) } else { Ok(Vec::new()) };
    // The prefix that cannot be read may be what keeps them in bounds.
    let Some(prefix) = report.take(prefix) else { return Did::Nothing };
    record.twins.sort(&mut paths);
    let late = record.late.iter().filter(|path| !paths.contains(path)).cloned().collect();
    let commands: Vec<Vec<String>> =
        paths.into_iter().map(|path| [&prefix[..], &[format!("/{path}")]].concat()).collect();
    if boot.is_rescue() {
        for command in commands {
            report.info(&format!("left out in a rescue boot: run {}", command.join(" ")));
        }
        return Did::LeftOut;
    }
    let scripts: Vec<&str> = commands.iter().filter_map(|words| words.last().map(String::as_str)).collect();
    if root.is_live() {
        report.take(interrupted::begin(&scripts, entry, instance, root));
    }
    // Before they run: a script may end in a reboot, and must not come to it again and again.
    let noted = instance.set_done(root, semaphore, frequency).and_then(|()| {
        if record.late.is_empty() { Ok(()) } else { PartsRecord { late, ..record }.write(instance, root) }
    });
    if report.take(noted).is_none() {
        return Did::Nothing;
    }
    let copy = if place == ScriptPlace::User && root.is_live() && !commands.is_empty() {
        Outputs::with_copy(USER_DATA_LOG, root, report)
    } else {
        None
    };
    let usual = copy.map(|copy| std::mem::replace(&mut report.outputs, copy));
    let mut did = Did::Nothing;
    for (number, command) in commands.iter().enumerate() {
        did = Did::Something;
        let shown = command.join(" ");
        if !root.is_live() {
            report.info(&format!("not on this root: run {shown}"));
            continue;
        }
        let environment = [("INSTANCE_ID", instance.id.as_str())];
        if number > 0 {
            let rest = scripts.get(number..).unwrap_or_default();
            report.take(interrupted::begin(rest, entry, instance, root));
        }
        let begun = Begun::now(Kind::Script, command.last().map_or("", String::as_str), report);
        match apply::run(command, None, &environment, Patience::Endless, root, report) {
            Ok(()) => report.info(&format!("ran {shown}")),
            Err(error) => {
                let script = command.last().map_or("", String::as_str);
                let is_commands = script == format!("/{}", instance.path(COMMANDS));
                let told =
                    blame::told(script, is_commands.then_some("runcmd"), &error, (config, instance, root));
                let outcome = told.lines().next().unwrap_or_default();
                apply::log_text(script, outcome, root);
                report.error(format!("run {shown}: {told}"));
            }
        }
        begun.end(Did::Something, report, root);
    }
    if let Some(usual) = usual {
        report.outputs = usual;
    }
    report.take(interrupted::end(instance, root));
    did
}

/// True if a path leads to a file that can be run. Everything else but a directory is told.
fn is_script(path: &str, root: &Root, report: &mut Report) -> bool {
    let reason = match root.mode(path) {
        Ok(Some(mode)) => match FileType::from_raw_mode(mode) {
            FileType::RegularFile if mode & 0o111 != 0 => return true,
            FileType::RegularFile => format!("it is not executable (run chmod +x /{path})"),
            FileType::Directory => return false,
            _ => "it is no regular file".to_owned(),
        },
        Ok(None) => "it is a link that leads nowhere".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    report.warn(format!("/{path} is not run: {reason}"));
    false
}

/// The words before a vendor's script when it is run: a program, or a list.
fn prefix(config: &Mapping) -> Result<Vec<String>> {
    let prefix = config.get("vendor_data").and_then(|settings| settings.as_map()?.get("prefix"));
    let words = match prefix {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Str(program)) => Some(vec![program.clone()]),
        Some(Value::Seq(words)) => words.iter().map(Value::scalar_text).collect(),
        Some(_) => None,
    };
    let words = words
        .context("vendor_data: its prefix is neither a program nor a list of words, so no script is run")?;
    Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system_config::SystemConfig;

    #[test]
    fn a_prefix_is_a_program_or_words() {
        let of = |text: &str| prefix(SystemConfig::parse(text).mapping()).ok();
        let is = |text: &str, words: &[&str]| {
            assert_eq!(of(text), Some(words.iter().map(|word| (*word).to_owned()).collect()), "{text}");
        };
        is("vendor_data: {prefix: /usr/bin/env}", &["/usr/bin/env"]);
        is("vendor_data: {prefix: a b}", &["a b"]);
        is("vendor_data: {prefix: [nice, -n, 5]}", &["nice", "-n", "5"]);
        for nothing in [
            "{}",
            "vendor_data: {prefix: null}",
            "vendor_data: {prefix: []}",
            "vendor_data: {prefix: ''}",
            "vendor_data: no",
        ] {
            is(nothing, &[]);
        }
        for bad in
            ["vendor_data: {prefix: {a: b}}", "vendor_data: {prefix: [[a]]}", "vendor_data: {prefix: 5}"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
