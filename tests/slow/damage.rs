//! A thousand damaged images: what is read before anything is mounted ends no call, and is little.

use crate::scratch::Scratch;
use lifeboat_qemu::damage::{FILE_SYSTEMS, IMAGES, heads, write_sparse};
use std::fs::{self, File};

/// The most that a call may read: half a MiB of the device, and a little of /proc and of the program's own libraries.
const MOST: u64 = (512 + 64) * 1024;

/// Makes one image after the other the only device, and says how each call ended and what it read. A process
/// that was waited for counts as its parent's.
const LOOK: &str = r#"
read_so_far() { while read -r key bytes; do [ "$key" != rchar: ] || so_far=$bytes; done </proc/$$/io; }
for image in /images/*; do
    ln -sf "$image" /dev/vdz
    read_so_far
    before=$so_far
    /lifeboat rescue premount 2>/told
    status=$?
    read_so_far
    read -r told </told
    case "$told" in *label\ RESCUE*) found=found ;; *) found=lost ;; esac
    echo "${image#/images/} $status $((so_far - before)) $found"
done
"#;

#[test]
fn no_damaged_image_ends_a_call_or_makes_it_read_much() {
    let scratch = Scratch::new().file("sys/class/block/vdz/size", "4096").file("dev/vdz", "");
    fs::create_dir(scratch.path("images")).unwrap();
    for system in &FILE_SYSTEMS {
        let whole = scratch.path(system.name);
        system.make(&whole).unwrap();
        for (number, head) in heads(system, &whole).unwrap().enumerate() {
            let image = File::create(scratch.path(format!("images/{}-{number}", system.name))).unwrap();
            image.set_len(system.megabytes << 20).unwrap();
            write_sparse(&head, &image, 0).unwrap();
        }
    }
    let ran = scratch.run("rescue premount", LOOK);
    let rows: Vec<Vec<&str>> = ran.seen.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(rows.len(), FILE_SYSTEMS.len() * IMAGES, "{}", ran.seen);
    for row in &rows {
        assert_eq!(row[1], "0", "the call ended badly on image {row:?}");
        assert!(row[2].parse::<u64>().unwrap() < MOST, "too much was read of image {row:?}");
    }
    for system in &FILE_SYSTEMS {
        let found = rows.iter().filter(|row| row[0].starts_with(system.name) && row[3] == "found").count();
        // Damage that is always or never noticed shows little.
        assert!((IMAGES / 20..IMAGES).contains(&found), "{} of {} were found", found, system.name);
    }
}
