//! The check that the root's tree of modules can serve the running kernel: it is complete, and of the initramfs's
//! build.

use super::MODULES;
use super::decode::decode;
use super::vermagic;
use crate::root::Root;
use anyhow::{Context, Result, bail};
use lifeboat_common::module_tree::{self, INDEX};
use std::path::{Path, PathBuf};

/// The number of modules that are unpacked before a tree of damaged ones is given up.
const TRIES: usize = 4;

/// The endings that a module's name may have, in the root or in the initramfs.
const SUFFIXES: [&str; 4] = ["", ".gz", ".xz", ".zst"];

/// The verdict on the root's tree for a release: it can serve the running kernel or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Usable {
    /// modprobe will find what it names, and the kernel will take it.
    Yes,
    /// It is there, and cannot be used for this reason.
    No(String),
    /// Its directory is there with nothing in it.
    Empty,
    /// It is not there.
    Absent,
}

/// Judges the root's tree for a release against the initramfs's, which was made for the running kernel.
pub(crate) fn check(root: &Root, initramfs: &Root, release: &str) -> Usable {
    let path = Path::new(MODULES).join(release);
    let verdict = (|| {
        let Some(directory) = root.enter(&path)? else { return Ok(Usable::Absent) };
        if directory.entries()?.is_empty() {
            return Ok(Usable::Empty);
        }
        let modules = ModuleTree { root, path: &path }.sample()?;
        of_one_build(&modules, &ModuleTree { root: initramfs, path: &path })?;
        Ok(Usable::Yes)
    })();
    verdict.unwrap_or_else(|reason: anyhow::Error| Usable::No(format!("{reason:#}")))
}

/// An error is the reason why the modules are not of the build that the initramfs's are of.
fn of_one_build(modules: &[ModuleInTree<'_>], initramfs: &ModuleTree<'_>) -> Result<()> {
    let mut pairs = Vec::new();
    for module in modules {
        if let Some(namesake) = initramfs.namesake(&module.name)? {
            pairs.push((module, namesake));
        }
    }
    if pairs.is_empty() {
        // All modules of a build have the same vermagic. Without any to compare with, the content has to do.
        let own = initramfs.sample().unwrap_or_default();
        if let Some(own) = own.iter().min_by_key(|own| own.size) {
            pairs.extend(modules.iter().map(|module| (module, own.clone())));
        }
    }
    let mut damaged = Ok(());
    for _ in 0..TRIES {
        let sizes = pairs.iter().map(|(module, own)| module.size + own.size).enumerate();
        let Some((smallest, _)) = sizes.min_by_key(|(_, size)| *size) else { break };
        let (module, own) = pairs.swap_remove(smallest);
        let (content, own) = (module.read()?, own.read()?);
        if content == own {
            return Ok(());
        }
        let Ok(wanted) = built_for(&own) else { continue };
        match built_for(&content) {
            Ok(found) if found == wanted => return Ok(()),
            Ok(found) => bail!("{} is built for {found}, not {wanted}", module.name),
            Err(error) => damaged = Err(error).with_context(|| format!("look at {}", module.name)),
        }
    }
    damaged
}

fn built_for(content: &[u8]) -> Result<String> {
    let module = decode(content)?;
    Ok(vermagic::find(&module).context("it has no vermagic")?.to_owned())
}

/// A tree of modules.
struct ModuleTree<'a> {
    /// The root that links and absolute names in the tree start from.
    root: &'a Root,
    path: &'a Path,
}

/// A module as it stands in a tree.
#[derive(Clone)]
struct ModuleInTree<'a> {
    root: &'a Root,
    name: String,
    path: PathBuf,
    size: u64,
}

impl<'a> ModuleTree<'a> {
    /// Some of the tree's modules; an error says why it is not complete.
    fn sample(&self) -> Result<Vec<ModuleInTree<'a>>> {
        let index = self.root.read(self.path.join(INDEX))?;
        let index = index.as_deref().map(String::from_utf8_lossy);
        let sample = module_tree::sample(index.as_deref(), |name| self.root.size(self.path.join(name)))?;
        Ok(sample.into_iter().map(|(name, size)| self.named(name, size)).collect())
    }

    /// The module of the same name, packed in the same way, in another or not at all.
    fn namesake(&self, name: &str) -> Result<Option<ModuleInTree<'a>>> {
        let bare = SUFFIXES.iter().rev().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        for suffix in SUFFIXES {
            if let Some(module) = self.module(&format!("{bare}{suffix}"))? {
                return Ok(Some(module));
            }
        }
        Ok(None)
    }

    fn module(&self, name: &str) -> Result<Option<ModuleInTree<'a>>> {
        let size = self.root.size(self.path.join(name))?;
        Ok(size.map(|size| self.named(name.to_owned(), size)))
    }

    fn named(&self, name: String, size: u64) -> ModuleInTree<'a> {
        ModuleInTree { root: self.root, path: self.path.join(&name), name, size }
    }
}

impl ModuleInTree<'_> {
    fn read(&self) -> Result<Vec<u8>> {
        self.root.read(&self.path)?.with_context(|| format!("{} has gone", self.name))
    }
}

#[cfg(test)]
mod tests;
