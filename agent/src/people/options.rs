//! Settings of a user -> options of useradd. One that useradd would end at costs only itself, and not the user.

use super::Person;
use crate::yaml::Value;

/// A key, its option, and what the value has to be.
const OPTIONS: &[(&str, &str, Check)] = &[
    ("gecos", "--comment", field),
    ("homedir", "--home-dir", path),
    ("uid", "--uid", number),
    ("shell", "--shell", path),
    ("expiredate", "--expiredate", day),
    ("inactive", "--inactive", days),
    ("selinux_user", "--selinux-user", field),
];

/// The text of the option, or what a good value is.
type Check = fn(&str) -> Result<String, &'static str>;

/// The options, and what is left out.
pub(super) fn options(user: &Person) -> (Vec<String>, Vec<String>) {
    let (mut options, mut problems) = (Vec::new(), Vec::new());
    for (key, option, check) in OPTIONS {
        let text = match user.settings.get(key) {
            Some(Value::Bool(on)) => Some(if *on { "yes" } else { "no" }.to_owned()),
            _ => user.text(key),
        };
        match text.as_deref().map(|text| (text, check(text.trim()))) {
            None => {}
            Some((_, Ok(value))) => options.extend([(*option).to_owned(), value]),
            Some((text, Err(good))) => {
                problems.push(format!("{key}: `{}` is {good}, so it is left out", text.escape_debug()));
            }
        }
    }
    (options, problems)
}

/// A field of /etc/passwd.
fn field(text: &str) -> Result<String, &'static str> {
    let is_good = !text.contains(|letter: char| letter == ':' || letter.is_control());
    is_good.then(|| text.to_owned()).ok_or("no text on one line without `:`")
}

fn path(text: &str) -> Result<String, &'static str> {
    field(text).ok().filter(|text| text.starts_with('/')).ok_or("no path that begins with `/`")
}

/// A user's number. YAML 1.2 writes octal ones `0o17`.
fn number(text: &str) -> Result<String, &'static str> {
    let read = match text.strip_prefix("0o") {
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
        None => text.strip_suffix(".0").unwrap_or(text).parse().ok(),
    };
    let number = read.filter(|number| *number != u32::MAX).ok_or("no number from 0 to 4294967294")?;
    Ok(number.to_string())
}

/// A day, or how many there are from 1970 to it.
fn day(text: &str) -> Result<String, &'static str> {
    let parts: Vec<Option<u32>> = text.splitn(3, '-').map(|part| part.parse().ok()).collect();
    let is_day =
        matches!(parts[..], [Some(1970..), Some(1..=12), Some(1..=31)]) || text.parse::<u32>().is_ok();
    is_day.then(|| text.to_owned()).ok_or("no day like 2030-12-31")
}

/// A number of days, or -1 for never.
fn days(text: &str) -> Result<String, &'static str> {
    let is_good = text.parse::<i32>().is_ok_and(|days| days >= -1);
    is_good.then(|| text.to_owned()).ok_or("no number of days")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts;
    use crate::yaml::load_with;

    fn made(settings: &str) -> (String, usize) {
        let config = load_with(&format!("user: {{{settings}}}"), &texts::CONFIG).unwrap();
        let settings = config.as_map().unwrap().get("user").unwrap().as_map().unwrap().clone();
        let (options, problems) = options(&Person { name: "a".into(), entry: None, settings });
        (options.join(" "), problems.len())
    }

    /// Good values are options of useradd, as with cloud-init 26.2 and Debian sid's useradd.
    #[test]
    fn good_values_are_options_of_useradd() {
        for (settings, options) in [
            ("uid: 1500", "--uid 1500"),
            ("uid: '1500'", "--uid 1500"),
            ("uid: 01750", "--uid 1000"),
            ("uid: 0x7d0", "--uid 2000"),
            ("uid: 1_500", "--uid 1500"),
            ("uid: 190:20:30", "--uid 685230"),
            ("uid: 0", "--uid 0"),
            ("uid: ''", ""),
            ("uid: ~", ""),
            ("gecos: The Web, shell: /bin/bash", "--comment The Web --shell /bin/bash"),
            ("gecos: Ärger, homedir: /srv/a b", "--comment Ärger --home-dir /srv/a b"),
            ("expiredate: '2031-02-03', inactive: '7'", "--expiredate 2031-02-03 --inactive 7"),
            ("expiredate: 2030-01-31, inactive: 0", "--expiredate 2030-01-31 --inactive 0"),
            ("inactive: '-1', expiredate: ''", "--inactive -1"),
        ] {
            assert_eq!(made(settings), (options.to_owned(), 0), "{settings}");
        }
    }

    /// cloud-init passes over what is no text (`shell: no`), and makes no user at all for the rest.
    #[test]
    fn a_bad_value_is_left_out_and_not_its_user() {
        for settings in [
            "uid: -1",
            "uid: yes",
            "uid: 99999999999",
            "uid: 4294967295",
            "uid: abc",
            "uid: 0o8",
            "shell: no",
            "shell: bash",
            "homedir: 0777",
            "homedir: '~/a'",
            "gecos: 12:30",
            "gecos: \"a\\nb\"",
            "expiredate: never",
            "expiredate: 31.12.2030",
            "expiredate: 2030-13-01",
            "inactive: yes",
            "inactive: -2",
        ] {
            assert_eq!(made(settings), (String::new(), 1), "{settings}");
        }
    }

    /// cloud-init makes no user for them.
    #[test]
    fn numbers_of_yaml_1_2_are_numbers() {
        for (settings, options) in [("uid: 0o1750", "--uid 1000"), ("uid: 2000.0", "--uid 2000")] {
            assert_eq!(made(settings), (options.to_owned(), 0), "{settings}");
        }
    }
}
