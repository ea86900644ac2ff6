//! `locale`: the language of the system, which is generated where it has to be.

use super::HandlerFacts;
use super::{distribution, install};
use crate::plan::{File, HandlerPlan, Placing, Step};
use crate::yaml::Value;
use anyhow::{Context, Result, bail};

const DEBIANS: &str = "/etc/default/locale";
const OTHERS: &str = "/etc/locale.conf";

/// The file with the locales that are generated, and those that can be.
const GENERATED: &str = "etc/locale.gen";
const SUPPORTED: &str = "usr/share/i18n/SUPPORTED";

/// The locales that are always there.
const BUILT_IN: [&str; 4] = ["c", "c.utf-8", "c.utf8", "posix"];

pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let locale = match facts.config.get("locale") {
        None | Some(Value::Bool(_)) => return Ok(plan),
        Some(value) => value.scalar_text().unwrap_or_default(),
    };
    if ["", "false", "no", "off", "0"].contains(&locale.to_lowercase().as_str()) {
        return Ok(plan);
    }
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte);
    if !locale.bytes().all(good) {
        bail!("`{}` is no locale (a name such as en_US.UTF-8)", locale.escape_debug());
    }
    let is_debian = distribution::is_debian(facts.machine)?;
    let path = facts.config.get("locale_configfile").and_then(Value::scalar_text);
    let path = path.unwrap_or_else(|| if is_debian { DEBIANS } else { OTHERS }.to_owned());
    if !path.starts_with('/') {
        bail!("locale_configfile: the path `{}` is not absolute", path.escape_debug());
    }
    let text = facts.machine.text(path.trim_start_matches('/'))?.unwrap_or_default();
    let with_it = with_language(&text, &locale);
    if with_it == text {
        return Ok(plan);
    }
    if is_debian && !BUILT_IN.contains(&locale.to_lowercase().as_str()) {
        generate(&locale, facts, &mut plan)?;
    }
    plan.push(Step::Write(File::new(&path, with_it, 0o644)));
    Ok(plan)
}

/// The text of a file of settings, with this language.
fn with_language(text: &str, locale: &str) -> String {
    let own = format!("LANG={locale}");
    let is_language = |line: &&str| line.trim_start().starts_with("LANG=");
    if text.lines().filter(is_language).eq([own.as_str()]) {
        return text.to_owned();
    }
    let kept = text.lines().filter(|line| !is_language(line)).map(|line| format!("{line}\n"));
    kept.chain([own + "\n"]).collect()
}

/// Debian has no locales but those that are generated.
fn generate(locale: &str, facts: &HandlerFacts<'_>, plan: &mut HandlerPlan) -> Result<()> {
    let line = match facts.machine.text(SUPPORTED)? {
        Some(supported) => line(locale, &supported).with_context(|| {
            format!("there is no locale `{locale}` in /{SUPPORTED} (a name such as en_US.UTF-8)")
        })?,
        None => usual_line(locale),
    };
    if facts.machine.has_program("locale-gen")? {
        let text = facts.machine.text(GENERATED)?.unwrap_or_default();
        let with_it = with_line(&text, &line);
        plan.push(Step::Write(File::new(&format!("/{GENERATED}"), with_it, 0o644)));
    } else {
        plan.steps.extend(install::steps(&["locales"], facts.machine)?);
        // The package brings the file that this is added to.
        let file = File::new(&format!("/{GENERATED}"), line + "\n", 0o644);
        plan.push(Step::Write(File { placing: Placing::Append, ..file }));
    }
    plan.push(Step::run(&["locale-gen", "--keep-existing"]));
    Ok(())
}

/// A locale's line in the list of those that can be generated: that of its own character set, or of UTF-8.
fn line(locale: &str, supported: &str) -> Option<String> {
    let (name, modifier) = locale.split_once('@').map_or((locale, ""), |(name, modifier)| (name, modifier));
    let (base, wanted) = name.split_once('.').unwrap_or((name, ""));
    let of_base = |line: &&str| {
        let own = line.split_whitespace().next().unwrap_or_default();
        let (own, own_modifier) = own.split_once('@').unwrap_or((own, ""));
        own.split('.').next() == Some(base) && own_modifier == modifier
    };
    let all: Vec<&str> = supported.lines().map(str::trim).filter(of_base).collect();
    let charset = |line: &str| line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let plain = |charset: &str| charset.replace('-', "").to_lowercase();
    let own = all.iter().find(|line| !wanted.is_empty() && plain(&charset(line)) == plain(wanted));
    let utf8 = all.iter().find(|line| plain(&charset(line)) == "utf8");
    own.or(utf8).or(all.first()).map(|line| (*line).to_owned())
}

/// The line of a locale, where there is no list yet.
fn usual_line(locale: &str) -> String {
    let (name, modifier) = locale
        .split_once('@')
        .map_or((locale, String::new()), |(name, modifier)| (name, format!("@{modifier}")));
    let (base, charset) = name.split_once('.').unwrap_or((name, "UTF-8"));
    let charset = if charset.eq_ignore_ascii_case("utf8") { "UTF-8" } else { charset };
    format!("{base}.{charset}{modifier} {charset}")
}

