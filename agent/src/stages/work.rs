//! The work in the order of the parts: boothooks run, and handlers get the parts that they are for.

use super::{Context, blame};
use crate::apply::{self, Patience};
use crate::instance::Frequency;
use crate::part_handler::{PartHandler, Taken};
use crate::report::Report;
use crate::root::Root;
use crate::trace::{Begun, Did, Kind};
use crate::user_data::{self, Part, Work};
use crate::yaml::Mapping;
use anyhow::Result;
use std::time::{Duration, Instant};

/// The semaphore that says that the handlers have had their parts.
const SEMAPHORE: &str = "consume_data";

/// The time that all of it may take together; one may take at most half of what is left. Users and their keys come
/// after it, and systemd ends the stage after 10 minutes.
const PATIENCE: Duration = Duration::from_mins(4);

/// Does it. Work that fails costs only itself.
pub(super) fn run(work: Vec<Work>, context: &Context<'_>, report: &mut Report) -> Result<()> {
    run_until(Instant::now() + PATIENCE, work, context, report)
}

fn run_until(end: Instant, work: Vec<Work>, context: &Context<'_>, report: &mut Report) -> Result<()> {
    let Context { instance, boot, root } = context;
    let before = instance.is_done(root, SEMAPHORE, Frequency::Instance)?;
    let frequency = if before { Frequency::Boot } else { Frequency::Instance };
    let mut handlers: Vec<PartHandler> = Vec::new();
    for work in work {
        match work {
            Work::Boothook(path) if boot.is_rescue() => {
                report.info(&format!("left out in a rescue boot: run /{path}"));
            }
            Work::Handler(handler) if boot.is_rescue() => {
                report.info(&format!("left out in a rescue boot: use /{}", handler.path));
            }
            Work::Boothook(path) if !root.is_live() => {
                report.info(&format!("not on this root: run /{path}"));
            }
            Work::Handler(handler) if !root.is_live() => {
                report.info(&format!("not on this root: use /{}", handler.path));
            }
            Work::Boothook(path) => {
                let argv = [format!("/{path}")];
                let environment = [("INSTANCE_ID", instance.id.as_str())];
                let begun = Begun::now(Kind::Boothook, argv.concat(), report);
                match apply::run(&argv, None, &environment, Patience::half_until(end), root, report) {
                    Ok(()) => report.info(&format!("ran /{path}")),
                    Err(error) => {
                        let script = argv.concat();
                        let nothing = Mapping::default();
                        let told = blame::told(&script, None, &error, (&nothing, instance, root));
                        apply::log_text(&script, told.lines().next().unwrap_or_default(), root);
                        report.warn(format!("run {script}: {told}"));
                    }
                }
                begun.end(Did::Something, report, root);
            }
            Work::Handler(handler) => {
                let begun = Begun::now(Kind::PartHandler, format!("/{} begin", handler.path), report);
                match PartHandler::begin(&handler, frequency, end, root, report) {
                    Ok(called) => handlers.push(called),
                    Err(error) => report.warn(format!("part handler /{}: {error:#}", handler.path)),
                }
                begun.end(Did::Something, report, root);
            }
            Work::Offer(part) => offer(&part, &mut handlers, root, report),
        }
    }
    for mut handler in handlers {
        let begun = Begun::now(Kind::PartHandler, format!("/{} end", handler.path), report);
        if let Err(error) = handler.end(root, report) {
            report.warn(format!("part handler /{}: {error:#}", handler.path));
        }
        begun.end(Did::Something, report, root);
    }
    if boot.is_rescue() {
        return Ok(());
    }
    instance.set_done(root, SEMAPHORE, Frequency::Instance)
}

/// The latest handler for its type takes it.
fn offer(part: &Part, handlers: &mut [PartHandler], root: &Root, report: &mut Report) {
    match handlers.iter_mut().rev().find(|handler| handler.types.contains(&part.content_type)) {
        None => report.warn(user_data::unknown(part).to_string()),
        Some(handler) => {
            let begun = Begun::now(Kind::PartHandler, format!("/{} {}", handler.path, part.name), report);
            let did = match handler.take(part, root, report) {
                Ok(Taken::Handled) => {
                    report.info(&format!("part handler /{}: {} is handled", handler.path, part.name));
                    Did::Something
                }
                Ok(Taken::Before) => Did::Before,
                Err(error) => {
                    report
                        .warn(part.dropped(format!("its handler /{}: {error:#}", handler.path)).to_string());
                    Did::Something
                }
            };
            begun.end(did, report, root);
        }
    }
}

