//! The programs that set the time, and where each has its settings.

use super::super::{HandlerFacts, distribution};
use crate::yaml::{Mapping, Value};
use anyhow::{Context, Result, bail};

/// A program that sets the time.
pub(super) struct Client {
    pub(super) name: String,
    /// Its file of settings.
    pub(super) path: String,
    pub(super) service: String,
    pub(super) packages: Vec<String>,
    program: String,
    template: Option<String>,
    template_name: Option<String>,
}

/// The clients by name, in the order in which they are preferred.
const NAMES: [&str; 3] = ["chrony", "systemd-timesyncd", "ntp"];

const CHRONY: &str = "## template: jinja
# lifeboat-agent made this file from `ntp` of the cloud-config.
{% for pool in pools %}
pool {{ pool }} iburst
{% endfor %}
{% for server in servers %}
server {{ server }} iburst
{% endfor %}
{% for peer in peers %}
peer {{ peer }}
{% endfor %}
{% for network in allow %}
allow {{ network }}
{% endfor %}
driftfile /var/lib/chrony/drift
makestep 1 3
rtcsync
";

const TIMESYNCD: &str = "## template: jinja
# lifeboat-agent made this file from `ntp` of the cloud-config.
[Time]
NTP={{ (servers + pools) | join(' ') }}
";

const NTP: &str = "## template: jinja
# lifeboat-agent made this file from `ntp` of the cloud-config.
driftfile DIRECTORY/ntp.drift
{% for pool in pools %}
pool {{ pool }} iburst
{% endfor %}
{% for server in servers %}
server {{ server }} iburst
{% endfor %}
{% for peer in peers %}
peer {{ peer }}
{% endfor %}
restrict default kod nomodify nopeer noquery limited
restrict source nomodify noquery
restrict 127.0.0.1
restrict ::1
";

/// The directory of the settings of `NTPsec`.
const NTPSEC: &str = "etc/ntpsec";

impl Client {
    /// The one that is asked for, or else the first that is installed.
    pub(super) fn choose(settings: &Mapping, facts: &HandlerFacts<'_>) -> Result<Self> {
        let wanted = |settings: &Mapping| {
            settings
                .get("ntp_client")
                .and_then(Value::scalar_text)
                .filter(|name| !name.is_empty() && name != "auto")
        };
        let info = facts.config.get("system_info").and_then(Value::as_map);
        let own = settings.get("config").and_then(Value::as_map);
        let name = match wanted(settings).or_else(|| wanted(info?)) {
            Some(name) => name,
            None => Self::installed(facts)?.to_owned(),
        };
        let mut client = match Self::known(&name, facts)? {
            Some(client) => client,
            None if own.is_some() => Self::described(&name),
            None => bail!(
                "ntp_client: `{}` is not handled (known: auto, {})",
                name.escape_debug(),
                NAMES.join(", ")
            ),
        };
        if let Some(own) = own {
            client.change(own)?;
        }
        Ok(client)
    }

