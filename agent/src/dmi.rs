//! The firmware's data about the machine, as the kernel shows it in /sys.

use crate::root::Root;

const DIRECTORY: &str = "sys/class/dmi/id";

/// dmidecode's keyword, by which a seed's URL may ask for a value, and the kernel's file.
const NAMES: &[(&str, &str)] = &[
    ("baseboard-asset-tag", "board_asset_tag"),
    ("baseboard-manufacturer", "board_vendor"),
    ("baseboard-product-name", "board_name"),
    ("baseboard-serial-number", "board_serial"),
    ("baseboard-version", "board_version"),
    ("bios-release-date", "bios_date"),
    ("bios-vendor", "bios_vendor"),
    ("bios-version", "bios_version"),
    ("chassis-asset-tag", "chassis_asset_tag"),
    ("chassis-manufacturer", "chassis_vendor"),
    ("chassis-serial-number", "chassis_serial"),
    ("chassis-version", "chassis_version"),
    ("system-manufacturer", "sys_vendor"),
    ("system-product-name", "product_name"),
    ("system-serial-number", "product_serial"),
    ("system-uuid", "product_uuid"),
    ("system-version", "product_version"),
];

/// The value in one of the kernel's files; empty when it is not there or cannot be read.
pub(crate) fn value(root: &Root, file: &str) -> String {
    let bytes = root.read(&format!("{DIRECTORY}/{file}")).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    // Firmware fills a field with these where it knows nothing for it.
    if text.chars().all(|character| character == '.' || character == char::REPLACEMENT_CHARACTER) {
        return String::new();
    }
    text.to_owned()
}

/// A URL or a path with each `__dmi.NAME__` replaced. In a URL, what it could not hold is percent-encoded; an
/// unknown name stays.
pub(crate) fn substituted(text: &str, root: &Root) -> String {
    let is_url = text.contains("://");
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("__dmi.") {
        done.push_str(before);
        let known = after.split_once("__").and_then(|(name, behind)| {
            let (_, file) = NAMES.iter().find(|(known, _)| *known == name)?;
            Some((file, behind))
        });
        rest = if let Some((file, behind)) = known {
            let value = value(root, file);
            done.push_str(&if is_url { percent_encoded(&value) } else { value });
            behind
        } else {
            done.push_str("__dmi.");
            after
        };
    }
    done + rest
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("sys/class/dmi/id/product_serial", b"VM-42 1a/5d\n", 0o400).unwrap();
        root.write("sys/class/dmi/id/chassis_serial", b"....\n", 0o400).unwrap();
        for (text, expected) in [
            ("http://x/__dmi.system-serial-number__/", "http://x/VM-42%201a%2F5d/"),
            ("/seed/__dmi.system-serial-number__", "/seed/VM-42 1a/5d"),
            ("http://x/__dmi.chassis-serial-number__/a__dmi.bios-vendor__b", "http://x//ab"),
            ("http://x/__dmi.nonsense__/__dmi.", "http://x/__dmi.nonsense__/__dmi."),
            ("http://x/__y__", "http://x/__y__"),
        ] {
            assert_eq!(substituted(text, &root), expected);
        }
    }
}
