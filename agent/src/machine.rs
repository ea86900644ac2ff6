//! The lookups that a plan may make on the machine. A plan that reads through this trait is tested with files in
//! memory.

use crate::block::superblock::{self, Superblock};
use crate::root::Root;
use anyhow::Result;
use std::fs::File;
use std::net::ToSocketAddrs;
use std::os::fd::AsRawFd;

/// Where programs are, as handlers look for them.
const PATH: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// The files of a machine. Paths have no leading `/`.
pub(crate) trait Machine {
    /// A file's text; `None` if there is no such file.
    fn text(&self, path: &str) -> Result<Option<String>>;
    /// The names in a directory, sorted; none if there is no such directory.
    fn names(&self, directory: &str) -> Result<Vec<String>>;
    /// True if the path leads to something.
    fn holds(&self, path: &str) -> Result<bool>;
    /// The target of a symbolic link; `None` if the path is none.
    fn link(&self, path: &str) -> Result<Option<String>>;

    /// The bytes that are free where a path is or would be; `None` if nobody knows.
    fn room(&self, path: &str) -> Result<Option<u64>>;

    /// Says if a host of this name is known.
    fn resolves(&self, host: &str) -> Result<bool>;
    /// The superblock on a device, by the kernel's name of that; `None` for kinds that do not grow.
    fn superblock(&self, device: &str) -> Result<Option<Superblock>>;

    /// True if a program of this name is installed.
    fn has_program(&self, name: &str) -> Result<bool> {
        for directory in PATH {
            if self.holds(&format!("{directory}/{name}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Machine for Root {
    fn resolves(&self, host: &str) -> Result<bool> {
        Ok(self.is_live() && (host, 80).to_socket_addrs().is_ok_and(|mut found| found.next().is_some()))
    }

    fn text(&self, path: &str) -> Result<Option<String>> {
        self.read_text(path)
    }

    fn names(&self, directory: &str) -> Result<Vec<String>> {
        Self::names(self, directory)
    }

    fn holds(&self, path: &str) -> Result<bool> {
        Self::holds(self, path)
    }

    fn link(&self, path: &str) -> Result<Option<String>> {
        self.link_target(path)
    }

    fn room(&self, path: &str) -> Result<Option<u64>> {
        let mut path = path.trim_matches('/');
        while let Some((above, _)) = path.rsplit_once('/') {
            path = above;
            if let Some(there) = self.locate(path)? {
                let stat = rustix::fs::fstatvfs(there)?;
                return Ok(Some(stat.f_frsize.saturating_mul(stat.f_bfree)));
            }
        }
        let stat = rustix::fs::fstatvfs(self.open_directory("")?)?;
        Ok(Some(stat.f_frsize.saturating_mul(stat.f_bfree)))
    }

    fn superblock(&self, device: &str) -> Result<Option<Superblock>> {
        let Some(device) = self.locate(&format!("dev/{device}"))? else { return Ok(None) };
        // Whoever may not open it has no right to grow it, and may still ask for a plan or check a file.
        let Ok(device) = File::open(format!("/proc/self/fd/{}", device.as_raw_fd())) else { return Ok(None) };
        superblock::read(&device)
    }
}

/// A machine of files in memory: path -> text. A text that begins with `-> ` is a symbolic link.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Paper<'a>(pub(crate) &'a [(&'a str, &'a str)]);

#[cfg(test)]
impl Machine for Paper<'_> {
    fn resolves(&self, host: &str) -> Result<bool> {
        self.holds(&format!("dns/{host}"))
    }

    fn text(&self, path: &str) -> Result<Option<String>> {
        let found = self.0.iter().find(|(known, text)| *known == path && !text.starts_with("-> "));
        Ok(found.map(|(_, text)| (*text).to_owned()))
    }

    fn names(&self, directory: &str) -> Result<Vec<String>> {
        let below = self.0.iter().filter_map(|(path, _)| path.strip_prefix(directory)?.strip_prefix('/'));
        let mut names: Vec<_> = below.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn holds(&self, path: &str) -> Result<bool> {
        Ok(self.0.iter().any(|(known, _)| *known == path) || !self.names(path)?.is_empty())
    }

    fn link(&self, path: &str) -> Result<Option<String>> {
        let found = self.0.iter().find(|(known, _)| *known == path);
        Ok(found.and_then(|(_, text)| text.strip_prefix("-> ")).map(str::to_owned))
    }

    /// A file `room` says it.
    fn room(&self, _: &str) -> Result<Option<u64>> {
        Ok(self.text("room")?.and_then(|text| text.parse().ok()))
    }

    /// A file `ext4/DEVICE` says how large it is.
    fn superblock(&self, device: &str) -> Result<Option<Superblock>> {
        let length = self.text(&format!("ext4/{device}"))?.and_then(|text| text.parse().ok());
        Ok(length.map(|length| Superblock { kind: superblock::Kind::Ext { block: 4096 }, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_in_memory_and_one_on_a_disk_look_alike() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("etc/a/one", b"1", 0o644).unwrap();
        root.write("usr/bin/tool", b"", 0o755).unwrap();
        root.link("etc/link", "/etc/a/one").unwrap();
        let paper = Paper(&[("etc/a/one", "1"), ("usr/bin/tool", ""), ("etc/link", "-> /etc/a/one")]);
        let machines: [&dyn Machine; 2] = [&root, &paper];
        for machine in machines {
            assert_eq!(machine.text("etc/a/one").unwrap().as_deref(), Some("1"));
            assert_eq!(machine.text("etc/b").unwrap(), None);
            assert_eq!(machine.names("etc").unwrap(), ["a", "link"]);
            assert_eq!(machine.names("none").unwrap(), [""; 0]);
            assert!(machine.holds("etc/a").unwrap() && machine.holds("etc/link").unwrap());
            assert!(!machine.holds("etc/b").unwrap());
            assert_eq!(machine.link("etc/link").unwrap().as_deref(), Some("/etc/a/one"));
            assert_eq!(machine.link("etc/b").unwrap(), None);
            assert!(machine.has_program("tool").unwrap() && !machine.has_program("other").unwrap());
        }
    }

    #[test]
    fn a_device_that_may_not_be_opened_says_nothing_of_its_file_system() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let mut xfs = vec![0; 4096];
        xfs[..16].copy_from_slice(b"XFSB\0\0\x10\0\0\0\0\0\0\0\x01\0");
        root.write("dev/vda1", &xfs, 0o600).unwrap();
        // Nobody can open a socket, not even root.
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("dev/vda2")).unwrap();
        assert_eq!(root.superblock("vda1").unwrap().unwrap().length, 1 << 20);
        assert_eq!(root.superblock("vda2").unwrap(), None);
        assert_eq!(root.superblock("vda3").unwrap(), None);
    }
}
