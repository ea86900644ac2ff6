//! What comes of parts after the first boot of an instance.

use super::kinds;
use super::part::Part;

/// Where a part's content is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// In the configuration.
    Configuration,
    /// It is run on each boot.
    EachBoot,
    /// It is run once.
    Script,
    /// Its type does not say.
    Other,
}

const ALL: &[(&str, Effect)] = &[
    (kinds::CLOUD_CONFIG, Effect::Configuration),
    (kinds::BOOTHOOK, Effect::EachBoot),
    (kinds::PER_BOOT, Effect::EachBoot),
    (kinds::SCRIPT, Effect::Script),
    (kinds::PER_INSTANCE, Effect::Script),
    (kinds::PER_ONCE, Effect::Script),
];

/// What comes of a part.
pub(crate) fn effect(part: &Part) -> Effect {
    let known = ALL.iter().find(|(content_type, _)| *content_type == part.content_type);
    known.map_or(Effect::Other, |(_, effect)| *effect)
}

/// Why the kernel cannot start a script; `None` if it can, or if the part is no script.
pub(crate) fn not_startable(part: &Part) -> Option<&'static str> {
    let is_script = effect(part) == Effect::Script || part.content_type == kinds::PER_BOOT;
    if !is_script || part.payload.starts_with(b"#!") {
        return None;
    }
    Some(if kinds::of(&part.payload) == Some(kinds::SCRIPT) {
        "blanks or blank lines stand before its `#!`, so the kernel cannot start it"
    } else {
        "it is a script and does not begin with `#!`, so the kernel cannot start it"
    })
}