/// A list of what is generated with this line, which may be there as a comment.
fn with_line(text: &str, line: &str) -> String {
    let is_it = |known: &str| known.trim_start_matches(['#', ' ', '\t']).trim_end() == line;
    if !text.lines().any(is_it) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{end}{line}\n");
    }
    text.lines().map(|known| if is_it(known) { format!("{line}\n") } else { format!("{known}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_on;
    use super::*;
    use expect_test::expect;

    const LIST: &str = "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nde_DE@euro ISO-8859-15\nen_US.UTF-8 UTF-8\nsr_RS UTF-8\nsr_RS@latin UTF-8\n";
    const DEBIAN: (&str, &str) = ("etc/os-release", "ID=debian\n");
    const APT: (&str, &str) = ("usr/bin/apt-get", "");

    #[test]
    fn a_locale_is_generated_and_set() {
        let machine = [
            DEBIAN,
            ("usr/sbin/locale-gen", ""),
            (SUPPORTED, LIST),
            (GENERATED, "# a list\n# de_DE.UTF-8 UTF-8\n# en_US.UTF-8 UTF-8\n"),
            ("etc/default/locale", "# mine\nLANG=C.UTF-8\nLC_TIME=C\n"),
        ];
        check_on(
            &machine,
            plan,
            "locale: de_DE.UTF-8",
            "",
            expect![[r"
                write /etc/locale.gen (47 bytes, mode 0644)
                # a list
                de_DE.UTF-8 UTF-8
                # en_US.UTF-8 UTF-8
                run locale-gen --keep-existing
                write /etc/default/locale (34 bytes, mode 0644)
                # mine
                LC_TIME=C
                LANG=de_DE.UTF-8
            "]],
        );
        check_on(
            &machine,
            plan,
            "{locale: C.UTF-8, locale_configfile: /etc/lang}",
            "",
            expect![[r"
            write /etc/lang (13 bytes, mode 0644)
            LANG=C.UTF-8
        "]],
        );
        check_on(&machine, plan, "locale: C.UTF-8", "", expect![""]);
        check_on(
            &machine,
            plan,
            "locale: xx_XX",
            "",
            expect![[r"
            problem: there is no locale `xx_XX` in /usr/share/i18n/SUPPORTED (a name such as en_US.UTF-8)
        "]],
        );
    }

    #[test]
    fn a_machine_without_locales_gets_them() {
        check_on(
            &[DEBIAN, APT],
            plan,
            "locale: en_GB.utf8",
            "",
            expect![[r"
            run env DEBIAN_FRONTEND=noninteractive apt-get --quiet update
            run env DEBIAN_FRONTEND=noninteractive apt-get --option=Dpkg::Options::=--force-confold --option=DPkg::Lock::Timeout=600 --quiet --assume-yes install locales
            append to /etc/locale.gen (18 bytes, mode 0644)
            en_GB.UTF-8 UTF-8
            run locale-gen --keep-existing
            write /etc/default/locale (16 bytes, mode 0644)
            LANG=en_GB.utf8
        "]],
        );
    }

    #[test]
    fn others_than_debian_have_a_file() {
        check_on(
            &[("etc/os-release", "ID=fedora\n")],
            plan,
            "locale: de_DE.UTF-8",
            "",
            expect![[r"
            write /etc/locale.conf (17 bytes, mode 0644)
            LANG=de_DE.UTF-8
        "]],
        );
    }

    #[test]
    fn what_asks_for_nothing_changes_nothing() {
        for config in ["a: b", "locale: false", "locale: ''", "locale: 'off'"] {
            check_on(&[DEBIAN], plan, config, "", expect![[""]]);
        }
        check_on(
            &[DEBIAN],
            plan,
            "locale: \"a\\nb\"",
            "",
            expect![[r"
            problem: `a\nb` is no locale (a name such as en_US.UTF-8)
        "]],
        );
        check_on(
            &[DEBIAN],
            plan,
            "{locale: C, locale_configfile: lang}",
            "",
            expect![[r"
            problem: locale_configfile: the path `lang` is not absolute
        "]],
        );
    }

    /// The expected values follow cloud-init 26.2's `_lookup_supported_i18n_value`, but for an unknown name, which it
    /// makes a line of.
    #[test]
    fn a_name_finds_its_line() {
        for (locale, expected) in [
            ("de_DE", Some("de_DE.UTF-8 UTF-8")),
            ("de_DE.UTF-8", Some("de_DE.UTF-8 UTF-8")),
            ("de_DE.utf8", Some("de_DE.UTF-8 UTF-8")),
            ("de_DE.ISO-8859-1", Some("de_DE ISO-8859-1")),
            ("de_DE@euro", Some("de_DE@euro ISO-8859-15")),
            ("sr_RS@latin", Some("sr_RS@latin UTF-8")),
            ("sr_RS.UTF-8@latin", Some("sr_RS@latin UTF-8")),
            ("sr_RS", Some("sr_RS UTF-8")),
            ("de", None),
            ("xx_XX", None),
        ] {
            assert_eq!(line(locale, LIST).as_deref(), expected, "{locale}");
        }
        assert_eq!(usual_line("de_DE@euro"), "de_DE.UTF-8@euro UTF-8");
    }
}
