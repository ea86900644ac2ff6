//! A root that is on a server.

mod server;

use anyhow::Result;
use lifeboat_qemu::guest::{Modules, Platform, RunInit};
use lifeboat_qemu::scratch::Scratch;
use lifeboat_qemu::seed_server::HOST;
use lifeboat_qemu::vm::Machine;
use server::NfsServer;

use crate::lab::{guests, machine, must_hold, must_say, root, volume};
use crate::modules_roots::must_be_exported;
use crate::tier::{Test, full};

pub(crate) const TESTS: &[Test] = &[
    full("a_root_on_nfs_has_its_modules", || modules(Modules::Foreign, "cover")),
    full("a_root_on_nfs_without_the_directory_has_its_modules", || modules(Modules::Missing, "overlay")),
    full("a_machine_whose_root_is_on_nfs_is_rescued", rescue),
];

/// klibc's nfsmount asks the portmapper, whose port only the superuser of this machine has.
const NFSMOUNT: &str = r#"#!/bin/sh
options=addr=HOST
while [ "$1" = -o ]; do
    options="$options,$2"
    shift 2
done
exec busybox mount -t nfs -o "$options" "$1" "$2"
"#;

struct Served {
    server: NfsServer,
    _scratch: Scratch,
}

fn served(modules: Modules) -> Result<Served> {
    let scratch = Scratch::new()?;
    // Which would take an overlay away before anybody writes.
    let root = root().modules(modules).file("usr/bin/lifeboat-agent", "");
    let image = guests()?.make(&root, scratch.path())?;
    Ok(Served { server: NfsServer::new(&image.with_file_name("tree"))?, _scratch: scratch })
}

fn machine_of(served: &Served) -> Result<Machine> {
    let nfsmount = NFSMOUNT.replace("HOST", HOST);
    let hook = format!(
        "#!/bin/sh\n[ \"$1\" = prereqs ] && exit\n\
         rm -f \"$DESTDIR/bin/nfsmount\"\n\
         cat >\"$DESTDIR/bin/nfsmount\" <<'END'\n{nfsmount}END\n\
         chmod 755 \"$DESTDIR/bin/nfsmount\"\n"
    );
    let platform = Platform::new("bookworm").run_init(RunInit::Busybox).hook("zz-nfsmount", &hook);
    Ok(machine()?.platform(&platform).parameter(&served.server.parameter()))
}

fn modules(modules: Modules, layout: &str) -> Result<()> {
    let served = served(modules)?;
    let mut vm = machine_of(&served)?.boot()?;
    vm.wait_for_login("own")?;
    must_hold(&vm.read("cat /proc/mounts")?, &[":/ / nfs ro,"])?;
    must_be_exported(&mut vm, layout)
}

fn rescue() -> Result<()> {
    let served = served(Modules::Foreign)?;
    let mut vm = machine_of(&served)?.disk(volume("RESCUE")).boot()?;
    vm.wait_for_login("rescue")?;
    must_hold(&vm.read("cat /proc/mounts")?, &["/dev/vda / ext4 rw"])?;
    must_hold(&vm.read("cat /run/lifeboat/rescue")?, &["BOOTED=rescue\n", "ORIGINAL_ROOT=/dev/nfs\n"])?;
    must_say(&vm, "lifeboat: modules: exported ")
}
