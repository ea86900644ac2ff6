//! Tables made by the distribution's tools grow, and the tools read them back.

use super::*;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// Partitions of a path that ends in a letter have no `p` before their number.
fn blank() -> NamedTempFile {
    tempfile::Builder::new().suffix(".disk").tempfile().unwrap()
}

/// A file with a table that sfdisk made, afterwards as large as a disk of this many MiB.
fn disk(table: &str, before: u64, after: u64) -> NamedTempFile {
    let file = blank();
    file.as_file().set_len(before * MIB).unwrap();
    told(&["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel"], &file, table);
    file.as_file().set_len(after * MIB).unwrap();
    file
}

/// A tool's output about a disk.
#[expect(
    clippy::disallowed_methods,
    reason = "the tools of the distribution make the tables, and read them back"
)]
fn told(argv: &[&str], disk: &NamedTempFile, input: &str) -> String {
    let mut tool = Command::new(format!("/usr/sbin/{}", argv[0]));
    tool.args(&argv[1..]).arg(disk.path()).env("LC_ALL", "C").stdin(Stdio::piped());
    let mut tool = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{argv:?} {input}: {told}");
    told
}

/// The partitions as sfdisk reads them back, a line for each.
fn dump(disk: &NamedTempFile) -> Vec<String> {
    let path = disk.path().display().to_string();
    let dump = told(&["sfdisk", "--dump"], disk, "");
    dump.lines().filter_map(|line| line.strip_prefix(&path)).map(|line| line.replace(' ', "")).collect()
}

fn verify(disk: &NamedTempFile) {
    let verified = told(&["sfdisk", "--verify"], disk, "");
    let is_good = verified.contains("No errors detected") || verified.contains("Remaining");
    assert!(is_good && !verified.contains("mismatch") && !verified.contains("overlap"), "{verified}");
}

fn geometry(disk: &NamedTempFile, sector: u64) -> Geometry {
    Geometry { sector, sectors: disk.as_file().metadata().unwrap().len() / sector }
}

/// Grows a partition that begins at a mebibyte. Its length in MiB; `None` if nothing is to be written.
fn grow_at(disk: &NamedTempFile, sector: u64, number: u32, start: u64) -> Result<Option<u64>> {
    let file: &File = disk.as_file();
    let grown = grow(file, geometry(disk, sector), Wanted { number, start: start * MIB })?;
    for (place, bytes) in grown.iter().flat_map(|grown| &grown.writes) {
        file.write_all_at(bytes, *place).unwrap();
    }
    Ok(grown.map(|grown| grown.length / MIB))
}

