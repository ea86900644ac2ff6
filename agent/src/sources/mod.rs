//! Where a seed can come from, a file each.
//!
//! To add one: a file here with a `detect` and a `read` function, and a line in `ALL`. `detect` looks at what is
//! on the machine alone: firmware, labels, parameters and files. Only a source that it finds a signal of is read,
//! so that an unknown machine's network is never asked. `read` says `None` when there is nothing after all; an
//! error is a source that is there and silent or broken.

pub(crate) mod hand_off;

mod config_drive;
mod credentials;
mod ec2;
mod nocloud_config;
mod nocloud_directory;
mod nocloud_volume;
mod none;
pub(crate) mod openstack;
mod ovf;
mod qemu_fw_cfg;
mod smbios_serial;
mod smbios_strings;
pub(crate) mod vmware;

use crate::command_line;
use crate::dmi;
use crate::fetch::{self, Client, Over};
use crate::instance::{Instance, NO_ID};
use crate::nocloud::{self, Said};
use crate::report::Report;
use crate::root::Root;
use crate::seed::Seed;
use crate::system_config::SystemConfig;
use crate::volume::Volumes;
use crate::yaml::{Mapping, Value};
use anyhow::Result;
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::hand_off::{Seed as HandOff, source_of};
use std::time::Duration;

/// The facts that sources may know.
pub(crate) struct SourceFacts<'a> {
    /// The machine.
    pub(crate) root: &'a Root,
    /// Its configuration.
    pub(crate) config: SystemConfig,
    /// Its kernel's command line.
    pub(crate) line: CommandLine,
    /// The instance that the machine was last.
    pub(crate) kept: Option<String>,
    /// The time that each source may take.
    pub(crate) budget: Duration,
    volumes: Volumes,
}

/// A source.
pub(crate) struct Source {
    /// Its name, which is its file's.
    pub(crate) name: &'static str,
    /// Its name in `datasource_list` and `ds=`.
    pub(crate) cloud: &'static str,
    /// The sign by which it is recognised, for people.
    pub(crate) sign: &'static str,
    /// Looks for it without asking anyone.
    pub(crate) detect: fn(&SourceFacts<'_>) -> Result<Option<Signal>>,
    /// Asks it.
    pub(crate) read: fn(&SourceFacts<'_>, &mut Report) -> Result<Option<Seed>>,
}

/// The reason why a source is believed to be there.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Signal {
    /// The sign that was seen.
    pub(crate) seen: String,
    /// Where its data is.
    pub(crate) reach: Reach,
}

/// Where a source's data is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// In the machine.
    Machine,
    /// On the network.
    Network,
}

impl Signal {
    fn in_machine(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), reach: Reach::Machine }
    }

    fn on_network(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), reach: Reach::Network }
    }

    /// Builds the signal for a seed's place.
    fn at(place: Option<&str>, seen: impl Into<String>) -> Self {
        match place {
            Some(place) if fetch::local_path(place).is_none() => Self::on_network(seen),
            _ => Self::in_machine(seen),
        }
    }
}

