//! Paths inside a root, and what is written there.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn scratch() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

#[test]
fn a_file_is_written_with_its_mode_and_its_directories() {
    let (directory, root) = scratch();
    root.write("/a/b/c", b"text", 0o640).unwrap();
    let path = directory.path().join("a/b/c");
    assert_eq!(std::fs::read(&path).unwrap(), b"text");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(root.files("a/b").unwrap(), ["c"]);
    assert_eq!(root.files("no/such").unwrap(), [""; 0]);
}

#[test]
fn links_that_lead_out_stay_inside() {
    let (directory, root) = scratch();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), directory.path().join("out")).unwrap();
    symlink("../../../../etc/target", directory.path().join("up")).unwrap();
    assert!(root.write("out/x", b"", 0o644).is_err());
    root.write_through("up", b"inside", Rights::mode(0o644)).unwrap();
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(std::fs::read(directory.path().join("etc/target")).unwrap(), b"inside");
}

#[test]
fn a_link_is_written_through_or_replaced_as_asked() {
    let (directory, root) = scratch();
    root.write("real", b"old", 0o644).unwrap();
    symlink("/real", directory.path().join("link")).unwrap();
    root.write_through("link", b"new", Rights::mode(0o600)).unwrap();
    assert_eq!(root.read("real").unwrap().unwrap(), b"new");
    root.write("link", b"own", 0o644).unwrap();
    assert_eq!(root.read("real").unwrap().unwrap(), b"new");
    assert_eq!(root.read("link").unwrap().unwrap(), b"own");
}

#[test]
fn a_circle_of_links_and_a_path_without_a_name_are_errors() {
    let (directory, root) = scratch();
    symlink("b", directory.path().join("a")).unwrap();
    symlink("a", directory.path().join("b")).unwrap();
    assert!(root.write_through("a", b"", Rights::mode(0o644)).is_err());
    assert!(root.write("x/", b"", 0o644).is_err());
    assert!(root.write("x/..", b"", 0o644).is_err());
}

#[test]
fn text_is_appended_and_what_is_not_there_is_none() {
    let (_directory, root) = scratch();
    assert_eq!(root.read("log").unwrap(), None);
    root.append("log", b"a\n", Rights::mode(0o644)).unwrap();
    root.append("log", b"b\n", Rights::mode(0o644)).unwrap();
    assert_eq!(root.read_text("log").unwrap().unwrap(), "a\nb\n");
    root.remove("log").unwrap();
    root.remove("log").unwrap();
    assert!(!root.holds("log").unwrap());
}

#[test]
fn set_uid_bits_survive_the_change_of_owner() {
    let (directory, root) = scratch();
    let owner = Some((rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()));
    root.write_through("su", b"", Rights { mode: 0o4711, owner }).unwrap();
    let mode = directory.path().join("su").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o4711);
}
