//! The distribution's data about itself, os-release(5).

use crate::root::Root;
use anyhow::Result;

/// The second is for images that have moved everything out of /etc.
const FILES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// Its text; empty where there is none.
pub(crate) fn read(root: &Root) -> Result<String> {
    for file in FILES {
        if let Some(text) = root.read_text(file)? {
            return Ok(text);
        }
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etc_says_counts_before_what_the_image_came_with() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        assert_eq!(read(&root).unwrap(), "");
        root.write("usr/lib/os-release", b"ID=a\n", 0o644).unwrap();
        assert_eq!(read(&root).unwrap(), "ID=a\n");
        root.write("etc/os-release", b"ID=b\n", 0o644).unwrap();
        assert_eq!(read(&root).unwrap(), "ID=b\n");
    }
}
