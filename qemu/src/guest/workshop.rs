//! A Debian guest in which modules are built and kernels installed: with DKMS, a compiler and packages for the external
//! kernel; and a policy of `SELinux`. Few tests need it, so it is made when the first of them asks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{FILES, Guests, SUITE, read, read_line, tree};
use crate::architecture::cloud_flavour;
use crate::archive::Archive;
use crate::phase;
use crate::run::privileged;
use crate::tree::Tree;

/// The packages besides the headers' own dependencies; a compiler alone is not called `gcc`.
const PACKAGES: &[&str] = &["dkms", "gcc", "selinux-policy-default"];

/// In the tree: packages that nobody has installed yet. One leads from a kernel's directory to its headers.
const INSTALL: &str = "
    mkdir /var/packages
    mv /packages/linux-image-* /packages/linux-headers-*-cloud-*_* /var/packages
    apt-get install --yes --no-install-recommends /packages/*.deb
    rm -r /packages
    echo update_initramfs=no >/etc/initramfs-tools/update-initramfs.conf";

/// The guest.
#[derive(Debug, Clone)]
pub struct Workshop {
    tools: PathBuf,
    entry: PathBuf,
}

impl Workshop {
    /// Builds what is not in the cache yet.
    pub fn build(guests: &Guests) -> Result<Self> {
        let tools = tools(guests)?;
        let script = Path::new(FILES).join("workshop.sh");
        let mut inputs = vec![tools.as_os_str().as_encoded_bytes().to_vec()];
        let packages = guests.packages();
        for path in [&script, &Path::new(FILES).join("tree.sh"), &packages.lifeboat, &packages.agent] {
            inputs.push(read(path)?);
        }
        for folder in ["debian", "workshop"] {
            tree(&Path::new(FILES).join(folder), &mut inputs)?;
        }
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let entry = guests.cache().entry("workshop", &inputs, |entry| {
            phase::say("installing the packages in the Debian guest with DKMS, and making its disk");
            privileged(&script)
                .arg(tools.join("tools.tar"))
                .args([Path::new(FILES), entry, &packages.lifeboat, &packages.agent])
                .run()
                .map(drop)
        })?;
        Ok(Self { tools, entry })
    }

    /// Its disk: label `lifeboat-root`, host name `own`. In /var/packages are the packages of the external kernel's
    /// headers and of another kernel.
    pub fn root(&self) -> PathBuf {
        self.entry.join("own.img")
    }

    /// The release of the kernel whose package can be installed there.
    pub fn other_release(&self) -> Result<String> {
        read_line(&self.tools.join("other-release"))
    }
}

/// The tree without our packages, which change more often than anything else.
fn tools(guests: &Guests) -> Result<PathBuf> {
    let tar = guests.base_tar();
    let external = guests.external_release()?;
    let names = PACKAGES.concat();
    let inputs = [tar.as_os_str().as_encoded_bytes(), names.as_bytes(), INSTALL.as_bytes()];
    guests.cache().entry("tools", &inputs, |entry| {
        phase::say(&format!("installing DKMS and the headers of {external} in a Debian tree"));
        let archive = Archive::open(guests.cache(), SUITE)?;
        let tree = Tree::unpack(guests.cache(), &tar)?;
        let other = other_release(&archive, &external, &tree)?;
        let debs = entry.join("packages");
        fs::create_dir_all(debs.join("partial")).with_context(|| format!("make {}", debs.display()))?;
        let headers = format!("linux-headers-{external}");
        let image = format!("linux-image-{other}");
        let wanted: Vec<&str> = PACKAGES.iter().copied().chain([headers.as_str(), image.as_str()]).collect();
        archive.download_for(&tree.path().join("var/lib/dpkg/status"), &wanted, &debs)?;
        privileged("cp").args(["-r", "-T"]).args([&debs, &tree.path().join("packages")]).run()?;
        tree.run(INSTALL)?;
        fs::remove_dir_all(&debs).with_context(|| format!("remove {}", debs.display()))?;
        privileged("tar")
            .arg("--directory")
            .arg(tree.path())
            .arg("--create")
            .arg("--file")
            .arg(entry.join("tools.tar"))
            .arg(".")
            .run()?;
        let path = entry.join("other-release");
        fs::write(&path, other).with_context(|| format!("write {}", path.display()))
    })
}

/// The newest kernel of the series that is neither in the tree nor the external one.
fn other_release(archive: &Archive, external: &str, tree: &Tree) -> Result<String> {
    let flavour = cloud_flavour();
    let series = external.strip_suffix(&flavour).and_then(|release| release.rsplit_once('-'));
    let (series, _) = series.with_context(|| format!("find the series of {external}"))?;
    let own = tree.run("ls /lib/modules")?;
    let there: Vec<&str> = own.split_whitespace().chain([external]).collect();
    let available = archive.versions(&format!("linux-image-{series}-*{flavour}"))?;
    let mut releases = available.iter().filter_map(|known| known.package.strip_prefix("linux-image-"));
    let other = releases.find(|release| !there.contains(release));
    other.map(str::to_owned).with_context(|| format!("find a kernel beside {}", there.join(" and ")))
}
