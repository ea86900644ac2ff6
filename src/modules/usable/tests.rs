//! Trees of a root beside trees of an initramfs.

use super::*;
use std::fs;

const BUILD: &str = "6.1.0-50 SMP preempt mod_unload modversions ";
const OTHER: &str = "6.1.0-49 SMP preempt mod_unload modversions ";

struct Trees {
    directory: tempfile::TempDir,
}

impl Trees {
    fn new() -> Self {
        let trees = Self { directory: tempfile::tempdir().unwrap() };
        for side in ["root", "initramfs"] {
            fs::create_dir_all(trees.directory.path().join(side)).unwrap();
        }
        trees
    }

    /// A file in the tree of `root` or `initramfs`.
    fn file(self, side: &str, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(side, name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A tree of these modules, each built for a kernel.
    fn tree<Name: AsRef<str>>(self, side: &str, modules: &[(Name, &str)]) -> Self {
        let index = modules.iter().fold(String::new(), |index, (name, _)| index + name.as_ref() + ":\n");
        let trees = self.file(side, "modules.dep", index);
        modules
            .iter()
            .fold(trees, |trees, (name, build)| trees.file(side, name.as_ref(), module(side, build)))
    }

    fn path(&self, side: &str, name: &str) -> PathBuf {
        self.directory.path().join(side).join("lib/modules/6.1").join(name)
    }

    fn check(&self) -> Usable {
        let [root, initramfs] =
            ["root", "initramfs"].map(|side| Root::open(self.directory.path().join(side)).unwrap());
        check(&root, &initramfs, "6.1")
    }

    fn refused(&self) -> String {
        match self.check() {
            Usable::No(reason) => reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Two modules built alike for the same kernel, on either side, have other bytes all the same.
fn module(side: &str, build: &str) -> String {
    format!("\x7fELF {side}\0license=GPL\0vermagic={build}\0")
}

#[test]
fn a_tree_of_the_same_build_is_usable() {
    let modules = [("kernel/a.ko", BUILD), ("kernel/b.ko", BUILD)];
    let trees = Trees::new().tree("root", &modules).tree("initramfs", &modules[1..]);
    assert_eq!(trees.check(), Usable::Yes);
}

#[test]
fn a_tree_of_another_build_is_not() {
    let trees = Trees::new()
        .tree("root", &[("kernel/a.ko", OTHER), ("kernel/b.ko", OTHER)])
        .tree("initramfs", &[("kernel/b.ko", BUILD)]);
    assert_eq!(
        trees.refused(),
        format!("kernel/b.ko is built for {}, not {}", OTHER.trim_end(), BUILD.trim_end())
    );
}

#[test]
fn what_was_never_built_for_anything_is_usable_when_the_initramfs_holds_the_same_bytes() {
    for (theirs, expected) in [("the same", true), ("another", false)] {
        let trees = Trees::new()
            .tree("initramfs", &[("kernel/a.ko", BUILD)])
            .tree("root", &[("kernel/a.ko", BUILD)])
            .file("initramfs", "kernel/a.ko", "the same")
            .file("root", "kernel/a.ko", theirs)
            .file("initramfs", "kernel/b.ko", module("initramfs", BUILD))
            .file("root", "kernel/b.ko", "without")
            .file("root", "modules.dep", "kernel/a.ko:\nkernel/b.ko:\n");
        if expected {
            assert_eq!(trees.check(), Usable::Yes);
        } else {
            assert_eq!(trees.refused(), "look at kernel/b.ko: it has no vermagic");
        }
    }
}

#[test]
fn what_is_missing_or_empty_is_named() {
    let whole = || {
        let modules = [("kernel/a.ko", BUILD), ("kernel/b.ko", BUILD)];
        Trees::new().tree("root", &modules).tree("initramfs", &modules)
    };
    assert_eq!(whole().check(), Usable::Yes);
    for (name, content, reason) in [
        ("kernel/a.ko", None, "kernel/a.ko is missing"),
        ("kernel/b.ko", Some(""), "kernel/b.ko is empty"),
        ("modules.dep", None, "it has no modules.dep"),
        ("modules.dep", Some(""), "modules.dep names no module"),
        ("modules.dep", Some("\0\u{1b}[2J garbage\n\n"), "modules.dep names no module"),
    ] {
        let trees = whole();
        match content {
            Some(content) => fs::write(trees.path("root", name), content).unwrap(),
            None => fs::remove_file(trees.path("root", name)).unwrap(),
        }
        assert_eq!(trees.refused(), reason);
    }
}

#[test]
fn an_empty_directory_and_none_are_told_apart() {
    let trees = Trees::new().tree("initramfs", &[("kernel/a.ko", BUILD)]);
    assert_eq!(trees.check(), Usable::Absent);
    fs::create_dir_all(trees.path("root", "")).unwrap();
    assert_eq!(trees.check(), Usable::Empty);
    fs::create_dir(trees.path("root", "kernel")).unwrap();
    assert_eq!(trees.refused(), "it has no modules.dep");
}

#[test]
fn sixteen_modules_from_the_first_to_the_last_are_looked_at() {
    let modules: Vec<(String, &str)> =
        (0..151).map(|number| (format!("kernel/{number:04}.ko"), BUILD)).collect();
    let trees = Trees::new().tree("root", &modules).tree("initramfs", &modules[75..76]);
    assert_eq!(trees.check(), Usable::Yes);
    let root = Root::open(trees.directory.path().join("root")).unwrap();
    let sample = ModuleTree { root: &root, path: Path::new("lib/modules/6.1") }.sample().unwrap();
    assert_eq!(sample.len(), module_tree::SAMPLE);
    for (at, name) in [(0, "kernel/0000.ko"), (1, "kernel/0010.ko"), (15, "kernel/0150.ko")] {
        assert_eq!(sample[at].name, name);
        fs::rename(trees.path("root", name), trees.path("root", "aside")).unwrap();
        assert_eq!(trees.refused(), format!("{name} is missing"));
        fs::rename(trees.path("root", "aside"), trees.path("root", name)).unwrap();
    }
    fs::remove_file(trees.path("root", "kernel/0001.ko")).unwrap();
    assert_eq!(trees.check(), Usable::Yes);
}

#[test]
fn without_a_module_of_the_same_name_any_of_the_initramfs_will_do() {
    for (build, expected) in [(BUILD, true), (OTHER, false)] {
        let trees = Trees::new()
            .tree("root", &[("kernel/a.ko", build)])
            .tree("initramfs", &[("kernel/c.ko", BUILD), ("kernel/d.ko", BUILD)]);
        assert_eq!(trees.check() == Usable::Yes, expected, "{build}");
    }
}

#[test]
fn without_any_module_in_the_initramfs_the_content_has_to_do() {
    let trees = Trees::new().tree("root", &[("kernel/a.ko", OTHER)]);
    assert_eq!(trees.check(), Usable::Yes);
    fs::write(trees.path("root", "kernel/a.ko"), "").unwrap();
    assert_eq!(trees.refused(), "kernel/a.ko is empty");
}

#[test]
fn a_damaged_module_is_passed_over_and_four_are_not() {
    let names: Vec<String> = (0..8).map(|number| format!("kernel/{number}.ko")).collect();
    let modules: Vec<(&String, &str)> = names.iter().map(|name| (name, BUILD)).collect();
    for damaged in [0, 3, 4, 8] {
        let trees = names[..damaged]
            .iter()
            .fold(Trees::new().tree("root", &modules).tree("initramfs", &modules), |trees, name| {
                trees.file("root", name, b"\xfd7zXZ\0")
            });
        if damaged < TRIES {
            assert_eq!(trees.check(), Usable::Yes, "{damaged}");
        } else {
            let reason = trees.refused();
            assert!(reason.ends_with(".ko: it is damaged, or xz of a kind that is not known"), "{reason}");
        }
    }
}

#[test]
fn a_name_that_the_disk_made_up_stays_inside_the_root() {
    let modules = [("kernel/a.ko", BUILD)];
    for name in
        ["../../../../initramfs/lib/modules/6.1/kernel/a.ko", "/initramfs/lib/modules/6.1/kernel/a.ko"]
    {
        let trees = Trees::new().tree("root", &modules).tree("initramfs", &modules).file(
            "root",
            "modules.dep",
            format!("{name}:\n"),
        );
        assert_eq!(trees.refused(), format!("{name} is missing"));
    }
}

#[test]
fn an_absolute_link_or_name_is_one_of_the_root() {
    let modules = [("kernel/a.ko", BUILD)];
    for index in ["kernel/link.ko:\n", "/opt/driver.ko:\n"] {
        let trees = Trees::new().tree("root", &modules).tree("initramfs", &modules);
        fs::create_dir(trees.directory.path().join("root/opt")).unwrap();
        fs::rename(trees.path("root", "kernel/a.ko"), trees.directory.path().join("root/opt/driver.ko"))
            .unwrap();
        std::os::unix::fs::symlink("/opt/driver.ko", trees.path("root", "kernel/link.ko")).unwrap();
        fs::write(trees.path("root", "modules.dep"), index).unwrap();
        assert_eq!(trees.check(), Usable::Yes, "{index}");
    }
}

#[test]
fn a_directory_a_pipe_or_a_huge_file_in_a_modules_place_is_a_reason() {
    let modules = [("kernel/a.ko", BUILD)];
    for (make, end) in [
        ((|path| fs::create_dir(path).unwrap()) as fn(&Path), "it is no regular file"),
        (|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(), "it has more than 16 MiB"),
        (
            |path| {
                let (mode, kind) = (rustix::fs::Mode::from_raw_mode(0o600), rustix::fs::FileType::Fifo);
                rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
            },
            "kernel/a.ko is empty",
        ),
    ] {
        let trees = Trees::new().tree("root", &modules).tree("initramfs", &modules);
        fs::remove_file(trees.path("root", "kernel/a.ko")).unwrap();
        make(&trees.path("root", "kernel/a.ko"));
        assert!(trees.refused().ends_with(end), "{}", trees.refused());
    }
}
