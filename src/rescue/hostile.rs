//! The rules for a volume that nobody has chosen yet, whatever is on it. `fuzz/` tries them on all bytes it comes upon,
//! the ordinary tests on a fixed number.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails is a finding")]

use super::decision::{BootSoFar, Decision, DecisionRecord, HowBooted, OriginalRoot};
use super::notice::Tenants;
use super::selector::Selector;
use super::settings::RescueSettings;
use super::{fstab, notice};
use crate::initramfs_tools::param_conf::{After, Conf};
use crate::kmsg;
use crate::state;
use crate::volume::{self, Volume, glance};
use lifeboat_common::hand_off::HandOff;
use lifeboat_common::rescue_volume;
use lifeboat_common::text::is_plain;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where superblocks stand: those of xfs and vfat, ext, iso9660, btrfs.
const SUPERBLOCKS: [u64; 4] = [0, 1024, 32 * 1024, 64 * 1024];

/// Takes bytes as the contents of a volume. A small first byte stands before a superblock. Else they are a label, an
/// UUID, a root's name and an fstab with a NUL between.
pub(crate) fn check(data: &[u8]) {
    match data.split_first() {
        Some((place, bytes)) if usize::from(*place) < SUPERBLOCKS.len() => {
            superblock(SUPERBLOCKS[usize::from(*place)], bytes);
        }
        _ => texts(data),
    }
}

fn superblock(place: u64, bytes: &[u8]) {
    let image = File::from(rustix::fs::memfd_create("image", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    image.set_len(2 << 20).unwrap();
    image.write_all_at(bytes, place).unwrap();
    let path = format!("/proc/self/fd/{}", image.as_raw_fd());
    let path = Path::new(&path);
    volume::partition(path).unwrap();
    // Two types at once are an error, and only that.
    let Ok(Some(found)) = volume::probe(path) else { return };
    if super::claim(&found, &RescueSettings::from(None, None)).is_some() {
        let sight = glance::look(&image, &rescue_volume::LABELS).unwrap();
        assert_eq!(sight, glance::Sight::Candidate, "{found} is not seen at a glance");
    }
    let mut data = found.label.unwrap_or_default();
    data.push(0);
    data.extend_from_slice(found.uuid.unwrap_or_default().as_bytes());
    texts(&data);
}

fn texts(data: &[u8]) {
    let mut fields = data.splitn(4, |byte| *byte == 0);
    let mut field = || fields.next().unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (label, uuid, root, table) = (field(), text(field()), text(field()), field());
    let rescue = volume("vdb", label, &uuid);
    let volumes = [volume("vda", label, &uuid), volume("vda1", root.as_bytes(), "home"), rescue.clone()];

    the_log(&rescue, &root, data);
    for original in [OriginalRoot::Volume(volumes[0].clone()), OriginalRoot::Named(root.clone())] {
        the_notice(&rescue, &original);
        the_state(&rescue, original);
    }
    for value in [&text(label), &uuid, &root] {
        the_steering(value);
    }
    the_fstab(table, &rescue, &volumes);
}

fn volume(name: &str, label: &[u8], uuid: &str) -> Volume {
    Volume {
        device: volume::node(name),
        kind: "ext4".into(),
        label: Some(label.to_vec()).filter(|label| !label.is_empty()),
        uuid: Some(uuid.to_owned()).filter(|uuid| !uuid.is_empty()),
        disk: name.trim_end_matches('1').into(),
        ..Volume::default()
    }
}

fn is_one_plain_line(line: &str) -> bool {
    line.chars().all(is_plain)
}

fn the_log(rescue: &Volume, root: &str, data: &[u8]) {
    let named = OriginalRoot::Named(root.to_owned());
    assert!(is_one_plain_line(&format!("booting from {rescue} in place of {named}")));
    for record in kmsg::records("rescue", &String::from_utf8_lossy(data)) {
        // The kernel takes 976 bytes.
        assert!(is_one_plain_line(&record) && record.len() <= 960, "{record:?}");
        assert!(record.starts_with("lifeboat: rescue: "), "{record:?}");
    }
}

fn the_notice(rescue: &Volume, original: &OriginalRoot) {
    let text = notice::text(rescue, original, Tenants::default());
    let lines = if matches!(original, OriginalRoot::Volume(_)) { 9 } else { 8 };
    assert_eq!(text.lines().count(), lines, "{text}");
    assert!(text.lines().all(is_one_plain_line), "{text:?}");
    let issue = String::from_utf8(notice::issue(b"", rescue, original, Tenants::default())).unwrap();
    assert!(!issue.replace("\\\\", "").contains('\\'), "{issue}");
}

fn the_state(rescue: &Volume, original: OriginalRoot) {
    let named = match &original {
        OriginalRoot::Named(name) => Some(name.clone()),
        _ => None,
    };
    let decision = Decision::Rescue { volume: rescue.clone(), how: HowBooted::Steered, original };
    let so_far = BootSoFar { looked_at: vec!["vda".into(), "vdb".into()], ..BootSoFar::default() };
    let text = DecisionRecord { decision, so_far }.hand_off().render();
    let shown = |value: &str| value.chars().map(|c| if is_plain(c) { c } else { '?' }).collect::<String>();
    for (key, wanted) in [
        ("BOOTED", Some("rescue".to_owned())),
        ("DEVICE", Some("/dev/vdb".to_owned())),
        ("LABEL", rescue.printable_label()),
        ("UUID", rescue.uuid.as_deref().map(shown)),
        ("ORIGINAL_ROOT", Some(named.map_or("/dev/vda".to_owned(), |name| shown(&name)))),
        ("LOOKED_AT", Some("vda vdb".to_owned())),
    ] {
        assert_eq!(state::lookup(&text, key), wanted, "{key} in {text}");
        assert_eq!(environment(&text, key), wanted, "{key} in {text}");
    }
    assert!(text.lines().all(is_one_plain_line), "{text:?}");
}

/// The value that systemd and a shell read; all that is quoted is between double quotes.
fn environment(text: &str, key: &str) -> Option<String> {
    let mut found = None;
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{line}");
        let mut plain = String::new();
        let mut characters = value.chars().peekable();
        let quoted = characters.next_if_eq(&'"').is_some();
        let mut open = quoted;
        while let Some(character) = characters.next() {
            match character {
                '"' if open => open = false,
                '\\' if open && characters.peek().is_some_and(|next| "\"\\`$".contains(*next)) => {
                    plain.extend(characters.next());
                }
                '$' | '`' => panic!("a shell would act on {line}"),
                _ if quoted && !open => panic!("something follows the quotes of {line}"),
                _ if quoted || !" \t'\"\\;&|<>()*?[]#~!{}".contains(character) => plain.push(character),
                _ => panic!("unquoted {character:?} in {line}"),
            }
        }
        assert!(!open, "{line}");
        found = if name == key { Some(plain) } else { found };
    }
    found
}

fn the_steering(value: &str) {
    let mut conf = Conf::default();
    conf.set("ROOT", value);
    conf.found_at(value, "/dev/vdb");
    conf.go_on(&[("ROOT", value), ("ROOTFLAGS", value)], After::SkipOneMount);
    let text = conf.render("");
    let after = |text: &str, start: &str| -> (String, String) {
        let (_, rest) = text.split_once(start).unwrap();
        shell_word(rest)
    };
    assert_eq!(after(&text, "\nROOT="), (value.to_owned(), after(&text, "\nROOT=").1));
    let (word, rest) = after(&text, "\nROOT=");
    assert!(word == value && rest.starts_with("\nresolve_device() {\n\tcase \"$1\" in\n\t"), "{text}");
    let (word, rest) = after(&rest, " in\n\t");
    assert!(word == value && rest.starts_with(") echo '/dev/vdb' ;;\n\t*) ( . "), "{text}");
    let (commands, rest) = after(&rest, "\nlifeboat_go_on=");
    assert_eq!(rest, "\n# lifeboat: end\n", "{text}");
    let (word, rest) = after(&commands, "ROOT=");
    assert!(word == value && rest.starts_with("; ROOTFLAGS="), "{commands}");
    let (word, rest) = after(&rest, "ROOTFLAGS=");
    assert!(word == value && rest.starts_with("; . \"/scripts/${BOOT}\"; mountroot; "), "{commands}");

    // Written again, nothing of the first is left, and what others wrote is.
    let mut second = Conf::default();
    second.set("ROOT", "/dev/vdb");
    assert_eq!(second.render(&format!("IP=dhcp\n{text}X=y\n")), second.render("IP=dhcp\nX=y\n"));
}

/// A word of single quotes and escaped quotes, as a shell reads it, and what follows.
fn shell_word(text: &str) -> (String, String) {
    let mut word = String::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (part, after) = quoted.split_once('\'').unwrap();
            word.push_str(part);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\'") {
            word.push('\'');
            rest = after;
        } else {
            return (word, rest.to_owned());
        }
    }
}

