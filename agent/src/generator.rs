//! systemd's generator. The units are part of a boot only where there is something for them to do. So a machine without
//! a seed does not even wait for its network.

mod var;

use crate::layout;
use crate::modules::fetch;
use crate::named;
use crate::root::Root;
use crate::sources::{self, Reach, SourceFacts};
use crate::switch::{Position, Switch};
use anyhow::{Context, Result};
use lifeboat_common::hand_off::{HandOff, Modules, Seed};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use var::Var;

/// The units, each with the target that wants it. A target waits for what it wants: no login may wait for
/// cloud-init.target.
const UNITS: [(&str, &str); 6] = [
    (LOCAL_UNIT, "multi-user.target"),
    (MAIN_UNIT, "multi-user.target"),
    ("cloud-config.target", "multi-user.target"),
    ("cloud-init.target", "multi-user.target"),
    ("lifeboat-agent-config.service", "cloud-init.target"),
    ("lifeboat-agent-final.service", "cloud-init.target"),
];
/// Before the network, and behind /var.
const LOCAL_UNIT: &str = "lifeboat-agent-local.service";
const MAIN_UNIT: &str = "lifeboat-agent.service";

/// The services that end when the network is up. network-online.target itself would be too late.
const NETWORK_IS_UP: &str = "systemd-networkd-wait-online.service NetworkManager-wait-online.service \
     ifupdown-wait-online.service networking.service connman-wait-network.service";

/// Logins wait for that unit, and so for this. Units behind network-online.target may need what the user-data asks for,
/// so that target waits as well. Where /var needs the network, this would close a circle.
fn network(var: Var, is_fetched: bool) -> String {
    let order = if var == Var::WithNetwork {
        "After=network-online.target\n".to_owned()
    } else {
        format!("Before=network-online.target\nAfter={NETWORK_IS_UP}\n")
    };
    match (is_fetched, var) {
        (true, _) => format!("[Unit]\nWants=network-online.target\n{order}"),
        // Nothing is fetched: the network need not be up, and may wait.
        (false, Var::WithNetwork) => String::new(),
        (false, _) => "[Unit]\nBefore=network-online.target\n".to_owned(),
    }
}

/// Where modules were exported.
const MODULES_UNIT: &str = "lifeboat-agent-modules.service";
/// The unit that is wanted only where a tarball of modules is asked for.
const FETCHING: &str = "lifeboat-agent-modules-fetch.service";

const UNIT_FOLDER: &str = "/usr/lib/systemd/system";

/// Links the units into `directory`.
pub(crate) fn generate(directory: &Path, root: &Root) -> Result<()> {
    if root.holds(Modules::PATH)? {
        link(directory, "sysinit.target.wants", MODULES_UNIT)?;
    }
    if fetch::is_asked_for(root) {
        link(directory, "multi-user.target.wants", FETCHING)?;
        link(directory, &format!("{FETCHING}.wants"), "network-online.target")?;
    }
    if Switch::person(root)?.is_some() {
        return Ok(());
    }
    let facts = SourceFacts::read(root, None, Duration::ZERO)?;
    // One who names a source in vain is told so by the units.
    let (signals, is_named) = (sources::signals(&facts), !named::of(&facts).is_empty());
    let (is_kept, var) = (root.holds(layout::INSTANCE)?, Var::of(root)?);
    // An instance may not be seen yet: the units look for it once /var is there.
    let is_wanted = !signals.is_empty() || is_named || is_kept || var != Var::Now;
    // Without the word of it there are still the units.
    let noted = Switch::note(if is_wanted { Position::On } else { Position::Off }, root);
    if !is_wanted {
        return noted;
    }
    // Where /var needs the network, what is before both would close a circle.
    for (unit, target) in UNITS.into_iter().filter(|(unit, _)| *unit != LOCAL_UNIT || var != Var::WithNetwork)
    {
        link(directory, &format!("{target}.wants"), unit)?;
    }
    let is_fetched = signals.iter().any(|signal| signal.reach == Reach::Network) || root.holds(Seed::PATH)?;
    // A new machine's data may include what has to be fetched. A kept instance goes on without a network, and so does
    // what may be one, where nothing shows a seed.
    let drop_in = network(var, is_fetched || !is_kept && !signals.is_empty());
    if !drop_in.is_empty() {
        let folder = directory.join(format!("{MAIN_UNIT}.d"));
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let path = folder.join("network.conf");
        std::fs::write(&path, drop_in).with_context(|| format!("write {}", path.display()))?;
    }
    noted
}

