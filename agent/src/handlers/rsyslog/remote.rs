//! Other machines that get the log, as a line of rsyslog each.

use crate::plan::HandlerPlan;
use crate::yaml::Value;
use anyhow::{Context, Result, bail};

/// The lines for a mapping of names to remote machines. A bad one costs only itself.
pub(super) fn lines(remotes: Option<&Value>, plan: &mut HandlerPlan) -> Result<String> {
    let remotes = match remotes {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::Map(remotes)) => remotes,
        Some(other) => bail!("remotes: it is {} and no mapping", other.kind()),
    };
    let mut lines = String::new();
    for (name, value) in remotes.iter() {
        let name = name.scalar_text().unwrap_or_default().replace(['\n', '\r'], " ");
        match value.scalar_text().filter(|text| !text.trim().is_empty()) {
            None if matches!(value, Value::Null | Value::Str(_)) => {}
            None => plan.problem(format!("remotes: {name}: it is {} and no text", value.kind())),
            Some(text) => match line(&text, &name) {
                Ok(line) => lines.extend([line.as_str(), "\n"]),
                Err(error) => plan.problem(format!("remotes: {name}: {error:#}")),
            },
        }
    }
    Ok(lines)
}

/// `[SELECTOR] [@|@@]HOST[:PORT] [# COMMENT]` -> a line of rsyslog. One `@` and none are UDP, two are TCP.
fn line(text: &str, name: &str) -> Result<String> {
    let text = text.split('#').next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let (selector, place) = match words[..] {
        [place] => ("*.*", place),
        [selector, place] => (selector, place),
        _ => bail!("`{}` is not `SELECTOR HOST`, or a host", text.trim().escape_debug()),
    };
    let host = place.trim_start_matches('@');
    let sign = match place.len() - host.len() {
        0 | 1 => "@",
        2 => "@@",
        _ => bail!("`{place}` begins with more than `@@`"),
    };
    let (address, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').context("a `]` is missing")?;
            (address, rest.strip_prefix(':').or(Some(rest).filter(|rest| !rest.is_empty())))
        }
        None => host.split_once(':').map_or((host, None), |(address, port)| (address, Some(port))),
    };
    if address.is_empty() {
        bail!("the host is missing");
    }
    if let Some(port) = port
        && port.parse::<u16>().is_err()
    {
        bail!("`{port}` is no port (an address of IPv6 stands in brackets)");
    }
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{selector} {sign}{address}{port} # {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By cloud-init 26.2's `parse_remotes_line` (read in its source).
    #[test]
    fn a_machine_is_written_as_rsyslog_reads_it() {
        for (text, expected) in [
            ("log.example", "*.* @log.example # n"),
            ("@log.example:514", "*.* @log.example:514 # n"),
            ("@@log.example:10514", "*.* @@log.example:10514 # n"),
            ("kern.*;mail.info 10.0.0.1", "kern.*;mail.info @10.0.0.1 # n"),
            ("*.* @@[2001:db8::1]:514 # far", "*.* @@[2001:db8::1]:514 # n"),
            ("[::1]", "*.* @[::1] # n"),
        ] {
            assert_eq!(line(text, "n").unwrap(), expected, "{text}");
        }
        for text in ["a b c", "@@@a", "::1", "a:port", "@", "[::1", "[::1]x", ""] {
            assert!(line(text, "n").is_err(), "{text}");
        }
    }
}
