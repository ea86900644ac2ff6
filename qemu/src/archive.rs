//! Debian's archive, read through an apt configuration of our own in the cache: its package lists are apart
//! from the host's, so any host can read any suite, and nothing of the host's changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::architecture::DEBIAN;
use crate::cache::Cache;
use crate::mirrors::Mirrors;
use crate::phase;
use crate::run::{Program, program};
use crate::version;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Lists older than this are fetched again; a download that fails does so too.
const FRESH: Duration = Duration::from_hours(24);

/// One suite of the archive, such as `bookworm`, with its updates and security updates.
#[derive(Debug)]
pub struct Archive {
    cache: Cache,
    suite: String,
    folder: PathBuf,
}

/// A package that the archive has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
}

/// The list that is asked for: built packages, or their sources.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Packages,
    Sources,
}

impl Archive {
    /// Opens the suite's binary packages; their lists are fetched where they are missing or old.
    pub fn open(cache: &Cache, suite: &str) -> Result<Self> {
        Self::of_kind(cache, suite, Kind::Packages)
    }

    /// Downloads a package into the cache and gives its file: this version, or else the newest.
    pub fn download(&self, package: &str, version: Option<&str>) -> Result<PathBuf> {
        let attempt = || {
            let version = match version {
                Some(version) => version.to_owned(),
                None => self.newest(package)?,
            };
            let inputs = [self.suite.as_bytes(), package.as_bytes(), version.as_bytes()];
            let entry = self.cache.entry("deb", &inputs, |folder| {
                phase::say(&format!("downloading {package} {version}"));
                let wanted = format!("{package}={version}");
                self.apt("apt-get").arg("download").arg(wanted).directory(folder).run().map(drop)
            })?;
            only_file(&entry)
        };
        self.with_fresh_lists(attempt)
    }

    /// Downloads packages into a folder, with what they need beyond what is installed where this status file of
    /// dpkg's is.
    pub fn download_for(&self, status: &Path, packages: &[&str], folder: &Path) -> Result<()> {
        self.with_fresh_lists(|| {
            let option = |name: &str, path: &Path| format!("{name}={}", path.display());
            self.apt("apt-get")
                .args(["--yes", "--no-install-recommends", "--download-only"])
                .args(["-o", &option("Dir::State::status", status)])
                .args(["-o", &option("Dir::Cache::archives", folder)])
                // Of the other system: nothing is written there.
                .args(["-o", "Debug::NoLocking=true"])
                .arg("install")
                .args(packages)
                .run()
                .map(drop)
        })
    }

