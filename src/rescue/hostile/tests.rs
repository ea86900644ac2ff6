//! The rules that hold on every volume, tried on the corpus and on a fixed number of seeded values, and by real shells.
#![expect(clippy::disallowed_methods, reason = "the tests start shells")]

use super::check;
use crate::initramfs_tools::param_conf::{After, Conf};
use lifeboat_qemu::damage::Random;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/volume");

/// The parts that values are put together from.
const PARTS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b"'",
    b"''",
    b"\"",
    b"\\",
    b"\\\n",
    b"\\'",
    b"$",
    b"$(>pwned)",
    b"`>pwned`",
    b"${IFS}",
    b"$'\\n'",
    b";>pwned;",
    b"&",
    b"|",
    b">pwned",
    b"<",
    b"(",
    b")",
    b"{",
    b"}",
    b"*",
    b"?",
    b"[a]",
    b"~",
    b"#",
    b"!",
    b"=",
    b"%s",
    b"-n",
    b"\x1b[2J",
    b"\x07",
    b"\x7f",
    b"\xc2\x9b",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b"\xef\xbf\xbe",
    b"\xef\xb7\x90",
    b"\xc2\xa0",
    b"\xc3\xb6",
    b"RESCUE",
    b"LABEL=",
    b"UUID=",
    b"/dev/vda",
    b"/dev/vdb",
    b"home",
    b"/",
    b"\\040",
    b"\\057",
    b"\\12",
    b" / ext4 ",
    b" /home ext4 defaults 0 2\n",
    b"\n# lifeboat: begin\n",
    b"\n# lifeboat: end\n",
    b"\nROOT=",
    b"lifeboat_go_on=",
    b" ;; esac }\n",
    b"EOF\n",
];

fn value(random: &mut Random) -> Vec<u8> {
    (0..random.below(12)).filter_map(|_| random.pick(PARTS)).flat_map(|part| part.iter().copied()).collect()
}

fn corpus() -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 8, "{paths:?}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn nothing_of_the_corpus_does_harm() {
    for data in corpus() {
        check(&data);
    }
}

#[test]
fn no_seeded_value_does_harm() {
    let mut random = Random::new(1);
    for _ in 0..1_000 {
        let mut data = value(&mut random);
        for _ in 0..3 {
            data.push(0);
            data.extend(value(&mut random));
        }
        check(&data);
    }
}

/// Sources each param.conf as init does, and shows what became of the values, with a NUL after each.
const READER: &str = r#"
PATH=/nowhere BOOT=local
for conf in conf*; do
    ROOT=unset; ROOTFLAGS=unset
    . "./$conf"
    printf '%s\0' "$ROOT"
    resolve_device "$ROOT"
    printf '\0'
    ROOT=unset
    eval "$lifeboat_go_on"
done
"#;

/// Stands in for /scripts/local.
const LOCAL: &str = r#"mountroot() { printf '%s\0' "$ROOT" "$ROOTFLAGS"; }"#;

fn shells_read_what_was_meant(shell: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let scripts = format!("{}/", directory.path().display());
    fs::write(directory.path().join("local"), LOCAL).unwrap();
    fs::write(directory.path().join("reader"), READER).unwrap();
    let mut random = Random::new(2);
    // A set: the superblocks of the corpus are mostly NULs, and so thousands of empty values.
    let mut values: BTreeSet<Vec<u8>> = (0..500).map(|_| value(&mut random)).collect();
    values.extend(corpus().iter().flat_map(|data| data.split(|byte| *byte == 0)).map(<[u8]>::to_vec));
    let mut wanted = String::new();
    for (number, value) in values.iter().enumerate() {
        // A command line holds no NUL, nor does what a shell reads.
        let value = String::from_utf8_lossy(value).replace('\0', "");
        let mut conf = Conf::default();
        conf.set("ROOT", &value);
        conf.found_at(&value, "/dev/vdb");
        conf.go_on(&[("ROOT", &value), ("ROOTFLAGS", &value)], After::Nothing);
        let text = conf.render("").replace("/scripts/", &scripts);
        fs::write(directory.path().join(format!("conf{number:05}")), text).unwrap();
        write!(wanted, "{value}\0/dev/vdb\n\0{value}\0{value}\0").unwrap();
    }
    let before = fs::read_dir(&directory).unwrap().count();
    let ran =
        Command::new(shell[0]).args(&shell[1..]).arg("reader").current_dir(&directory).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    assert!(
        ran.status.success() && ran.stdout == wanted.as_bytes(),
        "{}",
        first_difference(&ran.stdout, &wanted)
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), before, "something was executed");
}

fn first_difference(seen: &[u8], wanted: &str) -> String {
    let seen = String::from_utf8_lossy(seen).into_owned();
    let pair = seen.split('\0').zip(wanted.split('\0')).find(|(seen, wanted)| seen != wanted);
    format!("(seen, wanted) = {pair:?}")
}

#[test]
fn dash_reads_what_was_meant_and_executes_nothing() {
    shells_read_what_was_meant(&["dash"]);
}

#[test]
fn busybox_reads_what_was_meant_and_executes_nothing() {
    shells_read_what_was_meant(&["busybox", "ash"]);
}
