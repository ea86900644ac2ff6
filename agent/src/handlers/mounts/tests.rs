//! The plans for mounts and swap files, setting by setting.

use super::super::testing::{check, check_on};
use super::*;
use expect_test::expect;

const MACHINE: &[(&str, &str)] = &[
    (
        "etc/fstab",
        "# own\nUUID=a\t/\text4\tdefaults\t0\t1\n/dev/vdz /old auto defaults,comment=cloudconfig 0 2\n",
    ),
    (
        "proc/self/mountinfo",
        "20 1 8:1 / / rw - ext4 /dev/vda1 rw\n21 20 8:17 / /here rw - ext4 /dev/vdb1 rw\n",
    ),
    ("sys/class/block/vdb/vdb1/partition", "1"),
    ("sys/class/block/vdb1/partition", "1"),
    ("sys/class/block/vdc/size", "8"),
    ("usr/bin/systemctl", ""),
];

#[test]
fn lines_take_the_place_of_those_of_old_and_are_mounted() {
    let config = "
        mounts:
        - [vdb, /data]
        - [/dev/vdc, '/with space', ext4, 'noatime,x-systemd.automount', 0, 0]
        - [LABEL=none, none, swap, sw, '0', '0']
        - ['server:/share', /share/, nfs, null, null, 0]
        - [tmpfs, /t, tmpfs, size=1M]";
    check_on(
        MACHINE,
        plan,
        config,
        "",
        expect![[r"
            write /etc/fstab (438 bytes, mode 0644)
            # own
            UUID=a	/	ext4	defaults	0	1
            /dev/vdb1	/data	auto	defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig	0	2
            /dev/vdc	/with\040space	ext4	noatime,x-systemd.automount,comment=cloudconfig	0	0
            LABEL=none	none	swap	sw,comment=cloudconfig	0	0
            server:/share	/share/	nfs	defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig	0	0
            tmpfs	/t	tmpfs	size=1M,comment=cloudconfig	0	2
            make the directory /data
            make the directory '/with space'
            make the directory /share/
            make the directory /t
            run systemctl daemon-reload
            run mount -a
            run swapon -a
        "]],
    );
}

#[test]
fn what_is_there_already_is_left_alone() {
    let line = "/dev/vdb1\t/here\text4\tro,comment=cloudconfig\t0\t0\n";
    let files = [("etc/fstab", line), MACHINE[1], MACHINE[2], MACHINE[3]];
    check_on(&files, plan, "mounts: [[vdb, /here, ext4, ro, 0, 0]]", "", expect![[""]]);
    // It is not mounted yet.
    let files = [("etc/fstab", line), MACHINE[2], MACHINE[3]];
    check_on(
        &files,
        plan,
        "mounts: [[vdb, /here, ext4, ro, 0, 0]]",
        "",
        expect![[r"
            make the directory /here
            run mount -a
        "]],
    );
}

#[test]
fn without_mounts_nothing_is_done() {
    for config in
        ["a: b", "mounts: []", "{mounts: null, swap: null}", "mount_default_fields: [a, b, c, d, e, f]"]
    {
        check_on(MACHINE, plan, config, "", expect![[""]]);
    }
}

#[test]
fn a_line_without_a_mount_point_takes_back_those_before_it() {
    check_on(
        MACHINE,
        plan,
        "mounts: [[vdc, /a], [vdb, /b], [vdc, null], [vdc, /c, auto, ro]]",
        "",
        expect![[r"
            write /etc/fstab (186 bytes, mode 0644)
            # own
            UUID=a	/	ext4	defaults	0	1
            /dev/vdb1	/b	auto	defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig	0	2
            /dev/vdc	/c	auto	ro,comment=cloudconfig	0	2
            make the directory /b
            make the directory /c
            run systemctl daemon-reload
            run mount -a
        "]],
    );
    // Alone, it takes back what an earlier instance had.
    check_on(
        MACHINE,
        plan,
        "mounts: [[/dev/vdz, null]]",
        "",
        expect![[r"
            write /etc/fstab (33 bytes, mode 0644)
            # own
            UUID=a	/	ext4	defaults	0	1
            run systemctl daemon-reload
            run mount -a
        "]],
    );
}

#[test]
fn a_clouds_disk_is_mounted_unless_a_line_says_otherwise() {
    let meta = "block-device-mapping: {ephemeral0: sdc}";
    check_on(
        MACHINE,
        plan,
        "a: b",
        meta,
        expect![[r"
            write /etc/fstab (143 bytes, mode 0644)
            # own
            UUID=a	/	ext4	defaults	0	1
            /dev/vdc	/mnt	auto	defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig	0	2
            make the directory /mnt
            run systemctl daemon-reload
            run mount -a
        "]],
    );
    check_on(
        MACHINE,
        plan,
        "mounts: [[ephemeral0, /scratch, auto, ro]]",
        meta,
        expect![[r"
            write /etc/fstab (83 bytes, mode 0644)
            # own
            UUID=a	/	ext4	defaults	0	1
            /dev/vdc	/scratch	auto	ro,comment=cloudconfig	0	2
            make the directory /scratch
            run systemctl daemon-reload
            run mount -a
        "]],
    );
    check_on(&[MACHINE[4]], plan, "mounts: [[ephemeral0, null]]", meta, expect![[""]]);
    // A line of the machine's own comes first.
    let own = [("etc/fstab", "/dev/vdc /own ext4 defaults 0 0\n"), MACHINE[4]];
    check_on(&own, plan, "a: b", meta, expect![[""]]);
}

#[test]
fn a_bad_entry_costs_only_itself() {
    check_on(
        &[],
        plan,
        "mounts: [a, [], [null, /b], [{}, /c], [LABEL=d, [/d]], [LABEL=e, /e, ext4, 'a b'], [LABEL=f, /f, ''],
            [LABEL=g, /g, a, b, 0, 0, 0], [ephemeral0, /h], [LABEL=i, /i, ext4, ro, 0, 0]]",
        "",
        expect![[r"
            write /etc/fstab (43 bytes, mode 0644)
            LABEL=i	/i	ext4	ro,comment=cloudconfig	0	0
            make the directory /i
            run mount -a
            problem: mounts: entry 1: it is a text and no list of fields
            problem: mounts: entry 2: it names no device
            problem: mounts: entry 3: it names no device
            problem: mounts: entry 4: it names no device
            problem: mounts: entry 5: its mount point is a list and no text
            problem: mounts: entry 6: its options `a b` is no field of fstab
            problem: mounts: entry 7: its type `` is no field of fstab
            problem: mounts: entry 8: it has 7 fields, and a line of fstab has six
            problem: mounts: entry 9: this machine has no device `ephemeral0`
        "]],
    );
    check(
        plan,
        "mounts: {a: b}",
        "",
        expect![[r"
        problem: mounts: it is a mapping and no list
    "]],
    );
}

#[test]
fn default_fields_fill_the_lines() {
    check(
        plan,
        "{mount_default_fields: [null, null, xfs, 'ro,nofail', 1, 1], mounts: [[LABEL=a, /a], [LABEL=b, /b, null, rw]]}",
        "",
        expect![[r"
            write /etc/fstab (91 bytes, mode 0644)
            LABEL=a	/a	xfs	ro,nofail,comment=cloudconfig	1	1
            LABEL=b	/b	xfs	rw,comment=cloudconfig	1	1
            make the directory /a
            make the directory /b
            run mount -a
        "]],
    );
    check(
        plan,
        "{mount_default_fields: [a], mounts: [[LABEL=a, /a, null, ro, 0, 0]]}",
        "",
        expect![[r"
            write /etc/fstab (43 bytes, mode 0644)
            LABEL=a	/a	auto	ro,comment=cloudconfig	0	0
            make the directory /a
            run mount -a
            problem: mount_default_fields: it is no list of six fields (the built-in ones are taken)
        "]],
    );
}

const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:  2097152 kB\nMemFree: 1 kB\n");

#[test]
fn a_swap_file_has_the_size_that_is_asked_for_or_fits() {
    for (config, step) in [
        ("{filename: /swapfile, size: 512M}", "swap to /swapfile (512 MiB)"),
        ("{size: 1.5G, maxsize: 1G}", "swap to /swap.img (1536 MiB)"),
        ("{size: 3145728}", "swap to /swap.img (3 MiB)"),
        ("{filename: /a/b, size: auto}", "swap to /a/b (1024 MiB)"),
        ("{size: auto, maxsize: 100M}", "swap to /swap.img (100 MiB)"),
    ] {
        let plan = super::super::testing::plan_on(
            &crate::machine::Paper(&[MEMORY, ("room", "4294967296")]),
            plan,
            &format!("swap: {config}"),
            "",
        );
        assert_eq!(plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>(), [step], "{config}");
        assert!(plan.problems.is_empty());
    }
}

#[test]
fn no_swap_file_is_made_where_none_is_asked_for_or_one_is_used() {
    for config in
        ["{}", "{size: 0}", "{filename: '', size: 1G}", "{filename: /a}", "{size: null}", "{size: ''}"]
    {
        check(plan, &format!("swap: {config}"), "", expect![[""]]);
    }
    let used = ("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 1024 0 -2\n");
    check_on(
        &[used],
        plan,
        "swap: {size: 1G}",
        "",
        expect![[r"
        keep swapping to /swap.img
    "]],
    );
    let listed = ("etc/fstab", "/swap.img none swap sw 0 0\n");
    check_on(&[used, listed], plan, "swap: {size: 1G}", "", expect![[""]]);
}

#[test]
fn a_swap_file_that_cannot_be_is_told() {
    for (config, told) in [
        ("swap", "it is a text and no mapping"),
        ("{size: much}", "size: `much` is no size such as 512M or 2G"),
        ("{size: 1G, maxsize: [1]}", "maxsize: `a list` is no size such as 512M or 2G"),
        ("{size: 100}", "size: 100 bytes are less than one MiB"),
        ("{size: auto}", "size: read the memory's size in /proc/meminfo"),
        ("{filename: swapfile, size: 1G}", "`swapfile` is no path of a file"),
        ("{filename: /a/../b, size: 1G}", "`/a/../b` is no path of a file"),
    ] {
        let plan = super::super::testing::plan(plan, &format!("swap: {config}"), "");
        assert_eq!(plan.problems, [format!("swap: {told}")], "{config}");
        assert!(plan.steps.is_empty());
    }
    let full = [MEMORY, ("room", "1000")];
    check_on(
        &full,
        plan,
        "swap: {size: auto}",
        "",
        expect![[r"
        problem: swap: size: there is no room for a file that is worth it
    "]],
    );
}
