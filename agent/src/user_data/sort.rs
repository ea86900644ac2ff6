//! Parts -> files, configuration and work, by their types.
//!
//! To add a type: a constant in `kinds`, a line in `ALL`, and a function that takes its parts.

use super::cloud_config::CloudConfig;
use super::kinds;
use super::names::{self, PartNames};
use super::part::{Dropped, Part};
use super::text;
use crate::instance::Instance;
use crate::jinja::{self, Rendered};
use crate::layout;
use crate::plan::File;
use crate::root::Root;
use crate::yaml::Value;
use anyhow::Result;

/// The treatment of parts of one type.
struct PartKind {
    content_type: &'static str,
    take: fn(&mut Sorter<'_>, &Part),
    /// The function for a template that renders to this type; `None` where templates cannot.
    template: Option<fn(&mut Sorter<'_>, &Part)>,
}

const fn kind(content_type: &'static str, take: fn(&mut Sorter<'_>, &Part)) -> PartKind {
    PartKind { content_type, take, template: None }
}

const ALL: &[PartKind] = &[
    PartKind { content_type: kinds::CLOUD_CONFIG, take: config, template: Some(config) },
    // As a template it is read as a configuration, which a list is not.
    PartKind { content_type: kinds::JSONP, take: patch, template: Some(config) },
    PartKind { content_type: kinds::SCRIPT, take: script, template: Some(script) },
    PartKind { content_type: kinds::BOOTHOOK, take: boothook, template: Some(boothook) },
    kind(kinds::X_SH, boothook),
    kind(kinds::EC2_CONFIG, ec2_config),
    kind(kinds::PER_BOOT, |sorter, part| sorter.per("per-boot", part)),
    kind(kinds::PER_INSTANCE, |sorter, part| sorter.per("per-instance", part)),
    kind(kinds::PER_ONCE, |sorter, part| sorter.per("per-once", part)),
    kind(kinds::JINJA, template),
    kind(kinds::PART_HANDLER, part_handler),
    kind(kinds::UPSTART, upstart),
    kind(kinds::X_UPSTART, upstart),
    kind(kinds::INCLUDE, not_here),
    kind(kinds::INCLUDE_ONCE, not_here),
    kind(kinds::ARCHIVE, not_here),
];

/// The sorted parts.
#[derive(Default, Debug)]
pub(crate) struct Sorted {
    /// Files to write.
    pub(crate) files: Vec<File>,
    /// The work in the order of the parts.
    pub(crate) work: Vec<Work>,
    /// The configuration.
    pub(crate) config: CloudConfig,
    /// The parts that nothing is done with.
    pub(crate) dropped: Vec<Dropped>,
    /// The messages about the other parts.
    pub(crate) told: Vec<String>,
}

/// A piece of work that is done while the parts are gone through.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// Runs the boothook in a file.
    Boothook(String),
    /// Makes a file the handler of parts that follow.
    Handler(HandlerFile),
    /// Gives a part of a type that is not ours to the handler of it.
    Offer(Part),
}

/// A handler for parts of types that are not ours.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct HandlerFile {
    /// Its file.
    pub(crate) path: String,
    /// The form that it is written in.
    pub(crate) language: Language,
}

/// The way in which a handler is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// A module with `list_types` and `handle_part`.
    Python,
    /// A program that is called with `list-types` and `handle-part`.
    Executable,
}

/// The facts that sorting may know.
pub(super) struct Circumstances<'a> {
    /// The instance that the parts belong to.
    pub(super) instance: &'a Instance,
    /// The directory for scripts, below the instance's.
    pub(super) scripts: &'static str,
    /// Types of which nothing is wanted.
    pub(super) unwanted: &'a [String],
    /// The variables that templates may name.
    pub(super) variables: &'a Value,
    /// The reader of upstart's jobs, if there is one.
    pub(super) upstart: Upstart,
}

/// The presence of upstart in the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Upstart {
    /// It has.
    There,
    /// It has not.
    Missing,
}

impl Upstart {
    /// Looks for it.
    pub(crate) fn of(root: &Root) -> Result<Self> {
        let mut there = false;
        for program in ["sbin/initctl", "usr/sbin/initctl", "bin/initctl", "usr/bin/initctl"] {
            there |= root.holds(program)?;
        }
        Ok(if there && root.holds(layout::UPSTART)? { Self::There } else { Self::Missing })
    }
}

/// The types that are ours.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|kind| kind.content_type)
}

/// Sorts the parts.
pub(super) fn sort(parts: Vec<Part>, circumstances: &Circumstances<'_>, names: &mut PartNames) -> Sorted {
    let mut sorter = Sorter {
        around: circumstances,
        names,
        handlers: 0,
        templates: jinja::Allowance::default(),
        sorted: Sorted::default(),
    };
    for part in parts {
        if circumstances.unwanted.contains(&part.content_type) {
            continue;
        }
        match ALL.iter().find(|kind| kind.content_type == part.content_type) {
            Some(kind) => (kind.take)(&mut sorter, &part),
            None if part.payload.is_empty() => {}
            None => sorter.sorted.work.push(Work::Offer(part)),
        }
    }
    sorter.sorted
}

struct Sorter<'a> {
    around: &'a Circumstances<'a>,
    names: &'a mut PartNames,
    handlers: usize,
    templates: jinja::Allowance,
    sorted: Sorted,
}

