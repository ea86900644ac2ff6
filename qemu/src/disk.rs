//! The disks of a machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guest::{Guests, Tiny};

/// A disk to attach.
#[derive(Debug, Clone)]
pub enum Disk {
    /// An image that stays as it is: what is written goes when the machine ends.
    Image(PathBuf),
    /// An image that keeps what is written.
    Kept(PathBuf),
    /// A tiny guest's, made for this machine.
    Tiny(Tiny),
}

impl Disk {
    /// The image to attach, made in the folder if need be, and qemu's word for whether it is to be kept as it is.
    pub(crate) fn image(&self, guests: &Guests, folder: &Path) -> Result<(PathBuf, &'static str)> {
        Ok(match self {
            Self::Image(path) => (path.clone(), "on"),
            Self::Kept(path) => (path.clone(), "off"),
            Self::Tiny(tiny) => {
                std::fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
                (tiny.image(guests, folder)?, "off")
            }
        })
    }
}

impl From<Tiny> for Disk {
    fn from(tiny: Tiny) -> Self {
        Self::Tiny(tiny)
    }
}
