//! The agent on Debian: what a seed asks for is there after the boot, and nothing without one.

use anyhow::{Result, ensure};
use lifeboat_qemu::disk::Disk;
use lifeboat_qemu::guest::{FileSystem, Tiny};
use lifeboat_qemu::partitioned::Partition;
use lifeboat_qemu::seed_server::SeedServer;
use lifeboat_qemu::vm::Vm;

use crate::cover::Ability;
use crate::cover::Covers::Agent;
use crate::lab::{debian, debian_rescue, machine, must_hold, root};
use crate::tier::{Test, full, gate};

pub(crate) const TESTS: &[Test] = &[
    gate(
        "a_cloud_config_and_a_script_are_carried_out_once_per_instance",
        &[Agent(Ability::Seeded)],
        cloud_config,
    ),
    full("a_seed_on_a_volume_needs_no_parameter", volume),
    full("an_instance_on_a_file_system_of_its_own_goes_on_without_its_seed", own_file_system),
    full("nothing_is_done_without_a_seed", no_seed),
    full("a_boothook_restarts_the_unit_by_the_name_that_others_know", restarted),
    gate("in_a_rescue_boot_people_are_let_in_and_nothing_else_is_done", &[Agent(Ability::InRescue)], rescue),
];

const ROOT: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b11";
const INSTANCES: &str = "0f7a1d52-3c1e-4f55-9d0b-5b8c2f7f0b12";

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: from-meta-data\n";

const CLOUD_CONFIG: &str = "#cloud-config
hostname: seeded
users:
  - name: ann
    ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfirstfirstfirstfirstfirstfirstfirstfirst ann@home]
write_files:
  - path: /etc/seeded.conf
    permissions: '0640'
    content: |
      from = seed
bootcmd:
  - echo bootcmd >> /var/log/order
runcmd:
  - [sh, -c, 'echo runcmd >> /var/log/order']
";

const SCRIPT: &str = "#!/bin/sh
systemctl is-active multi-user.target >>/var/log/script
";

fn cloud_config() -> Result<()> {
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", &in_two_parts())])?;
    let machine = machine()?.disk(debian()?).parameter(&format!("ds=nocloud-net;s={}", seed.url()));
    let mut vm = machine.reboots().boot()?;
    vm.wait_for_login("seeded")?;
    settled(&mut vm)?;
    let ran = vm.read("cat /var/log/script")?;
    ensure!(ran == "active", "the script saw:\n{ran}");
    ensure!(vm.read("hostname; cat /etc/hostname")? == "seeded\nseeded", "another host name");
    let file = vm.read("cat /etc/seeded.conf; stat -c %a-%U /etc/seeded.conf")?;
    ensure!(file == "from = seed\n640-root", "the file holds:\n{file}");
    let keys = vm.read("cat ~ann/.ssh/authorized_keys; stat -c %a-%U ~ann/.ssh ~ann/.ssh/authorized_keys")?;
    must_hold(&keys, &["ann@home\n", "700-ann\n600-ann"])?;
    ensure!(vm.read("cat /var/log/order")? == "bootcmd\nruncmd", "commands ran in another order");
    in_order(&mut vm)?;
    let handlers = vm.read("lifeboat-agent status --long")?;
    must_hold(&handlers, &["users: done, ", "timezone: nothing to do, ", "scripts_user: done, "])?;
    let status = vm.run("lifeboat-agent rescue status")?;
    ensure!(status.status == 3, "in a normal boot: {status:?}");
    must_hold(
        &status.text,
        &["this is no rescue boot: the machine's own root was booted, for no volume is"],
    )?;
    for name in ["meta-data", "user-data"] {
        ensure!(seed.asked_for().contains(&name.to_owned()), "{name} was not asked for");
    }

    vm.read("rm /etc/seeded.conf")?;
    vm.reboot()?;
    vm.wait_for_login("seeded")?;
    settled(&mut vm)?;
    ensure!(vm.run("ls /etc/seeded.conf")?.status != 0, "the file was written again");
    let order = vm.read("cat /var/log/order")?;
    ensure!(order.matches("runcmd").count() == 1, "runcmd ran again:\n{order}");
    ensure!(vm.read("cat /var/log/script")? == "active", "the script ran again");
    Ok(())
}