/// The sources in the order in which they are asked.
pub(crate) const ALL: &[Source] = &[
    Source {
        name: "hand_off",
        cloud: NOCLOUD,
        sign: "a seed on the kernel command line",
        detect: hand_off::detect,
        read: hand_off::read,
    },
    Source {
        name: "smbios_serial",
        cloud: NOCLOUD,
        sign: "a serial number of the form ds=nocloud",
        detect: smbios_serial::detect,
        read: smbios_serial::read,
    },
    Source {
        name: "smbios_strings",
        cloud: NOCLOUD,
        sign: "an SMBIOS string of the form ds=nocloud, or with a credential",
        detect: smbios_strings::detect,
        read: smbios_strings::read,
    },
    Source {
        name: "nocloud_config",
        cloud: NOCLOUD,
        sign: "a seed in the system's configuration",
        detect: nocloud_config::detect,
        read: nocloud_config::read,
    },
    Source {
        name: "nocloud_directory",
        cloud: NOCLOUD,
        sign: "a seed below /var/lib/cloud/seed",
        detect: nocloud_directory::detect,
        read: nocloud_directory::read,
    },
    Source {
        name: "nocloud_volume",
        cloud: NOCLOUD,
        sign: "a volume labelled cidata",
        detect: nocloud_volume::detect,
        read: nocloud_volume::read,
    },
    Source {
        name: "qemu_fw_cfg",
        cloud: "QemuFwCfg",
        sign: "files in QEMU's fw_cfg",
        detect: qemu_fw_cfg::detect,
        read: qemu_fw_cfg::read,
    },
    Source {
        name: "credentials",
        cloud: NOCLOUD,
        sign: "systemd credentials named cloud-init.*",
        detect: credentials::detect,
        read: credentials::read,
    },
    Source {
        name: "config_drive",
        cloud: "ConfigDrive",
        sign: "a volume labelled config-2",
        detect: config_drive::detect,
        read: config_drive::read,
    },
    Source {
        name: "ovf",
        cloud: "OVF",
        sign: "a volume labelled OVF ENV",
        detect: ovf::detect,
        read: ovf::read,
    },
    Source {
        name: "vmware",
        cloud: "VMware",
        sign: "a machine made by VMware, with its tools",
        detect: vmware::detect,
        read: vmware::read,
    },
    Source {
        name: "openstack",
        cloud: "OpenStack",
        sign: "firmware that names OpenStack",
        detect: openstack::detect,
        read: openstack::read,
    },
    Source {
        name: "ec2",
        cloud: "Ec2",
        sign: "firmware that names EC2",
        detect: ec2::detect,
        read: ec2::read,
    },
    Source {
        name: "none",
        cloud: NONE,
        sign: "configuration that stands alone",
        detect: none::detect,
        read: none::read,
    },
];

const NOCLOUD: &str = "NoCloud";
const NONE: &str = "None";

/// One of `NoCloud`'s places: its source, and what it says.
type NoCloudPlace = (&'static str, fn(&SourceFacts<'_>, &mut Report) -> Result<Option<Said>>);

/// `NoCloud`'s places, each before those whose meta-data it wins over.
const NOCLOUD_PLACES: [NoCloudPlace; 6] = [
    ("smbios_serial", smbios_serial::said),
    ("smbios_strings", smbios_strings::said),
    ("hand_off", hand_off::said),
    ("nocloud_directory", nocloud_directory::said),
    ("nocloud_config", nocloud_config::said),
    ("nocloud_volume", nocloud_volume::said),
];

