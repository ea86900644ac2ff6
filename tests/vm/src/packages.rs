//! The packages where they are installed: what they put into an initramfs, and what is left of them. No
//! machine is booted here; apt, dpkg's triggers and update-initramfs are the guests' own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::guest::Platform;
use lifeboat_qemu::run::program;
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::tree::Tree;

use crate::cover::Covers;
use crate::lab::{debian, guests, machine, must_hold};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    gate("removal_leaves_an_initramfs_without_a_trace", &[Covers::Packages], removal),
    full("a_list_of_modules_is_completed_by_the_hook", list),
    full("modules_for_this_machine_are_completed_by_the_hook", dep),
    full("a_full_initramfs_holds_all_modules_and_an_index_of_them", all_modules),
    full("where_boot_has_no_room_the_initramfs_is_built_without_them", no_room),
    full("they_take_the_place_of_those_that_would_run_beside_them", replacement),
    full("they_are_installed_on_debian_13", debian_13),
];

/// Drivers and file systems of rescue volumes that no test machine has.
const DRIVERS: [&str; 10] = [
    "/xen-blkfront.ko",
    "/virtio_scsi.ko",
    "/sr_mod.ko",
    "/ata_piix.ko",
    "/xfs.ko",
    "/btrfs.ko",
    "/vfat.ko",
    "/nls_ascii.ko",
    "/isofs.ko",
    "/squashfs.ko",
];

const INSTALL: &str =
    "apt-get install --yes --no-install-recommends /tmp/lifeboat.deb /tmp/lifeboat-agent.deb";

/// The files of the initramfs, by their names.
const CONTENT: &str = "lsinitramfs /boot/initrd.img-*";

fn tree(tar: &Path) -> Result<Tree> {
    let guests = guests()?;
    let tree = Tree::unpack(guests.cache(), tar)?;
    tree.add(&guests.packages().lifeboat, "tmp/lifeboat.deb")?;
    tree.add(&guests.packages().agent, "tmp/lifeboat-agent.deb")?;
    Ok(tree)
}

fn removal() -> Result<()> {
    let tree = tree(&guests()?.base_tar())?;
    let before = tree.run(CONTENT)?;
    tree.run(INSTALL)?;
    must_hold(&tree.run(CONTENT)?, &["usr/sbin/lifeboat\n", "scripts/init-bottom/lifeboat\n"])?;
    tree.run("apt-get purge --yes lifeboat lifeboat-agent")?;
    let after = tree.run(CONTENT)?;
    ensure!(!after.contains("lifeboat"), "the initramfs holds:\n{after}");
    ensure!(after == before, "the initramfs is not what it was");
    let left = tree.run("find / -xdev -path /tmp -prune -o -path /var/lib/dpkg -prune -o -path /var/log -prune -o -iname '*lifeboat*' -print")?;
    ensure!(left.is_empty(), "left behind:\n{left}");
    Ok(())
}

fn list() -> Result<()> {
    let tree = tree(&guests()?.base_tar())?;
    tree.run("echo MODULES=list >/etc/initramfs-tools/conf.d/modules; update-initramfs -u")?;
    let without = tree.run(CONTENT)?;
    ensure!(!without.contains("/xfs.ko"), "the list alone holds xfs");
    tree.run(INSTALL)?;
    must_hold(&tree.run(CONTENT)?, &DRIVERS)
}

fn dep() -> Result<()> {
    // Which modules this machine needs can only be asked on a machine.
    let mut vm = machine()?.disk(debian()?).boot()?;
    vm.wait_for_login("own")?;
    // What compresses best takes longest, under emulation most of all.
    vm.read("printf '%s\\n' MODULES=dep COMPRESS=gzip COMPRESSLEVEL=1 >/etc/initramfs-tools/conf.d/modules")?;
    let content = vm.read("mkinitramfs -o /var/tmp/dep $(linux-version list) && lsinitramfs /var/tmp/dep")?;
    must_hold(&content, &DRIVERS)?;
    ensure!(!content.contains("/hid-"), "all modules are there, not those of this machine");
    Ok(())
}

/// Builds the initramfs anew. What it warns of comes with the rest.
const REBUILD: &str = "update-initramfs -u 2>&1";

/// The number of modules of the initramfs, of the kernel, and of the index.
const COUNTS: &str = "rm -rf /tmp/made; unmkinitramfs /boot/initrd.img-* /tmp/made
    find /tmp/made -name '*.ko*' | wc -l; find /lib/modules/ -name '*.ko*' | wc -l
    find /tmp/made -name modules.dep -exec cat {} + | wc -l";

fn counts(tree: &Tree) -> Result<[usize; 3]> {
    let counts = tree.run(COUNTS)?;
    let counts: Vec<usize> = counts.split_whitespace().filter_map(|count| count.parse().ok()).collect();
    counts.try_into().ok().context("count modules")
}

