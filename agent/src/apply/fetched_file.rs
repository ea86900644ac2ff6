//! Files whose content is elsewhere.

use super::write as write_file;
use crate::fetch::{Client, Fetched, Over};
use crate::plan::{FetchedFile, File};
use crate::report::Report;
use crate::root::Root;
use anyhow::{Result, bail};
use std::rc::Rc;
use std::time::Duration;

/// Logins may be waiting.
const BUDGET: Duration = Duration::from_secs(12);

/// Fetches the content and writes it, or the content that is given for this case.
pub(super) fn write(fetched: &FetchedFile, root: &Root, report: &mut Report) -> Result<()> {
    let content = match content(fetched, root) {
        Ok(content) => Rc::new(content),
        Err(error) if fetched.has_content => {
            report.warn(format!("{}: {error:#} (its `content` takes the place)", fetched.file.path));
            Rc::clone(&fetched.file.content)
        }
        Err(error) => return Err(error),
    };
    write_file(&File { content, ..fetched.file.clone() }, root)
}

fn content(fetched: &FetchedFile, root: &Root) -> Result<Vec<u8>> {
    let client = Client::new(BUDGET, Over::Either, root)?;
    match client.get_with(&fetched.url, &fetched.headers, root)? {
        Fetched::Body(content) => Ok(content),
        Fetched::Absent => bail!("there is nothing at {}", crate::fetch::shown(&fetched.url)),
    }
}
