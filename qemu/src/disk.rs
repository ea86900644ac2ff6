//! The disks of a machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guest::{Guests, Tiny};
use crate::partitioned::{self, Partition};

/// A disk to attach.
#[derive(Debug, Clone)]
pub enum Disk {
    /// An image that stays as it is: what is written goes when the machine ends.
    Image(PathBuf),
    /// An image that keeps what is written.
    Kept(PathBuf),
    /// A tiny guest's, made for this machine.
    Tiny(Tiny),
    /// One with a partition table, made for this machine.
    Partitioned(Vec<Partition>),
    /// The same on a disk that was enlarged by so many mebibytes. The table does not know of them.
    Enlarged(Vec<Partition>, u64),
    /// A CD drive without a medium; its serial number is its name for `Vm::insert`.
    Nothing,
}

/// The bus of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// /dev/vda and so on.
    Virtio,
    /// /dev/sda and so on, each on a controller of its own.
    Scsi,
    /// /dev/nvme0n1 and so on, each a controller of its own.
    Nvme,
    /// /dev/sda and so on, by libata.
    Ata,
    /// The same, each on a controller (AHCI) of its own, for which Debian 12's cloud kernel has no driver.
    Sata,
    /// /dev/sr0 and so on.
    Cd,
    /// /dev/vda and so on, which cannot be written to.
    ReadOnly,
}

/// A disk and how it is connected.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    pub(crate) disk: Disk,
    pub(crate) bus: Bus,
    pub(crate) serial: String,
}

impl Connected {
    /// The words with which qemu connects it.
    pub(crate) fn words(&self, number: usize, image: &Path, snapshot: &str) -> Vec<String> {
        // A comma in a value is written twice.
        let image = image.display().to_string().replace(',', ",,");
        let (snapshot, media) = match self.bus {
            Bus::Cd => ("off", "cdrom"),
            Bus::ReadOnly => ("off", "disk,readonly=on"),
            _ => (snapshot, "disk"),
        };
        let serial = &self.serial;
        let (mut words, end) = if let Disk::Nothing = self.disk {
            (Vec::new(), format!("id={serial}"))
        } else {
            let drive =
                format!("if=none,id=disk{number},format=raw,media={media},snapshot={snapshot},file={image}");
            (vec!["-drive".to_owned(), drive], format!("drive=disk{number},serial={serial}"))
        };
        let controller = format!("virtio-scsi-pci,id=scsi{number}");
        let devices = match self.bus {
            Bus::Virtio | Bus::ReadOnly => vec![format!("virtio-blk-pci,{end}")],
            Bus::Nvme => vec![format!("nvme,{end}")],
            Bus::Ata => vec![format!("ide-hd,{end}")],
            Bus::Sata => {
                vec![format!("ahci,id=ahci{number}"), format!("ide-hd,bus=ahci{number}.0,{end}")]
            }
            Bus::Scsi => vec![controller, format!("scsi-hd,bus=scsi{number}.0,{end}")],
            Bus::Cd => vec![controller, format!("scsi-cd,bus=scsi{number}.0,{end}")],
        };
        for device in devices {
            words.extend(["-device".to_owned(), device]);
        }
        words
    }
}

impl Disk {
    /// The image to attach, made in the folder if need be, and qemu's word for whether it is to be kept as it is.
    pub(crate) fn image(&self, guests: &Guests, folder: &Path) -> Result<(PathBuf, &'static str)> {
        Ok(match self {
            Self::Image(path) => (path.clone(), "on"),
            Self::Kept(path) => (path.clone(), "off"),
            Self::Tiny(tiny) => (tiny.image(guests, make(folder)?)?, "off"),
            Self::Partitioned(partitions) => (partitioned::image(partitions, guests, make(folder)?)?, "off"),
            Self::Enlarged(partitions, more) => {
                let image = partitioned::image(partitions, guests, make(folder)?)?;
                enlarge(&image, more << 20).with_context(|| format!("enlarge {}", image.display()))?;
                (image, "off")
            }
            Self::Nothing => (PathBuf::new(), "off"),
        })
    }
}

fn enlarge(image: &Path, bytes: u64) -> std::io::Result<()> {
    let file = std::fs::File::options().write(true).open(image)?;
    file.set_len(file.metadata()?.len() + bytes)
}

fn make(folder: &Path) -> Result<&Path> {
    std::fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

impl From<Tiny> for Disk {
    fn from(tiny: Tiny) -> Self {
        Self::Tiny(tiny)
    }
}
