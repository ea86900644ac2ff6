//! The places that name a source where nothing may be found in the end. A machine that was told of a seed is not simply
//! without one.

use crate::sources::{self, SourceFacts};

/// The sources of cloud-init that the agent does not have. A list of an image's distribution names them, too.
const OTHERS: [&str; 24] = [
    "AliYun",
    "AltCloud",
    "Akamai",
    "Azure",
    "Bigstep",
    "CloudCIX",
    "CloudSigma",
    "CloudStack",
    "DigitalOcean",
    "Exoscale",
    "GCE",
    "Hetzner",
    "IBMCloud",
    "LXD",
    "MAAS",
    "NWCS",
    "OpenNebula",
    "Oracle",
    "RbxCloud",
    "Scaleway",
    "SmartOS",
    "UpCloud",
    "Vultr",
    "WSL",
];

/// The firmware of such clouds: the kernel's file, the value (`*` stands for any end), and the source.
const FIRMWARE: [(&str, &str, &str); 18] = [
    ("sys_vendor", "Hetzner", "Hetzner"),
    ("sys_vendor", "DigitalOcean", "DigitalOcean"),
    ("sys_vendor", "Linode", "Akamai"),
    ("sys_vendor", "Akamai", "Akamai"),
    ("sys_vendor", "UpCloud", "UpCloud"),
    ("sys_vendor", "NWCS", "NWCS"),
    ("sys_vendor", "Scaleway", "Scaleway"),
    ("sys_vendor", "Vultr", "Vultr"),
    ("product_name", "Google Compute Engine", "GCE"),
    ("product_serial", "GoogleCloud-*", "GCE"),
    ("product_name", "Alibaba Cloud ECS", "AliYun"),
    ("product_name", "CloudStack*", "CloudStack"),
    ("product_name", "CloudCIX", "CloudCIX"),
    ("product_name", "Exoscale*", "Exoscale"),
    ("product_name", "CloudSigma", "CloudSigma"),
    ("product_name", "SmartDC*", "SmartOS"),
    ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "Azure"),
    ("chassis_asset_tag", "OracleCloud.com", "Oracle"),
];

/// One who names a source.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Naming {
    /// The message: the place, the source that it names, and what to do if nothing was found.
    pub(crate) told: String,
    /// The time when it is told.
    pub(crate) when: When,
}

/// The time when a naming is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// Also where another source has a seed: nobody can have meant that.
    Always,
    /// Where nothing was found.
    NothingFound,
}

/// All who name a source.
pub(crate) fn of(facts: &SourceFacts<'_>) -> Vec<Naming> {
    let mut all = Vec::new();
    if let Some((parameter, name)) = facts.named_by_line() {
        all.extend(naming(&format!("{parameter}= on the kernel command line"), name));
    }
    for (what, name) in facts.named_by_firmware() {
        all.extend(naming(&what, &name));
    }
    all.extend(facts.line.text().split_whitespace().filter_map(misspelt));
    let list = facts.config.datasource_list();
    all.extend(list.iter().flat_map(|list| in_list(list)));
    all.extend(by_firmware(facts, list.as_deref()));
    if let Some(directory) = facts.empty_seed_directory() {
        all.push(Naming {
            told: format!("{directory} is there and holds neither user-data nor meta-data"),
            when: When::NothingFound,
        });
    }
    all
}

fn naming(who: &str, name: &str) -> Option<Naming> {
    if name.eq_ignore_ascii_case("none") {
        return None;
    }
    let (told, when) = if sources::is_known(name) {
        (format!("{who} names {name}, and nothing of it was found"), When::NothingFound)
    } else {
        (unknown(who, name), When::Always)
    };
    Some(Naming { told, when })
}

fn unknown(who: &str, name: &str) -> String {
    let remedy = if OTHERS.iter().any(|other| other.eq_ignore_ascii_case(name)) {
        "the agent does not have it; its".into()
    } else if name.contains(['\'', '"', '\\']) {
        "take quotes and backslashes out; the".into()
    } else if name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("nocloud")) {
        String::from("fields follow a `;`, as in ds=nocloud;s=URL; the")
    } else {
        String::from("the")
    };
    format!(
        "{who} names the source `{name}`, and there is none of that name ({remedy} names are {})",
        sources::known()
    )
}

/// The cloud that the firmware shows, unless the list of sources leaves it out, as in cloud-init.
fn by_firmware(facts: &SourceFacts<'_>, list: Option<&[String]>) -> Option<Naming> {
    let is_shown = |(file, wanted, _): &&(&str, &str, &str)| {
        let value = facts.dmi(file);
        wanted.strip_suffix('*').map_or_else(|| value == *wanted, |start| value.starts_with(start))
    };
    let (file, _, cloud) = FIRMWARE.iter().find(is_shown)?;
    let is_wanted = list.is_none_or(|list| list.iter().any(|name| name.eq_ignore_ascii_case(cloud)));
    let who = format!("the firmware's {file} `{}`", facts.dmi(file));
    is_wanted.then(|| Naming { told: unknown(&who, cloud), when: When::NothingFound })
}

/// A word that was to be `ds=…`.
fn misspelt(word: &str) -> Option<Naming> {
    let (name, value) = word.split_once('=')?;
    let plain = name.trim_matches(['\'', '\\']);
    let is_meant =
        plain.eq_ignore_ascii_case("ds") && name != "ds" && value.to_ascii_lowercase().starts_with("nocloud");
    is_meant.then(|| Naming {
        told: format!("`{name}` on the kernel command line is no parameter (write ds=…, without quotes)"),
        when: When::Always,
    })
}

/// A list that leaves one source has it for sure, as in cloud-init. Where it leaves several, none need be there.
fn in_list(list: &[String]) -> Vec<Naming> {
    let who = "datasource_list";
    let names: Vec<&String> = list.iter().filter(|name| !name.eq_ignore_ascii_case("none")).collect();
    if let [one] = names.as_slice() {
        return naming(who, one)
            .into_iter()
            .map(|naming| Naming { when: When::NothingFound, ..naming })
            .collect();
    }
    let nobodys = |name: &&&String| {
        !sources::is_known(name) && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    let misspelt = names.iter().filter(nobodys);
    misspelt.map(|name| Naming { told: unknown(who, name), when: When::NothingFound }).collect()
}

#[cfg(test)]
mod tests;
