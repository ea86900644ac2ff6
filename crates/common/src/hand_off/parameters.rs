//! A seed on the kernel command line: `ds=nocloud…`, `lifeboat.seed=` and `cloud-config-url=`.

use super::seed::{FIELDS, Place, Seed};
use crate::check;
use crate::command_line::CommandLine;

/// The parameter with the place of a seed, which is its source's name too.
const PLACE: &str = "lifeboat.seed";

/// The parameter with the place of configuration below the user's, and the source of a hand-off that says nothing else.
pub const ONLY_CONFIG: &str = "cloud-config-url";

/// The data sources that `ds=` may name.
const SOURCES: [&str; 2] = ["nocloud", "nocloud-net"];

/// The fields of cloud-init's without a meaning here: a seed is taken whenever it can be had.
const PASSED_OVER: [&str; 1] = ["dsmode"];

impl Seed {
    /// True if its source is one that a command line can name. A file that was damaged has another, or none.
    pub fn has_a_known_source(&self) -> bool {
        SOURCES.into_iter().chain([PLACE, ONLY_CONFIG]).any(|source| source == self.source)
    }

    /// Reads a kernel command line. `None` when it names no seed, or switches that off.
    ///
    /// # Errors
    ///
    /// The fault of the line, where nothing is left of what it says.
    pub fn from_line(line: &CommandLine) -> Result<Option<Self>, String> {
        if line.switched_off("seed").is_some() {
            return Ok(None);
        }
        let mut seed = line.value("ds").and_then(|value| Self::from_ds(value, &format!("ds={value}")));
        if let Some(place) = line.value(PLACE) {
            let seed = seed.get_or_insert_default();
            PLACE.clone_into(&mut seed.source);
            seed.seed_from = match check::place(place) {
                Ok(()) => Place::At(place.to_owned()),
                Err(reason) => {
                    seed.refuse(&format!("{PLACE}={place}: {reason}"));
                    Place::Refused
                }
            };
        }
        if let Some(url) = line.value(ONLY_CONFIG) {
            match (check::place(url), &mut seed) {
                (Ok(()), seed) => {
                    let only = || Self { source: ONLY_CONFIG.to_owned(), ..Self::default() };
                    seed.get_or_insert_with(only).cloud_config_url = Some(url.to_owned());
                }
                (Err(reason), Some(seed)) => seed.refuse(&format!("{ONLY_CONFIG}={url}: {reason}")),
                (Err(reason), None) => return Err(format!("{ONLY_CONFIG}={url}: {reason}")),
            }
        }
        match seed {
            Some(Self {
                seed_from: Place::Refused,
                local_hostname: None,
                instance_id: None,
                cloud_config_url: None,
                refused: Some(reason),
                ..
            }) => Err(reason),
            seed => Ok(seed),
        }
    }

    /// Reads `nocloud;NAME=VALUE;…`, which also firmware may hold; `None` for any other source. A bad field costs only
    /// itself. `holder`: what holds the value, for people.
    pub fn from_ds(value: &str, holder: &str) -> Option<Self> {
        let mut words = fields(value);
        let source = words.next()?.to_ascii_lowercase();
        if !SOURCES.contains(&source.as_str()) {
            return None;
        }
        let mut seed = Self { source, ..Self::default() };
        for word in words.filter(|word| !word.is_empty()) {
            let Some((name, value)) = word.split_once('=') else {
                seed.refuse(&format!("`{word}` is not KEY=VALUE"));
                continue;
            };
            let field = FIELDS.iter().find(|field| field.names.is_some_and(|names| names.contains(&name)));
            match field {
                Some(field) => seed.take(field, &format!("`{word}`"), value),
                None if PASSED_OVER.contains(&name) => {}
                None => seed.refuse(&format!("unknown field `{name}` (known: {})", known())),
            }
        }
        seed.refused = seed.refused.map(|refused| format!("{holder}: {refused}"));
        Some(seed)
    }
}

