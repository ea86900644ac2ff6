//! The program: reads what it is called for, does it, and prints what went wrong.

mod allocator;

use lifeboat_agent::{Call, Report};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> ExitCode {
    let call = match Call::read() {
        Ok(call) => call,
        Err(code) => return code,
    };
    let mut report = Report::default();
    let ran = call.run(&mut report);
    report.end(ran)
}
