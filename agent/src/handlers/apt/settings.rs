//! The settings of `apt`, in the place of which names at the top stood of old.

use crate::plan::HandlerPlan;
use crate::yaml::{Mapping, Value};
use anyhow::{Result, bail};

/// Old names at the top, and those that they have in `apt`.
const OLD: &[(&str, &str)] = &[
    ("apt_sources", "sources"),
    ("apt_proxy", "proxy"),
    ("apt_http_proxy", "http_proxy"),
    ("apt_ftp_proxy", "ftp_proxy"),
    ("apt_https_proxy", "https_proxy"),
    ("apt_preserve_sources_list", "preserve_sources_list"),
    ("apt_custom_sources_list", "sources_list"),
    ("add_apt_repo_match", "add_apt_repo_match"),
];

/// Old names of what an entry of `primary` holds.
const OLD_MIRROR: &[(&str, &str)] =
    &[("apt_mirror", "uri"), ("apt_mirror_search", "search"), ("apt_mirror_search_dns", "search_dns")];

/// The settings; an empty mapping where none are given, for those of an instance before may have to go.
pub(super) fn read(config: &Mapping, plan: &mut HandlerPlan) -> Result<Mapping> {
    let mut apt = match config.get("apt") {
        Some(Value::Map(apt)) => apt.clone(),
        None | Some(Value::Null) => old(config),
        Some(other) => bail!("apt: it is {} and no mapping", other.kind()),
    };
    if let Some(Value::Seq(list)) = apt.get("sources") {
        let named = list.iter().enumerate().map(|(number, entry)| {
            let mut entry = entry.as_map().cloned().unwrap_or_default();
            if entry.get("filename").is_none() {
                entry.set("filename", "cloud_config_sources.list");
            }
            (Value::from(format!("entry {}", number + 1).as_str()), Value::Map(entry))
        });
        let named: Mapping = named.collect();
        apt.set("sources", Value::Map(named));
    }
    if apt
        .get("add_apt_repo_match")
        .and_then(Value::as_str)
        .is_some_and(|own| own != MATCH && !own.is_empty())
    {
        plan.problem(format!("apt: not handled: apt.add_apt_repo_match other than {MATCH}"));
    }
    Ok(apt)
}

/// The pattern of what add-apt-repository takes, as it is by default.
const MATCH: &str = r"^[\w-]+:\w";

/// True for what add-apt-repository takes.
pub(super) fn is_for_add_apt_repository(source: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    source.split_once(':').is_some_and(|(kind, rest)| {
        !kind.is_empty()
            && kind.chars().all(|letter| is_word(letter) || letter == '-')
            && rest.chars().next().is_some_and(is_word)
    })
}

fn old(config: &Mapping) -> Mapping {
    let is_given = |value: &&Value| !matches!(value, Value::Null) && value.as_str() != Some("");
    let given = |key: &str| config.get(key).filter(is_given);
    let mut apt = Mapping::default();
    for (old, new) in OLD {
        if let Some(value) = given(old) {
            apt.set(new, value.clone());
        }
    }
    let mut mirror = Mapping::default();
    for (old, new) in OLD_MIRROR {
        if let Some(value) = given(old) {
            mirror.set(new, value.clone());
        }
    }
    if !mirror.is_empty() {
        mirror.set("arches", Value::Seq(vec!["default".into()]));
        apt.set("primary", Value::Seq(vec![Value::Map(mirror)]));
    }
    apt
}