/// A script runs late: when everything else has been started.
fn in_two_parts() -> String {
    let part = |kind: &str, text: &str| format!("--part\nContent-Type: text/{kind}\n\n{text}\n");
    let parts = part("cloud-config", CLOUD_CONFIG) + &part("x-shellscript", SCRIPT);
    format!("Content-Type: multipart/mixed; boundary=part\nMIME-Version: 1.0\n\n{parts}--part--\n")
}

/// A volume as hypervisors attach it.
fn seed_on(label: &str) -> Tiny {
    let volume = Tiny::new(label, "seed").on(FileSystem::Iso9660);
    volume.file("user-data", CLOUD_CONFIG).file("meta-data", META_DATA)
}

fn volume() -> Result<()> {
    let mut vm = machine()?.disk(debian()?).disk(seed_on("CIDATA")).boot()?;
    vm.wait_for_login("seeded")?;
    settled(&mut vm)?;
    must_hold(
        &vm.read("cat ~ann/.ssh/authorized_keys /etc/seeded.conf /var/log/order")?,
        &["ann@home\nfrom = seed\n", "runcmd"],
    )?;
    must_hold(&vm.read("cloud-init status --long")?, &["status: done", "DataSourceNoCloud [seed=/dev/"])?;
    ensure!(vm.run("grep CIDATA /proc/mounts")?.status != 0, "it is still mounted");
    Ok(())
}

/// systemd chooses its units before it can be seen if there is an instance.
fn own_file_system() -> Result<()> {
    let fstab = format!(
        "UUID={ROOT} / ext4 defaults 0 1\n\
         UUID={INSTANCES} /var/lib/cloud ext4 defaults 0 2\n"
    );
    let disk = Disk::Partitioned(vec![
        Partition::Debian { label: "lifeboat-root", uuid: ROOT, files: vec![("etc/fstab", fstab)] },
        Partition::Ext4 { uuid: INSTANCES },
    ]);
    let mut vm = machine()?.disk(disk).disk(seed_on("CIDATA")).reboots().boot()?;
    let with_seed = order(&mut vm)?;
    ensure!(with_seed == "bootcmd\nruncmd", "with its seed:\n{with_seed}");

    vm.read("wipefs --all --quiet /dev/disk/by-label/CIDATA")?;
    vm.reboot()?;
    let without_seed = order(&mut vm)?;
    ensure!(without_seed == "bootcmd\nruncmd\nbootcmd", "without its seed:\n{without_seed}");

    vm.read("rm -r /var/lib/cloud/*")?;
    vm.reboot()?;
    let without_instance = order(&mut vm)?;
    ensure!(without_instance == without_seed, "without an instance:\n{without_instance}");
    Ok(())
}

/// The parts that have run, in their order, once a boot is over.
fn order(vm: &mut Vm) -> Result<String> {
    vm.wait_for_login("seeded")?;
    settled(vm)?;
    vm.read("cat /var/log/order")
}

/// The way of cluster tools: the boothook makes what the next part includes, and restarts `cloud-init`.
const RESTARTS: &str = "MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=LATE

--LATE
Content-Type: text/cloud-boothook

#!/bin/bash
set -e
test -f /etc/late.cfg && exit 0
cat >/etc/late.cfg <<'END'
#cloud-config
hostname: seeded
runcmd:
- touch /root/joined
END
cat >/etc/systemd/system/other.service <<'END'
[Unit]
After=cloud-final.service cloud-init.target
Requires=cloud-final.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ls /root >/root/seen'
END
systemctl daemon-reload
systemctl --no-block start other.service
systemctl restart cloud-init
--LATE
Content-Type: text/x-include-url

