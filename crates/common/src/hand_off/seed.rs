//! /run/lifeboat/seed: what the kernel command line says about a seed.

use super::HandOff;
use crate::check;
use crate::environment_file::{Lines, lookup};

/// The statements about a seed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Seed {
    /// The kind of source: a data source that `ds=` names, or the parameter.
    pub source: String,
    /// Where the seed's files are.
    pub seed_from: Place,
    /// The host name.
    pub local_hostname: Option<String>,
    /// The instance-id.
    pub instance_id: Option<String>,
    /// Where configuration below the user's is.
    pub cloud_config_url: Option<String>,
    /// The statements that are left out, and why.
    pub refused: Option<String>,
}

/// Where a seed's files are.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Place {
    /// Nobody says it.
    #[default]
    Unnamed,
    /// Below this URL or directory.
    At(String),
    /// It is said and cannot be used. That is a source that is there and silent, and not one that names no place.
    Refused,
}

/// The checks that a value passes before it is taken.
pub(super) struct Field {
    /// The key in the file.
    key: &'static str,
    /// The names in `ds=nocloud;NAME=VALUE;…`, short and long.
    pub(super) names: Option<[&'static str; 2]>,
    pub(super) check: fn(&str) -> Result<(), String>,
    get: fn(&Seed) -> Option<&str>,
    /// `None`: the value was refused.
    pub(super) set: fn(&mut Seed, Option<String>),
}

/// The most bytes that are told of a statement that was left out.
const MOST_REFUSED: usize = 800;
const AND_MORE: &str = "; and more";

/// The file's keys, in their order.
pub(super) const FIELDS: [Field; 4] = [
    Field {
        key: "SEED_FROM",
        names: Some(["s", "seedfrom"]),
        check: check::place,
        get: |seed| match &seed.seed_from {
            Place::Unnamed => None,
            Place::At(place) => Some(place),
            Place::Refused => Some(""),
        },
        set: |seed, place| seed.seed_from = place.map_or(Place::Refused, Place::At),
    },
    Field {
        key: "LOCAL_HOSTNAME",
        names: Some(["h", "local-hostname"]),
        check: check::host_name,
        get: |seed| seed.local_hostname.as_deref(),
        set: |seed, name| replace(&mut seed.local_hostname, name),
    },
    Field {
        key: "INSTANCE_ID",
        names: Some(["i", "instance-id"]),
        check: check::instance_id,
        get: |seed| seed.instance_id.as_deref(),
        set: |seed, id| replace(&mut seed.instance_id, id),
    },
    Field {
        key: "CLOUD_CONFIG_URL",
        names: None,
        check: check::place,
        get: |seed| seed.cloud_config_url.as_deref(),
        set: |seed, url| replace(&mut seed.cloud_config_url, url),
    },
];

/// The first line's key, and the last's; neither value is checked.
const SOURCE: &str = "SOURCE";
const REFUSED: &str = "REFUSED";

fn replace(field: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *field = value;
    }
}

impl Seed {
    /// True if it is about more than configuration.
    pub fn names_a_seed(&self) -> bool {
        self.source != super::ONLY_CONFIG
    }

    /// Where the seed's files are, when it says so.
    pub fn place(&self) -> Option<&str> {
        match &self.seed_from {
            Place::At(place) => Some(place),
            Place::Unnamed | Place::Refused => None,
        }
    }

    /// Leaves something out. Of very many the first are told: a line of the log has its limits.
    pub(super) fn refuse(&mut self, what: &str) {
        self.refused = Some(match self.refused.take() {
            None => what.to_owned(),
            Some(before) if before.len() + what.len() < MOST_REFUSED => format!("{before}; {what}"),
            Some(before) if before.ends_with(AND_MORE) => before,
            Some(before) => before + AND_MORE,
        });
    }

    /// Takes a field's value, or leaves it out. `name`: how the value was given, for people.
    pub(super) fn take(&mut self, field: &Field, name: &str, value: &str) {
        let checked = (field.check)(value);
        if let Err(reason) = &checked {
            self.refuse(&format!("{name}: {reason}"));
        }
        (field.set)(self, checked.ok().map(|()| value.to_owned()));
    }
}

impl HandOff for Seed {
    const PATH: &'static str = "run/lifeboat/seed";
    /// A seed's URL may hold a secret.
    const MODE: u32 = 0o600;

