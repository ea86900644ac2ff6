//! The software of the machine: its distribution, kernel and Python, by cloud-init's names for them.

use crate::interfaces::Interfaces;
use crate::os_release;
use crate::root::Root;
use crate::yaml::{Mapping, Value};
use lifeboat_common::environment_file::lookup;

const HOST_NAME: &str = "etc/hostname";
const HOSTS: &str = "etc/hosts";
const PYTHON: &str = "usr/bin/python3";

/// Distributions of which cloud-init knows what they are like, beside those that are named as what they are like.
const OWN_VARIANTS: &[&str] = &[
    "almalinux",
    "alpine",
    "aosc",
    "arch",
    "azurelinux",
    "centos",
    "cloudlinux",
    "debian",
    "eurolinux",
    "fedora",
    "mariner",
    "miraclelinux",
    "openeuler",
    "opencloudos",
    "openmandriva",
    "photon",
    "rhel",
    "rocky",
    "suse",
    "tencentos",
    "virtuozzo",
];
const VARIANTS: &[(&str, &str)] = &[
    ("ubuntu", "ubuntu"),
    ("linuxmint", "ubuntu"),
    ("mint", "ubuntu"),
    ("redhat", "rhel"),
    ("opensuse", "suse"),
    ("opensuse-leap", "suse"),
    ("opensuse-microos", "suse"),
    ("opensuse-tumbleweed", "suse"),
    ("sle_hpc", "suse"),
    ("sle-micro", "suse"),
    ("sles", "suse"),
];

/// The facts about the system; a text is empty, and Python is missing, where nothing is known.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct SystemInfo {
    /// The distribution's name, version and code name.
    pub(crate) distribution: [String; 3],
    /// The names from uname(2): system, node, release, version, machine.
    pub(crate) kernel: [String; 5],
    /// The host name that it has.
    pub(crate) host_name: String,
    /// The version of Python, as far as the name of its program says it.
    pub(crate) python: Option<String>,
    /// Its network interfaces; another root than the running system's has none.
    pub(crate) interfaces: Interfaces,
    /// The names of hosts that /etc/hosts knows, each with the first of its line.
    pub(crate) canonical_names: Vec<(String, String)>,
}

impl SystemInfo {
    /// Reads it. A fact that cannot be read is not known.
    pub(crate) fn read(root: &Root) -> Self {
        let uname = rustix::system::uname();
        let kernel = [uname.sysname(), uname.nodename(), uname.release(), uname.version(), uname.machine()];
        let kernel = kernel.map(|text| text.to_string_lossy().into_owned());
        let [_, node, .., machine] = &kernel;
        Self {
            host_name: host_name(node, root),
            distribution: distribution(&os_release::read(root).unwrap_or_default(), machine),
            python: python(&root.link_target(PYTHON).ok().flatten().unwrap_or_default()),
            interfaces: root.is_live().then(|| Interfaces::read().ok()).flatten().unwrap_or_default(),
            canonical_names: canonical_names(&root.read_text(HOSTS).ok().flatten().unwrap_or_default()),
            kernel,
        }
    }

    /// A host's full name, as /etc/hosts has it.
    pub(crate) fn canonical_name(&self, name: &str) -> String {
        let known = self.canonical_names.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        known.map_or(name, |(_, canonical)| canonical).to_owned()
    }

    /// cloud-init's word for what the distribution is like.
    pub(crate) fn variant(&self) -> &str {
        let [name, ..] = &self.distribution;
        if name.is_empty() {
            return "unknown";
        }
        match VARIANTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, variant)) => variant,
            None => OWN_VARIANTS.iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(&"linux"),
        }
    }

    /// System, kernel and architecture in one word.
    pub(crate) fn platform(&self) -> String {
        let [system, _, release, _, machine] = &self.kernel;
        format!("{system}-{release}-{machine}")
    }

    /// All of it.
    pub(crate) fn to_value(&self) -> Value {
        let list = |texts: &[String]| Value::Seq(texts.iter().map(|text| text.as_str().into()).collect());
        let [system, _, release, ..] = &self.kernel;
        // Python has a sixth, the processor, which Linux does not tell.
        let uname: Vec<String> = self.kernel.iter().cloned().chain([String::new()]).collect();
        let mut all = Mapping::default();
        all.set("dist", list(&self.distribution));
        all.set("platform", self.platform().as_str());
        all.set("python", self.python());
        all.set("release", release.as_str());
        all.set("system", system.as_str());
        all.set("uname", list(&uname));
        all.set("variant", self.variant());
        all.into()
    }

    /// The version of Python, or null.
    pub(crate) fn python(&self) -> Value {
        self.python.as_deref().map_or(Value::Null, Value::from)
    }
}