/// Tells what nothing is done with, where nothing is run.
pub(super) fn told(work: Vec<Work>, report: &mut Report) {
    let mut handlers = 0;
    for work in work {
        match work {
            Work::Boothook(_) => {}
            Work::Handler(_) => handlers += 1,
            Work::Offer(part) if handlers > 0 => {
                report.info(&format!("{} is left for a part handler, and none is run here", part.name));
            }
            Work::Offer(part) => report.warn(user_data::unknown(&part).to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Instance;
    use crate::rescue::record::booted;
    use crate::user_data::{HandlerFile, Language, part_for_tests};
    use std::path::Path;

    /// A directory that is shown as `/`: what is run there are the host's own paths.
    struct Live {
        directory: tempfile::TempDir,
        root: Root,
    }

    impl Live {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let opened = Root::open(directory.path()).unwrap();
            let root = Root::at(opened.open_directory("").unwrap(), "/");
            Self { directory, root }
        }

        /// A program in it, by its path on the host without the first `/`.
        fn program(&self, name: &str, script: &str) -> String {
            self.root.write(name, format!("#!/bin/sh\n{script}\n").as_bytes(), 0o700).unwrap();
            let path = self.directory.path().join(name);
            path.strip_prefix(Path::new("/")).unwrap().to_str().unwrap().to_owned()
        }

        fn handler(&self, name: &str, language: Language, script: &str) -> Work {
            Work::Handler(HandlerFile { path: self.program(name, script), language })
        }

        /// Does the work within a time: what was told, and what the programs wrote.
        fn run(&self, seconds: u64, work: Vec<Work>) -> (Vec<String>, String) {
            let instance = Instance::new("i-1");
            let boot = booted(&self.root).unwrap();
            let context = Context { instance: &instance, boot: &boot, root: &self.root };
            let mut report = Report::default();
            run_until(Instant::now() + Duration::from_secs(seconds), work, &context, &mut report).unwrap();
            assert!(report.errors.is_empty(), "{:?}", report.errors);
            assert!(instance.is_done(&self.root, SEMAPHORE, Frequency::Instance).unwrap());
            (report.warnings, self.root.read_text("ran").unwrap().unwrap_or_default())
        }

        fn note(&self, word: &str) -> String {
            format!("echo {word} >>{}", self.directory.path().join("ran").display())
        }
    }

    fn offer(content_type: &str) -> Work {
        let mut part = part_for_tests("p", &[], "x");
        part.content_type = content_type.into();
        Work::Offer(part)
    }

    #[test]
    fn what_never_ends_is_left_alone_and_the_rest_is_done() {
        let live = Live::new();
        let types = |word: &str, then: &str| {
            format!(
                "[ $1 != list-types ] || {{ echo {word}; exit; }}; [ -n \"$FILENAME\" ] || exit 0; {then}"
            )
        };
        let (warnings, ran) = live.run(
            6,
            vec![
                Work::Boothook(live.program("hook", &format!("{}; exec sleep 20", live.note("hook")))),
                live.handler(
                    "hangs",
                    Language::Executable,
                    &types("text/a", &format!("{}; exec sleep 20", live.note("a"))),
                ),
                live.handler("works", Language::Executable, &types("text/b", &live.note("b"))),
                offer("text/a"),
                offer("text/a"),
                offer("text/b"),
                Work::Boothook(live.program("last", &live.note("last"))),
                live.handler("silent", Language::Executable, "exec sleep 20"),
            ],
        );
        assert_eq!(ran, "hook\na\nb\nlast\n", "{warnings:?}");
        let told = [
            "hook: it runs on after ",
            "hangs: it runs on after ",
            "hangs: not asked again: it did not answer in time before",
            "silent: given up after ",
            // It is not told the end either.
            "hangs: not asked again: it did not answer in time before",
        ];
        assert_eq!(warnings.len(), told.len(), "{warnings:?}");
        for (warning, told) in warnings.iter().zip(told) {
            assert!(warning.contains(told), "{told}: {warnings:?}");
        }
    }

    #[test]
    fn what_fails_is_told_with_its_last_words_and_stops_nothing() {
        let live = Live::new();
        let work = vec![
            Work::Boothook(live.program("bad", "echo last words; exit 3")),
            Work::Boothook("nowhere/hook".into()),
            live.handler("silent", Language::Executable, "exit 4"),
            Work::Boothook(live.program("good", &live.note("good"))),
        ];
        let (warnings, ran) = live.run(60, work);
        assert_eq!(ran, "good\n");
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].contains("/bad: it ended with exit status: 3"), "{warnings:?}");
        assert!(warnings[0].ends_with("\n| last words"), "{warnings:?}");
        let traced = crate::trace::read(&live.root).unwrap();
        let results: Vec<_> = traced.iter().map(|entry| entry.result.as_str()).collect();
        assert_eq!(results, ["warned", "warned", "warned", "done"]);
        // Its words stay out of what all may read.
        assert!(traced.iter().all(|entry| !entry.reason.contains("last words")), "{traced:?}");
    }

    #[test]
    fn what_ends_is_not_ended() {
        let live = Live::new();
        let work = vec![
            Work::Boothook(live.program("hook", &live.note("hook"))),
            live.handler("handler", Language::Executable, &format!("{}; echo text/a", live.note("$1"))),
            offer("text/a"),
        ];
        let (warnings, ran) = live.run(60, work);
        assert_eq!(warnings, [""; 0]);
        assert_eq!(ran, "hook\nlist-types\nhandle-part\nhandle-part\nhandle-part\n");
    }
}
