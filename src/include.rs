//! Puts more modules into an initramfs that is being built: `LIFEBOAT_INCLUDE=` in /etc/default/lifeboat. Runs on the
//! machine that builds, where a hook that fails would break every kernel upgrade. So a fault is one line, nothing is
//! added, and the exit status is 0.

mod copy;
mod plan;
mod setting;
mod size;

use crate::kmsg;
use crate::outcome::Mode;
use crate::root::Root;
use anyhow::{Context, Result, ensure};
use plan::{IncludeFacts, IncludePlan, ListedModule, plan};
use setting::IncludeSetting;
use size::{FORMS, IncludeSize, Room};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

const MODULES: &str = "lib/modules";

/// Adds what the owner asked for to the initramfs below `destination`, and says what that comes to.
pub(crate) fn run(release: &str, destination: &Path, mode: Mode) {
    if let Err(error) = include(release, destination, mode) {
        complain(&format!("no modules are added: {error:#}"));
    }
}

fn complain(text: &str) {
    kmsg::complain(&format!("lifeboat: include: {text}"));
}

fn include(release: &str, destination: &Path, mode: Mode) -> Result<()> {
    let setting = match IncludeSetting::read()? {
        Ok(IncludeSetting::Most) => return Ok(()),
        Ok(setting) => setting,
        Err(complaint) => {
            complain(&complaint);
            return Ok(());
        }
    };
    let place = IncludePlace::open(release, destination)?;
    let facts = place.facts(setting)?;
    let IncludePlan { complaints, added, shortage } = plan(&facts);
    for complaint in &complaints {
        complain(complaint);
    }
    if let Some(shortage) = shortage {
        complain(&format!("left out, the initramfs is built without them: {added}; {shortage}"));
        return Ok(());
    }
    if mode == Mode::Apply {
        copy::copy(&place.source, &place.target, &added.paths())?;
    }
    kmsg::print(&format!("lifeboat: include: {added}\n"));
    Ok(())
}

/// From where to where.
struct IncludePlace<'a> {
    source: PathBuf,
    destination: &'a Path,
    target: Root,
}

impl<'a> IncludePlace<'a> {
    fn open(release: &str, destination: &'a Path) -> Result<Self> {
        let mut components = Path::new(release).components();
        let plain = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
        ensure!(plain, "`{}` is no kernel release", kmsg::escape(release.as_bytes()));
        let root = Root::open(destination)?;
        let target = root
            .enter(Path::new(MODULES).join(release))?
            .with_context(|| format!("{} holds no {MODULES}/{release}", destination.display()))?;
        Ok(Self { source: Path::new("/").join(MODULES).join(release), destination, target })
    }

    fn facts(&self, setting: IncludeSetting) -> Result<IncludeFacts> {
        let index = self.source.join("modules.dep");
        let text = fs::read(&index).with_context(|| format!("read {}", index.display()))?;
        let text = String::from_utf8_lossy(&text);
        let mut modules = Vec::new();
        for line in text.lines() {
            modules.extend(self.module(line)?);
        }
        let held = IncludeSize::of_tree(self.destination)?;
        Ok(IncludeFacts { setting, modules, held, room: Room::measure(self.destination)? })
    }

    /// Reads a line of modules.dep: a module and those that it needs. A name that is outside of the tree cannot be in
    /// the initramfs's.
    fn module(&self, line: &str) -> Result<Option<ListedModule>> {
        let Some((path, needs)) = line.split_once(':') else { return Ok(None) };
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(None);
        }
        let needs = needs.split(' ').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        Ok(Some(ListedModule {
            path: path.to_owned(),
            needs,
            bytes: self.bytes(path)?,
            held: self.holds(path)?,
        }))
    }

    /// A module may be a link, to wherever on this machine.
    fn bytes(&self, path: &str) -> Result<Option<u64>> {
        let path = self.source.join(path);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("look at {}", path.display())),
        }
    }

    /// True if the initramfs has the module, compressed or not.
    fn holds(&self, path: &str) -> Result<bool> {
        let plain = FORMS.iter().find_map(|form| path.strip_suffix(form.suffix)).unwrap_or(path);
        for form in FORMS {
            if self.target.has_entry(format!("{plain}{}", form.suffix))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