    fn parse(text: &str) -> Self {
        let mut seed = Self {
            source: lookup(text, SOURCE).unwrap_or_default(),
            refused: lookup(text, REFUSED),
            ..Self::default()
        };
        for field in &FIELDS {
            match lookup(text, field.key) {
                None => {}
                // What the writer has refused.
                Some(value) if value.is_empty() => (field.set)(&mut seed, None),
                Some(value) => seed.take(field, &format!("{}={value}", field.key), &value),
            }
        }
        seed
    }

    fn render(&self) -> String {
        let mut lines = Lines::default();
        lines.push(SOURCE, &self.source);
        for field in &FIELDS {
            lines.push_some(field.key, (field.get)(self));
        }
        lines.push_some(REFUSED, self.refused.as_deref());
        lines.text()
    }
}

#[cfg(test)]
mod tests {
    use super::super::HOSTILE;
    use super::*;

    fn full() -> Seed {
        Seed {
            source: "nocloud".into(),
            seed_from: Place::At("http://x/?a=\"b'\\&$%s#c".into()),
            local_hostname: Some("a_b".into()),
            instance_id: Some("i-$1#2".into()),
            cloud_config_url: Some("/c".into()),
            refused: Some("`q=1`: \"unknown\"".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let sparse = Seed { source: "lifeboat.seed".into(), ..Seed::default() };
        let refused = Seed { seed_from: Place::Refused, ..full() };
        for seed in [full(), sparse, refused, Seed::default()] {
            assert_eq!(Seed::parse(&seed.render()), seed);
        }
        for value in HOSTILE {
            let seed = Seed { source: value.into(), refused: Some(value.into()), ..full() };
            assert_eq!(Seed::parse(&seed.render()), seed);
        }
    }

    #[test]
    fn each_key_has_a_line_and_no_value_adds_one() {
        let keys = |seed: &Seed| -> Vec<String> {
            seed.render().lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect()
        };
        let all = ["SOURCE", "SEED_FROM", "LOCAL_HOSTNAME", "INSTANCE_ID", "CLOUD_CONFIG_URL", "REFUSED"];
        assert_eq!(keys(&full()), all);
        assert_eq!(keys(&Seed { refused: Some("a\nSEED_FROM=/x\u{2028}".into()), ..full() }), all);
        assert_eq!(keys(&Seed::default()), ["SOURCE"]);
    }

    #[test]
    fn a_value_that_fails_its_check_is_left_out_of_what_is_read() {
        for value in ["a'b", "a b", "a\u{1b}b", "a\"b"] {
            let text = format!("SOURCE=nocloud\nSEED_FROM=/s\nLOCAL_HOSTNAME=\"{value}\"\nINSTANCE_ID=i\n");
            let seed = Seed::parse(&text.replace("a\"b", "a\\\"b"));
            assert_eq!((seed.local_hostname.as_deref(), seed.instance_id.as_deref()), (None, Some("i")));
            assert!(seed.refused.unwrap().starts_with(&format!("LOCAL_HOSTNAME={value}: ")), "{value}");
        }
        let seed = Seed::parse("SOURCE=nocloud\nSEED_FROM=ftp://x\nCLOUD_CONFIG_URL=x\nINSTANCE_ID=' '\n");
        let expected = Seed { source: "nocloud".into(), seed_from: Place::Refused, ..Seed::default() };
        assert_eq!(Seed { refused: None, ..seed.clone() }, expected);
        assert_eq!(seed.refused.unwrap().split("; ").count(), 3);
    }

    #[test]
    fn what_the_writer_refused_is_not_refused_again() {
        let seed = Seed::parse("SOURCE=nocloud\nSEED_FROM=\"\"\nREFUSED=why\n");
        assert_eq!((seed.seed_from, seed.refused.as_deref()), (Place::Refused, Some("why")));
    }

    #[test]
    fn keys_that_nobody_knows_are_passed_over() {
        let seed = Seed::parse("LATER=x\nodd\nSOURCE=nocloud\nseed_from=/x\n");
        assert_eq!(seed, Seed { source: "nocloud".into(), ..Seed::default() });
        assert_eq!(Seed::parse(""), Seed::default());
    }
}
