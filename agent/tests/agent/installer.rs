//! docs/installer.md, followed to the letter.

use crate::machine::Machine;
use std::process::Command;

const PAGE: &str = include_str!("../../../docs/installer.md");

const CONFIG: &str = "etc/cloud/cloud.cfg.d/90_seed.cfg";

/// The block of the page that begins like this, without its fences.
fn block(begin: &str) -> &'static str {
    let mut blocks = PAGE.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1);
    blocks.find(|block| block.starts_with(begin)).unwrap()
}

/// The commands that the installer runs at its end, on a machine that is a directory. What it fetches is the page's seed.
fn install(seed: &str) -> Machine {
    let machine = Machine::new();
    machine.write("bin/wget", "#!/bin/sh\ntest \"$1\" = -O && cp \"$SEED\" \"$2\"\n");
    machine.write("seed", seed);
    machine.make("var/lib");
    let commands = block("d-i pkgsel").split_once("late_command string").unwrap().1;
    let target = machine.path("");
    let script = commands.replace("\\\n", "\n").replace("/target/", target.to_str().unwrap());
    let path = format!("{}:/usr/bin:/bin", machine.path("bin").display());
    let script = format!("chmod 755 {}\n{script}", machine.path("bin/wget").display());
    let output = Command::new("sh")
        .args(["-e", "-c", &script])
        .env("PATH", path)
        .env("SEED", machine.path("seed"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    machine
}

#[test]
fn the_first_boot_carries_out_what_the_installer_left() {
    let machine = install(block("datasource_list"));
    assert_eq!(machine.mode(CONFIG), 0o600);
    machine.make("units");
    let units = machine.path("units");
    machine.agent(&["generator", units.to_str().unwrap()]);
    assert!(machine.list("units").contains(&"multi-user.target.wants".to_owned()));
    let (well, said) = machine.boot();
    assert!(well && said.contains("run useradd ops -m"), "{said}");
    assert_eq!(machine.read("etc/hostname"), "rack7\n", "{said}");
    let runcmd = machine.read("var/lib/cloud/instances/installed-1/scripts/runcmd");
    assert!(runcmd.contains("echo installed > /root/installed"), "{runcmd}");
}

#[test]
fn without_the_seed_nothing_is_carried_out() {
    let machine = install("");
    machine.make("units");
    let units = machine.path("units");
    machine.agent(&["generator", units.to_str().unwrap()]);
    assert_eq!(machine.list("units"), [""; 0]);
    machine.boot();
    assert_eq!(machine.read("etc/hostname"), "");
}
