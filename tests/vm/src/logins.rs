//! Who is let in: keys, passwords and host keys, tried with ssh.

use anyhow::{Context, Result, ensure};
use lifeboat_qemu::run::program;
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::seed_server::SeedServer;
use lifeboat_qemu::vm::Vm;

use crate::lab::{debian, machine, must_hold};
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] =
    &[full("people_log_in_with_the_key_and_the_password_that_the_user_data_gives", log_in)];

const META_DATA: &str = "instance-id: i-1\n";

/// `ann` has a key and a password, `bob` a password that nobody knows, and `eve` neither.
const USER_DATA: &str = "#cloud-config
hostname: logins
users:
  - {name: ann, lock_passwd: false, shell: /bin/bash, ssh_authorized_keys: ['PUBLIC']}
  - {name: bob, lock_passwd: false}
  - {name: eve}
chpasswd:
  expire: false
  users:
    - {name: ann, password: correct-horse, type: text}
    - {name: bob, type: RANDOM}
ssh_pwauth: true
write_files:
  - {path: /root/key, permissions: '0600', encoding: b64, content: PRIVATE}
  - {path: /root/ask, permissions: '0700', content: \"#!/bin/sh\\necho $ANSWER\\n\"}
";

const SSH: &str = "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";

fn log_in() -> Result<()> {
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", &user_data()?)])?;
    let machine = machine()?.disk(debian()?).parameter(&format!("ds=nocloud-net;s={}", seed.url()));
    let mut vm = machine.reboots().boot()?;
    vm.wait_for_login("logins")?;
    vm.run("systemctl is-system-running --wait")?;
    must_hold(&vm.read("lifeboat-agent status")?, &["status: done"])?;
    let with_key =
        vm.read(&format!("{SSH} -i /root/key -o PasswordAuthentication=no ann@127.0.0.1 id -un"))?;
    ensure!(with_key == "ann", "with the key: {with_key}");
    ensure!(by_password(&mut vm, "ann", "correct-horse")?, "the password is refused");
    for (user, password) in [("ann", "wrong"), ("eve", "correct-horse"), ("bob", "")] {
        ensure!(!by_password(&mut vm, user, password)?, "{user} is let in with `{password}`");
    }
    random_password(&mut vm)?;
    let keys = host_keys(&mut vm)?;
    vm.reboot()?;
    vm.wait_for_login("logins")?;
    vm.run("systemctl is-system-running --wait")?;
    ensure!(host_keys(&mut vm)? == keys, "the second boot has other host keys");
    Ok(())
}

/// With a pair of keys of this run.
fn user_data() -> Result<String> {
    let scratch = Scratch::new()?;
    let path = scratch.path().join("key");
    program("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(&path).run()?;
    let public = std::fs::read_to_string(path.with_extension("pub")).context("read the public key")?;
    let private = program("base64").arg("-w0").arg(&path).run()?;
    Ok(USER_DATA.replace("PUBLIC", public.trim()).replace("PRIVATE", private.trim()))
}

fn by_password(vm: &mut Vm, user: &str, password: &str) -> Result<bool> {
    let ask = format!("ANSWER={password} SSH_ASKPASS=/root/ask SSH_ASKPASS_REQUIRE=force");
    let only = "-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1";
    let said = vm.run(&format!("{ask} {SSH} {only} {user}@127.0.0.1 id -un"))?;
    Ok(said.status == 0 && said.text.contains(user))
}

/// The password that nobody gave is on the console, and lets `bob` in. It is nowhere else.
fn random_password(vm: &mut Vm) -> Result<()> {
    let console = vm.console.text();
    let shown = console.lines().find_map(|line| line.trim().strip_prefix("bob:"));
    let password = shown.context("there is no random password on the console")?.trim().to_owned();
    ensure!(by_password(vm, "bob", &password)?, "the random password is refused");
    let left = vm.run(&format!("journalctl --no-pager | grep -F '{password}'; grep -rF '{password}' /var/log /run/cloud-init /var/lib/cloud"))?;
    ensure!(!left.text.contains(&password), "the random password is kept:\n{}", left.text);
    Ok(())
}

/// All three types are the machine's own: made in this boot, and shown by sshd.
fn host_keys(vm: &mut Vm) -> Result<String> {
    let files = vm.read("cat /etc/ssh/ssh_host_*_key.pub | cut -d' ' -f1,2 | sort")?;
    ensure!(files.lines().count() == 3, "the host keys are:\n{files}");
    let shown = vm.read("ssh-keyscan 127.0.0.1 2>/dev/null | cut -d' ' -f2,3 | sort")?;
    ensure!(shown == files, "sshd shows:\n{shown}\nand the files hold:\n{files}");
    let old = vm.read(
        "grep -h root@localhost /etc/ssh/ssh_host_*_key.pub | wc -l; ls /etc/ssh/ssh_host_*key* | wc -l",
    )?;
    ensure!(old == "3\n6", "keys of the image are left: {old}");
    Ok(files)
}