fn canonical_names(hosts: &str) -> Vec<(String, String)> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let first = words.next()?;
        Some(std::iter::once(first).chain(words).map(move |name| (name.to_owned(), first.to_owned())))
    });
    names.flatten().collect()
}

/// The running system's, or what another root says of its own.
fn host_name(running: &str, root: &Root) -> String {
    let own = || root.read_text(HOST_NAME).ok().flatten();
    let name = if root.is_live() { Some(running.to_owned()) } else { own() };
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "localhost".into())
}

/// Name, version and code name by os-release.
fn distribution(os_release: &str, machine: &str) -> [String; 3] {
    let get = |key: &str| lookup(os_release, key).unwrap_or_default();
    let name = get("ID");
    let release = match name.as_str() {
        // For these, cloud-init takes a name that is no code name.
        "alpine" | "photon" | "virtuozzo" => get("PRETTY_NAME"),
        _ if name.contains("sles") || name.contains("suse") => machine.to_owned(),
        _ => Some(get("VERSION_CODENAME"))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| in_brackets(&get("VERSION"))),
    };
    let name = if name == "rhel" { "redhat".to_owned() } else { name };
    [name, get("VERSION_ID"), release]
}

/// The code name in a version such as `12 (bookworm)`.
fn in_brackets(version: &str) -> String {
    let name = version.split_once(" (").filter(|(before, _)| !before.is_empty() && !before.contains(' '));
    let name = name.and_then(|(_, rest)| rest.split_once(')'));
    name.map(|(name, _)| name.to_owned()).unwrap_or_default()
}

/// The version in the name that the program's link leads to.
fn python(target: &str) -> Option<String> {
    let (_, version) = target.rsplit_once("python")?;
    let is_version = version.starts_with(|first: char| first.is_ascii_digit())
        && version.chars().all(|character| character.is_ascii_digit() || character == '.');
    is_version.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(os_release: &str, expected: [&str; 4]) {
        let info = SystemInfo { distribution: distribution(os_release, "x86_64"), ..SystemInfo::default() };
        let [name, version, release] = &info.distribution;
        assert_eq!([name, version, release, info.variant()], expected, "{os_release}");
    }

    #[test]
    fn a_distribution_is_named_as_cloud_init_names_it() {
        check(
            "ID=debian\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\n",
            ["debian", "12", "bookworm", "debian"],
        );
        check("ID=centos\nVERSION_ID='7'\nVERSION='7 (Core)'\n", ["centos", "7", "Core", "centos"]);
        check("ID=\"rhel\"\nVERSION_ID=\"9.4\"\nVERSION=\"9.4 (Plow)\"\n", ["redhat", "9.4", "Plow", "rhel"]);
        check("ID=opensuse-leap\nVERSION_ID=15.6\n", ["opensuse-leap", "15.6", "x86_64", "suse"]);
        check(
            "ID=alpine\nVERSION_ID=3.20.0\nPRETTY_NAME=\"Alpine Linux v3.20\"\n",
            ["alpine", "3.20.0", "Alpine Linux v3.20", "alpine"],
        );
        check("ID=linuxmint\nVERSION_ID=22\nVERSION=\"22 LTS (Wilma)\"\n", ["linuxmint", "22", "", "ubuntu"]);
    }

    #[test]
    fn nothing_is_made_up_where_nothing_is_said() {
        check("", ["", "", "", "unknown"]);
        check("ID=own\n", ["own", "", "", "linux"]);
        for target in ["", "python3-config", "/etc/alternatives/python3x", "pypy"] {
            assert_eq!(python(target), None, "{target}");
        }
        assert_eq!(python("python3.11").as_deref(), Some("3.11"));
    }

    #[test]
    fn the_roots_os_release_and_the_running_kernel_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("usr/lib/os-release", b"ID=a\n", 0o644).unwrap();
        root.link("usr/bin/python3", "python3.13").unwrap();
        let info = SystemInfo::read(&root);
        assert_eq!((info.distribution[0].as_str(), info.python.as_deref()), ("a", Some("3.13")));
        assert_eq!((info.kernel[0].as_str(), info.host_name.as_str()), ("Linux", "localhost"));
        assert!(info.platform().starts_with(&format!("Linux-{}-", info.kernel[2])));
        // A machine may have no Python.
        root.write("etc/hostname", b"web\n", 0o644).unwrap();
        root.remove("usr/bin/python3").unwrap();
        let info = SystemInfo::read(&root);
        assert_eq!((info.distribution[0].as_str(), info.python()), ("a", Value::Null));
        assert_eq!(info.host_name, "web");
        let live = Root::open(std::path::Path::new("/")).unwrap();
        let live = SystemInfo::read(&live);
        assert_eq!(live.host_name, live.kernel[1]);
    }
}
