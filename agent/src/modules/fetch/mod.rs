//! The modules of the running kernel from the network, where neither the root nor the initramfs has them. A tarball is
//! fetched, checked, unpacked beside the trees that are there, and renamed into its place.

mod archive;
mod check;
mod place;
mod settings;
mod unpack;

use crate::apply;
use crate::fetch::{Client, Saved, shown};
use crate::modules::disk::complete;
use crate::report::Report;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use check::Check;
use place::Place;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

const RELEASE: &str = "proc/sys/kernel/osrelease";

/// The largest tarball, and the largest tree.
const LARGEST_TARBALL: u64 = 1 << 30;
const LARGEST_TREE: u64 = 4 << 30;

/// True if a tarball is asked for, so that someone has to wait for the network.
pub(crate) fn is_asked_for(root: &Root) -> bool {
    // A setting that cannot be read is told by the unit.
    !matches!(settings::read(root), Ok(None))
}

/// Fetches the modules of the running kernel, where they are asked for and not there.
pub(crate) fn fetch(budget: Duration, root: &Root, report: &mut Report) -> Result<()> {
    let mut work = || -> Result<()> {
        let Some(setting) = settings::read(root)? else {
            report.info(
                "modules: nothing to fetch: neither lifeboat.modules-url= nor the configuration names a URL",
            );
            return Ok(());
        };
        let release = running_release(root)?;
        let place = Place::open(root)?;
        if place.is_complete(&release)? {
            report.info(&format!("modules: nothing to fetch: those of {release} are there"));
            return Ok(());
        }
        let url = setting.url(&release, &architecture());
        let check = Check::choose(&setting, &url, root)?;
        let client = Client::new(budget, check.over(), root)?;
        let fetched = put_together(&url, &check, &client, &release, &place, root, report);
        let cleaned = place.clean(root);
        fetched.and(cleaned)
    };
    work().context("modules")
}

fn put_together(
    url: &str,
    check: &Check,
    client: &Client,
    release: &str,
    place: &Place,
    root: &Root,
    report: &mut Report,
) -> Result<()> {
    let proof = check.proof(url, client, root)?;
    let scratch = place.scratch(release)?;
    let tarball = scratch.join("tarball");
    let mut file = File::create_new(&tarball).context("make the tarball's file")?;
    let Saved::Whole { bytes, sha256 } = client.save(url, &mut file, LARGEST_TARBALL.min(place.room()?))?
    else {
        bail!("{} is not there", shown(url));
    };
    proof.hold(&tarball, &sha256, &scratch, root).with_context(|| shown(url))?;
    report.info(&format!("modules: fetched {} ({bytes} bytes, SHA-256 {sha256})", shown(url)));

    let tree = scratch.join("lib/modules").join(release);
    fs::create_dir_all(&tree).context("make the tree's directory")?;
    let fd = openat(CWD, &tree, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let limit = LARGEST_TREE.min(place.room()?);
    let unpacked = archive::open(&tarball)
        .and_then(|source| unpack::unpack(source, release, &fd, limit))
        .with_context(|| shown(url))?;
    index(&scratch, release)?;
    if !complete(&tree)? {
        bail!("{}: it holds no modules that depmod knows", shown(url));
    }
    place.publish(&tree, release, root, report)?;
    report.info(&format!(
        "modules: {} files ({} bytes) are there for {release}",
        unpacked.files, unpacked.bytes
    ));
    Ok(())
}

fn index(base: &Path, release: &str) -> Result<()> {
    let base = base.display().to_string();
    let words = ["depmod", "-b", &base, release].map(str::to_owned);
    apply::ask(&words, None, "kmod").map(drop).context("make the index of the modules")
}

/// The release that `uname -r` prints, of the root that is worked on.
fn running_release(root: &Root) -> Result<String> {
    let release = root.read_text(RELEASE)?.with_context(|| format!("{} is not there", root.show(RELEASE)))?;
    let release = release.trim();
    if release.is_empty() || release.starts_with('.') || release.contains('/') {
        bail!("the kernel's release is no file name: `{}`", release.escape_debug());
    }
    Ok(release.to_owned())
}

/// The machine that `uname -m` prints.
fn architecture() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}
