//! `lifeboat modules` on roots whose own tree for the kernel is usable, or is not.

use crate::scratch::{Ran, Scratch, release};

/// The ways to pack a module: suffix, and command.
const PACKED: [(&str, &str); 4] = [
    ("", ":"),
    (".gz", "gzip -n"),
    (".xz", "xz --check=crc32 --lzma2=dict=1MiB"),
    (".zst", "zstd --quiet --rm"),
];

/// No damage: the root's tree stays as it is.
const WHOLE: &str = ":";

fn vermagic() -> String {
    format!("{} SMP preempt mod_unload modversions ", release())
}

/// A tree of two modules below `side`, packed; no two sides hold the same bytes.
fn tree(scratch: Scratch, side: &str, vermagic: &str, (suffix, pack): (&str, &str)) -> Scratch {
    let tree = format!("{side}lib/modules/{}", release());
    let module = |name: &str| format!("\x7fELF {side}\0name={name}\0vermagic={vermagic}\0depends=\0");
    scratch
        .file(
            format!("{tree}/modules.dep"),
            &format!("kernel/a.ko{suffix}: kernel/b.ko{suffix}\nkernel/b.ko{suffix}:\n"),
        )
        .file(format!("{tree}/kernel/a.ko"), &module("a"))
        .file(format!("{tree}/kernel/b.ko"), &module("b"))
        .before(&format!("{pack} {tree}/kernel/*.ko"))
}

/// Runs `modules` on a root with a tree that is like the initramfs's, but for what `damage` does in it.
fn run(theirs: &str, packed: (&str, &str), ours: (&str, &str), damage: &str) -> Ran {
    let scratch = tree(Scratch::new(), "", &vermagic(), ours);
    tree(scratch, "root/", theirs, packed)
        .before(&format!("cd root/lib/modules/{}; {damage}; cd - >/dev/null", release()))
        .run("modules", "grep -cE \" /root/lib/modules(/$(uname -r))? \" /proc/self/mountinfo")
}

fn left_alone(ran: &Ran) -> bool {
    let said = format!("lifeboat: modules: skipped: the root already has modules for {}\n", release());
    (ran.status, ran.said.ends_with(&said), ran.seen.as_str()) == (0, true, "0\n")
}

fn exported_because(ran: &Ran, reason: &str) -> bool {
    (ran.status, ran.said.contains(reason), ran.seen.as_str()) == (0, true, "1\n")
}

#[test]
fn modules_of_the_same_build_are_usable_however_they_are_packed() {
    for packed in PACKED {
        for ours in PACKED {
            let ran = run(&vermagic(), packed, ours, WHOLE);
            assert!(left_alone(&ran), "{packed:?} beside {ours:?}: {}", ran.said);
        }
    }
}

#[test]
fn modules_of_another_build_are_not_however_they_are_packed() {
    let other = vermagic().replace(" preempt", "");
    for packed in PACKED {
        for ours in PACKED {
            let ran = run(&other, packed, ours, WHOLE);
            let reason =
                format!(".ko{} is built for {}, not {}", packed.0, other.trim_end(), vermagic().trim_end());
            assert!(exported_because(&ran, &reason), "{packed:?} beside {ours:?}: {}", ran.said);
        }
    }
}

#[test]
fn a_tree_that_lacks_something_is_replaced_and_the_reason_told() {
    for (damage, reason) in [
        ("rm kernel/a.ko.xz", "kernel/a.ko.xz is missing"),
        (": >kernel/b.ko.xz", "kernel/b.ko.xz is empty"),
        ("rm modules.dep", "it has no modules.dep"),
        (": >modules.dep", "modules.dep names no module"),
        ("rm kernel/a.ko.xz; ln -s a.ko.xz kernel/a.ko.xz", "Too many levels of symbolic links"),
        ("rm modules.dep; mkfifo modules.dep", "modules.dep: it is no regular file"),
        ("truncate -s 60 kernel/*", "it is damaged, or xz of a kind that is not known"),
        ("for i in kernel/*; do printf '\\050\\265\\057\\375\\0\\377' >$i; done", "zstd of a kind"),
        ("for i in kernel/*; do printf 'no module' >$i; done", "it has no vermagic"),
    ] {
        let ran = run(&vermagic(), PACKED[2], PACKED[0], damage);
        assert!(exported_because(&ran, reason), "{damage}: {}", ran.said);
    }
    assert!(left_alone(&run(&vermagic(), PACKED[2], PACKED[0], WHOLE)));
}

#[test]
fn a_tree_whose_directory_is_empty_is_replaced() {
    let ran = run(&vermagic(), PACKED[0], PACKED[0], "rm -r kernel modules.dep");
    assert!(exported_because(&ran, "exported 3 files"), "{}", ran.said);
    assert!(!ran.said.contains("not usable"), "{}", ran.said);
}

#[test]
fn what_would_become_huge_is_given_up() {
    let bomb = "head -c 40000000 /dev/zero | xz >kernel/a.ko.xz; cp kernel/a.ko.xz kernel/b.ko.xz";
    let ran = run(&vermagic(), PACKED[2], PACKED[0], bomb);
    assert!(exported_because(&ran, "it is damaged"), "{}", ran.said);
    let ran = run(&vermagic(), PACKED[0], PACKED[0], "truncate -s 1T kernel/*");
    assert!(exported_because(&ran, "it has more than 16 MiB"), "{}", ran.said);
}