/// The name of the source in a `ds=`, and its fields. A backslash before each `;` is what GRUB left of its own quoting.
fn fields(value: &str) -> impl Iterator<Item = &str> {
    let is_quoted = value.split(';').next().is_some_and(|source| source.ends_with('\\'));
    let mut words = value.split(';').peekable();
    std::iter::from_fn(move || {
        let word = words.next()?;
        let ends = is_quoted && words.peek().is_some();
        Some(if ends { word.trim_end_matches('\\') } else { word })
    })
}

/// The name of the source in a `ds=`.
pub fn source_of(value: &str) -> &str {
    fields(value).next().unwrap_or_default()
}

fn known() -> String {
    let names = FIELDS.iter().filter_map(|field| field.names);
    names.map(|[short, long]| format!("{short} or {long}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Seed> {
        Seed::from_line(&CommandLine::parse(text)).unwrap()
    }

    fn said(source: &str, [place, name, id, config]: [&str; 4]) -> Seed {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Seed {
            source: source.into(),
            seed_from: given(place).map_or(Place::Unnamed, Place::At),
            local_hostname: given(name),
            instance_id: given(id),
            cloud_config_url: given(config),
            refused: None,
        }
    }

    #[test]
    fn fields_are_read_by_their_short_and_long_names() {
        assert_eq!(
            line("ro ds=nocloud;s=http://x/;h=web-1;i=i-1 quiet").unwrap(),
            said("nocloud", ["http://x/", "web-1", "i-1", ""])
        );
        assert_eq!(
            line("ds=NoCloud-Net;seedfrom=https://x/%s?a=b;local-hostname=a.b;instance-id=i-2").unwrap(),
            said("nocloud-net", ["https://x/%s?a=b", "a.b", "i-2", ""])
        );
        assert_eq!(line("ds=nocloud;;h=a;").unwrap(), said("nocloud", ["", "a", "", ""]));
        assert_eq!(line("ds=nocloud;h=a;h=b").unwrap(), said("nocloud", ["", "b", "", ""]));
    }

    #[test]
    fn the_own_parameter_wins_over_the_place_of_ds() {
        assert_eq!(
            line("ds=nocloud;s=http://old/;i=i-3 lifeboat.seed=http://new/").unwrap(),
            said("lifeboat.seed", ["http://new/", "", "i-3", ""])
        );
    }

    #[test]
    fn a_cloud_config_url_stands_alone_or_beside() {
        let alone = line("cloud-config-url=http://c").unwrap();
        assert_eq!(alone, said("cloud-config-url", ["", "", "", "http://c"]));
        assert!(!alone.names_a_seed());
        let beside = line("ds=nocloud;i=a cloud-config-url=http://c").unwrap();
        assert_eq!(beside, said("nocloud", ["", "", "a", "http://c"]));
        assert!(beside.names_a_seed());
    }

    #[test]
    fn nothing_is_said_where_no_seed_is_named_or_it_is_switched_off() {
        for text in
            ["root=/dev/vda ro", "ds=ec2", "ds=", "ds=nocloud lifeboat=off", "ds=nocloud lifeboat.seed=off"]
        {
            assert_eq!(line(text), None, "{text}");
        }
        assert_eq!(line("ds=nocloud").unwrap(), said("nocloud", [""; 4]));
    }

    #[test]
    fn of_very_many_bad_fields_the_first_are_told() {
        let seed = line(&format!("ds=nocloud;i=i-1{}", ";=".repeat(1000))).unwrap();
        let refused = seed.refused.unwrap();
        assert!(refused.ends_with("; and more") && refused.len() < 4000, "{}", refused.len());
        assert_eq!(seed.instance_id.as_deref(), Some("i-1"));
    }

    #[test]
    fn the_backslash_that_grub_left_before_a_semicolon_is_no_part_of_it() {
        let expected = said("nocloud", ["http://x/", "web", "i-1", ""]);
        for text in [
            r"ro ds=nocloud\;s=http://x/\;h=web\;i=i-1",
            r"ds=nocloud\\;s=http://x/\\;h=web\\;i=i-1",
            r"ds=nocloud\;s=http://x/;h=web;i=i-1",
        ] {
            assert_eq!(line(text).unwrap(), expected, "{text}");
        }
        // Where the source's name has none, it is part of the value.
        assert_eq!(line(r"ds=nocloud;i=a\;h=web").unwrap(), said("nocloud", ["", "web", r"a\", ""]));
        assert_eq!(line(r"ds=nocloud\;i=a\").unwrap(), said("nocloud", ["", "", r"a\", ""]));
        for other in [r"ds=nocloud\", r"ds=nocluod\;s=/s", r"ds=\;s=/s"] {
            assert_eq!(line(other), None, "{other}");
        }
    }

    #[test]
    fn an_underscore_in_a_host_name_is_taken() {
        assert_eq!(line("ds=nocloud;h=a_b").unwrap(), said("nocloud", ["", "a_b", "", ""]));
    }

    #[test]
    fn a_field_without_a_meaning_here_is_passed_over() {
        assert_eq!(line("ds=nocloud;dsmode=net;s=/s;h=web").unwrap(), said("nocloud", ["/s", "web", "", ""]));
    }

    #[test]
    fn a_bad_field_costs_only_itself_and_is_said_with_its_parameter() {
        for (bad, reason) in [
            ("h=a'b", "`h=a'b`: not a host name"),
            ("h=", "`h=`: empty value"),
            ("i=", "`i=`: empty value"),
            ("i=a\u{7}b", "`i=a\u{7}b`: control characters"),
            ("q=1", "unknown field `q` (known: s or seedfrom, h or local-hostname, i or instance-id)"),
            ("x", "`x` is not KEY=VALUE"),
        ] {
            let text = format!("ds=nocloud;s=http://x/;{bad}");
            let seed = line(&text).unwrap();
            assert_eq!(Seed { refused: None, ..seed.clone() }, said("nocloud", ["http://x/", "", "", ""]));
            assert!(seed.refused.as_deref().unwrap().starts_with(&format!("{text}: {reason}")), "{seed:?}");
        }
        let seed = line("ds=nocloud;s=/s;h=web;h=a'b;i=i-1;q=1 cloud-config-url=x").unwrap();
        let refused = seed.refused.clone().unwrap();
        assert_eq!(Seed { refused: None, ..seed }, said("nocloud", ["/s", "web", "i-1", ""]));
        assert_eq!(refused.split("; ").count(), 3, "{refused}");
        assert!(refused.ends_with("; cloud-config-url=x: neither a URL nor an absolute path"), "{refused}");
    }

    #[test]
    fn a_place_that_is_refused_is_none_and_no_other_is_taken() {
        for text in [
            "ds=nocloud;s=ftp://x/;h=web",
            "ds=nocloud;s=http:///x;h=web",
            "ds=nocloud;s=x;h=web",
            "ds=nocloud;s=;h=web",
            "lifeboat.seed=http://x/%s/%s ds=nocloud;s=http://old/;h=web",
        ] {
            let seed = line(text).unwrap();
            assert_eq!((&seed.seed_from, seed.local_hostname.as_deref()), (&Place::Refused, Some("web")));
            assert_eq!(seed.place(), None);
            let parameter = text.split(' ').next().unwrap();
            assert!(seed.refused.as_deref().unwrap().starts_with(parameter), "{seed:?}");
        }
        assert_eq!(line("ds=nocloud;s=x;s=/s").unwrap().place(), Some("/s"));
        assert_eq!(line("ds=nocloud;s=x lifeboat.seed=/s").unwrap().place(), Some("/s"));
    }

    #[test]
    fn where_nothing_is_left_it_is_an_error() {
        for text in [
            "cloud-config-url=x",
            "ds=nocloud;s=x;q=1;h=",
            "lifeboat.seed=x",
            "lifeboat.seed=x ds=nocloud;s=/s",
        ] {
            let error = Seed::from_line(&CommandLine::parse(text)).unwrap_err();
            let parameter = text.split(' ').next().unwrap();
            assert!(
                error.starts_with(parameter) && error.contains("neither a URL nor an absolute path"),
                "{error}"
            );
        }
        // It still says that there is a seed, in a directory or on a volume.
        assert_eq!(line("ds=nocloud;q=1").unwrap().seed_from, Place::Unnamed);
    }
}
