//! Fetching what need not be there. It is asked for a few times within seconds: one value that is refused costs neither
//! the others nor their time.

use super::{Answered, Client, Failure, Fetched, Question, local_path, shown};
use crate::root::Root;
use anyhow::{Result, bail};
use std::thread;
use std::time::{Duration, Instant};

/// The pauses before another attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];
/// The time that one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time that may be lost in all before attempts become one, and before there are none.
const ENOUGH: Duration = Duration::from_secs(8);
const TOO_MUCH: Duration = Duration::from_secs(20);
/// The time that one attempt may take after that.
const LESS_PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    /// Asks a service for what it need not have.
    pub(crate) fn ask_optional(&self, url: &str, question: &Question<'_>) -> Result<Answered> {
        self.few(url, |limit| {
            let question = Question { patience: question.patience.min(limit), ..*question };
            self.attempt_to_ask(url, &question)
        })
    }

    /// Fetches a file that need not be there.
    pub(crate) fn get_optional(&self, url: &str, root: &Root) -> Result<Fetched> {
        match local_path(url) {
            Some(_) => self.get(url, root),
            None => self.few(url, |limit| self.attempt(url, limit)),
        }
    }

    fn few<T>(&self, url: &str, mut attempt: impl FnMut(Duration) -> Result<T, Failure>) -> Result<T> {
        if !self.over.allows(url) {
            bail!("fetch {}: only {} are supported", shown(url), self.over);
        }
        let (start, lost) = (Instant::now(), self.lost.get());
        if lost > TOO_MUCH {
            bail!("fetch {}: left out, because too much before it could not be had", shown(url));
        }
        let (patience, mut pauses) =
            if lost > ENOUGH { (LESS_PATIENCE, [].iter()) } else { (PATIENCE, PAUSES.iter()) };
        loop {
            let error = match attempt(patience) {
                Ok(value) => return Ok(value),
                Err(Failure::Lasting(error)) => error,
                Err(Failure::Passing(error)) => {
                    // An attempt that was slow would be slow again.
                    let is_quick = start.elapsed() < PATIENCE / 2;
                    if let Some(pause) =
                        pauses.next().filter(|pause| is_quick && start + **pause < self.deadline)
                    {
                        thread::sleep(*pause);
                        continue;
                    }
                    error
                }
            };
            self.lost.set(lost + start.elapsed());
            return Err(error.context(format!("fetch {}", shown(url))));
        }
    }
}
