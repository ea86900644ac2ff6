//! The results that guests have shown by the time that they ended.

use std::cell::RefCell;

use super::Vm;
use crate::guest::RunInit;

/// The results of a guest that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// All that was on its console.
    pub console: String,
    /// The program that leaves its initramfs, where that is known.
    pub run_init: Option<RunInit>,
    /// The Debian suite that its initramfs was made of.
    pub suite: String,
}

thread_local! {
    static ENDED: RefCell<Vec<Ended>> = const { RefCell::new(Vec::new()) };
}

/// The guests that have ended in this thread since the last call.
pub fn ended() -> Vec<Ended> {
    ENDED.take()
}

impl Drop for Vm {
    fn drop(&mut self) {
        let (console, suite) = (self.console.text(), std::mem::take(&mut self.suite));
        ENDED.with_borrow_mut(|ended| ended.push(Ended { console, run_init: self.run_init, suite }));
    }
}
