//! Where Debian's archive is fetched from: where the host's own apt fetches it, or else where mmdebstrap would.

use anyhow::{Context, Result};

use crate::run::program;

/// The fields of an index target that are asked for: see apt-get(8), `indextargets`.
const FORMAT: &str = "$(CREATED_BY)|$(ORIGIN)|$(REPO_URI)|$(RELEASE)";

/// The archive and its security archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mirrors {
    archive: String,
    security: String,
}

impl Mirrors {
    pub(crate) fn of_this_host(suite: &str) -> Result<Self> {
        // Not every host has an apt that knows Debian; then mmdebstrap decides.
        let targets = program("apt-get").args(["indextargets", "--format", FORMAT]).run().unwrap_or_default();
        match from_index_targets(&targets) {
            Some(mirrors) => Ok(mirrors),
            None => Self::of_mmdebstrap(suite),
        }
    }

    /// Lets mmdebstrap write the new system's sources.list, and stops it there.
    fn of_mmdebstrap(suite: &str) -> Result<Self> {
        let hook = r#"--setup-hook=cat "$1"/etc/apt/sources.list >&2; exit 1"#;
        let mut list = String::new();
        program("mmdebstrap").args(["--variant=custom", hook, suite, "-"]).lines(|line| {
            list.push_str(line);
            list.push('\n');
        })?;
        from_sources_list(&list).with_context(|| format!("ask mmdebstrap for a mirror of {suite}:\n{list}"))
    }

    /// A sources.list for the suite, its updates and its security updates.
    pub(crate) fn sources(&self, suite: &str, line_type: &str, keyring: &str) -> String {
        let line =
            |place: &str, suite: String| format!("{line_type} [signed-by={keyring}] {place} {suite} main\n");
        line(&self.archive, suite.to_owned())
            + &line(&self.archive, format!("{suite}-updates"))
            + &line(&self.security, format!("{suite}-security"))
    }
}

fn from_index_targets(targets: &str) -> Option<Mirrors> {
    let places = targets.lines().filter_map(|line| {
        let mut columns = line.split('|');
        let (target, origin) = (columns.next()?, columns.next()?);
        let (place, release) = (columns.next()?, columns.next()?);
        (target == "Packages" && origin == "Debian").then_some((place, release))
    });
    pick(places)
}

fn from_sources_list(list: &str) -> Option<Mirrors> {
    pick(list.lines().filter_map(|line| {
        let mut words = line.strip_prefix("deb ")?.split_whitespace().filter(|word| !word.starts_with('['));
        Some((words.next()?, words.next()?))
    }))
}

fn pick<'a>(places: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Mirrors> {
    let places: Vec<_> = places.filter(|(place, _)| !place.starts_with("cdrom:")).collect();
    let of = |wanted: fn(&str) -> bool| {
        places.iter().find(|(_, release)| wanted(release)).map(|(place, _)| (*place).to_owned())
    };
    Some(Mirrors {
        archive: of(|release| !release.contains('-'))?,
        security: of(|release| release.ends_with("-security"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
DEP-11|Debian|http://mirror.example/debian/|bookworm|
Packages|Other|http://other.example/|bookworm
Packages|Debian|cdrom:[Debian]/|bookworm
Packages|Debian|http://mirror.example/updates/|bookworm-updates
Packages|Debian|http://mirror.example/debian/|bookworm
Packages|Debian|http://mirror.example/security/|bookworm-security
";

    #[test]
    fn the_hosts_own_mirrors_serve_another_suite_too() {
        let sources = from_index_targets(TARGETS).unwrap().sources("trixie", "deb-src", "KEYS");
        assert_eq!(
            sources,
            "deb-src [signed-by=KEYS] http://mirror.example/debian/ trixie main\n\
             deb-src [signed-by=KEYS] http://mirror.example/debian/ trixie-updates main\n\
             deb-src [signed-by=KEYS] http://mirror.example/security/ trixie-security main\n"
        );
    }

    #[test]
    fn a_host_of_another_distribution_gives_no_mirror() {
        assert_eq!(from_index_targets(&TARGETS.replace("|Debian|", "|Ubuntu|")), None);
    }

    #[test]
    fn a_sources_list_is_read_with_and_without_options() {
        let list = "I: chatter\ndeb [signed-by=K] http://a.example bookworm main\n\
                    deb http://s.example bookworm-security main\n";
        let expected = Mirrors { archive: "http://a.example".into(), security: "http://s.example".into() };
        assert_eq!(from_sources_list(list), Some(expected));
    }
}
