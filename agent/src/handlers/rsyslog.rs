//! `rsyslog`: files of its settings, and other machines that get the log.

mod remote;

use super::{HandlerFacts, install};
use crate::people::words;
use crate::plan::{File, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

const DIRECTORY: &str = "/etc/rsyslog.d";
const FILE: &str = "20-cloud-config.conf";
const PROGRAM: &str = "rsyslogd";
const RELOAD: [&str; 3] = ["systemctl", "try-reload-or-restart", "rsyslog"];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let config = facts.config;
    let text = |settings: &Mapping, key: &str| {
        settings
            .get(key)
            .and_then(Value::scalar_text)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let nothing = Mapping::default();
    // The old form is a list, with its places at the top.
    let (settings, configs, directory, file) = match config.get("rsyslog") {
        None | Some(Value::Null) => return Ok(plan),
        Some(Value::Seq(configs)) => {
            (&nothing, Some(configs), text(config, "rsyslog_dir"), text(config, "rsyslog_filename"))
        }
        Some(Value::Map(settings)) => {
            let configs = match settings.get("configs") {
                None | Some(Value::Null) => None,
                Some(Value::Seq(configs)) => Some(configs),
                Some(other) => bail!("configs: it is {} and no list", other.kind()),
            };
            (settings, configs, text(settings, "config_dir"), text(settings, "config_filename"))
        }
        Some(other) => bail!("it is {} and neither a mapping nor a list", other.kind()),
    };
    let directory = directory.unwrap_or_else(|| DIRECTORY.into());
    let mut files = Files { directory, usual: file.unwrap_or_else(|| FILE.into()), all: Vec::new() };
    for (number, entry) in configs.into_iter().flatten().enumerate() {
        if let Err(error) = files.entry(entry) {
            plan.problem(format!("configs: entry {}: {error:#}", number + 1));
        }
    }
    let remotes = remote::lines(settings.get("remotes"), &mut plan)?;
    if !remotes.is_empty() {
        files.add(None, &format!("# begin remotes\n{remotes}# end remotes"));
    }
    let program = text(settings, "check_exe").unwrap_or_else(|| PROGRAM.into());
    let mut is_there = facts.machine.has_program(program.trim_start_matches('/'))?
        || facts.machine.holds(program.trim_start_matches('/'))?;
    let installs = settings.get("install_rsyslog").is_some_and(Value::is_on);
    if installs && !is_there {
        let packages = settings.get("packages").map_or_else(|| vec!["rsyslog".to_owned()], words);
        plan.steps
            .extend(install::steps(&packages.iter().map(String::as_str).collect::<Vec<_>>(), facts.machine)?);
        is_there = true;
    }
    if files.all.is_empty() {
        return Ok(plan);
    }
    for (path, content) in files.all {
        // It may hold the password of a collector, and rsyslogd reads it as root.
        plan.push(Step::Write(File::new(&path, content, 0o640)));
    }
    match settings.get("service_reload_command") {
        Some(Value::Str(command)) if !command.is_empty() && command != "auto" => {
            plan.push(Step::run(&["/bin/sh", "-c", command]));
        }
        Some(Value::Seq(command)) if !command.is_empty() => {
            let argv = command.iter().filter_map(Value::scalar_text).collect();
            plan.push(Step::Run { argv, input: None });
        }
        _ if is_there => plan.push(Step::run(&RELOAD)),
        _ => {
            plan.idle.push(format!("there is no {program} that would read it (add `install_rsyslog: true`)"));
        }
    }
    Ok(plan)
}

/// Files of settings, by their paths.
struct Files {
    directory: String,
    /// The file of an entry that names none.
    usual: String,
    all: Vec<(String, String)>,
}

impl Files {
    fn entry(&mut self, entry: &Value) -> Result<()> {
        match entry {
            Value::Map(entry) => {
                let Some(content) = entry.get("content").and_then(Value::scalar_text) else {
                    bail!("it has no `content`");
                };
                let name = entry.get("filename").and_then(Value::scalar_text);
                if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
                    bail!("its `filename` is empty");
                }
                self.add(name.as_deref().map(str::trim), &content);
            }
            other => match other.scalar_text() {
                Some(content) => self.add(None, &content),
                None => bail!("it is {} and neither a text nor a mapping", other.kind()),
            },
        }
        Ok(())
    }

    fn add(&mut self, name: Option<&str>, content: &str) {
        let name = name.unwrap_or(&self.usual);
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("{}/{name}", self.directory.trim_end_matches('/'))
        };
        let end = if content.ends_with('\n') { "" } else { "\n" };
        let line = format!("{content}{end}");
        match self.all.iter_mut().find(|(known, _)| *known == path) {
            Some((_, all)) => all.push_str(&line),
            None => self.all.push((path, line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const MACHINE: &[(&str, &str)] = &[("usr/sbin/rsyslogd", ""), ("usr/bin/apt-get", "")];

    #[test]
    fn files_are_written_and_it_reads_them() {
        let config = "rsyslog:
  config_dir: /opt/log.d/
  configs:
  - '*.* @@10.0.0.1'
  - {content: \"one\\n\", filename: 10-one.conf}
  - {content: two, filename: 10-one.conf}
  - {content: far, filename: /etc/far.conf}
  remotes: {central: 'kern.* @@[::1]:6514', spare: log.example, none: null}
  service_reload_command: [touch, /reloaded]
";
        check_on(
            MACHINE,
            plan,
            config,
            "",
            expect![[r"
                write /opt/log.d/20-cloud-config.conf (100 bytes, mode 0640)
                *.* @@10.0.0.1
                # begin remotes
                kern.* @@[::1]:6514 # central
                *.* @log.example # spare
                # end remotes
                write /opt/log.d/10-one.conf (8 bytes, mode 0640)
                one
                two
                write /etc/far.conf (4 bytes, mode 0640)
                far
                run touch /reloaded
            "]],
        );
        let of_old = "{rsyslog: ['*.* @a'], rsyslog_filename: 99-x.conf, rsyslog_dir: /x}";
        check_on(
            MACHINE,
            plan,
            of_old,
            "",
            expect![[r"
                write /x/99-x.conf (7 bytes, mode 0640)
                *.* @a
                run systemctl try-reload-or-restart rsyslog
            "]],
        );
        let own = "rsyslog: {configs: [a], service_reload_command: your-restart}";
        check_on(
            MACHINE,
            plan,
            own,
            "",
            expect![[r"
            write /etc/rsyslog.d/20-cloud-config.conf (2 bytes, mode 0640)
            a
            run /bin/sh -c your-restart
        "]],
        );
    }

    #[test]
    fn a_machine_without_it_gets_it_if_that_is_wanted() {
        let config = "rsyslog: {remotes: {a: 10.0.0.1}, install_rsyslog: true}";
        check_on(
            &[("usr/bin/apt-get", "")],
            plan,
            config,
            "",
            expect![[r"
            run env DEBIAN_FRONTEND=noninteractive apt-get --quiet update
            run env DEBIAN_FRONTEND=noninteractive apt-get --option=Dpkg::Options::=--force-confold --option=DPkg::Lock::Timeout=600 --quiet --assume-yes install rsyslog
            write /etc/rsyslog.d/20-cloud-config.conf (48 bytes, mode 0640)
            # begin remotes
            *.* @10.0.0.1 # a
            # end remotes
            run systemctl try-reload-or-restart rsyslog
        "]],
        );
        check_on(
            &[],
            plan,
            "rsyslog: {remotes: {a: 10.0.0.1}}",
            "",
            expect![[r"
            write /etc/rsyslog.d/20-cloud-config.conf (48 bytes, mode 0640)
            # begin remotes
            *.* @10.0.0.1 # a
            # end remotes
            problem: there is no rsyslogd that would read it (add `install_rsyslog: true`)
        "]],
        );
        check_on(MACHINE, plan, "rsyslog: {install_rsyslog: true}", "", expect![[""]]);
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        let config = "rsyslog: {configs: [[a], {filename: b}, {content: c, filename: ' '}, d], remotes: {x: a b c, y: '@'}}";
        check_on(
            MACHINE,
            plan,
            config,
            "",
            expect![[r"
            write /etc/rsyslog.d/20-cloud-config.conf (2 bytes, mode 0640)
            d
            run systemctl try-reload-or-restart rsyslog
            problem: configs: entry 1: it is a list and neither a text nor a mapping
            problem: configs: entry 2: it has no `content`
            problem: configs: entry 3: its `filename` is empty
            problem: remotes: x: `a b c` is not `SELECTOR HOST`, or a host
            problem: remotes: y: the host is missing
        "]],
        );
        check_on(
            MACHINE,
            plan,
            "rsyslog: text",
            "",
            expect![[r"
            problem: it is a text and neither a mapping nor a list
        "]],
        );
        check_on(
            MACHINE,
            plan,
            "rsyslog: {configs: a}",
            "",
            expect![[r"
            problem: configs: it is a text and no list
        "]],
        );
        for nothing in ["a: b", "rsyslog: {}", "rsyslog: []"] {
            check_on(MACHINE, plan, nothing, "", expect![[""]]);
        }
    }
}
