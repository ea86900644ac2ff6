//! The rescue system's fstab, made safe: a volume that was copied from the broken machine's image names by UUID
//! and label what is on the broken disk too.

use super::selector::Selector;
use crate::kmsg::escape;
use crate::volume::Volume;

/// What stands above a generated fstab.
const HEAD: &str = "# Made by lifeboat for this rescue boot; the file on the volume is unchanged.\n";

/// Whether the root holds an init without what its fstab mounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WithoutUsr {
    /// It does: /usr can be left out.
    Starts,
    /// Its init is in its /usr.
    HasNoInit,
}

/// What the fstab's devices are on.
struct Disk<'a> {
    rescue: &'a Volume,
    volumes: &'a [Volume],
    /// What `/` is named by, without its partition's number: so the disk was called when the fstab was written.
    stem: Option<String>,
    without_usr: WithoutUsr,
}

/// An fstab in which nothing leads to another disk than the rescue volume's own: `/` is the device that is
/// mounted, entries that would resolve to another disk go to the own disk's partition of that identity, and what
/// has none there is commented out. So is what is not found: it may be inside an array, or of a type that is not
/// known here, and `noauto` would not keep a unit that needs the directory from mounting it. A /usr stays where nothing
/// would start without it.
pub(super) fn rewrite(fstab: &[u8], rescue: &Volume, volumes: &[Volume], without_usr: WithoutUsr) -> Vec<u8> {
    let mut text = HEAD.as_bytes().to_vec();
    // Some readers end a line at a NUL, others pass it over.
    let fstab: Vec<u8> = fstab.iter().copied().filter(|byte| *byte != 0).collect();
    let disk = Disk { rescue, volumes, stem: stem(&fstab, rescue), without_usr };
    for line in fstab.split_inclusive(|byte| *byte == b'\n') {
        match FstabEntry::parse(line).and_then(|entry| entry.change(&disk).map(|change| (entry, change))) {
            Some((entry, FstabChange::Source { device, note })) => {
                text.extend_from_slice(note.as_bytes());
                text.extend_from_slice(entry.before);
                text.extend_from_slice(device.as_bytes());
                text.extend_from_slice(entry.after);
            }
            Some((_, FstabChange::Comment { note })) => {
                text.extend_from_slice(note.as_bytes());
                text.push(b'#');
                text.extend_from_slice(line);
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

/// Whether an fstab has an entry for /usr.
pub(super) fn has_usr(fstab: &[u8]) -> bool {
    entries(fstab).any(|entry| entry.is_at(&[b"usr"]))
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
    let Some(entry) = entries(&fstab).find(|entry| entry.is_at(&[b"usr"])) else { return Usr::InRoot };
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

fn entries(fstab: &[u8]) -> impl Iterator<Item = FstabEntry<'_>> {
    fstab.split_inclusive(|byte| *byte == b'\n').filter_map(FstabEntry::parse)
}

/// `/dev/vda`, where `/` is on `/dev/vda1` and the rescue volume on the first partition of some disk.
fn stem(fstab: &[u8], rescue: &Volume) -> Option<String> {
    let root = entries(fstab).find(|entry| entry.is_at(&[]))?;
    let Selector::Device(_) = Selector::parse(&root.source)? else { return None };
    let number = partition_number(rescue)?;
    let stem = root.source.strip_suffix(number.to_string().as_str())?;
    (!stem.ends_with(|c: char| c.is_ascii_digit())).then(|| stem.to_owned())
}

/// Which partition of its disk it is.
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

/// A line that is an entry, as libmount and init read it: fields apart by blanks, with octal escapes in them.
struct FstabEntry<'a> {
    before: &'a [u8],
    after: &'a [u8],
    source: String,
    point: Vec<u8>,
    options: Vec<u8>,
}

/// What becomes of an entry.
enum FstabChange {
    Source { device: String, note: String },
    Comment { note: String },
}

impl<'a> FstabEntry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let start = line.iter().position(|byte| !is_blank(*byte))?;
        let (before, rest) = line.split_at_checked(start)?;
        let end = rest.iter().position(|byte| is_blank(*byte))?;
        let (source, after) = rest.split_at_checked(end)?;
        let mut fields = after.split(|byte| is_blank(*byte)).filter(|field| !field.is_empty());
        let point = fields.next()?;
        let source = String::from_utf8_lossy(&unescape(source)).into_owned();
        (!source.starts_with('#')).then(|| Self {
            before,
            after,
            source,
            point: unescape(point),
            options: unescape(fields.nth(1).unwrap_or_default()),
        })
    }

    /// Whether it is mounted at the path of these names.
    fn is_at(&self, path: &[&[u8]]) -> bool {
        let names = self.point.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.point.starts_with(b"/") && names.eq(path.iter().copied())
    }

    /// Whether nothing but a person's own command uses it.
    fn is_for_later(&self) -> bool {
        let used = |option: &[u8]| option == b"auto" || option.windows(8).any(|part| part == b"systemd.");
        let mut options = self.options.split(|byte| *byte == b',');
        options.clone().any(|option| option == b"noauto") && !options.any(used)
    }

    /// `None`: it can stay as it is.
    fn change(&self, disk: &Disk) -> Option<FstabChange> {
        let from = escape(self.source.as_bytes());
        let moved_to = |volume: &Volume| {
            let device = volume.device.display().to_string();
            (device != self.source)
                .then(|| FstabChange::Source { device, note: format!("# lifeboat: was {from}\n") })
        };
        if self.is_at(&[]) {
            return moved_to(disk.rescue);
        }
        let selector = Selector::parse(&self.source)?;
        if let Some(own) = disk.find(&self.source, &selector) {
            return moved_to(own);
        }
        let is_there = disk.volumes.iter().any(|volume| selector.names(volume));
        let is_usr = self.is_at(&[b"usr"]);
        if is_usr && (disk.without_usr == WithoutUsr::HasNoInit || !is_there)
            || !is_there && self.is_for_later()
        {
            return None;
        }
        let why = if is_there { "is" } else { "was not found, and may be" };
        let device = disk.rescue.device.display();
        Some(FstabChange::Comment {
            note: format!("# lifeboat: {from} {why} on another disk than {device}\n"),
        })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// `\040` is a blank, and so on.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| u32::from(byte - b'0'));
        let code = match (first, after) {
            (b'\\', [a, b, c, ..]) => octal(a).zip(octal(b)).zip(octal(c)),
            _ => None,
        };
        let code = code.and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok());
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
        plain.push(code.unwrap_or(*first));
    }
    plain
}

#[cfg(test)]
mod tests;
