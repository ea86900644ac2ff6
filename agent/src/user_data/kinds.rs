//! The kinds of parts, told by how they begin.

use super::python;

/// The beginnings of parts, in lower case and after white space, and the type that each makes of them. The longest
/// prefix that fits decides, so it stands first.
const ALL: &[(&str, &str)] = &[
    ("text/x-shellscript-per-instance", PER_INSTANCE),
    ("text/x-shellscript-per-boot", PER_BOOT),
    ("text/x-shellscript-per-once", PER_ONCE),
    ("#cloud-config-archive", ARCHIVE),
    ("#cloud-config-jsonp", JSONP),
    ("## template: jinja", JINJA),
    ("#cloud-boothook", BOOTHOOK),
    ("#include-once", INCLUDE_ONCE),
    ("#cloud-config", CLOUD_CONFIG),
    ("#part-handler", PART_HANDLER),
    ("#upstart-job", UPSTART),
    ("#include", INCLUDE),
    ("#!", SCRIPT),
];

pub(super) const ARCHIVE: &str = "text/cloud-config-archive";
pub(super) const BOOTHOOK: &str = "text/cloud-boothook";
pub(super) const CLOUD_CONFIG: &str = "text/cloud-config";
pub(super) const INCLUDE: &str = "text/x-include-url";
pub(super) const INCLUDE_ONCE: &str = "text/x-include-once-url";
pub(super) const JINJA: &str = "text/jinja2";
pub(super) const JSONP: &str = "text/cloud-config-jsonp";
pub(super) const PART_HANDLER: &str = "text/part-handler";
pub(super) const PER_BOOT: &str = "text/x-shellscript-per-boot";
pub(super) const PER_INSTANCE: &str = "text/x-shellscript-per-instance";
pub(super) const PER_ONCE: &str = "text/x-shellscript-per-once";
pub(super) const SCRIPT: &str = "text/x-shellscript";
/// The type of a whole that is no MIME.
pub(super) const UNKNOWN: &str = "text/x-not-multipart";
pub(super) const UPSTART: &str = "text/upstart-job";
/// The type's name in the boothooks specification.
/// A script that is run at once, as the boothooks specification has it.
pub(super) const X_SH: &str = "application/x-sh";
/// That specification's larger things: `install-packages: a b c`. It is a type without a `/`.
pub(super) const EC2_CONFIG: &str = "ubuntu-ec2-config";
/// The boothooks specification's name for it.
pub(super) const X_UPSTART: &str = "text/x-upstart";

/// The length of the part of the first line that tells its kind.
const LONGEST: usize = 40;

/// The type that the beginning tells.
pub(super) fn of(payload: &[u8]) -> Option<&'static str> {
    let text = payload.utf8_chunks().next()?.valid().trim_start_matches(python::is_space);
    let start: String = text.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    ALL.iter().find(|(prefix, _)| start.starts_with(prefix)).map(|(_, content_type)| *content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_hides_a_longer_one() {
        for (index, (prefix, _)) in ALL.iter().enumerate() {
            for (later, _) in &ALL[index + 1..] {
                assert!(!later.starts_with(prefix), "{prefix} hides {later}");
            }
            assert!(prefix.len() <= LONGEST);
        }
    }

    #[test]
    fn blanks_and_capitals_do_not_matter() {
        for start in
            ["\n\n  #cloud-config\n", "#Cloud-Config", "#cloud-configXYZ", "\u{85}\u{1f}#cloud-config"]
        {
            assert_eq!(of(start.as_bytes()), Some(CLOUD_CONFIG), "{start:?}");
        }
        for start in ["\u{feff}#cloud-config", "\u{200b}#!", "cloud-config", "##template: jinja", ""] {
            assert_eq!(of(start.as_bytes()), None, "{start:?}");
        }
        assert_eq!(of(b"#!/bin/sh\n\xff"), Some(SCRIPT));
        assert_eq!(of(b"\xff#!/bin/sh\n"), None);
    }
}
