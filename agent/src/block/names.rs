//! The names that a cloud-config may have for a device: paths, the kernel's names, aliases, and names that the cloud
//! gives (`ephemeral0`). Each may have the number of a partition behind a dot.

use super::kernel_name;
use crate::machine::Machine;
use crate::meta_data::MetaData;
use crate::yaml::{Mapping, Value};
use anyhow::Result;

/// Where a source keeps the cloud's names: in its meta-data, or in what EC2's service says on another cloud.
const MAPPING: &str = "block-device-mapping";
const OF_EC2: &str = "ec2_metadata";

/// The cloud says `sdb`, and the hypervisor's driver makes another name of it.
const DRIVERS: [&str; 3] = ["vd", "xvd", "vtb"];

/// The names of one machine.
pub(crate) struct Names<'a> {
    machine: &'a dyn Machine,
    aliases: Option<&'a Mapping>,
    meta_data: &'a MetaData,
}

/// The result of looking up a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A device, by a path below /dev.
    Device(String),
    /// A name that only a device could have, and no such device is there.
    Missing,
    /// Nothing that has to be a device: a label, a share on the network, `tmpfs`, or a device that is not there yet.
    Other,
}

impl<'a> Names<'a> {
    pub(crate) fn new(config: &'a Mapping, meta_data: &'a MetaData, machine: &'a dyn Machine) -> Self {
        Self { machine, aliases: config.get("device_aliases").and_then(Value::as_map), meta_data }
    }

    /// The device that is mounted under a name. A disk's first partition comes before the disk itself.
    pub(crate) fn to_mount(&self, name: &str) -> Result<Found> {
        let name = if name == "ephemeral" { "ephemeral0" } else { name };
        // A share: `server:/path`.
        if name.split_once(':').is_some_and(|(server, _)| !server.is_empty()) {
            return Ok(Found::Other);
        }
        let (name, number) = dotted(name);
        let is_own = self.alias(name).is_some() || is_of_cloud(name);
        let missing = if is_own { Found::Missing } else { Found::Other };
        let Some(path) = self.path(name)? else { return Ok(missing) };
        let partition = self.partition(&path, number.unwrap_or("1"))?;
        let whole = if number.is_none() && self.is_device(&path)? { Some(path) } else { None };
        Ok(partition.or(whole).map_or(missing, Found::Device))
    }

    /// The path of a name without a partition's number; `None` for a name that the cloud would have to give, and does
    /// not.
    fn path(&self, name: &str) -> Result<Option<String>> {
        let name = self.alias(name).unwrap_or(name);
        if is_of_cloud(name) {
            return self.of_cloud(name);
        }
        let is_kernels = !name.contains('/') && kernel_name(self.machine, &format!("dev/{name}"))?.is_some();
        Ok(Some(if is_kernels { format!("/dev/{name}") } else { name.to_owned() }))
    }

    fn alias(&self, name: &str) -> Option<&'a str> {
        self.aliases?.get(name)?.as_str()
    }

    fn of_cloud(&self, name: &str) -> Result<Option<String>> {
        let places = [Some(&self.meta_data.all), self.meta_data.beside.get(OF_EC2).and_then(Value::as_map)];
        let named = |mapping: &'a Mapping| {
            let mapping = mapping.get(MAPPING)?.as_map()?;
            let of_old = (name == "ephemeral0").then_some("ephemeral");
            mapping.get(name).or_else(|| mapping.get(of_old?))?.as_str()
        };
        let Some(device) = places.into_iter().flatten().find_map(named) else { return Ok(None) };
        let device = device.strip_prefix("/dev/").unwrap_or(device);
        let others = device.strip_prefix("sd").into_iter();
        let others = others.flat_map(|rest| DRIVERS.iter().map(move |driver| format!("{driver}{rest}")));
        for candidate in std::iter::once(device.to_owned()).chain(others) {
            let path = format!("/dev/{candidate}");
            if self.is_device(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// A partition of a disk, in the way in which the disk was named.
    pub(crate) fn partition(&self, disk: &str, number: &str) -> Result<Option<String>> {
        let Some(disk_name) = kernel_name(self.machine, disk)? else { return Ok(None) };
        for between in ["", "p", "-part"] {
            let path = format!("{disk}{between}{number}");
            if let Some(name) = kernel_name(self.machine, &path)?
                && self.machine.holds(&format!("{}/{disk_name}/{name}", super::CLASS))?
            {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn is_device(&self, path: &str) -> Result<bool> {
        Ok(kernel_name(self.machine, path)?.is_some())
    }
}

/// True for names that clouds give: `ephemeral0`, `ebs1`, `swap`, `root`.
fn is_of_cloud(name: &str) -> bool {
    ["ami", "root", "swap"].contains(&name)
        || ["ephemeral", "ebs"].iter().any(|kind| name.starts_with(kind) && !name.contains(':'))
}

/// A name, and the partition's number behind its last dot.
pub(crate) fn dotted(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) => {
            (name, Some(number))
        }
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paper;
    use crate::{meta_data, yaml};

    const MACHINE: Paper<'_> = Paper(&[
        ("sys/class/block/vdb/vdb1/partition", "1"),
        ("sys/class/block/vdb1/partition", "1"),
        ("sys/class/block/vdc/size", "8"),
        ("sys/class/block/nvme1n1/nvme1n1p2/partition", "2"),
        ("sys/class/block/nvme1n1p2/partition", "2"),
        ("dev/disk/by-id/data", "-> ../../vdb"),
        ("dev/disk/by-id/data-part1", "-> ../../vdb1"),
    ]);

    fn of(name: &str) -> Found {
        let config = "device_aliases: {mine: /dev/vdb, fast: nvme1n1, cloud: ephemeral1, none: /dev/vdz}";
        let meta = "{block-device-mapping: {ephemeral: sdc, ephemeral1: /dev/sdb, ephemeral2: sdz, root: /dev/sda1}}";
        let config = yaml::load(config).unwrap();
        let meta_data = meta_data::parse(meta.as_bytes()).unwrap();
        Names::new(config.as_map().unwrap(), &meta_data, &MACHINE).to_mount(name).unwrap()
    }

    #[test]
    fn a_name_is_a_device_a_missing_one_or_something_else() {
        for (name, path) in [
            ("vdb", "/dev/vdb1"),
            ("/dev/vdb", "/dev/vdb1"),
            ("vdb1", "/dev/vdb1"),
            ("vdc", "/dev/vdc"),
            ("mine", "/dev/vdb1"),
            ("mine.1", "/dev/vdb1"),
            ("fast", "/dev/nvme1n1"),
            ("fast.2", "/dev/nvme1n1p2"),
            ("cloud", "/dev/vdb1"),
            ("ephemeral", "/dev/vdc"),
            ("ephemeral0", "/dev/vdc"),
            ("ephemeral1.1", "/dev/vdb1"),
            ("/dev/disk/by-id/data", "/dev/disk/by-id/data-part1"),
        ] {
            assert_eq!(of(name), Found::Device(path.into()), "{name}");
        }
        for name in ["ephemeral0.1", "ephemeral2", "ephemeral3", "ebs4", "swap", "root", "none", "mine.2"] {
            assert_eq!(of(name), Found::Missing, "{name}");
        }
        for name in
            ["tmpfs", "LABEL=a.1", "UUID=b", "server:/share", "sdz", "/dev/vdz", "/dev/vdb.2", "/a.img"]
        {
            assert_eq!(of(name), Found::Other, "{name}");
        }
    }
}
