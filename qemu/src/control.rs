//! The fields that cargo-deb does not write: where the source is kept.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::cache::remove_tree;
use crate::run::program;

/// Adds the fields to a package. The same package and date give the same bytes.
pub(crate) fn complete(package: &Path, date: &str) -> Result<()> {
    let tree = package.with_extension("tree");
    if tree.try_exists().with_context(|| format!("look for {}", tree.display()))? {
        remove_tree(&tree)?;
    }
    program("dpkg-deb").arg("--raw-extract").args([package, &tree]).run()?;
    let path = tree.join("DEBIAN/control");
    let control = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let control = with_fields(&control, env!("CARGO_PKG_REPOSITORY"))
        .with_context(|| format!("complete {}", path.display()))?;
    fs::write(&path, control).with_context(|| format!("write {}", path.display()))?;
    program("dpkg-deb")
        .args(["--root-owner-group", "-Zxz", "--build"])
        .args([&tree, package])
        .env("SOURCE_DATE_EPOCH", date)
        .run()?;
    remove_tree(&tree)
}

/// The control file with Vcs fields behind its Homepage.
fn with_fields(control: &str, repository: &str) -> Result<String> {
    ensure!(!control.contains("\nVcs-"), "it has Vcs fields already: cargo-deb writes them now");
    let (before, rest) = control.split_once("\nHomepage: ").context("find the field Homepage")?;
    let (homepage, after) = rest.split_once('\n').context("find the end of the field Homepage")?;
    let browser = repository.trim_end_matches(".git");
    Ok(format!("{before}\nHomepage: {homepage}\nVcs-Browser: {browser}\nVcs-Git: {repository}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str = "Package: p\nVersion: 1\nHomepage: https://h.example/\nPriority: optional\n";

    #[test]
    fn the_vcs_fields_follow_the_homepage() {
        let expected = "\
Package: p
Version: 1
Homepage: https://h.example/
Vcs-Browser: https://h.example/p
Vcs-Git: https://h.example/p.git
Priority: optional
";
        assert_eq!(with_fields(CONTROL, "https://h.example/p.git").unwrap(), expected);
    }

    #[test]
    fn a_package_without_homepage_or_with_other_vcs_fields_is_refused() {
        assert!(with_fields("Package: p\nVersion: 1\n", "https://h.example/p.git").is_err());
        let twice = with_fields(CONTROL, "https://h.example/p.git").unwrap();
        assert!(with_fields(&twice, "https://h.example/p.git").is_err());
    }
}