impl Sorter<'_> {
    fn write(&mut self, directory: &str, part: &Part, name: &str, content: Vec<u8>) -> String {
        let path = self.names.take(directory, name, part.number);
        self.sorted.files.push(File::new(&path, content, 0o700));
        path
    }

    fn per(&mut self, frequency: &str, part: &Part) {
        let directory = format!("{}/{frequency}", layout::SCRIPTS);
        self.write(&directory, part, names::base(&part.name), text::with_unix_lines(&part.payload));
    }

    fn drop(&mut self, part: &Part, reason: impl std::fmt::Display) {
        self.sorted.dropped.push(part.dropped(reason));
    }
}

fn config(sorter: &mut Sorter<'_>, part: &Part) {
    if let Err(rejected) = sorter.sorted.config.add(part) {
        sorter.drop(part, rejected.reason);
    }
}

/// Packages are added to those of other parts.
fn ec2_config(sorter: &mut Sorter<'_>, part: &Part) {
    let text = part.text();
    let mut packages = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(':') {
            Some((key, names)) if key.trim() == "install-packages" => {
                packages.extend(names.split_whitespace());
            }
            _ => return sorter.drop(part, "it knows `install-packages: NAME…` alone"),
        }
    }
    let quoted: Vec<String> = packages.iter().map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    let payload =
        format!("packages: [{}]\nmerge_how: dict(recurse_list)+list(append)+str()\n", quoted.join(", "));
    config(sorter, &Part { payload: payload.into_bytes(), ..part.clone() });
}

fn patch(sorter: &mut Sorter<'_>, part: &Part) {
    if let Err(rejected) = sorter.sorted.config.patch(part) {
        sorter.drop(part, rejected.reason);
    }
}

fn script(sorter: &mut Sorter<'_>, part: &Part) {
    let directory = sorter.around.instance.path(sorter.around.scripts);
    sorter.write(&directory, part, &part.name, text::with_unix_lines(&part.payload));
}

fn boothook(sorter: &mut Sorter<'_>, part: &Part) {
    let content = hook(&part.payload);
    let path = sorter.write(&sorter.around.instance.path("boothooks"), part, &part.name, content);
    sorter.sorted.work.push(Work::Boothook(path));
}

/// The program in a boothook.
pub(super) fn hook(payload: &[u8]) -> Vec<u8> {
    let content = text::with_unix_lines(payload);
    text::trim_start(content.strip_prefix(b"#cloud-boothook").unwrap_or(&content)).to_vec()
}

fn template(sorter: &mut Sorter<'_>, part: &Part) {
    let Ok(source) = std::str::from_utf8(&part.payload) else {
        return sorter.drop(part, "the template is no UTF-8");
    };
    let Rendered { text: rendered, missing } =
        match jinja::render(source, sorter.around.variables, &mut sorter.templates) {
            Ok(rendered) => rendered,
            Err(failure) => return sorter.drop(part, failure),
        };
    if rendered.is_empty() {
        return;
    }
    if !missing.is_empty() {
        let missing = missing.join("; ");
        sorter.sorted.told.push(format!("{}: the template names what is not there: {missing}", part.place));
    }
    let kind = kinds::of(rendered.as_bytes());
    let kind = kind.and_then(|kind| ALL.iter().find(|known| known.content_type == kind)?.template);
    match kind {
        Some(take) => {
            // Lines are those of what came out.
            let place = format!("{}, rendered", part.place);
            take(sorter, &Part { payload: rendered.into_bytes(), place, ..part.clone() });
        }
        None => sorter.drop(part, "the template makes no cloud-config, script or boothook"),
    }
}

fn part_handler(sorter: &mut Sorter<'_>, part: &Part) {
    let name = format!("part-handler-{:03}", sorter.handlers);
    sorter.handlers += 1;
    let directory = sorter.around.instance.path("handlers");
    let path = sorter.names.take(&directory, &name, part.number);
    let (language, file) = if let Some(program) = executable(&part.payload) {
        (Language::Executable, File::new(&path, program, 0o700))
    } else {
        (Language::Python, File::new(&format!("{path}.py"), part.payload.clone(), 0o600))
    };
    sorter.sorted.work.push(Work::Handler(HandlerFile { path: file.path.clone(), language }));
    sorter.sorted.files.push(file);
}

/// The program in a handler: what follows the marker when that begins with `#!`. A module of Python may begin
/// so too.
pub(super) fn executable(payload: &[u8]) -> Option<Vec<u8>> {
    let trimmed = text::trim_start(payload);
    let program = text::trim_start(trimmed.strip_prefix(b"#part-handler").unwrap_or(trimmed));
    let is_module = || String::from_utf8_lossy(payload).contains("def handle_part");
    (program.starts_with(b"#!") && !is_module()).then(|| text::with_unix_lines(program))
}

fn upstart(sorter: &mut Sorter<'_>, part: &Part) {
    if sorter.around.upstart == Upstart::Missing {
        return sorter.drop(part, "an upstart job, and this system has no upstart (/etc/init and initctl)");
    }
    let name = format!("{}.conf", part.name.trim_end_matches(".conf"));
    let path = sorter.names.take(layout::UPSTART, &name, part.number);
    sorter.sorted.files.push(File::new(&path, part.payload.clone(), 0o644));
}

fn not_here(sorter: &mut Sorter<'_>, part: &Part) {
    sorter.drop(part, format!("{} is not expanded inside an archive", part.content_type));
}

#[cfg(test)]
mod tests;