/// Joins the places of a source and of those behind it. Those before it were asked, and are silent.
fn nocloud(first: &str, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Option<Seed>> {
    nocloud::join(nocloud_places(first, facts, report)?, facts, report)
}

/// Reads the places of a source and of those behind it.
pub(crate) fn nocloud_places(first: &str, facts: &SourceFacts<'_>, report: &mut Report) -> Result<Vec<Said>> {
    let from_first = || ALL.iter().skip_while(|source| source.name != first);
    let mut all = Vec::new();
    for (name, said) in NOCLOUD_PLACES {
        if !from_first().any(|source| source.name == name) {
            continue;
        }
        match said(facts, report) {
            Ok(said) => all.extend(said),
            // The others count for a new machine. An old one would lose what this place said.
            Err(error) if facts.kept.is_none() && name != first => {
                report.warn(format!("source {name}: {error:#}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The parameters by which the kernel command line names a source.
const PARAMETERS: [&str; 3] = ["ds", "ci.ds", "ci.datasource"];

impl<'a> SourceFacts<'a> {
    /// Reads them.
    pub(crate) fn read(root: &'a Root, kept: Option<String>, budget: Duration) -> Result<Self> {
        let (config, line) = (SystemConfig::read(root), command_line::read(root)?);
        Ok(Self { root, config, line, kept, budget, volumes: Volumes::default() })
    }

    /// True if a seed without user-data is about the kept instance. Under the id that it gives, if any, there is
    /// user-data already, whose volume has gone.
    pub(crate) fn goes_on_as(&self, id: Option<&str>) -> Result<bool> {
        let Some(kept) = self.kept.as_deref() else { return Ok(false) };
        let path = Instance::new(kept).path("user-data.txt");
        Ok(id.is_none_or(|id| id == kept) && self.root.read(&path)?.is_some_and(|data| !data.is_empty()))
    }

    /// True if the kept instance has an id that nothing but meta-data can have given it.
    pub(crate) fn kept_has_id_of_meta_data(&self) -> bool {
        let is_given = |hand_off: HandOff| hand_off.instance_id.is_some();
        self.kept.as_deref().is_some_and(|kept| kept != NO_ID)
            && !hand_off::of(self).is_ok_and(|hand_off| hand_off.is_some_and(is_given))
    }

    /// The paths of the volumes that have one of the labels.
    fn volumes(&self, labels: &[&str]) -> Result<Vec<String>> {
        self.volumes.labelled(labels, self.root)
    }

    /// A client for one seed.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::new(self.budget, Over::Either, self.root)
    }

    /// A client for a metadata service, which may have been given less time.
    fn metadata_client(&self, cloud: &str) -> Result<Client> {
        let budget = self.seconds(cloud, "max_wait").map_or(self.budget, |limit| limit.min(self.budget));
        Client::new(budget, Over::Either, self.root)
    }

    /// A place with what it asks of the firmware in it.
    pub(crate) fn substituted(&self, place: &str) -> String {
        dmi::substituted(place, self.root)
    }

    /// One of the firmware's values; empty when it has none.
    pub(crate) fn dmi(&self, file: &str) -> String {
        dmi::value(self.root, file)
    }

    /// A source's settings.
    pub(crate) fn settings(&self, cloud: &str) -> Option<&Mapping> {
        self.config.datasource(cloud)
    }

    /// Addresses in a source's settings, each without a `/` at its end.
    fn metadata_urls(&self, cloud: &str) -> Option<Vec<String>> {
        let urls = self.settings(cloud)?.get("metadata_urls")?;
        let urls = match urls {
            Value::Seq(urls) => urls.iter().filter_map(Value::as_str).collect(),
            Value::Str(url) => vec![url.as_str()],
            _ => Vec::new(),
        };
        Some(urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect())
    }

    /// The time that one attempt may take.
    fn patience(&self, cloud: &str) -> Duration {
        self.seconds(cloud, "timeout").unwrap_or(PATIENCE)
    }

    fn seconds(&self, cloud: &str, key: &str) -> Option<Duration> {
        match self.settings(cloud)?.get(key)? {
            Value::Int(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        }
    }

    /// The source that the kernel command line names.
    fn named(&self) -> Option<&str> {
        let name = self.named_by_line()?.1;
        // Its old name.
        Some(if name.eq_ignore_ascii_case("nocloud-net") { NOCLOUD } else { name })
    }

    /// The parameter of the kernel command line that names a source, and the name.
    pub(crate) fn named_by_line(&self) -> Option<(&'static str, &str)> {
        let mut given = PARAMETERS.iter().filter_map(|name| Some((*name, source_of(self.line.value(name)?))));
        given.find(|(_, source)| !source.is_empty())
    }

    /// The places in the firmware that name a source, and the name.
    pub(crate) fn named_by_firmware(&self) -> Vec<(String, String)> {
        let named = |what: String, value: &str| (what, source_of(value).to_owned());
        let serial = smbios_serial::value(self)
            .map(|(serial, value)| named(format!("the firmware's serial number `{serial}`"), &value));
        let string =
            smbios_strings::value(self).map(|value| named(format!("the SMBIOS string `ds={value}`"), &value));
        serial.into_iter().chain(string).collect()
    }

    /// A directory for `NoCloud`'s seed that holds none.
    pub(crate) fn empty_seed_directory(&self) -> Option<String> {
        nocloud_directory::empty(self)
    }

    /// The reason why a source is there although nothing shows it: it is named, or the configuration has no other.
    fn told(&self, cloud: &str) -> Option<Signal> {
        if self.named().is_some_and(|name| name.eq_ignore_ascii_case(cloud)) {
            return Some(Signal::on_network("the kernel command line names it"));
        }
        let list = self.config.datasource_list()?;
        let alone = match list.as_slice() {
            [one] => one,
            // It stands for what is done where the one has nothing.
            [_, none] if none == NONE && cloud == NONE => none,
            [one, none] if none == NONE => one,
            _ => return None,
        };
        alone.eq_ignore_ascii_case(cloud).then(|| Signal::on_network("datasource_list has no other"))
    }

    /// The reason why a source is not even looked for.
    pub(crate) fn left_out(&self, source: &Source) -> Option<&'static str> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(source.cloud);
        if let Some(name) =
            self.named().filter(|name| ALL.iter().any(|source| source.cloud.eq_ignore_ascii_case(name)))
        {
            return (!is_it(name)).then_some("the kernel command line names another");
        }
        // The kernel command line's seed counts whatever the image was made for.
        let list = self.config.datasource_list().filter(|_| source.name != "hand_off")?;
        (!list.iter().any(|name| is_it(name))).then_some("datasource_list leaves it out")
    }
}

/// True if `datasource_list` and `ds=` may name a source so.
pub(crate) fn is_known(name: &str) -> bool {
    name.eq_ignore_ascii_case("nocloud-net")
        || ALL.iter().any(|source| source.cloud.eq_ignore_ascii_case(name))
}

/// The names that they may use.
pub(crate) fn known() -> String {
    let mut names: Vec<_> = ALL.iter().map(|source| source.cloud).collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    names.join(", ")
}

/// cloud-init's name of what a source calls itself.
fn cloud(source: &str) -> &str {
    if source.eq_ignore_ascii_case("nocloud-net") {
        return "NoCloudNet";
    }
    ALL.iter().find(|one| one.cloud.eq_ignore_ascii_case(source)).map_or(source, |one| one.cloud)
}

/// A source as cloud-init names it in its record; the place is empty where nobody knows it.
pub(crate) fn recorded(source: &str, place: &str) -> String {
    let place = if place.is_empty() { String::new() } else { format!("{SEED}{place}]") };
    format!("DataSource{}{place}", cloud(source))
}

const SEED: &str = " [seed=";

/// A source as it is kept for later boots.
pub(crate) fn to_keep(source: &str, place: &str) -> String {
    format!("DataSource{}: {}\n", cloud(source), recorded(source, &place.replace('\n', " ")))
}

/// A source by its own name, and its place, from what the agent or cloud-init kept: `ec2`, `DataSourceEc2Local: …`.
pub(crate) fn kept_as(text: &str) -> (String, String) {
    let (name, rest) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
    let place = rest.split_once(SEED).map(|(_, place)| place.split("][dsmode=").next().unwrap_or_default());
    let place = place.map(|place| place.strip_suffix(']').unwrap_or(place).to_owned()).unwrap_or_default();
    let Some(cloud) = name.strip_prefix("DataSource") else { return (name.to_owned(), place) };
    (cloud.trim_end_matches("Local").trim_end_matches("Net").to_lowercase(), place)
}

/// The time that one attempt to ask a metadata service may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The signs of sources that may be there, each with the reach that its data needs.
pub(crate) fn signals(facts: &SourceFacts<'_>) -> Vec<Signal> {
    let sources = ALL.iter().filter(|source| facts.left_out(source).is_none());
    // One that cannot even be looked for is to be told in its stage.
    let broken = |error: anyhow::Error| Some(Signal::in_machine(format!("{error:#}")));
    sources.filter_map(|source| (source.detect)(facts).unwrap_or_else(broken)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_source_is_read_again() {
        for (source, place) in
            [("nocloud", "/dev/sr0"), ("ec2", "http://[fd00:ec2::254]"), ("lifeboat.seed", "")]
        {
            assert_eq!(kept_as(&to_keep(source, place)), (source.to_owned(), place.to_owned()));
        }
        let of = |source: &str, place: &str| (source.to_owned(), place.to_owned());
        assert_eq!(kept_as("ec2\n"), of("ec2", ""));
        let nocloud = "DataSourceNoCloudNet: DataSourceNoCloudNet [seed=cmdline,/dev/sr0][dsmode=net]\n";
        assert_eq!(kept_as(nocloud), of("nocloud", "cmdline,/dev/sr0"));
        assert_eq!(kept_as(""), of("", ""));
    }

    #[test]
    fn every_file_is_in_the_table() {
        crate::table::check("sources", ALL.iter().map(|source| source.name));
    }
}