fn link(directory: &Path, wants: &str, unit: &str) -> Result<()> {
    let folder = directory.join(wants);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let path = folder.join(unit);
    match symlink(format!("{UNIT_FOLDER}/{unit}"), &path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("link {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a kept instance.
    const KEPT: &str = "var/lib/cloud/instance/sem/x";

    fn units() -> Vec<String> {
        let mut units: Vec<_> = UNITS.iter().map(|(unit, _)| (*unit).to_owned()).collect();
        units.sort();
        units
    }

    fn links(files: &[&str]) -> Vec<String> {
        links_with(files, "")
    }

    fn links_with(files: &[&str], command_line: &str) -> Vec<String> {
        let (root_directory, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::open(root_directory.path()).unwrap();
        root.make_directory("var/lib").unwrap();
        for file in files {
            let (path, content) = file.split_once('=').unwrap_or((file, ""));
            root.write(path, content.as_bytes(), 0o600).unwrap();
        }
        root.write("proc/cmdline", command_line.as_bytes(), 0o600).unwrap();
        generate(out.path(), &root).unwrap();
        let mut found = Vec::new();
        for wants in std::fs::read_dir(out.path()).unwrap() {
            for link in std::fs::read_dir(wants.unwrap().path()).unwrap() {
                let link = link.unwrap();
                // A drop-in that is an order alone does not bring the network.
                let is_order = link.file_name() == "network.conf"
                    && !std::fs::read_to_string(link.path()).unwrap().contains("Wants=");
                found.extend((!is_order).then(|| link.file_name().into_string().unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_seed_brings_the_units_and_the_network() {
        let mut expected = units();
        expected.push("network.conf".into());
        expected.sort();
        assert_eq!(links(&["run/lifeboat/seed"]), expected);
        assert_eq!(links(&["run/lifeboat/seed", KEPT]), expected);
    }

    #[test]
    fn a_seed_in_the_machine_brings_the_units_and_the_network_on_a_new_machine_alone() {
        for seed in ["var/lib/cloud/seed/nocloud/user-data", "dev/disk/by-label/CIDATA"] {
            assert_eq!(links(&[seed]).len(), UNITS.len() + 1);
            assert_eq!(links(&[seed, KEPT]).len(), UNITS.len());
        }
        assert_eq!(links_with(&[KEPT], "ds=nocloud;s=http://x/").len(), UNITS.len() + 1);
        // So that somebody tells what is wrong with it.
        assert_eq!(links_with(&[KEPT], "ds=nocloud;s=x").len(), UNITS.len());
    }

    #[test]
    fn where_none_is_all_that_is_left_there_is_something_to_do() {
        for list in ["[None]", "[NoCloud, None]"] {
            let found = links(&[&format!("etc/cloud/cloud.cfg=datasource_list: {list}\n")]);
            assert_eq!(found.len(), UNITS.len() + 1, "{list}");
        }
        assert_eq!(links(&["etc/cloud/cloud.cfg=datasource_list: [NoCloud, Ec2, None]\n"]), [""; 0]);
        assert_eq!(links_with(&[], "ro ds=None").len(), UNITS.len() + 1);
    }

    #[test]
    fn a_kept_instance_brings_the_units_alone() {
        assert_eq!(links(&[KEPT]).len(), UNITS.len());
    }

    #[test]
    fn a_var_that_is_mounted_later_may_hold_an_instance() {
        let hidden = "etc/fstab=/dev/vdb /var ext4 defaults 0 2\n";
        // One that is there needs no network, whatever its source is.
        assert_eq!(links(&[hidden]), units());
        // A seed that is seen may be a new machine's, and one on the network is fetched.
        assert_eq!(links(&[hidden, "dev/disk/by-label/CIDATA"]).len(), UNITS.len() + 1);
        assert_eq!(links_with(&[hidden], "ds=nocloud;s=http://x/").len(), UNITS.len() + 1);
        assert_eq!(links_with(&[hidden], "cloud-init=disabled"), [""; 0]);
        // Nobody waits in a circle.
        let remote = links(&["etc/fstab=server:/var /var nfs defaults 0 0\n"]);
        assert!(!remote.contains(&LOCAL_UNIT.to_owned()) && remote.len() == UNITS.len() - 1, "{remote:?}");
        assert_eq!(links(&["etc/fstab=/dev/vdb /home ext4 defaults 0 2\n"]), [""; 0]);
    }

    #[test]
    fn what_waits_for_the_network_waits_for_the_user_data_unless_that_closes_a_circle() {
        for (var, is_fetched, before, after, wants) in [
            (Var::Now, false, true, false, false),
            (Var::Later, true, true, false, true),
            (Var::WithNetwork, true, false, true, true),
            (Var::WithNetwork, false, false, false, false),
        ] {
            let made = network(var, is_fetched);
            assert_eq!(made.contains("Before=network-online.target"), before, "{made}");
            assert_eq!(made.contains("After=network-online.target"), after, "{made}");
            assert_eq!(made.contains("Wants=network-online.target"), wants, "{made}");
        }
        assert!(network(Var::Now, true).contains("After=systemd-networkd-wait-online.service"));
    }

    #[test]
    fn nothing_that_logins_wait_for_waits_for_the_later_stages() {
        // multi-user.target waits for the units that it wants.
        let wanted = UNITS.iter().filter(|(_, target)| *target == "multi-user.target").map(|(unit, _)| *unit);
        assert_eq!(
            wanted.collect::<Vec<_>>(),
            [LOCAL_UNIT, MAIN_UNIT, "cloud-config.target", "cloud-init.target"]
        );
    }

    #[test]
    fn exported_modules_bring_their_unit_alone() {
        assert_eq!(links(&["run/lifeboat/modules"]), [MODULES_UNIT]);
    }

    #[test]
    fn a_url_for_modules_brings_its_unit_and_the_network_alone() {
        assert_eq!(links_with(&[], "ro lifeboat.modules-url=x"), [FETCHING, "network-online.target"]);
        assert_eq!(links_with(&[], "ro lifeboat.modules-url=x lifeboat=off"), [""; 0]);
    }

    #[test]
    fn without_either_nothing_is_started() {
        assert_eq!(links(&["run/lifeboat/rescue"]), [""; 0]);
    }

    #[test]
    fn switched_off_nothing_but_modules_is_seen_to() {
        let all = ["run/lifeboat/seed", "var/lib/cloud/instance/sem/x", "run/lifeboat/modules"];
        let off = [&all[..], &["etc/cloud/cloud-init.disabled"]].concat();
        assert_eq!(links(&off), [MODULES_UNIT]);
        assert_eq!(links_with(&all, "ro cloud-init=disabled"), [MODULES_UNIT]);
        assert_eq!(links_with(&off, "ro cloud-init=enabled"), links(&all));
    }

    #[test]
    fn what_was_found_is_noted_for_whoever_asks() {
        let (root_directory, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::open(root_directory.path()).unwrap();
        root.make_directory("var/lib").unwrap();
        generate(out.path(), &root).unwrap();
        assert_eq!(Switch::read(&root).unwrap().code, "disabled-by-generator");
        root.write("run/lifeboat/seed", b"", 0o600).unwrap();
        generate(out.path(), &root).unwrap();
        assert_eq!(Switch::read(&root).unwrap().code, "enabled-by-generator");
    }

    #[test]
    fn each_unit_is_in_the_tree() {
        for unit in UNITS.into_iter().map(|(unit, _)| unit).chain([MODULES_UNIT, FETCHING]) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(unit);
            assert!(path.try_exists().unwrap(), "{unit}");
        }
    }

    #[test]
    fn the_units_that_others_name_are_names_of_ours() {
        let table = [
            ("cloud-init-local", "lifeboat-agent-local"),
            ("cloud-init-main", "lifeboat-agent-local"),
            ("cloud-init", "lifeboat-agent"),
            ("cloud-init-network", "lifeboat-agent"),
            ("cloud-config", "lifeboat-agent-config"),
            ("cloud-final", "lifeboat-agent-final"),
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
        for (name, unit) in table {
            // systemd takes a link for another name of its target.
            let target = std::fs::read_link(folder.join(format!("{name}.service"))).unwrap();
            assert_eq!(target, Path::new(&format!("{unit}.service")));
            assert!(folder.join(target).metadata().unwrap().is_file());
        }
    }

    /// Orders of cloud-init 26.2's units, as far as they close no circle here. Others rely on them.
    #[test]
    fn units_are_ordered_as_cloud_inits_are() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
        let names = |unit: &str, key: &str| {
            let text = std::fs::read_to_string(folder.join(unit)).unwrap();
            let lines = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            lines.flat_map(str::split_whitespace).map(str::to_owned).collect::<Vec<_>>()
        };
        for (unit, key, others) in [
            ("cloud-init-local.service", "DefaultDependencies", &["no"][..]),
            ("cloud-init-local.service", "After", &["systemd-remount-fs.service"]),
            ("cloud-init-local.service", "Before", &["network-pre.target", "shutdown.target"]),
            ("cloud-init-local.service", "Wants", &["network-pre.target"]),
            ("cloud-init-local.service", "Conflicts", &["shutdown.target"]),
            ("cloud-init-network.service", "After", &["lifeboat-agent-local.service", "var.mount"]),
            (
                "cloud-init-network.service",
                "Before",
                &["ssh.service", "sshd.service", "systemd-user-sessions.service"],
            ),
            ("cloud-config.target", "After", &["lifeboat-agent.service"]),
            (
                "cloud-config.service",
                "After",
                &["lifeboat-agent.service", "network-online.target", "cloud-config.target"],
            ),
            ("cloud-config.service", "Wants", &["network-online.target"]),
            (
                "cloud-final.service",
                "After",
                &[
                    "lifeboat-agent.service",
                    "lifeboat-agent-config.service",
                    "multi-user.target",
                    "network-online.target",
                    "time-sync.target",
                    "rc-local.service",
                ],
            ),
            ("cloud-final.service", "Before", &["apt-daily.service", "apt-daily-upgrade.service"]),
            ("cloud-final.service", "TasksMax", &["infinity"]),
            (
                "cloud-init.target",
                "After",
                &["multi-user.target", "lifeboat-agent-config.service", "lifeboat-agent-final.service"],
            ),
        ] {
            let found = names(unit, key);
            for other in others {
                assert!(found.iter().any(|name| name == other), "{unit}: {key}={other}: {found:?}");
            }
        }
        // Logins wait for these two, and so must not wait for what comes after logins.
        for unit in ["cloud-init-local.service", "cloud-init.service"] {
            let after = names(unit, "After");
            assert!(!after.iter().any(|name| name.ends_with(".target")), "{unit}: {after:?}");
        }
    }
}
