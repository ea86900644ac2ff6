//! All unsafe code of the boot program: libblkid's C functions, three ioctls, one timer and the kind of process.
//!
//! The safe `blkid` crate hides its probe's pointer. So it gives neither the filter by type nor a label that is no
//! UTF-8.
#![allow(unsafe_code, reason = "C functions and ioctls can be called in no other way")]

use anyhow::{Context, Result, bail};
use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;

/// The values that libblkid reads from a superblock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Superblock {
    /// libblkid's name of the type, such as `ext4`.
    pub(crate) kind: String,
    /// The label, in whatever bytes the disk holds.
    pub(crate) label: Option<Vec<u8>>,
    /// The file system's UUID as text.
    pub(crate) uuid: Option<String>,
    /// Where a file system is on several devices, the UUID of this one.
    pub(crate) device_uuid: Option<String>,
}

struct Probe(blkid_sys::blkid_probe);

impl Probe {
    /// The device must stay open as long as the probe is used.
    fn of(device: &File) -> Result<Self> {
        // SAFETY: libblkid is given a probe that it made; of the device it keeps the descriptor's number alone.
        unsafe {
            let probe = Self(blkid_sys::blkid_new_probe());
            if probe.0.is_null() {
                bail!("libblkid is out of memory");
            }
            check(
                blkid_sys::blkid_probe_set_device(probe.0, device.as_raw_fd(), 0, 0),
                "take up the device",
            )?;
            Ok(probe)
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // SAFETY: the pointer came from blkid_new_probe and is freed once.
        unsafe { blkid_sys::blkid_free_probe(self.0) }
    }
}

/// Looks for a superblock of one of `types` (libblkid's names). `None`: there is none. Two that contradict
/// each other are an error, as with blkid itself.
///
/// The filter is what keeps the cost down: unfiltered, libblkid reads 1 MiB of each device.
pub(crate) fn probe(device: &File, types: &[&'static CStr]) -> Result<Option<Superblock>> {
    let mut names: Vec<*mut c_char> = types.iter().map(|name| name.as_ptr().cast_mut()).collect();
    names.push(ptr::null_mut());
    let wanted = blkid_sys::BLKID_SUBLKS_TYPE | blkid_sys::BLKID_SUBLKS_LABEL | blkid_sys::BLKID_SUBLKS_UUID;

    // SAFETY: the probe lives until the end of this function, `device` and `names` as long; libblkid reads
    // the names and writes to none of them.
    let found = unsafe {
        let probe = Probe::of(device)?;
        check(blkid_sys::blkid_probe_enable_superblocks(probe.0, 1), "look for superblocks")?;
        check(blkid_sys::blkid_probe_set_superblocks_flags(probe.0, wanted.cast_signed()), "choose values")?;
        let only = blkid_sys::BLKID_FLTR_ONLYIN.cast_signed();
        check(
            blkid_sys::blkid_probe_filter_superblocks_type(probe.0, only, names.as_mut_ptr()),
            "filter by type",
        )?;
        match blkid_sys::blkid_do_safeprobe(probe.0) {
            0 => {}
            1 => return Ok(None),
            -2 => bail!("superblocks of different types contradict each other (`wipefs` lists them)"),
            _ => return Err(std::io::Error::last_os_error()).context("read superblocks"),
        }
        (value(&probe, c"TYPE"), value(&probe, c"LABEL"), value(&probe, c"UUID"), value(&probe, c"UUID_SUB"))
    };
    let (Some(kind), label, uuid, device_uuid) = found else { return Ok(None) };
    Ok(Some(Superblock { kind: text(kind), label, uuid: uuid.map(text), device_uuid: device_uuid.map(text) }))
}

/// The id and the name that the partition table gives to a partition; neither for a whole disk.
pub(crate) fn partition(device: &File) -> Result<(Option<String>, Option<String>)> {
    // SAFETY: as in `probe`.
    let (uuid, name) = unsafe {
        let probe = Probe::of(device)?;
        check(blkid_sys::blkid_probe_enable_superblocks(probe.0, 0), "pass over superblocks")?;
        check(blkid_sys::blkid_probe_enable_partitions(probe.0, 1), "look for partitions")?;
        let details = blkid_sys::BLKID_PARTS_ENTRY_DETAILS.cast_signed();
        check(blkid_sys::blkid_probe_set_partitions_flags(probe.0, details), "choose values")?;
        if blkid_sys::blkid_do_safeprobe(probe.0) != 0 {
            return Ok((None, None));
        }
        (value(&probe, c"PART_ENTRY_UUID"), value(&probe, c"PART_ENTRY_NAME"))
    };
    Ok((uuid.map(text), name.map(text)))
}

/// Makes a block device read-only or writable for everyone (BLKROSET): a journal is not replayed on it.
pub(crate) fn set_read_only(device: &File, read_only: ReadOnly) -> rustix::io::Result<()> {
    const BLKROSET: rustix::ioctl::Opcode = rustix::ioctl::opcode::none(0x12, 93);
    let value = match read_only {
        ReadOnly::On => 1,
        ReadOnly::Off => 0,
    };
    // SAFETY: BLKROSET reads one int through its argument.
    unsafe { rustix::ioctl::ioctl(device, rustix::ioctl::Setter::<BLKROSET, c_int>::new(value)) }
}

/// See [`set_read_only`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReadOnly {
    /// Writes are refused.
    On,
    /// Writes are allowed.
    Off,
}

/// True if a CD drive says that no medium is in it, or that its tray is open (`CDROM_DRIVE_STATUS`).
pub(crate) fn is_empty_drive(device: &File) -> bool {
    struct DriveStatus;
    // SAFETY: CDROM_DRIVE_STATUS takes a number, and answers with its own.
    unsafe impl rustix::ioctl::Ioctl for DriveStatus {
        type Output = c_int;
        const IS_MUTATING: bool = false;
        fn opcode(&self) -> rustix::ioctl::Opcode {
            rustix::ioctl::opcode::none(b'S', 0x26)
        }
        fn as_ptr(&mut self) -> *mut c_void {
            // The slot that is in use.
            ptr::without_provenance_mut(c_int::MAX as usize)
        }
        unsafe fn output_from_ptr(status: c_int, _: *mut c_void) -> rustix::io::Result<c_int> {
            Ok(status)
        }
    }
    const NO_DISC: c_int = 1;
    const TRAY_OPEN: c_int = 2;
    // SAFETY: as above.
    matches!(unsafe { rustix::ioctl::ioctl(device, DriveStatus) }, Ok(NO_DISC | TRAY_OPEN))
}

/// Makes btrfs forget a device that it was shown: of two with one identity it mounts only the one it knows.
pub(crate) fn forget_btrfs(control: &File, device: &[u8]) -> rustix::io::Result<()> {
    /// `struct btrfs_ioctl_vol_args`
    #[repr(C)]
    struct BtrfsArguments {
        fd: i64,
        name: [u8; 4088],
    }
    const BTRFS_IOC_FORGET_DEV: rustix::ioctl::Opcode =
        rustix::ioctl::opcode::write::<BtrfsArguments>(0x94, 5);
    let mut arguments = BtrfsArguments { fd: 0, name: [0; 4088] };
    for (to, from) in arguments.name.iter_mut().zip(device) {
        *to = *from;
    }
    // SAFETY: the ioctl reads this structure through its argument.
    unsafe { rustix::ioctl::ioctl(control, rustix::ioctl::Setter::<BTRFS_IOC_FORGET_DEV, _>::new(arguments)) }
}

/// Ends this process by SIGALRM when it is still running after `seconds`. One that waits for a
/// device within the kernel ends only when the kernel gives that up.
pub(crate) fn end_after(seconds: u32) {
    unsafe extern "C" {
        safe fn alarm(seconds: u32) -> u32;
    }
    alarm(seconds);
}

/// True if the kernel takes a process for one of 32 bits. That of aarch64 refuses it where no processor has them. In
/// doubt it does.
pub(crate) fn may_run_32_bits() -> bool {
    /// See personality(2): the first asks alone.
    const ASK: c_ulong = 0xffff_ffff;
    const LINUX32: c_ulong = 8;
    unsafe extern "C" {
        safe fn personality(persona: c_ulong) -> c_int;
    }
    let own = personality(ASK);
    let taken = personality(LINUX32) != -1;
    // Nothing is started meanwhile.
    personality(c_ulong::from(own.cast_unsigned()));
    taken
}

fn check(status: c_int, what: &'static str) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()).context(what) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// # Safety
/// The probe must have been run.
unsafe fn value(probe: &Probe, name: &CStr) -> Option<Vec<u8>> {
    let mut data: *const c_char = ptr::null();
    // SAFETY: libblkid hands out a NUL-terminated string that lives as long as the probe; it is copied.
    unsafe {
        if blkid_sys::blkid_probe_lookup_value(probe.0, name.as_ptr(), &raw mut data, ptr::null_mut()) != 0
            || data.is_null()
        {
            return None;
        }
        Some(CStr::from_ptr(data).to_bytes().to_vec()).filter(|bytes| !bytes.is_empty())
    }
}