fn all_modules() -> Result<()> {
    for tar in [guests()?.base_tar(), Platform::new("trixie").tar(guests()?.cache())?] {
        let tree = tree(&tar)?;
        tree.run(INSTALL)?;
        let [most, all, listed] = counts(&tree)?;
        ensure!(most < all && most == listed, "by default: {most} of {all}, {listed} in the index");

        tree.run("echo LIFEBOAT_INCLUDE=list:wireguard,no-such,fs/ceph/ >>/etc/default/lifeboat")?;
        let said = tree.run(REBUILD)?;
        must_hold(&said, &["lifeboat: include: `no-such` is skipped", "lifeboat: include: adds "])?;
        must_hold(&tree.run(CONTENT)?, &["/wireguard.ko", "/ceph.ko", "/libceph.ko"])?;
        let [some, _, listed] = counts(&tree)?;
        ensure!(
            most < some && some < all && some == listed,
            "a list: {some} of {all}, {listed} in the index"
        );

        tree.run("echo LIFEBOAT_INCLUDE=all >>/etc/default/lifeboat")?;
        let said = tree.run(REBUILD)?;
        let added = said.split_once("lifeboat: include: adds ").and_then(|(_, said)| said.split_once(' '));
        let added: usize = added.context("find what was added")?.0.parse()?;
        // Some versions put in what the hook itself names only after it ran.
        ensure!((all - most..all).contains(&added), "{added} were added to {most} of {all}");
        let [found, all, listed] = counts(&tree)?;
        ensure!(found == all && listed == all, "all: {found} of {all}, {listed} in the index");
    }
    Ok(())
}

fn no_room() -> Result<()> {
    let tree = tree(&guests()?.base_tar())?;
    tree.run(INSTALL)?;
    let [most, ..] = counts(&tree)?;
    tree.run("echo LIFEBOAT_INCLUDE=all >>/etc/default/lifeboat")?;
    let said = tree.run(
        "unshare -m --propagation unchanged sh -euc '
            cp -a /boot /tmp/boot; mount -t tmpfs -o size=60m small /boot; trap \"umount /boot\" EXIT
            cp -a /tmp/boot/. /boot; update-initramfs -u 2>&1; echo status $?; cp /boot/initrd.img-* /tmp/boot'
        cp /tmp/boot/initrd.img-* /boot",
    )?;
    must_hold(&said, &["lifeboat: include: left out", "/boot has ", "status 0\n"])?;
    let [found, ..] = counts(&tree)?;
    ensure!(found == most, "{found} modules are there, not {most}");
    Ok(())
}

fn replacement() -> Result<()> {
    let guests = guests()?;
    let tree = tree(&guests.base_tar())?;
    for package in fs::read_dir(guests.neighbours())? {
        tree.add(&package?.path(), "tmp/rescuevol.deb")?;
    }
    tree.add(&stand_in("cloud-initramfs-copymods")?, "tmp/copymods.deb")?;
    tree.run("apt-get install --yes /tmp/rescuevol.deb /tmp/copymods.deb")?;
    must_hold(&tree.run(CONTENT)?, &["rescuevol"])?;
    tree.run(INSTALL)?;
    let installed = tree.run("dpkg-query --show --showformat '${db:Status-Abbrev}${Package}\n'")?;
    ensure!(!installed.contains("ii cloud-initramfs"), "beside lifeboat are:\n{installed}");
    let content = tree.run(CONTENT)?;
    ensure!(!content.contains("rescuevol"), "the initramfs holds:\n{content}");
    must_hold(&content, &["usr/sbin/lifeboat\n"])
}

/// An empty package of this name, where Debian has none.
fn stand_in(name: &str) -> Result<std::path::PathBuf> {
    let scratch = Scratch::new()?;
    let folder = scratch.path().join(name);
    fs::create_dir_all(folder.join("DEBIAN"))?;
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let control = format!(
        "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: empty\n"
    );
    fs::write(folder.join("DEBIAN/control"), control)?;
    let package = guests()?.cache().folder("trees")?.join(format!("{name}.deb"));
    program("dpkg-deb").args(["--root-owner-group", "--build"]).args([&folder, &package]).run()?;
    Ok(package)
}

fn debian_13() -> Result<()> {
    let tree = tree(&Platform::new("trixie").tar(guests()?.cache())?)?;
    tree.run(INSTALL)?;
    must_hold(&tree.run(CONTENT)?, &["usr/sbin/lifeboat\n", "scripts/init-premount/lifeboat\n", "/xfs.ko"])?;
    must_hold(&tree.run("lifeboat --version; lifeboat-agent --version")?, &["lifeboat", "lifeboat-agent"])?;
    tree.run("apt-get purge --yes lifeboat lifeboat-agent")?;
    let content = tree.run(CONTENT)?;
    ensure!(!content.contains("lifeboat"), "the initramfs holds:\n{content}");
    Ok(())
}
