//! Both static binaries and both Debian packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::architecture::MUSL_TARGET;
use crate::cache::Cache;
use crate::guest::Packages;
use crate::run::program;
use crate::{changelog, control, phase, setup, workspace};

const NAMES: [&str; 2] = ["lifeboat", "lifeboat-agent"];

/// The packages' changelog, where both manifests name it. Its last date becomes that of all files, so that the same
/// sources give the same bytes.
const CHANGELOG: &str = "target/changelog";

/// Sets up what is missing, builds what has changed, and packs it. Guests are cached by the packages' bytes,
/// which are the same where the sources are.
pub fn build(cache: &Cache) -> Result<Packages> {
    setup::build(cache)?;
    let tool = setup::cargo_deb(cache)?;
    // Two that pack the same tree at once would read each other's half-written files.
    let _held = cache.lock(&format!("packages{}", workspace().display().to_string().replace('/', "-")))?;
    binaries()?;
    phase::say("packing them");
    changelog::write(&workspace().join(CHANGELOG))?;
    let date = program("dpkg-parsechangelog")
        .args(["-l", CHANGELOG, "-S", "Timestamp"])
        .directory(workspace())
        .run()?;
    let [lifeboat, agent] = NAMES.map(|name| pack(&tool, name, date.trim()));
    Ok(Packages { lifeboat: lifeboat?, agent: agent? })
}

/// Where cargo leaves a static binary.
pub fn binary(name: &str) -> PathBuf {
    workspace().join("target").join(MUSL_TARGET).join("release").join(name)
}

fn binaries() -> Result<()> {
    phase::say("building the static binaries");
    // One by one: in one call a crate that both use would have the features of both.
    NAMES.iter().try_for_each(|name| {
        setup::cargo("build")
            .args(["--quiet", "--release", "--target", MUSL_TARGET, "--target-dir"])
            .arg(workspace().join("target"))
            .args(["--package", name])
            .directory(workspace())
            .run()
            .map(drop)
    })
}

fn pack(tool: &Path, name: &str, date: &str) -> Result<PathBuf> {
    let printed = setup::clean_of_cargo(program(tool))
        .args(["--quiet", "--no-build", "--package", name, "--target", MUSL_TARGET, "--output"])
        .arg(workspace().join("target/debian/"))
        .env("SOURCE_DATE_EPOCH", date)
        .directory(workspace())
        .run()?;
    let package = printed.lines().last().map(PathBuf::from).filter(|path| path.is_file());
    let package =
        package.with_context(|| format!("read the package's path from what cargo-deb said: {printed}"))?;
    control::complete(&package, date)?;
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The crates that are linked into a package's binary: no macros, for those are only run by the compiler.
    fn linked(package: &str) -> Vec<String> {
        let tree = setup::cargo("tree")
            .args(["--offline", "--package", package, "--edges", "normal,no-proc-macro"])
            .args(["--target", MUSL_TARGET, "--prefix", "none", "--format", "{p}"])
            .directory(workspace())
            .run()
            .unwrap();
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_hook_is_in_the_package() {
        let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        let hooks = files_below(&workspace().join("initramfs-hooks"));
        assert!(hooks.len() >= 4, "{hooks:?}");
        for hook in hooks {
            let path = hook.strip_prefix(workspace()).unwrap().display().to_string();
            assert!(manifest.contains(&format!("[\"{path}\", \"usr/share/")), "Cargo.toml lacks {path}");
        }
    }

    #[test]
    fn the_copyright_file_names_each_crate_that_is_linked_in() {
        for package in NAMES {
            let file = workspace().join(format!("packaging/{package}.copyright"));
            let text = fs::read_to_string(file).unwrap();
            let named: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("Files: "))
                .flat_map(str::split_whitespace)
                .collect();
            let missing: Vec<String> = linked(package)
                .into_iter()
                .filter(|name| name != package && !named.contains(&name.as_str()))
                .collect();
            assert!(missing.is_empty(), "packaging/{package}.copyright lacks {missing:?}");
        }
    }

    /// On a system with merged /usr, `/lib` is a link: files below it would have two names.
    #[test]
    fn every_file_of_a_package_is_below_usr_or_etc() {
        for manifest in ["Cargo.toml", "agent/Cargo.toml"] {
            let text = fs::read_to_string(workspace().join(manifest)).unwrap();
            let places =
                text.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split("\", \"").nth(1));
            let places: Vec<&str> = places.collect();
            assert!(places.len() >= 9, "{manifest}: {places:?}");
            for place in places {
                assert!(place.starts_with("usr/") || place.starts_with("etc/"), "{manifest}: {place}");
            }
        }
    }
}
