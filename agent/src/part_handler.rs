//! Part handlers: a program that is called for each part, or a Python module that is loaded once.

use crate::apply::{self, Conversation, Patience};
use crate::codec;
use crate::instance::Frequency;
use crate::report::Report;
use crate::root::Root;
use crate::user_data::{HandlerFile, Language, Part};
use crate::yaml::{self, Mapping, Value};
use anyhow::{Context, Result, bail};
use std::time::Instant;

/// Loads a module and answers a line for each line.
const DRIVER: &str = include_str!("part_handler/driver.py");

/// The types of the calls without a part.
const BEGIN: &str = "__begin__";
const END: &str = "__end__";

/// A started handler.
pub(crate) struct PartHandler {
    /// The handler's file, below the root.
    pub(crate) path: String,
    /// The types that it handles.
    pub(crate) types: Vec<String>,
    frequency: &'static str,
    how: How,
    end: Instant,
}

/// The handler's result for a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    Handled,
    /// It has had its parts on an earlier boot, and is not called again.
    Before,
}

/// No person writes a handler of more types.
const MOST_TYPES: usize = 1000;

enum How {
    /// A program, by its path.
    Program(String),
    /// A program that has had its parts on an earlier boot.
    Done,
    /// A program that did not end in time.
    Silent,
    Module(Conversation),
}

impl PartHandler {
    /// Asks for the handler's types, and announces the parts. Nobody waits for it after `end`.
    pub(crate) fn begin(
        handler: &HandlerFile,
        frequency: Frequency,
        end: Instant,
        root: &Root,
        report: &mut Report,
    ) -> Result<Self> {
        let path = root.show(&handler.path);
        let (how, types) = match handler.language {
            Language::Executable => {
                let types = types_of_program(&path, end, root, report)?;
                (if frequency == Frequency::Boot { How::Done } else { How::Program(path) }, types)
            }
            Language::Python => {
                let argv = ["python3".to_owned(), "-c".to_owned(), DRIVER.to_owned(), path];
                let mut module = Conversation::begin(&argv, end, root, report)
                    .context("start python3 (a handler that begins with #! needs none)")?;
                let types = types_of_module(&mut module)?;
                (How::Module(module), types)
            }
        };
        let frequency = if frequency == Frequency::Boot { "always" } else { "once-per-instance" };
        let mut begun = Self { path: handler.path.clone(), types, frequency, how, end };
        begun.call(BEGIN, None, root, report)?;
        Ok(begun)
    }

    /// Passes a part to the handler.
    pub(crate) fn take(&mut self, part: &Part, root: &Root, report: &mut Report) -> Result<Taken> {
        self.call(&part.content_type, Some(part), root, report)
    }

    /// Announces the end of the parts.
    pub(crate) fn end(&mut self, root: &Root, report: &mut Report) -> Result<()> {
        self.call(END, None, root, report).map(drop)
    }

    fn call(
        &mut self,
        content_type: &str,
        part: Option<&Part>,
        root: &Root,
        report: &mut Report,
    ) -> Result<Taken> {
        let name = part.map_or("", |part| &part.name);
        match &mut self.how {
            How::Done => Ok(Taken::Before),
            How::Program(path) => {
                let environment =
                    [("CTYPE", content_type), ("FILENAME", name), ("FREQUENCY", self.frequency)];
                let payload = part.map_or(&b""[..], |part| &part.payload);
                let argv = [path.clone(), "handle-part".to_owned()];
                let patience = Patience::half_until(self.end);
                let ran = apply::run(&argv, Some(payload), &environment, patience, root, report);
                if ran.is_err() && patience.is_over() {
                    self.how = How::Silent;
                }
                ran.map(|()| Taken::Handled)
            }
            How::Silent => bail!("not asked again: it did not answer in time before"),
            How::Module(module) => {
                let mut question = Mapping::default();
                question.set("do", "part");
                question.set("ctype", content_type);
                question.set("filename", part.map_or(Value::Null, |part| part.name.as_str().into()));
                question.set("frequency", self.frequency);
                question.set("headers", part.map(headers).unwrap_or_default());
                let payload = part.map_or(Value::Null, |part| codec::to_base64(&part.payload).into());
                question.set("payload", payload);
                let answer = ask(module, question)?;
                Ok(if answer.get("called") == Some(&Value::Bool(true)) {
                    Taken::Handled
                } else {
                    Taken::Before
                })
            }
        }
    }
}

fn types_of_program(path: &str, end: Instant, root: &Root, report: &mut Report) -> Result<Vec<String>> {
    let argv = [path.to_owned(), "list-types".to_owned()];
    let mut program = Conversation::begin(&argv, end, root, report)?;
    let mut types = Vec::new();
    while let Some(line) = program.line()? {
        types.extend(line.split_whitespace().map(str::to_owned));
        if types.len() > MOST_TYPES {
            bail!("it has more than {MOST_TYPES} types, asked with list-types");
        }
    }
    if types.is_empty() {
        bail!("it has no types, asked with list-types");
    }
    Ok(types)
}

fn types_of_module(module: &mut Conversation) -> Result<Vec<String>> {
    let mut question = Mapping::default();
    question.set("do", "types");
    let answer = ask(module, question)?;
    let types = answer.get("types").and_then(Value::as_seq).unwrap_or_default();
    Ok(types.iter().filter_map(Value::scalar_text).collect())
}

fn ask(module: &mut Conversation, question: Mapping) -> Result<Mapping> {
    module.say(&yaml::to_json(&question.into()))?;
    let answer =
        module.line()?.context("it ended without an answer (its output is in the log of outputs)")?;
    let answer = yaml::load(&answer).context("read its answer")?;
    let answer = answer.as_map().cloned().unwrap_or_default();
    match answer.get("error").and_then(Value::scalar_text) {
        Some(error) => bail!("{error}"),
        None => Ok(answer),
    }
}

fn headers(part: &Part) -> Mapping {
    let mut headers = Mapping::default();
    for (name, value) in part.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")) {
        if headers.get(name).is_none() {
            headers.set(name, value.as_str());
        }
    }
    headers.set("Content-Type", part.content_type.as_str());
    headers
}
