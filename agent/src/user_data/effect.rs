//! The effect of parts after the first boot of an instance.

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
    (kinds::EC2_CONFIG, Effect::Configuration),
    (kinds::BOOTHOOK, Effect::EachBoot),
    (kinds::X_SH, Effect::EachBoot),
    (kinds::PER_BOOT, Effect::EachBoot),
    (kinds::SCRIPT, Effect::Script),
    (kinds::PER_INSTANCE, Effect::Script),
    (kinds::PER_ONCE, Effect::Script),
];

/// Finds the effect of a part.
pub(crate) fn effect(part: &Part) -> Effect {
    let known = ALL.iter().find(|(content_type, _)| *content_type == part.content_type);
    known.map_or(Effect::Other, |(_, effect)| *effect)
}
