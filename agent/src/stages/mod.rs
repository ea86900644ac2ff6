//! The stages that systemd calls at boot, a file for each.

mod blame;
mod config;
mod consume;
#[cfg(any(test, feature = "hostile"))]
pub(crate) mod hostile;
mod interrupted;
mod kept;
mod last;
mod local;
mod network;
mod run;
mod scripts;
mod single;
mod vendor;
mod work;

pub(crate) use config::config;
pub(crate) use last::last;
pub(crate) use local::local;
pub(crate) use network::{network, process};
pub(crate) use single::single;

use crate::instance::Instance;
use crate::rescue::record::Boot;
use crate::root::Root;

/// The things that a stage works on.
struct Context<'a> {
    instance: &'a Instance,
    boot: &'a Boot,
    root: &'a Root,
}
