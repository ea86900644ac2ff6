//! libblkid for musl, built from the source package of Debian's util-linux into the cache.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::{Cache, remove_tree};
use crate::run::program;
use crate::{architecture, archive, phase};

/// The suite whose util-linux is taken, whatever the host is: all hosts then build the same library.
const SUITE: &str = "bookworm";

/// The link in the tree that `.cargo/config.toml` names.
const LINK: &str = ".libblkid";

/// Position independent, for static-pie; a section per function, so that the linker drops what is not called.
const CFLAGS: &str = "-Os -fPIC -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables";

/// musl brings no kernel headers. Behind musl's own, the host's serve.
fn kernel_headers() -> String {
    format!("-idirafter /usr/include -idirafter {}", architecture::HEADERS)
}

const CONFIGURE: &[&str] = &[
    "--disable-all-programs",
    "--enable-libblkid",
    "--enable-static",
    "--disable-shared",
    "--disable-nls",
    "--disable-asciidoc",
    "--without-systemd",
    "--without-udev",
    "--without-econf",
    "--without-cryptsetup",
    "--disable-bash-completion",
];

/// Makes sure that the tree's link leads to a built libblkid.
pub fn ensure(cache: &Cache, tree: &Path) -> Result<()> {
    let link = tree.join(LINK);
    if link.join("built-with").is_file()
        && fs::read_to_string(link.join("built-with")).is_ok_and(|with| with == recipe())
    {
        return Ok(());
    }
    let library = build(cache)?;
    let new = tree.join(format!("{LINK}.{}", std::process::id()));
    symlink(&library, &new).with_context(|| format!("link {}", new.display()))?;
    fs::rename(&new, &link).with_context(|| format!("rename to {}", link.display()))
}

fn build(cache: &Cache) -> Result<PathBuf> {
    let (version, source) = archive::source(cache, SUITE, "util-linux")?;
    let entry = cache.entry("libblkid", &[version.as_bytes(), recipe().as_bytes()], |folder| {
        phase::say(&format!("building libblkid of util-linux {version} for musl"));
        let build = folder.join("build");
        fs::create_dir(&build).with_context(|| format!("make {}", build.display()))?;
        let configure = source.join("source/configure");
        program(&configure)
            .args(CONFIGURE)
            // Where it will be found is not yet known; the link is what is used.
            .args(["--prefix=/", "--libdir=/lib", "CC=musl-gcc"])
            .arg(format!("CFLAGS={CFLAGS} {}", kernel_headers()))
            // Debian's patches touch what these would regenerate, without changing what they would make.
            .args(["ACLOCAL=:", "AUTOCONF=:", "AUTOMAKE=:", "AUTOHEADER=:"])
            .directory(&build)
            .advice("are musl-tools and linux-libc-dev installed?")
            .run()?;
        program("make")
            .args(["-j4", "install-strip"])
            .arg(format!("DESTDIR={}", folder.display()))
            .directory(&build)
            .run()?;
        let description = folder.join("lib/pkgconfig/blkid.pc");
        let text =
            fs::read_to_string(&description).with_context(|| format!("read {}", description.display()))?;
        fs::write(&description, relocatable(&text))
            .with_context(|| format!("write {}", description.display()))?;
        fs::write(folder.join("built-with"), recipe()).context("write built-with")?;
        fs::write(folder.join("version"), &version).context("write version")?;
        remove_tree(&build)
    })?;
    Ok(entry)
}

/// All that the result depends on besides the source.
fn recipe() -> String {
    format!("{SUITE}\n{CFLAGS}\n{}\n{}\n", kernel_headers(), CONFIGURE.join(" "))
}

/// pkg-config's description with paths that are relative to where it is.
fn relocatable(description: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some(("prefix", _)) => "prefix=${pcfiledir}/../..\n".to_owned(),
        Some(("libdir", _)) => "libdir=${prefix}/lib\n".to_owned(),
        Some(("includedir", _)) => "includedir=${prefix}/include\n".to_owned(),
        _ => format!("{line}\n"),
    };
    description.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_finds_the_library_wherever_the_link_is() {
        let description =
            "prefix=/\nexec_prefix=/\nlibdir=//lib\nincludedir=//include\n\nLibs: -L${libdir} -lblkid\n";
        assert_eq!(
            relocatable(description),
            "prefix=${pcfiledir}/../..\nexec_prefix=/\nlibdir=${prefix}/lib\nincludedir=${prefix}/include\n\n\
             Libs: -L${libdir} -lblkid\n"
        );
    }
}