    fn installed(facts: &HandlerFacts<'_>) -> Result<&'static str> {
        for name in NAMES {
            if let Some(client) = Self::known(name, facts)?
                && client.is_installed(facts)?
            {
                return Ok(name);
            }
        }
        Ok(NAMES[0])
    }

    fn known(name: &str, facts: &HandlerFacts<'_>) -> Result<Option<Self>> {
        let is_debian = distribution::is_debian(facts.machine)?;
        let is_alpine = distribution::names(facts.machine)?.iter().any(|name| name == "alpine");
        let (program, path, service, packages, template): (_, _, _, &[&str], _) = match name {
            "chrony" => {
                let path =
                    if is_debian || is_alpine { "/etc/chrony/chrony.conf" } else { "/etc/chrony.conf" };
                (
                    "chronyd",
                    path,
                    if is_debian { "chrony" } else { "chronyd" },
                    &["chrony"],
                    CHRONY.to_owned(),
                )
            }
            "systemd-timesyncd" => (
                "/usr/lib/systemd/systemd-timesyncd",
                "/etc/systemd/timesyncd.conf.d/cloud-init.conf",
                name,
                if is_debian { &["systemd-timesyncd"] } else { &[] },
                TIMESYNCD.to_owned(),
            ),
            // Debian's `ntp` installs NTPsec.
            "ntp" if is_debian && (facts.machine.holds(NTPSEC)? || !facts.machine.has_program("ntpd")?) => (
                "ntpd",
                "/etc/ntpsec/ntp.conf",
                "ntpsec",
                &["ntpsec"],
                NTP.replace("DIRECTORY", "/var/lib/ntpsec"),
            ),
            "ntp" => (
                "ntpd",
                "/etc/ntp.conf",
                if is_debian { "ntp" } else { "ntpd" },
                &["ntp"],
                NTP.replace("DIRECTORY", "/var/lib/ntp"),
            ),
            _ => return Ok(None),
        };
        let pattern = if name == "systemd-timesyncd" {
            "timesyncd.conf".to_owned()
        } else {
            format!("{name}.conf.NAME")
        };
        // What a distribution brings for cloud-init knows the distribution better.
        let template = distribution::template(&pattern, facts.machine)?.unwrap_or(template);
        Ok(Some(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            service: service.to_owned(),
            packages: packages.iter().map(|package| (*package).to_owned()).collect(),
            program: program.to_owned(),
            template: Some(template),
            template_name: None,
        }))
    }

    /// One of which nothing is known but what the user says.
    fn described(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            path: String::new(),
            service: String::new(),
            packages: Vec::new(),
            program: String::new(),
            template: None,
            template_name: None,
        }
    }

    /// Takes the user's settings over.
    fn change(&mut self, own: &Mapping) -> Result<()> {
        let text = |key: &str| own.get(key).and_then(Value::scalar_text).filter(|text| !text.is_empty());
        for (key, place) in [
            ("check_exe", &mut self.program),
            ("confpath", &mut self.path),
            ("service_name", &mut self.service),
        ] {
            *place = text(key).unwrap_or_else(|| std::mem::take(place));
            if place.is_empty() {
                bail!("config: `{key}` is missing, and nothing is known of the client {}", self.name);
            }
        }
        if !self.path.starts_with('/') {
            bail!("config: confpath: the path `{}` is not absolute", self.path.escape_debug());
        }
        if let Some(packages) = own.get("packages") {
            self.packages = crate::people::words(packages);
        }
        if let Some(template) = text("template") {
            self.template = Some(template);
        } else if let Some(name) = text("template_name") {
            self.template_name = Some(name);
        }
        Ok(())
    }

    /// True if there is its program.
    pub(super) fn is_installed(&self, facts: &HandlerFacts<'_>) -> Result<bool> {
        let program = self.program.trim_start_matches('/');
        if program.contains('/') {
            return Ok(
                facts.machine.holds(program)? || facts.machine.holds(program.trim_start_matches("usr/"))?
            );
        }
        facts.machine.has_program(program)
    }

    /// The template of its settings.
    pub(super) fn template(&self, facts: &HandlerFacts<'_>) -> Result<String> {
        if let Some(name) = &self.template_name {
            let found = distribution::template(&name.replace("{distro}", "NAME"), facts.machine)?;
            return found.with_context(|| {
                format!(
                    "config: template_name: there is no /etc/cloud/templates/{}.tmpl",
                    name.escape_debug()
                )
            });
        }
        self.template
            .clone()
            .with_context(|| format!("config: `template` is missing for the client {}", self.name))
    }

    /// True if its settings have such a list.
    pub(super) fn knows(&self, key: &str) -> bool {
        match self.name.as_str() {
            "systemd-timesyncd" => key == "servers" || key == "pools",
            "ntp" => key != "allow",
            _ => true,
        }
    }
}
