//! The things that a running guest is given.

use std::path::PathBuf;

use anyhow::Result;

use super::Vm;
use crate::disk::Disk;
use crate::qmp::Qmp;

impl Vm {
    /// Attaches a disk to the running guest.
    pub fn attach(&mut self, disk: impl Into<Disk>) -> Result<()> {
        let (image, name) = self.make(disk.into())?;
        if let Some(uml) = &mut self.uml {
            return uml.attach(&image);
        }
        self.qmp()?.attach(&image, &name)
    }

    /// Puts a medium into the drive with this name.
    pub fn insert(&mut self, drive: &str, disk: impl Into<Disk>) -> Result<()> {
        let (image, _) = self.make(disk.into())?;
        self.qmp()?.insert(&image, drive)
    }

    fn make(&mut self, disk: Disk) -> Result<(PathBuf, String)> {
        self.attached += 1;
        let name = format!("attached{}", self.attached);
        let (image, _) = disk.image(&self.guests, &self.scratch.path().join(&name))?;
        Ok((image, name))
    }

    fn qmp(&mut self) -> Result<&mut Qmp> {
        let qmp = match self.qmp.take() {
            Some(qmp) => qmp,
            None => Qmp::connect(&self.scratch.path().join("qmp"))?,
        };
        Ok(self.qmp.insert(qmp))
    }
}
