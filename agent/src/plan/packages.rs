//! Packages, as data.

use super::shown;
use std::fmt;

/// Work of apt-get's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packages {
    /// apt-get with its options, and what runs it.
    pub(crate) command: Vec<String>,
    /// Its word for an upgrade.
    pub(crate) upgrade: String,
    /// The work of apt-get.
    pub(crate) work: PackageWork,
}

/// A kind of work for apt-get.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PackageWork {
    /// It updates the lists of packages, unless this boot did.
    UpdateOnce,
    /// It updates the lists of packages, for their sources have changed.
    Update,
    /// It upgrades all packages.
    Upgrade,
    /// It installs packages: names, perhaps with `=VERSION`.
    Install(Vec<String>),
}

impl Packages {
    /// The program and its arguments.
    pub(crate) fn argv(&self) -> Vec<String> {
        let words = match &self.work {
            PackageWork::UpdateOnce | PackageWork::Update => "update",
            PackageWork::Upgrade => &self.upgrade,
            PackageWork::Install(names) => return self.installing(names),
        };
        self.command.iter().cloned().chain([words.to_owned()]).collect()
    }

    /// The program and its arguments where it installs some packages alone.
    pub(crate) fn installing(&self, names: &[String]) -> Vec<String> {
        let install = std::iter::once("install".to_owned());
        self.command.iter().cloned().chain(install).chain(names.iter().cloned()).collect()
    }
}

impl fmt::Display for Packages {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            PackageWork::UpdateOnce => {
                write!(out, "update the lists of packages with apt-get, unless this boot did")
            }
            PackageWork::Update => write!(out, "update the lists of packages with apt-get"),
            PackageWork::Upgrade => write!(out, "upgrade all packages with apt-get {}", self.upgrade),
            PackageWork::Install(names) => {
                write!(out, "install with apt-get:")?;
                names.iter().try_for_each(|name| write!(out, " {}", shown(name)))
            }
        }
    }
}