file:///etc/late.cfg
--LATE--
";

fn restarted() -> Result<()> {
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", RESTARTS)])?;
    let machine = machine()?.disk(debian()?).parameter(&format!("ds=nocloud-net;s={}", seed.url()));
    let mut vm = machine.boot()?;
    vm.wait_for_login("seeded")?;
    settled(&mut vm)?;
    vm.read("systemctl is-system-running --wait || true")?;
    // The unit of others waited for the last stage.
    must_hold(&vm.read("cat /root/seen")?, &["joined"])?;
    for target in ["cloud-init.target", "cloud-config.target"] {
        ensure!(vm.read(&format!("systemctl is-active {target}"))? == "active", "{target} is not active");
    }
    let units =
        vm.read("systemctl show --property=Id --value cloud-config.service cloud-init-network.service")?;
    let units: Vec<_> = units.split_whitespace().collect();
    ensure!(units == ["lifeboat-agent-config.service", "lifeboat-agent.service"], "{units:?}");
    must_hold(&vm.read("journalctl -b | grep -c 'ordering cycle' || true")?, &["0"])
}

/// The stages begin one after the other, and what waits for the network waits for the first.
fn in_order(vm: &mut Vm) -> Result<()> {
    let mut last = 0;
    for unit in [
        "lifeboat-agent-local.service",
        "lifeboat-agent.service",
        "network-online.target",
        "lifeboat-agent-config.service",
        "lifeboat-agent-final.service",
        "cloud-init.target",
    ] {
        let time =
            vm.read(&format!("systemctl show --property=ActiveEnterTimestampMonotonic --value {unit}"))?;
        let time: u64 = time.trim().parse()?;
        ensure!(time > last, "{unit} became active at {time}, not after {last}");
        last = time;
    }
    must_hold(&vm.read("journalctl -b | grep -c 'ordering cycle' || true")?, &["0"])
}

fn no_seed() -> Result<()> {
    // Exported modules bring a unit of their own.
    let mut vm = machine()?.disk(debian()?).disk(seed_on("data")).parameter("lifeboat.modules=off").boot()?;
    vm.wait_for_login("own")?;
    settled(&mut vm)?;
    ensure!(vm.read("hostname")? == "own", "another host name");
    let units = vm.read("systemctl list-units --all 'lifeboat-agent*'")?;
    must_hold(&units, &["0 loaded units"])?;
    ensure!(vm.run("ls /var/lib/cloud/instance")?.status != 0, "there is an instance");
    Ok(())
}

/// The same seed as above, but the machine is booted from a rescue volume that has the agent.
fn rescue() -> Result<()> {
    let seed = SeedServer::new(&[("meta-data", META_DATA), ("user-data", CLOUD_CONFIG)])?;
    let machine = machine()?.disk(root()).disk(debian_rescue()?);
    let mut vm = machine.parameter(&format!("ds=nocloud-net;s={}", seed.url())).boot()?;
    vm.wait_for_login("seeded")?;
    settled(&mut vm)?;
    must_hold(&vm.read("cat ~ann/.ssh/authorized_keys")?, &["ann@home"])?;
    for path in ["/etc/seeded.conf", "/var/log/order"] {
        ensure!(vm.run(&format!("ls {path}"))?.status != 0, "{path} is there");
    }
    let log = vm.read("journalctl --boot --no-pager --unit 'lifeboat-agent*'")?;
    for left_out in
        ["bootcmd: left out in a rescue boot: ", "write_files: left out in", "runcmd: left out in"]
    {
        must_hold(&log, &[left_out])?;
    }
    must_hold(&vm.read("lifeboat-agent status")?, &["status: done\n", "boot: rescue ("])
}

/// Waits until all units that the boot wants have started or failed.
fn settled(vm: &mut Vm) -> Result<()> {
    // Its exit status tells of units that have nothing to do with us.
    vm.run("systemctl is-system-running --wait").map(drop)
}
