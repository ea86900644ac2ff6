//! Set-up: what each command needs on this machine, whether it is there, and its installation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::architecture::{MUSL_TARGET, QEMU, QEMU_PACKAGE};
use crate::cache::Cache;
use crate::run::{self, privileged, program};
use crate::{libblkid, phase, workspace};

const CARGO_DEB: &str = "3.8.0";
const CARGO_DENY: &str = "0.20.2";

/// A Debian package that something here needs.
#[derive(Debug)]
struct Need {
    package: &'static str,
    why: &'static str,
    there: There,
}

/// The sign that a package is there: known by a file of it, not by its name, for others may bring the same.
#[derive(Debug)]
enum There {
    Program(&'static str),
    File(&'static str),
}

const BUILD: &[Need] = &[
    Need { package: "musl-tools", why: "compiles C for musl", there: There::Program("musl-gcc") },
    Need { package: "make", why: "builds libblkid", there: There::Program("make") },
    Need { package: "dpkg-dev", why: "unpacks Debian's sources", there: There::Program("dpkg-source") },
    Need { package: "xz-utils", why: "unpacks sources, packs packages", there: There::Program("xz") },
    Need { package: "file", why: "libblkid's configure asks it", there: There::Program("file") },
    Need { package: "pkg-config", why: "finds libblkid", there: There::Program("pkg-config") },
    Need {
        package: "libblkid-dev",
        why: "libblkid for unit tests on this machine",
        there: There::File("/usr/include/blkid/blkid.h"),
    },
    Need {
        package: "libclang-dev",
        why: "bindgen reads libblkid's header with it",
        there: There::File("/var/lib/dpkg/info/libclang-dev.list"),
    },
    Need {
        package: "debian-archive-keyring",
        why: "checks what Debian's archive sends",
        there: There::File("/usr/share/keyrings/debian-archive-keyring.gpg"),
    },
    Need { package: "mmdebstrap", why: "knows a mirror, builds guests", there: There::Program("mmdebstrap") },
];

const CHECKS: &[Need] = &[
    Need { package: "shellcheck", why: "checks the shell scripts", there: There::Program("shellcheck") },
    Need {
        package: "busybox-static",
        why: "reads what is written for its shell",
        there: There::Program("busybox"),
    },
    Need { package: "strace", why: "makes system calls fail in tests", there: There::Program("strace") },
    Need { package: "kmod", why: "makes the index of fetched modules", there: There::Program("depmod") },
    Need {
        package: "openssh-client",
        why: "makes and checks signatures",
        there: There::Program("ssh-keygen"),
    },
    Need { package: "lintian", why: "checks the packages", there: There::Program("lintian") },
    Need { package: "zstd", why: "packs modules and archives for tests", there: There::Program("zstd") },
    Need {
        package: "python3-yaml",
        why: "compares what the agent writes with recorded vectors",
        there: There::File("/usr/lib/python3/dist-packages/yaml/__init__.py"),
    },
];

const GUESTS: &[Need] = &[
    Need { package: QEMU_PACKAGE, why: "boots guests", there: There::Program(QEMU) },
    Need { package: "e2fsprogs", why: "makes disks", there: There::Program("mke2fs") },
    Need { package: "xfsprogs", why: "makes xfs volumes", there: There::Program("mkfs.xfs") },
    Need { package: "btrfs-progs", why: "makes btrfs volumes", there: There::Program("mkfs.btrfs") },
    Need { package: "dosfstools", why: "makes vfat volumes", there: There::Program("mkfs.vfat") },
    Need { package: "mtools", why: "fills vfat volumes", there: There::Program("mcopy") },
    Need { package: "squashfs-tools", why: "makes squashfs volumes", there: There::Program("mksquashfs") },
    Need { package: "xorriso", why: "makes iso9660 volumes", there: There::Program("xorriso") },
    Need { package: "fdisk", why: "makes partition tables", there: There::Program("sfdisk") },
    Need { package: "cpio", why: "packs initramfs images", there: There::Program("cpio") },
];

/// The package that breaks `QEMU_PACKAGE` when it comes from a newer suite: it belongs to the same source.
const QEMU_UTILS: &str = "qemu-utils";

/// Components of the toolchain besides what its minimal profile has: name, and program that shows it.
const COMPONENTS: &[(&str, &str)] = &[("clippy", "bin/cargo-clippy"), ("rustfmt", "bin/cargo-fmt")];

/// Sets up what building both programs takes: C tools, the musl target, libblkid.
pub fn build(cache: &Cache) -> Result<()> {
    packages(BUILD)?;
    if !toolchain()?.join("lib/rustlib").join(MUSL_TARGET).is_dir() {
        rustup(&["target", "add", MUSL_TARGET])?;
    }
    libblkid::ensure(cache, workspace())
}

/// Sets up what the checks of `cargo vm test` take.
pub fn checks() -> Result<()> {
    packages(CHECKS)?;
    let toolchain = toolchain()?;
    for (component, shown_by) in COMPONENTS {
        if !toolchain.join(shown_by).is_file() {
            rustup(&["component", "add", component])?;
        }
    }
    Ok(())
}

/// Sets up what building and booting guests takes.
pub fn guests() -> Result<()> {
    packages(GUESTS)
}

/// The cargo-deb program, installed into the cache.
pub fn cargo_deb(cache: &Cache) -> Result<PathBuf> {
    tool(cache, "cargo-deb", CARGO_DEB, "makes Debian packages")
}

/// The cargo-deny program, installed into the cache.
pub fn cargo_deny(cache: &Cache) -> Result<PathBuf> {
    tool(cache, "cargo-deny", CARGO_DENY, "checks dependencies")
}

fn tool(cache: &Cache, name: &str, version: &str, what_it_does: &str) -> Result<PathBuf> {
    let entry = cache.entry(name, &[version.as_bytes()], |folder| {
        phase::say(&format!("installing {name} {version} ({what_it_does}) into the cache"));
        let target = folder.join("target");
        cargo("install")
            .args([name, "--version", version, "--locked", "--no-default-features", "--root"])
            .arg(folder)
            .arg("--target-dir")
            .arg(&target)
            // Outside of this workspace, whose settings are not meant for it.
            .directory(folder)
            .advice("is the network up, and can cargo reach its registry?")
            .run()?;
        std::fs::remove_dir_all(&target).with_context(|| format!("remove {}", target.display()))
    })?;
    Ok(entry.join("bin").join(name))
}

/// Cargo, free of what the cargo that runs us, or the person who runs it, has set for another build.
pub(crate) fn cargo(command: &str) -> run::Program {
    clean_of_cargo(program("cargo").arg(command))
}

pub(crate) fn clean_of_cargo(program: run::Program) -> run::Program {
    [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
    ]
    .into_iter()
    .fold(program.env("CARGO_TERM_COLOR", "never"), run::Program::env_remove)
}

fn toolchain() -> Result<PathBuf> {
    let advice = "is rustup's toolchain installed?";
    let folder = program("rustc").args(["--print", "sysroot"]).directory(workspace()).advice(advice).run()?;
    Ok(PathBuf::from(folder.trim()))
}

fn rustup(words: &[&str]) -> Result<()> {
    phase::say(&format!("rustup {}", words.join(" ")));
    let advice = "is the network up, and was this toolchain installed by rustup?";
    program("rustup").args(words).directory(workspace()).advice(advice).run().map(drop)
}

fn packages(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.there.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        phase::say(&format!("missing: {} ({})", need.package, need.why));
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if run::find("apt-get").is_none() {
        bail!("install {}: there is no apt-get here (Debian 12 is needed)", names.join(" "));
    }
    if !run::is_root() && run::find("sudo").is_none() {
        bail!(
            "install {}: there is no sudo here (run this as root, or install them yourself)",
            names.join(" ")
        );
    }
    phase::say("apt-get update");
    let network = "is the network up, and is /etc/apt/sources.list* right?";
    apt_get(&["update"]).advice(network).run()?;
    let words = words(&names, &Machine::look()?);
    phase::say(&format!("apt-get {}", words.join(" ")));
    let by_hand = format!("try it by hand: apt-get {}", words.join(" "));
    apt_get(&words).advice(by_hand).run()?;
    match missing.iter().find(|need| !need.there.is_there()) {
        Some(need) => bail!("find {:?} after {} was installed", need.there, need.package),
        None => Ok(()),
    }
}

fn apt_get<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> run::Program {
    privileged("apt-get")
        .args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"])
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
}

/// The facts about the machine that decide how apt-get is called.
#[derive(Debug)]
struct Machine {
    /// The suite, and whether its qemu can be installed beside the qemu-utils that is there.
    suite: String,
    qemu_utils: QemuUtils,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QemuUtils {
    AbsentOrFitting,
    FromANewerSuite,
}

impl Machine {
    fn look() -> Result<Self> {
        let release = std::fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
        let policy =
            program("apt-cache").args(["policy", QEMU_UTILS, QEMU_PACKAGE]).env("LC_ALL", "C").run()?;
        Ok(Self { suite: suite(&release).unwrap_or("bookworm").to_owned(), qemu_utils: qemu_utils(&policy) })
    }
}

/// Compares the qemu-utils that is installed with the qemu that would be.
fn qemu_utils(policy: &str) -> QemuUtils {
    let field = |package: &str, name: &str| {
        let lines = policy.lines().skip_while(|line| *line != format!("{package}:"));
        let value = lines.skip(1).take(2).find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
        value.filter(|version| *version != "(none)")
    };
    match (field(QEMU_UTILS, "Installed"), field(QEMU_PACKAGE, "Candidate")) {
        (Some(utils), Some(qemu)) if crate::version::compare(utils, qemu).is_gt() => {
            QemuUtils::FromANewerSuite
        }
        _ => QemuUtils::AbsentOrFitting,
    }
}

fn suite(os_release: &str) -> Option<&str> {
    os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))
}

/// The options of apt-get. A qemu-utils from backports breaks the suite's own qemu, and apt-get does not go back
/// by itself: it is named with the suite, which is allowed to be a step down.
fn words(packages: &[&str], machine: &Machine) -> Vec<String> {
    let mut words: Vec<String> =
        ["install", "--yes", "--no-install-recommends"].map(str::to_owned).into_iter().collect();
    if packages.contains(&QEMU_PACKAGE) && machine.qemu_utils == QemuUtils::FromANewerSuite {
        words.push("--allow-downgrades".to_owned());
        words.push(format!("{QEMU_UTILS}/{}", machine.suite));
    }
    words.extend(packages.iter().map(|package| (*package).to_owned()));
    words
}

impl There {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => run::find(name).is_some(),
            Self::File(path) => Path::new(path).is_file(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "\
qemu-utils:
  Installed: 1:10.0.2+ds-2~bpo12+1
  Candidate: 1:10.0.2+ds-2~bpo12+1
  Version table:
qemu-system-x86:
  Installed: (none)
  Candidate: 1:7.2+dfsg-7+deb12u18
";

    fn machine(policy: &str) -> Machine {
        Machine { suite: "bookworm".into(), qemu_utils: qemu_utils(policy) }
    }

    #[test]
    fn what_is_missing_is_installed_without_recommendations() {
        let words = words(&["make", QEMU_PACKAGE], &machine(""));
        assert_eq!(words.join(" "), "install --yes --no-install-recommends make qemu-system-x86");
    }

    #[test]
    fn qemu_utils_from_backports_steps_down_in_the_same_call() {
        let words = words(&[QEMU_PACKAGE], &machine(POLICY));
        assert_eq!(
            words.join(" "),
            "install --yes --no-install-recommends --allow-downgrades qemu-utils/bookworm qemu-system-x86"
        );
    }

    #[test]
    fn qemu_utils_stays_when_it_fits_or_qemu_is_not_wanted() {
        let fitting = POLICY.replace("1:10.0.2+ds-2~bpo12+1", "1:7.2+dfsg-7+deb12u18");
        assert_eq!(machine(&fitting).qemu_utils, QemuUtils::AbsentOrFitting);
        assert!(!words(&["make"], &machine(POLICY)).join(" ").contains("qemu"));
    }

    #[test]
    fn the_suite_is_read_from_os_release() {
        assert_eq!(suite("ID=debian\nVERSION_CODENAME=bookworm\n"), Some("bookworm"));
        assert_eq!(suite("ID=debian\n"), None);
    }

    #[test]
    fn each_package_is_named_once_and_says_why() {
        let all: Vec<&Need> = [BUILD, CHECKS, GUESTS].into_iter().flatten().collect();
        for need in &all {
            assert_eq!(
                all.iter().filter(|other| other.package == need.package).count(),
                1,
                "{}",
                need.package
            );
            assert!(!need.why.is_empty());
        }
    }
}
