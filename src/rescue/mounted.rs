//! Right after init mounted a rescue volume, before it looks for /usr in its fstab: covers files of the rescue
//! system with generated ones. The volume itself is unchanged.

use super::decision::{self, Original, SoFar};
use super::notice::Tenants;
use super::{fstab, notice};
use crate::initramfs_tools;
use crate::mounts;
use crate::outcome::{Mode, Outcome};
use crate::root::Root;
use crate::volume::{self, Volume};
use crate::{files, state};
use anyhow::{Context, Result};
use std::path::Path;

/// Covers, where the root is a rescue volume.
pub(crate) fn run(mode: Mode) -> Result<Outcome> {
    let root = initramfs_tools::root_mount_point();
    let Some(device) = SoFar::read()?.rescue else { return Ok(Outcome::Quiet) };
    if mounts::at(&root)?.is_none_or(|mount| mount.source != Path::new(&device)) {
        return Ok(Outcome::Quiet);
    }
    let volumes = volume::all_with_partitions(&volume::devices()?);
    let Some(rescue) = volumes.iter().find(|volume| volume.device == Path::new(&device)) else {
        return Ok(Outcome::Quiet);
    };
    let original = match decision::original_name()? {
        Some(name) => volumes
            .iter()
            .find(|volume| volume.device == Path::new(&name))
            .map_or(Original::Named(name), |volume| Original::Volume(volume.clone())),
        None => Original::Unknown,
    };
    if mode == Mode::Apply {
        cover(&root, rescue, &original, &volumes)?;
    }
    Ok(Outcome::Done(format!("the fstab of {rescue} leads to no other disk")))
}

/// Covers the fstab, and what agetty shows above its prompt. What is on the volume is known only now, and so
/// the message of the day is written anew.
pub(super) fn cover(root: &Path, rescue: &Volume, original: &Original, volumes: &[Volume]) -> Result<()> {
    let root = Root::open(root)?;
    cover_file(&root, "fstab", |text| fstab::rewrite(text, rescue, volumes))?;
    let tenants = Tenants::of(&root)?;
    notice::write(rescue, original, tenants)?;
    cover_file(&root, "issue", |text| notice::issue(text, rescue, original, tenants))
}

/// A file that is not there is left so.
fn cover_file(root: &Root, name: &str, generate: impl Fn(&[u8]) -> Vec<u8>) -> Result<()> {
    let path = format!("etc/{name}");
    let Some(text) = root.read(&path)? else { return Ok(()) };
    let generated = format!("{}/{name}", state::DIRECTORY);
    files::write(&generated, &generate(&text), 0o644)?;
    mounts::cover(root, &path, Path::new(&generated)).with_context(|| format!("cover {}", root.show(&path)))
}
