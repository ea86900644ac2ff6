//! Things that stand where a seed's volume should be. Real volumes are in the VM tests: to mount one takes a kernel.

use crate::machine::Machine;

#[test]
fn a_volume_that_cannot_be_read_is_told() {
    let machine = Machine::new();
    machine.write("dev/disk/by-label/cidata", "no device");
    let (code, said) = machine.agent(&["network"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("dev/disk/by-label/cidata: it is no block device"), "{said}");
}