fn the_fstab(table: &[u8], rescue: &Volume, volumes: &[Volume]) {
    let text = fstab::rewrite(table, rescue, volumes, fstab::WithoutUsr::Starts);
    let (before, after) = (entries(table), entries(&text));
    let mut left = before.iter();
    for entry in &after {
        // Each is one of those that were there, in their order; at most it leads to the rescue volume now.
        let same = |old: &&Vec<Vec<u8>>| {
            old.len() == entry.len()
                && old.iter().zip(entry).enumerate().all(|(field, (old, new))| match field {
                    0 => old == new || new == b"/dev/vdb",
                    _ => old == new,
                })
        };
        assert!(left.any(|old| same(&old)), "{} was not meant", String::from_utf8_lossy(&entry.join(&b' ')));
        let source = String::from_utf8_lossy(&entry[0]);
        let names = Selector::parse(&source);
        let leads_to = |volume: &&Volume| names.as_ref().is_some_and(|selector| selector.names(volume));
        assert!(
            volumes.iter().filter(leads_to).all(|volume| volume.disk == "vdb"),
            "{source} leads elsewhere"
        );
        let noauto = entry.get(3).is_some_and(|options| options.windows(6).any(|part| part == b"noauto"));
        let usr = entry[1].windows(3).any(|part| part == b"usr");
        assert!(
            noauto || usr || names.is_none() || volumes.iter().any(|volume| leads_to(&volume)),
            "{source} leads nowhere yet"
        );
        assert!(entry[1] != b"/" || entry[0] == b"/dev/vdb", "the root is {source}");
    }
}

/// The entries' fields, as libmount reads them.
fn entries(table: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let lines = table.split(|byte| *byte == b'\n').map(|line| {
        let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != 0).collect();
        let fields = line.split(|byte| b" \t".contains(byte)).filter(|field| !field.is_empty());
        fields.map(octal).collect::<Vec<_>>()
    });
    lines.filter(|fields| fields.len() > 1 && !fields[0].starts_with(b"#")).collect()
}

fn octal(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut at = 0;
    while at < field.len() {
        let digits = field.get(at + 1..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|_| field[at] == b'\\').filter(|digits| !digits.starts_with('+'));
        let value = value.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(value.unwrap_or(field[at]));
        at += if value.is_some() { 4 } else { 1 };
    }
    plain
}

#[cfg(test)]
mod tests;
