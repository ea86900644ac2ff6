//! `ntp`: where the machine gets its time from, and which program sets it.

mod clients;

use super::{HandlerFacts, distribution, install};
use crate::plan::{File, HandlerPlan, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};
use clients::Client;

/// The pool's servers that a machine without others asks, by their numbers.
const POOL_SERVERS: u8 = 4;

/// The lists of hosts.
const LISTS: [&str; 4] = ["servers", "pools", "peers", "allow"];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let nothing = Mapping::default();
    let settings = match facts.config.get("ntp") {
        None => return Ok(plan),
        Some(Value::Null) => &nothing,
        Some(Value::Map(settings)) => settings,
        Some(other) => bail!("it is {} and no mapping", other.kind()),
    };
    if settings.get("enabled").is_some_and(|enabled| !enabled.is_on()) {
        return Ok(plan);
    }
    let client = Client::choose(settings, facts)?;
    let mut variables = Mapping::default();
    for key in LISTS {
        let hosts = hosts(key, settings.get(key), &mut plan);
        if !hosts.is_empty() && !client.knows(key) {
            plan.idle.push(format!("{key}: {} knows no such list", client.name));
        }
        variables.set(key, Value::Seq(hosts));
    }
    let is_empty = |key: &str| variables.get(key).and_then(Value::as_seq).is_none_or(<[_]>::is_empty);
    if is_empty("servers") && is_empty("pools") {
        variables.set("pools", Value::Seq(pool(facts)?));
    }
    let text = template::render(&client.template(facts)?, &variables).context("its template")?;
    if !client.packages.is_empty() && !client.is_installed(facts)? {
        let packages: Vec<&str> = client.packages.iter().map(String::as_str).collect();
        plan.steps.extend(install::steps(&packages, facts.machine)?);
    }
    let path = &client.path;
    let before = facts.machine.text(path.trim_start_matches('/'))?;
    let original = format!("{path}.dist");
    if let Some(before) = before.filter(|before| *before != text)
        && !facts.machine.holds(original.trim_start_matches('/'))?
    {
        plan.push(Step::Write(File::new(&original, before, 0o644)));
    }
    plan.push(Step::Write(File::new(path, text, 0o644)));
    plan.push(Step::run(&["systemctl", "reload-or-restart", &client.service]));
    Ok(plan)
}

/// The hosts of a list. One that would end its line is none.
fn hosts(key: &str, value: Option<&Value>, plan: &mut HandlerPlan) -> Vec<Value> {
    let items = match value {
        None | Some(Value::Null) => &[],
        Some(Value::Seq(items)) => &items[..],
        Some(other) => {
            plan.problem(format!("{key}: it is {} and no list", other.kind()));
            &[]
        }
    };
    let mut hosts = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let good = |byte: u8| byte.is_ascii_graphic() && !b"\"'#;{}".contains(&byte);
        match item.scalar_text().filter(|host| !host.is_empty() && host.bytes().all(good)) {
            Some(host) => hosts.push(Value::from(host.as_str())),
            None => plan.problem(format!("{key}: entry {}: it is no host", number + 1)),
        }
    }
    hosts
}

