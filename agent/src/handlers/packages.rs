//! `packages`, `package_update`, `package_upgrade` and `package_reboot_if_required`, with the names that they had
//! before.

use super::HandlerFacts;
pub(super) mod tools;

use self::tools::is_one_of_on;
use crate::plan::{HandlerPlan, PackageWork, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

const UPDATE: &[&str] = &["package_update", "apt_update"];
const UPGRADE: &[&str] = &["package_upgrade", "apt_upgrade"];
const REBOOT: &[&str] = &["package_reboot_if_required", "apt_reboot_if_required"];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let wanted = Wanted::read(facts.config, &mut plan)?;
    let is_upgrade = is_one_of_on(facts.config, UPGRADE);
    let needs_apt = is_upgrade || !wanted.apt.is_empty() || is_one_of_on(facts.config, UPDATE);
    if needs_apt {
        match tools::apt(facts)? {
            Some(apt) => {
                plan.push(apt.step(PackageWork::UpdateOnce));
                if is_upgrade {
                    plan.push(apt.step(PackageWork::Upgrade));
                }
                if !wanted.apt.is_empty() {
                    plan.push(apt.step(PackageWork::Install(wanted.apt.clone())));
                }
            }
            None => plan.idle.push(tools::NO_APT.into()),
        }
    }
    // It may come with the packages before it.
    let snapd = facts.machine.has_program("snap")? || wanted.apt.iter().any(|name| name == "snapd");
    if wanted.snap.is_empty() || snapd {
        plan.steps.extend(wanted.snap.iter().map(|words| {
            let argv = ["snap", "install"].into_iter().map(str::to_owned).chain(words.iter().cloned());
            Step::Run { argv: argv.collect(), input: None }
        }));
    } else {
        let names: Vec<_> = wanted.snap.iter().filter_map(|words| words.first().cloned()).collect();
        plan.idle
            .push(format!("packages: snapd is not installed, and so not the snaps {}", names.join(", ")));
    }
    let changes = is_upgrade || !wanted.apt.is_empty() || !wanted.snap.is_empty();
    if changes && is_one_of_on(facts.config, REBOOT) {
        plan.push(Step::RebootIfRequired);
    }
    Ok(plan)
}

/// Packages by their manager.
#[derive(Default)]
struct Wanted {
    /// Names, perhaps with `=VERSION`.
    apt: Vec<String>,
    /// Names with their options.
    snap: Vec<Vec<String>>,
}

impl Wanted {
    fn read(config: &Mapping, plan: &mut HandlerPlan) -> Result<Self> {
        let mut wanted = Self::default();
        let entries = match config.get("packages") {
            None | Some(Value::Null) => return Ok(wanted),
            Some(Value::Seq(entries)) => entries.as_slice(),
            Some(text @ Value::Str(_)) => std::slice::from_ref(text),
            Some(other) => bail!("packages: it is {} and no list", other.kind()),
        };
        for (number, entry) in entries.iter().enumerate() {
            let place = format!("packages: entry {}", number + 1);
            match entry {
                Value::Map(by_manager) => wanted.add_by_manager(by_manager, &place, plan),
                other => wanted.add("apt", other, &place, plan),
            }
        }
        Ok(wanted)
    }

    fn add_by_manager(&mut self, by_manager: &Mapping, place: &str, plan: &mut HandlerPlan) {
        for (manager, packages) in by_manager.iter() {
            let manager = manager.scalar_text().unwrap_or_default();
            match packages {
                _ if !["apt", "snap"].contains(&manager.as_str()) => {
                    plan.problem(format!("{place}: `{manager}` is no package manager (apt or snap)"));
                }
                Value::Null => {}
                Value::Seq(packages) => {
                    for (number, package) in packages.iter().enumerate() {
                        self.add(
                            &manager,
                            package,
                            &format!("{place}: {manager}: entry {}", number + 1),
                            plan,
                        );
                    }
                }
                text @ Value::Str(_) => self.add(&manager, text, &format!("{place}: {manager}"), plan),
                other => plan.problem(format!("{place}: {manager}: it is {} and no list", other.kind())),
            }
        }
    }

