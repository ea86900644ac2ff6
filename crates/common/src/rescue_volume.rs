//! The marks that make a volume a rescue volume, and the mark that ends that (`CloudServerNattyCloudImages`, "rescue
//! boot").

/// The labels that make a volume a rescue volume, the one to be preferred first; the last is that of
/// cloud-initramfs-rescuevol.
pub const LABELS: [&str; 3] = ["RESCUE", "UEC-rescue", "RESCUE_VOL"];

/// Each of these, in the volume, says that it is not to be booted from any more: the specification's final
/// name, its draft's, and cloud-initramfs-rescuevol's.
pub const MARKERS: [&str; 3] = ["finished", "DONE", "etc/rescuevol-ignore"];

/// The one of [`LABELS`] that a file system of this type has. The type is libblkid's name.
#[must_use]
pub fn label_of(kind: &str, label: &[u8]) -> Option<usize> {
    let same = |known: &&str| match kind {
        // vfat has capital letters only.
        "vfat" => known.as_bytes().eq_ignore_ascii_case(label),
        _ => known.as_bytes() == label,
    };
    LABELS.iter().position(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_labels_count_and_on_vfat_without_regard_to_case() {
        for (kind, label, expected) in [
            ("ext4", "RESCUE", Some(0)),
            ("ext4", "UEC-rescue", Some(1)),
            ("ext4", "RESCUE_VOL", Some(2)),
            ("ext4", "rescue", None),
            ("ext4", "RESCUE2", None),
            ("ext4", "", None),
            ("vfat", "UEC-RESCUE", Some(1)),
        ] {
            assert_eq!(label_of(kind, label.as_bytes()), expected, "{kind} {label}");
        }
    }
}
