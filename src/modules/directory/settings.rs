//! The machine's own settings that keep a file system read-only: its disk may be another machine's too.

use crate::fstab;

/// Options with which a file system's journal is not replayed: it is not to be written to either.
const NOT_REPLAYED: [&str; 3] = ["noload", "norecovery", "nologreplay"];

/// The reason why nothing is to be written there; `None`: nothing speaks against it. `point` is its mount point in the
/// fstab, `flags` are init's options of its mount, and `mounted` those that its file system has.
pub(super) fn forbids(fstab: &[u8], point: &[&[u8]], flags: &str, mounted: &str) -> Option<&'static str> {
    if fstab::entries(fstab).filter(|entry| entry.is_at(point)).any(|entry| is_read_only(entry.options())) {
        return Some("its fstab keeps it read-only");
    }
    let flags = flags.split([' ', '\t', ',']).map(str::as_bytes);
    if is_read_only(flags) {
        return Some("rootflags= keeps it read-only");
    }
    // That it is mounted read-only for now says nothing.
    mounted
        .split(',')
        .any(|option| is_not_replayed(option.as_bytes()))
        .then_some("its journal is not replayed")
}

/// The last of those that contradict each other counts.
fn is_read_only<'a>(options: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut read_only = false;
    for option in options {
        match option.split(|byte| *byte == b'=').next() {
            Some(b"ro") => read_only = true,
            Some(b"rw") => read_only = false,
            _ if is_not_replayed(option) => return true,
            _ => {}
        }
    }
    read_only
}

fn is_not_replayed(option: &[u8]) -> bool {
    // btrfs has a list of its own.
    let parts = option.strip_prefix(b"rescue=").unwrap_or(option).split(|byte| *byte == b':');
    let known = |part: &[u8]| NOT_REPLAYED.iter().any(|known| known.as_bytes() == part);
    parts.into_iter().any(known) || option == b"rescue=all"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_stay_read_only_is_said_in_one_of_three_places() {
        const FSTAB: Option<&str> = Some("its fstab keeps it read-only");
        const FLAGS: Option<&str> = Some("rootflags= keeps it read-only");
        const JOURNAL: Option<&str> = Some("its journal is not replayed");
        let usr: &[&[u8]] = &[b"usr"];
        for (fstab, point, flags, mounted, expected) in [
            ("", &[][..], "", "ro", None),
            ("", &[], "", "ro,norecovery", JOURNAL),
            ("", &[], "", "ro,rescue=nologreplay", JOURNAL),
            ("", &[], "", "ro,rescue=usebackuproot:nologreplay", JOURNAL),
            ("", &[], "", "ro,rescue=all", JOURNAL),
            ("", &[], "", "ro,nologreplay", JOURNAL),
            ("", &[], "", "ro,rescue=usebackuproot", None),
            ("", &[], "-o noatime", "ro", None),
            ("", &[], "-o ro", "ro", FLAGS),
            ("", &[], "-o noatime,ro,subvol=@", "ro", FLAGS),
            ("", &[], "-o ro,rw", "ro", None),
            ("", &[], "-o subvol=ro", "ro", None),
            ("", &[], "-o noload,rw", "ro", FLAGS),
            ("a / ext4 ro 0 0\n", &[], "", "ro", FSTAB),
            ("a / ext4 ro", &[], "", "ro", FSTAB),
            ("a / ext4 ro,rw\n", &[], "", "ro", None),
            ("a / ext4 rw,ro\n", &[], "", "ro", FSTAB),
            ("a / ext4 ro,defaults\n", &[], "", "ro", FSTAB),
            ("a / ext4 errors=remount-ro\n", &[], "", "ro", None),
            ("a / ext4 noload\n", &[], "", "ro", FSTAB),
            ("a / ext4 defaults\nb / ext4 ro\n", &[], "", "ro", FSTAB),
            ("a / ext4\n", &[], "", "ro", None),
            ("a /usr ext4 ro\n", &[], "", "ro", None),
            ("a / ext4 ro\n", usr, "", "ro", None),
            ("a /usr ext4 ro\n", usr, "", "ro", FSTAB),
            ("a /usr/ ext4 nodev,ro\n", usr, "", "ro", FSTAB),
            ("a /usr ext4 nodev\n", usr, "", "ro", None),
            ("a /usr/local ext4 ro\n", usr, "", "ro", None),
            ("\u{1}\u{2}", usr, "", "ro", None),
        ] {
            assert_eq!(
                forbids(fstab.as_bytes(), point, flags, mounted),
                expected,
                "{fstab:?} {flags} {mounted}"
            );
        }
    }
}
