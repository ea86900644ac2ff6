//! Tells on standard error what is going on, and since when.

use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

/// Starts the clock that phase lines show; without it, the first line does.
pub fn start() {
    START.get_or_init(Instant::now);
}

/// Writes one phase line.
pub fn say(text: &str) {
    let line = line(START.get_or_init(Instant::now).elapsed(), text);
    // Nobody can be told that standard error is closed.
    drop(std::io::stderr().write_all(line.as_bytes()));
}

fn line(elapsed: Duration, text: &str) -> String {
    format!("[{:6.1}s] {text}\n", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_elapsed_seconds() {
        assert_eq!(line(Duration::from_millis(12_340), "building"), "[  12.3s] building\n");
    }
}
