//! The rescue system's fstab, made safe. A volume that was copied from the broken machine's image names UUIDs and
//! labels that the broken disk has too.

use super::selector::Selector;
use crate::fstab::{FstabEntry, entries};
use crate::kmsg::escape;
use crate::volume::Volume;

/// The header of a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// The names on the way to a mount point.
const ROOT: &[&[u8]] = &[];
const USR: &[&[u8]] = &[b"usr"];

/// The root's ability to start without the mounts of its fstab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WithoutUsr {
    /// It does: /usr can be left out.
    Starts,
    /// Its init is in its /usr.
    HasNoInit,
}

/// The disk that the fstab's devices are on.
struct Disk<'a> {
    rescue: &'a Volume,
    volumes: &'a [Volume],
    /// The disk's name when the fstab was written: that of the device of `/`, without its partition's number.
    stem: Option<String>,
    without_usr: WithoutUsr,
}

/// Rewrites an fstab so that nothing leads to another disk than the rescue volume's own. `/` is the mounted device, and
/// entries for another disk go to the own disk's partition of that identity. An entry that has none there is commented
/// out. So is an entry that is not found: it may be inside an array, or of a type that is not known here. `noauto`
/// would not keep a unit that needs the directory from mounting it. A /usr stays where nothing would start without it.
pub(super) fn rewrite(fstab: &[u8], rescue: &Volume, volumes: &[Volume], without_usr: WithoutUsr) -> Vec<u8> {
    let mut text = HEAD.as_bytes().to_vec();
    // Some readers end a line at a NUL, others pass it over.
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    let disk = Disk { rescue, volumes, stem: stem(&fstab, rescue), without_usr };
    for line in fstab.split_inclusive(|byte| *byte == b'\n') {
        let Some(entry) = FstabEntry::parse(line) else {
            text.extend_from_slice(line);
            continue;
        };
        // init takes no other spelling.
        let point = if entry.is_at(USR) { b"/usr" } else { entry.written_point };
        let (note, source) = match change(&entry, &disk) {
            Some(FstabChange::Comment { note }) => {
                text.extend_from_slice(note.as_bytes());
                text.push(b'#');
                text.extend_from_slice(line);
                continue;
            }
            Some(FstabChange::Source { device, note }) => (note, device.into_bytes()),
            None => (String::new(), entry.written_source.to_vec()),
        };
        for part in [note.as_bytes(), entry.before, &source, entry.gap, point, entry.after] {
            text.extend_from_slice(part);
        }
    }
    // init passes over a last line that has no end.
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

/// True if an fstab has an entry for /usr.
pub(super) fn has_usr(fstab: &[u8]) -> bool {
    entries(fstab).any(|entry| entry.is_at(USR))
}

/// Where the /usr of a volume is, which init mounts before it looks for the root's init.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Usr {
    /// On the root itself: the fstab has no entry for it.
    InRoot,
    /// On the volume's disk.
    OnDisk,
    /// On another disk alone: what names it.
    Elsewhere(String),
    /// Nowhere: what names it.
    Missing(String),
    /// It cannot be said: it may be inside something on the volume's disk, or no device.
    Unknown,
}

/// Looks for the /usr of a volume among all that is there.
pub(super) fn usr(fstab: &[u8], rescue: &Volume, volumes: &[Volume]) -> Usr {
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    let Some(entry) = entries(&fstab).find(|entry| entry.is_at(USR)) else { return Usr::InRoot };
    let disk = Disk { rescue, volumes, stem: stem(&fstab, rescue), without_usr: WithoutUsr::HasNoInit };
    let Some(selector) = Selector::parse(&entry.source) else { return Usr::Unknown };
    let source = escape(entry.source.as_bytes());
    if disk.find(&entry.source, &selector).is_some() {
        Usr::OnDisk
    } else if volumes.iter().any(|volume| selector.names(volume)) {
        Usr::Elsewhere(source)
    } else if volumes.iter().any(|volume| volume.disk == rescue.disk && volume.is_member()) {
        Usr::Unknown
    } else {
        Usr::Missing(source)
    }
}

/// `/dev/vda`, where `/` is on `/dev/vda1` and the rescue volume on the first partition of some disk.
fn stem(fstab: &[u8], rescue: &Volume) -> Option<String> {
    let root = entries(fstab).find(|entry| entry.is_at(ROOT))?;
    let Selector::Device(_) = Selector::parse(&root.source)? else { return None };
    let number = partition_number(rescue)?;
    let stem = root.source.strip_suffix(number.to_string().as_str())?;
    (!stem.ends_with(|c: char| c.is_ascii_digit())).then(|| stem.to_owned())
}

/// The partition's number on its disk.
fn partition_number(volume: &Volume) -> Option<u32> {
    let name = crate::volume::name_of(&volume.device);
    name.strip_prefix(&volume.disk)?.trim_start_matches('p').parse().ok()
}

impl Disk<'_> {
    /// The volume on the own disk that an entry means.
    fn find(&self, source: &str, selector: &Selector) -> Option<&Volume> {
        let own = || self.volumes.iter().filter(|volume| volume.disk == self.rescue.disk);
        // Only a partition's number is true of a copy too.
        let number = self.stem.as_ref().and_then(|stem| source.strip_prefix(stem)?.parse().ok());
        match number {
            Some(number) => own().find(|volume| partition_number(volume) == Some(number)),
            // A device's name says nothing about what is on it: the disks may have been in another order.
            None => own().find(|volume| selector.names(volume)),
        }
    }
}

/// The fate of an entry.
enum FstabChange {
    Source { device: String, note: String },
    Comment { note: String },
}

/// True if nothing but a person's own command uses it.
fn is_for_later(entry: &FstabEntry) -> bool {
    let used = |option: &[u8]| option == b"auto" || option.windows(8).any(|part| part == b"systemd.");
    entry.options().any(|option| option == b"noauto") && !entry.options().any(used)
}

/// The fate of an entry. `None`: it can stay as it is.
fn change(entry: &FstabEntry, disk: &Disk) -> Option<FstabChange> {
    let from = escape(entry.source.as_bytes());
    let moved_to = |volume: &Volume| {
        let device = volume.device.display().to_string();
        (device != entry.source)
            .then(|| FstabChange::Source { device, note: format!("# lifeboat: was {from}\n") })
    };
    if entry.is_at(ROOT) {
        return moved_to(disk.rescue);
    }
    let selector = Selector::parse(&entry.source)?;
    if let Some(own) = disk.find(&entry.source, &selector) {
        return moved_to(own);
    }
    let is_there = disk.volumes.iter().any(|volume| selector.names(volume));
    if entry.is_at(USR) && (disk.without_usr == WithoutUsr::HasNoInit || !is_there)
        || !is_there && is_for_later(entry)
    {
        return None;
    }
    let why = if is_there { "is" } else { "was not found, and may be" };
    let device = disk.rescue.device.display();
    Some(FstabChange::Comment { note: format!("# lifeboat: {from} {why} on another disk than {device}\n") })
}

#[cfg(test)]
mod tests;
