//! `manage_etc_hosts`: the machine's own names in /etc/hosts, at each boot.

use super::HandlerFacts;
use super::distribution;
use super::host_names::{self, HostNames};
use crate::plan::{File, HandlerPlan, Step};
use crate::template;
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

const KEY: &str = "manage_etc_hosts";
const HOSTS: &str = "etc/hosts";

/// For a machine without a template of its own.
const TEMPLATE: &str = "## template: jinja
# lifeboat-agent writes this file at each boot: `manage_etc_hosts` is true. To keep changes, set it to
# `localhost` or false, or make them in /etc/cloud/templates/hosts.debian.tmpl.
127.0.1.1 {{fqdn}}{% if hostname != fqdn %} {{hostname}}{% endif %}

127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
";

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let text: fn(&HandlerFacts<'_>, &HostNames) -> Result<String> = match facts.config.get(KEY) {
        Some(Value::Str(word)) if word.eq_ignore_ascii_case("localhost") => with_own_line,
        Some(Value::Str(word)) if word == "template" => from_template,
        Some(value) if value.is_on() => from_template,
        Some(off @ Value::Str(word)) if !off.is_off() => {
            bail!("`{}` is neither true, false nor localhost", word.escape_debug())
        }
        _ => return Ok(plan),
    };
    let Some(names) = host_names::known(facts)? else { bail!("the machine has no name to write") };
    let text = text(facts, &names)?;
    if facts.machine.text(HOSTS)?.as_ref() != Some(&text) {
        plan.push(Step::Write(File::new(&format!("/{HOSTS}"), text, 0o644)));
    }
    Ok(plan)
}

fn from_template(facts: &HandlerFacts<'_>, names: &HostNames) -> Result<String> {
    let own = distribution::template("hosts.NAME", facts.machine)?;
    let mut variables = Mapping::default();
    variables.set("hostname", names.host.as_str());
    variables.set("fqdn", names.full.as_str());
    template::render(own.as_deref().unwrap_or(TEMPLATE), &variables).context("its template")
}

/// The file's text, with a line of the machine's own names.
fn with_own_line(facts: &HandlerFacts<'_>, names: &HostNames) -> Result<String> {
    let address = if distribution::is_debian(facts.machine)? { "127.0.1.1" } else { "127.0.0.1" };
    let HostNames { host, full, .. } = names;
    let mut text = facts.machine.text(HOSTS)?.unwrap_or_default();
    let has_both = |line: &str| {
        let words: Vec<_> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        words.get(..2) == Some(&[address, full.as_str()])
            && words.get(1..).is_some_and(|own| own.contains(&host.as_str()))
    };
    if !text.lines().any(has_both) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend([address, "\t", full]);
        if host != full {
            text.extend(["\t", host]);
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const DEBIAN: (&str, &str) = ("etc/os-release", "ID=ubuntu\nID_LIKE=debian\n");

    #[test]
    fn a_template_is_rendered_anew() {
        let config = "{manage_etc_hosts: true, fqdn: a.example.org}";
        check_on(
            &[DEBIAN, ("etc/hosts", "mine")],
            plan,
            config,
            "",
            expect![[r"
            write /etc/hosts (314 bytes, mode 0644)
            # lifeboat-agent writes this file at each boot: `manage_etc_hosts` is true. To keep changes, set it to
            # `localhost` or false, or make them in /etc/cloud/templates/hosts.debian.tmpl.
            127.0.1.1 a.example.org a
            127.0.0.1 localhost
            ::1 localhost ip6-localhost ip6-loopback
            ff02::1 ip6-allnodes
            ff02::2 ip6-allrouters
        "]],
        );
        let template =
            ("etc/cloud/templates/hosts.debian.tmpl", "## template:jinja\n{{fqdn}} {{hostname}}\n");
        check_on(
            &[DEBIAN, template],
            plan,
            config,
            "",
            expect![[r"
            write /etc/hosts (16 bytes, mode 0644)
            a.example.org a
        "]],
        );
        let hosts = ("etc/hosts", "a.example.org a\n");
        check_on(&[DEBIAN, template, hosts], plan, config, "", expect![[""]]);
        let old = "{manage_etc_hosts: template, hostname: a}";
        check_on(
            &[DEBIAN, template],
            plan,
            old,
            "",
            expect![[r"
            write /etc/hosts (4 bytes, mode 0644)
            a a
        "]],
        );
    }

    #[test]
    fn a_line_is_added_to_what_is_there() {
        let config = "{manage_etc_hosts: localhost, fqdn: a.example.org}";
        check_on(
            &[DEBIAN, ("etc/hosts", "10.0.0.1 other")],
            plan,
            config,
            "",
            expect![[r"
            write /etc/hosts (41 bytes, mode 0644)
            10.0.0.1 other
            127.0.1.1	a.example.org	a
        "]],
        );
        for there in ["127.0.1.1 a.example.org x a # me\n", "# x\n127.0.1.1\ta.example.org\ta\n"] {
            check_on(&[DEBIAN, ("etc/hosts", there)], plan, config, "", expect![[""]]);
        }
        check_on(
            &[],
            plan,
            "{manage_etc_hosts: localhost, hostname: a}",
            "",
            expect![[r"
            write /etc/hosts (12 bytes, mode 0644)
            127.0.0.1	a
        "]],
        );
    }

    #[test]
    fn what_asks_for_nothing_changes_nothing() {
        for config in ["{hostname: a}", "{hostname: a, manage_etc_hosts: false}", "{manage_etc_hosts: 'no'}"]
        {
            check_on(&[DEBIAN], plan, config, "", expect![[""]]);
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        check_on(
            &[],
            plan,
            "{hostname: a, manage_etc_hosts: yes please}",
            "",
            expect![[r"
            problem: `yes please` is neither true, false nor localhost
        "]],
        );
        check_on(
            &[],
            plan,
            "manage_etc_hosts: true",
            "",
            expect![[r"
            problem: the machine has no name to write
        "]],
        );
    }
}
