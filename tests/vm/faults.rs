//! A lifeboat that breaks does not stop a boot, whichever call it breaks in.

use anyhow::Result;
use lifeboat_qemu::guest::Initramfs;

use crate::Test;
use crate::lab::{machine, must_say, root};

pub(crate) const TESTS: &[Test] = &[
    ("rescue_premount_aborts", || boots_with("rescue-premount:abort", "rescue-premount aborts")),
    ("rescue_premount_hangs", || boots_with("rescue-premount:hang", "rescue-premount hangs")),
    ("rescue_bottom_aborts", || boots_with("rescue-bottom:abort", "rescue-bottom aborts")),
    ("rescue_bottom_hangs", || boots_with("rescue-bottom:hang", "rescue-bottom hangs")),
    ("modules_aborts", || boots_with("modules:abort", "modules aborts")),
    ("modules_hangs", || boots_with("modules:hang", "modules hangs")),
    ("seed_aborts", || boots_with("seed:abort", "seed aborts")),
    ("seed_hangs", || boots_with("seed:hang", "seed hangs")),
    ("the_binary_is_missing", || boots_with("missing", "lifeboat is missing")),
];

fn boots_with(fault: &str, seen: &str) -> Result<()> {
    let machine = machine()?.initramfs(Initramfs::Faulty).disk(root());
    let mut vm = machine.parameter(&format!("test.fault={fault}")).boot()?;
    vm.wait_for_login("own")?;
    must_say(&vm, &format!("test: {seen}"))
}
