//! The names of this machine's architecture. Packages and guests are made for it; no other file names one.

#[cfg(target_arch = "x86_64")]
mod names {
    pub(crate) const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";
    pub(crate) const DEBIAN: &str = "amd64";
    pub(crate) const HEADERS: &str = "/usr/include/x86_64-linux-gnu";
    pub(crate) const QEMU_PACKAGE: &str = "qemu-system-x86";
    pub(crate) const QEMU: &str = "qemu-system-x86_64";
}

// Packages only: guests need a machine type and a console of their own there.
#[cfg(target_arch = "aarch64")]
mod names {
    pub(crate) const MUSL_TARGET: &str = "aarch64-unknown-linux-musl";
    pub(crate) const DEBIAN: &str = "arm64";
    pub(crate) const HEADERS: &str = "/usr/include/aarch64-linux-gnu";
    pub(crate) const QEMU_PACKAGE: &str = "qemu-system-arm";
    pub(crate) const QEMU: &str = "qemu-system-aarch64";
}

pub(crate) use names::{DEBIAN, HEADERS, MUSL_TARGET, QEMU, QEMU_PACKAGE};

/// The ending of the releases of Debian's cloud kernels, as in `6.1.0-32-cloud-amd64`.
pub(crate) fn cloud_flavour() -> String {
    format!("-cloud-{DEBIAN}")
}
