//! The default user of a distribution's own cloud.cfg, for images that have none.

use crate::yaml::{Mapping, Value};
use lifeboat_common::environment_file::lookup;

struct Distribution {
    id: &'static str,
    user: &'static str,
    gecos: &'static str,
    groups: &'static str,
    shell: &'static str,
}

const WHEEL: &str = "wheel adm systemd-journal";
const BASH: &str = "/bin/bash";

/// The distributions, by the name in os-release's `ID`.
const ALL: &[Distribution] = &[
    Distribution {
        id: "debian",
        user: "debian",
        gecos: "Debian",
        groups: "adm audio cdrom dialout dip floppy netdev plugdev sudo video",
        shell: BASH,
    },
    Distribution {
        id: "ubuntu",
        user: "ubuntu",
        gecos: "Ubuntu",
        groups: "adm cdrom dip lxd sudo",
        shell: BASH,
    },
    Distribution {
        id: "alpine",
        user: "alpine",
        gecos: "alpine Cloud User",
        groups: "adm wheel",
        shell: "/bin/ash",
    },
    Distribution { id: "arch", user: "arch", gecos: "arch Cloud User", groups: "wheel users", shell: BASH },
    Distribution { id: "fedora", user: "fedora", gecos: "fedora Cloud User", groups: WHEEL, shell: BASH },
    Distribution {
        id: "almalinux",
        user: "almalinux",
        gecos: "AlmaLinux Cloud User",
        groups: WHEEL,
        shell: BASH,
    },
    Distribution { id: "rocky", user: "rocky", gecos: "rocky Cloud User", groups: WHEEL, shell: BASH },
    Distribution { id: "centos", user: "cloud-user", gecos: "CentOS Cloud User", groups: WHEEL, shell: BASH },
    Distribution { id: "rhel", user: "cloud-user", gecos: "rhel Cloud User", groups: WHEEL, shell: BASH },
    Distribution { id: "amzn", user: "ec2-user", gecos: "amazon Cloud User", groups: WHEEL, shell: BASH },
];

/// The defaults for a machine with that os-release; nothing for a distribution that nobody knows.
pub(super) fn of(os_release: &str) -> Mapping {
    let own = lookup(os_release, "ID").unwrap_or_default();
    let like = lookup(os_release, "ID_LIKE").unwrap_or_default();
    let find = |id: &str| ALL.iter().find(|distribution| distribution.id == id);
    // A derivative's own ID gives no default user, but a distribution that it is like has one.
    match find(&own).or_else(|| like.split_whitespace().find_map(find)) {
        Some(distribution) => mapping(distribution),
        None => Mapping::default(),
    }
}

fn mapping(distribution: &Distribution) -> Mapping {
    let mut user = Mapping::default();
    user.set("name", distribution.user);
    user.set("lock_passwd", Value::Bool(true));
    user.set("gecos", distribution.gecos);
    user.set("groups", Value::Seq(distribution.groups.split(' ').map(Value::from).collect()));
    user.set("sudo", Value::Seq(vec!["ALL=(ALL) NOPASSWD:ALL".into()]));
    user.set("shell", distribution.shell);
    let mut info = Mapping::default();
    info.set("distro", distribution.id);
    info.set("default_user", user);
    let mut defaults = Mapping::default();
    defaults.set("system_info", info);
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;

    fn user(os_release: &str) -> String {
        to_json(&Value::Map(of(os_release)))
    }

    #[test]
    fn a_distribution_has_its_user() {
        assert!(user("ID=debian\n").contains(r#""default_user":{"name":"debian","lock_passwd":true"#));
        assert!(user("ID=\"rhel\"\n").contains(r#""name":"cloud-user""#));
        assert!(user("ID=mint\nID_LIKE=\"ubuntu debian\"\n").contains(r#""name":"ubuntu""#));
    }

    #[test]
    fn an_unknown_one_has_none() {
        assert_eq!(user("ID=own\n"), "{}");
        assert_eq!(user(""), "{}");
    }
}