    fn add(&mut self, manager: &str, package: &Value, place: &str, plan: &mut HandlerPlan) {
        let words = match package {
            Value::Seq(words) => words.iter().map(Value::scalar_text).collect::<Option<Vec<_>>>(),
            other => other.scalar_text().map(|text| vec![text]),
        };
        let words: Vec<String> =
            words.unwrap_or_default().iter().map(|word| word.trim().to_owned()).collect();
        match words.as_slice() {
            [name, ..] if name.is_empty() || name.starts_with('-') => {
                plan.problem(format!("{place}: `{name}` is no package's name"));
            }
            [] | [_, _, _, ..] => {
                plan.problem(format!("{place}: it is neither a name nor [name, version]"));
            }
            words if manager == "snap" => self.snap.push(words.to_vec()),
            [_] | [_, _] => {
                let package = words.join("=");
                if !self.apt.contains(&package) {
                    self.apt.push(package);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_on};
    use super::*;
    use expect_test::{Expect, expect};

    const APT: (&str, &str) = ("usr/bin/apt-get", "");

    fn check_apt(config: &str, expected: Expect) {
        check_on(&[APT], plan, config, "", expected);
    }

    #[test]
    fn packages_are_named_in_four_ways() {
        check_apt(
            "packages: [pwgen, [libpython3-stdlib, 3.11.2-1], [one], {apt: [zsh, [vim, 2]]}, pwgen]",
            expect![[r"
                update the lists of packages with apt-get, unless this boot did
                install with apt-get: pwgen libpython3-stdlib=3.11.2-1 one zsh vim=2
            "]],
        );
        check_apt(
            "packages: [a/stable, b=1, 'c:i386', d-, e^, [f, 1.5]]",
            expect![[r"
                update the lists of packages with apt-get, unless this boot did
                install with apt-get: a/stable b=1 c:i386 d- 'e^' f=1.5
            "]],
        );
        check_apt(
            "packages: tree",
            expect![[r"
                update the lists of packages with apt-get, unless this boot did
                install with apt-get: tree
            "]],
        );
    }

    #[test]
    fn switches_have_two_names() {
        for config in ["package_update: true", "apt_update: yes"] {
            check_apt(
                config,
                expect![[r"
                    update the lists of packages with apt-get, unless this boot did
                "]],
            );
        }
        for config in [
            "{package_upgrade: true, package_reboot_if_required: true}",
            "{apt_upgrade: 1, apt_reboot_if_required: 'on'}",
        ] {
            check_apt(
                config,
                expect![[r"
                    update the lists of packages with apt-get, unless this boot did
                    upgrade all packages with apt-get dist-upgrade
                    reboot, if a package has asked for it
                "]],
            );
        }
        for config in [
            "a: b",
            "package_update: false",
            "packages: []",
            "packages: ~",
            "package_reboot_if_required: true",
        ] {
            check_apt(config, expect![[""]]);
        }
    }

    #[test]
    fn a_bad_entry_costs_only_itself() {
        check_apt(
            "packages: [[a, 1, 2], {dnf: [b]}, {apt: {c: d}}, -o, '', ~, {snap: [x]}, tree]",
            expect![[r"
                update the lists of packages with apt-get, unless this boot did
                install with apt-get: tree
                problem: packages: entry 1: it is neither a name nor [name, version]
                problem: packages: entry 2: `dnf` is no package manager (apt or snap)
                problem: packages: entry 3: apt: it is a mapping and no list
                problem: packages: entry 4: `-o` is no package's name
                problem: packages: entry 5: `` is no package's name
                problem: packages: entry 6: it is neither a name nor [name, version]
                problem: packages: snapd is not installed, and so not the snaps x
            "]],
        );
        check_apt(
            "packages: {a: b}",
            expect![[r"
                problem: packages: it is a mapping and no list
            "]],
        );
    }

    #[test]
    fn snaps_need_snapd() {
        check_on(
            &[("usr/bin/snap", "")],
            plan,
            "packages: [{snap: [certbot, [juju, --edge]]}]",
            "",
            expect![[r"
                run snap install certbot
                run snap install juju --edge
            "]],
        );
        check_apt(
            "packages: [snapd, {snap: [certbot]}]",
            expect![[r"
                update the lists of packages with apt-get, unless this boot did
                install with apt-get: snapd
                run snap install certbot
            "]],
        );
    }

    #[test]
    fn a_machine_without_apt_says_so() {
        check(
            plan,
            "packages: [tree]",
            "",
            expect![[r"
                problem: there is no apt-get on this machine, and no other manager of packages is used
            "]],
        );
    }

    #[test]
    fn the_image_may_wrap_the_command_and_choose_the_upgrade() {
        let steps = |files: &[(&str, &str)], config: &str| {
            let config = format!("{{package_upgrade: true, {config}}}");
            let plan = super::super::testing::plan_on(&crate::machine::Paper(files), plan, &config, "");
            plan.steps.into_iter().find_map(|step| match step {
                Step::Packages(packages) if packages.work == PackageWork::Upgrade => Some(packages.argv()),
                _ => None,
            })
        };
        let line = |argv: Option<Vec<String>>| argv.unwrap().join(" ");
        let options = "--option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet";
        let eatmydata = ("usr/bin/eatmydata", "");
        for (files, config, expected) in [
            (&[APT][..], "a: b", format!("apt-get {options} dist-upgrade")),
            (&[APT, eatmydata], "a: b", format!("eatmydata apt-get {options} dist-upgrade")),
            (
                &[APT, eatmydata],
                "system_info: {apt_get_wrapper: {enabled: false, command: eatmydata}}",
                format!("apt-get {options} dist-upgrade"),
            ),
            (
                &[APT],
                "system_info: {apt_get_wrapper: {enabled: true, command: [nice, -n, 5]}}",
                format!("nice -n 5 apt-get {options} dist-upgrade"),
            ),
            (
                &[APT],
                "system_info: {apt_get_command: [apt-get, -y], apt_get_upgrade_subcommand: upgrade}",
                "apt-get -y upgrade".into(),
            ),
        ] {
            assert_eq!(line(steps(files, config)), expected);
        }
    }
}