    /// The packages whose name matches a pattern with one `*`, newest version first.
    pub fn versions(&self, pattern: &str) -> Result<Vec<Available>> {
        let (start, _) = pattern.split_once('*').unwrap_or((pattern, ""));
        let names = self.apt("apt-cache").arg("pkgnames").arg(start).run()?;
        let names: Vec<&str> = names.lines().filter(|name| matches(pattern, name)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        Ok(newest_first(&self.apt("apt-cache").arg("madison").args(names).run()?))
    }

    fn newest(&self, package: &str) -> Result<String> {
        let available = newest_first(&self.apt("apt-cache").arg("madison").arg(package).run()?);
        let newest = available.into_iter().next();
        let newest = newest.with_context(|| format!("find package {package} in {}", self.suite))?;
        Ok(newest.version)
    }

    fn of_kind(cache: &Cache, suite: &str, kind: Kind) -> Result<Self> {
        let folder = cache.folder(&format!("apt-{suite}-{}", kind.line_type()))?;
        let archive = Self { cache: cache.clone(), suite: suite.to_owned(), folder };
        let _held = archive.lock()?;
        let age = fs::metadata(archive.stamp()).and_then(|stamp| stamp.modified()).map(|time| {
            // A stamp from the future is as good as a fresh one.
            SystemTime::now().duration_since(time).unwrap_or_default()
        });
        if !age.is_ok_and(|age| age < FRESH) {
            archive.configure(kind)?;
            archive.update()?;
        }
        Ok(archive)
    }

    fn configure(&self, kind: Kind) -> Result<()> {
        for folder in ["lists/partial", "cache/archives/partial", "state"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let sources = Mirrors::of_this_host(&self.suite)?.sources(&self.suite, kind.line_type(), KEYRING);
        for (name, text) in [
            ("sources.list", sources),
            ("status", String::new()),
            ("apt.conf", configuration(&self.folder.display().to_string())),
        ] {
            let file = self.folder.join(name);
            fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    fn update(&self) -> Result<()> {
        phase::say(&format!("fetching the package lists of {}", self.suite));
        let advice = "is the network up, and is Debian's mirror in /etc/apt/sources.list* reachable?";
        self.apt("apt-get").arg("update").arg("--error-on=any").advice(advice).run()?;
        fs::write(self.stamp(), "").with_context(|| format!("write {}", self.stamp().display()))
    }

    /// Tries once more with fresh lists: the archive drops what a security update has replaced.
    fn with_fresh_lists<T>(&self, attempt: impl Fn() -> Result<T>) -> Result<T> {
        if let Ok(done) = attempt() {
            return Ok(done);
        }
        let held = self.lock()?;
        self.update()?;
        drop(held);
        attempt()
    }

    fn apt(&self, name: &str) -> Program {
        program(name).arg("-c").arg(self.folder.join("apt.conf")).arg("-q").env("LC_ALL", "C.UTF-8")
    }

    fn lock(&self) -> Result<fs::File> {
        let name = self.folder.file_name().context("name the folder of package lists")?;
        self.cache.lock(&name.to_string_lossy())
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }
}

impl Kind {
    /// The first word of a line in sources.list.
    fn line_type(self) -> &'static str {
        match self {
            Self::Packages => "deb",
            Self::Sources => "deb-src",
        }
    }
}

/// Downloads and unpacks a source package: its version, and the folder that holds the `.dsc` and, in `source`,
/// the unpacked and patched tree.
pub fn source(cache: &Cache, suite: &str, package: &str) -> Result<(String, PathBuf)> {
    let archive = Archive::of_kind(cache, suite, Kind::Sources)?;
    let entry = archive.with_fresh_lists(|| {
        let version =
            source_version(&archive.apt("apt-cache").args(["showsrc", "--only-source", package]).run()?)?;
        let inputs = [suite.as_bytes(), package.as_bytes(), version.as_bytes()];
        let entry = cache.entry("source", &inputs, |folder| {
            phase::say(&format!("downloading the source of {package} {version}"));
            let wanted = format!("{package}={version}");
            let download = ["source", "--download-only", "--only-source"];
            archive.apt("apt-get").args(download).arg(wanted).directory(folder).run()?;
            let unpack = "dpkg-source --no-check -x ./*.dsc source";
            program("sh").args(["-c", unpack]).directory(folder).run().map(drop)
        })?;
        Ok((version, entry))
    })?;
    Ok(entry)
}

/// The configuration is read after the host's own, which may name a proxy; the host's hooks are cleared, for
/// they act on the host's own lists.
fn configuration(folder: &str) -> String {
    format!(
        r#"#clear APT::Update;
APT::Architecture "{DEBIAN}";
#clear APT::Architectures;
APT::Architectures:: "{DEBIAN}";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"#
    )
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file.with_context(|| format!("list {}", folder.display()))?.path()),
        _ => bail!("find one file in {} (`cargo vm clean` removes it)", folder.display()),
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

/// Reads `apt-cache madison`: lines of `package | version | where`.
fn newest_first(madison: &str) -> Vec<Available> {
    let mut all: Vec<Available> = madison
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('|').map(str::trim);
            let (package, version) = (columns.next()?, columns.next()?);
            Some(Available { package: package.to_owned(), version: version.to_owned() })
        })
        .collect();
    all.sort_by(|one, other| {
        version::compare(&other.version, &one.version)
            .then_with(|| version::compare(&other.package, &one.package))
    });
    all.dedup();
    all
}

/// The newest version in what `apt-cache showsrc` prints.
fn source_version(showsrc: &str) -> Result<String> {
    let versions = showsrc.lines().filter_map(|line| line.strip_prefix("Version: "));
    let newest = versions.max_by(|one, other| version::compare(one, other));
    newest.map(str::to_owned).context("find the source package's version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_stands_for_its_star_but_no_shorter_name() {
        let pattern = "linux-image-*-cloud-amd64";
        assert!(matches(pattern, "linux-image-6.1.0-32-cloud-amd64"));
        assert!(!matches(pattern, "linux-image-6.1.0-32-cloud-amd64-unsigned"));
        assert!(!matches(pattern, "linux-image-cloud-amd64"));
        assert!(matches("busybox", "busybox") && !matches("busybox", "busybox-static"));
    }

    #[test]
    fn packages_come_newest_first_and_once() {
        let madison = "\
 linux-image-6.1.0-9-cloud-amd64 | 6.1.27-1 | mirror bookworm/main amd64 Packages
linux-image-6.1.0-37-cloud-amd64 | 6.1.140-1 | mirror bookworm/main amd64 Packages
linux-image-6.1.0-37-cloud-amd64 | 6.1.140-1 | mirror bookworm-security/main amd64 Packages
";
        let all = newest_first(madison);
        let versions: Vec<&str> = all.iter().map(|one| one.version.as_str()).collect();
        assert_eq!(versions, ["6.1.140-1", "6.1.27-1"]);
        assert_eq!(all[0].package, "linux-image-6.1.0-37-cloud-amd64");
    }

    #[test]
    fn the_newest_source_is_taken_and_none_is_an_error() {
        let showsrc = "Package: x\nVersion: 2.38.1-5+deb12u1\n\nPackage: x\nVersion: 2.38.1-5+deb12u3\n";
        assert_eq!(source_version(showsrc).unwrap(), "2.38.1-5+deb12u3");
        assert!(source_version("").is_err());
    }
}
