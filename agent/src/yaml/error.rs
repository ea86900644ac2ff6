//! An error with its place, and the line it stands on.

use std::fmt;

/// Where something is; both count from 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct TextPlace {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<libyaml_safer::Mark> for TextPlace {
    fn from(mark: libyaml_safer::Mark) -> Self {
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self { line: count(mark.line), column: count(mark.column) }
    }
}

/// A fault in a YAML text, and its place.
#[derive(Debug)]
pub(crate) struct Error {
    problem: String,
    place: Option<TextPlace>,
    line: Option<String>,
}

/// A longer line is cut: a person finds the place by its number.
const LONGEST_LINE: usize = 120;

/// A tag or a number that is what it should not be may be a long one.
const LONGEST_PROBLEM: usize = 300;

impl Error {
    pub(super) fn new(place: TextPlace, problem: impl Into<String>) -> Self {
        let mut problem = problem.into();
        if let Some((end, _)) = problem.char_indices().nth(LONGEST_PROBLEM) {
            problem.truncate(end);
            problem.push_str("...");
        }
        Self { problem, place: Some(place), line: None }
    }

    /// Line and column, both from 1.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        self.place.map(|place| (place.line + 1, place.column + 1))
    }

    pub(super) fn at(&self) -> Option<TextPlace> {
        self.place
    }

    pub(super) fn is_about(&self, words: &str) -> bool {
        self.problem.starts_with(words)
    }

    /// Adds the line that the error is about.
    pub(super) fn showing(mut self, text: &str) -> Self {
        if let Some(place) = self.place {
            self.line =
                text.lines().nth(place.line).map(|line| line.chars().take(LONGEST_LINE).collect::<String>());
            if self.line.as_ref().and_then(|line| line.chars().nth(place.column)) == Some('\t') {
                self.problem.push_str(" (a tab cannot indent: use blanks)");
            }
        }
        self
    }
}

impl From<libyaml_safer::Error> for Error {
    fn from(error: libyaml_safer::Error) -> Self {
        let mut problem = error.problem().to_owned();
        if let Some(context) = error.context() {
            problem = format!("{problem} ({context})");
        }
        Self { problem, place: error.problem_mark().map(TextPlace::from), line: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = self.place else { return write!(out, "{}", self.problem) };
        let number = (place.line + 1).to_string();
        write!(out, "line {number}, column {}: {}", place.column + 1, self.problem)?;
        match &self.line {
            Some(line) if !line.trim().is_empty() => {
                // A tab before the place keeps the caret below it.
                let before: String = line
                    .chars()
                    .take(place.column)
                    .map(|character| if character == '\t' { '\t' } else { ' ' })
                    .collect();
                let margin = " ".repeat(number.len());
                write!(out, "\n  {number} | {line}\n  {margin} | {before}^")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