/// The distribution's own servers in the public pool.
fn pool(facts: &HandlerFacts<'_>) -> Result<Vec<Value>> {
    let own = distribution::names(facts.machine)?.into_iter().next().unwrap_or_default();
    let vendor = match own.as_str() {
        "" | "alpine" | "eurolinux" => String::new(),
        "sles" => "opensuse.".into(),
        own => format!("{own}."),
    };
    let name = |number| Value::from(format!("{number}.{vendor}pool.ntp.org").as_str());
    Ok((0..POOL_SERVERS).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const DEBIAN: (&str, &str) = ("etc/os-release", "ID=debian\n");
    const TIMESYNCD: (&str, &str) = ("usr/lib/systemd/systemd-timesyncd", "");
    const CHRONY: (&str, &str) = ("usr/sbin/chronyd", "");
    const APT: (&str, &str) = ("usr/bin/apt-get", "");

    #[test]
    fn what_is_installed_is_set_up() {
        let config = "ntp: {servers: [a.example, 10.0.0.1], pools: [p.example]}";
        check_on(
            &[DEBIAN, TIMESYNCD],
            plan,
            config,
            "",
            expect![[r"
            write /etc/systemd/timesyncd.conf.d/cloud-init.conf (104 bytes, mode 0644)
            # lifeboat-agent made this file from `ntp` of the cloud-config.
            [Time]
            NTP=a.example 10.0.0.1 p.example
            run systemctl reload-or-restart systemd-timesyncd
        "]],
        );
        let old = ("etc/chrony/chrony.conf", "old\n");
        check_on(
            &[DEBIAN, TIMESYNCD, CHRONY, old],
            plan,
            config,
            "",
            expect![[r"
            write /etc/chrony/chrony.conf.dist (4 bytes, mode 0644)
            old
            write /etc/chrony/chrony.conf (186 bytes, mode 0644)
            # lifeboat-agent made this file from `ntp` of the cloud-config.
            pool p.example iburst
            server a.example iburst
            server 10.0.0.1 iburst
            driftfile /var/lib/chrony/drift
            makestep 1 3
            rtcsync
            run systemctl reload-or-restart chrony
        "]],
        );
        let all = "ntp: {servers: [a], peers: [b], allow: [10.0.0.0/8]}";
        check_on(
            &[("etc/os-release", "ID=fedora\n"), CHRONY],
            plan,
            all,
            "",
            expect![[r"
            write /etc/chrony.conf (157 bytes, mode 0644)
            # lifeboat-agent made this file from `ntp` of the cloud-config.
            server a iburst
            peer b
            allow 10.0.0.0/8
            driftfile /var/lib/chrony/drift
            makestep 1 3
            rtcsync
            run systemctl reload-or-restart chronyd
        "]],
        );
        let sec = [DEBIAN, ("usr/sbin/ntpd", ""), ("etc/ntpsec/ntp.conf", "old\n")];
        check_on(
            &sec,
            plan,
            all,
            "",
            expect![[r"
            write /etc/ntpsec/ntp.conf.dist (4 bytes, mode 0644)
            old
            write /etc/ntpsec/ntp.conf (241 bytes, mode 0644)
            # lifeboat-agent made this file from `ntp` of the cloud-config.
            driftfile /var/lib/ntpsec/ntp.drift
            server a iburst
            peer b
            restrict default kod nomodify nopeer noquery limited
            restrict source nomodify noquery
            restrict 127.0.0.1
            restrict ::1
            run systemctl reload-or-restart ntpsec
            problem: allow: ntp knows no such list
        "]],
        );
    }

    #[test]
    fn a_client_is_chosen_and_installed() {
        check_on(
            &[DEBIAN, TIMESYNCD, APT],
            plan,
            "ntp: {ntp_client: chrony}",
            "",
            expect![[r"
            run env DEBIAN_FRONTEND=noninteractive apt-get --quiet update
            run env DEBIAN_FRONTEND=noninteractive apt-get --option=Dpkg::Options::=--force-confold --option=DPkg::Lock::Timeout=600 --quiet --assume-yes install chrony
            write /etc/chrony/chrony.conf (253 bytes, mode 0644)
            # lifeboat-agent made this file from `ntp` of the cloud-config.
            pool 0.debian.pool.ntp.org iburst
            pool 1.debian.pool.ntp.org iburst
            pool 2.debian.pool.ntp.org iburst
            pool 3.debian.pool.ntp.org iburst
            driftfile /var/lib/chrony/drift
            makestep 1 3
            rtcsync
            run systemctl reload-or-restart chrony
        "]],
        );
        check_on(
            &[DEBIAN, CHRONY, TIMESYNCD],
            plan,
            "{ntp: {}, system_info: {ntp_client: systemd-timesyncd}}",
            "",
            expect![[r"
                write /etc/systemd/timesyncd.conf.d/cloud-init.conf (163 bytes, mode 0644)
                # lifeboat-agent made this file from `ntp` of the cloud-config.
                [Time]
                NTP=0.debian.pool.ntp.org 1.debian.pool.ntp.org 2.debian.pool.ntp.org 3.debian.pool.ntp.org
                run systemctl reload-or-restart systemd-timesyncd
            "]],
        );
    }

    #[test]
    fn a_client_may_be_described() {
        let config = "ntp:
  servers: [s]
  ntp_client: own
  config: {confpath: /etc/own.conf, check_exe: ownd, packages: [own], service_name: own, template: 'S $servers'}
";
        check_on(
            &[DEBIAN, ("usr/bin/ownd", "")],
            plan,
            config,
            "",
            expect![[r"
            write /etc/own.conf (7 bytes, mode 0644)
            S ['s']run systemctl reload-or-restart own
        "]],
        );
        let more = "ntp: {ntp_client: chrony, servers: [s], config: {confpath: /etc/c.conf, template: \"## template: jinja\\n{{ servers[0] }}\"}}";
        check_on(
            &[DEBIAN, CHRONY],
            plan,
            more,
            "",
            expect![[r"
            write /etc/c.conf (1 bytes, mode 0644)
            srun systemctl reload-or-restart chrony
        "]],
        );
        let named = (
            "etc/cloud/templates/chrony.conf.debian.tmpl",
            "## template:jinja\n{% for s in servers %}{{ s }}{% endfor %}\n",
        );
        check_on(
            &[DEBIAN, CHRONY, named],
            plan,
            "ntp: {servers: [s]}",
            "",
            expect![[r"
            write /etc/chrony/chrony.conf (2 bytes, mode 0644)
            s
            run systemctl reload-or-restart chrony
        "]],
        );
    }

    #[test]
    fn what_asks_for_nothing_changes_nothing() {
        for config in ["a: b", "ntp: {enabled: false, servers: [a]}"] {
            check_on(&[DEBIAN, TIMESYNCD], plan, config, "", expect![[""]]);
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        check_on(
            &[DEBIAN, TIMESYNCD],
            plan,
            "ntp: {servers: [\"a\\nb\", c], pools: d, allow: [x]}",
            "",
            expect![[r"
                write /etc/systemd/timesyncd.conf.d/cloud-init.conf (77 bytes, mode 0644)
                # lifeboat-agent made this file from `ntp` of the cloud-config.
                [Time]
                NTP=c
                run systemctl reload-or-restart systemd-timesyncd
                problem: servers: entry 1: it is no host
                problem: pools: it is a text and no list
                problem: allow: systemd-timesyncd knows no such list
            "]],
        );
        check_on(
            &[DEBIAN],
            plan,
            "ntp: {ntp_client: own}",
            "",
            expect![[r"
            problem: ntp_client: `own` is not handled (known: auto, chrony, systemd-timesyncd, ntp)
        "]],
        );
        check_on(
            &[DEBIAN, CHRONY],
            plan,
            "ntp: {config: {template_name: mine}}",
            "",
            expect![[r"
            problem: config: template_name: there is no /etc/cloud/templates/mine.tmpl
        "]],
        );
        check_on(
            &[DEBIAN],
            plan,
            "ntp: [a]",
            "",
            expect![[r"
            problem: it is a list and no mapping
        "]],
        );
    }
}
