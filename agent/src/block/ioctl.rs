//! Changes of partitions and file systems in use, which only the kernel can make. All unsafe code of the agent's
//! library.
#![allow(unsafe_code, reason = "these ioctls take structures that rustix does not know")]

use anyhow::Result;
use rustix::ioctl::{Setter, ioctl, opcode};
use std::ffi::c_void;
use std::fs::File;
use std::marker::PhantomData;

/// `struct blkpg_ioctl_arg`
#[repr(C)]
struct BlkpgArgument<'a> {
    operation: i32,
    flags: i32,
    length: i32,
    data: *mut c_void,
    partition: PhantomData<&'a mut BlkpgPartition>,
}

/// `struct blkpg_partition`, in bytes.
#[repr(C)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

const BLKPG: u32 = 0x1269;
const RESIZE_PARTITION: i32 = 3;

/// `struct xfs_growfs_data`
#[repr(C)]
struct XfsGrow {
    blocks: u64,
    inode_percent: u32,
}

/// `struct btrfs_ioctl_vol_args`
#[repr(C)]
struct BtrfsArgument {
    descriptor: i64,
    name: [u8; 4088],
}

/// Tells the kernel a partition's new size.
pub(crate) fn resize_partition(disk: &File, number: i32, start: u64, length: u64) -> Result<()> {
    let (start, length) = (i64::try_from(start)?, i64::try_from(length)?);
    let mut partition = BlkpgPartition { start, length, number, names: [0; 128] };
    let argument = BlkpgArgument {
        operation: RESIZE_PARTITION,
        flags: 0,
        length: i32::try_from(size_of::<BlkpgPartition>())?,
        data: (&raw mut partition).cast(),
        partition: PhantomData,
    };
    // SAFETY: BLKPG reads an argument of this form, and the partition, which outlives the call.
    unsafe { ioctl(disk, Setter::<{ BLKPG as rustix::ioctl::Opcode }, BlkpgArgument<'_>>::new(argument))? };
    Ok(())
}

/// Grows a mounted ext2, ext3 or ext4 to this many blocks.
pub(crate) fn grow_ext4(mount: &File, blocks: u64) -> Result<()> {
    const OPCODE: rustix::ioctl::Opcode = opcode::write::<u64>(b'f', 16);
    // SAFETY: EXT4_IOC_RESIZE_FS reads a number of 64 bits.
    unsafe { ioctl(mount, Setter::<OPCODE, u64>::new(blocks))? };
    Ok(())
}

/// Grows a mounted xfs to this many blocks. The share of inodes stays as it is.
pub(crate) fn grow_xfs(mount: &File, blocks: u64, inode_percent: u8) -> Result<()> {
    const OPCODE: rustix::ioctl::Opcode = opcode::write::<XfsGrow>(b'X', 110);
    let argument = XfsGrow { blocks, inode_percent: inode_percent.into() };
    // SAFETY: XFS_IOC_FSGROWFSDATA reads a structure of this form.
    unsafe { ioctl(mount, Setter::<OPCODE, XfsGrow>::new(argument))? };
    Ok(())
}

/// Grows one device of a mounted btrfs to its end.
pub(crate) fn grow_btrfs(mount: &File, device: u64) -> Result<()> {
    const OPCODE: rustix::ioctl::Opcode = opcode::write::<BtrfsArgument>(0x94, 3);
    let mut argument = BtrfsArgument { descriptor: 0, name: [0; 4088] };
    let words = format!("{device}:max");
    for (place, byte) in argument.name.iter_mut().zip(words.bytes()) {
        *place = byte;
    }
    // SAFETY: BTRFS_IOC_RESIZE reads a structure of this form.
    unsafe { ioctl(mount, Setter::<OPCODE, BtrfsArgument>::new(argument))? };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's headers have the same numbers, except on a few architectures.
    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    fn numbers_and_sizes_are_the_kernels() {
        assert_eq!(opcode::write::<u64>(b'f', 16), 0x4008_6610);
        assert_eq!(opcode::write::<XfsGrow>(b'X', 110), 0x4010_586e);
        assert_eq!(opcode::write::<BtrfsArgument>(0x94, 3), 0x5000_9403);
        assert_eq!((size_of::<BlkpgPartition>(), size_of::<BlkpgArgument<'_>>()), (152, 24));
    }

    #[test]
    fn a_file_system_of_another_kind_refuses() {
        let directory = File::open("/proc/self").unwrap();
        assert!(grow_ext4(&directory, 1).is_err());
        assert!(grow_xfs(&directory, 1, 25).is_err());
        assert!(grow_btrfs(&directory, 1).is_err());
        assert!(resize_partition(&directory, 1, 0, 512).is_err());
    }
}