/// A table, the partition's number, start and size in MiB, and its size on a disk of 96 MiB.
type Case = (&'static str, u32, u64, u64, Option<u64>);

const CASES: &[Case] = &[
    // The last partition, with the copy of the GPT at the end.
    ("label: gpt\nstart=4MiB, size=20MiB\n", 1, 4, 20, Some(91)),
    // Cloud images have partition 1 behind 14 and 15.
    (
        "label: gpt\n14 : start=1MiB, size=1MiB\n15 : start=2MiB, size=8MiB\n1 : start=10MiB, size=20MiB\n",
        1,
        10,
        20,
        Some(85),
    ),
    // To the next one, and not over it.
    ("label: gpt\nstart=4MiB, size=8MiB\nstart=24MiB, size=8MiB\n", 1, 4, 8, Some(20)),
    ("label: gpt\nstart=4MiB, size=8MiB\nstart=12MiB, size=8MiB\n", 1, 4, 8, None),
    ("label: gpt\nstart=4MiB, size=8MiB\nstart=13MiB, size=8MiB\n", 1, 4, 8, None),
    ("label: dos\nstart=1MiB, size=20MiB\n", 1, 1, 20, Some(95)),
    ("label: dos\nstart=1MiB, size=8MiB\nstart=30MiB, size=8MiB\n", 1, 1, 8, Some(29)),
    ("label: dos\nstart=1MiB, size=8MiB\nstart=9MiB, size=8MiB\n", 1, 1, 8, None),
    // A logical one, with the extended one around it.
    (
        "label: dos\nstart=1MiB, size=8MiB\n2 : start=10MiB, size=20MiB, type=5\n5 : start=11MiB, size=10MiB\n",
        5,
        11,
        10,
        Some(85),
    ),
    // The second in the chain: the link to it grows too.
    (
        "label: dos\n1 : start=2MiB, size=28MiB, type=f\n5 : start=3MiB, size=9MiB\n6 : start=13MiB, size=8MiB\n",
        6,
        13,
        8,
        Some(83),
    ),
    // A primary one behind the extended one bounds all that is within it.
    (
        "label: dos\n1 : start=2MiB, size=18MiB, type=f\n5 : start=3MiB, size=9MiB\n2 : start=30MiB, size=8MiB\n",
        5,
        3,
        9,
        Some(27),
    ),
];

#[test]
fn one_partition_grows_and_all_else_stays() {
    for &(table, number, start, size, expected) in CASES {
        let disk = disk(table, 48, 96);
        let before = dump(&disk);
        assert_eq!(grow_at(&disk, 512, number, start).unwrap(), expected, "{table}");
        let after = dump(&disk);
        if expected.is_some() {
            verify(&disk);
        }
        let sectors = |size: u64| format!("size={},", size * MIB / 512);
        for (before, after) in before.iter().zip(&after) {
            let is_own = before.starts_with(&format!("{number}:"));
            let is_around = before.contains("type=f") || before.contains("type=5");
            if is_own {
                let grown = before.replace(&sectors(size), &sectors(expected.unwrap_or(size)));
                assert_eq!(&grown, after, "{table}");
            } else if !is_around || expected.is_none() {
                assert_eq!(before, after, "{table}");
            }
        }
        assert_eq!(before.len(), after.len(), "{table}");
        // Once it has grown there is nothing to do.
        assert_eq!(grow_at(&disk, 512, number, start).unwrap(), None, "{table}");
    }
}

#[test]
fn a_partition_stays_where_its_disk_does() {
    for &(table, number, start, ..) in CASES.iter().filter(|case| !case.0.contains("30MiB")) {
        let disk = disk(table, 96, 96);
        // The whole disk is its own already, or its neighbour ends it.
        grow_at(&disk, 512, number, start).unwrap();
        let before = std::fs::read(disk.path()).unwrap();
        assert_eq!(grow_at(&disk, 512, number, start).unwrap(), None, "{table}");
        assert!(before == std::fs::read(disk.path()).unwrap(), "{table}");
    }
}

#[test]
fn what_is_damaged_or_not_what_the_kernel_has_is_left_alone() {
    const GPT: &str = "label: gpt\nstart=4MiB, size=20MiB\n";
    const DOS: &str = "label: dos\n1 : start=2MiB, size=28MiB, type=f\n5 : start=3MiB, size=9MiB\n";
    // A table, the byte that is changed, the number and start of the partition, the disk's size, what is said.
    type Bad = (&'static str, Option<u64>, u32, u64, u64, &'static str);
    let cases: [Bad; 10] = [
        (GPT, Some(512), 1, 4, 96, "its GPT is damaged"),
        (GPT, Some(512 + 16), 1, 4, 96, "its GPT is damaged"),
        (GPT, Some(512 + 80), 1, 4, 96, "its GPT is damaged"),
        (GPT, Some(1024 + 60), 1, 4, 96, "its GPT is damaged"),
        (GPT, Some(510), 1, 4, 96, "neither a GPT nor an MBR"),
        (GPT, None, 1, 5, 96, "not the one that the kernel uses"),
        (GPT, None, 2, 4, 96, "not the one that the kernel uses"),
        (GPT, None, 1, 4, 40, "the disk is smaller than its GPT"),
        (DOS, Some(2 * MIB + 510), 5, 3, 96, "chain of logical partitions is broken"),
        (DOS, None, 6, 3, 96, "not the one that the kernel uses"),
    ];
    for (table, changed, number, start, size, expected) in cases {
        let disk = disk(table, 48, size);
        if let Some(changed) = changed {
            let mut byte = [0];
            disk.as_file().read_exact_at(&mut byte, changed).unwrap();
            disk.as_file().write_all_at(&[byte[0] ^ 0x55], changed).unwrap();
        }
        let before = std::fs::read(disk.path()).unwrap();
        let error = format!("{:#}", grow_at(&disk, 512, number, start).unwrap_err());
        assert!(error.contains(expected), "{table} {changed:?}: {error}");
        assert!(before == std::fs::read(disk.path()).unwrap(), "{table}");
    }
    let empty = blank();
    empty.as_file().set_len(96 * MIB).unwrap();
    assert!(grow_at(&empty, 512, 1, 1).is_err());
    assert!(
        grow(empty.as_file(), Geometry { sector: 520, sectors: 9 }, Wanted { number: 1, start: 0 }).is_err()
    );
}

/// sfdisk 2.38 knows no sectors of 4 KiB on a file, and fdisk does.
#[test]
fn disks_with_sectors_of_four_kibibytes_grow() {
    for (answers, kind) in [("g\nn\n1\n1024\n6143\nw\n", "gpt"), ("o\nn\np\n1\n1024\n6143\nw\n", "dos")] {
        let disk = blank();
        disk.as_file().set_len(48 * MIB).unwrap();
        told(&["fdisk", "-b", "4096"], &disk, answers);
        disk.as_file().set_len(96 * MIB).unwrap();
        let room = if kind == "gpt" { 91 } else { 92 };
        assert_eq!(grow_at(&disk, 4096, 1, 4).unwrap(), Some(room), "{kind}");
        let listed = told(&["fdisk", "-b", "4096", "-o", "Start,Sectors", "-l"], &disk, "");
        let is_whole = listed.contains(&format!("Disklabel type: {kind}")) && !listed.contains("corrupt");
        let last = listed.lines().last().unwrap_or_default();
        let numbers: Vec<&str> = last.split_whitespace().collect();
        assert!(is_whole, "{listed}");
        assert_eq!(numbers, ["1024", &(room * 256).to_string()], "{listed}");
    }
}
