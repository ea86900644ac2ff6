//! Mounts and swap on a scratch root, with programs that only note how they were called.

use crate::work::Live;

const USER_DATA: &str = "#cloud-config
mounts:
- [LABEL=data, /srv/data, ext4, noatime]
- [ephemeral0, /mnt/e]
swap: {filename: /var/swapfile, size: 2M}
";

#[test]
fn mounts_and_swap_are_in_fstab_and_are_made_once() {
    let live = Live::new(USER_DATA);
    live.write("etc/fstab", "UUID=a / ext4 defaults 0 1\n/dev/gone /gone auto comment=cloudconfig 0 0");
    live.program("mount", "");
    live.program("swapon", "");
    let (_, said) = live.call("network --budget 2");
    assert!(said.contains("mounts: entry 2: this machine has no device `ephemeral0`"), "{said}");
    let fstab = "UUID=a / ext4 defaults 0 1\n\
        LABEL=data\t/srv/data\text4\tnoatime,comment=cloudconfig\t0\t2\n\
        /var/swapfile\tnone\tswap\tsw\t0\t0\n";
    assert_eq!(live.read("etc/fstab"), fstab);
    assert!(live.path("srv/data").is_dir() && !live.path("mnt/e").is_dir());
    let swap = std::fs::read(live.path("var/swapfile")).unwrap();
    assert_eq!((swap.len(), &swap[4086..4096]), (2 << 20, b"SWAPSPACE2".as_slice()));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&live.path("var/swapfile").metadata().unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(live.read("called"), "/programs/mount -a\n/programs/swapon /var/swapfile\n");

    live.boot();
    assert_eq!(live.read("called").lines().count(), 2);
    // A new instance has the same swap file, and its line once.
    live.write("seed/meta-data", "instance-id: i-2\n");
    live.call("network --budget 2");
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&live.read("etc/fstab")), sorted(fstab));
    assert_eq!(live.read("etc/fstab").lines().count(), 3);
    assert_eq!(std::fs::read(live.path("var/swapfile")).unwrap(), swap);
}

#[test]
fn a_file_that_is_no_swap_file_is_left_alone() {
    let live = Live::new("#cloud-config\nswap: {filename: /data, size: 2M}\n");
    live.write("data", "precious");
    live.program("swapon", "");
    let (well, said) = live.call("network --budget 2");
    assert!(!well && said.contains("swap to /data (2 MiB): a file is there that is no swap file"), "{said}");
    assert_eq!(live.read("data"), "precious");
    assert_eq!(live.read("etc/fstab") + &live.read("called"), "");
}

#[test]
fn without_mounts_no_fstab_is_written() {
    let live = Live::new("#cloud-config\nhostname: a\n");
    live.boot();
    assert!(!live.path("etc/fstab").exists());
}
